package explain_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/explain"
	"errand/internal/run"
)

// lines tells spans as a person would: from and to in seconds after noon.
func lines(spans []explain.Span) []string {
	var all []string
	for _, s := range spans {
		line := fmt.Sprintf("%s %g", s.ID, s.Begin.Sub(noon).Seconds())
		if !s.End.IsZero() {
			line += fmt.Sprintf("-%g", s.End.Sub(noon).Seconds())
		}
		for _, more := range []string{s.Outcome, s.By, s.Code} {
			if more != "" {
				line += " " + more
			}
		}
		all = append(all, line)
	}
	return all
}

// TestSpans: what a run's time was spent on, and what goes on.
func TestSpans(t *testing.T) {
	approve := run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: []string{"act_01"}, Approve: true, ByName: "ada"}}
	started := run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1, Attempt: 1}}
	done := run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_01", Outcome: run.OK, Ms: 2000}}
	broke := run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_01", Outcome: run.Unknown, Crash: true}}
	paused, resumed := run.Event{Type: run.RunPaused, Actor: &run.Actor{}}, run.Event{Type: run.RunResumed, Actor: &run.Actor{}}
	message := run.Event{Type: run.MessageAdded, Message: &run.Added{Text: "Hurry."}}
	ended := run.Event{Type: run.RunFinished, Ended: &run.Ended{Status: run.Completed, Reason: run.Answered}}
	driven := run.Event{Type: run.RunDriven, Driven: &run.Driven{Epoch: 2}}
	handing := func(s *run.Spec) { s.Tools[0].Handoff, s.Tools[0].Class = "helper", run.Keyed }
	handed := run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1, Attempt: 1, Child: &child}}
	returned := run.Event{Type: run.ChildFinished, Child: &run.Child{Action: "act_01", Run: child, Outcome: run.OK, Usage: run.Usage{Input: 7}}}
	refused := asks(1, 1, "fly", false)
	refused.Responded.Actions[0].Refused = "There is no such tool."
	queued := run.Event{Type: run.RunCreated, Created: &run.Created{Spec: created(nil).Created.Spec, Queued: true}}
	for name, one := range map[string]struct {
		events []run.Event
		want   []string
	}{
		"a person says yes": {
			logged(created(nil), asks(1, 1, "send", true), message, approve, started, done, ended),
			[]string{"step/1 59.96-300", "model/1/1 59.96-60 ok", "wait/approval/act_01/1 60-180 approved ada", "tool/act_01/1 298-300 ok"},
		},
		"a person is asked":     {logged(created(nil), asks(1, 1, "send", true)), []string{"step/1 59.96", "model/1/1 59.96-60 ok", "wait/approval/act_01/1 60"}},
		"nobody decides":        {logged(created(nil), asks(1, 1, "send", true), run.Event{Type: run.ApprovalExpired, Expired: &run.Expired{Actions: []string{"act_01"}, Timeout: true}}, ended), []string{"step/1 59.96-120", "model/1/1 59.96-60 ok", "wait/approval/act_01/1 60-120 expired"}},
		"the run is cancelled":  {logged(created(nil), asks(1, 1, "send", true), run.Event{Type: run.CancelRequested, Cancel: &run.Cancel{}}), []string{"step/1 59.96-120", "model/1/1 59.96-60 ok", "wait/approval/act_01/1 60-120 cancelled"}},
		"a model is asked":      {logged(created(nil)), []string{"step/1 0", "model/1/1 0"}},
		"a tool is called":      {logged(created(nil), asks(1, 1, "read", false)), []string{"step/1 59.96", "model/1/1 59.96-60 ok", "tool/act_01/1 60"}},
		"a call that broke":     {logged(created(nil), asks(1, 1, "send", false), started, driven, broke), []string{"step/1 59.96", "model/1/1 59.96-60 ok", "tool/act_01/1 120-240 unknown crash", "wait/outcome/act_01/1 240"}},
		"a pause, and a word":   {logged(created(nil), asks(1, 1, "send", true), paused, message, resumed, approve), []string{"step/1 59.96", "model/1/1 59.96-60 ok", "wait/approval/act_01/1 60-300 approved ada", "wait/resume/1 120-240", "tool/act_01/1 300"}},
		"no room":               {logged(queued, run.Event{Type: run.RunStarted}), []string{"wait/room/1 0-60", "step/1 60", "model/1/1 60"}},
		"another attempt":       {logged(created(nil), failed(1, true)), []string{"step/1 60", "model/1/1 60-60 error model_unavailable", "retry/1/1 60 model_unavailable"}},
		"a handoff":             {logged(created(handing), asks(1, 1, "read", false), handed, returned, ended), []string{"step/1 59.96-180", "model/1/1 59.96-60 ok", "child/act_01/1 120-180 ok"}},
		"a call that is no use": {logged(created(nil), refused, ended), []string{"step/1 59.96-60", "model/1/1 59.96-60 ok", "tool/act_01/0 60-60 refused"}},
	} {
		spans := explain.Spans(id, one.events, true, noon.Add(6*time.Minute))
		if diff := cmp.Diff(one.want, lines(spans)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		for _, s := range spans {
			if s.Kind != explain.StepSpan && (s.Step > 0) != (s.Parent != "") {
				t.Errorf("%s: %+v", name, s)
			}
		}
		for _, s := range explain.Spans(id, one.events, false, noon.Add(6*time.Minute)) {
			if s.End.IsZero() {
				t.Errorf("%s: of half a log nobody knows that %s goes on", name, s.ID)
			}
		}
	}
}

// TestSpansPointAtTheirEvents, where arguments and outputs are.
func TestSpansPointAtTheirEvents(t *testing.T) {
	done := run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_01", Outcome: run.Errored, Output: "no", Ms: 1}}
	spans := explain.Spans(id, logged(created(nil), failed(1, true), asks(1, 2, "read", false), done), true, noon.Add(time.Hour))
	step, tool := spans[0], spans[len(spans)-3]
	if tool.ID != "tool/act_01/1" || tool.Asked != 3 || tool.Told != 4 || tool.Class != run.Safe || tool.Message != "no" {
		t.Errorf("%+v", tool)
	}
	if step.ID != "step/1" || step.Usage.Cost != 7 {
		t.Errorf("%+v", step)
	}
}
