package client

import (
	"context"
	"encoding/json"
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

	Effect   string `json:"effect"`    // safe, keyed, once
	OnExpiry string `json:"on_expiry"` // reject, continue, approve; empty = it waits without limit
	// Causes are why it waits.
	Causes []struct {
		Kind string `json:"kind"` // gate, rule, after_untrusted, outcome_unknown, changed
		Gate string `json:"gate"`
		When string `json:"when"` // the condition of a rule
	} `json:"causes"`
	// Warnings are what in the arguments can't be seen, or looks like something else.
	Warnings []struct {
		Kind       string   `json:"kind"` // hidden_characters, mixed_scripts
		Path       string   `json:"path"` // a JSON pointer
		Characters []string `json:"characters"`
		Count      int      `json:"count"`
	} `json:"warnings"`
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

	// Of an approval of one action: other arguments, a JSON object in place of the
	// action's.
	Arguments json.RawMessage `json:"arguments,omitempty"`
	// Digest is what has been seen of the one action; if it is another by now,
	// nothing is decided.
	Digest string `json:"digest,omitempty"`
	// For is how far an approval reaches: once, run or arguments; empty = once.
	For string `json:"for,omitempty"`
}

// LinkTo is what a link is to be good for.
type LinkTo struct {
	Decision string `json:"decision,omitempty"`     // approve, reject or both; empty = both
	Expires  int    `json:"expires_in_s,omitempty"` // seconds; 0 = a day
}

// Link lets whoever has it decide on one action, once.
type Link struct {
	URL       string    `json:"url"` // a path, if the server knows no public URL
	Run       string    `json:"run"`
	Action    string    `json:"action_id"`
	Decision  string    `json:"decision"`
	Digest    string    `json:"digest"`
	ExpiresAt time.Time `json:"expires_at"`
}

// Link makes a link that decides on a pending action.
func (a *Approvals) Link(ctx context.Context, run, action string, to LinkTo) (link Link, err error) {
	path := runPath(run, "actions") + "/" + url.PathEscape(action) + "/links"
	err = a.c.do(ctx, call{method: http.MethodPost, path: path, body: to, into: &link})
	return link, err
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

// Item is a decision on one action of any run. To approve, Digest is required.
type Item struct {
	Run    string `json:"run"`
	Action string `json:"action_id"`

	Digest    string          `json:"digest,omitempty"`
	Reject    bool            `json:"reject,omitempty"`
	OnReject  string          `json:"on_reject,omitempty"`
	Reason    string          `json:"reason,omitempty"`
	Arguments json.RawMessage `json:"arguments,omitempty"`
	For       string          `json:"for,omitempty"`
}

// ItemResult is what came of an item.
type ItemResult struct {
	Run      string `json:"run"`
	Action   string `json:"action_id"`
	Decision string `json:"decision"` // approved, rejected; pending = others have to approve, too; empty = it failed
	Status   string `json:"status"`   // of the run right after it
	Error    *struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	} `json:"error"`
}

// DecideSeveral makes up to 50 decisions, each by itself, and returns their results in
// the same order. The same decisions again change nothing.
func (a *Approvals) DecideSeveral(ctx context.Context, items []Item) ([]ItemResult, error) {
	var answer struct {
		Data []ItemResult `json:"data"`
	}
	body := map[string][]Item{"items": items}
	err := a.c.do(ctx, call{method: http.MethodPost, path: "/v1/approvals/decide", body: body, into: &answer})
	return answer.Data, err
}
