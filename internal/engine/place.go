package engine

import (
	"context"
	"errors"

	"errand/internal/run"
)

// Between nodes a run has a place in its lane if its line names a driver: the store
// gives it in the transaction of the append that puts the name there, and it is free
// again with the append, or the burial of a node, that takes the name out. So nothing is
// begun for a run in a lane before that append is on disk. What a node knows of a lane
// by itself is who works here and who waits here; whom the store turns away waits, and
// nobody here tries again before a driver here has left, another node has said that one
// has left there, or the count that is asked for each second has room.

// bind asks the store for a place in the lane of the run, with the append that puts this
// driver's name into its line, or by which it begins to wait.
func (d *driver) bind(a *run.Append) {
	lane := d.state.Spec.Lane
	if lane == nil {
		return
	}
	a.Summary.Lane = lane.Name
	if d.signing && !d.signed && d.lane != nil || !d.signing && d.created != nil {
		a.Bound = &run.Bound{Most: lane.Max, Queue: lane.Queue}
	}
}

// unplaced reports whether the driver waits to hear if its run has a place.
func (d *driver) unplaced() bool { return d.e.cluster != nil && d.lane != nil && !d.signed }

// makeQueued makes a new run anew, as one that waits: the store had no place for it.
func (d *driver) makeQueued(events []run.Event) {
	first, n := events[0], d.fresh
	d.fresh, d.refused = nil, true
	first.Created = &run.Created{Spec: n.Spec, Queued: true}
	d.state = run.Fold(d.id, []run.Event{first})
	d.queue, d.rows, d.jobs = []run.Event{first}, n.Rows, n.Jobs
	d.flying, d.term = slip{}, &term{ctx: d.term.ctx} // nobody drives it
	d.submit(run.Decision{})
}

// outcome is what has become of a new run: it may have been made to wait.
func (d *driver) outcome(made run.State, err error) (run.State, error) {
	switch {
	case errors.Is(err, run.ErrLaneFull):
		return made, asManyAsMay(made.Spec.Lane.Max, made.Spec.Lane.Queue)
	case d.refused:
		made.Queued, made.Status = true, run.Queued
	}
	return made, err
}

// cede tells the others that there is a place in the run's lane.
func (e *Engine) cede(spec *run.Spec) {
	if spec.Lane != nil {
		e.say(word{Project: spec.Project, Lane: spec.Lane.Name})
	}
}

// heed takes in what the store has said of a lane to a driver that parts: whom it has
// turned away waits, and so do all who come. The lock is held.
func (l *lane) heed(d *driver) {
	waits := errors.Is(d.final, errLaneFull)
	l.shut = waits || errors.Is(d.final, run.ErrLaneFull)
	if waits {
		l.line(d.id, d.state.Spec.Lane.Priority)
	}
}

// hearOfLane takes in that there is a place in a lane, or who goes first of those that
// wait for one on another node: whoever has a place to give here gives it in that order.
func (e *Engine) hearOfLane(w *word) {
	key := run.LaneID{Project: w.Project, Name: w.Lane}
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.lanes[key]
	switch {
	case w.Run.IsZero():
		e.open(key)
	case l != nil && e.drivers[w.Run] == nil:
		l.reorder(w.Run, w.First)
		l.line(w.Run, w.First)
	}
}

// open has the first of those who wait in a lane try for a place: also where nobody has
// been turned away, for who waits there may only have been heard of, and have gone since.
// The lock is held.
func (e *Engine) open(key run.LaneID) {
	if l := e.lanes[key]; l != nil && l.active < l.most {
		l.shut = false
		e.callNext(key, l)
	}
}

// reopen looks for places in the lanes in which runs wait here, and for who waits there on
// other nodes: nobody says so when a node dies, and words get lost.
func (e *Engine) reopen() {
	e.mu.Lock()
	var keys []run.LaneID
	var firsts []word
	for key, l := range e.lanes {
		if len(l.waiting) > 0 {
			keys = append(keys, key)
			firsts = append(firsts, word{Project: key.Project, Lane: key.Name, Run: l.waiting[0].id, First: l.waiting[0].priority})
		}
	}
	e.mu.Unlock()
	if len(keys) == 0 {
		return
	}
	for _, first := range firsts {
		e.say(first)
	}
	ctx, cancel := context.WithTimeout(e.ctx, readTimeout)
	defer cancel()
	places, err := e.cluster.Places(ctx, keys)
	if err != nil {
		return // the next look will do; the store says itself what ails it
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, key := range keys {
		l, there := e.lanes[key], places[key]
		if l == nil {
			continue
		}
		e.join(l, there.Next)
		if there.Working < l.most {
			e.open(key)
		}
	}
}

// join puts runs that wait on other nodes into a lane's row. Their priority is not known
// before they are read: till then it is that of the first. One that has a driver here has
// just got its place. The lock is held.
func (e *Engine) join(l *lane, others []run.ID) {
	for _, id := range others {
		if len(l.waiting) > 0 && e.drivers[id] == nil {
			l.line(id, l.waiting[0].priority)
		}
	}
}

// reorder gives a run that waits its place by the priority that it has, if another one
// was taken for it, and reports whether that was so.
func (l *lane) reorder(id run.ID, priority int) bool {
	at, waits := l.place(id, priority)
	if !waits || l.waiting[at].priority == priority {
		return false
	}
	l.drop(id)
	l.line(id, priority)
	return true
}

// roomAnywhere is roomIn where the lane is that of several nodes. What others start at
// the same moment is not seen.
func (e *Engine) roomAnywhere(ctx context.Context, spec *run.Spec) error {
	if spec.Lane.Queue <= 0 {
		return nil
	}
	key := run.LaneID{Project: spec.Project, Name: spec.Lane.Name}
	places, err := e.cluster.Places(ctx, []run.LaneID{key})
	if err != nil {
		return nil // it is about to begin, and waits if it has to
	}
	if there := places[key]; there.Working >= spec.Lane.Max && there.Waiting >= spec.Lane.Queue {
		return asManyAsMay(there.Working, there.Waiting)
	}
	return nil
}

// census counts who waits for a driver on all nodes, while new runs wait here too: the
// bound of the queue is that of all nodes together. What others let in within a second
// is not seen.
func (e *Engine) census() {
	e.mu.Lock()
	full := len(e.drivers) >= e.cfg.MaxActive
	e.mu.Unlock()
	var waiting map[string]int
	if full {
		ctx, cancel := context.WithTimeout(e.ctx, readTimeout)
		defer cancel()
		var err error
		if waiting, err = e.cluster.Waiting(ctx); err != nil {
			return // what was known is better than nothing
		}
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting.learn(waiting)
}
