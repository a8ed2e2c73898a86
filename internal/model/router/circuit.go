package router

import (
	"context"
	"errors"
	"sync"
	"time"

	"errand/internal/problem"
)

const (
	// breakAfter is how many calls in a row fail until an endpoint is left alone.
	// A single run gives up before that matters to it; a crowd gets there at once.
	breakAfter = 5
	// breakWindow is how old the first of them may be: an endpoint that is called
	// twice an hour is not broken for failing twice.
	breakWindow = time.Minute
	// firstBreak is how long it is left alone. It doubles each time that the call
	// which then tries it fails too, up to lastBreak: long enough to be no burden,
	// short enough that a run's attempts outlast a restart of the endpoint.
	firstBreak = time.Second
	lastBreak  = 30 * time.Second
	// probeWait is how long others wait for the call that tries the endpoint. One
	// that takes longer is slow, and slow is not broken.
	probeWait = 10 * time.Second
	// steady is how much of the latency that is shown comes from earlier calls.
	steady = 0.8
)

// circuit knows how an endpoint is. After several failures in a row it is open:
// calls are refused without being made. Then it is half open: one call tries the
// endpoint, and those that come meanwhile wait for what it finds.
type circuit struct {
	name string
	now  func() time.Time

	mu       sync.Mutex
	failures int           // in a row
	since    time.Time     // the first of them
	breaks   int           // in a row
	until    time.Time     // open until then; zero = closed
	trying   chan struct{} // closed when the trying call has found out; nil = none is under way
	lastOK   time.Time
	lastFail time.Time
	fault    problem.Code  // at lastFail; not its detail, which belongs to whoever made that call
	latency  time.Duration // until the first token; 0 = no call has been answered
}

// States of a circuit.
const (
	Closed   = "closed"
	HalfOpen = "half_open"
	Open     = "open"
)

// broken reports whether a call would be refused, or made to wait for one that
// tries the endpoint.
func (c *circuit) broken() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return !c.until.IsZero() && (c.now().Before(c.until) || c.trying != nil)
}

// enter admits a call, as the one that tries the endpoint or like any other. The
// error is the context's, or what is known of the endpoint.
func (c *circuit) enter(ctx context.Context, stopped <-chan struct{}) (trying bool, err error) {
	found, trying, err := c.knock()
	if found == nil {
		return trying, err
	}
	timer := time.NewTimer(probeWait)
	defer timer.Stop()
	for found != nil {
		select {
		case <-found: // or given up: then the first who asks tries in its place
		case <-timer.C:
			return false, nil
		case <-stopped:
			return false, drained()
		case <-ctx.Done():
			return false, ctx.Err()
		}
		found, trying, err = c.knock()
	}
	return trying, err
}

// knock admits a call if it is known whether it may be made, or makes it the one
// that tries; else it returns what is closed when more is known.
func (c *circuit) knock() (found <-chan struct{}, trying bool, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.until.IsZero():
		return nil, false, nil
	case c.now().Before(c.until):
		return nil, false, c.refuse()
	case c.trying == nil:
		c.trying = make(chan struct{})
		return nil, true, nil
	}
	return c.trying, false, nil
}

// refuse is the error of a call that is not made. The lock is held.
func (c *circuit) refuse() error {
	wait := c.until.Sub(c.now())
	refused := problem.New(problem.ModelUnavailable, "%s has failed several calls in a row and is left alone for %s.", c.name, max(wait.Round(time.Second), time.Second))
	if c.fault != "" {
		refused.Detail += " The last failure was " + string(c.fault) + "."
	}
	refused.RetryAfter = max(wait, time.Millisecond)
	return refused
}

// alive says that the endpoint has begun to answer.
func (c *circuit) alive(took time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.latency == 0 {
		c.latency = took
	} else {
		c.latency = time.Duration(steady*float64(c.latency) + (1-steady)*float64(took))
	}
	c.mend()
}

// mend closes the circuit. The lock is held.
func (c *circuit) mend() {
	c.failures, c.breaks, c.until = 0, 0, time.Time{}
	c.found()
}

// found lets those go on who wait for the trying call. The lock is held.
func (c *circuit) found() {
	if c.trying != nil {
		close(c.trying)
		c.trying = nil
	}
}

// leave learns from what became of a call, and returns its error: with the time
// to wait when the endpoint is left alone for now, because an attempt before that
// would be wasted.
func (c *circuit) leave(trying bool, err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	var failure *problem.Error
	switch {
	case err == nil:
		c.lastOK = now
		c.mend()
	case !errors.As(err, &failure): // the caller has gone; it says nothing
		if trying {
			c.found()
		}
	default:
		c.lastFail, c.fault = now, failure.Code
		if !faulty(failure.Code) {
			c.mend() // it has answered, if only to say no
			return err
		}
		c.fail(now, trying)
		if wait := c.until.Sub(now); wait > failure.RetryAfter {
			later := *failure
			later.RetryAfter = wait
			return &later
		}
	}
	return err
}

// fail counts a failure, and opens the circuit. The lock is held.
func (c *circuit) fail(now time.Time, trying bool) {
	if c.failures == 0 || now.Sub(c.since) > breakWindow && c.until.IsZero() {
		c.failures, c.since = 0, now
	}
	c.failures++
	if trying || c.until.IsZero() && c.failures >= breakAfter {
		c.until = now.Add(min(firstBreak<<min(c.breaks, 10), lastBreak))
		c.breaks++
		c.found()
	}
}

// faulty reports whether an error is the endpoint's own failing, and not its
// answer to what it was asked. An answer that can't be used is one: it may well be
// that only this conversation gets such answers, and others are not to wait for it.
func faulty(code problem.Code) bool {
	return code == problem.ModelUnavailable || code == problem.ModelTimeout
}

// Health is how an endpoint is, as far as calls have shown.
type Health struct {
	State    string // of its circuit: Closed, HalfOpen, Open
	LastOK   time.Time
	LastFail time.Time
	Error    problem.Code  // of LastFail
	Latency  time.Duration // until the first token, smoothed; 0 = not known
	Active   int           // calls under way
	Waiting  int           // calls that wait for their turn
}

func (c *circuit) health() Health {
	c.mu.Lock()
	defer c.mu.Unlock()
	h := Health{State: Closed, LastOK: c.lastOK, LastFail: c.lastFail, Error: c.fault, Latency: c.latency}
	switch {
	case c.until.IsZero():
	case c.now().Before(c.until):
		h.State = Open
	default:
		h.State = HalfOpen
	}
	return h
}
