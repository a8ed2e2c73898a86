package client

import (
	"context"
	"encoding/json"
	"iter"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Run is one execution.
type Run struct {
	ID             string            `json:"id"`
	Object         string            `json:"object"`
	Agent          string            `json:"agent,omitempty"`
	AgentVersion   int               `json:"agent_version,omitempty"`
	Status         string            `json:"status"`
	StopReason     string            `json:"stop_reason,omitempty"`
	Model          string            `json:"model,omitempty"`
	StepsUsed      int               `json:"steps_used"`
	MaxSteps       int               `json:"max_steps,omitempty"`
	PendingActions []Action          `json:"pending_actions,omitempty"`
	PendingCalls   []PendingCall     `json:"pending_calls,omitempty"`
	Result         *Result           `json:"result,omitempty"`
	Error          *Failure          `json:"error,omitempty"`
	Usage          Usage             `json:"usage"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	Trace          []json.RawMessage `json:"trace,omitempty"`
	CreatedAt      time.Time         `json:"created_at"`
	FinishedAt     *time.Time        `json:"finished_at,omitempty"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (r *Run) UnmarshalJSON(text []byte) error {
	type plain Run
	if err := json.Unmarshal(text, (*plain)(r)); err != nil {
		return err
	}
	r.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Ended reports whether the run's status never changes again.
func (r *Run) Ended() bool {
	return r.Status == "completed" || r.Status == "failed" || r.Status == "cancelled"
}

// Resting reports whether nothing happens until someone acts.
func (r *Run) Resting() bool { return r.Ended() || r.Status != "queued" && r.Status != "running" }

// Action is a tool call that waits for a person.
type Action struct {
	ID        string          `json:"id"`
	Tool      string          `json:"tool"`
	Preview   string          `json:"preview"`
	Arguments json.RawMessage `json:"arguments"`
	Digest    string          `json:"digest"`             // of all that an approval is for
	Original  json.RawMessage `json:"original_arguments"` // the model's, if a person has changed them
	Approvals Words           `json:"approvals"`
	Reason    string          `json:"reason"` // gate, outcome_unknown, changed
	ExpiresAt *time.Time      `json:"expires_at"`
}

// Words is how far a pending action has come.
type Words struct {
	Given   []string `json:"given"`   // ids of the keys that have approved it
	Missing int      `json:"missing"` // how many others have to
}

// PendingCall is a call of a function tool, whose output the caller owes.
type PendingCall struct {
	ID        string          `json:"id"`
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
}

// Result is what a run has to show, complete or partial.
type Result struct {
	Summary string          `json:"summary"`
	Output  json.RawMessage `json:"output,omitempty"`
}

// Failure is why a run failed.
type Failure struct {
	Code    string `json:"code"`
	Message string `json:"message"`
}

// Usage is what a run has consumed.
type Usage struct {
	InputTokens  int      `json:"input_tokens"`
	OutputTokens int      `json:"output_tokens"`
	CostUSD      *float64 `json:"cost_usd"`
	// Estimated says that a provider did not report tokens: they were counted here.
	Estimated bool `json:"estimated"`
}

// Task is what a run is asked to do. Model is needed when no agent is run.
type Task struct {
	Prompt     string            `json:"prompt"`
	Model      string            `json:"model,omitempty"`
	Tools      []string          `json:"tools,omitempty"`
	Approval   *Approval         `json:"approval,omitempty"`
	MaxSteps   int               `json:"max_steps,omitempty"`
	Metadata   map[string]string `json:"metadata,omitempty"`
	Output     json.RawMessage   `json:"output_schema,omitempty"`
	Background bool              `json:"background,omitempty"` // answer at once instead of waiting for the run to rest
}

// Runs are the runs of the key's project.
type Runs struct{ c *Client }

// Create starts a run without an agent. It answers when the run rests, or after
// 30 seconds, or at once when the task is in the background.
func (r *Runs) Create(ctx context.Context, task Task) (run Run, err error) {
	err = r.c.do(ctx, call{method: http.MethodPost, path: "/v1/runs", body: task, into: &run})
	return run, err
}

// Get returns a run with its trace.
func (r *Runs) Get(ctx context.Context, id string) (run Run, err error) {
	err = r.c.do(ctx, call{method: http.MethodGet, path: runPath(id, ""), into: &run})
	return run, err
}

// Query selects runs. Zero fields select all.
type Query struct {
	Agent  string // id or name
	Status string
	After  string // id of the last run that was seen
	Limit  int    // of one page; 1 to 100

	// Text is words that a run has to have in its title, model, agent's name, or at the
	// beginning of its id. A page looks at a part of the runs: it may be empty and have
	// a next one.
	Text    string
	MinCost float64 // in US dollars; 0 = any
	MaxCost float64 // 0 = any
	Oldest  bool    // oldest first
}

// List returns one page of runs, newest first where the query says nothing else, and
// whether there are more.
func (r *Runs) List(ctx context.Context, q Query) (Page[Run], error) {
	query := url.Values{}
	set(query, "agent", q.Agent)
	set(query, "status", q.Status)
	set(query, "q", q.Text)
	if q.MinCost > 0 {
		query.Set("cost_min", strconv.FormatFloat(q.MinCost, 'f', -1, 64))
	}
	if q.MaxCost > 0 {
		query.Set("cost_max", strconv.FormatFloat(q.MaxCost, 'f', -1, 64))
	}
	if q.Oldest {
		query.Set("order", "oldest")
	}
	return list[Run](ctx, r.c, call{path: "/v1/runs", query: query}, q.After, q.Limit)
}

// Cancel ends a run.
func (r *Runs) Cancel(ctx context.Context, id string) (Run, error) { return r.post(ctx, id, "cancel") }

// Pause holds a run: what is under way ends, nothing new starts.
func (r *Runs) Pause(ctx context.Context, id string) (Run, error) { return r.post(ctx, id, "pause") }

// Resume lets a paused run go on.
func (r *Runs) Resume(ctx context.Context, id string) (Run, error) { return r.post(ctx, id, "resume") }

// Delete removes a run that has ended or waits.
func (r *Runs) Delete(ctx context.Context, id string) error {
	return r.c.do(ctx, call{method: http.MethodDelete, path: runPath(id, "")})
}

// Message steers a run, or answers the input that it waits for.
func (r *Runs) Message(ctx context.Context, id, content string) (run Run, err error) {
	body := map[string]string{"content": content}
	err = r.c.do(ctx, call{method: http.MethodPost, path: runPath(id, "messages"), body: body, into: &run})
	return run, err
}

// Events yields the run's stored events after seq, to the newest one.
func (r *Runs) Events(ctx context.Context, id string, after int64) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for {
			var page Page[Event]
			query := url.Values{"after": {strconv.FormatInt(after, 10)}}
			err := r.c.do(ctx, call{method: http.MethodGet, path: runPath(id, "events"), query: query, into: &page})
			if err != nil {
				yield(Event{}, err)
				return
			}
			for _, event := range page.Data {
				after = event.Seq
				if !yield(event, nil) {
					return
				}
			}
			if !page.HasMore || len(page.Data) == 0 {
				return
			}
		}
	}
}

func (r *Runs) post(ctx context.Context, id, verb string) (run Run, err error) {
	err = r.c.do(ctx, call{method: http.MethodPost, path: runPath(id, verb), into: &run})
	return run, err
}

func runPath(id, verb string) string {
	path := "/v1/runs/" + url.PathEscape(id)
	if verb != "" {
		path += "/" + verb
	}
	return path
}
