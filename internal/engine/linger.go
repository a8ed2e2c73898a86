package engine

import (
	"time"

	"errand/internal/run"
)

// lingering is how long facts that nobody waits for stay in memory, so that they
// share a commit with what comes next: each commit of a run costs its line in the
// lists, and a place in a group. A crash in that time costs what it costs while a
// commit is on its way to the disk, and is about as likely.
const lingering = 10 * time.Millisecond

// pressing reports whether what is queued has to go to the disk now: somebody
// waits for it, or reads along, or a promise needs it.
func (d *driver) pressing(decision run.Decision) bool {
	switch {
	case d.created != nil, d.failed > 0, d.missed, len(d.held) > 0, !d.claimed:
		return true
	case d.state.Status != run.Running, decision.Waits(), decision.Finish != nil:
		return true // it ends, or waits for someone who has to see it
	case d.feed.watched.Load() > 0, d.e.isDraining():
		return true
	}
	for i := range d.queue {
		if !quiet(d.queue[i].Type) {
			return true
		}
	}
	return false
}

// quiet reports whether an event only tells what has come of an effect.
func quiet(t run.Type) bool {
	switch t {
	case run.ModelResponded, run.ModelFailed, run.ToolStarted, run.ToolFinished:
		return true
	}
	return false
}

// linger reports whether the queue may wait, and sees to it that the driver is
// woken when it may not any more.
func (d *driver) linger() bool {
	switch {
	case d.due:
		return false
	case d.lag == nil:
		d.lag = d.after(lingering, func() { d.due, d.lag = len(d.queue) > 0, nil })
	}
	d.feed.lingers.Store(true)
	return d.feed.watched.Load() == 0 // one who came before that was stored has hurried nobody
}

// follow counts a reader of the stream, who wants to see at once what lingers.
func (e *Engine) follow(id run.ID, f *feed) {
	f.watched.Add(1)
	if !f.lingers.Load() {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if d := e.drivers[id]; d != nil {
		select {
		case d.hurry <- struct{}{}:
		default:
		}
	}
}
