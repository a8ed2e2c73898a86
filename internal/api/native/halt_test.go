package native

import (
	"context"
	"errors"
	"testing"

	"errand/internal/engine"
	"errand/internal/run"
)

// gatedLog is a run that calls a safe tool, then asks a person, is paused and
// resumed meanwhile, and ends. rests says after which events it rests.
func gatedLog() (events []run.Event, rests []bool) {
	add := func(e run.Event, rest bool) {
		e.Seq = int64(len(events) + 1)
		events, rests = append(events, e), append(rests, rest)
	}
	responded := func(step int, actions ...run.Planned) run.Event {
		r := &run.Responded{Step: step, Attempt: 1, Actions: actions}
		for range actions {
			r.Reply.Calls = append(r.Reply.Calls, run.Call{Name: "t"})
		}
		return run.Event{Type: run.ModelResponded, Responded: r}
	}
	spec := run.Spec{OnUnknown: run.AskUnknown, Limits: run.Limits{MaxSteps: 8}, Tools: []run.Tool{{Name: "t", Class: run.Safe}}}
	add(run.Event{Type: run.RunCreated, Created: &run.Created{Spec: spec}}, false)
	add(responded(1, run.Planned{ID: "act_01"}), false)
	add(run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1}}, false)
	add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_01", Outcome: run.OK}}, false)
	add(responded(2, run.Planned{ID: "act_02"}, run.Planned{ID: "act_03", Gated: true, Digest: "d"}), false)
	add(run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_02", Epoch: 1}}, false)
	add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_02", Outcome: run.OK}}, true)
	add(run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: []string{"act_03"}, Approve: true}}, false)
	add(run.Event{Type: run.RunPaused, Actor: &run.Actor{}}, true)
	add(run.Event{Type: run.RunFinished, Ended: &run.Ended{Status: run.Completed}}, true)
	return events, rests
}

func TestHalt(t *testing.T) {
	events, rests := gatedLog()
	loads, broken := 0, false
	h := halt{events: func(_ context.Context, _ string, _ run.ID, after int64, limit int) ([]run.Event, bool, error) {
		if loads++; broken {
			return nil, false, errors.New("the disk is bad")
		}
		return events[after:limit], true, nil
	}}
	for i := range events {
		if got := h.reached(&engine.Update{Event: &events[i]}); got != rests[i] {
			t.Errorf("after event %d, %s, rest is %v", i+1, events[i].Type, got)
		}
		if wanted := i >= 4; (loads == 1) != wanted {
			t.Errorf("after event %d the log has been read %d times", i+1, loads)
		}
	}
	if h.reached(&engine.Update{Delta: &run.Delta{}}) {
		t.Error("a delta is a rest")
	}
	h.state, h.due, broken = nil, false, true
	if h.reached(&engine.Update{Event: &events[4]}) {
		t.Error("a log that can't be read is a rest")
	}
	if broken = false; !h.reached(&engine.Update{Event: &events[6]}) {
		t.Error("a log that could not be read is never read again")
	}
}
