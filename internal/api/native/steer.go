package native

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/run"
)

// Bounds of what people and callers send to a run that exists.
const (
	maxReason = 2_000     // code points: a paragraph for the log and for the model
	maxOutput = 512 << 10 // bytes of one function tool's output, which a model has to read
	maxActing = 256       // actions in one request: more than a turn asks for
)

// unique folds repeated ids, keeping the order of their first mention.
func unique(ids []string) []string {
	var kept []string
	for _, id := range ids {
		if !slices.Contains(kept, id) {
			kept = append(kept, id)
		}
	}
	return kept
}

func tooLong(reason string) string {
	if utf8.RuneCountInString(reason) > maxReason {
		return fmt.Sprintf("is too long: at most %d characters.", maxReason)
	}
	return ""
}

type cancelIn struct {
	Reason *string `json:"reason"`
}

func (a *API) cancel(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in cancelIn
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	faults := agent.Faults{}
	faults.Add("reason", tooLong(value(in.Reason)))
	if err := faults.Problem(); err != nil {
		return wire.Response{}, err
	}
	return a.steer(r, func(id run.ID) (run.State, error) {
		return a.cfg.Engine.Cancel(ctx, r.Caller.Project, id, run.Cancel{By: r.Caller.KeyID, Reason: value(in.Reason)})
	})
}

// steer does one thing to the run in the path and answers with the run after it.
func (a *API) steer(r *wire.Request, act func(run.ID) (run.State, error)) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	state, err := act(id)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showRun(&state)), nil
}

func (a *API) pause(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if err := nothingIn(r); err != nil {
		return wire.Response{}, err
	}
	return a.steer(r, func(id run.ID) (run.State, error) {
		return a.cfg.Engine.Pause(ctx, r.Caller.Project, id, r.Caller.KeyID)
	})
}

func (a *API) resume(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if err := nothingIn(r); err != nil {
		return wire.Response{}, err
	}
	return a.steer(r, func(id run.ID) (run.State, error) {
		return a.cfg.Engine.Resume(ctx, r.Caller.Project, id, r.Caller.KeyID)
	})
}

// nothingIn refuses a body that says anything, where there is nothing to say.
func nothingIn(r *wire.Request) error {
	if r.Empty() {
		return nil
	}
	return r.Decode(&struct{}{})
}

type messageIn struct {
	Content *string `json:"content"`
}

func (a *API) addMessage(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in messageIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	faults := agent.Faults{}
	faults.Add("content", a.promptFault(in.Content))
	if err := faults.Problem(); err != nil {
		return wire.Response{}, err
	}
	return a.steer(r, func(id run.ID) (run.State, error) {
		return a.cfg.Engine.Message(ctx, r.Caller.Project, id, run.Added{Text: *in.Content, By: r.Caller.KeyID})
	})
}

type outputsIn struct {
	Outputs []outputIn `json:"outputs"`
}

// outputIn is one function tool's output, which is text or any JSON, or its error.
type outputIn struct {
	ActionID string          `json:"action_id"`
	Output   json.RawMessage `json:"output"`
	Error    *string         `json:"error"`
}

func (a *API) addOutputs(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in outputsIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	given, err := in.read()
	if err != nil {
		return wire.Response{}, err
	}
	return a.steer(r, func(id run.ID) (run.State, error) {
		return a.cfg.Engine.Outputs(ctx, r.Caller.Project, id, run.Input{Outputs: given, By: r.Caller.KeyID})
	})
}

func (in *outputsIn) read() ([]run.Output, error) {
	faults := agent.Faults{}
	switch {
	case len(in.Outputs) == 0:
		faults.Add("outputs", "is required: list an output or an error for each of the run's pending_calls.")
	case len(in.Outputs) > maxActing:
		faults.Add("outputs", fmt.Sprintf("lists too many: at most %d.", maxActing))
		return nil, faults.Problem()
	}
	var given []run.Output
	for i := range in.Outputs {
		given = append(given, in.Outputs[i].read(fmt.Sprintf("outputs[%d]", i), faults))
		if slices.ContainsFunc(given[:i], func(o run.Output) bool { return o.Action == given[i].Action }) {
			faults.Add(fmt.Sprintf("outputs[%d].action_id", i), fmt.Sprintf("%q is answered twice.", given[i].Action))
		}
	}
	return given, faults.Problem()
}

func (in *outputIn) read(field string, faults agent.Faults) run.Output {
	out := run.Output{Action: in.ActionID}
	text := present(in.Output)
	switch {
	case in.ActionID == "":
		faults.Add(field+".action_id", "is required: the id of a pending call, for example act_01.")
	case (text == nil) == (in.Error == nil):
		faults.Add(field, "must have either output or error.")
	case in.Error != nil:
		out.Failed, out.Text = true, *in.Error
	default:
		if json.Unmarshal(text, &out.Text) != nil { // no string: the JSON itself is the output
			out.Text = string(text)
		}
	}
	if len(out.Text) > maxOutput {
		faults.Add(field, fmt.Sprintf("is too long: at most %d bytes.", maxOutput))
	}
	return out
}

func (a *API) deleteRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	if err := a.cfg.Engine.Delete(ctx, r.Caller.Project, id, r.Caller.KeyID); err != nil {
		return wire.Response{}, err
	}
	return wire.OK(deletedBody{ID: runID(id), Object: "run", Deleted: true}), nil
}
