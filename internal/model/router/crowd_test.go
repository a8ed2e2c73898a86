package router

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// quota is a provider that accepts so many calls in any window of its length, and
// says to the others when to come back, or nothing. An accepted call takes a while.
type quota struct {
	calls  int
	window time.Duration
	names  time.Duration // Retry-After; 0 = none
	takes  time.Duration

	mu       sync.Mutex
	accepted []time.Time // the latest calls of them
	asked    int
}

func (q *quota) Reply(ctx context.Context, _ *run.Request, _ func(run.Delta)) (run.Reply, error) {
	if !nap(ctx, 10*time.Millisecond) { // on its way
		return run.Reply{}, ctx.Err()
	}
	if !q.accept() {
		limited := problem.New(problem.ModelRateLimited, "slow down")
		limited.RetryAfter = q.names
		return run.Reply{}, limited
	}
	if !nap(ctx, q.takes) {
		return run.Reply{}, ctx.Err()
	}
	return run.Reply{Text: "ok"}, nil
}

func (q *quota) accept() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.asked++
	now := time.Now()
	if n := len(q.accepted); q.calls == 0 || n >= q.calls && now.Sub(q.accepted[n-q.calls]) < q.window {
		return false
	}
	q.accepted = append(q.accepted, now)
	return true
}

// nap waits and reports whether ctx allowed it.
func nap(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// crowd is many runs at one endpoint.
type crowd struct {
	*Router
	runs, calls int // runs come at once; each makes its calls one after the other
}

func newCrowd(t *testing.T, provider Model, runs, calls int) *crowd {
	t.Helper()
	r, err := New(Config{
		Endpoints: []Endpoint{{Name: "busy", BaseURL: "http://busy"}},
		Connect:   func(Endpoint) (Model, error) { return provider, nil },
		Offline:   script.Steps(),
	})
	if err != nil {
		t.Fatal(err)
	}
	return &crowd{Router: r, runs: runs, calls: calls}
}

// call makes one call as the engine does, with what Retry grants.
func (c *crowd) call(ctx context.Context, request run.Request) error {
	for failures := 0; ; {
		_, err := c.Reply(ctx, &request, nil)
		if err == nil {
			return nil
		}
		failures++
		again, after := c.Retry(err, failures)
		if !again || !nap(ctx, after) {
			return err
		}
	}
}

// gather runs them all and returns how long each took, and the errors.
func (c *crowd) gather(ctx context.Context) (took []time.Duration, failed []error) {
	began := time.Now()
	var mu sync.Mutex
	var all sync.WaitGroup
	for i := range c.runs {
		id := run.NewID(began, uint16(i), 0)
		all.Go(func() {
			var err error
			for step := 1; step <= c.calls && err == nil; step++ {
				err = c.call(ctx, run.Request{Run: id, Step: step, Model: "busy/m"})
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, time.Since(began))
			if err != nil {
				failed = append(failed, err)
			}
		})
	}
	all.Wait()
	slices.Sort(took)
	return took, failed
}

// TestCrowd lets many runs loose on providers that allow far less. All finish,
// none waits more than a few times as long as half of them, and the provider is
// not stormed.
func TestCrowd(t *testing.T) {
	for name, c := range map[string]struct {
		quota       *quota
		runs, calls int
		within      time.Duration // of which the quota alone needs at least half
	}{
		"20 a second, named":      {&quota{calls: 20, window: time.Second, names: time.Second, takes: 50 * time.Millisecond}, 200, 1, 20 * time.Second},
		"20 a second, not named":  {&quota{calls: 20, window: time.Second, takes: 50 * time.Millisecond}, 200, 1, 20 * time.Second},
		"two calls each":          {&quota{calls: 20, window: time.Second, names: time.Second, takes: 50 * time.Millisecond}, 200, 2, 40 * time.Second},
		"slow answers":            {&quota{calls: 20, window: time.Second, names: time.Second, takes: 8 * time.Second}, 200, 1, 30 * time.Second},
		"a minute's quota, named": {&quota{calls: 60, window: time.Minute, names: 20 * time.Second, takes: time.Second}, 200, 1, 6 * time.Minute},
		"a minute's quota, mute":  {&quota{calls: 60, window: time.Minute, takes: time.Second}, 200, 1, 8 * time.Minute},
		"one a second":            {&quota{calls: 1, window: time.Second, names: time.Second, takes: 50 * time.Millisecond}, 60, 1, 2 * time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				provider := c.quota
				took, failed := newCrowd(t, provider, c.runs, c.calls).gather(t.Context())
				median, last, needed := took[len(took)/2], took[len(took)-1], c.runs*c.calls
				t.Logf("%d calls needed, %d sent (%.2f x); median %v, last %v; %d failed",
					needed, provider.asked, float64(provider.asked)/float64(needed), median, last, len(failed))
				if len(failed) > 0 {
					t.Errorf("%d of %d runs failed: %v", len(failed), c.runs, failed[0])
				}
				if provider.asked > 5*needed/2 {
					t.Errorf("%d calls were sent, and %d needed", provider.asked, needed)
				}
				if last > 3*median || last > c.within {
					t.Errorf("the last took %v, half of them %v; want less than %v", last, median, c.within)
				}
			})
		})
	}
}
