package run

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"
)

// A handoff gives a piece of work to another run, the child. Its call begins with
// the child: both are in one commit. While the child is at work the call is open
// and its run needs no driver for it; the child's last commit brings the
// child.finished that ends the call.

// Handoff is another agent that a run may hand work to.
type Handoff struct {
	Name string `json:"name"`
	Spec Spec   `json:"spec"` // of the child, but for what Child fills in
}

// Parent names the call that a run does the work of.
type Parent struct {
	Run    ID     `json:"run"`
	Action string `json:"action"`
}

// handoffSchema is what a model says to hand work over.
const handoffSchema = `{"type":"object","properties":{"task":{"type":"string","minLength":1,"description":"What to do, with everything that is needed to do it: nothing else of this conversation is passed on."}},"required":["task"],"additionalProperties":false}`

// Tool is the tool that hands work to h. The child's id comes from the log, so a
// crash starts no second one.
func (h *Handoff) Tool(name, description string) Tool {
	if description == "" {
		description = "Hand a task to the agent " + h.Name + " and get its answer."
	}
	sum := sha256.Sum256([]byte(h.Name + "\x00" + description))
	return Tool{
		Name: name, Description: description, Parameters: json.RawMessage(handoffSchema), Class: Keyed,
		Preview: h.Name + ": {{task}}", Version: hex.EncodeToString(sum[:8]), Handoff: h.Name,
	}
}

// Child is the spec of the run that does the work of a handoff's call.
func (s *State) Child(a *Action) (Spec, error) {
	var arguments struct {
		Task string `json:"task"`
	}
	if err := json.Unmarshal([]byte(a.Arguments), &arguments); err != nil {
		return Spec{}, fmt.Errorf("reading the task of %s: %w", a.ID, err)
	}
	for i := range s.Spec.Handoffs {
		h := &s.Spec.Handoffs[i]
		if h.Name != a.Tool.Handoff {
			continue
		}
		child := h.Spec
		if err := s.endow(&child.Limits); err != nil {
			return Spec{}, err
		}
		child.Project, child.Dialect, child.Key, child.Scopes = s.Spec.Project, s.Spec.Dialect, s.Spec.Key, s.Spec.Scopes
		child.Input = Message{Role: User, Text: arguments.Task}
		child.Parent = &Parent{Run: s.ID, Action: a.ID}
		if child.OnUnknown == "" {
			child.OnUnknown = s.Spec.OnUnknown
		}
		return child, nil
	}
	return Spec{}, fmt.Errorf("%s hands over to %q, which this run does not know", a.ID, a.Tool.Handoff)
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
