package agent

import (
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"strings"

	"errand/internal/rule"
	"errand/internal/run"
)

// Bounds of what an agent says about approvals.
const (
	maxRules  = 32 // gates with a condition: each is evaluated for each call that it covers
	maxQuorum = 10 // more people than decide on anything in time
)

// Approval says which calls need a person's word, whose, and for how long one waits.
type Approval struct {
	RequiredFor []string      `json:"required_for,omitempty"` // tool names, or patterns such as email.*
	Rules       []run.Rule    `json:"rules,omitempty"`        // the same with a condition on the arguments
	Untrusted   []string      `json:"after_untrusted,omitempty"`
	Timeout     run.Seconds   `json:"timeout,omitempty"`    // 0 = an approval never expires
	OnTimeout   run.OnTimeout `json:"on_timeout,omitempty"` // empty without a timeout
	Separate    bool          `json:"separate,omitempty"`
	Quorum      int           `json:"quorum,omitempty"` // 0 = 1

	// Places are where RequiredFor, then Rules, stand in the one list that they were
	// sent as: messages about them name it. Nil = in this order.
	Places []int `json:"-"`
}

// more is what a run needs of it beside gates and their timeout; nil for most.
func (a *Approval) more() *run.Approval {
	more := run.Approval{Rules: a.Rules, Untrusted: a.Untrusted, Separate: a.Separate}
	if a.Quorum > 1 {
		more.Quorum = a.Quorum
	}
	if a.OnTimeout != run.RejectOnTimeout {
		more.OnTimeout = a.OnTimeout
	}
	if len(more.Rules)+len(more.Untrusted)+more.Quorum == 0 && !more.Separate && more.OnTimeout == "" {
		return nil
	}
	return &more
}

// CheckApproval holds each gate to a tool that it covers, because one that covers
// nothing would look like protection, and the rest to what can be kept.
func CheckApproval(d *Definition, tools []run.Tool, faults Faults) {
	a := &d.Approval
	g := gateCheck{tools: tools, faults: faults, sure: !faults.Under("tools") && !faults.Under("functions")}
	for i, pattern := range a.RequiredFor {
		g.covered(a.field(i), pattern)
	}
	if len(a.Rules) > maxRules {
		faults.Add("approval.required_for", fmt.Sprintf("has too many conditions: at most %d.", maxRules))
	}
	for i := range a.Rules[:min(len(a.Rules), maxRules)] {
		field := a.field(len(a.RequiredFor) + i)
		g.condition(field+".when", a.Rules[i].When, g.covered(field+".tool", a.Rules[i].Tool))
	}
	for i, pattern := range a.Untrusted {
		g.covered(fmt.Sprintf("approval.after_untrusted[%d]", i), pattern)
	}
	if a.Quorum < 0 || a.Quorum > maxQuorum {
		faults.Add("approval.quorum", fmt.Sprintf("must be a whole number from 1 to %d: how many keys have to approve.", maxQuorum))
	}
	a.checkTimeout(faults)
}

func (a *Approval) field(i int) string {
	if i < len(a.Places) {
		i = a.Places[i]
	}
	return fmt.Sprintf("approval.required_for[%d]", i)
}

func (a *Approval) checkTimeout(faults Faults) {
	const field = "approval.on_timeout"
	known := []run.OnTimeout{run.RejectOnTimeout, run.ContinueOnTimeout, run.ApproveOnTimeout}
	switch {
	case a.Timeout < 0 || a.Timeout > maxApprovalWait:
		faults.Add("approval.timeout", fmt.Sprintf("must be a number of seconds from 1 to %d, or left out.", maxApprovalWait))
	case a.Timeout == 0 && a.OnTimeout != "":
		faults.Add(field, "needs approval.timeout beside it.")
	case a.Timeout > 0 && !slices.Contains(known, a.OnTimeout):
		faults.Add(field, `must be "reject" (the run ends), "continue" (the model is told and goes on) or "approve" (silence is a yes).`)
	case a.OnTimeout == run.ApproveOnTimeout && (a.Separate || a.Quorum > 1):
		faults.Add(field, `can't be "approve" beside approval.separate or approval.quorum: silence is nobody else's word.`)
	}
}

// gateCheck holds patterns and conditions to the tools that they are for.
type gateCheck struct {
	tools  []run.Tool
	faults Faults
	sure   bool // tools are all that were named
}

// covered returns the tools that a pattern covers.
func (g *gateCheck) covered(field, pattern string) []run.Tool {
	if _, err := path.Match(pattern, ""); err != nil || pattern == "" || strings.ContainsAny(pattern, `?[]\`) {
		g.faults.Add(field, fmt.Sprintf("%q is neither a tool's name nor a pattern: only * stands for other characters.", pattern))
		return nil
	}
	var found []run.Tool
	for _, tool := range g.tools {
		if run.GateMatches(pattern, tool.Name) {
			found = append(found, tool)
		}
	}
	if found == nil && g.sure {
		g.faults.Add(field, fmt.Sprintf("%q covers none of the agent's tools: name a tool from tools, or remove it.", pattern))
	}
	return found
}

// condition reports a condition that can't be evaluated, or that is about an
// argument which no tool has: misspelled, it would let everything pass.
func (g *gateCheck) condition(field, when string, tools []run.Tool) {
	names, err := rule.Check(when)
	if err != nil {
		g.faults.Add(field, fmt.Sprintf("can't be used: %v. Write a condition on the arguments, such as amount > 100.", err))
		return
	}
	for _, name := range names {
		if len(tools) > 0 && !slices.ContainsFunc(tools, func(t run.Tool) bool { return takes(&t, name) }) {
			g.faults.Add(field, fmt.Sprintf("reads %s, which is no argument of %s.", name, tools[0].Name))
		}
	}
}

// takes reports whether a tool may be called with an argument of this name.
func takes(tool *run.Tool, name string) bool {
	var schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Additional json.RawMessage            `json:"additionalProperties"`
	}
	if json.Unmarshal(tool.Parameters, &schema) != nil || schema.Properties == nil {
		return true // it does not say what it takes
	}
	_, named := schema.Properties[name]
	open := len(schema.Additional) > 0 && string(schema.Additional) != "false"
	return named || open
}
