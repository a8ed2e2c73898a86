package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// watch reads a stream until it ends, or rests if told to stop there.
func (w *world) watch(ctx context.Context, id run.ID, from engine.Cursor, untilRest bool) []engine.Update {
	w.t.Helper()
	var updates []engine.Update
	for u, err := range w.engine.Watch(ctx, "p", id, from) {
		if err != nil {
			w.t.Error(err)
			break
		}
		updates = append(updates, u)
		if u.Rest && untilRest {
			break
		}
	}
	return updates
}

// line writes a stream as one line: events by type, deltas by text, resets as !.
func line(updates []engine.Update) string {
	var out []string
	for _, u := range updates {
		switch {
		case u.Event != nil:
			out = append(out, string(u.Event.Type))
		case u.Delta != nil && u.Delta.Kind == run.CallDelta:
			out = append(out, fmt.Sprintf("%s(%s)", u.Delta.Name, u.Delta.Text))
		case u.Delta != nil:
			out = append(out, fmt.Sprintf("%q", u.Delta.Text))
		case u.Reset:
			out = append(out, "!")
		case u.Rest:
			out = append(out, "rest")
		}
	}
	return strings.Join(out, " ")
}

// slowly is a model that says one word a second.
func slowly(lines ...script.Line) *script.Model {
	m := script.Steps(lines...)
	m.Pace = func(ctx context.Context, _ run.Request, _ run.Delta) error {
		sleep(ctx, time.Second)
		return ctx.Err()
	}
	return m
}

func TestWatchLive(t *testing.T) {
	model := slowly(script.Call("send", `{"a":1}`), script.Say("All done."))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec("send"))
		got := line(w.watch(t.Context(), id, engine.Cursor{}, true))
		if want := `run.created send() ({"a":1}) model.responded rest`; compact(got) != compact(want) {
			t.Errorf("until rest: %s, want %s", got, want)
		}
		seen := make(chan string)
		go func() { seen <- line(w.watch(t.Context(), id, engine.Cursor{}, false)) }()
		time.Sleep(time.Second)
		w.approve(id, "act_01")
		want := `run.created model.responded rest approval.decided run.driven tool.started tool.finished "All " "done." model.responded run.finished`
		if got := <-seen; compact(got) != compact(want) {
			t.Errorf("the whole: %s, want %s", got, want)
		}
		for after, want := range map[int64]string{6: "model.responded run.finished", 8: ""} {
			if got := line(w.watch(t.Context(), id, engine.Cursor{Seq: after}, false)); got != want {
				t.Errorf("the log after %d: %s, want %s", after, got, want)
			}
		}
	})
}

func compact(text string) string {
	return strings.NewReplacer(" ", "", `""`, "", "()", "", ")(", "").Replace(text)
}

// text is what a reader has of a step's reply who obeys deltas and resets.
func text(updates []engine.Update, step int) string {
	said := ""
	for _, u := range updates {
		switch {
		case u.Reset && u.Cursor.Step == step:
			said = ""
		case u.Delta != nil && u.Cursor.Step == step:
			said += u.Delta.Text
		}
	}
	return said
}

// Readers who come and go at any moment have each event once and the text byte
// for byte, over a retried model call and a change of drivers.
func TestWatchResume(t *testing.T) {
	words := "Ein Überblick: 30 % — schön, größer, 日本語, fertig."
	line := script.Line{Reply: run.Reply{Reasoning: "Denke nach, überlege.", Text: words}}
	for seed := range 60 {
		model := slowly(line)
		inWorld(t, model, func(t *testing.T, w *world) {
			dice := rand.New(rand.NewPCG(uint64(seed), 7))
			id := w.create(spec())
			restart := time.Now().Add(2500 * time.Millisecond)
			var updates []engine.Update
			at := engine.Cursor{}
			for ended := false; !ended; {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(dice.IntN(4000))*time.Millisecond)
				for _, u := range w.watch(ctx, id, at, false) {
					if u.Rest {
						continue
					}
					parsed, err := engine.ParseCursor(u.Cursor.String())
					if err != nil || parsed != u.Cursor {
						t.Fatalf("%v reads back as %v, %v", u.Cursor, parsed, err)
					}
					updates, at = append(updates, u), u.Cursor
					ended = u.Event != nil && u.Event.Type == run.RunFinished
				}
				cancel()
				time.Sleep(time.Duration(dice.IntN(2000)) * time.Millisecond)
				if seed%3 == 0 && !restart.IsZero() && time.Now().After(restart) {
					restart = time.Time{}
					w.close(0)
					w.open()
				}
			}
			if got, want := text(updates, 1), line.Reply.Reasoning+words; got != want && got != "" {
				t.Fatalf("seed %d: the text is %q, want %q", seed, got, want)
			}
			seq := int64(0)
			for _, u := range updates {
				if u.Event != nil {
					if seq++; u.Event.Seq != seq {
						t.Fatalf("seed %d: event %d came where %d was due", seed, u.Event.Seq, seq)
					}
				}
			}
		})
	}
}

// Once a reader has seen some of a reply it can't be taken back: a stream that
// breaks then fails the run. Unseen it is tried again, unless it called a tool.
func TestShownReplyIsNotRetried(t *testing.T) {
	half := run.Delta{Kind: run.TextDelta, Text: "Half of "}
	call := run.Delta{Kind: run.CallDelta, Name: "send", Text: `{"a`}
	for _, test := range []struct {
		watched bool
		deltas  []run.Delta
		want    run.Status
	}{
		{true, []run.Delta{half, half}, run.FailedStatus},
		{false, []run.Delta{half, half}, run.Completed},
		{false, []run.Delta{half, call}, run.FailedStatus},
		{true, nil, run.Completed},
	} {
		broken := script.Line{Deltas: test.deltas, Err: problem.New(problem.ModelGarbled, "The stream ended early.")}
		model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
			if req.Attempt == 1 {
				return broken, nil
			}
			return script.Say("Whole."), nil
		})
		model.Pace = func(ctx context.Context, _ run.Request, _ run.Delta) error {
			sleep(ctx, time.Second)
			return ctx.Err()
		}
		inWorld(t, model, func(t *testing.T, w *world) {
			id := w.create(spec())
			if test.watched {
				w.watch(t.Context(), id, engine.Cursor{}, false)
			}
			if s := w.rest(id, test.want); s.Status == run.FailedStatus && s.Ended.Code != string(problem.ModelGarbled) {
				t.Errorf("it ended with %+v", s.Ended)
			}
		})
	}
}

// A reply that a cut reader has seen of an attempt that a crash ended is reset.
func TestWatchReset(t *testing.T) {
	model := slowly(script.Say("one two three four five"))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec())
		ctx, cancel := context.WithTimeout(t.Context(), 2500*time.Millisecond)
		defer cancel()
		first := w.watch(ctx, id, engine.Cursor{}, false)
		if got, want := line(first), `run.created "one " "two "`; got != want {
			t.Fatalf("before the crash: %s, want %s", got, want)
		}
		w.close(0)
		w.open()
		rest := w.watch(t.Context(), id, first[len(first)-1].Cursor, false)
		if got := line(rest); !strings.HasPrefix(got, `run.driven ! "one "`) {
			t.Errorf("after the crash: %s", got)
		}
		if got, want := text(append(first, rest...), 1), "one two three four five"; got != want {
			t.Errorf("the text is %q, want %q", got, want)
		}
		late := w.watch(t.Context(), id, first[len(first)-1].Cursor, false)
		if got, want := text(append(first, late...), 1), "one two three four five"; got != want {
			t.Errorf("long afterwards the text is %q, want %q", got, want)
		}
		for _, u := range append(first, rest...) {
			if u.Event != nil && u.Cursor != (engine.Cursor{Seq: u.Event.Seq}) {
				t.Errorf("the id of %s is %s, want its seq", u.Event.Type, u.Cursor)
			}
		}
	})
}

// A reader behind the middle of an ended reply gets the rest as one delta.
func TestWatchRestOfReply(t *testing.T) {
	reply := run.Reply{Reasoning: "hm ", Text: "é one", Calls: []run.Call{{ID: "c1", Name: "read", Arguments: `{"q":1}`}}}
	inWorld(t, script.Steps(script.Line{Reply: reply}, script.Say("ok")), func(t *testing.T, w *world) {
		id := w.create(spec())
		w.rest(id, run.Completed)
		for offset, want := range map[int]string{
			0:  `"hm " "é one" read({"q":1}) model.responded`,
			3:  `"é one" read({"q":1}) model.responded`,
			4:  `"é one" read({"q":1}) model.responded`, // inside the é: from its start
			7:  `"ne" read({"q":1}) model.responded`,
			9:  `read({"q":1}) model.responded`,
			10: `("q":1}) model.responded`,
			16: `model.responded`,
			99: `model.responded`,
		} {
			got := line(w.watch(t.Context(), id, engine.Cursor{Seq: 1, Step: 1, Attempt: 1, Offset: offset}, false))
			if !strings.HasPrefix(got, want+" tool.started") {
				t.Errorf("from %d: %s, want %s", offset, got, want)
			}
		}
		other := line(w.watch(t.Context(), id, engine.Cursor{Seq: 1, Step: 1, Attempt: 2, Offset: 3}, false))
		if !strings.HasPrefix(other, `! "hm " "é one"`) {
			t.Errorf("of another attempt: %s", other)
		}
	})
}

// An event in the middle of a reply does not lose the reader's place in it.
func TestWatchEventInsideReply(t *testing.T) {
	model := slowly(script.Say("one two three four five"), script.Say("ok"))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec())
		time.AfterFunc(2500*time.Millisecond, func() { w.engine.Message(t.Context(), "p", id, run.Added{Text: "Hurry."}) })
		ctx, cancel := context.WithTimeout(t.Context(), 2700*time.Millisecond)
		defer cancel()
		first := w.watch(ctx, id, engine.Cursor{}, false)
		if got, want := line(first), `run.created "one " "two " message.added`; got != want {
			t.Fatalf("until the message: %s, want %s", got, want)
		}
		rest := w.watch(t.Context(), id, first[len(first)-1].Cursor, false)
		if got, want := text(append(first, rest...), 1), "one two three four five"; got != want {
			t.Errorf("the text is %q, want %q", got, want)
		}
		late := w.watch(t.Context(), id, first[len(first)-1].Cursor, false)
		if got, want := text(append(first, late...), 1), "one two three four five"; got != want {
			t.Errorf("long afterwards the text is %q, want %q", got, want)
		}
		for _, u := range append(first, rest...) {
			if u.Event != nil && u.Cursor != (engine.Cursor{Seq: u.Event.Seq}) {
				t.Errorf("the id of %s is %s, want its seq", u.Event.Type, u.Cursor)
			}
		}
	})
}

func TestWatchNobodysRun(t *testing.T) {
	inWorld(t, script.Steps(script.Say("ok")), func(t *testing.T, w *world) {
		id := w.create(spec())
		for _, err := range w.engine.Watch(t.Context(), "other", id, engine.Cursor{}) {
			if !problem.Is(err, problem.NotFound) {
				t.Errorf("another project reads: %v", err)
			}
		}
	})
}

// A reader who is far behind reads the store and misses nothing.
func TestWatchFarBehind(t *testing.T) {
	model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		if req.Step > 100 {
			return script.Say("ok"), nil
		}
		return script.Call("read", `{}`), nil
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		s := spec()
		s.Limits.MaxSteps = 200
		id := w.create(s)
		count := int64(0)
		for u, err := range w.engine.Watch(t.Context(), "p", id, engine.Cursor{}) {
			if err != nil {
				t.Fatal(err)
			}
			if u.Event != nil {
				if count++; u.Event.Seq != count {
					t.Fatalf("event %d came where %d was due", u.Event.Seq, count)
				}
			}
			time.Sleep(10 * time.Millisecond)
		}
		if want := int64(1 + 100*3 + 2); count != want {
			t.Errorf("%d events, want %d", count, want)
		}
	})
}
