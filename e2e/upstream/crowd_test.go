package upstream

import (
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// quota answers so many requests in any second, and 429 to the others.
type quota struct {
	perSecond int
	mu        sync.Mutex
	answered  []time.Time
}

func (q *quota) answer(w http.ResponseWriter, r *http.Request, a asked) {
	q.mu.Lock()
	now := time.Now()
	full := len(q.answered) >= q.perSecond && now.Sub(q.answered[len(q.answered)-q.perSecond]) < time.Second
	if !full {
		q.answered = append(q.answered, now)
	}
	q.mu.Unlock()
	if full {
		status(429, "Retry-After", "1")(w, r, a)
		return
	}
	says("text/event-stream", text("Done."))(w, r, a)
}

// TestCrowdAtASmallQuota lets 200 runs loose on a provider that answers 20 requests
// a second. All complete, in little more time than the quota needs, none much
// later than the others, and the provider is not stormed.
func TestCrowdAtASmallQuota(t *testing.T) {
	t.Parallel()
	const runs, perSecond = 200, 20
	q := &quota{perSecond: perSecond}
	_, p, c := start(t, map[string]answer{"busy": q.answer}, nil)
	ids, begun := make([]string, runs), time.Now()
	var creating sync.WaitGroup
	for part := range 10 {
		creating.Go(func() {
			for i := part; i < runs; i += 10 {
				ids[i] = background(c, "busy", "Say it.").ID
			}
		})
	}
	creating.Wait()
	created := time.Since(begun) // on a machine that is slower than the quota, it is what takes long
	var took []time.Duration
	for _, id := range ids {
		if r := end(c, id, rig.Patience); r.Status != "completed" {
			t.Errorf("%s: %+v", r.Status, r.Error)
		}
		took = append(took, lifetime(c, id))
	}
	slices.Sort(took)
	median, last, sent := took[runs/2], took[runs-1], len(p.requests("busy"))
	t.Logf("%d runs at %d requests a second: %d requests (%.2f x those needed), median %v, last %v",
		runs, perSecond, sent, float64(sent)/runs, median, last)
	if sent > 5*runs/2 {
		t.Errorf("%d requests for %d runs", sent, runs)
	}
	const needed = runs / perSecond * time.Second
	if last > 3*max(median, needed/2) || last > 3*(needed+created) {
		t.Errorf("the last run took %v, half of them %v; the quota needs %v, and creating them %v", last, median, needed, created)
	}
}

// lifetime is how long a run took from its creation to its end.
func lifetime(c *rig.Client, id string) time.Duration {
	c.T.Helper()
	var r struct {
		CreatedAt  time.Time  `json:"created_at"`
		FinishedAt *time.Time `json:"finished_at"`
	}
	c.Get("/v1/runs/"+id+"?include_trace=false", &r)
	if r.FinishedAt == nil {
		return 0
	}
	return r.FinishedAt.Sub(r.CreatedAt)
}
