package webagent

import (
	"context"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// startRun makes the task and the run of POST /api/runs.
func (a *API) startRun(ctx context.Context, r *wire.Request) (run.ID, error) {
	in, err := a.read(ctx, r, true)
	if err != nil {
		return run.ID{}, err
	}
	var t task
	t.take(&in)
	if t.Workflow == nil { // as the original: there is nothing to replay, so the agent works
		t.UseWorkflow = false
	}
	return a.start(ctx, r, &t, &in)
}

// noWorkflow is what the original says; the page of the API has it word for word.
const noWorkflow = "Cannot use cached workflow: Task %d does not have a cached workflow. Please create one first by calling POST /api/runs/{run_id}/set-as-cached-workflow"

// startTaskRun makes another run of a task. What the request says holds for this
// run alone.
func (a *API) startTaskRun(ctx context.Context, r *wire.Request) (run.ID, error) {
	t, err := a.loadTask(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return run.ID{}, err
	}
	in, err := a.read(ctx, r, false)
	if err != nil {
		return run.ID{}, err
	}
	t.take(&in)
	if t.UseWorkflow && t.Workflow == nil {
		return run.ID{}, problem.New(problem.InvalidRequest, noWorkflow, t.Number)
	}
	return a.start(ctx, r, &t, &in)
}

func (a *API) start(ctx context.Context, r *wire.Request, t *task, in *request) (run.ID, error) {
	if in.Parameters != nil && !t.UseWorkflow {
		var f faults
		f.value("there is no cached workflow in use that they could belong to: set use_cached_workflow", nil, "parameters")
		return run.ID{}, f.problem()
	}
	o, err := a.order(ctx, r, t, in)
	if err == nil && t.UseWorkflow {
		err = a.replay(ctx, r, &o, in)
	}
	if err != nil {
		return run.ID{}, err
	}
	return a.create(ctx, r, &o)
}

// idsBody is the answer of a run that is not waited for, and nothing else.
type idsBody struct {
	Task int `json:"task_id"`
	Run  int `json:"task_run_id"`
}

// answerRun answers from the run, which another request may have made.
func (a *API) answerRun(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	if err != nil {
		return wire.Response{}, err
	}
	e := echoOf(&s)
	if !e.Wait {
		return wire.OK(idsBody{Task: e.Task, Run: e.Run}), nil
	}
	if s, err = a.rest(ctx, r.Caller.Project, id); err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showAnswer(&s)), nil
}

// rest waits for a run to end, or to wait for someone.
func (a *API) rest(ctx context.Context, project string, id run.ID) (run.State, error) {
	s, err := a.cfg.Engine.Wait(ctx, project, id)
	switch {
	case err != nil:
		return s, err
	case s.Status != run.Queued && s.Status != run.Running:
		return s, nil
	case ctx.Err() != nil:
		return s, ctx.Err()
	}
	return s, problem.New(problem.Overloaded, "This server is shutting down. The run goes on when it is back: send the same request again, or read GET /api/runs/run_%s.", id)
}
