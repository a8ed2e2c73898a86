package run

import (
	"encoding/json"
	"fmt"
)

// The stored form of an event's body is JSON with the field names of event.go.
// A body that begins with '{' is version 1; a later version puts its number
// before the brace, so that any released version's log can be told apart and
// still folds. Fields are only ever added, never renamed or given a new meaning.

// Encode returns the stored form of e's body; types without a body have none.
func Encode(e Event) ([]byte, error) {
	body := e.body()
	if body == nil {
		return nil, nil
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, fmt.Errorf("encoding a %s: %w", e.Type, err)
	}
	if string(data) == "null" {
		return nil, nil // the type may have a body, and this event has none
	}
	return data, nil
}

// Decode reads a body of type t into e and sets e.Type. An unknown type, written
// by a newer version, is kept as an event that changes nothing.
func Decode(t Type, data []byte, e *Event) error {
	e.Type = t
	body := e.makeBody()
	if body == nil || len(data) == 0 {
		return nil
	}
	if data[0] != '{' {
		return fmt.Errorf("decoding a %s: its version %q is newer than this program", t, data[0])
	}
	if err := json.Unmarshal(data, body); err != nil {
		return fmt.Errorf("decoding a %s: %w", t, err)
	}
	return nil
}

// body returns the pointer that belongs to e's type, or nil.
func (e *Event) body() any {
	switch e.Type {
	case RunCreated:
		return e.Created
	case RunDriven:
		return e.Driven
	case ModelResponded:
		return e.Responded
	case ModelFailed:
		return e.Failed
	case ToolStarted:
		return e.Started
	case ToolFinished:
		return e.Finished
	case ApprovalDecided:
		return e.Decided
	case ApprovalExpired:
		return e.Expired
	case MessageAdded:
		return e.Message
	case InputReceived:
		return e.Input
	case CancelRequested:
		return e.Cancel
	case RunPaused, RunResumed, BudgetRaised:
		return e.Actor
	case BudgetRefused:
		return e.Refusal
	case DeadlinePassed:
		return e.Deadline
	case ChildFinished:
		return e.Child
	case RunFinished:
		return e.Ended
	}
	return nil
}

// makeBody gives e an empty body of its type and returns it, or nil.
func (e *Event) makeBody() any {
	switch e.Type {
	case RunCreated:
		e.Created = new(Created)
	case RunDriven:
		e.Driven = new(Driven)
	case ModelResponded:
		e.Responded = new(Responded)
	case ModelFailed:
		e.Failed = new(Failed)
	case ToolStarted:
		e.Started = new(Started)
	case ToolFinished:
		e.Finished = new(Finished)
	case ApprovalDecided:
		e.Decided = new(Decided)
	case ApprovalExpired:
		e.Expired = new(Expired)
	case MessageAdded:
		e.Message = new(Added)
	case InputReceived:
		e.Input = new(Input)
	case CancelRequested:
		e.Cancel = new(Cancel)
	case RunPaused, RunResumed, BudgetRaised:
		e.Actor = new(Actor)
	case BudgetRefused:
		e.Refusal = new(Refusal)
	case DeadlinePassed:
		e.Deadline = new(Deadline)
	case ChildFinished:
		e.Child = new(Child)
	case RunFinished:
		e.Ended = new(Ended)
	}
	return e.body()
}

// whole reports whether e has the body that its type needs. Apply ignores an
// event that has not: no event, however damaged, stops a fold.
func (e *Event) whole() bool {
	switch body := e.body().(type) {
	case nil:
		return true
	case *Created:
		return body != nil
	case *Driven:
		return body != nil
	case *Responded:
		return body != nil
	case *Failed:
		return body != nil
	case *Started:
		return body != nil
	case *Finished:
		return body != nil
	case *Decided:
		return body != nil
	case *Expired:
		return body != nil
	case *Added:
		return body != nil
	case *Input:
		return body != nil
	case *Cancel:
		return body != nil
	case *Deadline:
		return body != nil
	case *Refusal:
		return body != nil
	case *Child:
		return body != nil
	case *Ended:
		return body != nil
	case *Actor:
		return true
	}
	return false
}
