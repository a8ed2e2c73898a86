package robot

import (
	"context"
	"fmt"

	"errand/internal/problem"
	"errand/internal/run"
)

// Show is a run of a robot as an execution, with what other runs and its delivery
// add to it: it waits if an agent waits that it has handed a task to, and the
// delivery says who has got it.
func (d *Desk) Show(ctx context.Context, s *run.State) (Execution, error) {
	e := Project(s)
	if e.Status == ExecRunning {
		for _, id := range children(s) {
			events, err := d.Log.Load(ctx, id, 0, 0)
			if err != nil {
				return e, fmt.Errorf("reading what %s has handed over: %w", e.ID, err)
			}
			child := run.Fold(id, events)
			e.Below(&child)
		}
	}
	if s.Ended == nil || e.Delivery == nil && s.Ended.Status != run.Completed {
		return e, nil
	}
	row, err := d.Rows.Row(ctx, recordKind, s.Spec.Project, recordID(e.MemberID, s.ID))
	if problem.Is(err, problem.NotFound) {
		return e, nil
	}
	if err != nil {
		return e, fmt.Errorf("reading what became of %s: %w", e.ID, err)
	}
	rec, err := readRecord(&row)
	if err != nil {
		return e, err
	}
	e.after(rec)
	return e, nil
}

// children are the runs that do work for this one now.
func children(s *run.State) []run.ID {
	var found []run.ID
	if last := s.Last(); last != nil && s.Ended == nil {
		for i := range last.Actions {
			if a := &last.Actions[i]; a.Away() && a.Child != nil {
				found = append(found, *a.Child)
			}
		}
	}
	return found
}

// Below makes a running execution wait if the run waits for a person that it has
// handed a task to.
func (e *Execution) Below(child *run.State) {
	if e.Status == ExecRunning && StatusOf(child.Status) == ExecWaiting {
		e.Status = ExecWaiting
	}
}

// after adds what became of an execution after its end.
func (e *Execution) after(rec *record) {
	if rec.Learns && rec.Armed && rec.settled() && e.Phase == Delivering {
		e.Phase = Learning
	}
	if e.Delivery == nil {
		return
	}
	for i, id := range rec.Files {
		if i < len(e.Delivery.Content.Attachments) && id != "" {
			e.Delivery.Content.Attachments[i].File = id
		}
	}
	e.Delivery.Success, e.Delivery.Error = rec.Armed && rec.settled() && rec.Fault == "", rec.Fault
	for i := range rec.Targets {
		result := rec.Targets[i].TargetResult
		e.Delivery.Results = append(e.Delivery.Results, result)
		if !result.Success {
			e.Delivery.Success = false
			e.Delivery.Error = first(e.Delivery.Error, result.Error)
		}
	}
	e.Delivery.SentAt = rec.SentAt
}
