package swarms

import (
	"context"
	"encoding/json"
	"iter"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// streamed is what a reader gets of these updates: each chunk's content in
// brackets, and the events of the other frames.
func streamed(t *testing.T, updates ...engine.Update) string {
	t.Helper()
	at := func() time.Time { return time.Unix(1_760_000_000, 0) }
	teller := &teller{now: at, state: run.State{ID: run.NewID(at(), 1, 7)}}
	kept := memory.New(memory.Config{Now: time.Now})
	defer kept.Close()
	family := &wire.Family{Name: "test"}
	server, err := wire.New(wire.Config{Families: []*wire.Family{family}, Keys: auth.NewBook(kept, time.Now), Rows: kept, Routes: []wire.Route{{
		Method: "GET", Path: "/", Family: family, Open: true, Handle: func(context.Context, *wire.Request) (wire.Response, error) {
			return wire.Response{Stream: &wire.Stream{Emit: teller.emit, Watch: func(context.Context) iter.Seq2[engine.Update, error] {
				return func(yield func(engine.Update, error) bool) {
					for _, u := range updates {
						if !yield(u, nil) {
							return
						}
					}
				}
			}}}, nil
		},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	answer := httptest.NewRecorder()
	server.ServeHTTP(answer, httptest.NewRequest("GET", "/", nil))
	var shown []string
	for frame := range strings.SplitSeq(answer.Body.String(), "\n\n") {
		event, data, _ := strings.Cut(frame, "\ndata: ")
		var chunk struct{ Content *string }
		if json.Unmarshal([]byte(data), &chunk) == nil && chunk.Content != nil {
			shown = append(shown, "["+*chunk.Content+"]")
		} else if event, ok := strings.CutPrefix(event, "event: "); ok {
			shown = append(shown, event)
		}
	}
	return strings.Join(shown, " ")
}

func text(step, attempt int, text string) engine.Update {
	return engine.Update{Cursor: engine.Cursor{Step: step, Attempt: attempt}, Delta: &run.Delta{Kind: run.TextDelta, Text: text}}
}

func reset(step, attempt int) engine.Update {
	return engine.Update{Reset: true, Cursor: engine.Cursor{Step: step, Attempt: attempt}}
}

func events(all ...run.Event) []engine.Update {
	var updates []engine.Update
	for i := range all {
		all[i].Seq = int64(i + 1)
		updates = append(updates, engine.Update{Event: &all[i]})
	}
	return updates
}

// TestTeller: a reply that is written anew never repeats what was sent.
func TestTeller(t *testing.T) {
	created := run.Event{Type: run.RunCreated, Created: &run.Created{Spec: run.Spec{Dialect: Dialect, Limits: run.Limits{MaxSteps: 5}}}}
	said := func(step int, text string) run.Event {
		return run.Event{Type: run.ModelResponded, Responded: &run.Responded{Step: step, Attempt: 2, Reply: run.Reply{Text: text}}}
	}
	ended := run.Event{Type: run.RunFinished, Ended: &run.Ended{Status: run.Completed, Reason: run.Answered, Result: run.Result{Summary: "x"}}}
	stored := events(created, said(1, "Once upon a time."), ended)
	for name, c := range map[string]struct {
		between []engine.Update
		want    string
	}{
		"plain":          {[]engine.Update{text(1, 1, "Once upon "), text(1, 1, "a time.")}, "start [Once upon ] [a time.] usage end done"},
		"nothing live":   {nil, "start [Once upon a time.] usage end done"},
		"begins anew":    {[]engine.Update{text(1, 1, "Once upon "), reset(1, 2), text(1, 2, "Once "), text(1, 2, "upon a time.")}, "start [Once upon ] [a time.] usage end done"},
		"shorter so far": {[]engine.Update{text(1, 1, "Once upon "), reset(1, 2), text(1, 2, "Once ")}, "start [Once upon ] [a time.] usage end done"},
		"other words":    {[]engine.Update{text(1, 1, "Once upon "), reset(1, 2), text(1, 2, "There was")}, "start [Once upon ] error"},
		"other whole":    {[]engine.Update{text(1, 1, "There was")}, "start [There was] error"},
		"reasoning":      {[]engine.Update{{Delta: &run.Delta{Kind: run.ReasoningDelta, Text: "Hm."}, Cursor: engine.Cursor{Step: 1, Attempt: 1}}}, "start [Once upon a time.] usage end done"},
	} {
		updates := append([]engine.Update{stored[0]}, c.between...)
		if got := streamed(t, append(updates, stored[1:]...)...); got != c.want {
			t.Errorf("%s: got %s, want %s", name, got, c.want)
		}
	}
}
