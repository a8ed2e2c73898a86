package anthropic

import (
	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/param"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// defaultMax is how long a reply may be when nobody says it, which the API wants
// to know: every model of the fourth generation and later can say that much.
const (
	defaultMax  = 32_000
	smallestMax = 4_096 // what the models before it can say
)

// disabled is the effort that asks for no thinking at all.
const disabled = "none"

// thought is how a request asks for thinking.
type thought struct {
	budget   int    // tokens; 0 = none
	adaptive bool   // as much as the model sees fit
	off      bool   // none, said so
	effort   string // output_config.effort
}

// thoughtOf puts the caller's wish in the form that the model takes. The newest
// models decide themselves how much they think, guided by an effort; older ones
// take a budget of tokens; some take both.
func thoughtOf(req *run.Request, known remote.Lessons) thought {
	p := &req.Params
	budget, effort := p.Thinking, p.Effort
	if known.Drops(remote.NoThinking, p) {
		budget = 0
	}
	if known.Drops(remote.NoEffort, p) {
		effort = ""
	}
	var t thought
	switch {
	case effort == disabled && budget == 0:
		t.off = true
	case budget > 0 && known.Has(noBudget):
		t.adaptive, t.effort = true, effort
		if effort == "" {
			t.effort = effortOf(budget)
		}
	case budget > 0:
		t.budget, t.effort = budget, effort
	case effort != "" && known.Has(noAdaptive|noLevel):
		t.budget, t.effort = budgetOf(effort), effort
	case effort != "":
		t.adaptive, t.effort = true, effort
	}
	if known.Has(noLevel) {
		t.effort = ""
	}
	if t.budget > 0 && (known.Has(forgetful) || unthought(req.Messages, req.Model)) {
		t.budget = 0
	}
	return t
}

// budgetOf is the budget that stands for an effort at a model that has none; the
// API's own documents begin at 1,024 and advise little above 32,000.
func budgetOf(effort string) int {
	switch effort {
	case "minimal":
		return 1_024
	case "low":
		return 2_048
	case "medium":
		return 8_192
	}
	return 24_576
}

// effortOf is the effort that stands for a budget at a model that takes none.
func effortOf(budget int) string {
	switch {
	case budget <= budgetOf("low"):
		return "low"
	case budget <= budgetOf("medium"):
		return "medium"
	}
	return "high"
}

// unthought reports whether the turn that is going on was begun without a thought
// that the model could be shown: with a budget, the API refuses to go on with it.
// A turn begins behind the user's latest words, and lasts over all its calls.
func unthought(messages []run.Message, model string) bool {
	for i := len(messages) - 1; i >= 0; i-- {
		switch messages[i].Role {
		case run.ToolRole, run.Assistant:
			continue
		}
		if i+1 == len(messages) {
			return false
		}
		first := kept(&messages[i+1], model)
		return len(first) == 0 || first[0].Kind != thinkingBlock && first[0].Kind != redactedBlock
	}
	return false
}

// put writes the wish into a request. Max is how long the answer may be; what is
// thought comes on top of it.
func (t thought) put(params *sdk.MessageNewParams, max int) {
	params.MaxTokens = int64(max + t.budget)
	switch {
	case t.off:
		params.Thinking = thinkingJSON(map[string]any{"type": "disabled"})
	case t.adaptive:
		params.Thinking = thinkingJSON(map[string]any{"type": "adaptive", "display": "summarized"})
	case t.budget > 0:
		params.Thinking = thinkingJSON(map[string]any{"type": "enabled", "budget_tokens": t.budget})
	}
	if t.effort != "" && !t.off {
		params.OutputConfig.Effort = sdk.OutputConfigEffort(t.effort)
	}
}

// thinkingJSON is a configuration of thinking as it is, because the SDK warns on
// stderr about some of its own types.
func thinkingJSON(value map[string]any) sdk.ThinkingConfigParamUnion {
	return param.Override[sdk.ThinkingConfigParamUnion](value)
}
