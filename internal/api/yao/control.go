package yao

import (
	"context"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// controlBody is the answer to pause, resume and cancel.
type controlBody struct {
	ExecutionID string `json:"execution_id"`
	Action      string `json:"action"` // paused, resumed, cancelled
	Success     bool   `json:"success"`
	Message     string `json:"message"`
}

func controlled(id run.ID, action, message string) wire.Response {
	return wire.OK(controlBody{ExecutionID: execID(id), Action: action, Success: true, Message: message})
}

// wrongState is the answer to a control that an execution's state does not allow.
func wrongState(status string, what, mend string) error {
	return problem.New(problem.Conflict, "The execution is %s: it can't be %s. %s", status, what, mend)
}

// pause holds an execution that is at work. One that waits for a person does
// nothing that could be held.
func (a *API) pause(ctx context.Context, r *wire.Request) (wire.Response, error) {
	e, err := a.execution(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	switch status := e.shown.Status; status {
	case robot.ExecRunning, robot.ExecPaused:
	case robot.ExecWaiting:
		return wire.Response{}, wrongState(status, "paused", "It rests until it is answered: reply to its task, decide what is pending, or cancel it.")
	case robot.ExecPending, robot.ExecConfirming:
		return wire.Response{}, wrongState(status, "paused", "It has not begun: cancel it, or pause it when it runs.")
	default:
		return wire.Response{}, wrongState(status, "paused", "It has ended; retry starts another one.")
	}
	if _, err := a.cfg.Engine.Pause(ctx, r.Caller.Project, e.id, r.Caller.KeyID); err != nil {
		return wire.Response{}, err
	}
	return controlled(e.id, "paused", "Execution paused: what is under way ends, nothing new starts."), nil
}

// resume lets a paused execution go on. One that goes on already because it was
// resumed gets the same answer.
func (a *API) resume(ctx context.Context, r *wire.Request) (wire.Response, error) {
	e, err := a.execution(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	switch status := e.shown.Status; status {
	case robot.ExecPaused:
		if _, err := a.cfg.Engine.Resume(ctx, r.Caller.Project, e.id, r.Caller.KeyID); err != nil {
			return wire.Response{}, err
		}
	case robot.ExecCompleted, robot.ExecFailed, robot.ExecCancelled:
		return wire.Response{}, wrongState(status, "resumed", "It has ended; retry starts another one.")
	default:
		resumed, err := a.wasResumed(ctx, r, e)
		if err != nil {
			return wire.Response{}, err
		}
		if !resumed {
			return wire.Response{}, wrongState(status, "resumed", "Only a paused one can be.")
		}
	}
	return controlled(e.id, "resumed", "Execution resumed."), nil
}

// wasResumed reports whether an execution that is not paused goes on because
// somebody has resumed it.
func (a *API) wasResumed(ctx context.Context, r *wire.Request, e execution) (bool, error) {
	if e.reserved != nil {
		return false, nil
	}
	events, _, err := a.cfg.Engine.Events(ctx, r.Caller.Project, e.id, 0, 0)
	for i := range events {
		if events[i].Type == run.RunResumed {
			return true, nil
		}
	}
	return false, err
}

// cancel ends an execution, also one whose goal is still being settled.
func (a *API) cancel(ctx context.Context, r *wire.Request) (wire.Response, error) {
	e, err := a.execution(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	const done = "Execution cancelled."
	switch status := e.shown.Status; {
	case status == robot.ExecCompleted || status == robot.ExecFailed:
		return wire.Response{}, wrongState(status, "cancelled", "It has ended.")
	case status == robot.ExecCancelled:
	case e.reserved != nil:
		if err := a.dropReserved(ctx, r, e); err != nil {
			return wire.Response{}, err
		}
	default:
		if _, err := a.cfg.Engine.Cancel(ctx, r.Caller.Project, e.id, run.Cancel{By: r.Caller.KeyID}); err != nil {
			return wire.Response{}, err
		}
	}
	return controlled(e.id, "cancelled", done), nil
}
