package explain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/explain"
	"errand/internal/problem"
	"errand/internal/run"
)

var (
	id    = run.ID{1}
	child = run.ID{2}
	noon  = time.Date(2026, 6, 11, 12, 0, 0, 0, time.UTC)
)

// logged numbers events and puts a minute between them.
func logged(events ...run.Event) []run.Event {
	for i := range events {
		events[i].Seq, events[i].At = int64(i)+1, noon.Add(time.Duration(i)*time.Minute)
	}
	return events
}

func created(change func(*run.Spec)) run.Event {
	tool := func(name string, class run.Class) run.Tool { return run.Tool{Name: name, Class: class, Version: "v1"} }
	spec := run.Spec{
		Project: "p", Model: "m", OnUnknown: run.AskUnknown, Scopes: []string{"admin"}, Limits: run.Limits{MaxSteps: 8},
		Input: run.Message{Role: run.User, Text: "Do it."}, Tools: []run.Tool{tool("read", run.Safe), tool("send", run.Once)},
	}
	if change != nil {
		change(&spec)
	}
	return run.Event{Type: run.RunCreated, Created: &run.Created{Spec: spec}}
}

func asks(step, attempt int, tool string, gated bool) run.Event {
	return run.Event{Type: run.ModelResponded, Responded: &run.Responded{
		Step: step, Attempt: attempt, Ms: 40, Reply: run.Reply{Calls: []run.Call{{ID: "c", Name: tool, Arguments: "{}"}}, Usage: run.Usage{Input: 10, Cost: 5}},
		Actions: []run.Planned{{ID: "act_01", Gated: gated}},
	}}
}

func failed(attempt int, again bool) run.Event {
	return run.Event{Type: run.ModelFailed, Failed: &run.Failed{
		Step: 1, Attempt: attempt, Code: "model_unavailable", Message: "down", Retry: again, AfterMs: 600_000, Usage: run.Usage{Input: 3, Cost: 2},
	}}
}

// TestWaits: each way to be at rest, or at work, has its reason.
func TestWaits(t *testing.T) {
	driven := run.Event{Type: run.RunDriven, Driven: &run.Driven{Epoch: 2}}
	started := run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1, Attempt: 1}}
	unknown := run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_01", Outcome: run.Unknown, Crash: true}}
	wait := func(s *run.Spec) { s.OnBudget = run.WaitForBudget }
	handing := func(s *run.Spec) { s.Tools[0].Handoff, s.Tools[0].Class = "helper", run.Keyed }
	handed := run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1, Attempt: 1, Child: &child}}
	for name, one := range map[string]struct {
		events []run.Event
		want   []explain.For
	}{
		"a model call":        {logged(created(nil)), []explain.For{explain.Model}},
		"the next try":        {logged(created(nil), failed(1, true)), []explain.For{explain.Again}},
		"a tool":              {logged(created(nil), asks(1, 1, "read", false), started), []explain.For{explain.Tool}},
		"a person":            {logged(created(nil), asks(1, 1, "send", true)), []explain.For{explain.Approval}},
		"what nobody knows":   {logged(created(nil), asks(1, 1, "send", false), started, driven, unknown), []explain.For{explain.Outcome}},
		"pause and a person":  {logged(created(nil), asks(1, 1, "send", true), run.Event{Type: run.RunPaused, Actor: &run.Actor{}}), []explain.For{explain.Resume, explain.Approval}},
		"room":                {logged(run.Event{Type: run.RunCreated, Created: &run.Created{Spec: created(nil).Created.Spec, Queued: true}}), []explain.For{explain.Room}},
		"a budget":            {logged(created(wait), run.Event{Type: run.BudgetRefused, Refusal: &run.Refusal{Budget: "b", Message: "full"}}), []explain.For{explain.Budget}},
		"another run":         {logged(created(handing), asks(1, 1, "read", false), handed), []explain.For{explain.Child}},
		"its end":             {logged(created(nil), asks(1, 1, "read", false), started, run.Event{Type: run.CancelRequested, Cancel: &run.Cancel{}}), []explain.For{explain.Ending}},
		"nothing: it is over": {logged(created(nil), run.Event{Type: run.RunFinished, Ended: &run.Ended{Status: run.Completed, Reason: run.Answered}}), nil},
	} {
		x := explain.Of(id, one.events, noon.Add(5*time.Minute))
		var got []explain.For
		for _, w := range x.Waits {
			got = append(got, w.For)
			if w.Why == "" || w.Moves == "" || w.Since.IsZero() {
				t.Errorf("%s: %+v", name, w)
			}
		}
		if diff := cmp.Diff(one.want, got); diff != "" || x.Stuck || x.Why() == "" {
			t.Errorf("%s, stuck: %v (-want +got):\n%s", name, x.Stuck, diff)
		}
	}
}

// TestRoomOfALane: what bounds a key's runs is not the server's size, and a greater one
// would not help.
func TestRoomOfALane(t *testing.T) {
	for _, lane := range []*run.Lane{nil, {Name: "key_1", Max: 2}} {
		spec := created(nil).Created.Spec
		spec.Lane = lane
		x := explain.Of(id, logged(run.Event{Type: run.RunCreated, Created: &run.Created{Spec: spec, Queued: true}}), noon)
		if len(x.Waits) != 1 || strings.Contains(x.Waits[0].Moves, "max_active") != (lane == nil) || strings.Contains(x.Waits[0].Moves, "runs_at_once") != (lane != nil) {
			t.Errorf("%+v: %+v", lane, x.Waits)
		}
	}
}

// TestCost: what failed calls cost is the step's, and what a person took is the call's.
func TestCost(t *testing.T) {
	approve := run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: []string{"act_01"}, Approve: true}}
	x := explain.Of(id, logged(created(nil), failed(1, true), asks(1, 2, "send", true), approve, failed(1, true)), noon.Add(time.Hour))
	if len(x.Steps) != 2 || x.Steps[0].Usage.Cost != 7 || x.Steps[0].Attempts != 2 || x.Steps[0].Calls[0].Waited != time.Minute || x.Steps[1].Usage.Cost != 2 {
		t.Errorf("%+v", x.Steps)
	}
	if len(x.Retries) != 2 || x.Retries[0].Code != "model_unavailable" {
		t.Errorf("%+v", x.Retries)
	}
}

// TestPromptOfAnAttempt: a message that the reply had not seen is not in its prompt,
// and is in that of the attempt after a crash.
func TestPromptOfAnAttempt(t *testing.T) {
	message := run.Event{Type: run.MessageAdded, Message: &run.Added{Text: "Hurry."}}
	driven := run.Event{Type: run.RunDriven, Driven: &run.Driven{Epoch: 2}}
	answer := func(attempt, seen int) run.Event {
		return run.Event{Type: run.ModelResponded, Responded: &run.Responded{Step: 1, Attempt: attempt, Seen: seen, Reply: run.Reply{Text: "Done."}}}
	}
	for name, one := range map[string]struct {
		events   []run.Event
		attempt  int
		messages int
	}{
		"before the message": {logged(created(nil), message, answer(1, 0)), 1, 1},
		"after a crash":      {logged(created(nil), message, driven, answer(2, 1)), 2, 2},
		"none yet":           {logged(created(nil), message, driven), 2, 2},
	} {
		request, _, err := explain.Prompt(id, one.events, 1)
		if err != nil || request.Attempt != one.attempt || len(request.Messages) != one.messages {
			t.Errorf("%s: %+v, %v", name, request, err)
		}
	}
	if _, _, err := explain.Prompt(id, logged(created(nil)), 2); !problem.Is(err, problem.NotFound) {
		t.Errorf("a step that was not made: %v", err)
	}
}
