package router

import (
	"context"
	"errors"
	"math"
	"slices"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	// firstPause is how long a gate is closed by a refusal that names no time. It
	// doubles with each one until a call is accepted, up to maxWait.
	firstPause = time.Second
	// share is how much of what an endpoint has lately accepted is tried next: room
	// for what others do with the same key, and for a count that is not exact.
	share = 0.7
	// growth is how much faster calls may follow each other after each second
	// without a refusal. From share it takes four seconds to where the last refusal
	// came, however fast that was.
	growth = 1.1
	// openAfter is how long after its last refusal a gate stands open again. By then
	// growth has made the calls follow each other 300 times as fast.
	openAfter = time.Minute
	// hopeless is how long an endpoint refuses every call until those that wait are
	// refused like them, without being sent: they come to an end like the others.
	hopeless = time.Minute
)

// gate lets calls through to one endpoint. It stands open until the endpoint
// refuses a call because of its rate (HTTP 429); then it closes for the time that
// the endpoint names, and afterwards lets those that wait through one by one: a
// little slower than what was accepted before, faster as long as nothing is
// refused. The oldest run goes first, so that runs end instead of all being half
// done, and so that a call which was refused does not lose its turn.
//
// The operator's own limits are kept at the same gate, in the same line.
type gate struct {
	now func() time.Time
	allowance

	mu       sync.Mutex
	shutting bool       // the server stops: nobody waits any more
	line     []*waiting // oldest run first
	timer    *time.Timer
	next     time.Time // when the first of the line may go; zero = never closed
	shut     time.Time // the latest refusal that closed it; calls of before share its fate
	opened   time.Time // the end of the pause that followed
	room     int       // calls that were accepted in the second before shut
	pauses   int       // refusals that closed it since a call was accepted
	hope     time.Time // the first of them, or when the line was last sent away
	pace     pace
}

// waiting is a call in the line.
type waiting struct {
	run  run.ID
	turn chan error // nil: it may go
}

// enter waits until a call of the run may be made. It returns when that was, for
// leave; an error is the context's, or the endpoint's own refusal of all calls.
func (g *gate) enter(ctx context.Context, id run.ID) (time.Time, error) {
	g.mu.Lock()
	now := g.now()
	if len(g.line) == 0 && g.open(now) && g.allowance.free(now) {
		g.admit(now)
		g.mu.Unlock()
		return now, nil
	}
	if g.shutting {
		g.mu.Unlock()
		return now, drained()
	}
	me := &waiting{run: id, turn: make(chan error, 1)}
	place, _ := slices.BinarySearchFunc(g.line, me, func(a, b *waiting) int { return slices.Compare(a.run[:], b.run[:]) })
	g.line = slices.Insert(g.line, place, me)
	g.arm(now)
	g.mu.Unlock()
	select {
	case err := <-me.turn:
		return g.now(), err
	case <-ctx.Done():
		g.mu.Lock()
		defer g.mu.Unlock()
		if i := slices.Index(g.line, me); i >= 0 {
			g.line = slices.Delete(g.line, i, i+1)
		} else if <-me.turn == nil { // its turn came at the same moment, and goes to the next
			g.under--
			g.arm(g.now())
		}
		return now, ctx.Err()
	}
}

// open reports whether nothing is known of a limit of the endpoint's own.
func (g *gate) open(now time.Time) bool { return g.next.IsZero() || now.Sub(g.opened) > openAfter }

// busy reports whether a call would wait because of what the endpoint has refused.
func (g *gate) busy() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	return !g.open(now) && (len(g.line) > 0 || now.Before(g.next))
}

// standing is how many calls are under way, and how many wait.
func (g *gate) standing() (under, waiting int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.under, len(g.line)
}

// admit lets a call through. The lock is held.
func (g *gate) admit(now time.Time) {
	g.pace.count(now)
	g.allowance.take(now)
}

// arm sets the timer to the next turn, unless there is nobody whose turn it could
// be: then a call that leaves sets it. The lock is held.
func (g *gate) arm(now time.Time) {
	if len(g.line) == 0 || g.full() {
		return
	}
	wait := max(g.allowance.wait(now), 0)
	if !g.open(now) {
		wait = max(wait, g.next.Sub(now))
	}
	if g.timer == nil {
		g.timer = time.AfterFunc(wait, g.turn)
	} else {
		g.timer.Reset(wait)
	}
}

// turn lets the first of the line through, and as long as nothing holds them up
// those behind it.
func (g *gate) turn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	for len(g.line) > 0 && g.allowance.free(now) && (g.open(now) || !now.Before(g.next)) {
		first := g.line[0]
		g.line = slices.Delete(g.line, 0, 1)
		g.admit(now)
		if !g.open(now) {
			g.next = now.Add(g.spacing(now))
		}
		first.turn <- nil
	}
	g.arm(now)
}

// drain sends away everyone who waits, now and from now on.
func (g *gate) drain() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shutting = true
	for _, each := range g.line {
		each.turn <- drained()
	}
	g.line = nil
}

// spacing is the time between two calls.
func (g *gate) spacing(now time.Time) time.Duration {
	rate := max(share*float64(g.room), 1) * math.Pow(growth, max(now.Sub(g.opened), 0).Seconds())
	return time.Duration(float64(time.Second) / rate)
}

// leave learns from what became of a call that had entered at the time.
func (g *gate) leave(entered time.Time, err error) {
	var failure *problem.Error
	refused := errors.As(err, &failure) && failure.Code == problem.ModelRateLimited
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	g.under--
	defer g.arm(now)
	switch {
	case err != nil && !refused: // it says nothing about the rate
	case !refused:
		g.pauses = 0
	case entered.After(g.shut):
		g.close(now, failure)
	default: // it was under way when the gate was closed
		g.room--
		g.pause(now, failure.RetryAfter)
	}
}

// close closes the gate after a refusal.
func (g *gate) close(now time.Time, failure *problem.Error) {
	if g.pauses == 0 {
		g.hope = now
	}
	g.shut, g.room = now, g.pace.last(now)-1
	pause := failure.RetryAfter
	if pause <= 0 {
		pause = firstPause << min(g.pauses, 10)
	}
	g.pauses++
	g.opened, g.next = now, now
	g.pause(now, pause)
	if now.Sub(g.hope) > hopeless {
		for _, each := range g.line {
			each.turn <- failure
		}
		g.line, g.hope = nil, now
	}
}

// pause keeps the gate closed for a while, if it would open sooner. Who calls it
// arms the gate anew.
func (g *gate) pause(now time.Time, wait time.Duration) {
	if opens := now.Add(min(wait, maxWait)); opens.After(g.next) {
		g.opened, g.next = opens, opens
	}
}

// pace counts calls, by the second.
type pace struct {
	second time.Time // when the one of now began
	calls  int       // in it
	before int       // in the one before
}

// turnTo makes the second of now the current one.
func (p *pace) turnTo(now time.Time) {
	switch since := now.Sub(p.second); {
	case since >= 2*time.Second:
		p.second, p.calls, p.before = now, 0, 0
	case since >= time.Second:
		p.second, p.calls, p.before = p.second.Add(time.Second), 0, p.calls
	}
}

func (p *pace) count(now time.Time) {
	p.turnTo(now)
	p.calls++
}

// last is about how many calls there were in the second before now.
func (p *pace) last(now time.Time) int {
	p.turnTo(now)
	rest := 1 - now.Sub(p.second).Seconds()
	return p.calls + int(rest*float64(p.before))
}
