package native

import (
	"context"
	"encoding/json"
	"strconv"
	"time"

	"errand/internal/api/wire"
	"errand/internal/explain"
	"errand/internal/problem"
	"errand/internal/run"
)

func (a *API) explainRoutes() []wire.Route {
	return []wire.Route{
		{Method: "GET", Path: "/v1/runs/{id}/explain", Scope: "runs:read", Handle: a.explainRun},
		{Method: "GET", Path: "/v1/runs/{id}/trace", Scope: "runs:read", Handle: a.traceRun},
		{Method: "GET", Path: "/v1/runs/{id}/steps/{n}/prompt", Scope: "runs:read", Handle: a.showPrompt},
		{Method: "GET", Path: "/v1/stats", Scope: "runs:read", Query: []string{"bucket", "from", "to"}, Handle: a.stats},
		{Method: "GET", Path: "/v1/stream", Scope: "runs:read", Query: []string{"after"}, Handle: a.streamProject},
	}
}

// explainBody says why a run is where it is, and what it has taken.
type explainBody struct {
	Object  string      `json:"object"`
	Run     string      `json:"run"`
	Status  run.Status  `json:"status"`
	Why     string      `json:"why"` // in one sentence
	Stuck   bool        `json:"stuck"`
	Waits   []waitBody  `json:"waits"`
	Steps   []stepBody  `json:"steps"`
	Retries []retryBody `json:"retries"`
	Drivers int         `json:"drivers"` // times that it was taken up again
	Usage   usageBody   `json:"usage"`
	Handed  usageBody   `json:"handed_usage"` // of the runs that it has handed work to
	Worked  float64     `json:"worked_s"`     // time in which it did not wait for anyone
}

type waitBody struct {
	For    explain.For `json:"for"`
	Since  time.Time   `json:"since"`
	Until  *time.Time  `json:"until"`
	Action *string     `json:"action_id"`
	Tool   *string     `json:"tool"`
	Run    *string     `json:"run_id"`
	Why    string      `json:"why"`
	Moves  string      `json:"moves"`
}

type stepBody struct {
	N        int        `json:"n"`
	Model    *string    `json:"model"` // null while no reply is there
	At       *time.Time `json:"at"`
	Attempts int        `json:"attempts"`
	Ms       int64      `json:"ms"`
	FirstMs  int64      `json:"first_ms"`
	Usage    usageBody  `json:"usage"`
	Trimmed  *trimBody  `json:"trimmed"`
	Calls    []tookBody `json:"calls"`
}

// trimBody counts what the model was not shown.
type trimBody struct {
	Views   int `json:"views"`
	Outputs int `json:"outputs"`
	Turns   int `json:"turns"`
}

type tookBody struct {
	Action   string       `json:"action_id"`
	Tool     string       `json:"tool"`
	Stage    run.Stage    `json:"stage"`
	Outcome  *run.Outcome `json:"outcome"`
	Attempts int          `json:"attempts"`
	Ms       int64        `json:"ms"`
	WaitedMs int64        `json:"waited_ms"` // for a person
}

type retryBody struct {
	Step    int       `json:"step"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
	Again   bool      `json:"again"`
	AfterMs int64     `json:"after_ms"`
	Usage   usageBody `json:"usage"`
}

func (a *API) explainRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	events, _, err := a.cfg.Engine.Events(ctx, r.Caller.Project, id, 0, 0)
	if err != nil {
		return wire.Response{}, err
	}
	x := explain.Of(id, events, a.cfg.Now())
	return wire.OK(showExplanation(&x)), nil
}

func showExplanation(x *explain.Explanation) explainBody {
	s := &x.State
	body := explainBody{
		Object: "explanation", Run: runID(s.ID), Status: s.Status, Why: x.Why(), Stuck: x.Stuck,
		Waits: []waitBody{}, Steps: []stepBody{}, Retries: []retryBody{}, Drivers: x.Drivers,
		Usage: showUsage(s.Usage), Handed: showUsage(s.Handed), Worked: s.Worked.Seconds(),
	}
	for _, w := range x.Waits {
		shown := waitBody{For: w.For, Since: w.Since.UTC(), Action: optional(w.Action), Tool: optional(w.Tool), Why: w.Why, Moves: w.Moves}
		if !w.Until.IsZero() {
			until := w.Until.UTC()
			shown.Until = &until
		}
		if w.Run != nil {
			shown.Run = optional(runID(*w.Run))
		}
		body.Waits = append(body.Waits, shown)
	}
	for i := range x.Steps {
		body.Steps = append(body.Steps, showStep(&x.Steps[i]))
	}
	for _, e := range x.Retries {
		body.Retries = append(body.Retries, retryBody{
			Step: e.Step, Attempt: e.Attempt, At: e.At.UTC(), Code: e.Code, Message: e.Message, Again: e.Again, AfterMs: e.AfterMs, Usage: showUsage(e.Usage),
		})
	}
	return body
}

func showStep(s *explain.Step) stepBody {
	body := stepBody{
		N: s.N, Model: optional(s.Model), Attempts: s.Attempts, Ms: s.Ms, FirstMs: s.FirstMs, Usage: showUsage(s.Usage),
		Trimmed: showTrimmed(s.Trimmed), Calls: []tookBody{},
	}
	if !s.At.IsZero() {
		at := s.At.UTC()
		body.At = &at
	}
	for _, c := range s.Calls {
		body.Calls = append(body.Calls, tookBody{
			Action: c.Action, Tool: c.Tool, Stage: c.Stage, Outcome: optional(c.Outcome), Attempts: c.Attempts, Ms: c.Ms, WaitedMs: c.Waited.Milliseconds(),
		})
	}
	return body
}

func showTrimmed(t *run.Trimmed) *trimBody {
	if t == nil {
		return nil
	}
	return &trimBody{Views: t.Views, Outputs: t.Outputs, Turns: t.Turns}
}

// promptBody is what a model was sent in a step: the texts are to the byte what the
// client of its provider was given.
type promptBody struct {
	Object   string          `json:"object"`
	Run      string          `json:"run"`
	Step     int             `json:"step"`
	Attempt  int             `json:"attempt"`
	Model    string          `json:"model"`
	Messages []messageBody   `json:"messages"`
	Tools    []promptTool    `json:"tools"`
	Output   json.RawMessage `json:"output_schema"`
	Params   run.Params      `json:"params"`
	Require  *string         `json:"required_tool"`
	Trimmed  *trimBody       `json:"trimmed"`
}

type messageBody struct {
	Role      run.Role     `json:"role"`
	Text      string       `json:"text"`
	Reasoning *string      `json:"reasoning"`
	Images    []string     `json:"images"` // URLs
	Calls     []promptCall `json:"calls"`  // of an assistant
	CallID    *string      `json:"call_id"`
	Tool      *string      `json:"tool"`
	Failed    bool         `json:"failed"`
}

// promptCall shows a call's arguments as the model wrote them.
type promptCall struct {
	ID        string `json:"id"`
	Tool      string `json:"tool"`
	Arguments string `json:"arguments"`
}

type promptTool struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

func (a *API) showPrompt(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	step, err := strconv.Atoi(r.Path("n"))
	if err != nil || step < 1 {
		return wire.Response{}, problem.New(problem.NotFound, "There is no step %q: steps are numbered from 1.", r.Path("n"))
	}
	events, _, err := a.cfg.Engine.Events(ctx, r.Caller.Project, id, 0, 0)
	if err != nil {
		return wire.Response{}, err
	}
	request, trimmed, err := explain.Prompt(id, events, step)
	if err != nil {
		return wire.Response{}, err
	}
	body := promptBody{
		Object: "prompt", Run: runID(id), Step: step, Attempt: request.Attempt, Model: request.Model,
		Messages: []messageBody{}, Tools: []promptTool{}, Output: orNull(request.Output), Params: request.Params,
		Require: optional(request.Require), Trimmed: showTrimmed(trimmed),
	}
	for i := range request.Messages {
		body.Messages = append(body.Messages, showMessage(&request.Messages[i]))
	}
	for i := range request.Tools {
		t := &request.Tools[i]
		body.Tools = append(body.Tools, promptTool{Name: t.Name, Description: t.Description, Parameters: orNull(t.Parameters)})
	}
	return wire.OK(body), nil
}

func showMessage(m *run.Message) messageBody {
	body := messageBody{
		Role: m.Role, Text: m.Text, Reasoning: optional(m.Reasoning), Images: []string{}, Calls: []promptCall{},
		CallID: optional(m.CallID), Tool: optional(m.Tool), Failed: m.Failed,
	}
	for _, image := range m.Images {
		body.Images = append(body.Images, image.URL)
	}
	for _, call := range m.Calls {
		body.Calls = append(body.Calls, promptCall{ID: call.ID, Tool: call.Name, Arguments: call.Arguments})
	}
	return body
}
