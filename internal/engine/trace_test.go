package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
	"errand/internal/store/memory"
)

const place = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// What Stored hears is on disk, all of it, once and in order, whoever wrote it; and
// each effect hands on what Span says.
func TestStoredHearsEachEventOnceAndEffectsHandTheirSpansOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		models := script.Steps(script.Call("read", "{}").And("send", "{}"), script.Say("Done."))
		w := &world{t: t, store: memory.New(memory.Config{Now: time.Now}), tools: newLedger(), models: models}
		var mu sync.Mutex
		var heard []string
		w.engine = engine.New(engine.Config{
			Log: w.store, Rows: w.store, Models: models, Tools: w.tools, Now: time.Now,
			Stored: func(s *run.State, events []run.Event) {
				mu.Lock()
				defer mu.Unlock()
				stored, err := w.store.Load(t.Context(), s.ID, 0, 0)
				for _, e := range events {
					heard = append(heard, string(e.Type))
					if err != nil || int64(len(stored)) < e.Seq || s.Seq < e.Seq {
						t.Errorf("%s (%d) is heard of before it is stored", e.Type, e.Seq)
					}
				}
			},
			Span: func(s *run.State, e run.Effect, attempt int) string {
				return fmt.Sprint(s.Spec.Trace, " ", e.Key(), " ", attempt)
			},
		})
		var calls []string
		w.tools.behave = func(_ context.Context, call run.ToolCall) (string, error) {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, call.Trace)
			return "ok", nil
		}
		defer w.store.Close()
		defer w.close(10 * time.Second)
		s, err := w.engine.Create(engine.Traced(t.Context(), place), engine.NewRun{Spec: spec("send")})
		if err != nil {
			t.Fatal(err)
		}
		w.rest(s.ID, run.AwaitingApproval)
		w.approve(s.ID, "act_02")
		w.rest(s.ID, run.Completed)
		mu.Lock()
		defer mu.Unlock()
		if log := w.log(s.ID); strings.Join(heard, " ") != log {
			t.Errorf("heard of %s\nstored is %s", strings.Join(heard, " "), log)
		}
		if want := []string{place + " tool/act_01 1", place + " tool/act_02 1"}; !slices.Equal(calls, want) {
			t.Errorf("calls were made from %q", calls)
		}
		for i, request := range models.Requests() {
			if want := fmt.Sprintf("%s model/%d 1", place, i+1); request.Trace != want {
				t.Errorf("model call %d was made from %q", i+1, request.Trace)
			}
		}
	})
}

func TestAChildStandsInTheTraceOfItsParent(t *testing.T) {
	for _, traceparent := range []string{place, "nonsense"} {
		want := place
		if traceparent != place {
			want = ""
		}
		inWorld(t, script.Queue(script.Call("delegate", `{"task":"x"}`), script.Say("child"), script.Say("parent")), func(t *testing.T, w *world) {
			s := spec()
			h := run.Handoff{Name: "helper", Spec: spec()}
			s.Handoffs, s.Tools = []run.Handoff{h}, append(s.Tools, h.Tool("delegate", ""))
			state, err := w.engine.Create(engine.Traced(t.Context(), traceparent), engine.NewRun{Spec: s})
			if err != nil {
				t.Fatal(err)
			}
			end := w.rest(state.ID, run.Completed)
			child := w.rest(*end.Turns[0].Actions[0].Child, run.Completed)
			if end.Spec.Trace != want || child.Spec.Trace != want || child.Spec.TraceLink != "" {
				t.Errorf("the parent stands at %q, the child at %q and %q", end.Spec.Trace, child.Spec.Trace, child.Spec.TraceLink)
			}
		})
	}
}

// A server that has no tracer pays nothing for traces, per run, effect or commit.
func BenchmarkUntraced(b *testing.B) {
	untraced := engine.Untraced()
	b.ReportAllocs()
	for b.Loop() {
		untraced()
	}
}

func TestWithoutATracerNothingIsAllocated(t *testing.T) {
	if n := testing.AllocsPerRun(100, engine.Untraced()); n != 0 {
		t.Errorf("%v allocations without a tracer", n)
	}
}
