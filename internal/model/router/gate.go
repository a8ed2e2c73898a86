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
type gate struct {
	now func() time.Time

	mu     sync.Mutex
	line   []*waiting // oldest run first
	timer  *time.Timer
	next   time.Time // when the first of the line may go; zero = never closed
	shut   time.Time // the latest refusal that closed it; calls of before share its fate
	opened time.Time // the end of the pause that followed
	room   int       // calls that were accepted in the second before shut
	pauses int       // refusals that closed it since a call was accepted
	hope   time.Time // the first of them, or when the line was last sent away
	pace   pace
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
	if len(g.line) == 0 && (g.next.IsZero() || now.Sub(g.opened) > openAfter) {
		g.pace.count(now)
		g.mu.Unlock()
		return now, nil
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
		}
		return now, ctx.Err()
	}
}

// arm sets the timer to the next turn, unless there is nobody whose turn it could
// be. The lock is held.
func (g *gate) arm(now time.Time) {
	switch {
	case len(g.line) == 0:
	case g.timer == nil:
		g.timer = time.AfterFunc(max(g.next.Sub(now), 0), g.turn)
	default:
		g.timer.Reset(max(g.next.Sub(now), 0))
	}
}

// turn lets the first of the line through.
func (g *gate) turn() {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if len(g.line) > 0 && !now.Before(g.next) {
		first := g.line[0]
		g.line = slices.Delete(g.line, 0, 1)
		g.pace.count(now)
		g.next = now.Add(g.spacing(now))
		first.turn <- nil
	}
	g.arm(now)
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
	if err != nil && !refused {
		return // it says nothing about the rate
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	switch {
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

// pause keeps the gate closed for a while, if it would open sooner.
func (g *gate) pause(now time.Time, wait time.Duration) {
	if opens := now.Add(min(wait, maxWait)); opens.After(g.next) {
		g.opened, g.next = opens, opens
		g.arm(now)
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
