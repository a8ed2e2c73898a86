package engine_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// tethered is a run that ends with its last reader.
func tethered() run.Spec {
	s := spec("send")
	s.Tethered = true
	return s
}

func TestTether(t *testing.T) {
	long := strings.Repeat("word ", 60)
	for name, test := range map[string]struct {
		read func(w *world, id run.ID)
		want run.Status
	}{
		"its only reader goes": {func(w *world, id run.ID) {
			ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
			defer cancel()
			w.watch(ctx, id, engine.Cursor{}, false)
		}, run.CancelledStatus},
		"a caller who waits goes": {func(w *world, id run.ID) {
			ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
			defer cancel()
			_, _ = w.engine.Wait(ctx, "p", id)
		}, run.CancelledStatus},
		"another reader stays": {func(w *world, id run.ID) {
			go w.watch(w.t.Context(), id, engine.Cursor{}, false)
			ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
			defer cancel()
			w.watch(ctx, id, engine.Cursor{}, false)
		}, run.Completed},
		"the reader comes back at once": {func(w *world, id run.ID) {
			ctx, cancel := context.WithTimeout(w.t.Context(), 3*time.Second)
			w.watch(ctx, id, engine.Cursor{}, false)
			cancel()
			sleep(w.t.Context(), 200*time.Millisecond)
			go w.watch(w.t.Context(), id, engine.Cursor{}, false)
		}, run.Completed},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, slowly(script.Say(long)), func(t *testing.T, w *world) {
				id := w.create(tethered())
				test.read(w, id)
				sleep(t.Context(), 2*time.Minute)
				s, err := w.engine.Get(t.Context(), "p", id)
				if err != nil || s.Status != test.want {
					t.Errorf("the run is %s (%v), want %s\n%s", s.Status, err, test.want, w.log(id))
				}
			})
		})
	}
}

func TestTetherLetsGo(t *testing.T) {
	model := slowly(script.Call("send", `{}`), script.Say("Done at last."))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(tethered())
		w.rest(id, run.AwaitingApproval)
		sleep(t.Context(), time.Minute)
		w.approve(id, "act_01") // the caller has long had its answer: the run waits for a person
		sleep(t.Context(), time.Minute)
		w.rest(id, run.Completed)
	})
}

// TestTetherOfReadersWhoHaveRead: only a reader who is cut off leaves a run behind.
// One who stops by itself has its answer: an API's that halts, say, or that of a
// request that repeats one which halted, while the run goes on.
func TestTetherOfReadersWhoHaveRead(t *testing.T) {
	model := slowly(script.Call("send", `{}`), script.Say(strings.Repeat("word ", 60)))
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(tethered())
		w.rest(id, run.AwaitingApproval)
		w.approve(id, "act_01")
		sleep(t.Context(), 3*time.Second)
		for u, err := range w.engine.Watch(t.Context(), "p", id, engine.Cursor{}) {
			if err != nil || u.Event != nil && u.Event.Responded != nil {
				break
			}
		}
		sleep(t.Context(), 2*time.Minute)
		w.rest(id, run.Completed)
	})
}

func TestTetherOutlivesTheServer(t *testing.T) {
	inWorld(t, slowly(script.Say(strings.Repeat("word ", 20))), func(t *testing.T, w *world) {
		id := w.create(tethered())
		go w.watch(t.Context(), id, engine.Cursor{}, false)
		sleep(t.Context(), 3*time.Second)
		w.close(0) // it sends the reader away itself
		sleep(t.Context(), time.Second)
		w.open()
		sleep(t.Context(), time.Minute)
		w.rest(id, run.Completed)
	})
}

func TestSift(t *testing.T) {
	found := `{"query":"q","provider":"p","results":[{"title":"t","url":"https://a.example/"}]}`
	for name, test := range map[string]struct{ output, says, want string }{
		"given":     {found, "So it is [[1]](https://a.example/).", "So it is [[1]](https://a.example/)."},
		"not given": {found, "So it is [[2]](https://b.example/).", "So it is."},
		"nothing":   {`{"results":[]}`, "Hm.", "Hm.\n\n(A web search was made for this answer and found nothing, so it is not based on sources.)"},
	} {
		t.Run(name, func(t *testing.T) {
			model := slowly(script.Call("read", `{}`), script.Say(test.says))
			inWorld(t, model, func(t *testing.T, w *world) {
				w.tools.behave = func(context.Context, run.ToolCall) (string, error) { return test.output, nil }
				s := spec()
				s.Tools[0].Cites = true
				id := w.create(s)
				var shown strings.Builder
				for _, u := range w.watch(t.Context(), id, engine.Cursor{}, false) {
					if u.Delta != nil && u.Delta.Kind == run.TextDelta {
						shown.WriteString(u.Delta.Text)
					}
				}
				if ended := w.rest(id, run.Completed); ended.Ended.Result.Summary != test.want {
					t.Errorf("the answer is %q, want %q", ended.Ended.Result.Summary, test.want)
				}
				if shown.String() != test.want {
					t.Errorf("readers saw %q, want %q", shown.String(), test.want)
				}
			})
		})
	}
}
