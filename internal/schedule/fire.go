package schedule

import (
	"context"
	"errors"
	"slices"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// fire does what a time that has come asks for. A job of another turn comes late:
// what it is for has happened, or was called off.
func (k *Keeper) fire(ctx context.Context, t *turn, _ run.Job, of ticket) error {
	switch {
	case t.Turn != of.Turn || t.Paused || t.Next.IsZero():
		return nil
	case t.now.Before(t.Next):
		return early(t.Next.Sub(t.now))
	}
	if err := k.book(ctx, t); err != nil {
		return err
	}
	if t.Turn != t.read { // a failure that was just booked has put it off
		return k.store(ctx, t)
	}
	t.due = t.Next
	if !t.strike(&t.plan, t.now) {
		return k.store(ctx, t)
	}
	return k.begin(ctx, t)
}

// early makes the queue come again: its clock, or that of another machine, goes
// before this one.
func early(by time.Duration) error {
	p := problem.New(problem.Internal, "A job has come before it was due.")
	p.RetryAfter = max(by, time.Millisecond)
	return p
}

// end books how a run has ended, unless that was done.
func (k *Keeper) end(ctx context.Context, t *turn, job run.Job, _ ticket) error {
	if !slices.Contains(t.Running, job.Run) {
		return nil
	}
	line, err := k.line(ctx, job.Run)
	if err != nil {
		return err
	}
	t.ended(&t.plan, &line, t.now)
	return k.store(ctx, t)
}

// drain starts a run for a time that has waited, if nothing goes on any more.
func (k *Keeper) drain(ctx context.Context, t *turn, _ run.Job, _ ticket) error {
	if t.Queued == 0 || t.Paused {
		return nil
	}
	if err := k.book(ctx, t); err != nil {
		return err
	}
	switch {
	case len(t.Running) > 0:
		return nil // its end brings another job
	case t.now.Before(t.NotBefore):
		return k.store(ctx, t) // which makes the job for then
	}
	t.Queued--
	t.due = t.now
	return k.begin(ctx, t)
}

// begin starts the run in one commit with the schedule as it is afterwards. What
// stands in the way for good is booked as a failure; anything else is tried again
// until it works, or the time is missed.
func (k *Keeper) begin(ctx context.Context, t *turn) error {
	before := t.Schedule
	err := k.start(ctx, t)
	if !definite(err) {
		return err
	}
	t.Schedule = before
	k.cfg.Logger.Warn("a schedule can't start its run", "schedule", t.ref(), "project", t.Project, "error", err)
	t.failed(&t.plan, problem.From(err).Detail, t.now)
	return k.store(ctx, t)
}

func (k *Keeper) start(ctx context.Context, t *turn) error {
	spec, err := k.cfg.Targets.Spec(ctx, Order{
		Project: t.Project, Target: t.Target, Input: t.Input, Due: t.due, Key: t.Key,
	})
	if err != nil {
		return err
	}
	b := Beginning{ID: k.cfg.Runs.NewID(), Spec: spec}
	b.Spec.Schedule = t.ref()
	t.Running = slices.Clone(t.Running) // begin may want it as it was
	t.begun(b.ID, t.now)
	c, err := t.commit()
	if err != nil {
		return err
	}
	b.Rows, b.Jobs = c.Rows, c.Jobs
	return k.cfg.Runs.Start(ctx, b)
}

// definite reports whether an error would come again for the same order.
func definite(err error) bool {
	var p *problem.Error
	if !errors.As(err, &p) {
		return false
	}
	switch p.Code {
	case problem.NotFound, problem.InvalidRequest, problem.Conflict, problem.ScopeDenied, problem.ModelUnknown, problem.QuotaExceeded, problem.NotAvailable:
		return true
	}
	return false
}
