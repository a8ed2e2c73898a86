package run

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// A handoff gives a piece of work to another run, the child. Its call begins with
// the child: both are in one commit. While the child is at work the call is open
// and its run needs no driver for it; the child's last commit brings the
// child.finished that ends the call.

// A detached handoff only starts the other run. Its call begins and ends in the
// commit that the run begins in: neither waits for the other from then on.

// Handoff is another agent that a run may hand work to.
type Handoff struct {
	Name     string `json:"name"`
	Spec     Spec   `json:"spec"` // of the child, but for what Child fills in
	Detached bool   `json:"detached,omitempty"`
	// Claim is what a detached handoff's work is booked under: the same task again
	// under the same claim is the run that does it already. Empty = each call
	// starts one.
	Claim string `json:"claim,omitempty"`
	// Reserved is the id that the first work under the claim gets, so that whoever
	// waits for it knows it before. Zero, or one that a run has: a new id.
	Reserved ID `json:"reserved,omitzero"`
}

// ClaimKind is the kind of row that books a task under a claim. Its data is the
// Claimed.
const ClaimKind = "claim"

// Claimed is what the row of a claimed task says.
type Claimed struct {
	Run ID `json:"run"` // that does the task
}

// ClaimID is the row's id. Tasks are the same if they are but for white space
// around them.
func ClaimID(claim, task string) string {
	sum := sha256.Sum256([]byte(strings.TrimSpace(task)))
	return claim + "/" + hex.EncodeToString(sum[:16])
}

// Parent names the call that a run does the work of.
type Parent struct {
	Run    ID     `json:"run"`
	Action string `json:"action"`
}

// handoffSchema is what a model says to hand work over.
const handoffSchema = `{"type":"object","properties":{"task":{"type":"string","minLength":1,"description":"What to do, with everything that is needed to do it: nothing else of this conversation is passed on."}},"required":["task"],"additionalProperties":false}`

// orderSchema is what a model says to start detached work.
const orderSchema = `{"type":"object","properties":{"goals":{"type":"string","minLength":1,"description":"What is to be reached, whole and in plain words: a faithful copy of what was agreed."},"context":{"type":"object","description":"What else was agreed, as data: formats, limits, addresses."}},"required":["goals"],"additionalProperties":false}`

// order is what either schema says.
type order struct {
	Task    string          `json:"task"`
	Goals   string          `json:"goals"`
	Context json.RawMessage `json:"context"`
}

// Tool is the tool that hands work to h. The child's id comes from the log, so a
// crash starts no second one.
func (h *Handoff) Tool(name, description string) Tool {
	if description == "" {
		description = "Hand a task to the agent " + h.Name + " and get its answer."
	}
	sum := sha256.Sum256([]byte(h.Name + "\x00" + description))
	parameters, preview := handoffSchema, h.Name+": {{task}}"
	if h.Detached {
		parameters, preview = orderSchema, h.Name+": {{goals}}"
	}
	return Tool{
		Name: name, Description: description, Parameters: json.RawMessage(parameters), Class: Keyed,
		Preview: preview, Version: hex.EncodeToString(sum[:8]), Handoff: h.Name,
	}
}

// Handoff returns what the call of a tool starts, or nil.
func (s *Spec) Handoff(tool *Tool) *Handoff {
	for i := range s.Handoffs {
		if tool.Handoff != "" && s.Handoffs[i].Name == tool.Handoff {
			return &s.Handoffs[i]
		}
	}
	return nil
}

// Child is the spec of the run that does the work of a handoff's call.
func (s *State) Child(a *Action) (Spec, error) {
	var said order
	if err := json.Unmarshal([]byte(a.Arguments), &said); err != nil {
		return Spec{}, fmt.Errorf("reading the task of %s: %w", a.ID, err)
	}
	h := s.Spec.Handoff(&a.Tool)
	if h == nil {
		return Spec{}, fmt.Errorf("%s hands over to %q, which this run does not know", a.ID, a.Tool.Handoff)
	}
	child := h.Spec
	child.Project, child.Key, child.Scopes = s.Spec.Project, s.Spec.Key, s.Spec.Scopes
	child.Input = Message{Role: User, Text: said.Task}
	if h.Detached {
		child.Input.Text, child.Context = said.Goals, said.Context
	} else if err := s.endow(&child.Limits); err != nil {
		return Spec{}, err
	} else {
		child.Parent, child.Under = &Parent{Run: s.ID, Action: a.ID}, s.Spec.lineage()
	}
	if child.Dialect == "" || !h.Detached {
		child.Dialect = s.Spec.Dialect
	}
	if child.OnUnknown == "" {
		child.OnUnknown = s.Spec.OnUnknown
	}
	return child, nil
}

// lineage names the agents that a child of this run works for.
func (s *Spec) lineage() string {
	if s.Agent == nil {
		return s.Under
	}
	return strings.TrimSpace(s.Under + " " + s.Agent.ID)
}

// endow holds a child to what its parent has left to spend. Children that work at
// the same time are each held to the whole of it.
func (s *State) endow(child *Limits) error {
	own, spent := s.Spec.Limits, s.Usage.Add(s.Handed)
	if own.MaxTokens > 0 {
		left := own.MaxTokens - spent.Input - spent.Output
		if left <= 0 {
			return fmt.Errorf("the run has used up its limit of %d tokens", own.MaxTokens)
		}
		child.MaxTokens = lower(child.MaxTokens, left)
	}
	if own.MaxCost > 0 {
		left := own.MaxCost - spent.Cost
		if left <= 0 {
			return fmt.Errorf("the run has used up its limit of %.4f US dollars", own.MaxCost.Dollars())
		}
		child.MaxCost = lower(child.MaxCost, left)
	}
	return nil
}

// lower is the lower one of a limit, of which 0 is none, and what is left.
func lower[T int | Micros](limit, left T) T {
	if limit == 0 {
		return left
	}
	return min(limit, left)
}

// Report is the child.finished that an ended child writes into its parent's log.
func (s *State) Report() *Child {
	c := &Child{Action: s.Spec.Parent.Action, Run: s.ID, Usage: s.Usage.Add(s.Handed), Outcome: OK, Output: s.Ended.Result.Summary}
	if len(s.Ended.Result.Output) > 0 {
		c.Output = string(s.Ended.Result.Output)
	}
	switch s.Ended.Status {
	case FailedStatus:
		c.Outcome, c.Output = Errored, "The agent failed: "+s.Ended.Error
	case CancelledStatus:
		c.Outcome, c.Output = Errored, "The agent was cancelled before it had an answer."
	}
	if c.Outcome != OK && s.Ended.Result.Summary != "" {
		c.Output += " What it had by then: " + s.Ended.Result.Summary
	}
	return c
}

// Dispatched is what a detached handoff's call answers: known says that the work
// was under way already.
func Dispatched(child ID, known bool) string {
	if known {
		return "Run " + child.String() + " does this already."
	}
	return "Run " + child.String() + " has started."
}

// Away reports whether another run does the work of this call now.
func (a *Action) Away() bool { return a.Stage == StartedStage && a.Tool.Handoff != "" }

// AwaitsChild reports whether the run goes on when a child has ended, and has
// nothing else to do until then.
func (s *State) AwaitsChild() bool {
	return s.Status == Running && s.away() && Decide(s).Waits()
}

func (s *State) away() bool {
	last := s.Last()
	if last == nil || s.Ended != nil {
		return false
	}
	for i := range last.Actions {
		if last.Actions[i].Away() {
			return true
		}
	}
	return false
}

func (s *State) childFinished(c *Child, at time.Time) {
	s.Handed = s.Handed.Add(c.Usage)
	a := s.Action(c.Action)
	if a != nil && a.Away() && a.Child != nil && *a.Child == c.Run {
		a.Ms = at.Sub(a.Since).Milliseconds()
		a.end(c.Outcome, c.Output, at)
	}
}
