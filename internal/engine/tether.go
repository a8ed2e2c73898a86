package engine

import (
	"context"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// tetherSlack is how long a tethered run goes on without a reader: a client that
// reconnects at once, or a proxy that repeats the request, finds it at work.
const tetherSlack = 250 * time.Millisecond

// unread is why a tethered run is cancelled.
const unread = "The last reader of its answer has gone."

// attend is acquire for a reader.
func (e *Engine) attend(id run.ID) *feed {
	e.mu.Lock()
	defer e.mu.Unlock()
	f := e.acquireLocked(id)
	f.readers++
	return f
}

// depart is release for a reader. When the last one is cut off from a tethered run
// that is at work, the run ends unless another reader comes in time. One that stops
// while its ctx lives has read what it came for: the run may have halted there, and
// gone on since. Readers that a shutdown sends away come back.
func (e *Engine) depart(ctx context.Context, id run.ID, f *feed) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f.readers--
	if alone := ctx.Err() != nil && f.readers == 0 && f.leashed() && !e.isDraining(); !alone {
		e.releaseLocked(id, f)
		return
	}
	e.effects.Add(1) // under the lock: Close waits for what came before it
	time.AfterFunc(tetherSlack, func() {
		defer e.effects.Done()
		defer e.release(id, f)
		e.loose(id, f)
	})
}

// loose cancels a run that nobody has come back to. One that waits for a person
// has given its answer: it stays.
func (e *Engine) loose(id run.ID, f *feed) {
	e.mu.Lock()
	over := f.readers > 0 || e.isDraining()
	e.mu.Unlock()
	if over || e.heldElsewhere(id) {
		return
	}
	_, err := e.amend(context.WithoutCancel(e.ctx), f.owner(), id, func(s *run.State) ([]run.Event, error) {
		if !s.Spec.Tethered || s.Ended != nil || s.Cancel != nil || s.Status != run.Running && s.Status != run.Queued {
			return nil, nil
		}
		return []run.Event{{Type: run.CancelRequested, Cancel: &run.Cancel{Reason: unread}}}, nil
	})
	if err != nil && !problem.Is(err, problem.NotFound) {
		e.cfg.Logger.Warn("a run that nobody reads could not be cancelled", "run", id.String(), "error", err)
	}
}

// heldElsewhere reports whether another node drives the run: it hears from all that
// have readers, and lets the run go when none has.
func (e *Engine) heldElsewhere(id run.ID) bool {
	if e.cluster == nil {
		return false
	}
	line, err := e.cfg.Log.Summary(e.ctx, id)
	return err == nil && line.Driver != "" && line.Driver != e.node()
}

// leash says whether the run ends with its last reader.
func (f *feed) leash(tethered bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tethered = tethered
}

// leashed reports whether the run may end with its last reader: it is at work, and
// nothing says that it has no tether. Of a run that waits for a driver or for a
// child the feed does not know; loose reads its log.
func (f *feed) leashed() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.relay != nil: // another node has readers
		return false
	case f.driven:
		return f.tethered
	}
	return f.project != "" && !f.rest
}

func (f *feed) owner() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.project
}
