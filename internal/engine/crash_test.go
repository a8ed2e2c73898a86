package engine_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// gatedLife is a run with each class of call, open and gated, over four steps.
func gatedLife() *script.Model {
	return script.Steps(
		script.Call("read", `{}`).And("send", `{"n":1}`).And("charge", `{}`),
		script.Call("send", `{"n":2}`).And("send", `{"n":3}`),
		script.Call("read", `{}`),
		script.Say("All done."),
	)
}

// people decides whatever waits for a person: gates are approved, calls with an
// unknown outcome are taken for done.
func (w *world) people(id run.ID) run.State {
	w.t.Helper()
	for range 20 {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
		s, err := w.engine.Wait(ctx, "p", id)
		cancel()
		if err != nil {
			w.t.Fatal(err)
		}
		if s.Ended != nil {
			return s
		}
		for _, a := range s.Pending() {
			d := engine.Decision{Actions: []string{a.ID}, Approve: a.Reason != run.UnknownReason}
			if _, err := w.engine.Decide(w.t.Context(), "p", id, d); err != nil {
				w.t.Fatal(err)
			}
		}
	}
	w.t.Fatalf("the run does not end: %s", w.log(id))
	return run.State{}
}

// patient approves what waits, as often as the disk needs to be asked.
func (w *world) patient(id run.ID) run.State {
	w.t.Helper()
	for range 100 {
		ctx, cancel := context.WithTimeout(w.t.Context(), 10*time.Second)
		s, _ := w.engine.Wait(ctx, "p", id)
		cancel()
		if s.Ended != nil {
			return s
		}
		for _, a := range s.Pending() {
			w.engine.Decide(w.t.Context(), "p", id, engine.Decision{Actions: []string{a.ID}, Approve: true})
		}
	}
	w.t.Fatalf("the run does not end: %s", w.log(id))
	return run.State{}
}

// A log that is cut after any single event, as a crash leaves it, is recovered to
// the same end, and no once call that had begun is made again.
func TestCutAfterEachEvent(t *testing.T) {
	var whole []run.Event
	inWorld(t, gatedLife(), func(t *testing.T, w *world) {
		id := w.create(spec("send"))
		w.people(id)
		whole = w.events(id)
	})
	for cut := 1; cut <= len(whole); cut++ {
		t.Run(fmt.Sprintf("after %d %s", cut, whole[cut-1].Type), func(t *testing.T) {
			recoverFrom(t, whole[:cut])
		})
	}
}

func recoverFrom(t *testing.T, prefix []run.Event) {
	inWorld(t, gatedLife(), func(t *testing.T, w *world) {
		id := run.NewID(time.Now(), 0, 1)
		state := run.Fold(id, prefix)
		if err := w.store.Append(t.Context(), run.Commit{Runs: []run.Append{{
			ID: id, Epoch: state.Epoch, Events: prefix, Summary: state.Summarize()}}}); err != nil {
			t.Fatal(err)
		}
		var begun, ended []string
		for _, e := range prefix {
			if e.Started != nil {
				begun = append(begun, e.Started.Action)
			}
			if e.Finished != nil {
				ended = append(ended, e.Finished.Action)
			}
		}
		if err := w.engine.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		s := w.people(id)
		if s.Ended.Status != run.Completed || s.Ended.Result.Summary != "All done." {
			t.Errorf("it ended with %+v", s.Ended)
		}
		for _, turn := range s.Turns {
			for _, a := range turn.Actions {
				want := 1
				switch {
				case slices.Contains(ended, a.ID), slices.Contains(begun, a.ID) && a.Tool.Class == run.Once:
					want = 0
				}
				if made := strings.Count(w.tools.made(), a.ID); made != want {
					t.Errorf("%s was called %d times after the crash, want %d", a.ID, made, want)
				}
			}
		}
	})
}

// A disk that fails at any commit, once or for a while, loses nothing and repeats
// nothing; while it fails no new effect with consequences starts.
func TestFailingDisk(t *testing.T) {
	full := problem.New(problem.StorageFull, "The disk is full.")
	for nth := 2; nth <= 24; nth++ {
		for _, times := range []int{1, 5} {
			t.Run(fmt.Sprintf("%d times from commit %d", times, nth), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					commits := 0
					w := &world{t: t, tools: newLedger(), models: gatedLife()}
					w.store = memory.New(memory.Config{Now: time.Now, Refuse: func(*run.Commit) error {
						if commits++; commits >= nth && commits < nth+times {
							return full
						}
						return nil
					}})
					w.open()
					id := w.create(spec("send"))
					s := w.patient(id)
					if got, want := w.tools.made(), "charge act_03, read act_01, read act_06, send act_02, send act_04, send act_05"; got != want {
						t.Errorf("calls: %s, want %s", got, want)
					}
					if s.Ended.Result.Summary != "All done." {
						t.Errorf("it ended with %+v", s.Ended)
					}
					w.close(time.Second)
					w.store.Close()
				})
			})
		}
	}
}

// An intent is on disk before a call that could do harm, however slow the disk is;
// a safe call does not wait for it.
func TestIntentFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		model := script.Steps(script.Call("send", `{}`).And("charge", `{}`).And("read", `{}`), script.Say("ok"))
		w := &world{t: t, tools: newLedger(), models: model}
		w.store = memory.New(memory.Config{Now: time.Now, Refuse: func(*run.Commit) error {
			time.Sleep(time.Second)
			return nil
		}})
		w.tools.behave = func(_ context.Context, call run.ToolCall) (string, error) {
			written := false
			for _, e := range w.events(call.Run) {
				written = written || e.Started != nil && e.Started.Action == call.Action
			}
			if want := call.Tool.Class != run.Safe; written != want {
				t.Errorf("when %s is called, its intent is on disk: %v, want %v", call.Tool.Name, written, want)
			}
			return "ok", nil
		}
		w.open()
		w.rest(w.create(spec()), run.Completed)
		w.close(time.Second)
		w.store.Close()
	})
}

// liar is a log that stores its nth commit and says that it has not.
type liar struct {
	*memory.Store
	nth, count int
}

func (l *liar) Submit(c run.Commit, done func(error)) {
	if l.count++; l.count == l.nth {
		l.Store.Submit(c, func(error) { done(errors.New("I/O error at COMMIT")) })
		return
	}
	l.Store.Submit(c, done)
}

// A commit that was written although it is said to have failed costs no call and
// repeats none.
func TestLyingCommit(t *testing.T) {
	for nth := 2; nth <= 12; nth++ {
		t.Run(fmt.Sprintf("commit %d", nth), func(t *testing.T) {
			inWorld(t, gatedLife(), func(t *testing.T, w *world) {
				w.close(0)
				w.engine = w.another(&liar{Store: w.store, nth: nth})
				w.rest(w.create(spec()), run.Completed)
				if got, want := w.tools.made(), "charge act_03, read act_01, read act_06, send act_02, send act_04, send act_05"; got != want {
					t.Errorf("calls: %s, want %s", got, want)
				}
			})
		})
	}
}

// Of two engines on one log, the one that takes over goes on and the other one
// stops; a once call that was under way at the first is not made by the second.
func TestTwoEngines(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`).And("read", `{}`), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
			sleep(ctx, 10*time.Second)
			return "done", nil
		}
		id := w.create(spec())
		time.Sleep(time.Second)
		first := w.engine
		w.open()
		s := w.rest(id, run.AwaitingApproval)
		if s.Epoch != 2 || s.Pending()[0].Reason != run.UnknownReason {
			t.Errorf("epoch %d, pending %+v", s.Epoch, s.Pending())
		}
		time.Sleep(time.Minute) // the first engine's calls have come back, to nobody
		w.people(id)
		if got, want := w.tools.made(), "read act_02, read act_02, send act_01"; got != want {
			t.Errorf("calls: %s, want %s", got, want)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		first.Close(ctx)
	})
}

// A driver that waits to store its claim hears of a second approval meanwhile,
// and does not take that for a rest.
func TestApprovalDuringBackOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, tools: newLedger(), models: script.Steps(script.Call("send", `{}`).And("send", `{}`), script.Say("ok"))}
		refused := false
		w.store = memory.New(memory.Config{Now: time.Now, Refuse: func(c *run.Commit) error {
			if refused || len(c.Runs) == 0 || c.Runs[0].Events[0].Type != run.RunDriven {
				return nil
			}
			refused = true
			return errors.New("the disk coughs")
		}})
		w.open()
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		w.approve(id, "act_01")
		time.Sleep(10 * time.Millisecond)
		w.approve(id, "act_02")
		time.Sleep(time.Second)
		w.rest(id, run.Completed)
		w.close(time.Second)
		w.store.Close()
	})
}

// A run whose first event can't be stored does not exist.
func TestFullDiskAtCreation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, tools: newLedger(), models: script.Steps(script.Say("ok"))}
		w.store = memory.New(memory.Config{Refuse: func(*run.Commit) error { return problem.New(problem.StorageFull, "full") }})
		w.open()
		id := w.engine.NewID()
		if _, err := w.engine.Create(t.Context(), engine.NewRun{ID: id, Spec: spec()}); !problem.Is(err, problem.StorageFull) {
			t.Errorf("created: %v", err)
		}
		if _, err := w.engine.Get(t.Context(), "p", id); !problem.Is(err, problem.NotFound) {
			t.Errorf("it is there: %v", err)
		}
		w.close(time.Second)
		w.store.Close()
	})
}

// A shutdown lets calls finish; what did not is done at the next start, but for
// the once call, whose outcome is asked about.
func TestDrain(t *testing.T) {
	for _, test := range []struct {
		class string
		takes time.Duration
		calls int
		want  run.Status
	}{
		{"send", 5 * time.Second, 1, run.Completed},
		{"send", time.Hour, 1, run.AwaitingApproval},
		{"charge", time.Hour, 2, run.Completed},
		{"read", time.Hour, 2, run.Completed},
	} {
		t.Run(test.class+" "+test.takes.String(), func(t *testing.T) {
			model := script.Steps(script.Call(test.class, `{}`), script.Say("ok"))
			inWorld(t, model, func(t *testing.T, w *world) {
				first := true
				w.tools.behave = func(ctx context.Context, _ run.ToolCall) (string, error) {
					if !first {
						return "done", nil
					}
					first = false
					if !sleep(ctx, test.takes) {
						return "", problem.New(problem.ToolUnknown, "cut").Because(ctx.Err())
					}
					return "done", nil
				}
				id := w.create(spec())
				time.Sleep(time.Second)
				w.close(10 * time.Second)
				if _, err := w.engine.Create(t.Context(), engine.NewRun{Spec: spec()}); !problem.Is(err, problem.Overloaded) {
					t.Errorf("a closed engine takes runs: %v", err)
				}
				w.open()
				w.rest(id, test.want)
				if got := strings.Count(w.tools.made(), test.class); got != test.calls {
					t.Errorf("%d calls, want %d", got, test.calls)
				}
			})
		})
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// Seeds of chaos: crashes without warning, full disks and conflicting appends at
// random moments. Every run ends, and no once call is made twice unless a person
// said so.
func TestChaos(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { chaos(t, uint64(seed)) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// dice are thrown by the test, the store and the tools alike.
type dice struct {
	mu   sync.Mutex
	rand *rand.Rand
}

func (d *dice) IntN(n int) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.rand.IntN(n)
}

func chaos(t *testing.T, seed uint64) {
	dice := &dice{rand: rand.New(rand.NewPCG(seed, 1))}
	w := &world{t: t, tools: newLedger(), models: gatedLife()}
	w.store = memory.New(memory.Config{Now: time.Now, Refuse: func(*run.Commit) error {
		time.Sleep(time.Duration(dice.IntN(200)) * time.Millisecond) // a slow disk
		if dice.IntN(12) == 0 {
			return errors.New("the disk coughs")
		}
		return nil
	}})
	w.tools.behave = func(ctx context.Context, call run.ToolCall) (string, error) {
		if !sleep(ctx, time.Duration(dice.IntN(3000))*time.Millisecond) {
			return "", problem.New(problem.ToolUnknown, "cut")
		}
		return "done " + call.Action, nil
	}
	w.open()
	var id run.ID
	for id.IsZero() {
		if s, err := w.engine.Create(t.Context(), engine.NewRun{Spec: spec("send")}); err == nil {
			id = s.ID
		}
	}
	for range 40 {
		time.Sleep(time.Duration(dice.IntN(1500)) * time.Millisecond)
		switch dice.IntN(6) {
		case 0: // a crash: the drivers are gone at once, whatever they were doing
			w.close(0)
			time.Sleep(time.Second) // what it has submitted is written, or not, by now
			w.open()
		case 1:
			w.engine.Message(t.Context(), "p", id, run.Added{Text: "Hurry."})
		case 2:
			w.engine.Pause(t.Context(), "p", id, "")
		case 3:
			w.engine.Resume(t.Context(), "p", id, "")
		}
		s, err := w.engine.Get(t.Context(), "p", id)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range s.Pending() {
			w.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{a.ID}, Approve: a.Reason != run.UnknownReason})
		}
	}
	for s, _ := w.engine.Get(t.Context(), "p", id); s.Ended == nil; s, _ = w.engine.Get(t.Context(), "p", id) {
		w.engine.Resume(t.Context(), "p", id, "")
		for _, a := range s.Pending() {
			w.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{a.ID}, Approve: a.Reason != run.UnknownReason})
		}
		time.Sleep(time.Second)
		if s.UpdatedAt.Before(time.Now().Add(-time.Minute)) {
			t.Fatalf("it stands still: %s\n%s", s.Status, w.log(id))
		}
	}
	for _, action := range []string{"send act_02", "send act_04", "send act_05"} {
		if made := strings.Count(w.tools.made(), action); made > 1 {
			t.Errorf("%s was made %d times", action, made)
		}
	}
	w.close(time.Minute)
	w.store.Close()
}
