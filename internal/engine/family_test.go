package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/queue/local"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// A run that waits for a person while another one works for it can't be deleted:
// the other would work on for nobody.
func TestDeleteLeavesNoWorkers(t *testing.T) {
	model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		if req.Model == "child" {
			sleep(ctx, time.Hour)
			return script.Say("Done."), ctx.Err()
		}
		return script.Call("send", `{}`).And("handoff_helper", `{"task":"one"}`), nil
	})
	for name, rest := range map[string]func(w *world, id run.ID) run.Status{
		"awaiting approval": func(*world, run.ID) run.Status { return run.AwaitingApproval },
		"paused": func(w *world, id run.ID) run.Status {
			w.engine.Pause(w.t.Context(), "p", id, "")
			return run.PausedStatus
		},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, model, func(t *testing.T, w *world) {
				s := family()
				s.Gates = []string{"send"}
				id := w.create(s)
				time.Sleep(time.Second)
				want := rest(w, id)
				children := w.children(id)
				if err := w.engine.Delete(t.Context(), "p", id, ""); !problem.Is(err, problem.Conflict) {
					t.Errorf("deleted: %v", err)
				}
				w.rest(id, want)
				if _, err := w.engine.Cancel(t.Context(), "p", id, run.Cancel{}); err != nil {
					t.Error(err)
				}
				time.Sleep(time.Minute)
				if err := w.engine.Delete(t.Context(), "p", id, ""); err != nil {
					t.Errorf("after its end: %v", err)
				}
				for _, child := range children {
					w.rest(child.ID, run.CancelledStatus)
				}
			})
		})
	}
}

// A child that is still on its way to the disk when its parent ends is ended too,
// however slow the disk is.
func TestRecallOfTheUnborn(t *testing.T) {
	model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		if req.Model == "child" {
			sleep(ctx, time.Hour)
			return script.Say("Done."), ctx.Err()
		}
		return script.Call("handoff_helper", `{"task":"one"}`).And("read", `{}`), nil
	})
	onShaky(t, model, func(t *testing.T, w *world, log *shaky) {
		w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
			<-ctx.Done()
			return "", ctx.Err()
		}
		log.before = func(c *run.Commit) {
			switch {
			case len(c.Runs) > 1 && has(c, run.RunCreated):
				time.Sleep(3 * time.Second) // the working time ends meanwhile
			case has(c, run.DeadlinePassed):
				time.Sleep(time.Second) // the child begins before its parent's end is written
			}
		}
		s := family()
		s.Limits.WallTime = 2
		id := w.create(s)
		time.Sleep(time.Minute)
		w.rest(id, run.FailedStatus)
		children := w.children(id)
		if len(children) == 0 { // a deadline that loses a race is decided again: there may be a second one by then
			t.Fatalf("no children: %s", w.log(id))
		}
		for _, child := range children {
			if child.Status != run.CancelledStatus {
				t.Errorf("the child of an ended run is %s: %s\nparent: %s", child.Status, w.log(child.ID), w.log(id))
			}
		}
	})
}

// A tethered run that waits for its turn ends with its last reader too.
func TestTetherWhileQueued(t *testing.T) {
	model := script.Func(func(ctx context.Context, _ run.Request) (script.Line, error) {
		sleep(ctx, time.Hour)
		return script.Say("ok"), ctx.Err()
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		for range 20 {
			w.create(spec())
		}
		id := w.create(tethered())
		time.Sleep(time.Second) // whoever made it has long let go of it
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.watch(ctx, id, engine.Cursor{}, false)
		time.Sleep(time.Second)
		w.rest(id, run.CancelledStatus)
		loose := w.create(spec())
		time.Sleep(time.Second)
		ctx, cancel = context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		w.watch(ctx, loose, engine.Cursor{}, false)
		time.Sleep(time.Second)
		if s, err := w.engine.Get(t.Context(), "p", loose); err != nil || s.Status != run.Queued {
			t.Errorf("a run without a tether is %s, %v", s.Status, err)
		}
	})
}

// Who comes between two attempts sees nothing of the first: it is taken back.
func TestTakenBackBeforeTheNextAttempt(t *testing.T) {
	model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		if req.Attempt == 1 {
			return script.Line{Deltas: []run.Delta{{Kind: run.TextDelta, Text: "half a "}}, Err: problem.New(problem.ModelUnavailable, "gone")}, nil
		}
		return script.Say("whole"), nil
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec())
		time.Sleep(500 * time.Millisecond)
		got := line(w.watch(t.Context(), id, engine.Cursor{}, false))
		if want := `run.created model.failed "whole" model.responded run.finished`; got != want {
			t.Errorf("the stream is\n%s, want\n%s", got, want)
		}
	})
}

// A model call that a stopping server takes away from the run has not failed: the
// next start makes it again, and the run has all its attempts.
func TestCallTakenAwayByShutdown(t *testing.T) {
	stopping := make(chan struct{})
	model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		if req.Attempt == 1 {
			<-stopping
			return script.Line{}, problem.New(problem.ModelUnavailable, "This server is stopping.").Because(context.Canceled)
		}
		return script.Say("ok"), nil
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		stopping = make(chan struct{})
		id := w.create(spec())
		time.Sleep(time.Second)
		go func() {
			<-w.engine.Draining()
			close(stopping)
		}()
		w.close(time.Minute)
		if got, want := w.log(id), "run.created"; got != want {
			t.Errorf("the log is %s, want %s", got, want)
		}
		w.open()
		s := w.rest(id, run.Completed)
		if got := strings.Count(w.log(id), "model.failed"); got != 0 {
			t.Errorf("%d failures, %+v", got, s.LastFail)
		}
	})
}

// Seeds of a storm over families: parents with children and grandchildren, on a
// disk that delays, refuses and lies, under commands, expiring approvals and
// restarts. What holds in it: everybody ends, nobody works for one who has ended,
// nobody is born whom no log names, each child reports once, no fact is stored twice
// and no once call begun twice.
func TestFamilyStorm(t *testing.T) {
	seeds := 150
	if testing.Short() {
		seeds = 20
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { familyStorm(t, uint64(seed)) })
		if t.Failed() {
			return
		}
	}
}

// clan is a run with children that have children.
func clan(dice *dice) run.Spec {
	helper := family()
	helper.Model = "helper"
	helper.Gates = []string{"send"}
	s := spec("send")
	s.Handoffs = []run.Handoff{{Name: "helper", Spec: helper}}
	s.Tools = append(s.Tools, s.Handoffs[0].Tool("handoff_helper", ""))
	s.Tethered = dice.IntN(4) == 0
	if dice.IntN(2) == 0 {
		s.GateTimeout = 3
	}
	if dice.IntN(3) == 0 {
		s.Limits.WallTime = 3
	}
	return s
}

func clanModel(dice *dice) *script.Model {
	return script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		sleep(ctx, time.Duration(dice.IntN(400))*time.Millisecond)
		if dice.IntN(15) == 0 {
			return script.Fail(problem.ModelUnavailable), ctx.Err()
		}
		switch {
		case req.Step > 1 || req.Model == "child" && dice.IntN(2) == 0:
			return script.Say("Done."), ctx.Err()
		case req.Model == "child":
			return script.Call("read", `{}`), ctx.Err()
		}
		return script.Call("handoff_helper", `{"task":"one"}`).And("send", `{}`).And("handoff_helper", `{"task":"two"}`), ctx.Err()
	})
}

func familyStorm(t *testing.T, seed uint64) {
	dice := &dice{rand: rand.New(rand.NewPCG(seed, 3))}
	calm := &atomic.Bool{}
	w := &world{t: t, tools: newLedger(), models: clanModel(dice)}
	w.store = memory.New(memory.Config{Now: time.Now, Refuse: func(*run.Commit) error {
		if !calm.Load() && dice.IntN(20) == 0 {
			return problem.New(problem.StorageFull, "The disk is full.")
		}
		return nil
	}})
	log := &shaky{Store: w.store}
	stormy(log, dice, calm)
	w.tools.behave = func(ctx context.Context, call run.ToolCall) (string, error) {
		if !sleep(ctx, time.Duration(dice.IntN(1000))*time.Millisecond) {
			return "", errors.New("cut")
		}
		return "done", nil
	}
	var server atomic.Pointer[engine.Engine]
	open := func() {
		w.engine = engine.New(engine.Config{
			Log: log, Models: w.models, Tools: w.tools, Now: time.Now, MaxActive: 3,
			Retry: func(_ error, failures int) (bool, time.Duration) { return failures < 3, time.Second },
		})
		server.Store(w.engine)
		w.engine.Start(t.Context())
	}
	open()
	jobs := local.New(local.Config{Store: w.store, Now: time.Now, Handlers: map[string]func(context.Context, run.Job) error{
		engine.DeadlineJob: func(ctx context.Context, job run.Job) error { return server.Load().Deadline(ctx, job) },
	}})
	jobs.Start()
	for range 2 {
		w.engine.Create(t.Context(), engine.NewRun{Spec: clan(dice)})
	}
	for range 60 {
		time.Sleep(time.Duration(dice.IntN(400)) * time.Millisecond)
		ids := w.everybody()
		if len(ids) == 0 {
			continue
		}
		id := ids[dice.IntN(len(ids))].ID
		switch dice.IntN(30) {
		case 0:
			w.close(0)
			time.Sleep(time.Second)
			open()
		case 1, 2:
			w.engine.Delete(t.Context(), "p", id, "")
		case 3, 4, 5:
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(dice.IntN(1000))*time.Millisecond)
			w.engine.Wait(ctx, "p", id)
			cancel()
		default:
			stormyCommand(w, dice, id)
		}
	}
	calm.Store(true)
	log.blind.Store(false)
	w.calmDown()
	if w.atPeace(); t.Failed() {
		t.Logf("seed %d", seed)
	}
	jobs.Close(t.Context())
	w.close(time.Minute)
	w.store.Close()
}

// everybody lists the runs that are not deleted.
func (w *world) everybody() []run.Summary {
	lines, err := w.store.Runs(w.t.Context(), run.RunQuery{Project: "p", Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return lines
}

// calmDown decides whatever waits for a person, until nothing does.
func (w *world) calmDown() {
	for range 60 {
		time.Sleep(10 * time.Second)
		open := 0
		for _, line := range w.everybody() {
			if line.Status.Terminal() {
				continue
			}
			open++
			w.engine.Resume(w.t.Context(), "p", line.ID, "")
			s, err := w.engine.Get(w.t.Context(), "p", line.ID)
			if err != nil {
				continue
			}
			for _, a := range s.Pending() {
				w.engine.Decide(w.t.Context(), "p", line.ID, engine.Decision{Actions: []string{a.ID}, Approve: a.Reason != run.UnknownReason})
			}
		}
		if open == 0 {
			return
		}
	}
}

// atPeace checks what holds after a storm.
func (w *world) atPeace() {
	named, reports := map[run.ID]int{}, map[run.ID]int{}
	lines := w.everybody()
	for _, line := range lines {
		if !line.Status.Terminal() {
			w.t.Errorf("%s stands still as %s: %s", line.ID, line.Status, w.log(line.ID))
		}
		seen, begun := map[uint64]bool{}, 0
		for _, e := range w.events(line.ID) {
			if e.Started != nil && e.Started.Action == "act_02" { // a once call, in every run that has one
				if begun++; begun > 1 {
					w.t.Errorf("send was begun twice: %s", w.log(line.ID))
				}
			}
			if seen[e.ID] {
				w.t.Errorf("%s is twice in the log of %s: %s", e.Type, line.ID, w.log(line.ID))
			}
			seen[e.ID] = true
			if e.Started != nil && e.Started.Child != nil {
				named[*e.Started.Child]++
			}
			if e.Child != nil {
				reports[e.Child.Run]++
			}
		}
	}
	for _, line := range lines {
		s, err := w.engine.Get(w.t.Context(), "p", line.ID)
		if err != nil {
			w.t.Fatal(err)
		}
		if s.Spec.Parent == nil {
			continue
		}
		if parent, err := w.engine.Get(w.t.Context(), "p", s.Spec.Parent.Run); err == nil {
			if named[s.ID] != 1 || reports[s.ID] != 1 {
				w.t.Errorf("%s is named %d times and reported %d times by its parent: %s", s.ID, named[s.ID], reports[s.ID], w.log(parent.ID))
			}
			told := false
			for _, e := range w.events(s.ID) {
				told = told || e.At.Before(parent.EndedAt.Add(time.Millisecond)) && (e.Cancel != nil || e.Ended != nil)
			}
			if !told {
				w.t.Errorf("%s was not told that its parent has ended: %s\nparent: %s", s.ID, w.log(s.ID), w.log(parent.ID))
			}
		}
	}
}

// A parent goes on when its child is deleted, also where the disk has said that
// the deletion failed although it was written.
func TestDeleteOfAChild(t *testing.T) {
	for _, lie := range []bool{false, true} {
		t.Run(fmt.Sprintf("lie %v", lie), func(t *testing.T) {
			onShaky(t, familyModel(), func(t *testing.T, w *world, log *shaky) {
				log.after = func(c *run.Commit, err error) error {
					if lie && err == nil && c.Runs[0].Summary.Deleted {
						return errors.New("I/O error at COMMIT")
					}
					return err
				}
				s := family()
				s.Handoffs[0].Spec.Gates = []string{"read"}
				id := w.create(s)
				time.Sleep(time.Minute)
				for _, child := range w.children(id) {
					if err := w.engine.Delete(t.Context(), "p", child.ID, ""); (err != nil) != lie {
						t.Errorf("deleting: %v", err)
					}
				}
				time.Sleep(time.Minute)
				w.rest(id, run.Completed)
			})
		})
	}
}
