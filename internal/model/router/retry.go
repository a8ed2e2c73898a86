package router

import (
	"errors"
	"time"

	"errand/internal/problem"
)

// maxWait bounds a wait between two attempts, also one that a provider asks for:
// whoever says "in a day" means "no".
const maxWait = time.Minute

// patience is how often, and how, a kind of error is tried again.
type patience struct {
	attempts int           // in all
	first    time.Duration // wait after the first attempt; doubled after each one
}

// patienceFor tells the errors that may pass from those that will not.
func patienceFor(code problem.Code) patience {
	switch code {
	case problem.ModelRateLimited: // the provider is well and says when: worth most patience
		return patience{attempts: 8, first: time.Second}
	case problem.ModelUnavailable:
		return patience{attempts: 5, first: 500 * time.Millisecond}
	case problem.ModelGarbled:
		return patience{attempts: 3, first: 250 * time.Millisecond}
	case problem.ModelTimeout: // each attempt has already cost minutes
		return patience{attempts: 2, first: time.Second}
	}
	return patience{attempts: 1}
}

// Retry says whether another attempt may help after this error of the given
// attempt, from 1, and how long to wait before it. Whether the error may be
// repeated at all, because something was shown already, is the caller's to know.
//
// The wait doubles with each attempt, up to a minute, and is cut by up to a half
// at random, so that many runs that failed together do not come back together. A
// time that the provider named is kept to, and a little random is added.
func (r *Router) Retry(err error, attempt int) (again bool, after time.Duration) {
	var failure *problem.Error
	if !errors.As(err, &failure) {
		return false, 0 // the context's end, or a fault of ours
	}
	if errors.Is(err, errDrained) {
		return true, 0 // it was not made at all
	}
	how := patienceFor(failure.Code)
	if attempt = max(attempt, 1); attempt >= how.attempts {
		return false, 0
	}
	wait := min(maxWait, how.first<<(attempt-1))
	wait = time.Duration(float64(wait) * (1 - r.cfg.Random()/2))
	if named := min(failure.RetryAfter, maxWait); named > 0 {
		wait = min(maxWait, named+time.Duration(float64(named)*r.cfg.Random()/10))
	}
	return true, wait
}
