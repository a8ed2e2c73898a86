package swarms

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/run"
)

// What the API document sets where a request says nothing.
const (
	defaultModel       = "gpt-4.1"
	defaultMaxTokens   = 8192
	defaultTemperature = 0.5
)

// Ceilings. An agent that works by itself ends at 50 turns, and a number of loops
// at 20 passes, each of which may take 16 turns with its tools; the operator's
// ceiling of steps, where there is one, holds for both.
const (
	maxPasses    = 20
	maxTurns     = 50
	turnsOfAPass = 16
)

// order is a completion that has been read and makes sense.
type order struct {
	spec  run.Spec
	echo  echo
	draft string // the request for a system prompt that the model writes; empty = none
	past  *remembered
}

// echo is what answers say beside the run's state. It is stored with the run.
type echo struct {
	Name        *string  `json:"name,omitempty"`
	Description *string  `json:"description,omitempty"`
	Temperature float64  `json:"temperature"`
	Stream      bool     `json:"stream,omitempty"`
	Notes       []string `json:"notes,omitempty"` // what the request named and the run could not have
	Draft       *drafted `json:"draft,omitempty"` // who wrote the system prompt
	Batch       []item   `json:"batch,omitempty"` // of a batch's first run: where all items are
}

// echoOf reads a run's echo. A run of another API has none.
func echoOf(s *run.State) echo {
	var e echo
	if s.Spec.Dialect != Dialect || json.Unmarshal(s.Spec.Echo, &e) != nil {
		return echo{Temperature: defaultTemperature}
	}
	return e
}

// order makes the Spec of a completion. It connects to the MCP servers that the
// request names, which is the only thing here that takes time.
func (a *API) order(ctx context.Context, r *wire.Request, in *completionIn) (order, error) {
	faults := agent.Faults{}
	o := order{past: rememberable(in.Agent), echo: echo{
		Name: filled(in.Agent.Name), Description: filled(in.Agent.Description), Temperature: or(in.Agent.Temperature, defaultTemperature),
	}}
	servers := in.Agent.connections(faults)
	var err error
	if o.spec, err = a.spec(ctx, r, in, len(servers)+len(in.Agent.Handoffs) > 0, faults); err != nil {
		return o, err
	}
	o.spec.Input, o.spec.History = in.conversation(faults)
	if err := refuse(faults); err != nil {
		return o, err
	}
	if or(in.Agent.GeneratePrompt, false) {
		o.draft = in.draftRequest()
	}
	if err := a.connect(ctx, r.Caller.Project, servers, &o); err != nil {
		return o, err
	}
	if err := a.handoffs(ctx, r, in.Agent, 0, &o); err != nil {
		return o, err
	}
	checkTools(o.spec.Tools, faults)
	return o, refuse(faults)
}

// spec is all that a request says about an agent, but for the tools of its MCP
// servers and of those that it may hand work to; remote says that there will be some.
func (a *API) spec(ctx context.Context, r *wire.Request, in *completionIn, remote bool, faults agent.Faults) (run.Spec, error) {
	self := in.Agent
	definition := agent.Definition{Model: or(filled(self.Model), defaultModel), OnUnknown: run.FailUnknown}
	a.checkModel(definition.Model, faults)
	params := self.params(faults)
	definition.Output = a.readArgs(self, &params, faults)
	self.refused(faults)
	tools, err := a.tools(ctx, r.Caller.Project, in, faults)
	if err != nil {
		return run.Spec{}, err
	}
	steps, passes := a.turns(self, remote || len(tools) > 0 || definition.Output != nil, faults)
	params.Vary = passes > 1 && or(self.Vary, true)
	definition.MaxSteps, definition.Instructions = steps, self.instructions(tools)
	spec := definition.Spec(nil, agent.Order{
		Project: r.Caller.Project, Dialect: Dialect, Key: r.Caller.KeyID, Scopes: r.Caller.Scopes,
		Tools: tools, WallTime: a.cfg.Catalog.WallTime, Window: a.cfg.Catalog.Models.Window(definition.Model),
	})
	spec.Params, spec.Passes = params, passes
	spec.HandBack, spec.RawResults = len(self.Functions) > 0, !or(self.Summary, true)
	return spec, nil
}

// checkTools finds what no model could tell apart, and more than one takes.
func checkTools(tools []run.Tool, faults agent.Faults) {
	if len(tools) > maxTools {
		faults.Add("agent_config", fmt.Sprintf("brings %d tools together: at most %d.", len(tools), maxTools))
	}
	seen := map[string]bool{}
	for i := range tools {
		name := tools[i].Name
		if seen[name] {
			faults.Add("agent_config", fmt.Sprintf("brings two tools together that are named %s: give a function of tools_list_dictionary, or an MCP server, another name.", clip(name)))
		}
		seen[name] = true
	}
}

// filled takes an empty text for one that is not there.
func filled(text *string) *string {
	if text == nil || *text == "" {
		return nil
	}
	return text
}

func (a *API) checkModel(name string, faults agent.Faults) {
	wrong := agent.Faults{}
	if a.cfg.Catalog.CheckModel(name, wrong); len(wrong) > 0 {
		faults.Add("agent_config.model_name", fmt.Sprintf("Model %s is not available: %s", clip(name), wrong["model"]))
	}
}

// params are the wishes about the model. Those that the document sets where the
// caller has not are marked, because some models take none of them.
func (in *agentIn) params(faults agent.Faults) run.Params {
	params := run.Params{Temperature: in.Temperature, MaxTokens: or(in.MaxTokens, 0), Effort: or(in.Effort, ""), Thinking: or(in.Thinking, 0)}
	if params.Temperature == nil {
		standard := defaultTemperature
		params.Temperature, params.Defaults = &standard, append(params.Defaults, "temperature")
	}
	if params.MaxTokens == 0 {
		params.MaxTokens, params.Defaults = defaultMaxTokens, append(params.Defaults, "max_tokens")
	}
	if or(in.Reasoning, false) && params.Effort == "" && params.Thinking == 0 {
		params.Effort, params.Defaults = "low", append(params.Defaults, "effort")
	}
	wanted := params.Thinking
	if !or(in.Reasoning, true) {
		params.Thinking = 0 // a request that switches reasoning off has no budget for it
	}
	faults.Add("agent_config.temperature", within(params.Temperature, 0, 2))
	if params.MaxTokens < 0 || params.MaxTokens > math.MaxInt32 {
		faults.Add("agent_config.max_tokens", fmt.Sprintf("must be a whole number from 1 to %d, or 0 for %d.", math.MaxInt32, defaultMaxTokens))
	}
	if wanted < 0 || wanted > math.MaxInt32 {
		faults.Add("agent_config.thinking_tokens", fmt.Sprintf("must be a whole number from 1 to %d, or null.", math.MaxInt32))
	}
	switch params.Effort {
	case "", "none", "minimal", "low", "medium", "high", "xhigh":
	default:
		faults.Add("agent_config.reasoning_effort", fmt.Sprintf("must be none, minimal, low, medium, high or xhigh, not %q.", clip(params.Effort)))
	}
	return params
}

// refused are the fields that this server cannot honour, when they say something.
func (in *agentIn) refused(faults agent.Faults) {
	if says(in.PromptID) {
		faults.Add("agent_config.marketplace_prompt_id", "is not possible here, because there is no marketplace: send the prompt itself as system_prompt.")
	}
	if says(in.Publish) {
		faults.Add("agent_config.publish_to_marketplace", "is not possible here, because there is no marketplace: leave it out.")
	}
	if in.MaxLoops != nil && in.MaxLoops.auto && !or(in.Summary, true) {
		faults.Add("agent_config.tool_call_summary", `cannot be false with max_loops "auto": such an agent ends with an answer of its own.`)
	}
}

// turns are how many model turns a run may take, and in how many passes; 0 passes
// are one. looping says that a pass may take more than one turn.
func (a *API) turns(in *agentIn, looping bool, faults agent.Faults) (steps, passes int) {
	ceiling := maxTurns
	if a.cfg.Catalog.MaxSteps > 0 {
		ceiling = a.cfg.Catalog.MaxSteps
	}
	asked := or(in.MaxLoops, loops{count: 1})
	if asked.auto {
		return ceiling, 0
	}
	passes = max(asked.count, 1) // 0 is a spelling of the default
	if most := min(maxPasses, ceiling); asked.count < 0 || passes > most {
		faults.Add("agent_config.max_loops", fmt.Sprintf(`must be a whole number from 1 to %d, or "auto".`, most))
		return 1, 0
	}
	steps = passes
	if looping {
		steps = min(passes*turnsOfAPass, ceiling)
	}
	if passes == 1 {
		passes = 0
	}
	return steps, passes
}

// conversation is what the agent is asked, and what was said before. Without a
// task the last that the user has said is what it is asked.
func (in *completionIn) conversation(faults agent.Faults) (input run.Message, history []run.Message) {
	history = readHistory(in.History, or(in.Agent.Name, ""), faults)
	input = run.Message{Role: run.User, Text: or(in.Task, ""), Images: readImages(in, faults)}
	if strings.TrimSpace(input.Text) != "" || len(input.Images) > 0 {
		return input, history
	}
	last := len(history) - 1
	switch {
	case faults.Under("history") || faults.Under("img") || faults.Under("imgs"):
	case last < 0:
		faults.Add("task", "is required unless there is a history or an image: say what to do.")
	case history[last].Role == run.User:
		return history[last], history[:last]
	default:
		input.Text = "Continue."
	}
	return input, history
}
