package native

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/run"
)

// What becomes of a run when an action of it is rejected.
const (
	completeOnReject = "complete"
	continueOnReject = "continue"
)

// forOnce is how an approval of one action alone is asked for.
const forOnce = "once"

type approveIn struct {
	ActionIDs []string        `json:"action_ids"`
	Reject    *bool           `json:"reject"`
	OnReject  *string         `json:"on_reject"`
	Reason    *string         `json:"reason"`
	Arguments json.RawMessage `json:"arguments"` // in place of the action's
	For       *string         `json:"for"`       // how far an approval reaches
	Digest    *string         `json:"digest"`    // of what the caller has seen
}

// approveBody is the answer to a decision: the run right after it.
type approveBody struct {
	ID              string       `json:"id"`
	Object          string       `json:"object"`
	Status          run.Status   `json:"status"`
	ApprovedActions []string     `json:"approved_actions"`
	RejectedActions []string     `json:"rejected_actions"`
	PendingActions  []actionBody `json:"pending_actions"`
}

func (a *API) approve(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	decision, err := readDecision(r)
	if err != nil {
		return wire.Response{}, err
	}
	state, err := a.cfg.Engine.Decide(ctx, r.Caller.Project, id, decision)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showDecision(&state, &decision)), nil
}

func readDecision(r *wire.Request) (engine.Decision, error) {
	var in approveIn
	if err := r.Decode(&in); err != nil {
		return engine.Decision{}, err
	}
	faults := agent.Faults{}
	decision := in.decision(r, faults)
	return decision, faults.Problem()
}

// decision is what is said, by the caller.
func (in *approveIn) decision(r *wire.Request, faults agent.Faults) engine.Decision {
	reject := in.Reject != nil && *in.Reject
	switch {
	case len(in.ActionIDs) == 0:
		faults.Add("action_ids", "is required: list the ids of pending actions, for example [\"act_01\"].")
	case len(in.ActionIDs) > maxActing:
		faults.Add("action_ids", fmt.Sprintf("lists too many: at most %d.", maxActing))
	}
	switch value(in.OnReject) {
	case "", completeOnReject:
	case continueOnReject:
		if !reject { // taken for a rejection, it would approve
			faults.Add("on_reject", `goes with "reject": true only: send that too, or leave this out to approve.`)
		}
	default:
		faults.Add("on_reject", `must be "complete" (the run ends) or "continue" (the model is told).`)
	}
	faults.Add("reason", tooLong(value(in.Reason)))
	decision := engine.Decision{
		Actions: unique(in.ActionIDs), Approve: !reject,
		Continue: value(in.OnReject) == continueOnReject, Reason: value(in.Reason),
		By: r.Caller.KeyID, ByName: r.Caller.KeyName, From: r.From(), Request: r.ID, Retry: sentAgain(r),
		Digest: value(in.Digest),
	}
	in.extend(&decision, faults)
	return decision
}

// extend reads what only approvals can say.
func (in *approveIn) extend(d *engine.Decision, faults agent.Faults) {
	switch value(in.For) {
	case "", forOnce:
	case string(run.RunReach), string(run.ArgumentsReach):
		d.Reach = run.Reach(*in.For)
	default:
		faults.Add("for", `must be "once" (this action), "run" (all later calls of the tool by this run) or "arguments" (its later calls with the same arguments).`)
	}
	if arguments := present(in.Arguments); arguments != nil {
		d.Arguments = string(arguments)
	}
	one := len(d.Actions) == 1
	switch {
	case d.Arguments != "" && d.Arguments[0] != '{':
		faults.Add("arguments", "must be an object: the arguments that the call is to be made with.")
	case d.Arguments != "" && !d.Approve:
		faults.Add("arguments", "are for approvals: a rejected call is not made.")
	case d.Arguments != "" && !one:
		faults.Add("arguments", "are those of one action: name one in action_ids.")
	}
	if d.Digest != "" && !one {
		faults.Add("digest", "is that of one action: name one in action_ids.")
	}
	if d.Reach != run.OnceReach && !d.Approve {
		faults.Add("for", "is for approvals: leave it out to reject.")
	}
}

// sentAgain reports whether the client's SDK says that this is not the first time
// that it sends the request. What was approved then, and has come to an unknown
// outcome since, is not approved a second time by that.
func sentAgain(r *wire.Request) bool {
	count, err := strconv.Atoi(r.Header("X-Stainless-Retry-Count"))
	return err == nil && count > 0
}

// showDecision lists what is decided by now: an action that others have to approve,
// too, is still among the pending ones.
func showDecision(s *run.State, d *engine.Decision) approveBody {
	body := approveBody{
		ID: runID(s.ID), Object: "run", Status: s.Status,
		ApprovedActions: []string{}, RejectedActions: []string{}, PendingActions: showPending(s),
	}
	switch {
	case !d.Approve:
		body.RejectedActions = d.Actions
	default:
		for _, id := range d.Actions {
			if a := s.Action(id); a == nil || !a.Waits() || len(a.Approvers) == 0 {
				body.ApprovedActions = append(body.ApprovedActions, id)
			}
		}
	}
	return body
}
