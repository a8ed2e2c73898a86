package yao

import (
	"context"
	"strings"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// maxMessage bounds what people say to an execution, in bytes: a model has to read it.
const maxMessage = 64 << 10

// checkMessage reports what is wrong with a message, or "".
func checkMessage(text *string) string {
	switch {
	case text == nil || strings.TrimSpace(*text) == "":
		return "is required: say what the robot is to know."
	case len(*text) > maxMessage:
		return "is too long: at most 64 KiB."
	}
	return ""
}

type replyIn struct {
	Message *string `json:"message"`
}

// replyTask answers the question that a task waits with.
func (a *API) replyTask(ctx context.Context, r *wire.Request) (wire.Response, error) {
	e, err := a.execution(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	var in replyIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	if wrong := checkMessage(in.Message); wrong != "" {
		return wire.Response{}, problem.Invalid("message", "%s", wrong)
	}
	body, err := a.answerTask(ctx, r, &e, r.Path("task"), *in.Message)
	return wire.OK(body), err
}

// answerTask sends the answer to what the task asks. The same answer once more is
// the same answer: its first answer may have been lost.
func (a *API) answerTask(ctx context.Context, r *wire.Request, e *execution, task, message string) (interactBody, error) {
	body := interactBody{ExecutionID: e.shown.ID, ChatID: e.shown.ChatID, Status: resumedWord, Message: "The answer has reached the task; the execution goes on."}
	if e.reserved != nil || taskOf(&e.shown, task) == nil {
		return body, problem.New(problem.NotFound, "Execution %s has no task %.80q: GET it to see its tasks.", e.shown.ID, task)
	}
	asked, waits := robot.Question(&e.state, task)
	if !waits {
		if answered(&e.state, task, message) {
			return body, nil
		}
		return body, problem.New(problem.Conflict, "Task %s waits for no answer: it is %s, and the execution is %s.", task, taskOf(&e.shown, task).Status, e.shown.Status)
	}
	_, err := a.cfg.Engine.Outputs(ctx, r.Caller.Project, e.id, run.Input{
		By: r.Caller.KeyID, Outputs: []run.Output{{Action: asked.ID, Text: message}},
	})
	return body, err
}

func taskOf(e *robot.Execution, id string) *robot.Task {
	for i := range e.Tasks {
		if e.Tasks[i].ID == id {
			return &e.Tasks[i]
		}
	}
	return nil
}

// answered reports whether the last question of the execution has got this answer.
func answered(s *run.State, task, message string) bool {
	for t := len(s.Turns) - 1; t >= 0; t-- {
		for i := range s.Turns[t].Actions {
			if a := &s.Turns[t].Actions[i]; a.Tool.Name == robot.AskTool && a.Done() {
				return a.Output == message && strings.Contains(a.Arguments, `"`+task+`"`)
			}
		}
	}
	return false
}
