package router

import "time"

// minute is the window of Endpoint.PerMinute.
const minute = time.Minute

// allowance is what the operator allows at an endpoint: so many calls at once, and so
// many begun in any minute. The lock of its gate guards it.
type allowance struct {
	atOnce    int         // 0 = any number
	perMinute int         // likewise
	under     int         // calls under way
	begun     []time.Time // when the latest of them began, a ring of perMinute
	oldest    int         // in the ring
}

// full reports whether a call must wait until another one leaves.
func (a *allowance) full() bool { return a.atOnce > 0 && a.under >= a.atOnce }

// wait is how long a call must wait for the minute to pass; 0 or less = not at all.
func (a *allowance) wait(now time.Time) time.Duration {
	if a.perMinute == 0 || len(a.begun) < a.perMinute {
		return 0
	}
	return a.begun[a.oldest].Add(minute).Sub(now)
}

// free reports whether a call may begin.
func (a *allowance) free(now time.Time) bool { return !a.full() && a.wait(now) <= 0 }

// take books a call that begins.
func (a *allowance) take(now time.Time) {
	a.under++
	switch {
	case a.perMinute == 0:
	case len(a.begun) < a.perMinute:
		a.begun = append(a.begun, now)
	default:
		a.begun[a.oldest] = now
		a.oldest = (a.oldest + 1) % a.perMinute
	}
}
