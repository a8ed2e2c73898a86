package webagent

import (
	"context"
	"errors"
	"fmt"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/workflow"
)

// cachedBody is the answer of a run that has become a workflow.
type cachedBody struct {
	Success  bool               `json:"success"`
	Workflow *workflow.Template `json:"workflow"`
	Message  string             `json:"message"`
	Task     int                `json:"task_id"`
}

// cacheRun makes a finished run repeatable, and its task repeat it. A run of another
// API gets a task of its own; a replay gives its task what was mended in it.
func (a *API) cacheRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	s, err := a.state(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	t, note, err := a.template(ctx, &s)
	if err != nil {
		return wire.Response{}, err
	}
	number, err := a.store(ctx, r, &s, &t)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(cachedBody{
		Success: true, Workflow: &t, Task: number,
		Message: fmt.Sprintf("Successfully extracted %d parameter(s) and created workflow template%s", len(t.Parameters), note),
	}), nil
}

// template makes a run's template. note says what its maker should know.
func (a *API) template(ctx context.Context, s *run.State) (t workflow.Template, note string, err error) {
	switch {
	case s.Ended == nil:
		return t, "", problem.New(problem.InvalidRequest, "The run has not finished yet (%s): wait for its end.", s.Status)
	case !successful(s):
		return t, "", problem.New(problem.InvalidRequest, "The run was not successful: only one that was can be repeated.")
	}
	if t, ok := workflow.Replayed(s); ok {
		return t, "", nil
	}
	if t = workflow.FromRun(s); len(t.Steps) == 0 {
		return t, "", problem.New(problem.InvalidRequest, "The run has called no tool that could be called again, so there is nothing to repeat.")
	}
	parameters := t.Guess()
	if !a.offline(s.Spec.Model) {
		answer, _, err := a.consult(ctx, &s.Spec, workflow.ExtractionRequest(t.Prompt), workflow.ExtractionSchema())
		if err == nil {
			parameters, err = workflow.ReadExtraction(answer, t.Prompt)
		}
		if err != nil {
			if ctx.Err() != nil {
				return t, "", ctx.Err()
			}
			note = ", found without a model, because that did not answer"
			parameters = t.Guess()
		}
	}
	return t, note, t.Complete(parameters)
}

// store gives the template to the run's task, or to a new one.
func (a *API) store(ctx context.Context, r *wire.Request, s *run.State, t *workflow.Template) (int, error) {
	e := echoOf(s)
	if !e.numbered() {
		return a.adopt(ctx, r.Caller.Project, s, t)
	}
	changed, err := a.amend(ctx, r.Caller.Project, itoa(e.Task), func(kept *task) error {
		kept.Workflow, kept.UseWorkflow = t, true
		return nil
	})
	return changed.Number, err
}

// amend changes a task by compare-and-set.
func (a *API) amend(ctx context.Context, project, number string, change func(*task) error) (task, error) {
	var taken *run.RowConflict
	for range tries {
		t, err := a.loadTask(ctx, project, number)
		if err != nil {
			return t, err
		}
		if err := change(&t); err != nil {
			return t, err
		}
		row, err := a.write(project, &t)
		if err != nil {
			return t, err
		}
		switch err = a.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{row}}); {
		case err == nil:
			return t, nil
		case !errors.As(err, &taken):
			return t, fmt.Errorf("changing a task: %w", err)
		}
	}
	return task{}, fmt.Errorf("changing a task: %w", taken)
}

// adopt makes a task for a run that another API has started.
func (a *API) adopt(ctx context.Context, project string, s *run.State, t *workflow.Template) (int, error) {
	lane := a.lane(project)
	lane.Lock()
	defer lane.Unlock()
	var taken *run.RowConflict
	for range tries {
		last, counter, err := a.lastNumbers(ctx, project)
		if err != nil {
			return 0, err
		}
		last.Task++
		made := task{Number: last.Task, Prompt: s.Spec.Input.Text, Workflow: t, UseWorkflow: true, Schema: s.Spec.Output}
		row, err := a.write(project, &made)
		if err != nil {
			return 0, err
		}
		if counter.Data, err = encode(last); err != nil {
			return 0, err
		}
		switch err = a.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{row, counter}}); {
		case err == nil:
			return made.Number, nil
		case !errors.As(err, &taken):
			return 0, fmt.Errorf("keeping a task: %w", err)
		}
	}
	return 0, fmt.Errorf("keeping a task: %w", taken)
}
