package engine_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// talk is a turn of a conversation that may start detached work.
func talk(claim string) run.Spec {
	s, work := spec(), spec()
	work.Model, work.Dialect, work.Instructions = "worker", "work", "Work."
	h := run.Handoff{Name: "work", Spec: work, Detached: true, Claim: claim}
	s.Handoffs = []run.Handoff{h}
	s.Tools = []run.Tool{h.Tool("confirm", "")}
	s.RawResults, s.Tethered = true, true
	return s
}

// confirming starts the work in its first reply.
func confirming() *script.Model {
	return script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		sleep(ctx, time.Second)
		if req.Model == "worker" {
			return script.Say("Done: " + req.Messages[1].Text), ctx.Err()
		}
		return script.Call("confirm", `{"goals":"three reports","context":{"format":"pdf"}}`), ctx.Err()
	})
}

// work is the run that a turn's first action started.
func (w *world) work(id run.ID) run.State {
	w.t.Helper()
	s := w.rest(id, run.Completed)
	a := s.Turns[0].Actions[0]
	if a.Child == nil || a.Outcome != run.OK || !strings.Contains(s.Ended.Result.Summary, a.Child.String()) {
		w.t.Fatalf("the turn ended with %+v, %+v", a, s.Ended)
	}
	return w.rest(*a.Child, run.Completed)
}

// The turn, and the beginning of the work that it started, are in one commit; from
// then on neither waits for the other.
func TestDetached(t *testing.T) {
	inWorld(t, confirming(), func(t *testing.T, w *world) {
		log := &commits{Log: w.store}
		w.close(time.Second)
		w.engine = w.another(log)
		id := w.create(talk(""))
		child := w.work(id)
		if got, want := w.log(id), "run.created model.responded tool.started tool.finished run.finished"; got != want {
			t.Errorf("the log is\n%s, want\n%s", got, want)
		}
		if together := log.find(id, child.ID); together != 1 {
			t.Errorf("%d commits hold both runs, want 1", together)
		}
		if child.Spec.Parent != nil || child.Spec.Dialect != "work" || child.Spec.Project != "p" || child.Spec.Input.Text != "three reports" {
			t.Errorf("the work is %+v", child.Spec)
		}
		if want := "Done: three reports\n\nContext, as data:\n```json\n{\"format\":\"pdf\"}\n```"; child.Ended.Result.Summary != want {
			t.Errorf("the model saw %q, want %q", child.Ended.Result.Summary, want)
		}
	})
}

// commits remembers which runs went to the log together.
type commits struct {
	engine.Log
	mu  sync.Mutex
	all []run.Commit
}

func (l *commits) Submit(c run.Commit, done func(error)) {
	l.mu.Lock()
	l.all = append(l.all, c)
	l.mu.Unlock()
	l.Log.Submit(c, done)
}

func (l *commits) find(ids ...run.ID) (count int) {
	for _, c := range l.all {
		found := 0
		for _, a := range c.Runs {
			for _, id := range ids {
				if a.ID == id {
					found++
				}
			}
		}
		if found == len(ids) {
			count++
		}
	}
	return count
}

// However often and however much at once the same work is claimed, one run does it.
func TestDetachedOnce(t *testing.T) {
	inWorld(t, confirming(), func(t *testing.T, w *world) {
		s := talk("chat/1")
		s.Tethered = false
		var ids []run.ID
		for range 8 {
			ids = append(ids, w.create(s))
		}
		first := w.work(ids[0])
		ids = append(ids, w.create(s))
		for _, id := range ids {
			if again := w.work(id); again.ID != first.ID {
				t.Errorf("%s does the same work", again.ID)
			}
		}
		if other := w.work(w.create(talk("chat/2"))); other.ID == first.ID {
			t.Error("another chat's work is the same run")
		}
	})
}

// Two calls of one reply for the same work are one run, too.
func TestDetachedTwiceInOneReply(t *testing.T) {
	model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		if req.Model == "worker" {
			return script.Say("Done."), nil
		}
		return script.Call("confirm", `{"goals":"one"}`).And("confirm", `{"goals":" one\n"}`).And("confirm", `{"goals":"two"}`), nil
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		s := w.rest(w.create(talk("chat/1")), run.Completed)
		a := s.Turns[0].Actions
		if *a[0].Child != *a[1].Child || *a[0].Child == *a[2].Child {
			t.Errorf("the runs are %s, %s, %s", a[0].Child, a[1].Child, a[2].Child)
		}
		w.rest(*a[0].Child, run.Completed)
		w.rest(*a[2].Child, run.Completed)
	})
}

// A reader who leaves before the work has begun starts nothing; later it changes
// nothing.
func TestDetachedLeavesWithItsReader(t *testing.T) {
	for stay, want := range map[time.Duration]run.Status{500 * time.Millisecond: run.CancelledStatus, 1500 * time.Millisecond: run.Completed} {
		t.Run(fmt.Sprint(stay), func(t *testing.T) {
			inWorld(t, confirming(), func(t *testing.T, w *world) {
				id := w.create(talk("chat/1"))
				ctx, cancel := context.WithTimeout(t.Context(), stay)
				defer cancel()
				w.watch(ctx, id, engine.Cursor{}, false)
				sleep(t.Context(), time.Minute)
				if s := w.rest(id, want); want == run.Completed {
					w.rest(*s.Turns[0].Actions[0].Child, run.Completed)
				} else if log := w.log(id); strings.Contains(log, "tool.started") {
					t.Errorf("something was started: %s", log)
				}
			})
		})
	}
}

// Neither a restart at any time nor a commit that fails, or fails although it was
// written, loses the work or does it twice.
func TestDetachedSurvives(t *testing.T) {
	for at := 100 * time.Millisecond; at < 3*time.Second; at += 200 * time.Millisecond {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			inWorld(t, confirming(), func(t *testing.T, w *world) {
				s := talk("chat/1")
				s.Tethered = false
				id := w.create(s)
				sleep(t.Context(), at)
				w.close(0)
				w.open()
				w.work(id)
			})
		})
	}
	for nth := int64(2); nth <= 8; nth++ {
		for _, written := range []bool{false, true} {
			t.Run(fmt.Sprintf("commit %d, written %v", nth, written), func(t *testing.T) {
				inWorld(t, confirming(), func(t *testing.T, w *world) {
					w.close(time.Second)
					w.engine = w.another(&nthFails{Log: w.store, nth: nth, written: written})
					s := talk("chat/1")
					s.Tethered = false
					id := w.create(s)
					w.work(id)
					synctest.Wait()
				})
			})
		}
	}
}

// Work that has failed may be confirmed again; what has been done, or is under way,
// may not be done twice.
func TestDetachedAgainAfterAFailure(t *testing.T) {
	var fails bool
	model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		switch {
		case req.Model != "worker":
			return script.Call("confirm", `{"goals":"three reports"}`), nil
		case fails:
			return script.Fail("model_auth"), nil
		}
		return script.Say("Done."), nil
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		child := func(want run.Status) run.ID {
			s := talk("chat/1")
			s.Tethered = false
			id := *w.rest(w.create(s), run.Completed).Turns[0].Actions[0].Child
			w.rest(id, want)
			return id
		}
		fails = true
		first := child(run.FailedStatus)
		fails = false
		second := child(run.Completed)
		if second == first {
			t.Error("work that has failed can't be started again")
		}
		if third := child(run.Completed); third != second {
			t.Error("work that has been done is done again")
		}
	})
}
