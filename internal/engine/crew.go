package engine

import (
	"context"
	"slices"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// NewRun asks for a run.
type NewRun struct {
	ID   run.ID // zero = the engine makes one
	Spec run.Spec
	Rows []run.RowWrite // written in the transaction of run.created
	Jobs []run.Job      // likewise
}

// Create starts a run and returns it when its first event is on disk; its first
// model call has begun by then. Errors: *run.RowConflict for Rows, overloaded,
// storage_full.
func (e *Engine) Create(ctx context.Context, n NewRun) (run.State, error) {
	if n.ID.IsZero() {
		n.ID = e.NewID()
	}
	e.narrow(ctx, &n.Spec)
	n.Spec.Trace, n.Spec.TraceLink = askedBy(ctx), ""
	if !e.alive() {
		return run.State{}, overloaded("This server can't reach the store that it shares with others; try again in a moment.")
	}
	f := e.acquire(n.ID)
	created := make(chan error, 1)
	d := newDriver(e, n.ID, f)
	d.epoch, d.asked, d.rows, d.jobs, d.created = 1, true, n.Rows, n.Jobs, created
	d.state.ID, d.project = n.ID, n.Spec.Project
	if e.cluster != nil && n.Spec.Lane != nil {
		d.fresh = &n
	}
	f.leash(n.Spec.Tethered)
	uncount, err := e.countIn(&n.Spec)
	if err != nil {
		e.release(n.ID, f)
		return run.State{}, err
	}
	queued, err := e.enlist(d, &n.Spec)
	if err != nil {
		uncount()
		e.release(n.ID, f)
		return run.State{}, err
	}
	d.deed = e.eventID()
	d.add(run.Event{ID: d.deed, Type: run.RunCreated, Created: &run.Created{Spec: n.Spec, Queued: queued}})
	state := d.state
	if queued {
		// Nobody drives it yet: the commit alone, and then a place in the queue.
		if e.cluster != nil {
			d.term = &term{ctx: e.ctx}
		}
		d.submit(run.Decision{})
		go func() {
			defer e.release(n.ID, f)
			defer e.arrived(n.Spec.Project)
			if d.settle(e.ctx, <-d.settled); d.final == nil || d.doubt {
				e.wakeOf(&n.Spec, n.ID)
			} else {
				e.mu.Lock()
				e.unlane(n.ID, &n.Spec)
				e.mu.Unlock()
			}
		}()
	} else {
		go e.employ(d, f)
	}
	select {
	case err = <-created:
		return d.outcome(state, err)
	case <-ctx.Done():
		return state, ctx.Err()
	}
}

// enlist finds room for a new run's driver, or a place in the queue.
func (e *Engine) enlist(d *driver, spec *run.Spec) (queued bool, err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	room := len(e.drivers) < e.cfg.MaxActive
	if !e.works(spec) && !e.isDraining() {
		e.waiting.expect(spec.Project)
		return true, nil // another node drives it
	}
	switch {
	case e.isDraining():
		return false, overloaded("This server is shutting down; try again in a moment.")
	case !room && e.waiting.full(spec.Project, e.cfg.MaxActive):
		return false, overloaded("This server has all the runs that it can take; try again in a moment.")
	}
	entered := false
	if room || spec.Lane != nil && spec.Lane.Queue > 0 {
		if entered, err = e.admit(d, spec); err != nil {
			return false, err
		}
	}
	if entered && room {
		e.hire(d)
		return false, nil
	}
	if entered {
		e.vacate(d) // it finds a place again when there is room for its driver
	}
	e.waiting.expect(spec.Project)
	return true, nil
}

// arrived says that a queued run is on disk, or that it never will be.
func (e *Engine) arrived(project string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.waiting.expected(project)
}

func overloaded(detail string) error {
	p := problem.New(problem.Overloaded, "%s", detail)
	p.RetryAfter = time.Second
	return p
}

// hire gives the driver its place. The lock is held.
func (e *Engine) hire(d *driver) {
	e.drivers[d.id] = d
	d.feed.start(d.project)
	e.workers.Add(1)
	e.gauge()
}

// employ runs a hired driver to its end.
func (e *Engine) employ(d *driver, f *feed) {
	defer e.workers.Done()
	defer e.release(d.id, f)
	roomForDriver(len(d.queue))
	d.drive(d.term.ctx)
	if d.doubt {
		e.wake(d.id)
	}
}

// wake sees to it that a run which needs a driver gets one: the one it has looks
// at the log again, or a new one takes over as soon as there is room.
func (e *Engine) wake(id run.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wakeLocked(id, "")
}

// wakeLocked is wake under the lock; project may be empty where it is not known.
func (e *Engine) wakeLocked(id run.ID, project string) {
	if e.cluster != nil && e.drivers[id] == nil {
		e.glanceAt(id, project, true) // another node may have it
		return
	}
	e.engage(id, project)
}

// engage is wake where nobody else drives the run: it returns the driver, nil if it
// has to wait for room. The lock is held.
func (e *Engine) engage(id run.ID, project string) *driver {
	if d := e.drivers[id]; d != nil {
		d.prod()
		return d
	}
	if e.isDraining() || e.waiting.has(id) {
		return nil
	}
	if len(e.drivers) >= e.cfg.MaxActive {
		e.waiting.add(id, project)
		e.gauge()
		return nil
	}
	return e.send(id)
}

// wakeOf is wake where it is known whose run it is, for the order of the queue, and
// whether this node drives such runs.
func (e *Engine) wakeOf(spec *run.Spec, id run.ID) {
	if !e.works(spec) {
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.wakeLocked(id, spec.Project)
}

// unqueue takes a run that has ended out of the queue. The lock is held.
func (e *Engine) unqueue(id run.ID) {
	if e.waiting.has(id) {
		e.waiting.drop(id)
		e.gauge()
	}
}

// send starts a driver for a run that exists. The lock is held.
func (e *Engine) send(id run.ID) *driver {
	f := e.acquireLocked(id)
	d := newDriver(e, id, f)
	e.hire(d)
	d.lose(nil) // it begins by reading the log
	go e.employ(d, f)
	return d
}

// leave lets an idle driver go, unless someone has just poked it; rest is the run
// if it is at rest, nil if it needs another driver some time.
func (e *Engine) leave(d *driver, rest *run.State) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(d.poke) > 0 {
		return false
	}
	e.part(d, rest)
	return true
}

// dismiss lets a driver go that has given up.
func (e *Engine) dismiss(d *driver) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.part(d, nil); len(d.poke) > 0 {
		e.wakeLocked(d.id, d.project) // someone came while it was giving up
	}
}

// part frees the driver's place for the run whose turn it is: see queue. The lock is
// held, so that the feed never hears of a new driver before it hears of this end.
func (e *Engine) part(d *driver, rest *run.State) {
	d.feed.stop(rest)
	delete(e.drivers, d.id)
	e.vacate(d)
	switch {
	case e.cluster != nil:
		e.fill()
	case e.waiting.size() > 0 && !e.isDraining():
		e.send(e.waiting.next())
	}
	e.gauge()
}

// gauge reports how many drivers there are and how many runs wait for one. The
// lock is held.
func (e *Engine) gauge() {
	if e.cfg.Meter != nil {
		e.cfg.Meter.Active(len(e.drivers), e.waiting.size())
	}
}

// acquire returns the run's feed, which lives as long as someone uses it.
func (e *Engine) acquire(id run.ID) *feed {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.acquireLocked(id)
}

func (e *Engine) acquireLocked(id run.ID) *feed {
	f := e.feeds[id]
	if f == nil {
		f = &feed{}
		e.feeds[id] = f
	}
	f.users++
	return f
}

func (e *Engine) release(id run.ID, f *feed) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.releaseLocked(id, f)
}

func (e *Engine) releaseLocked(id run.ID, f *feed) {
	if f.users--; f.users == 0 && e.feeds[id] == f {
		delete(e.feeds, id)
	}
}

// DeadlineJob is the kind of job that wakes a parked run when an approval expires.
const DeadlineJob = "deadline"

// Deadline performs a DeadlineJob: approvals that have expired by now count as
// rejected. If others of the run will expire later, it leaves a job for them. A
// paused run keeps its approvals until it is resumed.
func (e *Engine) Deadline(ctx context.Context, job run.Job) error {
	if err := job.Early(e.now()); err != nil {
		return err
	}
	line, err := e.cfg.Log.Summary(ctx, job.Run)
	if err != nil || line.Deleted {
		return ignore(err, problem.NotFound)
	}
	s, err := e.amend(ctx, line.Project, job.Run, func(s *run.State) ([]run.Event, error) {
		return e.lapse(s), nil
	})
	if err != nil {
		return ignore(err, problem.NotFound)
	}
	next := run.Decide(&s)
	if next.Wake != run.GateTime {
		return nil
	}
	return e.commit(run.Commit{Jobs: []run.Job{{Kind: DeadlineJob, Run: job.Run, Due: next.WakeAt}}})
}

// ignore returns err unless it is a problem with this code.
func ignore(err error, code problem.Code) error {
	if problem.Is(err, code) {
		return nil
	}
	return err
}

// lapse is the event that expires what has not been decided in time, if anything.
func (e *Engine) lapse(s *run.State) []run.Event {
	ids := s.Lapsed(e.now())
	if len(ids) == 0 || s.Paused {
		return nil
	}
	return []run.Event{{Type: run.ApprovalExpired, Expired: &run.Expired{Actions: ids, Timeout: true}}}
}

// observe tells the meter, and who keeps things for runs, what has been stored.
func (e *Engine) observe(events []run.Event, s *run.State) {
	ends := func(event run.Event) bool { return event.Type == run.RunFinished }
	if e.cfg.Ended != nil && slices.ContainsFunc(events, ends) {
		e.cfg.Ended(s.ID)
	}
	if e.cfg.Stored != nil {
		e.cfg.Stored(s, events)
	}
	m := e.cfg.Meter
	if m == nil {
		return
	}
	for i := range events {
		switch event := &events[i]; event.Type {
		case run.ModelResponded:
			m.ModelCalled(s.Spec.Model, event.Responded.Reply.Usage, time.Duration(event.Responded.Ms)*time.Millisecond, "")
		case run.ModelFailed:
			m.ModelCalled(s.Spec.Model, event.Failed.Usage, time.Duration(event.Failed.Ms)*time.Millisecond, problem.Code(event.Failed.Code))
		case run.ToolFinished:
			if a := s.Action(event.Finished.Action); a != nil {
				m.ToolCalled(a.Tool.Name, event.Finished.Outcome, time.Duration(event.Finished.Ms)*time.Millisecond)
			}
		case run.RunFinished:
			m.RunEnded(s.Spec.Dialect, event.Ended.Status, event.Ended.Reason)
		}
	}
}
