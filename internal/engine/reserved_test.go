package engine_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"errand/internal/model/script"
	"errand/internal/run"
)

// An id that is kept for the first work under a claim goes to just one run, whoever
// comes first; all others get one of their own.
func TestReserved(t *testing.T) {
	model := script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		sleep(ctx, time.Second)
		if req.Model == "worker" {
			return script.Say("Done."), ctx.Err()
		}
		goals := req.Messages[len(req.Messages)-1].Text
		return script.Call("confirm", fmt.Sprintf(`{"goals":%q}`, goals)).And("confirm", fmt.Sprintf(`{"goals":"%s, too"}`, goals)), ctx.Err()
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		kept := w.engine.NewID()
		var ids []run.ID
		for n := range 6 {
			s := talk("chat/1")
			s.Tethered, s.Handoffs[0].Reserved = false, kept
			s.Input.Text = fmt.Sprint("goal ", n)
			ids = append(ids, w.create(s))
		}
		has := map[run.ID]int{}
		for _, id := range ids {
			s := w.rest(id, run.Completed)
			for _, a := range s.Turns[0].Actions {
				has[*a.Child]++
				if done := w.rest(*a.Child, run.Completed); *a.Child == kept && done.Spec.Input.Text == "" {
					t.Errorf("the kept id does nothing: %+v", done.Spec)
				}
			}
		}
		if has[kept] != 1 || len(has) != 12 {
			t.Errorf("the kept id does %d works, %d runs do 12", has[kept], len(has))
		}
	})
}
