package robot

import (
	"encoding/json"
	"time"

	"errand/internal/run"
)

// Dialect is what runs of robots say of the API that made them.
const Dialect = "yao"

// Runs of a robot name it as their agent under one of these, with the member_id
// behind it.
const (
	ExecutionAgent = "robot/"
	HostAgent      = "host/"
)

// Order is what an execution was started with beside its goals and its context:
// the Echo of its run.
type Order struct {
	Trigger   string          `json:"trigger_type"` // ByClock, ByHuman, ByEvent
	ChatID    string          `json:"chat_id,omitempty"`
	Action    string          `json:"action,omitempty"` // of a person: task.add, instruct …
	Source    string          `json:"source,omitempty"` // of an event: webhook; of a conversation: host
	EventType string          `json:"event_type,omitempty"`
	Data      json.RawMessage `json:"data,omitempty"` // of an event
	Messages  []Said          `json:"messages,omitempty"`
	Locale    string          `json:"locale,omitempty"`
	Mode      string          `json:"executor_mode,omitempty"` // empty = the robot's
	Due       *time.Time      `json:"due,omitempty"`           // of a clock: the time that it was started for
	RetryOf   string          `json:"retry_of,omitempty"`      // an execution
}

// Said is a message that an execution was started with.
type Said struct {
	Role    string `json:"role"`
	Content string `json:"content"`
	Name    string `json:"name,omitempty"`
	FileID  string `json:"file_id,omitempty"`
}

// ReadOrder is the order of an execution's run. Runs of another kind have none.
func ReadOrder(spec *run.Spec) (o Order, ok bool) {
	if spec.Dialect != Dialect || MemberOf(spec) == "" || len(spec.Echo) == 0 || json.Unmarshal(spec.Echo, &o) != nil {
		return Order{}, false
	}
	return o, o.Trigger != ""
}

// MemberOf is the robot whose execution a run is, or "".
func MemberOf(spec *run.Spec) string { return memberOf(spec, ExecutionAgent) }

// HostOf is the robot in whose conversation a run is a turn, or "".
func HostOf(spec *run.Spec) string { return memberOf(spec, HostAgent) }

func memberOf(spec *run.Spec, prefix string) string {
	if spec.Agent == nil || len(spec.Agent.ID) <= len(prefix) || spec.Agent.ID[:len(prefix)] != prefix {
		return ""
	}
	return spec.Agent.ID[len(prefix):]
}

// The phases of an execution.
const (
	Inspiration = "inspiration"
	GoalsPhase  = "goals"
	TasksPhase  = "tasks"
	RunPhase    = "run"
	Delivering  = "delivery"
	Learning    = "learning"
)

// The statuses of an execution. Those of its tasks are TaskPending and so on.
const (
	ExecPending    = "pending"
	ExecRunning    = "running"
	ExecPaused     = "paused"
	ExecWaiting    = "waiting"    // for a person
	ExecConfirming = "confirming" // of one that a conversation has not yet settled: no run is in it
	ExecCompleted  = "completed"
	ExecFailed     = "failed"
	ExecCancelled  = "cancelled"
)

// Execution is a run as the robots API shows it.
type Execution struct {
	ID          string     `json:"id"` // exec_…
	MemberID    string     `json:"member_id"`
	TeamID      string     `json:"team_id"` // the project
	Trigger     string     `json:"trigger_type"`
	Status      string     `json:"status"`
	Phase       string     `json:"phase"`
	StartTime   time.Time  `json:"start_time"`
	EndTime     *time.Time `json:"end_time,omitempty"`
	Error       string     `json:"error,omitempty"`
	Name        string     `json:"name,omitempty"`
	CurrentTask string     `json:"current_task_name,omitempty"`
	ChatID      string     `json:"chat_id,omitempty"`
	Inspiration *Text      `json:"inspiration,omitempty"`
	Goals       *Text      `json:"goals,omitempty"`
	Tasks       []Task     `json:"tasks"`
	Current     *Current   `json:"current"`
	Results     []Result   `json:"results"`
	Delivery    *Delivery  `json:"delivery"`
	Input       Input      `json:"input"`
	// Usage is this server's addition: what the run has used, with the agents that
	// it has handed tasks to.
	Usage run.Usage `json:"-"`
}

// Text is something that was written down.
type Text struct {
	Content  string `json:"content"`
	Delivery string `json:"delivery,omitempty"` // of goals: what is to be delivered
}

// Input is what the execution was started with.
type Input struct {
	Goals   string          `json:"goals,omitempty"`
	Context json.RawMessage `json:"context,omitempty"`
	Order
}

// The statuses of a task.
const (
	TaskPending   = "pending"
	TaskRunning   = "running"
	TaskCompleted = "completed"
	TaskFailed    = "failed"
	TaskSkipped   = "skipped"
	TaskCancelled = "cancelled"
	TaskWaiting   = "waiting_input"
)

// Task is one step of the plan.
type Task struct {
	ID           string     `json:"id"`
	Description  string     `json:"description"`
	GoalRef      string     `json:"goal_ref"`
	Source       string     `json:"source"`        // auto; human, if a message of a person asked for it
	ExecutorType string     `json:"executor_type"` // assistant, mcp
	ExecutorID   string     `json:"executor_id"`
	MCPServer    string     `json:"mcp_server,omitempty"`
	MCPTool      string     `json:"mcp_tool,omitempty"`
	Expected     string     `json:"expected_output,omitempty"`
	Rules        []string   `json:"validation_rules,omitempty"`
	Status       string     `json:"status"`
	Order        int        `json:"order"` // from 0
	StartTime    *time.Time `json:"start_time,omitempty"`
	EndTime      *time.Time `json:"end_time,omitempty"`
}

// Done reports whether nothing more will come of the task.
func (t *Task) Done() bool {
	switch t.Status {
	case TaskCompleted, TaskFailed, TaskSkipped, TaskCancelled:
		return true
	}
	return false
}

// Current is how far the plan has come.
type Current struct {
	Task     *Task  `json:"task"`       // nil when all are done
	Index    int    `json:"task_index"` // from 0
	Progress string `json:"progress"`   // "2/5 tasks"
}

// Result is what came of a task so far: of one that is still running, of its
// latest attempt.
type Result struct {
	TaskID     string     `json:"task_id"`
	Success    bool       `json:"success"`
	Output     string     `json:"output,omitempty"`
	Error      string     `json:"error,omitempty"`
	DurationMs int64      `json:"duration_ms"`
	Validation Validation `json:"validation"`
	NeedInput  bool       `json:"need_input,omitempty"`
	Question   string     `json:"input_question,omitempty"`
}

// Validation says whether a result is what was expected.
type Validation struct {
	Passed      bool     `json:"passed"`
	Score       float64  `json:"score"` // from 0 to 1
	Issues      []string `json:"issues"`
	Suggestions []string `json:"suggestions"`
}

// Delivery is what the execution has to show, and who got it.
type Delivery struct {
	RequestID string         `json:"request_id"`
	Content   Content        `json:"content"`
	Results   []TargetResult `json:"results"`
	Success   bool           `json:"success"` // every target has it
	Error     string         `json:"error,omitempty"`
	SentAt    *time.Time     `json:"sent_at,omitempty"` // when the last target was settled
}

// Content is what is delivered.
type Content struct {
	Summary     string       `json:"summary"`
	Body        string       `json:"body"` // Markdown
	Attachments []Attachment `json:"attachments"`
}

// Attachment is a file that belongs to it.
type Attachment struct {
	Title       string `json:"title"`
	Description string `json:"description,omitempty"`
	TaskID      string `json:"task_id,omitempty"`
	File        string `json:"file"` // id of a stored file; empty until it is stored
	Size        int64  `json:"size,omitempty"`
	ContentType string `json:"content_type,omitempty"`
}

// What has become of a target.
const (
	TargetPending = "pending"
	TargetSent    = "sent"
	TargetFailed  = "failed"
	TargetUnknown = "unknown" // it may have arrived; it is not tried again
)

// TargetResult is what became of one target.
type TargetResult struct {
	Type     string     `json:"type"`   // webhook, email, file
	Target   string     `json:"target"` // its URL, addresses, or file
	Status   string     `json:"status"`
	Success  bool       `json:"success"`
	Error    string     `json:"error,omitempty"`
	Attempts int        `json:"attempts"`
	SentAt   *time.Time `json:"sent_at,omitempty"`
	Next     *time.Time `json:"next_attempt,omitempty"`
}
