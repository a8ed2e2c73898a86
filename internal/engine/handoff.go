package engine

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"errand/internal/problem"
	"errand/internal/run"
)

// handOff begins a call that another run does the work of. The child's first
// event goes to the disk together with the tool.started that names it, so that
// there is never one without the other; it is driven once it is there. A detached
// one's call ends with that, too.
func (d *driver) handOff(ctx context.Context, a *run.Action) {
	spec, err := d.state.Child(a)
	if err != nil {
		d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{
			Action: a.ID, Outcome: run.Errored, Output: fmt.Sprintf("The call was not made: %v.", err),
		}})
		return
	}
	h := d.state.Spec.Handoff(&a.Tool)
	d.e.descend(&d.state, a, h, &spec)
	child, claim, err := d.claimChild(ctx, h, &spec)
	if err != nil {
		d.after(betweenTries, func() {}) // nobody can tell now; ask again
		return
	}
	known := claim.known
	if h.Detached && !known {
		if full := d.e.mayBegin(ctx, &spec); full != nil {
			d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{
				Action: a.ID, Outcome: run.Errored, Output: "The call was not made: " + problem.From(full).Detail,
			}})
			return
		}
	}
	d.rows = append(d.rows, claim.write...)
	d.add(run.Event{Type: run.ToolStarted, Started: &run.Started{Action: a.ID, Epoch: d.epoch, Attempt: a.Attempt + 1, Child: &child}})
	if !known {
		born := run.Event{
			Seq: 1, ID: d.e.eventID(), At: d.e.now(), Type: run.RunCreated,
			Created: &run.Created{Spec: spec, Queued: true},
		}
		s := run.Fold(child, []run.Event{born})
		line := s.Summarize()
		if d.e.cluster != nil && spec.Lane != nil {
			line.Lane = spec.Lane.Name
		}
		d.births = append(d.births, run.Append{ID: child, Events: []run.Event{born}, Summary: line, Orphan: d.e.advanceJob(child, &spec)})
	}
	if h.Detached {
		d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{
			Action: a.ID, Outcome: run.OK, Output: run.Dispatched(child, known), Child: &child,
		}})
	}
}

// mayBegin reports why work that a run starts for others to do may not begin now:
// its lane has no room for it, or a budget. What a lost commit has counted stays
// counted until the next start.
func (e *Engine) mayBegin(ctx context.Context, spec *run.Spec) error {
	if err := e.roomIn(ctx, spec); err != nil {
		return err
	}
	_, err := e.countIn(spec)
	return err
}

// claim is what is known of the work of a detached handoff.
type claim struct {
	known bool           // a run does it already
	write []run.RowWrite // by which a new run claims it; none if nobody asks for that
}

// claimChild names the run that does the work of a handoff: a new one, or the one
// that does it already, or has done it. Work that has failed or was cancelled may be
// started anew. Two commits that claim the same work can't both succeed: the one
// that comes second finds the other's claim when it decides again.
func (d *driver) claimChild(ctx context.Context, h *run.Handoff, spec *run.Spec) (child run.ID, c claim, err error) {
	child = d.e.NewID()
	if !h.Detached || h.Claim == "" || d.e.cfg.Rows == nil {
		return child, c, nil
	}
	id := run.ClaimID(h.Claim, spec.Input.Text)
	row, err := d.booked(ctx, spec.Project, id)
	switch {
	case problem.Is(err, problem.NotFound):
		row = run.Row{Kind: run.ClaimKind, Project: spec.Project, ID: id, Created: d.e.now()}
		if child, err = d.reserved(ctx, h, child); err != nil {
			return child, c, err
		}
	case err != nil:
		return child, c, err
	default:
		var before run.Claimed
		if err := json.Unmarshal(row.Data, &before); err != nil {
			return child, c, err
		}
		if failed, err := d.inVain(ctx, before.Run); err != nil || !failed {
			return before.Run, claim{known: true}, err
		}
	}
	expect := row.Version
	row.Data, err = json.Marshal(run.Claimed{Run: child})
	return child, claim{write: []run.RowWrite{{Row: row, Expect: expect}}}, err
}

// booked reads a claim: also one that another call of the same reply is about to
// make, which has no version yet.
func (d *driver) booked(ctx context.Context, project, id string) (run.Row, error) {
	for i := range d.rows {
		if w := &d.rows[i].Row; w.Kind == run.ClaimKind && w.ID == id {
			return *w, nil
		}
	}
	return d.e.cfg.Rows.Row(ctx, run.ClaimKind, project, id)
}

// inVain reports whether the run that has claimed a piece of work has ended without
// having done it, or is gone.
func (d *driver) inVain(ctx context.Context, id run.ID) (bool, error) {
	if d.unborn(id) {
		return false, nil
	}
	line, err := d.e.cfg.Log.Summary(ctx, id)
	if problem.Is(err, problem.NotFound) {
		return true, nil
	}
	return line.Deleted || line.Status == run.FailedStatus || line.Status == run.CancelledStatus, err
}

// reserved is the id that the handoff has kept for its first work, or the fresh one
// if a run has it.
func (d *driver) reserved(ctx context.Context, h *run.Handoff, fresh run.ID) (run.ID, error) {
	if h.Reserved.IsZero() || d.unborn(h.Reserved) {
		return fresh, nil
	}
	switch _, err := d.e.cfg.Log.Summary(ctx, h.Reserved); {
	case problem.Is(err, problem.NotFound):
		return h.Reserved, nil
	case err != nil:
		return fresh, err
	}
	return fresh, nil
}

// recall tells the run that does the work of a call which is not wanted any more
// to end. The call is over when that is on disk: a crash before it leaves a parent
// that the next driver finds still stopping.
func (d *driver) recall(ctx context.Context, effect run.Effect) {
	child, project := *d.state.Action(effect.Action).Child, d.state.Spec.Project
	if d.tasks[effect.Key()] != nil || d.unborn(child) {
		return
	}
	d.launch(ctx, effect, func(ctx context.Context, r *result) {
		for try := range recalls {
			_, r.err = d.e.amend(ctx, project, child, cancelBy(run.Cancel{Reason: orphaned}))
			if r.err == nil || problem.Is(r.err, problem.NotFound) || problem.Is(r.err, problem.Conflict) {
				return // told, deleted, or at its end already
			}
			if !pause(ctx, min(betweenTries<<try, lastRetry)) {
				return
			}
		}
		d.e.cfg.Logger.Warn("a child could not be cancelled", "run", child.String(), "error", r.err)
	})
}

// recalls is how often a child is told to end while the store refuses: about a
// minute long. A parent whose child can never be read has to end all the same.
const recalls = 32

// unborn reports whether a child is still on its way to the disk: nobody could end
// it yet, and it would not learn that its parent is about to end.
func (d *driver) unborn(child run.ID) bool {
	is := func(a run.Append) bool { return a.ID == child }
	return slices.ContainsFunc(d.births, is) || slices.ContainsFunc(d.born, is)
}

// orphaned is why a child is cancelled.
const orphaned = "The run that had handed this work over has ended."

// orphan cancels a run whose parent has ended while nobody drove it: the word
// that its parent gave it then may have been lost with the process.
func (d *driver) orphan(ctx context.Context) {
	parent := d.state.Spec.Parent
	if parent == nil || d.state.Ended != nil || d.state.Cancel != nil {
		return
	}
	line, err := d.e.cfg.Log.Summary(ctx, parent.Run)
	if problem.Is(err, problem.NotFound) || err == nil && (line.Deleted || line.Status.Terminal()) {
		d.add(run.Event{Type: run.CancelRequested, Cancel: &run.Cancel{Reason: orphaned}})
	}
}

// heir is a run into whose log an ended child reports.
type heir struct {
	state  run.State
	events []run.Event
}

// bequeath adds to a commit that ends a child the child.finished of its parent;
// nil if it ends none, or the parent is gone.
func (e *Engine) bequeath(ctx context.Context, c *run.Commit, s *run.State) (*heir, error) {
	events := c.Runs[0].Events
	if s.Spec.Parent == nil || events[len(events)-1].Type != run.RunFinished {
		return nil, nil
	}
	parent, err := e.Get(ctx, s.Spec.Project, s.Spec.Parent.Run)
	if problem.Is(err, problem.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// If the parent ends by this, its driver ends it: it may have a parent itself.
	report := run.Event{Seq: parent.Seq + 1, ID: e.eventID(), At: e.now(), Type: run.ChildFinished, Child: s.Report()}
	parent.Take(&report)
	h := &heir{state: parent, events: []run.Event{report}}
	c.Runs = append(c.Runs, run.Append{
		ID: parent.ID, Expected: report.Seq - 1, Events: h.events, Summary: parent.Summarize(), Orphan: e.advanceJob(parent.ID, &parent.Spec),
	})
	return h, nil
}

// rouse wakes the runs to which this one's last commit may have given something to
// do: nobody knows whether they were told.
func (d *driver) rouse() {
	if parent := d.state.Spec.Parent; parent != nil && d.state.Ended != nil {
		d.e.wake(parent.Run)
	}
	last := d.state.Last()
	for i := 0; last != nil && i < len(last.Actions); i++ {
		a := &last.Actions[i]
		if h := d.state.Spec.Handoff(&a.Tool); a.Child != nil && (a.Away() || h != nil && h.Detached) {
			d.e.wake(*a.Child)
		}
	}
}
