package native

import (
	"encoding/json"
	"time"

	"errand/internal/run"
)

// eventBody is a stored event as this API shows it: in /events, and as a frame of
// a stream. Its data is this API's own, apart from what is stored.
type eventBody struct {
	Seq  int64     `json:"seq"`
	Type run.Type  `json:"type"`
	At   time.Time `json:"at"`
	Data any       `json:"data"`
}

func showEvent(id run.ID, e *run.Event) eventBody {
	body := eventBody{Seq: e.Seq, Type: e.Type, At: e.At.UTC(), Data: eventData(id, e)}
	if body.Data == nil {
		body.Data = struct{}{} // a type without a body
	}
	return body
}

func eventData(id run.ID, e *run.Event) any {
	switch {
	case e.Created != nil:
		return showCreated(id, e.Created)
	case e.Driven != nil:
		return drivenData{Epoch: e.Driven.Epoch}
	case e.Responded != nil:
		return showResponded(e.Responded)
	case e.Failed != nil:
		f := e.Failed
		return failedData{
			Step: f.Step, Attempt: f.Attempt, Code: f.Code, Message: f.Message,
			Retry: f.Retry, RetryAfterMs: f.AfterMs, Usage: showUsage(f.Usage),
		}
	case e.Started != nil:
		return showStarted(e.Started)
	case e.Finished != nil:
		f := e.Finished
		return finishedData{ActionID: f.Action, Outcome: f.Outcome, Output: f.Output, Crash: f.Crash, Ms: f.Ms}
	case e.Decided != nil:
		return showDecided(e.Decided)
	case e.Expired != nil:
		return showExpired(e.Expired)
	case e.Message != nil:
		return messageData{Content: e.Message.Text, By: e.Message.By}
	case e.Input != nil:
		return showInput(e.Input)
	case e.Cancel != nil:
		return cancelData{By: e.Cancel.By, Reason: e.Cancel.Reason}
	case e.Refusal != nil:
		return refusalData{Budget: e.Refusal.Budget, Limit: e.Refusal.Limit, Message: e.Refusal.Message, Until: moment(e.Refusal.Until)}
	case e.Actor != nil:
		return actorData{By: e.Actor.By}
	case e.Deadline != nil:
		return deadlineData{Which: e.Deadline.Which}
	case e.Child != nil:
		return childData{
			ActionID: e.Child.Action, Run: runID(e.Child.Run), Outcome: e.Child.Outcome,
			Output: e.Child.Output, Usage: showUsage(e.Child.Usage),
		}
	case e.Ended != nil:
		return endedData{
			Status: e.Ended.Status, StopReason: e.Ended.Reason,
			Result: showResult(e.Ended), Error: showError(e.Ended),
		}
	}
	return nil
}

// createdData is the first frame of every stream: it has the run's id.
type createdData struct {
	ID            string            `json:"id"`
	Object        string            `json:"object"`
	Status        run.Status        `json:"status"`
	Agent         *string           `json:"agent"`
	AgentVersion  *int              `json:"agent_version"`
	Model         string            `json:"model"`
	Prompt        string            `json:"prompt"`
	Tools         []string          `json:"tools"`
	MaxSteps      int               `json:"max_steps"`
	Metadata      map[string]string `json:"metadata"`
	Dialect       string            `json:"dialect"`
	PreviousRunID *string           `json:"previous_run_id"`
}

func showCreated(id run.ID, c *run.Created) createdData {
	spec := &c.Spec
	data := createdData{
		ID: runID(id), Object: "run", Status: run.Running, Model: spec.Model, Prompt: spec.Input.Text,
		Tools: []string{}, MaxSteps: spec.Limits.MaxSteps, Metadata: mapped(spec.Metadata), Dialect: spec.Dialect,
	}
	if c.Queued {
		data.Status = run.Queued
	}
	if spec.Agent != nil {
		data.Agent, data.AgentVersion = &spec.Agent.ID, &spec.Agent.Version
	}
	if spec.Previous != nil {
		previous := runID(*spec.Previous)
		data.PreviousRunID = &previous
	}
	for i := range spec.Tools {
		data.Tools = append(data.Tools, spec.Tools[i].Name)
	}
	return data
}

type drivenData struct {
	Epoch int64 `json:"epoch"`
}

type respondedData struct {
	Step      int           `json:"step"`
	Attempt   int           `json:"attempt"`
	Model     string        `json:"model"`
	Text      string        `json:"text"`
	Reasoning string        `json:"reasoning,omitzero"`
	Finish    string        `json:"finish"`
	Calls     []plannedData `json:"calls"`
	Output    *outputData   `json:"output,omitzero"`
	Trimmed   *trimmedData  `json:"trimmed,omitzero"`
	Usage     usageBody     `json:"usage"`
	Ms        int64         `json:"ms"`
	FirstMs   int64         `json:"first_ms,omitzero"`
}

// plannedData is a call of a reply with what was decided about it at once.
type plannedData struct {
	ActionID  string          `json:"action_id"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
	Gated     bool            `json:"gated"`
	Preview   string          `json:"preview,omitzero"`
	Digest    string          `json:"digest,omitzero"`
	Refused   string          `json:"refused,omitzero"`
	Denied    string          `json:"denied,omitzero"`
}

// outputData is the check of an answer against the output schema.
type outputData struct {
	Value   json.RawMessage `json:"value,omitzero"`
	Problem string          `json:"problem,omitzero"`
}

type trimmedData struct {
	Views   int `json:"views"`
	Outputs int `json:"outputs"`
	Turns   int `json:"turns"`
}

func showResponded(r *run.Responded) respondedData {
	data := respondedData{
		Step: r.Step, Attempt: r.Attempt, Model: r.Reply.Model, Text: r.Reply.Text, Reasoning: r.Reply.Reasoning,
		Finish: r.Reply.Finish, Calls: []plannedData{}, Usage: showUsage(r.Reply.Usage), Ms: r.Ms, FirstMs: r.First,
	}
	for i := range min(len(r.Actions), len(r.Reply.Calls)) {
		p, call := &r.Actions[i], &r.Reply.Calls[i]
		data.Calls = append(data.Calls, plannedData{
			ActionID: p.ID, Tool: call.Name, Arguments: showArguments(call.Arguments),
			Gated: p.Gated, Preview: p.Preview, Digest: p.Digest, Refused: p.Refused, Denied: p.Denied,
		})
	}
	if r.Output != nil {
		data.Output = &outputData{Value: r.Output.Value, Problem: r.Output.Problem}
	}
	if r.Trimmed != nil {
		data.Trimmed = &trimmedData{Views: r.Trimmed.Views, Outputs: r.Trimmed.Outputs, Turns: r.Trimmed.Turns}
	}
	return data
}

type failedData struct {
	Step         int       `json:"step"`
	Attempt      int       `json:"attempt"`
	Code         string    `json:"code"`
	Message      string    `json:"message"`
	Retry        bool      `json:"retry"`
	RetryAfterMs int64     `json:"retry_after_ms,omitzero"`
	Usage        usageBody `json:"usage"`
}

type startedData struct {
	ActionID string  `json:"action_id"`
	Attempt  int     `json:"attempt"`
	Run      *string `json:"run_id,omitzero"` // of a handoff: the run that does the work
}

func showStarted(s *run.Started) startedData {
	data := startedData{ActionID: s.Action, Attempt: s.Attempt}
	if s.Child != nil {
		data.Run = optional(runID(*s.Child))
	}
	return data
}

// refusalData says which budget has no room for the next model call.
type refusalData struct {
	Budget  string     `json:"budget"`
	Limit   string     `json:"limit"` // cost or tokens
	Message string     `json:"message"`
	Until   *time.Time `json:"until"` // when it begins anew
}

type childData struct {
	ActionID string      `json:"action_id"`
	Run      string      `json:"run_id"`
	Outcome  run.Outcome `json:"outcome"`
	Output   string      `json:"output"`
	Usage    usageBody   `json:"usage"`
}

type finishedData struct {
	ActionID string      `json:"action_id"`
	Outcome  run.Outcome `json:"outcome"`
	Output   string      `json:"output"`
	Crash    bool        `json:"crash,omitzero"`
	Ms       int64       `json:"ms"`
}

type decidedData struct {
	ActionIDs []string `json:"action_ids"`
	Decision  string   `json:"decision"` // approved or rejected
	OnReject  string   `json:"on_reject,omitzero"`
	Reason    string   `json:"reason,omitzero"`
	By        string   `json:"by,omitzero"`
	ByName    string   `json:"by_name,omitzero"`
	Voice     string   `json:"voice,omitzero"` // of an approval, where it is another key's

	For       run.Reach       `json:"for,omitzero"` // of an approval that reaches beyond the action
	Arguments json.RawMessage `json:"arguments,omitzero"`
	Digest    string          `json:"digest,omitzero"` // of the action with these arguments
	Preview   string          `json:"preview,omitzero"`
}

func showDecided(d *run.Decided) decidedData {
	data := decidedData{ActionIDs: listed(d.Actions), Decision: "rejected", Reason: d.Reason, By: d.By, ByName: d.ByName, Voice: d.Voice}
	if d.Approve {
		data.Decision = "approved"
	}
	if d.Continue {
		data.OnReject = continueOnReject
	}
	if data.For = d.Reach; d.Arguments != "" {
		data.Arguments, data.Digest, data.Preview = showArguments(d.Arguments), d.Digest, d.Preview
	}
	return data
}

type expiredData struct {
	ActionIDs []string `json:"action_ids"`
	Why       string   `json:"why"` // timeout or changed
	Digests   []string `json:"digests,omitzero"`
	Previews  []string `json:"previews,omitzero"`
}

func showExpired(x *run.Expired) expiredData {
	data := expiredData{ActionIDs: listed(x.Actions), Why: "changed", Digests: x.Digests, Previews: x.Previews}
	if x.Timeout {
		data.Why = "timeout"
	}
	return data
}

type messageData struct {
	Content string `json:"content"`
	By      string `json:"by,omitzero"`
}

type inputData struct {
	Outputs []givenData `json:"outputs"`
	By      string      `json:"by,omitzero"`
}

type givenData struct {
	ActionID string  `json:"action_id"`
	Output   *string `json:"output,omitzero"`
	Error    *string `json:"error,omitzero"`
}

func showInput(in *run.Input) inputData {
	data := inputData{Outputs: []givenData{}, By: in.By}
	for i := range in.Outputs {
		given := givenData{ActionID: in.Outputs[i].Action}
		if in.Outputs[i].Failed {
			given.Error = &in.Outputs[i].Text
		} else {
			given.Output = &in.Outputs[i].Text
		}
		data.Outputs = append(data.Outputs, given)
	}
	return data
}

type cancelData struct {
	By     string `json:"by,omitzero"`
	Reason string `json:"reason,omitzero"`
}

type actorData struct {
	By string `json:"by,omitzero"`
}

type deadlineData struct {
	Which string `json:"which"`
}

type endedData struct {
	Status     run.Status     `json:"status"`
	StopReason run.StopReason `json:"stop_reason"`
	Result     *resultBody    `json:"result"`
	Error      *errorBody     `json:"error"`
}
