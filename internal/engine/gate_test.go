package engine_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/queue/local"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// fickle is a set of tools in which one was edited; it stops answering when it is
// asked too often, so that a driver that asks without end comes to one.
type fickle struct {
	*ledger
	asked atomic.Int64
}

func (f *fickle) Current(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error) {
	if f.asked.Add(1) > 1000 {
		return run.Tool{}, nil, errors.New("asked too often")
	}
	tool, guard, err := f.ledger.Current(ctx, project, name)
	tool.Class = run.Keyed
	return tool, guard, err
}

// An approved call that a crash hit and that may be repeated is shown again when
// its tool was edited meanwhile.
func TestChangedAfterCrash(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memory.New(memory.Config{Now: time.Now}), tools: newLedger(),
			models: script.Steps(script.Call("charge", `{}`), script.Say("ok"))}
		tools := &fickle{ledger: w.tools}
		w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
			sleep(ctx, time.Hour)
			return "", ctx.Err()
		}
		w.open()
		id := w.create(spec("charge"))
		w.rest(id, run.AwaitingApproval)
		w.approve(id, "act_01")
		time.Sleep(time.Second)
		w.close(0)
		w.tools.versions["charge"] = "v2"
		w.engine = engine.New(engine.Config{Log: w.store, Models: w.models, Tools: tools, Now: time.Now})
		if err := w.engine.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		if asked := tools.asked.Load(); asked > 10 {
			t.Errorf("the driver asked %d times what the tool is", asked)
		} else if s := w.rest(id, run.AwaitingApproval); s.Pending()[0].Reason != run.ChangedReason {
			t.Errorf("pending: %+v", s.Pending())
		}
		w.close(time.Second)
		w.store.Close()
	})
}

// A safe tool that a person has to approve is what they approved, too.
func TestChangedSafeTool(t *testing.T) {
	inWorld(t, script.Steps(script.Call("read", `{}`), script.Say("ok")), func(t *testing.T, w *world) {
		id := w.create(spec("read"))
		w.rest(id, run.AwaitingApproval)
		w.tools.mu.Lock()
		w.tools.versions["read"] = "v2"
		w.tools.mu.Unlock()
		w.approve(id, "act_01")
		s := w.rest(id, run.AwaitingApproval)
		if got := s.Pending()[0]; got.Reason != run.ChangedReason {
			t.Errorf("pending: %+v", got)
		}
		if got := w.tools.made(); got != "" {
			t.Errorf("calls: %s", got)
		}
	})
}

// withJobs gives the world a queue that performs the engine's deadlines.
func (w *world) withJobs() *local.Queue {
	jobs := local.New(local.Config{Store: w.store, Now: time.Now, Handlers: map[string]func(context.Context, run.Job) error{
		engine.DeadlineJob: func(ctx context.Context, job run.Job) error { return w.engine.Deadline(ctx, job) },
	}})
	jobs.Start()
	return jobs
}

// expiring is a gated run whose approval expires after an hour.
func (w *world) expiring() run.ID {
	w.t.Helper()
	s := spec("send")
	s.GateTimeout = 3600
	id := w.create(s)
	w.rest(id, run.AwaitingApproval)
	return id
}

// An approval that expires while its run is paused has expired on resume.
func TestExpiryWhilePaused(t *testing.T) {
	inWorld(t, script.Steps(script.Call("send", `{}`)), func(t *testing.T, w *world) {
		jobs := w.withJobs()
		defer jobs.Close(t.Context())
		id := w.expiring()
		w.engine.Pause(t.Context(), "p", id, "")
		time.Sleep(2 * time.Hour)
		w.engine.Resume(t.Context(), "p", id, "")
		time.Sleep(time.Hour)
		w.rest(id, run.Completed)
	})
}

// An approval that expires while the server shuts down has expired when it is
// back, and so has one whose server died with the job done and the event not written.
func TestExpiryDuringDrain(t *testing.T) {
	model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		if req.Messages[0].Text == "Read." {
			return script.Call("read", `{}`), nil
		}
		return script.Call("send", `{}`), nil
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
			sleep(ctx, time.Minute)
			return "done", nil
		}
		jobs := w.withJobs()
		id := w.expiring()
		time.Sleep(time.Hour - 6*time.Second)
		busy := spec()
		busy.Input.Text = "Read."
		w.create(busy)
		time.Sleep(time.Second)
		w.close(10 * time.Second) // the approval expires meanwhile
		jobs.Close(t.Context())
		w.open()
		jobs = w.withJobs()
		defer jobs.Close(t.Context())
		time.Sleep(time.Hour)
		w.rest(id, run.Completed)
	})
}

// Where actions expire one after the other, each of them does.
func TestExpiryOfTheSecond(t *testing.T) {
	model := script.Steps(script.Call("send", `{"n":1}`).And("send", `{"n":2}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		jobs := w.withJobs()
		defer jobs.Close(t.Context())
		id := w.expiring()
		time.Sleep(30 * time.Minute)
		w.tools.mu.Lock()
		w.tools.versions["send"] = "v2"
		w.tools.mu.Unlock()
		w.approve(id, "act_02") // it is shown again, and expires later than the first
		w.rest(id, run.AwaitingApproval)
		time.Sleep(time.Minute)
		d := engine.Decision{Actions: []string{"act_01"}, Continue: true}
		if _, err := w.engine.Decide(t.Context(), "p", id, d); err != nil {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Hour)
		w.rest(id, run.Completed)
	})
}

// An approval that is sent again because its answer got lost is no word on what
// has become of the call since.
func TestApprovalAgainAfterCrash(t *testing.T) {
	inWorld(t, script.Steps(script.Call("send", `{}`), script.Say("ok")), func(t *testing.T, w *world) {
		w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
			sleep(ctx, time.Second)
			return "sent", nil
		}
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		w.approve(id, "act_01")
		time.Sleep(500 * time.Millisecond)
		w.close(0)
		w.open()
		if s := w.rest(id, run.AwaitingApproval); s.Pending()[0].Reason != run.UnknownReason {
			t.Fatalf("pending: %+v", s.Pending())
		}
		w.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{"act_01"}, Approve: true, Retry: true}) // the client's retry, marked as one
		time.Sleep(time.Minute)
		if got, want := w.tools.made(), "send act_01"; got != want {
			t.Errorf("calls: %s, want %s", got, want)
		}
	})
}
