package engine

import (
	"context"
	"errors"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// journal is a driver's way to the log. It has one commit in flight at most: what
// happens meanwhile waits in queue and goes together in the next one, so that a
// slow disk makes commits larger and not more, and no commit can succeed behind
// one that has lost a race.
type journal struct {
	stored   int64 // seq up to which the log is on disk
	asking   int64 // the log's seq when the model call under way began; 0 once that is on disk
	queue    []run.Event
	inflight []run.Event
	lost     []run.Event // facts to append again; not nil while the log has to be read again first
	settled  chan error

	epoch   int64          // that this driver drives under
	asked   bool           // the event that says so is queued, in flight or on disk
	claimed bool           // it is on disk
	deed    uint64         // its ID
	doubt   bool           // the run's first event may be on disk, although the store has said otherwise
	rows    []run.RowWrite // go with the next commit
	jobs    []run.Job      // likewise
	births  []run.Append   // likewise: the first events of runs that are handed work
	born    []run.Append   // those in flight
	heir    *heir          // the parent in flight, if this run ends and has one
	signing bool           // the append in flight says that this node drives the run
	signed  bool           // the line on disk says so
	foreign bool           // the line names another node
	created chan<- error   // of a new run: told what became of the first commit
	fresh   *NewRun        // of a new run in a lane of several nodes: what to make again if that is full
	refused bool           // it was full, and the run was made to wait
	jobbed  time.Time      // the gate's expiry for which a job is written
	failed  int            // commits that have failed in a row
	resting bool           // it is too early to try again
	due     bool           // what is queued has lingered long enough
	lag     *time.Timer    // measures that
}

// add applies an event to the state and queues it for the log. A fact that is
// appended again keeps its ID.
func (d *driver) add(event run.Event) {
	if event.ID == 0 {
		event.ID = d.e.eventID()
	}
	event.Seq, event.At = d.state.Seq+1, d.e.now()
	d.state.Take(&event)
	d.queue = append(d.queue, event)
}

// claim queues the event by which this driver takes the run over, once there is
// something to do in it.
func (d *driver) claim() {
	if d.asked || !d.state.Live() {
		return
	}
	if d.yields() {
		d.final = errElsewhere
		return
	}
	if !d.enter() {
		d.final = errLaneFull
		return
	}
	d.asked, d.signed, d.epoch, d.deed = true, false, d.state.Epoch+1, d.e.eventID()
	d.add(run.Event{ID: d.deed, Type: run.RunDriven, Driven: &run.Driven{Epoch: d.epoch}})
	if d.state.Queued && !d.state.Paused && d.state.Cancel == nil {
		d.add(run.Event{Type: run.RunStarted})
	}
}

// submit puts the queue in flight, if nothing is.
func (d *driver) submit(decision run.Decision) {
	if len(d.queue) == 0 || len(d.inflight) > 0 || d.resting || !d.pressing(decision) && d.linger() || d.hushed() {
		return
	}
	d.due = false
	d.feed.lingers.Store(false)
	d.inflight, d.queue = d.queue, nil
	commit := run.Commit{Rows: d.rows, Jobs: d.jobs, Audit: run.Audits(&d.state, d.inflight), Runs: []run.Append{{
		ID: d.id, Epoch: d.epoch, Expected: d.inflight[0].Seq - 1,
		Events: d.inflight, Summary: d.state.Summarize(),
	}}}
	if d.e.cluster != nil {
		d.sign(&commit.Runs[0])
	}
	commit.Runs = append(commit.Runs, d.births...)
	d.rows, d.jobs, d.births, d.born, d.heir = nil, nil, nil, d.births, nil
	if decision.Wake == run.GateTime && !decision.WakeAt.Equal(d.jobbed) {
		d.jobbed = decision.WakeAt
		commit.Jobs = append(commit.Jobs, run.Job{Kind: DeadlineJob, Run: d.id, Due: decision.WakeAt})
	}
	commit.Jobs = append(commit.Jobs, d.e.cfg.Outbox(&d.state, d.inflight)...)
	d.account(&commit)
	if d.state.Spec.Parent != nil {
		var err error
		if d.heir, err = d.e.bequeath(d.e.ctx, &commit, &d.state); err != nil {
			d.settled <- err
			return
		}
	}
	d.e.cfg.Log.Submit(commit, func(err error) { d.settled <- err })
}

// delivered acts on what other runs got with the commit: those that were handed
// work are driven, and the parent of this one, which has ended, learns of it.
func (d *driver) delivered() {
	for i := range d.born {
		d.e.wakeOf(&d.born[i].Events[0].Created.Spec, d.born[i].ID)
	}
	if d.heir != nil {
		d.e.tell(&d.heir.state, d.heir.events)
	}
	d.born, d.heir = nil, nil
}

// settle books what became of the commit in flight.
func (d *driver) settle(ctx context.Context, err error) {
	events := d.inflight
	d.inflight = nil
	full := errors.Is(err, run.ErrLaneFull)
	if full && d.fresh != nil && d.signing {
		d.makeQueued(events)
		return
	}
	if d.created != nil {
		d.created <- err
		d.created = nil
		d.final = err // of a run that was not created nobody has the id
		d.doubt = err != nil && !overtaken(err)
	}
	switch {
	case d.final != nil:
	case err == nil:
		d.claimed = true
		d.failed, d.flying = 0, slip{}
		d.stored = events[len(events)-1].Seq
		d.feed.publish(events, false)
		d.e.observe(events, &d.state)
		d.delivered()
		d.release(ctx)
		d.unveil()
		if d.e.cluster != nil {
			d.signedOff()
		}
		if d.refused {
			d.final = errLaneFull
		} else if d.missed {
			d.refresh(ctx)
		}
	case full:
		d.lose(events)
		d.final = errLaneFull
	case errors.Is(err, run.ErrFenced):
		d.final = err
	default:
		if d.heir != nil && !overtaken(err) {
			d.e.wake(d.heir.state.ID) // it may have its report all the same
		}
		d.signed = d.signed || d.signing
		d.lose(events)
		d.refold(err)
	}
}

// lose moves the facts among the events that did not reach the disk to lost.
func (d *driver) lose(events []run.Event) {
	d.slip.add(d.flying)
	d.flying = slip{}
	d.lost = append(d.lost, keepFacts(append(events, d.queue...))...)
	if d.lost == nil {
		d.lost = []run.Event{} // nothing to append again, but a log to read again
	}
	d.queue, d.rows, d.jobs, d.births, d.born = nil, nil, nil, nil, nil
}

// refresh reads what others have appended. While a commit is in flight it only
// remembers to: if someone came first, that commit will fail and say so.
func (d *driver) refresh(ctx context.Context) {
	d.missed = len(d.inflight) > 0
	if d.missed {
		return
	}
	if d.e.cluster != nil && !d.asked { // another node may have come first
		d.lose(nil)
		d.refold(nil)
		return
	}
	events, err := d.e.cfg.Log.Load(ctx, d.id, d.stored, 0)
	if err == nil && len(d.queue) == 0 {
		for i := range events {
			d.state.Take(&events[i])
		}
		d.stored = d.state.Seq
		return
	}
	if err != nil || len(events) > 0 {
		d.lose(nil)
		d.refold(err)
	}
}

// Waits between attempts to store what the store refused.
const (
	firstRetry = 50 * time.Millisecond
	lastRetry  = 2 * time.Second
)

// readTimeout bounds a read of one run's log: far above what the longest takes.
const readTimeout = 10 * time.Second

// refold starts again from the log: because this driver has just come, or after a
// commit was lost because someone else came first or the disk failed. Facts are
// kept and appended behind whatever came; intents and decisions are made anew by
// the core. It reports whether the state is whole again.
func (d *driver) refold(cause error) bool {
	if cause == nil && d.resting {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), readTimeout)
	defer cancel()
	events, err := d.read(ctx)
	if err != nil || cause != nil && !overtaken(cause) {
		d.backOff(errors.Join(cause, err))
	}
	if err != nil {
		return false
	}
	if len(events) == 0 {
		d.final = noRun(d.id) // deleted meanwhile
		return false
	}
	d.lose(nil) // what has come while the log could not be read
	facts := d.lost
	d.lost, d.jobbed = nil, time.Time{}
	clear(d.held)
	d.disarm()
	d.state = run.Fold(d.id, events)
	d.stored = d.state.Seq
	d.feed.learn(d.state.Summarize())
	d.feed.leash(d.state.Spec.Tethered)
	d.rouse()
	if d.stake(events); !d.asked {
		d.forsake()
		return true
	}
	d.orphan(ctx)
	for _, fact := range facts {
		if !contains(events, fact.ID) {
			d.add(fact)
		}
	}
	if d.asking > 0 {
		d.asking = d.state.Seq
		d.unveil()
	}
	return true
}

// stake finds out whether this driver still is, or may become, the run's driver.
func (d *driver) stake(events []run.Event) {
	switch {
	case d.claimed, !d.asked:
	case contains(events, d.deed):
		d.claimed = true // on disk, whatever the store has said
	case d.state.Epoch >= d.epoch:
		d.final = run.ErrFenced // someone else took the run over first
	}
	d.asked = d.claimed
	d.claim()
}

// forsake drops what has begun on a claim that was not written: it has not begun.
// No call with consequences is among it, because those wait for the disk.
func (d *driver) forsake() {
	for key, t := range d.tasks {
		t.cancel()
		delete(d.tasks, key)
	}
	d.forfeit()
	d.asking = 0
	d.feed.update(func() { d.feed.draft = nil })
}

// contains reports whether the event with this ID is in the log. What has just
// been written is at its end.
func contains(events []run.Event, id uint64) bool {
	for i := len(events) - 1; i >= 0; i-- {
		if events[i].ID == id {
			return true
		}
	}
	return false
}

// overtaken reports whether a commit failed because someone else came first.
func overtaken(cause error) bool {
	var row *run.RowConflict
	return errors.Is(cause, run.ErrConflict) || errors.As(cause, &row)
}

func (d *driver) backOff(cause error) {
	d.failed++
	d.rest(min(firstRetry<<min(d.failed, 10), lastRetry))
	if d.failed == 1 {
		d.e.cfg.Logger.Warn("a run's events can't be stored now; trying again",
			"run", d.id.String(), "error", problem.From(cause))
	}
}

// keepFacts returns the events that report what has happened outside.
func keepFacts(events []run.Event) []run.Event {
	var facts []run.Event
	for _, event := range events {
		switch event.Type {
		case run.ModelResponded, run.ModelFailed:
			facts = append(facts, event)
		case run.ToolFinished:
			if !event.Finished.Crash && event.Finished.Child == nil { // those were concluded here
				facts = append(facts, event)
			}
		}
	}
	return facts
}
