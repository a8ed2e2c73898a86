package engine_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
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

// Seeds of a storm: a log whose reads fail for a while and whose commits are
// delayed, refused, or answered with a lie, under crashes, commands and expiring
// approvals. What holds in it is what is promised: every run ends, each fact is
// in the log once, and no once call is made twice unless a person said so.
func TestStorm(t *testing.T) {
	seeds := 300
	if testing.Short() {
		seeds = 30
	}
	for seed := range seeds {
		synctest.Test(t, func(t *testing.T) { storm(t, uint64(seed)) })
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// stormy shakes a log with the dice until calm is set.
func stormy(log *shaky, dice *dice, calm *atomic.Bool) {
	log.before = func(*run.Commit) {
		time.Sleep(time.Duration(dice.IntN(60)) * time.Millisecond)
	}
	log.after = func(_ *run.Commit, err error) error {
		time.Sleep(time.Duration(dice.IntN(60)) * time.Millisecond)
		if calm.Load() {
			return err
		}
		log.blind.Store(dice.IntN(8) == 0)
		if err == nil && dice.IntN(12) == 0 {
			return errors.New("I/O error at COMMIT")
		}
		return err
	}
}

func storm(t *testing.T, seed uint64) {
	dice := &dice{rand: rand.New(rand.NewPCG(seed, 2))}
	calm := &atomic.Bool{}
	w := &world{t: t, tools: newLedger(), models: talkative(dice)}
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
			return "", problem.New(problem.ToolUnknown, "cut")
		}
		return "done " + call.Action, nil
	}
	var server atomic.Pointer[engine.Engine] // whoever is not the test's own goroutine asks here
	open := func() {
		w.engine = engine.New(engine.Config{
			Log: log, Models: w.models, Tools: w.tools, Now: time.Now, MaxActive: 2, // of three runs, one waits
			Retry: func(error, int) (bool, time.Duration) { return true, time.Second },
		})
		server.Store(w.engine)
		w.engine.Start(t.Context())
	}
	open()
	jobs := local.New(local.Config{Store: w.store, Now: time.Now, Handlers: map[string]func(context.Context, run.Job) error{
		engine.DeadlineJob: func(ctx context.Context, job run.Job) error { return server.Load().Deadline(ctx, job) },
	}})
	jobs.Start()
	var ids []run.ID
	for len(ids) < 3 {
		s := spec("send")
		if dice.IntN(2) == 0 {
			s.GateTimeout = 3
		}
		if made, err := w.engine.Create(t.Context(), engine.NewRun{Spec: s}); err == nil {
			ids = append(ids, made.ID)
		}
	}
	var readers sync.WaitGroup
	for _, id := range ids {
		readers.Go(func() { w.follow(id, &server, dice, calm) })
	}
	for range 60 {
		time.Sleep(time.Duration(dice.IntN(500)) * time.Millisecond)
		stormyCommand(w, dice, ids[dice.IntN(len(ids))])
		if dice.IntN(20) == 0 {
			w.close(0)
			time.Sleep(time.Second) // what it has submitted is written, or not, by now
			open()
		}
	}
	calm.Store(true)
	log.blind.Store(false)
	time.Sleep(time.Minute)
	for _, id := range ids {
		w.settled(id)
	}
	readers.Wait()
	jobs.Close(t.Context())
	w.close(time.Minute)
	w.store.Close()
}

// talkative is gatedLife with something to say at each step, in pieces.
func talkative(dice *dice) *script.Model {
	say := func(text string, line script.Line) script.Line {
		line.Reply.Text = text
		return line
	}
	model := script.Steps(
		say("Zuerst schaue ich nach.", script.Call("read", `{}`).And("send", `{"n":1}`).And("charge", `{}`)),
		say("Dann zwei größere.", script.Call("send", `{"n":2}`).And("send", `{"n":3}`)),
		say("Noch einmal.", script.Call("read", `{}`)),
		script.Say("All done."), script.Say("All done."), script.Say("All done."), script.Say("All done."),
	)
	model.Pace = func(ctx context.Context, _ run.Request, _ run.Delta) error {
		sleep(ctx, time.Duration(dice.IntN(100))*time.Millisecond)
		return ctx.Err()
	}
	return model
}

// follow reads a run's stream to its end, over any number of connections: each
// event comes once and in order, and the text of each step is the reply's.
func (w *world) follow(id run.ID, server *atomic.Pointer[engine.Engine], dice *dice, calm *atomic.Bool) {
	at, seq, said := engine.Cursor{}, int64(0), map[int]string{}
	for deadline := time.Now().Add(time.Hour); time.Now().Before(deadline); {
		ctx, cancel := context.WithTimeout(w.t.Context(), time.Duration(1+dice.IntN(3000))*time.Millisecond)
		for u, err := range server.Load().Watch(ctx, "p", id, at) {
			switch {
			case err != nil && calm.Load():
				w.t.Error(err)
			case err != nil || u.Rest:
				continue
			case u.Reset:
				said[u.Cursor.Step] = ""
			case u.Delta != nil && u.Delta.Kind == run.TextDelta:
				said[u.Cursor.Step] += u.Delta.Text
			case u.Event != nil:
				if seq++; u.Event.Seq != seq {
					w.t.Errorf("event %d came where %d was due: %s", u.Event.Seq, seq, w.log(id))
				}
				if r := u.Event.Responded; r != nil && said[r.Step] != "" && said[r.Step] != r.Reply.Text {
					w.t.Errorf("step %d reads %q, its reply is %q", r.Step, said[r.Step], r.Reply.Text)
				}
			}
			if at = u.Cursor; u.Event != nil && u.Event.Type == run.RunFinished {
				cancel()
				return
			}
		}
		cancel()
		time.Sleep(time.Duration(dice.IntN(1000)) * time.Millisecond)
	}
	w.t.Errorf("the stream does not end: %s", w.log(id))
}

func stormyCommand(w *world, dice *dice, id run.ID) {
	ctx, e := w.t.Context(), w.engine
	switch dice.IntN(40) {
	case 0, 1, 2:
		e.Message(ctx, "p", id, run.Added{Text: "Hurry."})
	case 3, 4:
		e.Pause(ctx, "p", id, "")
	case 5, 6, 7, 8:
		e.Resume(ctx, "p", id, "")
	case 9:
		e.Cancel(ctx, "p", id, run.Cancel{})
	default:
		s, err := e.Get(ctx, "p", id)
		if err != nil {
			return
		}
		for _, a := range s.Pending() {
			if dice.IntN(2) == 0 {
				e.Decide(ctx, "p", id, engine.Decision{Actions: []string{a.ID}, Approve: a.Reason != run.UnknownReason})
			}
		}
	}
}

// settled decides what is left to decide, and checks the run from end to end.
func (w *world) settled(id run.ID) {
	w.t.Helper()
	for tries := 0; ; tries++ {
		s, err := w.engine.Get(w.t.Context(), "p", id)
		if err != nil {
			w.t.Fatal(err)
		}
		if s.Ended != nil {
			break
		}
		if tries > 50 {
			w.t.Errorf("it stands still: %s, %+v\n%s", s.Status, s.Pending(), w.log(id))
			return
		}
		w.engine.Resume(w.t.Context(), "p", id, "")
		for _, a := range s.Pending() {
			w.engine.Decide(w.t.Context(), "p", id, engine.Decision{Actions: []string{a.ID}, Approve: a.Reason != run.UnknownReason})
		}
		time.Sleep(10 * time.Second)
	}
	facts, begun := map[uint64]bool{}, map[string]int{}
	for _, e := range w.events(id) {
		if facts[e.ID] {
			w.t.Errorf("%s is in the log twice: %s", e.Type, w.log(id))
		}
		facts[e.ID] = true
		if e.Started != nil {
			begun[e.Started.Action]++
		}
	}
	for _, action := range []string{"act_02", "act_04", "act_05"} {
		if begun[action] > 1 {
			w.t.Errorf("send %s was begun %d times: %s", action, begun[action], w.log(id))
		}
	}
}
