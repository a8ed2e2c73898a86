package engine

import (
	"context"
	"errors"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Cluster is what an engine needs that is one of several over one store, its nodes.
// Node, Tell, Seqs, Waiting and Places must be set.
//
// What holds between them: a run that needs a driver names in its line the node that
// drives it, or has a job that asks for one. Only drivers' own appends change the
// name, so that it is decided in the transaction of an event; whoever else appends
// brings the job along, and the store keeps it if nobody drives.
type Cluster struct {
	// Node is the name by which lines of runs say that this engine drives them. No
	// other engine has, or ever had, the same.
	Node string
	// Alive reports whether the others take this node for alive, by its own steady
	// clock. While it is not, no driver appends and no call is made: it is asked
	// directly before each, and must be quick. Nil = always.
	Alive func() bool
	// Class is the class of runs that a run belongs to. It must be the same on all
	// nodes, for as long as the run exists. Nil = all are of the class "".
	Class func(*run.Spec) string
	// Works reports whether this node drives runs of the class. Nil = of each.
	Works func(class string) bool
	// Tell carries a word to all other nodes, whose Hear takes it. It may get lost, be
	// late, or come twice. It has less than 7,000 bytes, which are valid JSON. Tell
	// must not block.
	Tell func(word []byte)
	// Seqs returns how far the runs' logs reach; runs that are not there are left out.
	Seqs func(ctx context.Context, ids []run.ID) (map[run.ID]int64, error)
	// Waiting tells how many runs without a lane wait for a driver, by project, on all
	// nodes together.
	Waiting func(ctx context.Context) (map[string]int, error)
	// Places tells of lanes how many of their runs have a driver, on all nodes together,
	// and how many wait for theirs. The log holds appends to their Bound.
	Places func(ctx context.Context, lanes []run.LaneID) (map[run.LaneID]run.Places, error)
}

// AdvanceJob is the kind of job that asks for a driver. For runs of a class it is
// followed by a dot and the class, so that nodes can choose which they take.
const AdvanceJob = "advance"

// AdvanceKind is the kind of job that asks for a driver for runs of a class.
func AdvanceKind(class string) string {
	if class == "" {
		return AdvanceJob
	}
	return AdvanceJob + "." + class
}

const (
	// leaseRetry is how often a driver asks whether its node is alive again.
	leaseRetry = 100 * time.Millisecond
	// roomWait is how long a job waits here for a place: then a node with more room may
	// have it.
	roomWait = 5 * time.Second
	// jobRetry is when a job comes again whose run nobody could drive.
	jobRetry = time.Second
)

var (
	// errElsewhere makes a driver go: its run is another node's.
	errElsewhere = errors.New("another node drives the run, or has to")
	// errMute says that a call was not made, because the node's lease does not hold.
	errMute = errors.New("the node is not alive to the others")
)

// term is the time in which an engine drives runs under one name. It ends when the
// others have declared the node dead: the engine goes on under another name then.
type term struct {
	node string // empty = there is one node alone, or nobody drives
	ctx  context.Context
	end  context.CancelFunc
}

func (e *Engine) begin(node string) {
	t := &term{node: node}
	t.ctx, t.end = context.WithCancel(e.ctx)
	e.term.Store(t)
}

// Evict ends all drivers, as if others had taken their runs over, and goes on under
// another name: the node has been declared dead under its old one. Nothing that was
// under way is booked; those who take the runs over find it begun.
func (e *Engine) Evict(node string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	old := e.term.Load()
	e.begin(node)
	old.end()
}

// node is the name under which this engine drives runs now.
func (e *Engine) node() string { return e.term.Load().node }

func (e *Engine) alive() bool {
	return e.cluster == nil || e.cluster.Alive == nil || e.cluster.Alive()
}

// works reports whether this node drives such runs.
func (e *Engine) works(spec *run.Spec) bool {
	return e.cluster == nil || e.cluster.Works == nil || e.cluster.Works(e.class(spec))
}

func (e *Engine) class(spec *run.Spec) string {
	if e.cluster.Class == nil {
		return ""
	}
	return e.cluster.Class(spec)
}

// advanceJob asks for a driver for a run; nil where there is one node alone.
func (e *Engine) advanceJob(id run.ID, spec *run.Spec) *run.Job {
	if e.cluster == nil {
		return nil
	}
	return &run.Job{Kind: AdvanceKind(e.class(spec)), Run: id, Due: e.now()}
}

// Advance performs an advance job: it sees to it that some node drives the run, and,
// if it is this one, stays until its driver leaves. A run that could not be driven now
// is an error that says when to try again. When ctx ends, its error is returned.
func (e *Engine) Advance(ctx context.Context, job run.Job) error {
	const rounds = 3 // a driver that finds nothing to do leaves; one that failed has tried for long
	for round := 0; ; round++ {
		line, err := e.cfg.Log.Summary(ctx, job.Run)
		switch {
		case err != nil:
			return ignore(err, problem.NotFound)
		case line.Deleted || !line.Live:
			return nil
		case !e.alive():
			return errNotAlive()
		case line.Driver != "" && (line.Driver != e.node() || e.poke(job.Run)):
			return nil // it, or whoever takes its place, finds what is new
		case round == rounds:
			return later(jobRetry, "The run can't be driven here now.")
		}
		if misplaced, err := e.misplaced(ctx, &job); err != nil || misplaced {
			return err
		}
		if err := e.stand(ctx, job.Run, line.Project); err != nil {
			return err
		}
	}
}

// poke has the run's driver look at the log again, and reports whether it has one here.
func (e *Engine) poke(id run.ID) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.drivers[id]
	if d == nil {
		return false
	}
	d.prod()
	return true
}

// misplaced finds out whether the run is of a class that this node does not drive. If
// its job was in the wrong queue, as that of a run which was taken from a dead node, it
// is put into the right one.
func (e *Engine) misplaced(ctx context.Context, job *run.Job) (bool, error) {
	if e.cluster == nil || e.cluster.Works == nil {
		return false, nil
	}
	events, err := e.cfg.Log.Load(ctx, job.Run, 0, 1)
	if err != nil || len(events) == 0 || events[0].Created == nil {
		return len(events) == 0, err
	}
	spec := &events[0].Created.Spec
	if e.works(spec) {
		return false, nil
	}
	right := e.advanceJob(job.Run, spec)
	if right.Kind == job.Kind {
		return false, later(jobRetry, "This node does not drive such runs.")
	}
	return true, e.commit(run.Commit{Jobs: []run.Job{*right}})
}

// stand waits until the run's driver on this node has left; it gets one as soon as
// there is room.
func (e *Engine) stand(ctx context.Context, id run.ID, project string) error {
	f := e.acquire(id)
	defer e.release(id, f)
	timer := time.NewTimer(roomWait)
	defer timer.Stop()
	for {
		e.mu.Lock()
		d, changed := e.engage(id, project), f.await()
		e.mu.Unlock()
		if d != nil {
			return e.stay(ctx, d)
		}
		select {
		case <-changed:
		case <-timer.C:
			return later(jobRetry, "This server has all the runs that it can take.")
		case <-ctx.Done():
			return ctx.Err()
		case <-e.draining:
			return later(jobRetry, "This server is shutting down.")
		}
	}
}

// stay waits until the driver has left. A node that is not alive to the others gives
// the job back: its driver waits for what may never come.
func (e *Engine) stay(ctx context.Context, d *driver) error {
	ticker := time.NewTicker(pollEvery)
	defer ticker.Stop()
	for {
		select {
		case <-d.gone:
			if errors.Is(d.final, errLaneFull) {
				return later(laneRetry, "The run's lane is full.")
			}
			return nil
		case <-ctx.Done():
			return ctx.Err()
		case <-ticker.C:
			if !e.alive() {
				return errNotAlive()
			}
		}
	}
}

func errNotAlive() error {
	return later(jobRetry, "This server can't reach the store that it shares with others.")
}

func later(after time.Duration, detail string) error {
	p := problem.New(problem.Overloaded, "%s", detail)
	p.RetryAfter = after
	return p
}

// sign puts the driver's name into the line that goes with its append: its node's as
// long as the run needs a driver or has something under way.
func (d *driver) sign(a *run.Append) {
	if a.Summary.Live || len(d.tasks)+len(d.held) > 0 {
		a.Summary.Driver = d.term.node
	}
	d.signing = a.Summary.Driver != ""
	if !d.signing {
		a.Orphan = d.e.advanceJob(d.id, &d.state.Spec)
	}
	d.bind(a)
}

// signedOff takes in that the append in flight is on disk. A driver whose name the line
// does not have any more drives no more: what comes now finds nobody and asks for a
// driver, who may be this one, under a new epoch.
func (d *driver) signedOff() {
	if d.signed && !d.signing {
		d.e.cede(&d.state.Spec)
	}
	if d.signed = d.signing; !d.signed && len(d.queue)+len(d.tasks) == 0 {
		d.asked, d.claimed = false, false
	}
}

// letGo takes the driver's name out of the run's line before it leaves, if it is there,
// and asks for another driver if the run needs one. The line must still stand at what
// this driver has seen; if it does not, there may be more to do.
func (d *driver) letGo(ctx context.Context) bool {
	if !d.signed {
		return true
	}
	if d.resting || d.hushed() {
		return false
	}
	done := make(chan error, 1)
	d.e.cfg.Log.Submit(run.Commit{Runs: []run.Append{{
		ID: d.id, Epoch: d.epoch, Expected: d.stored, Summary: d.state.Summarize(), Orphan: d.e.advanceJob(d.id, &d.state.Spec),
	}}}, func(err error) { done <- err })
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		return false
	}
	switch {
	case err == nil:
		d.signed, d.asked, d.claimed, d.failed = false, false, false, 0
		d.e.cede(&d.state.Spec)
	case errors.Is(err, run.ErrFenced):
		d.final = err
	case overtaken(err):
		d.lose(nil)
		d.prod()
	default:
		d.backOff(err)
	}
	return err == nil
}

// hushed reports whether the driver has to keep still because its node is not alive to
// the others. It is woken to ask again.
func (d *driver) hushed() bool {
	switch {
	case d.e.cluster == nil || d.term.node == "":
		return false
	case d.term.ctx.Err() != nil:
		return true // it is about to end
	case d.e.alive():
		return false
	case !d.resting:
		d.rest(leaseRetry)
	}
	return true
}

// mute reports why a call may not be made at this moment, nil if it may.
func (e *Engine) mute(t *term) error {
	if e.cluster != nil && (t.ctx.Err() != nil || !e.alive()) {
		return errMute
	}
	return nil
}

// read reads the run's log and, before this driver takes the run over, whose it is: of
// the two it keeps what belongs together.
func (d *driver) read(ctx context.Context) ([]run.Event, error) {
	for {
		events, err := d.e.cfg.Log.Load(ctx, d.id, 0, 0)
		if err != nil || len(events) == 0 || d.e.cluster == nil || d.claimed {
			return events, err
		}
		line, err := d.e.cfg.Log.Summary(ctx, d.id)
		switch {
		case err != nil:
			return nil, err
		case line.Deleted:
			return nil, nil
		case line.Seq == events[len(events)-1].Seq:
			d.foreign = line.Driver != "" && line.Driver != d.term.node
			return events, nil
		}
	}
}

// yields reports whether the run is for another node to take over.
func (d *driver) yields() bool {
	return d.e.cluster != nil && (d.foreign || d.e.isDraining() || !d.e.works(&d.state.Spec))
}
