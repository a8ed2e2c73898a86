package engine_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// Whoever keeps things for a run hears of its end once it is on disk, and not of
// its halts; whoever has written the end.
func TestEndedIsToldOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var ended []run.ID
		store := memory.New(memory.Config{Now: time.Now})
		e := engine.New(engine.Config{
			Log: store, Models: script.Steps(script.Call("send", `{}`), script.Say("done"), script.Call("send", `{}`)), Tools: newLedger(), Now: time.Now,
			Ended: func(id run.ID) {
				if line, err := store.Summary(t.Context(), id); err != nil || !line.Status.Terminal() {
					t.Errorf("told of an end that is not on disk: %v %v", line.Status, err)
				}
				mu.Lock()
				defer mu.Unlock()
				ended = append(ended, id)
			},
		})
		w := &world{t: t, store: store, engine: e}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		told := func(want ...run.ID) {
			t.Helper()
			synctest.Wait()
			mu.Lock()
			defer mu.Unlock()
			if !slices.Equal(ended, want) {
				t.Errorf("told of the ends of %v, want %v", ended, want)
			}
		}
		first := w.create(spec("send"))
		w.rest(first, run.AwaitingApproval)
		told()
		if _, err := e.Decide(t.Context(), "p", first, engine.Decision{Actions: []string{"act_01"}, Approve: true}); err != nil {
			t.Fatal(err)
		}
		w.rest(first, run.Completed)
		told(first)
		second := w.create(spec("send"))
		w.rest(second, run.AwaitingApproval)
		if _, err := e.Cancel(t.Context(), "p", second, run.Cancel{}); err != nil {
			t.Fatal(err)
		}
		w.rest(second, run.CancelledStatus)
		told(first, second)
		w.close(time.Second)
		store.Close()
	})
}

// What others are to be told goes into the commit of the events, whoever writes
// them: a driver, or a command.
func TestOutboxIsOneCommitWithItsEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		told := map[run.Type]int{}
		store := memory.New(memory.Config{Now: time.Now, Refuse: func(c *run.Commit) error {
			mu.Lock()
			defer mu.Unlock()
			for _, a := range c.Runs {
				for _, e := range a.Events {
					if slices.ContainsFunc(c.Jobs, func(j run.Job) bool { return j.Kind == "tell" && string(j.Data) == string(e.Type) }) {
						told[e.Type]++
					}
				}
			}
			return nil
		}})
		e := engine.New(engine.Config{
			Log: store, Models: script.Steps(script.Call("send", `{}`), script.Say("done")), Tools: newLedger(), Now: time.Now,
			Outbox: func(s *run.State, events []run.Event) []run.Job {
				last := events[len(events)-1]
				if s.Seq != last.Seq {
					t.Errorf("the outbox sees the run at %d after an event %d", s.Seq, last.Seq)
				}
				return []run.Job{{Kind: "tell", Run: s.ID, Due: last.At, Data: []byte(last.Type)}}
			},
		})
		w := &world{t: t, store: store, engine: e}
		if err := e.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		id := w.create(spec("send"))
		w.rest(id, run.AwaitingApproval)
		if _, err := e.Cancel(t.Context(), "p", id, run.Cancel{}); err != nil {
			t.Fatal(err)
		}
		w.rest(id, run.CancelledStatus)
		w.close(time.Second)
		store.Close()
		mu.Lock()
		defer mu.Unlock()
		if told[run.ModelResponded] != 1 || told[run.RunFinished] != 1 {
			t.Errorf("told of %v, want the halt and the end", told)
		}
	})
}
