package native

import (
	"context"
	"encoding/json"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
)

type weighIn struct {
	Arguments json.RawMessage `json:"arguments"`
}

// weighed says what an approval would be for.
type weighed struct {
	Object   string `json:"object"`
	Run      string `json:"run"`
	ActionID string `json:"action_id"`
	Digest   string `json:"digest"`
	Preview  string `json:"preview"`
}

// weigh tells a person who edits an action's arguments what the edit comes to, before
// anything is decided by it.
func (a *API) weigh(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	var in weighIn
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	d := engine.Decision{Actions: []string{r.Path("action")}, Approve: true, By: r.Caller.KeyID}
	if arguments := present(in.Arguments); arguments != nil {
		d.Arguments = string(arguments)
	}
	if d.Arguments != "" && d.Arguments[0] != '{' {
		faults := agent.Faults{}
		faults.Add("arguments", "must be an object: the arguments that the call is to be made with.")
		return wire.Response{}, faults.Problem()
	}
	digest, preview, err := a.cfg.Engine.Weigh(ctx, r.Caller.Project, id, d)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(weighed{Object: "action_check", Run: runID(id), ActionID: d.Actions[0], Digest: digest, Preview: preview}), nil
}
