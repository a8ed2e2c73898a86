package native

import (
	"encoding/json"
	"fmt"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// approvalIn is what a definition says about approvals.
type approvalIn struct {
	RequiredFor []json.RawMessage `json:"required_for"` // each a tool or pattern, or a gateIn
	Untrusted   []string          `json:"after_untrusted"`
	Timeout     *int64            `json:"timeout"`
	OnTimeout   *string           `json:"on_timeout"`
	Separate    *bool             `json:"separate"`
	Quorum      *int              `json:"quorum"`
}

// gateIn is a gate that holds for some calls of a tool only.
type gateIn struct {
	Tool *string `json:"tool"`
	When *string `json:"when"`
}

func (in *approvalIn) read(faults agent.Faults) agent.Approval {
	a := agent.Approval{
		Untrusted: in.Untrusted, OnTimeout: run.OnTimeout(value(in.OnTimeout)), Separate: in.Separate != nil && *in.Separate,
		Timeout: run.Seconds(counted(in.Timeout, "approval.timeout", faults)),
	}
	if in.Quorum != nil {
		a.Quorum = *in.Quorum
		if a.Quorum == 0 {
			faults.Add("approval.quorum", "must be 1 or more: leave it out for one key's word.")
		}
	}
	if a.Timeout > 0 && in.OnTimeout == nil {
		a.OnTimeout = run.RejectOnTimeout
	}
	var conditional []int
	for i, text := range in.RequiredFor {
		var name string
		if json.Unmarshal(text, &name) == nil && string(text) != "null" {
			a.RequiredFor, a.Places = append(a.RequiredFor, name), append(a.Places, i)
			continue
		}
		var gate gateIn
		field := fmt.Sprintf("approval.required_for[%d]", i)
		if !gate.read(text, field, faults) {
			continue
		}
		a.Rules, conditional = append(a.Rules, run.Rule{Tool: *gate.Tool, When: *gate.When}), append(conditional, i)
	}
	a.Places = append(a.Places, conditional...)
	return a
}

// read decodes one gate with a condition and reports whether it is whole.
func (g *gateIn) read(text json.RawMessage, field string, faults agent.Faults) bool {
	if text[0] != '{' {
		faults.Add(field, `must be a tool's name, a pattern, or an object such as {"tool": "pay", "when": "amount > 100"}.`)
		return false
	}
	if err := wire.Decode(text, g, true); err != nil {
		told := problem.From(err)
		for name, message := range told.Fields {
			faults.Add(field+"."+name, message)
		}
		if len(told.Fields) == 0 {
			faults.Add(field, told.Detail)
		}
		return false
	}
	if g.Tool == nil {
		faults.Add(field+".tool", "is required: name a tool, or a pattern such as email.*.")
	}
	if g.When == nil {
		faults.Add(field+".when", "is required: a condition on the arguments, such as amount > 100. For every call, write the tool's name alone.")
	}
	return g.Tool != nil && g.When != nil
}

type approvalBody struct {
	RequiredFor []gateBody    `json:"required_for"`
	Untrusted   []string      `json:"after_untrusted,omitempty"`
	Timeout     int64         `json:"timeout,omitzero"`
	OnTimeout   run.OnTimeout `json:"on_timeout,omitzero"`
	Separate    bool          `json:"separate,omitzero"`
	Quorum      int           `json:"quorum,omitzero"`
}

// gateBody is a gate as it is shown: a text, or an object if it has a condition.
type gateBody run.Rule

// MarshalJSON writes the shorter form where that says it all.
func (g gateBody) MarshalJSON() ([]byte, error) {
	if g.When == "" {
		return json.Marshal(g.Tool)
	}
	return json.Marshal(run.Rule(g))
}

func showApproval(a *agent.Approval) approvalBody {
	body := approvalBody{
		RequiredFor: []gateBody{}, Untrusted: a.Untrusted, Timeout: int64(a.Timeout), OnTimeout: a.OnTimeout,
		Separate: a.Separate, Quorum: a.Quorum,
	}
	for _, name := range a.RequiredFor {
		body.RequiredFor = append(body.RequiredFor, gateBody{Tool: name})
	}
	for _, r := range a.Rules {
		body.RequiredFor = append(body.RequiredFor, gateBody(r))
	}
	return body
}
