package engine_test

import (
	"context"
	"strings"
	"testing"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// careful is a run whose send waits for two keys, neither of them its own.
func careful() run.Spec {
	s := spec("send")
	s.Key = "runs"
	s.Approval = &run.Approval{Separate: true, Quorum: 2}
	s.Tools[2].Parameters = []byte(`{"type":"object","properties":{"to":{"type":"string"}},"required":["to"]}`)
	return s
}

func sending() *script.Model {
	return script.Steps(script.Call("send", `{"to":"all"}`), script.Say("Sent."))
}

func TestWordsOfSeveral(t *testing.T) {
	inWorld(t, sending(), func(t *testing.T, w *world) {
		w.tools.behave = func(_ context.Context, call run.ToolCall) (string, error) { return string(call.Arguments), nil }
		id := w.create(careful())
		s := w.rest(id, run.AwaitingApproval)
		digest := s.Action("act_01").Digest
		decide := func(d engine.Decision) (run.State, error) {
			d.Actions = []string{"act_01"}
			return w.engine.Decide(t.Context(), "p", id, d)
		}
		for name, refused := range map[string]struct {
			d    engine.Decision
			code problem.Code
			says string
		}{
			"the run's own key":        {engine.Decision{Approve: true, By: "runs"}, problem.ScopeDenied, "separate"},
			"another digest":           {engine.Decision{Approve: true, By: "a", Digest: "sha256:0"}, problem.Conflict, digest},
			"arguments that do not do": {engine.Decision{Approve: true, By: "a", Arguments: `{"to":7}`}, problem.InvalidRequest, "schema of send"},
			"no arguments":             {engine.Decision{Approve: true, By: "a", Arguments: `7`}, problem.InvalidRequest, "JSON object"},
			"a no with arguments":      {engine.Decision{By: "a", Arguments: `{"to":"me"}`}, problem.InvalidRequest, "rejection"},
		} {
			_, err := decide(refused.d)
			if told := problem.From(err); told.Code != refused.code || !strings.Contains(told.Error()+told.Detail, refused.says) && !strings.Contains(told.Fields["arguments"], refused.says) {
				t.Errorf("%s: %v %v", name, err, told.Fields)
			}
		}
		s, err := decide(engine.Decision{Approve: true, By: "a", Digest: digest})
		if err != nil || s.Status != run.AwaitingApproval || s.Missing(s.Action("act_01")) != 1 {
			t.Fatalf("after one yes: %s, %v", s.Status, err)
		}
		if s, err = decide(engine.Decision{Approve: true, By: "a"}); err != nil || s.Status != run.AwaitingApproval {
			t.Fatalf("after the same yes again: %s, %v", s.Status, err)
		}
		if _, err = decide(engine.Decision{Approve: true, By: "a", Digest: "sha256:0"}); !problem.Is(err, problem.Conflict) {
			t.Errorf("the same yes again, to something else: %v", err)
		}
		if s, err = decide(engine.Decision{Approve: true, By: "b", Arguments: `{"to":"me"}`}); err != nil || s.Missing(s.Action("act_01")) != 1 {
			t.Fatalf("after another yes to something else: %s, %v", s.Status, err)
		}
		if _, err = decide(engine.Decision{Approve: true, By: "a", Digest: digest}); !problem.Is(err, problem.Conflict) {
			t.Errorf("a yes to what was there before: %v", err)
		}
		if _, err = decide(engine.Decision{Approve: true, By: "a"}); err != nil {
			t.Fatal(err)
		}
		s = w.rest(id, run.Completed)
		if got := s.Action("act_01").Output; got != `{"to":"me"}` {
			t.Errorf("called with %s", got)
		}
	})
}

// What was approved is checked again when it is called, whoever has changed it.
func TestApprovalByTimeout(t *testing.T) {
	inWorld(t, sending(), func(t *testing.T, w *world) {
		s := careful()
		s.GateTimeout = 5
		s.Approval = &run.Approval{OnTimeout: run.ApproveOnTimeout}
		id := w.create(s)
		w.rest(id, run.AwaitingApproval)
		jobs, err := w.store.Jobs(t.Context(), 1)
		if err != nil || len(jobs) != 1 {
			t.Fatalf("%d jobs, %v", len(jobs), err)
		}
		sleep(t.Context(), 6e9)
		if err := w.engine.Deadline(t.Context(), jobs[0]); err != nil {
			t.Fatal(err)
		}
		w.rest(id, run.Completed)
	})
}

// An approval for the whole run is for the tool as it was seen: once that is
// edited, a person is asked again, although no gate asks for that call.
func TestGrantOfAnEditedTool(t *testing.T) {
	model := script.Steps(script.Call("send", `{"to":"all"}`), script.Call("send", `{"to":"more"}`), script.Say("Sent."))
	inWorld(t, model, func(t *testing.T, w *world) {
		s := careful()
		s.Approval = nil
		id := w.create(s)
		w.rest(id, run.AwaitingApproval)
		made := 0
		w.tools.behave = func(_ context.Context, call run.ToolCall) (string, error) {
			made++
			w.tools.versions["send"] = "v2" // somebody edits it while the first call is made
			return "sent", nil
		}
		if _, err := w.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{"act_01"}, Approve: true, By: "a", Reach: run.RunReach}); err != nil {
			t.Fatal(err)
		}
		state := w.rest(id, run.AwaitingApproval)
		if got := state.Pending()[0]; got.ID != "act_02" || got.Reason != run.ChangedReason || made != 1 {
			t.Errorf("%d calls, and %s waits because of %q", made, got.ID, got.Reason)
		}
	})
}
