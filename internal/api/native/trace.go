package native

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"errand/internal/run"
)

// traceEntry is one thing that happened in a run, told to a person. Type says
// which of the fields there are: context, step, approval, kernel, message,
// input, retry, note, result. An entry depends on its event and those before it
// alone, so a trace only ever grows and looks the same for ever.
type traceEntry struct {
	Type string    `json:"type"`
	Seq  int64     `json:"seq"` // of its event
	At   time.Time `json:"at"`

	N      int             `json:"n,omitzero"`      // of a step
	Action string          `json:"action,omitzero"` // of a step: model, or the tool's name
	ID     string          `json:"action_id,omitzero"`
	Tool   string          `json:"tool,omitzero"`
	Model  string          `json:"model,omitzero"`
	Input  json.RawMessage `json:"input,omitzero"`
	Output string          `json:"output,omitzero"`
	Calls  []string        `json:"calls,omitzero"` // action ids that a model's reply asked for
	Ms     *int64          `json:"ms,omitzero"`
	Tokens *tokensBody     `json:"tokens,omitzero"`
	Run    string          `json:"run_id,omitzero"` // of a handoff: the run that does the work

	Outcome  string `json:"outcome,omitzero"`  // of a tool's step
	Source   string `json:"source,omitzero"`   // of context
	Items    *int   `json:"items,omitzero"`    // of context, where they can be counted
	Scope    string `json:"scope,omitzero"`    // of context and kernel
	Decision string `json:"decision,omitzero"` // of approval: requested, approved, rejected, expired, changed; of kernel: deny
	Reason   string `json:"reason,omitzero"`
	By       string `json:"by,omitzero"`
	Text     string `json:"text,omitzero"`

	Original json.RawMessage `json:"original_input,omitzero"` // of an approval with other arguments: those before
	For      run.Reach       `json:"for,omitzero"`            // of an approval that reaches beyond the action
	Missing  int             `json:"missing,omitzero"`        // of an approval: how many others have to approve, too

	Attempt    int            `json:"attempt,omitzero"`
	Code       string         `json:"code,omitzero"`
	Status     run.Status     `json:"status,omitzero"`
	StopReason run.StopReason `json:"stop_reason,omitzero"`
}

type tokensBody struct {
	Input  int `json:"input"`
	Output int `json:"output"`
}

// trace tells a run's log as a list of entries, and returns what it folds to.
func trace(id run.ID, events []run.Event) ([]traceEntry, run.State) {
	t := tracer{entries: []traceEntry{}, state: run.State{ID: id}}
	for i := range events {
		t.state.Take(&events[i])
		t.tell(&events[i])
	}
	return t.entries, t.state
}

// tracer folds the log as it goes: an event of a call names the action alone,
// and its tool and arguments come from before.
type tracer struct {
	state   run.State
	entries []traceEntry
}

func (t *tracer) add(e *run.Event, entry traceEntry) {
	entry.Seq, entry.At = e.Seq, e.At.UTC()
	t.entries = append(t.entries, entry)
}

// tell adds the entries of one event, which has its body: an event that a newer
// version wrote, or a damaged one, has none and tells nothing. That a driver took
// over is no news either: it happens after every wait.
func (t *tracer) tell(e *run.Event) {
	switch {
	case e.Responded != nil:
		t.responded(e)
	case e.Failed != nil:
		f := e.Failed
		t.add(e, traceEntry{Type: "retry", N: f.Step, Attempt: f.Attempt, Code: f.Code, Text: f.Message})
	case e.Finished != nil:
		t.finished(e)
	case e.Started != nil && e.Started.Child != nil:
		t.handed(e)
	case e.Child != nil:
		t.returned(e)
	case e.Decided != nil:
		t.word(e)
	case e.Expired != nil && e.Expired.Timeout:
		t.lapsed(e)
	case e.Expired != nil:
		t.decided(e, e.Expired.Actions, traceEntry{Decision: "changed"})
	case e.Message != nil:
		t.add(e, traceEntry{Type: "message", Text: e.Message.Text, By: e.Message.By})
	case e.Input != nil:
		t.received(e)
	case e.Cancel != nil:
		t.add(e, traceEntry{Type: "note", Text: "Asked to cancel.", Reason: e.Cancel.Reason, By: e.Cancel.By})
	case e.Deadline != nil:
		t.add(e, traceEntry{Type: "note", Text: "A deadline passed: " + e.Deadline.Which + "."})
	case e.Refusal != nil:
		t.add(e, traceEntry{Type: "budget", Decision: "refused", Reason: e.Refusal.Limit, Text: e.Refusal.Message})
	case e.Type == run.BudgetRaised:
		t.add(e, traceEntry{Type: "budget", Decision: "raised", By: actorOf(e)})
	case e.Type == run.RunPaused && e.Actor != nil:
		t.add(e, traceEntry{Type: "note", Text: "Paused.", By: e.Actor.By})
	case e.Type == run.RunResumed && e.Actor != nil:
		t.add(e, traceEntry{Type: "note", Text: "Resumed.", By: e.Actor.By})
	case e.Ended != nil:
		t.add(e, traceEntry{
			Type: "result", Status: e.Ended.Status, StopReason: e.Ended.Reason,
			Text: e.Ended.Result.Summary, Code: e.Ended.Code, Reason: e.Ended.Error,
		})
	}
}

// actorOf is who did it, or "" where it was the clock.
func actorOf(e *run.Event) string {
	if e.Actor == nil {
		return ""
	}
	return e.Actor.By
}

func who(d *run.Decided) string {
	if d.ByName != "" {
		return d.ByName
	}
	return d.By
}

// responded tells the model's part of a step, then what became of its calls
// before any of them was made.
func (t *tracer) responded(e *run.Event) {
	r := e.Responded
	entry := traceEntry{
		Type: "step", N: r.Step, Action: "model", Model: r.Reply.Model, Output: r.Reply.Text, Ms: &r.Ms,
		Tokens: &tokensBody{Input: r.Reply.Usage.Input, Output: r.Reply.Usage.Output},
	}
	for i := range r.Actions {
		entry.Calls = append(entry.Calls, r.Actions[i].ID)
	}
	switch cut := r.Trimmed; {
	case cut == nil:
	case cut.Outputs+cut.Turns == 0:
		entry.Reason = "Of older views of a page the model was sent the beginning."
	default:
		entry.Reason = "Older parts of the conversation were left out to fit the model's window."
	}
	t.add(e, entry)
	for i := range min(len(r.Actions), len(r.Reply.Calls)) {
		planned, call := &r.Actions[i], &r.Reply.Calls[i]
		about := traceEntry{N: r.Step, ID: planned.ID, Tool: call.Name, Input: showArguments(call.Arguments)}
		switch {
		case planned.Refused != "":
			about.Type, about.Action, about.Outcome, about.Output = "step", call.Name, "refused", planned.Refused
		case planned.Denied != "":
			about.Type, about.Decision, about.Scope, about.Input = "kernel", "deny", planned.Denied, nil
		case planned.Gated:
			about.Type, about.Decision, about.Reason = "approval", "requested", run.GateReason
		default:
			continue
		}
		t.add(e, about)
	}
}

func (t *tracer) finished(e *run.Event) {
	f := e.Finished
	entry := traceEntry{Type: "step", ID: f.Action, Outcome: string(f.Outcome), Output: f.Output, Ms: &f.Ms}
	action := t.state.Action(f.Action)
	if action == nil {
		t.add(e, entry)
		return
	}
	entry.N, entry.Tool, entry.Action = action.Step, action.Tool.Name, action.Tool.Name
	entry.Input = showArguments(action.Arguments)
	if source := contextOf(action.Tool.Scope); source != "" && f.Outcome == run.OK {
		t.add(e, traceEntry{
			Type: "context", N: action.Step, ID: f.Action, Source: source, Scope: action.Tool.Scope,
			Items: items(f.Output), Ms: &f.Ms,
		})
	}
	t.add(e, entry)
	if action.Waits() && action.Reason == run.UnknownReason {
		t.add(e, traceEntry{
			Type: "approval", N: action.Step, ID: f.Action, Tool: action.Tool.Name,
			Decision: "requested", Reason: run.UnknownReason,
		})
	}
}

// handed tells that a call's work is another run's from here on.
func (t *tracer) handed(e *run.Event) {
	entry := traceEntry{Type: "handoff", ID: e.Started.Action, Run: runID(*e.Started.Child)}
	if action := t.state.Action(e.Started.Action); action != nil {
		entry.N, entry.Tool, entry.Input = action.Step, action.Tool.Name, showArguments(action.Arguments)
	}
	t.add(e, entry)
}

// returned tells what came back of it.
func (t *tracer) returned(e *run.Event) {
	c := e.Child
	entry := traceEntry{
		Type: "step", ID: c.Action, Run: runID(c.Run), Outcome: string(c.Outcome), Output: c.Output,
		Tokens: &tokensBody{Input: c.Usage.Input, Output: c.Usage.Output},
	}
	if action := t.state.Action(c.Action); action != nil {
		entry.N, entry.Tool, entry.Action, entry.Ms = action.Step, action.Tool.Name, action.Tool.Name, &action.Ms
		entry.Input = showArguments(action.Arguments)
	}
	t.add(e, entry)
}

// contextOf returns the source that a context's scope is about, in either of its
// two spellings, or "".
func contextOf(scope string) string {
	if source, ok := strings.CutPrefix(scope, "context:"); ok {
		return source
	}
	if source, ok := strings.CutSuffix(scope, ":read"); ok && run.ScopeIn([]string{"context:" + source}, scope) {
		return source
	}
	return ""
}

// items counts what a context brought: the elements of a list, or the rows of a
// table; nil when it is neither.
func items(output string) *int {
	var list []json.RawMessage
	if json.Unmarshal([]byte(output), &list) == nil {
		n := len(list)
		return &n
	}
	var table struct {
		Rows []json.RawMessage `json:"rows"`
	}
	if json.Unmarshal([]byte(output), &table) == nil && table.Rows != nil {
		n := len(table.Rows)
		return &n
	}
	return nil
}

// word tells a person's decision, with both versions of arguments that it changes.
func (t *tracer) word(e *run.Event) {
	d := e.Decided
	entry := traceEntry{Decision: "rejected", By: who(d), Reason: d.Reason, For: d.Reach}
	if d.Approve {
		entry.Decision = "approved"
	}
	if action := t.state.Action(slices.Concat(d.Actions, []string{""})[0]); d.Arguments != "" && action != nil {
		entry.Input, entry.Original = showArguments(d.Arguments), showArguments(action.Original)
	}
	t.decided(e, d.Actions, entry)
}

// lapsed tells what silence has decided.
func (t *tracer) lapsed(e *run.Event) {
	for _, id := range e.Expired.Actions {
		entry := traceEntry{Decision: "expired"}
		if action := t.state.Action(id); action != nil && action.Decision != nil && action.Decision.Approve {
			entry.Decision, entry.Reason = "approved", action.Decision.Reason
		}
		t.decided(e, []string{id}, entry)
	}
}

// decided tells one decision for each of the actions that it is about.
func (t *tracer) decided(e *run.Event, actions []string, entry traceEntry) {
	for _, id := range actions {
		entry.Type, entry.ID = "approval", id
		if action := t.state.Action(id); action != nil {
			entry.N, entry.Tool = action.Step, action.Tool.Name
			entry.Missing = 0
			if e.Decided != nil && e.Decided.Approve {
				entry.Missing = t.state.Missing(action)
			}
		}
		t.add(e, entry)
	}
}

func (t *tracer) received(e *run.Event) {
	for _, out := range e.Input.Outputs {
		entry := traceEntry{Type: "step", ID: out.Action, Output: out.Text, Outcome: string(run.OK), By: e.Input.By}
		if out.Failed {
			entry.Outcome = string(run.Errored)
		}
		if action := t.state.Action(out.Action); action != nil {
			entry.N, entry.Tool, entry.Action = action.Step, action.Tool.Name, action.Tool.Name
			entry.Input = showArguments(action.Arguments)
		}
		t.add(e, entry)
	}
}
