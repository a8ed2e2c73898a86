package yao

import (
	"context"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// startRetry makes a new execution of the goals of one that has ended, with the
// robot as it is now.
func (a *API) startRetry(ctx context.Context, r *wire.Request) (run.ID, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	e, err := a.executionOf(ctx, r, found.ID, r.Path("exec"))
	if err != nil {
		return run.ID{}, err
	}
	if e.reserved != nil {
		return run.ID{}, problem.New(problem.Conflict, "Execution %s has never begun: its goal was not confirmed. Start another one instead.", e.shown.ID)
	}
	if !e.state.Terminal() {
		return run.ID{}, problem.New(problem.Conflict, "Execution %s has not ended (%s): cancel it first, or wait.", e.shown.ID, e.shown.Status)
	}
	order, ok := robot.ReadOrder(&e.state.Spec)
	if !ok {
		order = robot.Order{Trigger: robot.ByHuman}
	}
	order.RetryOf = e.shown.ID
	goals := ""
	if e.shown.Goals != nil { // also those that it has found itself
		goals = e.shown.Goals.Content
	}
	return a.begin(ctx, r, &found, robot.Start{
		Goals: goals, Context: e.state.Spec.Context, Order: order, Previous: &e.state.ID,
	})
}

// begin makes the run of an execution, for this request.
func (a *API) begin(ctx context.Context, r *wire.Request, of *robot.Robot, s robot.Start) (run.ID, error) {
	s.Project, s.Key, s.Scopes, s.Fingerprint = r.Caller.Project, r.Caller.KeyID, r.Caller.Scopes, r.Fingerprint()
	spec, err := a.cfg.Desk.Execution(ctx, of, s)
	if err != nil {
		return run.ID{}, err
	}
	id := a.cfg.Engine.NewID()
	_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: r.Claim(id)})
	return id, err
}

// retriedBody is the answer to a retry: the new execution.
type retriedBody struct {
	ExecutionID string `json:"execution_id"`
	Status      string `json:"status"`
}

func (a *API) answerRetry(_ context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	return wire.Response{Header: location(r, id), Body: retriedBody{ExecutionID: execID(id), Status: robot.ExecPending}}, nil
}
