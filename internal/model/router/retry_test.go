package router

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"time"

	"errand/internal/problem"
)

// waits are the waits between the attempts that Retry grants.
func waits(t *testing.T, random float64, err error) []time.Duration {
	t.Helper()
	h := newHouse(t, Config{Random: func() float64 { return random }}, nil)
	var all []time.Duration
	for attempt := 1; ; attempt++ {
		again, after := h.Retry(err, attempt)
		if !again {
			return all
		}
		if all = append(all, after); len(all) > 100 {
			t.Fatal("Retry never gives up")
		}
	}
}

func TestRetry(t *testing.T) {
	named := func(d time.Duration) error {
		limited := problem.New(problem.ModelRateLimited, "slow down")
		limited.RetryAfter = d
		return limited
	}
	for _, c := range []struct {
		err         error
		attempts    int // in all
		first, last time.Duration
	}{
		{problem.New(problem.ModelUnavailable, "down"), 5, 500 * time.Millisecond, 4 * time.Second},
		{fmt.Errorf("wrapped: %w", problem.New(problem.ModelGarbled, "half")), 3, 250 * time.Millisecond, 500 * time.Millisecond},
		{problem.New(problem.ModelTimeout, "silent"), 2, time.Second, time.Second},
		{problem.New(problem.ModelRateLimited, "slow down"), 8, time.Second, time.Minute},
		{named(7 * time.Second), 8, 7 * time.Second, 7 * time.Second},
		{named(24 * time.Hour), 8, time.Minute, time.Minute},
		{named(1 << 62), 8, time.Minute, time.Minute},
		{problem.New(problem.ModelAuth, "key"), 1, 0, 0},
		{problem.New(problem.ModelRefused, "no"), 1, 0, 0},
		{problem.New(problem.ModelUnknown, "who"), 1, 0, 0},
		{problem.New(problem.Internal, "oops"), 1, 0, 0},
		{context.Canceled, 1, 0, 0},
		{errors.New("a fault of ours"), 1, 0, 0},
	} {
		got := waits(t, 0, c.err)
		if len(got) != c.attempts-1 {
			t.Errorf("%v: %d attempts, want %d", c.err, len(got)+1, c.attempts)
			continue
		}
		if len(got) > 0 && (got[0] != c.first || got[len(got)-1] != c.last) {
			t.Errorf("%v: waits %v, want from %s to %s", c.err, got, c.first, c.last)
		}
	}
}

func TestRetryJitter(t *testing.T) {
	if got := waits(t, 0.999999, problem.New(problem.ModelUnavailable, "down"))[0]; got < 250*time.Millisecond || got > 251*time.Millisecond {
		t.Errorf("the shortest first wait is %s, want half of the longest", got)
	}
	limited := problem.New(problem.ModelRateLimited, "slow down")
	limited.RetryAfter = 10 * time.Second
	if got := waits(t, 0.5, limited)[0]; got != 10500*time.Millisecond {
		t.Errorf("a named wait became %s, want a little more than it", got)
	}
	limited.RetryAfter = math.MaxInt64 // a date beyond all clocks
	if got := waits(t, 0.5, limited)[0]; got != time.Minute {
		t.Errorf("an endless wait became %s, want the longest", got)
	}
}
