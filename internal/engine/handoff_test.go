package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// family is a run that hands two tasks to another agent, which reads something
// before it answers.
func family() run.Spec {
	s := spec()
	child := spec()
	child.Model, child.Tools = "child", child.Tools[:1]
	s.Handoffs = []run.Handoff{{Name: "helper", Spec: child}}
	s.Tools = append(s.Tools, s.Handoffs[0].Tool("handoff_helper", ""))
	return s
}

func familyModel() *script.Model {
	return script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		sleep(ctx, time.Second)
		task := req.Messages[0].Text
		switch {
		case req.Model == "child" && req.Step == 1:
			return script.Call("read", `{}`), ctx.Err()
		case req.Model == "child":
			return script.Say("Done: " + task), ctx.Err()
		case req.Step == 1:
			return script.Call("handoff_helper", `{"task":"one"}`).And("handoff_helper", `{"task":"two"}`), ctx.Err()
		}
		return script.Say("All done."), ctx.Err()
	})
}

// children are the runs that did the work of a run's handoffs.
func (w *world) children(id run.ID) []run.State {
	w.t.Helper()
	var all []run.State
	for _, e := range w.events(id) {
		if e.Started == nil || e.Started.Child == nil {
			continue
		}
		child, err := w.engine.Get(w.t.Context(), "p", *e.Started.Child)
		if err != nil {
			w.t.Fatalf("a child that the log names is not there: %v", err)
		}
		all = append(all, child)
	}
	return all
}

// reunited checks that everybody has done their part once.
func (w *world) reunited(id run.ID) {
	w.t.Helper()
	s := w.rest(id, run.Completed)
	for i, task := range []string{"one", "two"} {
		if a := s.Turns[0].Actions[i]; a.Outcome != run.OK || a.Output != "Done: "+task {
			w.t.Errorf("handoff %d ended with %s %q", i, a.Outcome, a.Output)
		}
	}
	children := w.children(id)
	if len(children) != 2 {
		w.t.Errorf("%d children, want 2\n%s", len(children), w.log(id))
	}
	for _, child := range children {
		if child.Status != run.Completed || child.Spec.Parent == nil || child.Spec.Parent.Run != id {
			w.t.Errorf("a child is %s, of parent %v", child.Status, child.Spec.Parent)
		}
	}
	if n := strings.Count(w.log(id), "child.finished"); n != 2 {
		w.t.Errorf("%d reports, want 2: %s", n, w.log(id))
	}
}

func TestHandoff(t *testing.T) {
	inWorld(t, familyModel(), func(t *testing.T, w *world) {
		id := w.create(family())
		w.reunited(id)
		want := "run.created model.responded tool.started tool.started child.finished child.finished run.driven model.responded run.finished"
		if got := w.log(id); got != want {
			t.Errorf("the log is\n%s, want\n%s", got, want)
		}
		s, _ := w.engine.Get(t.Context(), "p", id)
		if s.Worked > 3*time.Second {
			t.Errorf("the parent worked for %s, want its two model calls", s.Worked)
		}
	})
}

// A server that stops at any time, and starts again, hands nothing over twice.
func TestHandoffSurvivesRestarts(t *testing.T) {
	for at := 100 * time.Millisecond; at < 6*time.Second; at += 300 * time.Millisecond {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			inWorld(t, familyModel(), func(t *testing.T, w *world) {
				id := w.create(family())
				sleep(t.Context(), at)
				w.close(0)
				w.open()
				w.reunited(id)
			})
		})
	}
}

// Commits that fail, and those that fail although they were written, part nobody.
func TestHandoffOnABadDisk(t *testing.T) {
	for nth := int64(1); nth <= 14; nth++ {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("commit %d, written %v", nth, written), func(t *testing.T) {
				inWorld(t, familyModel(), func(t *testing.T, w *world) {
					w.close(time.Second)
					w.engine = w.another(&nthFails{Log: w.store, nth: nth, written: written})
					state, err := w.engine.Create(t.Context(), engine.NewRun{Spec: family()})
					if err != nil && nth > 1 {
						t.Fatal(err)
					}
					if err == nil {
						w.reunited(state.ID)
					}
				})
			})
		}
	}
}

// nthFails is a log one of whose commits reports an error.
type nthFails struct {
	engine.Log
	nth     int64
	count   atomic.Int64
	written bool
}

func (l *nthFails) Submit(c run.Commit, done func(error)) {
	switch failed := fmt.Errorf("the disk is bad"); {
	case l.count.Add(1) != l.nth:
		l.Log.Submit(c, done)
	case l.written:
		l.Log.Submit(c, func(error) { done(failed) })
	default:
		go done(failed)
	}
}

func TestHandoffIsCancelledWithItsParent(t *testing.T) {
	for name, end := range map[string]func(w *world, id run.ID){
		"by a person": func(w *world, id run.ID) {
			if _, err := w.engine.Cancel(w.t.Context(), "p", id, run.Cancel{By: "me"}); err != nil {
				w.t.Error(err)
			}
		},
		"and the server stops before the child hears of it": func(w *world, id run.ID) {
			if _, err := w.engine.Cancel(w.t.Context(), "p", id, run.Cancel{By: "me"}); err != nil {
				w.t.Error(err)
			}
			w.close(0)
			w.open()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, familyModel(), func(t *testing.T, w *world) {
				id := w.create(family())
				sleep(t.Context(), 1500*time.Millisecond)
				end(w, id)
				w.rest(id, run.CancelledStatus)
				sleep(t.Context(), time.Minute)
				for _, child := range w.children(id) {
					if child.Status != run.CancelledStatus {
						t.Errorf("a child is %s", child.Status)
					}
				}
			})
		})
	}
}

func TestHandoffIsTetheredWithItsParent(t *testing.T) {
	inWorld(t, familyModel(), func(t *testing.T, w *world) {
		s := family()
		s.Tethered = true
		id := w.create(s)
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		defer cancel()
		w.watch(ctx, id, engine.Cursor{}, false)
		sleep(t.Context(), time.Minute)
		w.rest(id, run.CancelledStatus)
		for _, child := range w.children(id) {
			if child.Status != run.CancelledStatus {
				t.Errorf("a child is %s", child.Status)
			}
		}
	})
}

func TestHandoffOfAFailure(t *testing.T) {
	model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		switch {
		case req.Model == "child":
			return script.Fail("model_auth"), nil
		case req.Step == 1:
			return script.Call("handoff_helper", `{"task":"one"}`), nil
		}
		return script.Say("It could not be done."), nil
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		s := w.rest(w.create(family()), run.Completed)
		if a := s.Turns[0].Actions[0]; a.Outcome != run.Errored || !strings.Contains(a.Output, "The agent failed") {
			t.Errorf("the handoff ended with %s %q", a.Outcome, a.Output)
		}
	})
}

// A child that waits for a person holds nobody up but its parent, and the person's
// word brings both to their end.
func TestHandoffWaitsForAPerson(t *testing.T) {
	inWorld(t, familyModel(), func(t *testing.T, w *world) {
		s := family()
		s.Handoffs[0].Spec.Gates = []string{"read"}
		id := w.create(s)
		sleep(t.Context(), time.Minute)
		for _, child := range w.children(id) {
			if child.Status != run.AwaitingApproval {
				t.Fatalf("a child is %s", child.Status)
			}
			w.approve(child.ID, "act_01")
		}
		w.reunited(id)
	})
}
