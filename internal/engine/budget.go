package engine

import (
	"context"
	"encoding/json"
	"time"

	"errand/internal/run"
)

// Budgets keeps room for model calls. *auth.Ledger is the implementation. What it
// keeps counts at once, in memory; it reaches the disk as a row with the run's next
// commit, so that a call which a crash has cut off is charged in full.
type Budgets interface {
	// Covers reports whether there is any budget for the account. Where there is
	// none, a call costs nothing to admit.
	Covers(a run.Account) bool
	// Reserve keeps room until Settle. A call that has to wait for others is asked
	// for again when freed is called, which must not block.
	Reserve(h run.Hold, freed func()) run.Room
	// Settle books what a call has cost and gives its room back.
	Settle(h run.Hold, spent run.Usage)
	// Begin counts a run that is about to be made, or says why it may not be; undo
	// takes it back.
	Begin(a run.Account) (undo func(), err error)
}

// BudgetJob is the kind of job that lets a run try again when a budget's period is
// over.
const BudgetJob = "budget"

// StarvedKind is the kind of row that finds the runs which wait for a budget: its
// id is the budget's and the run's.
const StarvedKind = "starved"

// purse is what a driver has of the budgets.
type purse struct {
	kept   *run.Hold   // for the model call under way
	noted  bool        // a commit has, or has had, the note of what is kept
	nudge  *time.Timer // writes the note down if no commit comes
	slip   slip        // for the next commit
	flying slip        // in the commit in flight
}

// slip is what the disk has to learn beside the run's events. Unlike those it does
// not depend on the log: when a commit is lost, it goes with the next one.
type slip struct {
	notes []run.RowWrite // holds, made and settled
	owed  []run.Spend    // that no event of this run tells
}

func (s *slip) add(other slip) {
	s.notes, s.owed = append(other.notes, s.notes...), append(other.owed, s.owed...)
}

// countIn counts a new run in the budgets, or says which has no room for it.
func (e *Engine) countIn(spec *run.Spec) (undo func(), err error) {
	if a := spec.Account(); e.cfg.Budgets != nil && e.cfg.Budgets.Covers(a) {
		return e.cfg.Budgets.Begin(a)
	}
	return func() {}, nil
}

// funded reports whether the model call may be made. If not, the driver is woken
// when it should ask again, or the refusal is on its way to the log.
func (d *driver) funded(call run.Effect, request *run.Request) bool {
	budgets := d.e.cfg.Budgets
	if budgets == nil || !budgets.Covers(d.state.Spec.Account()) {
		return true
	}
	tokens, cost := d.e.cfg.Bound(request)
	hold := d.state.Hold(call, d.e.now(), tokens, cost)
	if node := d.e.node(); node != "" {
		hold.ID += "/" + node // the run's next driver makes the same call: this one's is charged all the same
	}
	id := d.id
	room := budgets.Reserve(hold, func() { d.e.wake(id) })
	switch {
	case room.Granted:
		request.Cap() // or the call could cost more than is kept for it
		d.kept, d.noted = &hold, false
		d.writeDown(&hold)
	case room.Refusal != nil:
		d.add(run.Event{Type: run.BudgetRefused, Refusal: room.Refusal})
	}
	return room.Granted
}

// writeDown sees to it that a hold reaches the disk: with the next commit of the run, or
// alone if there is none for as long as facts may linger. Of a call that is over before
// either, nothing is written. A note that is lost is missed only if the server dies
// during the call.
func (d *driver) writeDown(h *run.Hold) {
	if len(d.queue) > 0 {
		return
	}
	d.nudge = d.after(lingering, func() {
		if d.nudge = nil; d.kept == h && !d.noted {
			d.noted = true
			d.e.cfg.Log.Submit(run.Commit{Rows: []run.RowWrite{holdNote(h, false)}}, func(error) {})
		}
	})
}

// holdNote writes a hold down, or strikes it out.
func holdNote(h *run.Hold, settled bool) run.RowWrite {
	note := run.RowWrite{Row: run.Row{Kind: run.HoldKind, Project: h.Project, ID: h.ID, Data: []byte("{}")}, Expect: run.AnyVersion, Delete: settled}
	if settled {
		return note
	}
	if data, err := json.Marshal(h); err == nil { // of strings and numbers: it is always encoded
		note.Data = data
	}
	return note
}

// paid books what the model call has cost. One that was begun before there was a
// budget counts in it all the same.
func (d *driver) paid(spent run.Usage) {
	budgets := d.e.cfg.Budgets
	switch {
	case budgets == nil:
	case d.kept != nil:
		budgets.Settle(*d.kept, spent)
		if d.noted {
			d.slip.notes = append(d.slip.notes, holdNote(d.kept, true))
		}
		if d.kept = nil; d.nudge != nil {
			d.nudge.Stop()
			d.forget(d.nudge)
			d.nudge = nil
		}
	default:
		if h := (run.Hold{Account: d.state.Spec.Account()}); budgets.Covers(h.Account) {
			budgets.Settle(h, spent)
		}
	}
}

// forfeit books a call that was cut off: nobody knows what it has cost, so it has
// cost all that it could.
func (d *driver) forfeit() {
	if d.kept != nil {
		lost := d.kept.Forfeit()
		d.slip.owed = append(d.slip.owed, lost)
		d.paid(lost.Usage)
	}
}

// closeAccounts books what no commit of the run will: somebody else has written its
// end. When the server stops, a hold stays on disk and is charged at the next start.
func (d *driver) closeAccounts() {
	if d.e.ctx.Err() != nil {
		return
	}
	d.forfeit()
	d.slip.add(d.flying)
	if len(d.slip.notes)+len(d.slip.owed) > 0 {
		c := run.Commit{Rows: d.slip.notes, Spend: d.slip.owed}
		d.e.cfg.Log.Submit(c, func(error) {}) // if it fails, the hold is charged later
	}
}

// account adds to a commit what its events have cost, and what the budgets have to
// know of them.
func (d *driver) account(c *run.Commit) {
	c.Spend = append(run.Bill(&d.state, d.inflight), d.slip.owed...)
	for i := range d.born {
		child := run.Fold(d.born[i].ID, d.born[i].Events)
		c.Spend = append(c.Spend, run.Bill(&child, d.born[i].Events)...)
	}
	if d.kept != nil && !d.noted {
		d.slip.notes = append(d.slip.notes, holdNote(d.kept, false))
	}
	c.Rows = append(c.Rows, d.slip.notes...)
	d.flying, d.slip, d.noted = d.slip, slip{}, true
	if !d.state.Starved() {
		return
	}
	for i := range d.inflight {
		if r := d.inflight[i].Refusal; r != nil {
			c.Jobs = append(c.Jobs, run.Job{Kind: BudgetJob, Run: d.id, Due: r.Until})
			c.Rows = append(c.Rows, run.RowWrite{Expect: run.AnyVersion, Row: run.Row{
				Kind: StarvedKind, Project: d.state.Spec.Project, ID: r.Budget + "/" + d.id.String(),
				Created: d.e.now(), Expires: r.Until.Add(starvedFor),
			}})
		}
	}
}

// starvedFor is how long beyond its period a row finds a run: its job has woken
// the run by then.
const starvedFor = time.Hour

// Raise lets a run that waits for a budget try again; any other stays as it is.
func (e *Engine) Raise(ctx context.Context, project string, id run.ID, by string) (run.State, error) {
	return e.amend(ctx, project, id, func(s *run.State) ([]run.Event, error) {
		if !s.Starved() {
			return nil, nil
		}
		return []run.Event{{Type: run.BudgetRaised, Actor: &run.Actor{By: by}}}, nil
	})
}
