package engine_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// A person who hangs up while a decision is being written has decided all the
// same, and the run goes on.
func TestHangUpDuringDecision(t *testing.T) {
	onShaky(t, script.Steps(script.Call("send", `{}`), script.Say("ok")), func(t *testing.T, w *world, log *shaky) {
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		log.before = func(c *run.Commit) {
			if has(c, run.ApprovalDecided) {
				time.Sleep(time.Second)
			}
		}
		ctx, hangUp := context.WithTimeout(t.Context(), 500*time.Millisecond)
		defer hangUp()
		w.engine.Decide(ctx, "p", id, engine.Decision{Actions: []string{"act_01"}, Approve: true})
		time.Sleep(time.Minute)
		w.rest(id, run.Completed)
	})
}

// A decision that is on disk, although the store has said otherwise, is acted on.
func TestLyingDecision(t *testing.T) {
	onShaky(t, script.Steps(script.Call("send", `{}`), script.Say("ok")), func(t *testing.T, w *world, log *shaky) {
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		log.after = func(c *run.Commit, err error) error {
			if has(c, run.ApprovalDecided) && err == nil {
				return errors.New("I/O error at COMMIT")
			}
			return err
		}
		w.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{"act_01"}, Approve: true})
		time.Sleep(time.Minute)
		w.rest(id, run.Completed)
	})
}

// A run whose first event is on disk, although the store has said otherwise, is
// driven: it is in every list.
func TestLyingCreation(t *testing.T) {
	onShaky(t, script.Steps(script.Say("ok")), func(t *testing.T, w *world, log *shaky) {
		log.after = func(c *run.Commit, err error) error {
			if has(c, run.RunCreated) && err == nil {
				return errors.New("I/O error at COMMIT")
			}
			return err
		}
		id := w.engine.NewID()
		if _, err := w.engine.Create(t.Context(), engine.NewRun{ID: id, Spec: spec()}); err == nil {
			t.Error("created without an error")
		}
		time.Sleep(time.Minute)
		w.rest(id, run.Completed)
	})
}

// Of two approvals that expire one after the other, the second does so also when
// the run was paused while the first did.
func TestExpiryOfTheSecondAfterPause(t *testing.T) {
	model := script.Steps(script.Call("send", `{"n":1}`).And("send", `{"n":2}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		jobs := w.withJobs()
		defer jobs.Close(t.Context())
		id := w.expiring()
		time.Sleep(30 * time.Minute)
		w.tools.mu.Lock()
		w.tools.versions["send"] = "v2"
		w.tools.mu.Unlock()
		w.approve(id, "act_02") // shown again: it expires half an hour after the first
		w.rest(id, run.AwaitingApproval)
		w.engine.Pause(t.Context(), "p", id, "")
		time.Sleep(40 * time.Minute) // the first has expired
		w.engine.Resume(t.Context(), "p", id, "")
		time.Sleep(10 * time.Hour)
		w.rest(id, run.Completed)
	})
}
