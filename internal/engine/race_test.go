package engine_test

import (
	"context"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// A reader who has seen the end has seen everything, also where a reply that came
// too late is booked behind it.
func TestWatchBehindTheEnd(t *testing.T) {
	onShaky(t, script.Steps(script.Say("late")), func(t *testing.T, w *world, log *shaky) {
		log.before = func(c *run.Commit) {
			if has(c, run.ModelResponded) {
				time.Sleep(time.Second) // the cancel comes first
			}
		}
		id := w.create(spec())
		time.Sleep(500 * time.Millisecond)
		if _, err := w.engine.Cancel(t.Context(), "p", id, run.Cancel{}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got, want := w.log(id), "run.created cancel.requested run.finished model.responded"; got != want {
			t.Fatalf("the log is %s, want %s", got, want)
		}
		for from := range int64(5) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			began := time.Now()
			updates := w.watch(ctx, id, engine.Cursor{Seq: from}, false)
			cancel()
			if time.Since(began) > 0 {
				t.Errorf("after %d the stream stays open: %s", from, line(updates))
			}
		}
	})
}

// A reply is shown once, also to a reader who finds its end in the store before
// its driver has heard that it is stored.
func TestWatchBeforeItsDriver(t *testing.T) {
	line1 := script.Call("send", `{}`)
	line1.Reply.Text = "one two three"
	model := slowly(line1, script.Say("four"))
	onShaky(t, model, func(t *testing.T, w *world, log *shaky) {
		log.after = func(c *run.Commit, err error) error {
			if has(c, run.ModelResponded) {
				time.Sleep(500 * time.Millisecond)
			}
			return err
		}
		id := w.create(spec("send"))
		time.AfterFunc(5200*time.Millisecond, func() { w.engine.Message(t.Context(), "p", id, run.Added{Text: "Hurry."}) })
		updates := w.watch(t.Context(), id, engine.Cursor{}, true)
		if got, want := text(updates, 1), "one two three{}"; got != want {
			t.Errorf("the text is %q, want %q: %s", got, want, line(updates))
		}
	})
}

// The name of a call is told once, whenever its arguments come.
func TestWatchNamesOnce(t *testing.T) {
	reply := run.Reply{Text: "I'll look.", Calls: []run.Call{{ID: "c1", Name: "read", Arguments: `{"q":1}`}}}
	model := script.Steps(script.Line{Reply: reply, Deltas: []run.Delta{
		{Kind: run.TextDelta, Text: "I'll look."},
		{Kind: run.CallDelta, Name: "read"},
		{Kind: run.CallDelta, Text: `{"q":`}, {Kind: run.CallDelta, Text: `1}`},
	}}, script.Say("ok"))
	for name, pace := range map[string]time.Duration{"slowly": time.Second, "in pairs": 0} {
		t.Run(name, func(t *testing.T) {
			model.Pace = func(ctx context.Context, _ run.Request, d run.Delta) error {
				if pace > 0 || d.Text == `{"q":` {
					sleep(ctx, time.Second)
				}
				return ctx.Err()
			}
			inWorld(t, model, func(t *testing.T, w *world) {
				id := w.create(spec())
				named := 0
				updates := w.watch(t.Context(), id, engine.Cursor{}, false)
				for _, u := range updates {
					if u.Delta != nil && u.Delta.Name != "" {
						named++
					}
				}
				if named != 1 {
					t.Errorf("the call was named %d times: %s", named, line(updates))
				}
			})
		})
	}
}

// skewed is a clock that a test can set.
type skewed struct{ by atomic.Int64 }

// A clock that is set back by an hour holds up nothing for an hour: neither a
// cancel, nor another try of the model, nor one of the disk.
func TestClockSetBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		clock := &skewed{}
		model := script.Steps(script.Call("send", `{}`), script.Say("ok"))
		w := &world{t: t, store: memory.New(memory.Config{Now: time.Now}), tools: newLedger(), models: model}
		w.tools.behave = func(context.Context, run.ToolCall) (string, error) {
			time.Sleep(time.Minute) // deaf
			return "done", nil
		}
		w.engine = engine.New(engine.Config{Log: w.store, Models: model, Tools: w.tools,
			Now: func() time.Time { return time.Now().Add(time.Duration(clock.by.Load())) }})
		id := w.create(spec())
		time.Sleep(time.Second)
		time.AfterFunc(100*time.Millisecond, func() { clock.by.Store(int64(-time.Hour)) })
		if s, err := w.engine.Cancel(t.Context(), "p", id, run.Cancel{}); err != nil || s.Status != run.CancelledStatus {
			t.Errorf("after 2 s the run is %s, %v", s.Status, err)
		}
		w.close(10 * time.Second)
		w.store.Close()
		time.Sleep(time.Minute)
	})
}

// A tool that does not listen holds a shutdown up no longer than it may take.
func TestDrainDeaf(t *testing.T) {
	inWorld(t, script.Steps(script.Call("send", `{}`)), func(t *testing.T, w *world) {
		w.tools.behave = func(context.Context, run.ToolCall) (string, error) {
			time.Sleep(time.Hour)
			return "done", nil
		}
		w.create(spec())
		time.Sleep(time.Second)
		began := time.Now()
		w.close(10 * time.Second)
		if took := time.Since(began); took > 15*time.Second {
			t.Errorf("closing took %v", took)
		}
	})
}
