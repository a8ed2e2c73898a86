package yao

import (
	"context"
	"fmt"
	"strings"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// What a person can ask of a robot at work.
const (
	taskAdd      = "task.add"
	taskCancel   = "task.cancel"
	taskUpdate   = "task.update"
	goalAdd      = "goal.add"
	goalAdjust   = "goal.adjust"
	goalComplete = "goal.complete"
	goalCancel   = "goal.cancel"
	planAdd      = "plan.add"
	planRemove   = "plan.remove"
	planUpdate   = "plan.update"
	instruct     = "instruct"
)

func actions() []string {
	return []string{taskAdd, taskCancel, taskUpdate, goalAdd, goalAdjust, goalComplete, goalCancel, planAdd, planRemove, planUpdate, instruct}
}

// begins reports whether an action makes sense where nothing is at work: it starts
// an execution then.
func begins(action string) bool {
	return action == taskAdd || action == goalAdd || action == instruct
}

// interveneIn is the body. execution_id and task_id are this server's addition: the
// original leaves open which execution is meant.
type interveneIn struct {
	Action      string       `json:"action"`
	Messages    []robot.Said `json:"messages"`
	PlanAt      *time.Time   `json:"plan_at"`
	ExecutionID string       `json:"execution_id"`
	TaskID      string       `json:"task_id"`
}

// check holds the body to what can be done.
func (in *interveneIn) check(faults agent.Faults) {
	checkSaid(in.Messages, faults)
	switch in.Action {
	case "":
		faults.Add("action", "is required: one of "+strings.Join(actions(), ", ")+".")
		return
	case planAdd, planRemove, planUpdate:
		faults.Add("action", fmt.Sprintf("%s is not offered: plan work for later with POST /v1/schedules, or with the robot's clock (robot_config.clock).", in.Action))
		return
	}
	oneOf(faults, "action", in.Action, actions()...)
	if in.PlanAt != nil {
		faults.Add("plan_at", "goes with plan.add, which is not offered: plan work for later with POST /v1/schedules.")
	}
	if strings.HasPrefix(in.Action, "task.") != (in.TaskID != "") && in.Action != taskAdd {
		if in.TaskID != "" {
			faults.Add("task_id", "goes with task.cancel and task.update.")
		} else if len(in.Messages) == 0 {
			faults.Add("task_id", "is required, or messages that say which task is meant.")
		}
	}
	switch in.Action {
	case taskAdd, taskUpdate, goalAdd, goalAdjust, instruct:
		if goalsOf(in.Messages) == "" {
			faults.Add("messages", "is required: a message with role user and content that says what is wanted.")
		}
	}
}

// steering is how an execution is told of what a person asks for.
func (in *interveneIn) steering() string {
	said := goalsOf(in.Messages)
	task := "a task"
	if in.TaskID != "" {
		task = "the task " + in.TaskID
	}
	switch in.Action {
	case taskAdd:
		return "A person adds a task: put it into the plan with " + robot.PlanTool + " and add, and do it.\n\n" + said
	case taskUpdate:
		return "A person changes " + task + ": do it as they say.\n\n" + said
	case taskCancel:
		return strings.TrimSpace("A person does not want " + task + " any more: skip it with " + robot.SkipTool + ".\n\n" + said)
	case goalAdd:
		return "A person adds to the goals: plan for it, too, and reach it.\n\n" + said
	case goalAdjust:
		return "A person changes the goals: from now on they are as follows. Change the plan if need be.\n\n" + said
	case goalComplete:
		return strings.TrimSpace("A person regards the goals as reached: skip the tasks that are open, and deliver what there is.\n\n" + said)
	}
	return said
}

// startIntervene does to an execution at work what a person asks for, or starts one
// where that makes sense without.
func (a *API) startIntervene(ctx context.Context, r *wire.Request) (run.ID, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	var in interveneIn
	if err := r.Decode(&in); err != nil {
		return run.ID{}, err
	}
	faults := agent.Faults{}
	in.check(faults)
	if err := faults.Problem(); err != nil {
		return run.ID{}, err
	}
	if !found.Enabled(robot.ByHuman, in.Action) {
		return run.ID{}, problem.New(problem.InvalidRequest, "Robot %s takes no %q: its robot_config.triggers.intervene says so.", found.ID, in.Action)
	}
	e, err := a.meant(ctx, r, &found, &in)
	if err != nil {
		return run.ID{}, err
	}
	if e == nil {
		r.Value = nowStarted
		return a.begin(ctx, r, &found, robot.Start{Goals: goalsOf(in.Messages), Order: robot.Order{
			Trigger: robot.ByHuman, Action: in.Action, Messages: in.Messages,
		}})
	}
	if err := a.intervene(ctx, r, e, &in); err != nil {
		return run.ID{}, err
	}
	return e.id, a.tie(ctx, r, e.id)
}

// meant is the execution that a request is about; nil for one that is to be started.
func (a *API) meant(ctx context.Context, r *wire.Request, of *robot.Robot, in *interveneIn) (*execution, error) {
	if in.ExecutionID != "" {
		e, err := a.executionOf(ctx, r, of.ID, in.ExecutionID)
		return &e, err
	}
	lines, err := a.cfg.Lines.Runs(ctx, run.RunQuery{
		Project: r.Caller.Project, Agent: robot.ExecutionAgent + of.ID, Limit: 2,
		Statuses: []run.Status{run.Queued, run.Running, run.AwaitingApproval, run.AwaitingInput, run.PausedStatus},
	})
	switch {
	case err != nil:
		return nil, err
	case len(lines) > 1:
		return nil, problem.Invalid("execution_id", "is required: several executions of this robot are at work; name the one that is meant")
	case len(lines) == 1:
		e, err := a.executionOf(ctx, r, of.ID, lines[0].ID.String())
		return &e, err
	case begins(in.Action):
		return nil, nil
	}
	return nil, problem.New(problem.Conflict, "No execution of robot %s is at work that %s could be about.", of.ID, in.Action)
}

// intervene tells the execution, or ends it.
func (a *API) intervene(ctx context.Context, r *wire.Request, e *execution, in *interveneIn) error {
	if e.reserved != nil {
		return problem.New(problem.Conflict, "The goal of execution %s is still being settled: say it there, with POST %s/%s/interact.", e.shown.ID, robotsPath, e.shown.MemberID)
	}
	if in.TaskID != "" {
		switch task := taskOf(&e.shown, in.TaskID); {
		case task == nil:
			return problem.New(problem.NotFound, "Execution %s has no task %.80q: GET it to see its tasks.", e.shown.ID, in.TaskID)
		case task.Done():
			return problem.New(problem.Conflict, "Task %s is %s already.", task.ID, task.Status)
		}
	}
	if in.Action == goalCancel {
		_, err := a.cfg.Engine.Cancel(ctx, r.Caller.Project, e.id, run.Cancel{By: r.Caller.KeyID, Reason: goalsOf(in.Messages)})
		return err
	}
	return a.tell(ctx, r, e, in.steering())
}

// tell adds what a person says to an execution that has not ended.
func (a *API) tell(ctx context.Context, r *wire.Request, e *execution, text string) error {
	if e.state.Terminal() {
		return problem.New(problem.Conflict, "Execution %s has ended (%s); start another one, or retry it.", e.shown.ID, e.shown.Status)
	}
	_, err := a.cfg.Engine.Message(ctx, r.Caller.Project, e.id, run.Added{Text: text, By: r.Caller.KeyID})
	return err
}

func (a *API) answerIntervene(_ context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	message, known := r.Value.(string)
	if !known {
		message = "The execution has been told."
	}
	return wire.Response{Header: location(r, id), Body: acceptedBody{Accepted: true, ExecutionID: execID(id), Message: message}}, nil
}
