package engine

import (
	"context"

	"errand/internal/problem"
	"errand/internal/run"
)

// noRun is the answer for a run that is not there, is deleted, or belongs to
// another project: the three can't be told apart from outside.
func noRun(id run.ID) error {
	return problem.New(problem.NotFound, "There is no run run_%s in this project.", id)
}

// summary returns the run's line if the project has such a run.
func (e *Engine) summary(ctx context.Context, project string, id run.ID) (run.Summary, error) {
	line, err := e.cfg.Log.Summary(ctx, id)
	switch {
	case problem.Is(err, problem.NotFound), err == nil && (line.Project != project || line.Deleted):
		return line, noRun(id)
	}
	return line, err
}

// Get returns the run as it stands on disk, or not_found.
func (e *Engine) Get(ctx context.Context, project string, id run.ID) (run.State, error) {
	events, err := e.cfg.Log.Load(ctx, id, 0, 0)
	if err != nil {
		return run.State{}, err
	}
	s := run.Fold(id, events)
	if len(events) == 0 || s.Spec.Project != project {
		return run.State{}, noRun(id)
	}
	return s, nil
}

// Wait returns the run when it rests: ended, waiting for someone, or paused. When
// ctx ends first it returns the run as it stands, without an error. The state is
// shared with other readers: it must not be changed.
func (e *Engine) Wait(ctx context.Context, project string, id run.ID) (run.State, error) {
	f := e.attend(id)
	defer e.depart(ctx, id, f)
	if e.cluster != nil || !f.knows(project) { // another node may know better
		line, err := e.summary(ctx, project, id)
		if err != nil {
			return run.State{}, err
		}
		f.learn(line)
	}
	for {
		f.mu.Lock()
		rest, state, changed := f.rest && !f.driven, f.state, f.wait()
		f.mu.Unlock()
		switch {
		case rest && state != nil:
			return *state, nil
		case rest:
			return e.Get(ctx, project, id)
		}
		select {
		case <-changed:
			continue
		case <-ctx.Done():
		case <-e.draining:
		}
		return e.Get(context.WithoutCancel(ctx), project, id)
	}
}

// maxPage bounds one page of events, so that limit+1 is always a number.
const maxPage = 1 << 30

// Events returns up to limit stored events after the given seq, all of them if
// limit is 0, and whether there are more.
func (e *Engine) Events(ctx context.Context, project string, id run.ID, after int64, limit int) ([]run.Event, bool, error) {
	if _, err := e.summary(ctx, project, id); err != nil {
		return nil, false, err
	}
	if limit <= 0 || limit > maxPage {
		limit = maxPage
	}
	events, err := e.cfg.Log.Load(ctx, id, after, limit+1)
	if err != nil {
		return nil, false, err
	}
	more := len(events) > limit
	return events[:min(len(events), limit)], more, nil
}
