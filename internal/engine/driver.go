package engine

import (
	"context"

	"errand/internal/run"
)

// driver keeps one run moving: it asks the core what should be under way, starts
// and cuts effects, and appends what came of them. All its fields belong to the
// one goroutine of drive; effects report through results.
type driver struct {
	e     *Engine
	id    run.ID
	feed  *feed
	state run.State // with everything, stored or on its way
	journal
	purse
	project string // of a run that this driver creates
	term    *term  // in which it drives

	tasks   map[string]*task
	held    map[string]int64 // tool calls that wait until their tool.started, of this seq, is on disk
	results chan *result
	poke    chan struct{}
	hurry   chan struct{} // somebody wants to see what lingers
	gone    chan struct{} // closed when nobody reads results any more
	alarms
	lane   *run.LaneID // in which it has a place, as far as this node knows; nil = none
	missed bool        // someone has appended while a commit was in flight
	final  error       // why the driver gives up; nil while it does not
}

// task is an effect under way.
type task struct {
	effect run.Effect
	cancel context.CancelFunc
	cut    bool // it was cut off, and may still say what it has done
}

func newDriver(e *Engine, id run.ID, f *feed) *driver {
	return &driver{
		e: e, id: id, feed: f, term: e.term.Load(), journal: journal{settled: make(chan error, 1)},
		tasks: map[string]*task{}, held: map[string]int64{},
		results: make(chan *result), poke: make(chan struct{}, 1), hurry: make(chan struct{}, 1), gone: make(chan struct{}),
		alarms: alarms{rung: make(chan func())},
	}
}

// drive is the driver's goroutine. It returns when the run rests or has ended,
// when another driver has taken it over, or when the engine shuts down.
func (d *driver) drive(ctx context.Context) {
	defer d.abandon()
	for d.final == nil {
		decision := d.advance(ctx)
		if d.final != nil {
			break
		}
		if d.idle(decision) && d.letGo(ctx) {
			var rest *run.State
			if d.state.Ended != nil || decision.Waits() && !d.state.AwaitsChild() {
				rest = &d.state
			}
			if d.e.leave(d, rest) {
				return
			}
		}
		if d.final == nil {
			d.await(ctx)
		}
	}
	d.e.dismiss(d)
}

// advance brings what is under way in line with what the core decides, until the
// two agree, and submits what there is to store.
func (d *driver) advance(ctx context.Context) run.Decision {
	for {
		if d.final != nil || d.lost != nil && !d.refold(nil) {
			return run.Decision{Hold: true}
		}
		if d.claim(); d.final != nil {
			return run.Decision{Hold: true}
		}
		decision := run.Decide(&d.state)
		before := d.state.Seq
		d.cutUnnamed(decision)
		switch {
		case d.expire(decision):
		case decision.Finish != nil && len(d.tasks) == 0:
			d.add(run.Event{Type: run.RunFinished, Ended: decision.Finish})
		case !d.blocked():
			d.startMissing(ctx, decision)
		}
		if d.state.Seq == before {
			d.submit(decision)
			return decision
		}
	}
}

// blocked reports whether no effect may start: the disk refuses to take what has
// happened, the server is shutting down, or it is not alive to the others, or nobody
// knows yet whether the run has a place in its lane.
func (d *driver) blocked() bool {
	full := d.failed > 0 && (len(d.queue)+len(d.inflight) > 0 || d.resting)
	return full || d.e.isDraining() || d.hushed() || d.unplaced()
}

// idle reports whether the driver has nothing left to do or wait for.
func (d *driver) idle(decision run.Decision) bool {
	if len(d.tasks)+len(d.queue)+len(d.inflight)+len(d.held) > 0 || d.lost != nil {
		return false
	}
	return d.state.Ended != nil || decision.Waits() || d.e.isDraining()
}

// await sleeps until something happens, and books it.
func (d *driver) await(ctx context.Context) {
	select {
	case err := <-d.settled:
		d.settle(ctx, err)
	case r := <-d.results:
		d.book(r)
	case <-d.poke:
		d.refresh(ctx)
	case <-d.hurry:
		d.due = len(d.queue) > 0
	case do := <-d.rung:
		do()
	case <-ctx.Done():
		d.final = ctx.Err()
	case <-d.drainSignal():
		// Decide again: nothing new starts from here on.
	}
}

// prod has the driver look at the log again.
func (d *driver) prod() {
	select {
	case d.poke <- struct{}{}:
	default:
	}
}

// drainSignal wakes an otherwise idle driver once when the server shuts down. A
// driver with calls under way waits for them, not for the signal.
func (d *driver) drainSignal() <-chan struct{} {
	if d.e.isDraining() {
		return nil
	}
	return d.e.draining
}
