// Package modeltest is the suite that every model passes, and a provider to test
// clients against.
//
// Run checks what the engine relies on: deltas that together are the reply, whole
// characters, calls with names and unique ids, typed errors, counted usage,
// prompt cancellation. A model that can't be told what to say (Abilities.Scripted
// is false) is held to everything that does not depend on it.
//
// To hold all models to one more thing, add it to chapters and to chapters.go.
package modeltest

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// Model is what is tested: the engine's interface.
type Model interface {
	Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error)
}

// Abilities say which chapters apply.
type Abilities struct {
	Scripted  bool // says what the lines say; else the lines are only its number of steps
	Streams   bool // a longer answer comes in several deltas
	Reasoning bool // tells its reasoning
	Calls     bool // calls tools
	Errors    bool // can be made to fail (needs Scripted)
	Stalls    bool // can be made to fall silent (needs Scripted)
	Usage     bool // counts tokens
	Carries   bool // wants what it thought back with its turn (needs Scripted)
}

// Open makes the model under test, which is to answer step n with line n.
type Open func(t *testing.T, lines []script.Line) Model

// chapter is one part of the suite.
type chapter struct {
	name    string
	applies func(Abilities) bool
	test    func(t *testing.T, can Abilities, open Open)
}

func chapters() []chapter {
	always := func(Abilities) bool { return true }
	return []chapter{
		{"a plain answer", always, plainAnswer},
		{"a tool call", func(a Abilities) bool { return a.Calls }, toolCall},
		{"several calls in one turn", func(a Abilities) bool { return a.Calls && a.Scripted }, parallelCalls},
		{"a tool that must be called", func(a Abilities) bool { return a.Calls }, requiredTool},
		{"a result goes back", func(a Abilities) bool { return a.Calls }, secondStep},
		{"characters stay whole", func(a Abilities) bool { return a.Scripted }, wholeCharacters},
		{"reasoning is kept apart", func(a Abilities) bool { return a.Reasoning && a.Scripted }, reasoning},
		{"what was thought goes back", func(a Abilities) bool { return a.Carries && a.Scripted }, carriedBack},
		{"parts in another order have spans", func(a Abilities) bool { return a.Scripted && a.Streams }, spans},
		{"errors are typed", func(a Abilities) bool { return a.Errors && a.Scripted }, typedErrors},
		{"a context that has ended", always, cancelledBefore},
		{"cancelled in the middle", func(a Abilities) bool { return a.Stalls && a.Scripted }, cancelledInTheMiddle},
		{"many calls at once", always, manyAtOnce},
	}
}

// Run runs every chapter that applies.
func Run(t *testing.T, can Abilities, open Open) {
	for _, c := range chapters() {
		if c.applies(can) {
			t.Run(c.name, func(t *testing.T) { c.test(t, can, open) })
		}
	}
}

// Request is a request for the given step of a conversation with one tool. Its
// wording is plain, so that a model of rules can follow it too.
func Request(step int) *run.Request {
	return &run.Request{
		Run: run.NewID(time.Unix(1_780_000_000, 0), 1, 7), Project: "default", Step: step, Attempt: 1, Model: "test-model",
		Messages: []run.Message{
			{Role: run.System, Text: "You look things up with the tools that you have."},
			{Role: run.User, Text: "Use weather.read to look up the weather in the city Bergen."},
		},
		Tools: []run.Tool{{
			Name: "weather.read", Description: "Reads the weather of a city.", Class: run.Safe, Version: "1",
			Parameters: []byte(`{"type":"object","properties":{"city":{"type":"string"}},"required":["city"],"additionalProperties":false}`),
		}},
	}
}

// asked makes one call and holds it to what is true of every reply.
func asked(t *testing.T, can Abilities, m Model, req *run.Request) (run.Reply, []run.Delta) {
	t.Helper()
	var deltas []run.Delta
	reply, err := m.Reply(t.Context(), req, func(d run.Delta) { deltas = append(deltas, d) })
	if err != nil {
		t.Fatalf("Reply: %v", err)
	}
	Consistent(t, reply, deltas)
	if reply.Model == "" {
		t.Error("the reply does not say which model answered")
	}
	if can.Usage && (reply.Usage.Input <= 0 || reply.Usage.Output <= 0) {
		t.Errorf("usage = %+v, want tokens both ways", reply.Usage)
	}
	return reply, deltas
}

// Consistent holds a reply to its deltas: together they are the reply, each is
// whole characters, and the spans tell their order.
func Consistent(t *testing.T, reply run.Reply, deltas []run.Delta) {
	t.Helper()
	text := map[run.Span]*strings.Builder{}
	var order []run.Span
	names := map[int]string{}
	for i, d := range deltas {
		if !utf8.ValidString(d.Text) {
			t.Errorf("delta %d is not whole characters: %q", i, d.Text)
		}
		if d.Kind == run.CallDelta {
			if _, begun := names[d.Call]; !begun {
				if d.Call != len(names) {
					t.Errorf("delta %d begins call %d, want call %d", i, d.Call, len(names))
				}
				names[d.Call] = d.Name
			} else if d.Name != "" {
				t.Errorf("delta %d names call %d again", i, d.Call)
			}
		}
		key := run.Span{Kind: d.Kind, Call: d.Call}
		if text[key] == nil {
			text[key] = &strings.Builder{}
		}
		text[key].WriteString(d.Text)
		order = extend(order, key, len(d.Text))
	}
	said := func(key run.Span) string {
		if b := text[key]; b != nil {
			return b.String()
		}
		return ""
	}
	got := run.Reply{Text: said(run.Span{Kind: run.TextDelta}), Reasoning: said(run.Span{Kind: run.ReasoningDelta})}
	for i := range len(names) {
		got.Calls = append(got.Calls, run.Call{Name: names[i], Arguments: said(run.Span{Kind: run.CallDelta, Call: i})})
	}
	want := run.Reply{Text: reply.Text, Reasoning: reply.Reasoning}
	ids := map[string]bool{}
	for _, c := range reply.Calls {
		if c.ID == "" || ids[c.ID] {
			t.Errorf("the id %q of a call is empty or not unique", c.ID)
		}
		ids[c.ID] = true
		want.Calls = append(want.Calls, run.Call{Name: c.Name, Arguments: c.Arguments})
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the deltas are not the reply (-reply +deltas):\n%s", diff)
	}
	if diff := cmp.Diff(spansOf(reply), order); diff != "" {
		t.Errorf("the spans do not tell the order (-reply +deltas):\n%s", diff)
	}
}

func extend(order []run.Span, key run.Span, bytes int) []run.Span {
	if bytes == 0 {
		return order
	}
	if last := len(order) - 1; last >= 0 && order[last].Kind == key.Kind && order[last].Call == key.Call {
		order[last].Bytes += bytes
		return order
	}
	key.Bytes = bytes
	return append(order, key)
}

// spansOf is the order that a reader of the reply assumes.
func spansOf(reply run.Reply) []run.Span {
	if reply.Spans != nil {
		return reply.Spans
	}
	var order []run.Span
	order = extend(order, run.Span{Kind: run.ReasoningDelta}, len(reply.Reasoning))
	order = extend(order, run.Span{Kind: run.TextDelta}, len(reply.Text))
	for i, c := range reply.Calls {
		order = extend(order, run.Span{Kind: run.CallDelta, Call: i}, len(c.Arguments))
	}
	return order
}

// said is what counts of a reply: not who said it, ids and prices.
func said(reply run.Reply) run.Reply {
	plain := run.Reply{Text: reply.Text, Reasoning: reply.Reasoning, Finish: reply.Finish, Spans: reply.Spans}
	for _, c := range reply.Calls {
		plain.Calls = append(plain.Calls, run.Call{Name: c.Name, Arguments: c.Arguments})
	}
	return plain
}

// same holds a scripted model to its line.
func same(t *testing.T, can Abilities, got, want run.Reply) {
	t.Helper()
	if !can.Scripted {
		return
	}
	if diff := cmp.Diff(said(want), said(got)); diff != "" {
		t.Errorf("reply (-want +got):\n%s", diff)
	}
}

// timely is how long anything may take that is said to be prompt, on a machine that
// does other things besides; whatever waits for a model that is silent takes longer.
const timely = 20 * time.Second

// ends waits for a call that has nothing left to wait for.
func ends(t *testing.T, done *sync.WaitGroup, what string) {
	t.Helper()
	finished := make(chan struct{})
	go func() { done.Wait(); close(finished) }()
	select {
	case <-finished:
	case <-time.After(timely):
		t.Fatalf("%s did not return within %s", what, timely)
	}
}

// isContext reports whether an error is the context's own and no problem.
func isContext(err error) bool {
	var failure *problem.Error
	return errors.Is(err, context.Canceled) && !errors.As(err, &failure)
}
