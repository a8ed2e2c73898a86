package search

import (
	"sync"
	"time"
)

const (
	// tolerated failures in a row may be chance.
	tolerated = 3
	// shortest and longest are how long a provider is left alone: long enough that
	// searches do not wait for it one by one, short enough that a person who has
	// mended it need not restart the server.
	shortest = 30 * time.Second
	longest  = 5 * time.Minute
)

// breaker remembers whether a provider works. Closed, all queries go through;
// open, none; when its time is over, one goes through and decides.
type breaker struct {
	mu       sync.Mutex
	failures int           // in a row
	until    time.Time     // open until then
	pause    time.Duration // how long it was open the last time
	trying   bool          // the one query is under way
}

// enter reports whether the provider is to be left alone, and for how long.
func (b *breaker) enter(now time.Time) (wait time.Duration, open bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.until.IsZero():
		return 0, false
	case now.Before(b.until):
		return b.until.Sub(now), true
	case b.trying:
		return time.Second, true
	}
	b.trying = true
	return 0, false
}

// worked closes the breaker.
func (b *breaker) worked() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures, b.until, b.pause, b.trying = 0, time.Time{}, 0, false
}

// failed counts a failure. A provider that named a time is left alone until then.
func (b *breaker) failed(now time.Time, named time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.failures++
	tried := b.trying
	b.trying = false
	switch {
	case named > 0:
		b.pause = min(named, longest)
	case b.failures < tolerated && !tried:
		return
	default:
		b.pause = min(max(2*b.pause, shortest), longest)
	}
	b.until = now.Add(b.pause)
}

// abandon forgets a query whose end nobody waited for.
func (b *breaker) abandon() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.trying = false
}
