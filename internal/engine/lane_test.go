package engine_test

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// track is a model that takes a second a call and writes down who was at work,
// and how many at once.
type track struct {
	mu       sync.Mutex
	now, top int
	order    []string
}

func (k *track) model() *script.Model {
	return script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		k.mu.Lock()
		k.now++
		k.top = max(k.top, k.now)
		k.order = append(k.order, req.Messages[0].Text)
		k.mu.Unlock()
		sleep(ctx, time.Second)
		k.mu.Lock()
		k.now--
		k.mu.Unlock()
		return script.Say("ok"), ctx.Err()
	})
}

func (k *track) said() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return strings.Join(k.order, " ")
}

func laneSpec(text string, lane run.Lane) run.Spec {
	s := spec()
	s.Input.Text, s.Lane = text, &lane
	return s
}

// Runs of a lane go one after the other, the higher priority first, and others are
// not held up by them.
func TestLane(t *testing.T) {
	var k track
	inWorld(t, k.model(), func(t *testing.T, w *world) {
		k = track{}
		var ids []run.ID
		for i, priority := range []int{0, 1, 5, 5, 1} {
			id := w.create(laneSpec(strconv.Itoa(i), run.Lane{Name: "robot", Max: 1, Priority: priority}))
			ids = append(ids, id)
			synctest.Wait()
		}
		if s, _ := w.engine.Get(t.Context(), "p", ids[1]); s.Status != run.Queued {
			t.Errorf("the second is %s, want queued", s.Status)
		}
		began := time.Now()
		w.rest(w.create(laneSpec("other", run.Lane{Name: "another", Max: 1})), run.Completed)
		if took := time.Since(began); took > 2*time.Second {
			t.Errorf("a run of another lane took %s", took)
		}
		for _, id := range ids {
			w.rest(id, run.Completed)
		}
		if got := k.said(); got != "0 other 2 3 1 4" || k.top != 2 {
			t.Errorf("at work were %s, %d at once", got, k.top)
		}
	})
}

// A run that may not even wait is refused, and nothing of it stays.
func TestLaneQueueFull(t *testing.T) {
	var k track
	inWorld(t, k.model(), func(t *testing.T, w *world) {
		k = track{}
		lane := run.Lane{Name: "robot", Max: 2, Queue: 2}
		var ids []run.ID
		for i := range 4 {
			ids = append(ids, w.create(laneSpec(strconv.Itoa(i), lane)))
		}
		_, err := w.engine.Create(t.Context(), engine.NewRun{Spec: laneSpec("much", lane)})
		if !problem.Is(err, problem.RateLimited) || problem.From(err).RetryAfter == 0 {
			t.Errorf("one too many: %v", err)
		}
		for _, id := range ids {
			w.rest(id, run.Completed)
		}
		w.rest(w.create(laneSpec("again", lane)), run.Completed)
		if strings.Contains(k.said(), "much") || k.top > 2 {
			t.Errorf("at work were %s, %d at once", k.said(), k.top)
		}
	})
}

// Whoever waits and is cancelled, paused or deleted lets the next one in; whoever
// rests for a person does so too, and needs a place again to go on.
func TestLaneIsLeft(t *testing.T) {
	lane := run.Lane{Name: "robot", Max: 1}
	model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		sleep(ctx, time.Second)
		if req.Messages[0].Text == "gated" && req.Step == 1 {
			return script.Call("send", `{}`), ctx.Err()
		}
		return script.Say("ok"), ctx.Err()
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		first := laneSpec("gated", lane)
		first.Gates = []string{"send"}
		gated := w.create(first)
		cancelled, paused, last := w.create(laneSpec("b", lane)), w.create(laneSpec("c", lane)), w.create(laneSpec("d", lane))
		if _, err := w.engine.Cancel(t.Context(), "p", cancelled, run.Cancel{}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.engine.Pause(t.Context(), "p", paused, ""); err != nil {
			t.Fatal(err)
		}
		w.rest(gated, run.AwaitingApproval)
		w.rest(cancelled, run.CancelledStatus)
		w.rest(last, run.Completed)
		if _, err := w.engine.Resume(t.Context(), "p", paused, ""); err != nil {
			t.Fatal(err)
		}
		w.approve(gated, "act_01")
		w.rest(paused, run.Completed)
		w.rest(gated, run.Completed)
	})
}

// After a restart the lane is as narrow as before, and everybody gets through it.
func TestLaneSurvivesRestarts(t *testing.T) {
	var k track
	inWorld(t, k.model(), func(t *testing.T, w *world) {
		k = track{}
		var ids []run.ID
		for i := range 6 {
			ids = append(ids, w.create(laneSpec(strconv.Itoa(i), run.Lane{Name: "robot", Max: 2})))
		}
		sleep(t.Context(), 1500*time.Millisecond)
		w.close(0)
		w.open()
		for _, id := range ids {
			w.rest(id, run.Completed)
		}
		if k.top > 2 {
			t.Errorf("%d at once, want 2 at most", k.top)
		}
	})
}

// Work that a conversation starts may wait no more than any other.
func TestLaneOfDetachedWork(t *testing.T) {
	model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		if req.Model == "worker" {
			sleep(ctx, 10*time.Second)
			return script.Say("Done."), ctx.Err()
		}
		return script.Call("confirm", `{"goals":"three reports"}`), ctx.Err()
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		s := talk("chat/1")
		s.Tethered = false
		s.Handoffs[0].Spec.Lane = &run.Lane{Name: "robot", Max: 1, Queue: 1}
		for range 2 {
			busy := laneSpec("busy", *s.Handoffs[0].Spec.Lane)
			busy.Model = "worker"
			w.create(busy)
		}
		ended := w.rest(w.create(s), run.Completed)
		if a := ended.Turns[0].Actions[0]; a.Outcome != run.Errored || a.Child != nil || !strings.Contains(a.Output, "as many as may") {
			t.Errorf("the handoff ended with %s %q", a.Outcome, a.Output)
		}
		sleep(t.Context(), time.Minute)
		w.work(w.create(s))
	})
}

// A run that never reached the disk holds up nobody.
func TestLaneOfALostRun(t *testing.T) {
	var k track
	inWorld(t, k.model(), func(t *testing.T, w *world) {
		k = track{}
		w.close(time.Second)
		lane := run.Lane{Name: "robot", Max: 1}
		w.engine = w.another(&nthFails{Log: w.store, nth: 2})
		w.create(laneSpec("first", lane))
		if _, err := w.engine.Create(t.Context(), engine.NewRun{Spec: laneSpec("lost", lane)}); err == nil {
			t.Fatal("the disk was to fail")
		}
		w.rest(w.create(laneSpec("third", lane)), run.Completed)
	})
}
