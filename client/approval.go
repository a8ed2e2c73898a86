package client

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// PendingAction is an action in the inbox, with the run that it belongs to.
type PendingAction struct {
	Action
	Run   string    `json:"run"`
	Agent string    `json:"agent"`
	Title string    `json:"title"` // the run's prompt, cut to a line
	Since time.Time `json:"since"`
}

// Approvals are the actions that wait for a person.
type Approvals struct{ c *Client }

// List returns one page of what waits.
func (a *Approvals) List(ctx context.Context, after string, limit int) (Page[PendingAction], error) {
	return list[PendingAction](ctx, a.c, call{path: "/v1/approvals", query: url.Values{"status": {"pending"}}}, after, limit)
}

// Decision is a person's word on pending actions.
type Decision struct {
	Actions  []string `json:"action_ids"`
	Reject   bool     `json:"reject,omitempty"`
	OnReject string   `json:"on_reject,omitempty"` // continue: the model is told and goes on
	Reason   string   `json:"reason,omitempty"`
}

// Decided is how a run stood right after a decision.
type Decided struct {
	ID       string   `json:"id"`
	Status   string   `json:"status"`
	Approved []string `json:"approved_actions"`
	Rejected []string `json:"rejected_actions"`
	Pending  []Action `json:"pending_actions"`
}

// Decide approves or rejects actions of a run: all of them or none. The same
// decision again changes nothing.
func (a *Approvals) Decide(ctx context.Context, run string, d Decision) (decided Decided, err error) {
	err = a.c.do(ctx, call{method: http.MethodPost, path: runPath(run, "approve"), body: d, into: &decided})
	return decided, err
}
