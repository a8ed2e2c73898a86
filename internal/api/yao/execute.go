package yao

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"unicode/utf8"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

type executeIn struct {
	Goals   *string         `json:"goals"`
	Context json.RawMessage `json:"context"`
	ChatID  *string         `json:"chat_id"`
}

// startedBody is the answer to whatever has started an execution.
type startedBody struct {
	ExecutionID string `json:"execution_id"`
	Status      string `json:"status"`
	Message     string `json:"message"`
}

// readExecute reads the body of an order.
func (a *API) readExecute(r *wire.Request) (in executeIn, err error) {
	if err := r.Decode(&in); err != nil {
		return in, err
	}
	faults := agent.Faults{}
	if in.Goals == nil || strings.TrimSpace(*in.Goals) == "" {
		faults.Add("goals", "is required: say in plain words what is to be reached.")
	} else if utf8.RuneCountInString(*in.Goals) > a.cfg.MaxPrompt {
		faults.Add("goals", fmt.Sprintf("is too long: at most %d characters.", a.cfg.MaxPrompt))
	}
	switch text := strings.TrimSpace(string(in.Context)); {
	case text == "" || text == "null":
		in.Context = nil
	case text[0] != '{':
		faults.Add("context", "must be an object, such as {\"format\": \"markdown\"}.")
	}
	if in.ChatID != nil && *in.ChatID != "" {
		if err := checkChatID("chat_id", *in.ChatID); err != nil {
			faults.Add("chat_id", problem.From(err).Fields["chat_id"])
		}
	}
	return in, faults.Problem()
}

// startExecution makes the run of an order. Goals that were confirmed in the chat
// that it names are at work already: whoever follows the API's diagram to the letter
// confirms them and sends them here, too.
func (a *API) startExecution(ctx context.Context, r *wire.Request) (run.ID, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	in, err := a.readExecute(r)
	if err != nil {
		return run.ID{}, err
	}
	order := robot.Order{Trigger: robot.ByHuman, Source: "api"}
	if in.ChatID != nil && *in.ChatID != "" {
		order.ChatID = *in.ChatID
		known, err := a.confirmed(ctx, r.Caller.Project, talkRow(r.Caller.KeyID, found.ID, order.ChatID), *in.Goals)
		if err != nil || !known.IsZero() {
			r.Value = alreadyStarted
			if err == nil {
				err = a.tie(ctx, r, known)
			}
			return known, err
		}
	}
	spec, err := a.cfg.Desk.Execution(ctx, &found, robot.Start{
		Project: r.Caller.Project, Key: r.Caller.KeyID, Scopes: r.Caller.Scopes,
		Goals: *in.Goals, Context: in.Context, Order: order, Fingerprint: r.Fingerprint(),
	})
	if err != nil {
		return run.ID{}, err
	}
	id := a.cfg.Engine.NewID()
	_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: r.Claim(id)})
	return id, err
}

// confirmed finds the execution of goals that were confirmed in a chat, or nothing.
func (a *API) confirmed(ctx context.Context, project, chatRow, goals string) (run.ID, error) {
	found, err := a.cfg.Rows.Row(ctx, run.ClaimKind, project, run.ClaimID(robot.Claim(chatRow), goals))
	if problem.Is(err, problem.NotFound) {
		return run.ID{}, nil
	}
	if err != nil {
		return run.ID{}, fmt.Errorf("looking for confirmed goals: %w", err)
	}
	var claimed run.Claimed
	if err := json.Unmarshal(found.Data, &claimed); err != nil {
		return run.ID{}, fmt.Errorf("reading the claim %s: %w", found.ID, err)
	}
	return claimed.Run, nil
}

// What the answer says beside the id.
const (
	nowStarted     = "Execution started"
	alreadyStarted = "Execution already started"
)

// answerExecution answers with the execution. Its status is that of every answer
// that starts one; how it stands is at Location.
func (a *API) answerExecution(_ context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	message, known := r.Value.(string)
	if !known {
		message = nowStarted
	}
	return wire.Response{
		Header: http.Header{"Location": {robotsPath + "/" + url.PathEscape(r.Path("id")) + "/executions/" + execID(id)}},
		Body:   startedBody{ExecutionID: execID(id), Status: pending, Message: message},
	}, nil
}
