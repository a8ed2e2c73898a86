package client

import (
	"context"
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// Explanation says why a run is where it is, and what its steps have taken.
type Explanation struct {
	Run    string          `json:"run"`
	Status string          `json:"status"`
	Why    string          `json:"why"`   // in one sentence
	Stuck  bool            `json:"stuck"` // nothing is known that would move it
	Waits  []Wait          `json:"waits"`
	Steps  []StepTaken     `json:"steps"`
	Retry  []Retried       `json:"retries"`
	Usage  Usage           `json:"usage"`
	Worked float64         `json:"worked_s"` // seconds in which it did not wait
	Raw    json.RawMessage `json:"-"`        // the whole answer
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (e *Explanation) UnmarshalJSON(text []byte) error {
	type plain Explanation
	if err := json.Unmarshal(text, (*plain)(e)); err != nil {
		return err
	}
	e.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Wait is one thing that a run waits for.
type Wait struct {
	For    string     `json:"for"`
	Since  time.Time  `json:"since"`
	Until  *time.Time `json:"until"`
	Action string     `json:"action_id"`
	Tool   string     `json:"tool"`
	Run    string     `json:"run_id"`
	Why    string     `json:"why"`
	Moves  string     `json:"moves"` // what would move it
}

// StepTaken is what a model turn and its calls have taken.
type StepTaken struct {
	N        int             `json:"n"`
	Model    string          `json:"model"`
	Attempts int             `json:"attempts"`
	Ms       int64           `json:"ms"`
	Usage    Usage           `json:"usage"`
	Trimmed  json.RawMessage `json:"trimmed"` // null when the model was shown everything
	Calls    []CallTaken     `json:"calls"`
}

// CallTaken is what a tool call has taken.
type CallTaken struct {
	Action   string `json:"action_id"`
	Tool     string `json:"tool"`
	Stage    string `json:"stage"`
	Outcome  string `json:"outcome"`
	Attempts int    `json:"attempts"`
	Ms       int64  `json:"ms"`
	WaitedMs int64  `json:"waited_ms"` // for a person
}

// Retried is a model call that brought no reply.
type Retried struct {
	Step    int       `json:"step"`
	Attempt int       `json:"attempt"`
	At      time.Time `json:"at"`
	Code    string    `json:"code"`
	Message string    `json:"message"`
}

// Explain says why a run is where it is.
func (r *Runs) Explain(ctx context.Context, id string) (e Explanation, err error) {
	err = r.c.do(ctx, call{method: http.MethodGet, path: runPath(id, "explain"), into: &e})
	return e, err
}

// Prompt returns what the model was sent in a step, as the API answers it.
func (r *Runs) Prompt(ctx context.Context, id string, step int) (prompt json.RawMessage, err error) {
	err = r.c.do(ctx, call{method: http.MethodGet, path: runPath(id, "steps") + "/" + strconv.Itoa(step) + "/prompt", into: &prompt})
	return prompt, err
}

// Trace is what a run's time was spent on, in the order in which it began.
type Trace struct {
	Run    string    `json:"run"`
	Status string    `json:"status"`
	Begin  time.Time `json:"begin"`
	Now    time.Time `json:"now"` // by the server's clock
	Spans  []Span    `json:"spans"`
}

// Span is a stretch of a run's time.
type Span struct {
	ID      string     `json:"id"` // within the run, and the same for ever
	Parent  string     `json:"parent"`
	Kind    string     `json:"kind"` // step, model, tool, wait, child
	Name    string     `json:"name"`
	For     string     `json:"for"` // of a wait
	Begin   time.Time  `json:"begin"`
	End     *time.Time `json:"end"` // nil = it goes on
	Outcome string     `json:"outcome"`
	FirstMs int64      `json:"first_ms"` // until the first token
	Usage   *Usage     `json:"usage"`
	Action  string     `json:"action_id"`
	Run     string     `json:"run_id"` // that was handed the work
}

// Trace returns what a run's time was spent on.
func (r *Runs) Trace(ctx context.Context, id string) (trace Trace, err error) {
	err = r.c.do(ctx, call{method: http.MethodGet, path: runPath(id, "trace"), into: &trace})
	return trace, err
}
