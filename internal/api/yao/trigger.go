package yao

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/robot"
	"errand/internal/run"
)

// Bounds of what an execution can be triggered with.
const (
	maxSaid  = 100 // messages
	maxLabel = 128 // bytes of event_type, locale, name, file_id
)

type triggerIn struct {
	Trigger   string          `json:"trigger_type"`
	Action    string          `json:"action"`
	Messages  []robot.Said    `json:"messages"`
	Source    string          `json:"source"`
	EventType string          `json:"event_type"`
	Data      json.RawMessage `json:"data"`
	Mode      string          `json:"executor_mode"`
	Locale    string          `json:"locale"`
}

// acceptedBody says that what was asked for is done or has begun. What is not
// accepted is an error here, and never a 200.
type acceptedBody struct {
	Accepted    bool   `json:"accepted"`
	ExecutionID string `json:"execution_id,omitempty"`
	Queued      bool   `json:"queued,omitempty"` // it waits for others of the robot
	Message     string `json:"message"`
}

// location is where an execution can be read.
func location(r *wire.Request, id run.ID) http.Header {
	return http.Header{"Location": {robotsPath + "/" + url.PathEscape(r.Path("id")) + "/executions/" + execID(id)}}
}

// startTrigger makes an execution as a person, an event or the clock would.
func (a *API) startTrigger(ctx context.Context, r *wire.Request) (run.ID, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	var in triggerIn
	if err := r.Decode(&in); err != nil {
		return run.ID{}, err
	}
	faults := agent.Faults{}
	s := in.start(faults)
	if err := faults.Problem(); err != nil {
		return run.ID{}, err
	}
	return a.begin(ctx, r, &found, s)
}

// start turns the body into what an execution is made of.
func (in *triggerIn) start(faults agent.Faults) robot.Start {
	if in.Trigger == "" {
		in.Trigger = robot.ByHuman
	}
	checkSaid(in.Messages, faults)
	in.checkWords(faults)
	s := robot.Start{Goals: goalsOf(in.Messages), Order: robot.Order{
		Trigger: in.Trigger, Action: in.Action, Source: in.Source, EventType: in.EventType,
		Messages: in.Messages, Locale: in.Locale, Mode: in.Mode,
	}}
	if data := strings.TrimSpace(string(in.Data)); data != "" && data != "null" {
		s.Order.Data = in.Data
	}
	switch in.Trigger {
	case robot.ByHuman:
		if s.Goals == "" {
			faults.Add("messages", "is required: a message with role user and content that says what is to be reached.")
		}
		in.refuseEvent(faults)
	case robot.ByEvent:
		if in.EventType == "" {
			faults.Add("event_type", "is required: what has happened, such as order.created.")
		}
		if s.Goals == "" {
			s.Goals = fmt.Sprintf("Handle the event %s as your duties ask for.", in.EventType)
		}
	case robot.ByClock:
		if len(in.Messages) > 0 {
			faults.Add("messages", "goes with trigger_type human or event: an execution that the clock starts finds its goals itself.")
		}
		in.refuseEvent(faults)
	}
	return s
}

// checkWords holds the body's words to those that there are.
func (in *triggerIn) checkWords(faults agent.Faults) {
	oneOf(faults, "trigger_type", in.Trigger, robot.ByHuman, robot.ByEvent, robot.ByClock)
	if in.Action != "" {
		oneOf(faults, "action", in.Action, actions()...)
		switch {
		case in.Trigger != robot.ByHuman:
			faults.Add("action", "goes with trigger_type human.")
		case slices.Contains(actions(), in.Action) && !begins(in.Action):
			faults.Add("action", fmt.Sprintf("%s starts nothing, and this does: POST /intervene is for what is at work, and POST /v1/schedules for later.", in.Action))
		}
	}
	if in.Source != "" {
		oneOf(faults, "source", in.Source, "webhook", "database")
	}
	switch in.Mode {
	case "", robot.Standard, robot.DryRun:
	case robot.Sandbox:
		faults.Add("executor_mode", "sandbox is not offered: name standard, or dryrun, which plans and does nothing.")
	default:
		oneOf(faults, "executor_mode", in.Mode, robot.Standard, robot.DryRun)
	}
	for field, text := range map[string]string{"event_type": in.EventType, "locale": in.Locale} {
		if len(text) > maxLabel {
			faults.Add(field, fmt.Sprintf("is too long: at most %d bytes.", maxLabel))
		}
	}
}

// refuseEvent names what only an event brings.
func (in *triggerIn) refuseEvent(faults agent.Faults) {
	const why = "goes with trigger_type event."
	if in.Source != "" {
		faults.Add("source", why)
	}
	if in.EventType != "" {
		faults.Add("event_type", why)
	}
	if data := strings.TrimSpace(string(in.Data)); data != "" && data != "null" {
		faults.Add("data", why)
	}
}

func oneOf(faults agent.Faults, field, word string, words ...string) {
	if !slices.Contains(words, word) {
		faults.Add(field, fmt.Sprintf("must be one of %s, not %.80q.", strings.Join(words, ", "), word))
	}
}

// checkSaid holds messages to what can be told to a model.
func checkSaid(said []robot.Said, faults agent.Faults) {
	if len(said) > maxSaid {
		faults.Add("messages", fmt.Sprintf("lists too many: at most %d.", maxSaid))
		return
	}
	for i := range said {
		at := fmt.Sprintf("messages[%d].", i)
		oneOf(faults, at+"role", said[i].Role, "user", "assistant", "system")
		faults.Add(at+"content", checkMessage(&said[i].Content))
		if said[i].FileID != "" {
			faults.Add(at+"file_id", "is not read here: name the file in the content, and give the robot a tool that reads it.")
		}
		if len(said[i].Name) > maxLabel {
			faults.Add(at+"name", fmt.Sprintf("is too long: at most %d bytes.", maxLabel))
		}
	}
}

// goalsOf is what messages ask for: what their users say. A conversation with other
// voices is kept whole, because "that one" means nothing without them.
func goalsOf(said []robot.Said) string {
	var lines []string
	users, others := false, false
	for i := range said {
		users = users || said[i].Role == "user"
		others = others || said[i].Role != "user"
	}
	if !users {
		return ""
	}
	for i := range said {
		text := strings.TrimSpace(said[i].Content)
		if who := said[i].Role; others || said[i].Name != "" {
			if said[i].Name != "" {
				who = said[i].Name
			}
			text = who + ": " + text
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n\n")
}

func (a *API) answerTrigger(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	if err != nil {
		return wire.Response{}, err
	}
	queued := s.Status == run.Queued
	body := acceptedBody{Accepted: true, ExecutionID: execID(id), Queued: queued, Message: nowStarted}
	if queued {
		body.Message = "Execution queued: others of this robot are at work."
	}
	return wire.Response{Header: location(r, id), Body: body}, nil
}
