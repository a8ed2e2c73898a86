package native

import (
	"encoding/json"
	"strings"
	"time"

	"errand/internal/run"
	"errand/internal/schema"
)

// runBody is a run as this API shows it. Every key is always there, null or empty
// when there is nothing to say, because typed clients expect them; only trace is
// left out where it was not asked for.
type runBody struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"`
	Agent          *string           `json:"agent"`
	AgentName      *string           `json:"agent_name"`
	AgentVersion   *int              `json:"agent_version"`
	Status         run.Status        `json:"status"`
	Model          string            `json:"model"`
	Prompt         string            `json:"prompt"`
	StepsUsed      int               `json:"steps_used"`
	MaxSteps       int               `json:"max_steps"`
	CreatedAt      time.Time         `json:"created_at"`
	FinishedAt     *time.Time        `json:"finished_at"`
	StopReason     *run.StopReason   `json:"stop_reason"`
	Result         *resultBody       `json:"result"`
	Error          *errorBody        `json:"error"`
	PendingActions []actionBody      `json:"pending_actions"`
	PendingCalls   []callBody        `json:"pending_calls"`
	Metadata       map[string]string `json:"metadata"`
	Usage          usageBody         `json:"usage"`
	Dialect        string            `json:"dialect"`
	PreviousRunID  *string           `json:"previous_run_id"`
	ScheduleID     *string           `json:"schedule_id"` // of a run that a schedule has started
	ParentRun      *string           `json:"parent_run"`  // of a run that was handed its work by another
	WaitingFor     []string          `json:"waiting_for"` // runs that this one has handed work to and that are at it, or the budget that has no room for its next step
	Trace          []traceEntry      `json:"trace,omitzero"`
}

// resultBody is what a run has to show. Partial says that it ended before it was
// done, and the summary is the last that the model had said.
type resultBody struct {
	Summary   string          `json:"summary"`
	Output    json.RawMessage `json:"output"`
	Partial   bool            `json:"partial"`
	Artifacts []struct{}      `json:"artifacts"`
}

// errorBody says why a run failed. The code is the stop reason, or the code of
// the model's or tool's error behind it.
type errorBody struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Limit   *string `json:"limit"`
}

// actionBody is an action that waits for a person.
type actionBody struct {
	ID        string          `json:"id"`
	Tool      string          `json:"tool"`
	Preview   string          `json:"preview"`
	Arguments json.RawMessage `json:"arguments"`
	Digest    string          `json:"digest"`
	Original  json.RawMessage `json:"original_arguments"` // the model's, if a person has changed them
	Approvals wordsBody       `json:"approvals"`
	Reason    string          `json:"reason"`
	ExpiresAt *time.Time      `json:"expires_at"`
}

// wordsBody is how far a pending action has come.
type wordsBody struct {
	Given   []string `json:"given"`   // ids of the keys that have approved it
	Missing int      `json:"missing"` // how many others have to
}

// callBody is a call of a function tool whose output the caller owes.
type callBody struct {
	ID        string          `json:"id"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
}

type usageBody struct {
	Input     int      `json:"input_tokens"`
	Output    int      `json:"output_tokens"`
	Total     int      `json:"total_tokens"`
	Cached    int      `json:"cached_tokens"`
	Reasoning int      `json:"reasoning_tokens"`
	Cost      *float64 `json:"cost_usd"` // null when a price is not known
	Estimated bool     `json:"estimated,omitzero"`
}

// runID is this API's spelling of a run's id.
func runID(id run.ID) string { return "run_" + id.String() }

// showRun returns the body of a run without its trace.
func showRun(s *run.State) runBody {
	body := runBody{
		ID: runID(s.ID), Object: "run", Status: s.Status, Model: s.Spec.Model, Prompt: s.Spec.Input.Text,
		StepsUsed: len(s.Turns), MaxSteps: s.Spec.Limits.MaxSteps, CreatedAt: s.CreatedAt.UTC(),
		PendingActions: showPending(s), PendingCalls: showCalls(s),
		Metadata: mapped(s.Spec.Metadata), Usage: showUsage(s.Usage), Dialect: s.Spec.Dialect, WaitingFor: showAway(s),
	}
	if ref := s.Spec.Agent; ref != nil {
		body.Agent, body.AgentName, body.AgentVersion = &ref.ID, &ref.Name, &ref.Version
	}
	if s.Spec.Previous != nil {
		previous := runID(*s.Spec.Previous)
		body.PreviousRunID = &previous
	}
	if strings.HasPrefix(s.Spec.Schedule, "sch_") { // the clock of a robot has no page of its own
		body.ScheduleID = &s.Spec.Schedule
	}
	if parent := s.Spec.Parent; parent != nil {
		body.ParentRun = optional(runID(parent.Run))
	}
	if s.Ended != nil {
		at := s.EndedAt.UTC()
		body.FinishedAt, body.StopReason = &at, &s.Ended.Reason
		body.Result, body.Error = showResult(s.Ended), showError(s.Ended)
	}
	return body
}

func showResult(end *run.Ended) *resultBody {
	return &resultBody{
		Summary: end.Result.Summary, Output: orNull(end.Result.Output), Partial: end.Result.Partial,
		Artifacts: []struct{}{},
	}
}

func showError(end *run.Ended) *errorBody {
	if end.Status != run.FailedStatus {
		return nil
	}
	body := &errorBody{Code: end.Code, Message: end.Error, Limit: optional(end.Limit)}
	if body.Code == "" {
		body.Code = string(end.Reason)
	}
	return body
}

func showPending(s *run.State) []actionBody {
	shown := []actionBody{}
	for _, action := range s.Pending() {
		body := actionBody{
			ID: action.ID, Tool: action.Tool.Name, Preview: action.Preview,
			Arguments: showArguments(action.Arguments), Digest: action.Digest, Reason: action.Reason, Original: json.RawMessage("null"),
			Approvals: wordsBody{Given: listed(action.Approvers), Missing: s.Missing(&action)},
		}
		if action.Original != "" {
			body.Original = showArguments(action.Original)
		}
		if wait := s.Spec.GateTimeout; wait > 0 && action.Reason != run.UnknownReason {
			at := action.Since.Add(wait.Duration()).UTC()
			body.ExpiresAt = &at
		}
		shown = append(shown, body)
	}
	return shown
}

func showCalls(s *run.State) []callBody {
	shown := []callBody{}
	for _, action := range s.PendingCalls() {
		shown = append(shown, callBody{ID: action.ID, Tool: action.Tool.Name, Arguments: showArguments(action.Arguments)})
	}
	return shown
}

// showAway lists the runs that do work of this one now, and the budget that it
// waits for.
func showAway(s *run.State) []string {
	shown := []string{}
	if s.Starved() {
		shown = append(shown, s.Refusal.Budget)
	}
	if last := s.Last(); last != nil && s.Ended == nil {
		for i := range last.Actions {
			if a := &last.Actions[i]; a.Away() && a.Child != nil {
				shown = append(shown, runID(*a.Child))
			}
		}
	}
	return shown
}

// showArguments shows a call's arguments with the digits that the model wrote.
// What a model garbled into no JSON, or into JSON that readers would read each in
// their own way or not at all, is shown as text.
func showArguments(text string) json.RawMessage {
	if schema.Sound([]byte(text)) == nil {
		return json.RawMessage(text)
	}
	quoted, err := json.Marshal(text)
	if err != nil { // a string always has a JSON form
		return json.RawMessage("null")
	}
	return quoted
}

func showUsage(u run.Usage) usageBody {
	body := usageBody{Input: u.Input, Output: u.Output, Total: u.Input + u.Output, Cached: u.Cached, Reasoning: u.Reasoning, Estimated: u.Estimated}
	if !u.Unpriced {
		cost := u.Cost.Dollars()
		body.Cost = &cost
	}
	return body
}

// lineBody is a run in a list: what is known of it without reading its log.
type lineBody struct {
	ID         string          `json:"id"`
	Object     string          `json:"object"`
	Agent      *string         `json:"agent"`
	Status     run.Status      `json:"status"`
	StopReason *run.StopReason `json:"stop_reason"`
	Model      string          `json:"model"`
	Title      string          `json:"title"`
	StepsUsed  int             `json:"steps_used"`
	MaxSteps   int             `json:"max_steps"`
	Pending    int             `json:"pending"`
	CreatedAt  time.Time       `json:"created_at"`
	UpdatedAt  time.Time       `json:"updated_at"`
	FinishedAt *time.Time      `json:"finished_at"`
	Usage      usageBody       `json:"usage"`
	Dialect    string          `json:"dialect"`
	Strip      *stripBody      `json:"strip,omitzero"`
}

func showLine(s *run.Summary) lineBody {
	body := lineBody{
		ID: runID(s.ID), Object: "run", Agent: optional(s.Agent), Status: s.Status, StopReason: optional(s.StopReason),
		Model: s.Model, Title: s.Title, StepsUsed: s.Steps, MaxSteps: s.MaxSteps, Pending: s.Pending,
		CreatedAt: s.CreatedAt.UTC(), UpdatedAt: s.UpdatedAt.UTC(), Usage: showUsage(s.Usage), Dialect: s.Dialect,
	}
	if !s.EndedAt.IsZero() {
		at := s.EndedAt.UTC()
		body.FinishedAt = &at
	}
	return body
}
