package webagent

import (
	"encoding/json"
	"fmt"
	"time"

	"errand/internal/api/wire"
	"errand/internal/run"
	"errand/internal/workflow"
)

// Where a run stands, in this API's words.
const (
	inProgress = "in_progress"
	success    = "success"
	failed     = "failure"
)

// answerBody is what POST /api/runs answers (AgentResponse), and what a webhook
// brings.
type answerBody struct {
	Task    *int          `json:"task_id"`
	Run     *int          `json:"task_run_id"`
	History []historyItem `json:"history"`
	Result  any           `json:"result"`
	IsDone  bool          `json:"is_done"`
	Good    bool          `json:"is_successful"`
	Status  string        `json:"status"`
}

func showAnswer(s *run.State) answerBody {
	e := echoOf(s)
	body := answerBody{History: history(s), Result: result(s), IsDone: s.Ended != nil, Good: successful(s), Status: status(s)}
	body.Task, body.Run = e.ids()
	return body
}

// Webhook is the body that tells a run's webhook of it.
func Webhook(s *run.State) ([]byte, error) {
	text, err := json.Marshal(showAnswer(s))
	if err != nil {
		return nil, fmt.Errorf("telling a webhook of a run: %w", err)
	}
	return text, nil
}

// ids are the numbers of a run and its task; nothing for a run of another API.
func (e *echo) ids() (task, number *int) {
	if !e.numbered() {
		return nil, nil
	}
	return &e.Task, &e.Run
}

func status(s *run.State) string {
	switch {
	case s.Ended == nil:
		return inProgress
	case successful(s):
		return success
	}
	return failed
}

// result is the answer: a JSON value where one was asked for, or text. A run that
// waits for a person says so.
func result(s *run.State) any {
	switch {
	case s.Ended == nil:
		if text := wire.Halted(s); text != "" {
			return text
		}
		return nil
	case s.Ended.Status != run.Completed:
		return nil
	case s.Ended.Result.Output != nil:
		return s.Ended.Result.Output
	}
	if said := lastDone(s); said != nil && said.Text != "" {
		return said.Text
	}
	return s.Ended.Result.Summary
}

// stepBody is one step as GET /api/runs/{id} has it.
type stepBody struct {
	Run           *int         `json:"task_run_id"`
	Number        int          `json:"step_number"`
	Description   string       `json:"description"`
	Screenshot    *string      `json:"screenshot"` // PNG in base64
	ScreenshotURL *string      `json:"screenshot_url"`
	Actions       []stepAction `json:"actions"`
}

// stepAction is an action with its place. Its id counts within the run.
type stepAction struct {
	ID     int  `json:"id"`
	Run    *int `json:"task_run_id"`
	Step   int  `json:"step_number"`
	Number int  `json:"action_number"`
	actionBody
}

// runBody is what GET /api/runs/{id} answers (TaskRun), and what this server knows
// beside that.
type runBody struct {
	ID       *int       `json:"id"`
	Task     *int       `json:"task_id"`
	Prompt   string     `json:"prompt"`
	Model    string     `json:"model"`
	Provider *string    `json:"provider"`
	Webhook  *string    `json:"webhook_url"`
	Format   string     `json:"response_format"`
	Schema   *string    `json:"json_schema"`
	Result   any        `json:"result"`
	IsDone   bool       `json:"is_done"`
	Good     bool       `json:"is_successful"`
	Sent     *bool      `json:"webhook_result_success"`
	SentWith *int       `json:"webhook_result_status_code"`
	SentWhat *string    `json:"webhook_result_message"`
	Steps    []stepBody `json:"steps"`

	Run       *int          `json:"task_run_id"`
	RunID     string        `json:"run_id"` // its id in every API of this server
	Status    string        `json:"status"`
	State     run.Status    `json:"run_status"` // in the words of the native API
	History   []historyItem `json:"history"`
	Error     *string       `json:"error"`
	Replayed  bool          `json:"replayed"` // from a cached workflow
	Usage     usageBody     `json:"usage"`
	CreatedAt time.Time     `json:"created_at"`
	UpdatedAt time.Time     `json:"updated_at"`
	EndedAt   *time.Time    `json:"ended_at"`
}

// usageBody is what a run has used.
type usageBody struct {
	Input  int      `json:"input_tokens"`
	Output int      `json:"output_tokens"`
	Total  int      `json:"total_tokens"`
	Cost   *float64 `json:"cost_usd"` // null when a price is not known
}

// showRun is a run without what others know of it: deliveries and screenshots.
func showRun(s *run.State) runBody {
	e := echoOf(s)
	task, number := e.ids()
	body := runBody{
		ID: number, Task: task, Prompt: s.Spec.Input.Text, Model: e.Model, Webhook: e.Webhook, Format: e.Format,
		Schema: schemaText(e.Schema), Result: result(s), IsDone: s.Ended != nil, Good: successful(s), Steps: []stepBody{},
		Run: number, RunID: "run_" + s.ID.String(), Status: status(s), State: s.Status, History: history(s),
		Replayed: s.Spec.Replay != nil, Usage: showUsage(s.Usage.Add(s.Handed)), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
	if e.Provider != "" {
		body.Provider = &e.Provider
	}
	if why := failure(s); why != "" {
		body.Error = &why
	}
	if s.Ended != nil {
		body.EndedAt = &s.EndedAt
	}
	count := 0
	for i := range body.History {
		item := &body.History[i]
		step := stepBody{Run: number, Number: i + 1, Description: item.Description, Actions: []stepAction{}}
		for j := range item.Actions {
			count++
			step.Actions = append(step.Actions, stepAction{ID: count, Run: number, Step: i + 1, Number: j + 1, actionBody: item.Actions[j]})
		}
		body.Steps = append(body.Steps, step)
	}
	return body
}

func showUsage(u run.Usage) usageBody {
	shown := usageBody{Input: u.Input, Output: u.Output, Total: u.Input + u.Output}
	if !u.Unpriced {
		cost := u.Cost.Dollars()
		shown.Cost = &cost
	}
	return shown
}

// schemaText is a schema as this API shows one: as text.
func schemaText(schema json.RawMessage) *string {
	if schema == nil {
		return nil
	}
	text := string(schema)
	return &text
}

// taskBody is a task.
type taskBody struct {
	ID          int                `json:"id"`
	Prompt      string             `json:"prompt"`
	Model       string             `json:"model"`
	Provider    string             `json:"provider"`
	Webhook     *string            `json:"webhook_url"`
	Format      string             `json:"response_format"`
	Schema      *string            `json:"json_schema"`
	Workflow    *workflow.Template `json:"cached_workflow"`
	UseWorkflow bool               `json:"use_cached_workflow"`
	CreatedAt   time.Time          `json:"created_at"`
}

func showTask(t *task) taskBody {
	return taskBody{
		ID: t.Number, Prompt: t.Prompt, Model: or(t.Model, defaultModel), Provider: or(t.Provider, defaultProvider), Webhook: t.Webhook,
		Format: or(t.Format, defaultFormat), Schema: schemaText(t.Schema), Workflow: t.Workflow, UseWorkflow: t.UseWorkflow, CreatedAt: t.created.UTC(),
	}
}

// lightBody is a run in the list of its task's (LightTaskRun).
type lightBody struct {
	ID          int    `json:"id"`
	Description string `json:"description"`
	IsDone      bool   `json:"is_done"`
	Good        bool   `json:"is_successful"`
}
