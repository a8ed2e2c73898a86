package router

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/run"
)

// A call that tries an endpoint and is given up by whoever made it has found
// nothing out: the next one tries, and not all that were waiting at once.
func TestAGivenUpTrialIsTakenOverByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := &patient{}
		r := limited(t, p, 0, 0)
		p.be(errDown, 0)
		for range breakAfter {
			ask(t.Context(), r)
		}
		time.Sleep(firstBreak)
		p.be(errDown, 3*time.Second)
		before := p.asked
		trying, giveUp := context.WithCancel(t.Context())
		done := make(chan error)
		for i := range 20 {
			ctx := t.Context()
			if i == 0 {
				ctx = trying
			}
			go func() {
				_, err := r.Reply(ctx, &run.Request{Run: numbered(i), Model: "desk/m"}, nil)
				done <- err
			}()
			synctest.Wait()
		}
		if asked := p.asked - before; asked != 1 {
			t.Errorf("%d calls try the endpoint", asked)
		}
		giveUp()
		for range 20 {
			if err := <-done; err == nil {
				t.Error("a call has come through")
			}
		}
		if asked := p.asked - before; asked != 2 {
			t.Errorf("%d calls were made until it was known to be down, want 2", asked)
		}
	})
}
