package engine_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/auth"
	"errand/internal/model/script"
	"errand/internal/run"
)

// The room that is kept for a call is on disk while the call is under way, also if
// the run has nothing else to write: it had waited for others to end.
func TestHoldsAreOnDisk(t *testing.T) {
	priced(t, paying(1), func(t *testing.T, w *world, ledger *auth.Ledger) {
		ledger.Set(auth.Budget{ID: "b", Project: "p", Period: auth.Daily, MaxCost: 80}, auth.Amount{})
		w.create(spec())
		w.create(spec())
		for second := range 2 {
			sleep(t.Context(), 500*time.Millisecond)
			synctest.Wait()
			if held := w.holds(); len(held) != 1 {
				t.Errorf("in second %d there are %d holds on disk, want that of the one call under way", second, len(held))
			}
			sleep(t.Context(), 500*time.Millisecond)
		}
		sleep(t.Context(), time.Second)
		if held := w.holds(); len(held) != 0 {
			t.Errorf("%d holds are left", len(held))
		}
	})
}

// Under a budget a reply is bounded where nobody else has done it, or what is kept
// for the call would not be the most that it can cost.
func TestReplyUnderABudgetIsBounded(t *testing.T) {
	var asked []run.Params
	model := script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		asked = append(asked, req.Params)
		return script.Say("Done."), nil
	})
	priced(t, model, func(t *testing.T, w *world, ledger *auth.Ledger) {
		free, own := spec(), spec()
		own.Params.MaxTokens = 20_000
		w.rest(w.create(free), run.Completed)
		ledger.Set(auth.Budget{ID: "b", Project: "p", Period: auth.Daily, MaxCost: 1000}, auth.Amount{})
		w.rest(w.create(free), run.Completed)
		w.rest(w.create(own), run.Completed)
		want := []run.Params{{}, {MaxTokens: run.ReplyTokens, Defaults: []string{"max_tokens"}}, {MaxTokens: 20_000}}
		if diff := cmp.Diff(want, asked); diff != "" {
			t.Errorf("the model was asked with (-want +got):\n%s", diff)
		}
	})
}
