package engine

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// A lane bounds how many of its runs have a driver (run.Lane). Whoever finds it
// full waits in it, in order, and holds no driver; each driver that parts wakes
// the first of those that wait. Lanes are in memory alone: after a restart the
// runs that need a driver come again, oldest first, and fill them anew. One of
// several nodes knows its own part of each lane; place.go has what they hold together.

// laneRetry is what a caller is told to wait who found a lane's queue full: runs
// take seconds at least.
const laneRetry = 5 * time.Second

// errLaneFull makes a driver go: its run waits in its lane.
var errLaneFull = errors.New("the run's lane is full")

// narrow puts a run into the lane of its key, if that may have only so many at work.
func (e *Engine) narrow(ctx context.Context, spec *run.Spec) {
	if e.cfg.AtOnce == nil || spec.Lane != nil || spec.Key == "" {
		return
	}
	if most := e.cfg.AtOnce(ctx, spec.Key); most > 0 {
		spec.Lane = &run.Lane{Name: "key/" + spec.Key, Max: most}
	}
}

// lane is who is at work in it and who waits.
type lane struct {
	active  int
	waiting []laned // those who go first are first
	shut    bool    // the store has found it full: nobody here tries before there is news
	most    int     // that may be at work, as the latest run says
	aged    bool    // who is older goes first, not who came first: runs come round the nodes
}

type laned struct {
	id       run.ID
	priority int
}

// place is where a run stands among those that wait, or would stand: behind its
// equals.
func (l *lane) place(id run.ID, priority int) (at int, waits bool) {
	if at = slices.IndexFunc(l.waiting, func(w laned) bool { return w.id == id }); at >= 0 {
		return at, true
	}
	at = len(l.waiting)
	for at > 0 && l.before(id, priority, l.waiting[at-1]) {
		at--
	}
	return at, false
}

// before reports whether a run goes before one that waits.
func (l *lane) before(id run.ID, priority int, other laned) bool {
	older := l.aged && bytes.Compare(id[:], other.id[:]) < 0
	return priority > other.priority || priority == other.priority && older
}

// line lets a run wait, unless it does.
func (l *lane) line(id run.ID, priority int) {
	if at, waits := l.place(id, priority); !waits {
		l.waiting = slices.Insert(l.waiting, at, laned{id, priority})
	}
}

func (l *lane) drop(id run.ID) {
	l.waiting = slices.DeleteFunc(l.waiting, func(w laned) bool { return w.id == id })
}

// lane returns the run's, made if need be. The lock is held.
func (e *Engine) lane(spec *run.Spec) (run.LaneID, *lane) {
	key := run.LaneID{Project: spec.Project, Name: spec.Lane.Name}
	l := e.lanes[key]
	if l == nil {
		l = &lane{aged: e.cluster != nil}
		e.lanes[key] = l
	}
	l.most = spec.Lane.Max
	return key, l
}

// occupy takes a place for a driver if there is one for its run; those who wait
// before it come first. The lock is held.
func (e *Engine) occupy(d *driver, spec *run.Spec) bool {
	key, l := e.lane(spec)
	moved := l.reorder(d.id, spec.Lane.Priority)
	ahead, _ := l.place(d.id, spec.Lane.Priority)
	if l.shut || l.active+ahead >= spec.Lane.Max {
		if moved {
			e.callNext(key, l) // it was woken for a turn that is another's
		}
		return false
	}
	l.active++
	d.lane = &key
	l.drop(d.id)
	if l.active < spec.Lane.Max {
		e.callNext(key, l)
	}
	return true
}

// admit finds a place in its lane for a new run, or a place in its queue. The lock
// is held.
func (e *Engine) admit(d *driver, spec *run.Spec) (entered bool, err error) {
	if spec.Lane == nil || e.occupy(d, spec) {
		return true, nil
	}
	_, l := e.lane(spec)
	if e.cluster == nil { // the store knows who waits on all nodes
		if err := l.crowded(spec.Lane); err != nil {
			return false, err
		}
	}
	l.line(d.id, spec.Lane.Priority)
	return false, nil
}

// enter reports whether the driver may work: it has a place in its run's lane, or
// has just found one. A run that is only to be ended needs none.
func (d *driver) enter() bool {
	spec := &d.state.Spec
	if spec.Lane == nil || d.lane != nil || d.state.Cancel != nil || d.state.Deadline != "" {
		return true
	}
	d.e.mu.Lock()
	defer d.e.mu.Unlock()
	if d.e.occupy(d, spec) {
		return true
	}
	_, l := d.e.lane(spec)
	l.line(d.id, spec.Lane.Priority)
	return false
}

// vacate gives up what a driver that parts has in its lane: its place, or, unless
// its run goes on waiting, its turn. The lock is held.
func (e *Engine) vacate(d *driver) {
	switch {
	case d.lane != nil:
		key := *d.lane
		d.lane = nil
		l := e.lanes[key]
		l.active--
		l.heed(d)
		e.callNext(key, l)
	case d.state.CreatedAt.IsZero(): // there is no such run, and its lane is not known
		e.outOfLine(d.id)
	case !errors.Is(d.final, errLaneFull):
		e.unlane(d.id, &d.state.Spec)
	}
}

// outOfLine takes a run of which only the id is known out of those that wait in lanes.
// The lock is held.
func (e *Engine) outOfLine(id run.ID) {
	for key, l := range e.lanes {
		if _, waits := l.place(id, 0); waits {
			l.drop(id)
			e.callNext(key, l)
		}
	}
}

// roomIn reports why a run that another one starts may not even wait in its lane.
func (e *Engine) roomIn(ctx context.Context, spec *run.Spec) error {
	if spec.Lane == nil {
		return nil
	}
	if e.cluster != nil {
		return e.roomAnywhere(ctx, spec)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if _, l := e.lane(spec); l.active >= spec.Lane.Max {
		return l.crowded(spec.Lane)
	}
	return nil
}

// crowded is the problem of a lane whose queue is full, or nil.
func (l *lane) crowded(of *run.Lane) error {
	if of.Queue <= 0 || len(l.waiting) < of.Queue {
		return nil
	}
	return asManyAsMay(l.active, len(l.waiting))
}

func asManyAsMay(working, waiting int) error {
	p := problem.New(problem.RateLimited,
		"%d of these runs are at work and %d wait, which is as many as may: try again when one has ended.", working, waiting)
	p.RetryAfter = laneRetry
	return p
}

// unlane takes a run out of those that wait: it has ended, or needs no driver now.
// The lock is held.
func (e *Engine) unlane(id run.ID, spec *run.Spec) {
	if spec.Lane == nil {
		return
	}
	key, l := e.lane(spec)
	l.drop(id)
	e.callNext(key, l)
}

// callNext wakes the first of those that wait; it finds out for itself whether
// there is room. The lock is held.
func (e *Engine) callNext(key run.LaneID, l *lane) {
	switch {
	case len(l.waiting) > 0:
		if !l.shut {
			e.wakeLocked(l.waiting[0].id, key.Project)
		}
	case l.active == 0:
		delete(e.lanes, key)
	}
}
