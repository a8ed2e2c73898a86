package engine_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// babble is a reply in pieces of every kind, in any order, with citations that are
// cut anywhere.
func babble(dice *dice) script.Line {
	words := []string{"Grüße ", "[[1]](https://a.example/)", " [[2]](https://b.example/)", "[[", "[", "1", "]](", "https://a.example/", ")", " ", "日本", "\n"}
	var line script.Line
	var spans []run.Span
	rank, mixed := 0, false
	add := func(d run.Delta) {
		line.Deltas = append(line.Deltas, d)
		spans = append(spans, run.Span{Kind: d.Kind, Call: d.Call, Bytes: len(d.Text)})
		now := map[run.DeltaKind]int{run.ReasoningDelta: 0, run.TextDelta: 1, run.CallDelta: 2}[d.Kind] + d.Call
		rank, mixed = max(rank, now), mixed || now < rank
	}
	reply := &line.Reply
	for range dice.IntN(30) {
		word := words[dice.IntN(len(words))]
		switch dice.IntN(8) {
		case 0:
			reply.Reasoning += word
			add(run.Delta{Kind: run.ReasoningDelta, Text: word})
		case 1:
			if len(reply.Calls) < 2 {
				reply.Calls = append(reply.Calls, run.Call{Name: "read"})
				add(run.Delta{Kind: run.CallDelta, Call: len(reply.Calls) - 1, Name: "read"})
			}
		case 2:
			if n := len(reply.Calls); n > 0 {
				reply.Calls[n-1].Arguments += word
				add(run.Delta{Kind: run.CallDelta, Call: n - 1, Text: word})
			}
		default:
			reply.Text += word
			add(run.Delta{Kind: run.TextDelta, Text: word})
		}
	}
	if mixed { // else nothing is said of the order, as model clients have it
		reply.Spans = spans
	}
	return line
}

// pieces writes what deltas say, byte by byte, with what each byte is of.
func pieces(updates []engine.Update, step int) string {
	var out strings.Builder
	for _, u := range updates {
		if u.Delta != nil && u.Cursor.Step == step {
			fmt.Fprintf(&out, "%s", u.Delta.Name)
			for i := range len(u.Delta.Text) {
				fmt.Fprintf(&out, "%c%d%02x ", u.Delta.Kind[0], u.Delta.Call, u.Delta.Text[i])
			}
		}
	}
	return out.String()
}

// A reply with citations is stored as readers have seen it: who resumes at any
// place in it, after it has ended, gets exactly what the others got behind it.
func TestSiftedReplyIsStoredAsShown(t *testing.T) {
	for seed := range uint64(60) {
		for _, found := range []string{`{"query":"q","provider":"p","results":[{"title":"t","url":"https://a.example/"}]}`, `{"results":[]}`} {
			dice := &dice{rand: rand.New(rand.NewPCG(seed, 4))}
			said := babble(dice)
			inWorld(t, slowly(script.Call("search", `{}`), said, script.Say("Done.")), func(t *testing.T, w *world) {
				s := spec()
				s.Tools = append(s.Tools, run.Tool{Name: "search", Class: run.Safe, Cites: true, Version: "v1", Parameters: []byte(`{"type":"object"}`)})
				w.tools.behave = func(context.Context, run.ToolCall) (string, error) { return found, nil }
				id := w.create(s)
				live := w.watch(t.Context(), id, engine.Cursor{}, false)
				state := w.rest(id, run.Completed)
				reply := state.Turns[1].Reply
				text := ""
				for i, u := range live {
					if u.Delta == nil || u.Cursor.Step != 2 {
						continue
					}
					if u.Delta.Kind == run.TextDelta {
						text += u.Delta.Text
					}
					later := w.watch(t.Context(), id, u.Cursor, false)
					if got, want := pieces(later, 2), pieces(live[i+1:], 2); got != want {
						t.Fatalf("seed %d: after %s come\n%s, live came\n%s", seed, u.Cursor, got, want)
					}
				}
				if text != reply.Text {
					t.Fatalf("seed %d: shown %q, stored %q", seed, text, reply.Text)
				}
				if strings.Contains(reply.Text, "[[2]](https://b") {
					t.Fatalf("seed %d: it cites what it was not given: %q", seed, reply.Text)
				}
			})
			if t.Failed() {
				return
			}
		}
	}
}
