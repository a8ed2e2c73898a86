package engine_test

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// shaky is a log with a hand on each of its wires: reads that fail for a while,
// and commits that are held back, or answered with a lie.
type shaky struct {
	*memory.Store
	blind  atomic.Bool                    // reads of logs fail
	away   atomic.Bool                    // they are not answered, which is said
	before func(*run.Commit)              // a commit waits this long before it is written
	after  func(*run.Commit, error) error // … and this long before it is answered, with this
}

func (s *shaky) Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error) {
	if s.blind.Load() {
		return nil, errors.New("too many open files")
	}
	if s.away.Load() {
		return nil, problem.New(problem.Overloaded, "The store does not answer.")
	}
	return s.Store.Load(ctx, id, after, limit)
}

func (s *shaky) Submit(c run.Commit, done func(error)) {
	go func() {
		if s.before != nil {
			s.before(&c)
		}
		s.Store.Submit(c, func(err error) {
			go func() {
				if s.after != nil {
					err = s.after(&c, err)
				}
				done(err)
			}()
		})
	}()
}

// onShaky runs a test in virtual time over a log that the test can shake.
func onShaky(t *testing.T, models engine.Models, test func(t *testing.T, w *world, log *shaky)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memory.New(memory.Config{Now: time.Now}), tools: newLedger(), models: models}
		log := &shaky{Store: w.store}
		w.engine = w.another(log)
		defer func() {
			w.close(10 * time.Second)
			w.store.Close()
		}()
		test(t, w, log)
	})
}

// has reports whether the commit brings an event of the type.
func has(c *run.Commit, kind run.Type) bool {
	for i := range c.Runs {
		for j := range c.Runs[i].Events {
			if c.Runs[i].Events[j].Type == kind {
				return true
			}
		}
	}
	return false
}

// The result of a once call that comes while the log can't be read is kept: the
// call is not made again when the log can be read.
func TestResultWhileLogIsUnreadable(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
	onShaky(t, model, func(t *testing.T, w *world, log *shaky) {
		w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
			time.Sleep(time.Second)
			return "sent", nil
		}
		id := w.create(spec())
		time.Sleep(950 * time.Millisecond)
		log.blind.Store(true)
		w.engine.Deadline(t.Context(), run.Job{Run: id}) // someone pokes, for nothing
		time.Sleep(80 * time.Millisecond)
		log.blind.Store(false)
		w.rest(id, run.Completed)
		if got, want := w.tools.made(), "send act_01"; got != want {
			t.Errorf("calls: %s, want %s\n%s", got, want, w.log(id))
		}
	})
}

// A read that fails when a driver takes a run over costs time and not the run.
func TestTakeoverWhileLogIsUnreadable(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
	onShaky(t, model, func(t *testing.T, w *world, log *shaky) {
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		log.after = func(c *run.Commit, err error) error {
			log.blind.Store(has(c, run.ApprovalDecided))
			return err
		}
		w.approve(id, "act_01")
		time.Sleep(time.Second)
		log.blind.Store(false)
		time.Sleep(time.Minute)
		w.rest(id, run.Completed)
	})
}

// A driver whose claim is on disk, although the store has said otherwise, drives.
func TestLyingClaim(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
	onShaky(t, model, func(t *testing.T, w *world, log *shaky) {
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		log.after = func(c *run.Commit, err error) error {
			if has(c, run.RunDriven) && err == nil {
				return errors.New("I/O error at COMMIT")
			}
			return err
		}
		w.approve(id, "act_01")
		time.Sleep(time.Minute)
		w.rest(id, run.Completed)
	})
}

// A fact that is on disk, although the store has said otherwise, is not stored
// twice, and is not paid for twice.
func TestLyingFact(t *testing.T) {
	line := script.Say("ok")
	line.Reply.Usage = run.Usage{Input: 6, Output: 4}
	onShaky(t, script.Steps(line), func(t *testing.T, w *world, log *shaky) {
		lied := false
		log.after = func(c *run.Commit, err error) error {
			if has(c, run.ModelResponded) && !lied {
				lied = true
				return errors.New("I/O error at COMMIT")
			}
			return err
		}
		id := w.create(spec())
		s := w.rest(id, run.Completed)
		if got := strings.Count(w.log(id), "model.responded"); got != 1 || s.Usage.Input != 6 {
			t.Errorf("usage %+v, log %s", s.Usage, w.log(id))
		}
	})
}

// A cancel that meets an intent which is on disk, although the store has said
// otherwise, ends the run: the call was never made.
func TestCancelMeetsLyingIntent(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
	onShaky(t, model, func(t *testing.T, w *world, log *shaky) {
		log.after = func(c *run.Commit, err error) error {
			if has(c, run.ToolStarted) && err == nil {
				time.Sleep(time.Second)
				return errors.New("I/O error at COMMIT")
			}
			return err
		}
		id := w.create(spec())
		time.Sleep(500 * time.Millisecond)
		w.engine.Cancel(t.Context(), "p", id, run.Cancel{})
		time.Sleep(time.Minute)
		w.rest(id, run.CancelledStatus)
		if got := w.tools.made(); got != "" {
			t.Errorf("calls: %s", got)
		}
	})
}

// A queued run whose first event is refused does not exist, now or later.
func TestRefusedQueuedRun(t *testing.T) {
	release := make(chan struct{})
	model := script.Func(func(ctx context.Context, _ run.Request) (script.Line, error) {
		select {
		case <-release:
		case <-ctx.Done():
		}
		return script.Say("ok"), ctx.Err()
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		release = make(chan struct{})
		for range 20 {
			w.create(spec())
		}
		id := w.engine.NewID()
		row := run.RowWrite{Row: run.Row{Kind: "answer", Project: "p", ID: "key"}, Expect: 7}
		_, err := w.engine.Create(t.Context(), engine.NewRun{ID: id, Spec: spec(), Rows: []run.RowWrite{row}})
		var conflict *run.RowConflict
		if !errors.As(err, &conflict) {
			t.Fatalf("created: %v", err)
		}
		close(release)
		time.Sleep(time.Minute)
		if line, err := w.store.Summary(t.Context(), id); !problem.Is(err, problem.NotFound) {
			t.Errorf("there is a run that nobody made: %+v, %s", line, w.log(id))
		}
	})
}

// A stream goes on when the store does, which did not answer for a while: it has its
// place, and who reads has had no error.
func TestStreamWhileStoreIsAway(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
	onShaky(t, model, func(t *testing.T, w *world, log *shaky) {
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		log.away.Store(true)
		seen := make(chan string, 1)
		go func() { seen <- line(w.watch(t.Context(), id, engine.Cursor{}, true)) }()
		time.Sleep(time.Minute)
		log.away.Store(false)
		if got, want := <-seen, "run.created model.responded rest"; got != want {
			t.Errorf("seen: %s, want %s", got, want)
		}
	})
}
