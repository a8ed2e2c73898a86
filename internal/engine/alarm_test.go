package engine_test

import (
	"context"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// patientModel answers after a while, unless it is cut off.
func patientModel(while time.Duration) *script.Model {
	return script.Func(func(ctx context.Context, _ run.Request) (script.Line, error) {
		if !sleep(ctx, while) {
			return script.Line{}, ctx.Err()
		}
		return script.Say("ok"), nil
	})
}

// The time that a run is paused is not its working time, also when a call that
// was under way goes on meanwhile.
func TestWallTimeWhilePaused(t *testing.T) {
	inWorld(t, patientModel(6*time.Minute), func(t *testing.T, w *world) {
		s := spec()
		s.Limits.WallTime = 60
		id := w.create(s)
		time.Sleep(10 * time.Second)
		if _, err := w.engine.Pause(t.Context(), "p", id, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(4 * time.Minute)
		if s, err := w.engine.Get(t.Context(), "p", id); err != nil || s.Status != run.PausedStatus {
			t.Fatalf("after 4 minutes it is %s, %v: %s", s.Status, err, w.log(id))
		}
		if _, err := w.engine.Resume(t.Context(), "p", id, ""); err != nil {
			t.Fatal(err)
		}
		time.Sleep(45 * time.Second)
		if s, err := w.engine.Get(t.Context(), "p", id); err != nil || s.Status != run.Running {
			t.Errorf("after 55 s of work it is %s, %v: %s", s.Status, err, w.log(id))
		}
		time.Sleep(10 * time.Second)
		if s := w.rest(id, run.FailedStatus); s.Ended.Reason != run.Timeout {
			t.Errorf("it ended with %+v", s.Ended)
		}
	})
}

// A message that comes with the deadline does not lift it.
func TestWallTimeConflict(t *testing.T) {
	onShaky(t, patientModel(time.Hour), func(t *testing.T, w *world, log *shaky) {
		log.before = func(c *run.Commit) {
			if has(c, run.DeadlinePassed) {
				time.Sleep(time.Second)
			}
		}
		s := spec()
		s.Limits.WallTime = 60
		id := w.create(s)
		time.AfterFunc(60500*time.Millisecond, func() { w.engine.Message(t.Context(), "p", id, run.Added{Text: "Hurry."}) })
		time.Sleep(2 * time.Minute)
		if s := w.rest(id, run.FailedStatus); s.Ended.Reason != run.Timeout {
			t.Errorf("it ended with %+v", s.Ended)
		}
	})
}

// An approval that comes after its time is not taken, even when nobody has
// written yet that the time is over.
func TestApprovalTooLate(t *testing.T) {
	inWorld(t, script.Steps(script.Call("send", `{}`)), func(t *testing.T, w *world) {
		id := w.expiring() // and no queue performs its deadline
		time.Sleep(2 * time.Hour)
		w.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{"act_01"}, Approve: true})
		time.Sleep(time.Minute)
		if got := w.tools.made(); got != "" {
			t.Errorf("calls: %s: %s", got, w.log(id))
		}
	})
}
