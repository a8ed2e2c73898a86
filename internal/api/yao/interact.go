package yao

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// What has come of a message.
const (
	waitForMoreWord  = "waiting_for_more" // the host has asked something
	confirmedWord    = "confirmed"
	adjustedWord     = "adjusted"
	taskAddedWord    = "task_added"
	taskSkippedWord  = "task_skipped"
	resumedWord      = "resumed"
	waitingWord      = "waiting" // it is heard when the execution is resumed
	acknowledgedWord = "acknowledged"
	rejectedWord     = "rejected"
	errorWord        = "error" // on a stream alone: an answer has a status of its own
)

// What a message can be meant as.
const (
	meansReply   = "reply"
	meansConfirm = "confirm"
	meansAdjust  = "adjust"
	meansAddTask = "add_task"
	meansSkip    = "skip_task"
	meansReject  = "reject"
)

type interactIn struct {
	Message     *string `json:"message"`
	ExecutionID string  `json:"execution_id"`
	TaskID      string  `json:"task_id"`
	Source      string  `json:"source"`
	Action      string  `json:"action"`
	Stream      *bool   `json:"stream"`
}

// interactBody is what has come of a message.
type interactBody struct {
	ExecutionID string `json:"execution_id"`
	Status      string `json:"status"`
	Message     string `json:"message,omitempty"`
	ChatID      string `json:"chat_id,omitempty"`
	Reply       string `json:"reply,omitempty"` // the host's words
	WaitForMore bool   `json:"wait_for_more,omitempty"`
}

func (in *interactIn) check(faults agent.Faults) {
	faults.Add("message", checkMessage(in.Message))
	if in.Source != "" {
		oneOf(faults, "source", in.Source, "ui", "email", "webhook", "a2a", "cron")
	}
	if in.Action != "" {
		oneOf(faults, "action", in.Action, meansReply, meansConfirm, meansAdjust, meansAddTask, meansSkip, meansReject)
	}
	switch {
	case in.TaskID != "" && in.ExecutionID == "":
		faults.Add("execution_id", "is required beside task_id.")
	case in.Action != "" && in.ExecutionID == "":
		faults.Add("execution_id", "is required beside action.")
	case in.Action == meansSkip && in.TaskID == "":
		faults.Add("task_id", "is required beside the action skip_task.")
	}
}

// startInteract takes a message to whom it is for: to the robot's host as long as the
// goal is being settled, else to the execution.
func (a *API) startInteract(ctx context.Context, r *wire.Request) (run.ID, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	var in interactIn
	if err := r.Decode(&in); err != nil {
		return run.ID{}, err
	}
	faults := agent.Faults{}
	in.check(faults)
	if err := faults.Problem(); err != nil {
		return run.ID{}, err
	}
	if in.ExecutionID == "" {
		return a.openTalk(ctx, r, &found, &in)
	}
	e, err := a.executionOf(ctx, r, found.ID, in.ExecutionID)
	if err != nil {
		return run.ID{}, err
	}
	return a.address(ctx, r, &found, &e, &in)
}

// startConfirm confirms the goal of a conversation as the host has understood it.
func (a *API) startConfirm(ctx context.Context, r *wire.Request) (run.ID, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	e, err := a.executionOf(ctx, r, found.ID, r.Path("exec"))
	if err != nil {
		return run.ID{}, err
	}
	said := replyIn{}
	if !blank(r) {
		if err := r.Decode(&said); err != nil {
			return run.ID{}, err
		}
	}
	if said.Message == nil || *said.Message == "" {
		text := "Yes, I confirm. Start."
		said.Message = &text
	}
	if wrong := checkMessage(said.Message); wrong != "" {
		return run.ID{}, problem.Invalid("message", "%s", wrong)
	}
	return a.address(ctx, r, &found, &e, &interactIn{Message: said.Message, Action: meansConfirm})
}

// openTalk begins a conversation, and reserves the id of what will come of it.
func (a *API) openTalk(ctx context.Context, r *wire.Request, of *robot.Robot, in *interactIn) (run.ID, error) {
	id := a.cfg.Engine.NewID()
	kept := reservation{
		Chat: "chat_" + id.String(), Key: r.Caller.KeyID, Opening: *in.Message,
		Created: a.cfg.Now().UTC().Truncate(time.Millisecond),
	}
	return a.say(ctx, r, of, &execution{id: id, reserved: &kept}, in)
}

// address takes a message to an execution that is there.
func (a *API) address(ctx context.Context, r *wire.Request, of *robot.Robot, e *execution, in *interactIn) (run.ID, error) {
	switch {
	case e.reserved == nil:
		body, err := a.addressRun(ctx, r, e, in)
		if err != nil {
			return run.ID{}, err
		}
		r.Value = body
		return e.id, a.tie(ctx, r, e.id)
	case !e.reserved.Cancelled.IsZero():
		return run.ID{}, wrongState(robot.ExecCancelled, "talked about", "Begin another conversation.")
	case in.Action == meansReject:
		return run.ID{}, problem.Invalid("action", "reject is not for a goal that is being settled: cancel the execution with POST %s/%s/executions/%s/cancel, or say what is wrong with it", robotsPath, of.ID, e.shown.ID)
	case in.Action == meansReply || in.Action == meansSkip || in.TaskID != "":
		return run.ID{}, problem.New(problem.Conflict, "Execution %s has no tasks yet: its goal is being settled.", e.shown.ID)
	}
	return a.say(ctx, r, of, e, in)
}

// addressRun takes a message to an execution that has begun.
func (a *API) addressRun(ctx context.Context, r *wire.Request, e *execution, in *interactIn) (interactBody, error) {
	body := interactBody{ExecutionID: e.shown.ID, ChatID: e.shown.ChatID, Status: acknowledgedWord, Message: "The execution has been told."}
	asked := interveneIn{Messages: []robot.Said{{Role: "user", Content: *in.Message}}, TaskID: in.TaskID, Action: instruct}
	switch in.Action {
	case meansConfirm:
		if e.shown.Input.Source != hostSource {
			return body, wrongState(e.shown.Status, "confirmed", "No conversation has settled its goal.")
		}
		body.Status, body.Message = confirmedWord, alreadyStarted
		return body, nil
	case meansReject:
		_, err := a.cfg.Engine.Cancel(ctx, r.Caller.Project, e.id, run.Cancel{By: r.Caller.KeyID, Reason: *in.Message})
		body.Status, body.Message = rejectedWord, "Execution cancelled."
		return body, err
	case meansAdjust:
		asked.Action, body.Status = goalAdjust, adjustedWord
	case meansAddTask:
		asked.Action, body.Status = taskAdd, taskAddedWord
	case meansSkip:
		asked.Action, body.Status = taskCancel, taskSkippedWord
	default:
		if task := asking(e, in.TaskID); task != "" || in.Action == meansReply {
			return a.answerTask(ctx, r, e, task, *in.Message)
		}
	}
	if e.shown.Status == robot.ExecPaused {
		body.Status, body.Message = waitingWord, "The execution is paused: it hears this when it is resumed."
	}
	text := *in.Message
	if asked.Action != instruct {
		text = asked.steering()
	}
	if in.Source != "" && in.Source != "ui" {
		text += "\n\n(This came by " + in.Source + ".)"
	}
	asked.Messages[0].Content = text
	asked.Action = instruct
	return body, a.intervene(ctx, r, e, &asked)
}

// asking is the task whose question a message answers: the one that is named, or the
// one that waits.
func asking(e *execution, named string) string {
	for i := range e.shown.Tasks {
		if task := &e.shown.Tasks[i]; task.Status == robot.TaskWaiting && (named == "" || named == task.ID) {
			return task.ID
		}
	}
	return ""
}

// say makes a turn of the conversation that settles a reserved execution's goal.
func (a *API) say(ctx context.Context, r *wire.Request, of *robot.Robot, e *execution, in *interactIn) (run.ID, error) {
	t := &turn{
		who: r.Caller, opener: e.reserved.Key, // whoever goes on with it: the chat is where it was opened
		robot: *of, chatID: e.reserved.Chat, model: "default",
		fresh: []run.Message{{Role: run.User, Text: *in.Message}}, required: in.Action == meansConfirm,
	}
	if in.Source != "" {
		t.labels = map[string]string{"source": in.Source}
	}
	var err error
	for range placeTries {
		var p place
		if p, err = a.place(ctx, t); err != nil {
			return run.ID{}, err
		}
		if !p.again.IsZero() {
			return p.again, a.tie(ctx, r, p.again)
		}
		var id run.ID
		if id, err = a.makeSaid(ctx, r, t, &p, e); !overtaken(err) {
			return id, err
		}
	}
	return run.ID{}, problem.New(problem.Conflict, "Other messages of this conversation come faster than this one: send it again.").Because(err)
}

// makeSaid makes the run of the turn, together with the reservation.
func (a *API) makeSaid(ctx context.Context, r *wire.Request, t *turn, p *place, e *execution) (run.ID, error) {
	spec, err := a.turnSpec(ctx, t, p)
	if err != nil {
		return run.ID{}, err
	}
	spec.Fingerprint = r.Fingerprint()
	for i := range spec.Handoffs {
		spec.Handoffs[i].Reserved = e.id
	}
	if t.required {
		spec.Require = robot.ConfirmTool
	}
	id := a.cfg.Engine.NewID()
	rows, err := a.record(t, p, id)
	if err != nil {
		return run.ID{}, err
	}
	held, err := e.reserved.write(t.who.Project, t.robot.ID, e.id)
	if err != nil {
		return run.ID{}, err
	}
	held.Check = e.reserved.version > 0 // it is there: it must not be cancelled meanwhile
	_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: append(append(rows, held), r.Claim(id)...)})
	if err != nil {
		return run.ID{}, fmt.Errorf("making a turn of the conversation about %s: %w", execID(e.id), err)
	}
	return id, nil
}

// hostSource is what orders say that a conversation has made.
const hostSource = "host"

// wantsStream reports whether the answer is to come as it comes about: the body says
// so, or the request takes nothing but a stream.
func wantsStream(r *wire.Request) (bool, error) {
	if strings.TrimSpace(r.Header("Accept")) == "text/event-stream" {
		return true, nil
	}
	if blank(r) {
		return false, nil
	}
	var in interactIn
	err := r.Decode(&in)
	return in.Stream != nil && *in.Stream, err
}

// blank reports whether a request that needs no body has none.
func blank(r *wire.Request) bool { return len(bytes.TrimSpace(r.Body)) == 0 }
