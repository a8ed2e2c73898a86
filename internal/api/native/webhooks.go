package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// Webhooks tells other servers what becomes of runs. internal/app adapts
// internal/webhook to it.
type Webhooks interface {
	WebhookBook
	WebhookLog
}

// WebhookBook keeps the endpoints of a project. The id default is that of what
// signs for the URLs of single runs.
type WebhookBook interface {
	// List returns endpoints in order of id.
	List(ctx context.Context, project, after string, limit int) ([]Webhook, error)
	// Get returns one, or not_found. Only of default it has the secret.
	Get(ctx context.Context, project, id string) (Webhook, error)
	// Register checks a new one and returns it, with its secret, and what adds it.
	// Errors: invalid_request by field.
	Register(project string, n NewWebhook) (Webhook, run.Commit, error)
	// Change returns an endpoint as it is after a change, and what changes it. Errors:
	// not_found, conflict, invalid_request by field.
	Change(ctx context.Context, project, id string, c WebhookChange) (Webhook, run.Commit, error)
}

// WebhookLog shows what was sent.
type WebhookLog interface {
	// Deliveries lists those to an endpoint, newest run first.
	Deliveries(ctx context.Context, project, id string, p DeliveryPage) ([]Delivery, error)
	// Redeliver returns a delivery that is made again, and what makes it.
	Redeliver(ctx context.Context, project, id, delivery string) (Delivery, run.Commit, error)
	// CheckURL reports what is wrong with a URL that is to be told something, as an
	// invalid_request about the field url.
	CheckURL(text string) error
}

// Webhook is who wants to hear of runs.
type Webhook struct {
	ID, URL, Description string
	Events               []string
	Status, Why          string // enabled, paused or disabled
	Failures             int
	Secret               string // where it is shown
	Created              time.Time
}

// NewWebhook is one to be registered.
type NewWebhook struct {
	URL, Description string
	Events           []string
}

// WebhookChange is what becomes of a webhook.
type WebhookChange struct {
	Act WebhookAct // empty = Edit alone
	// Edit makes of what a webhook is what it shall be; nil = it stays. It goes together
	// with EnableWebhook and DisableWebhook.
	Edit func(NewWebhook) (NewWebhook, error)
}

// WebhookAct is what can be done with a webhook.
type WebhookAct string

// Acts on a webhook.
const (
	RotateSecret   WebhookAct = "rotate"
	EnableWebhook  WebhookAct = "enable"
	DisableWebhook WebhookAct = "disable"
	RemoveWebhook  WebhookAct = "remove"
)

// DeliveryPage selects deliveries.
type DeliveryPage struct {
	Status string
	After  string
	Limit  int
}

// Delivery is one event for one webhook.
type Delivery struct {
	ID, Event, EventID, URL, Status, Error string
	Run                                    run.ID
	Attempts, Code                         int
	Ms                                     int64
	Created, At, Next                      time.Time
}

type webhookIn struct {
	URL         *string         `json:"url"`
	Events      json.RawMessage `json:"events"`
	Description *string         `json:"description"`
}

type webhookBody struct {
	ID          string    `json:"id"`
	Object      string    `json:"object"`
	URL         *string   `json:"url"`
	Events      []string  `json:"events"`
	Description string    `json:"description"`
	Status      string    `json:"status"`
	Reason      *string   `json:"status_reason"`
	Failures    int       `json:"failures"`
	Secret      string    `json:"secret,omitzero"`
	CreatedAt   time.Time `json:"created_at"`
}

func showWebhook(w *Webhook) webhookBody {
	return webhookBody{
		ID: w.ID, Object: "webhook", URL: optional(w.URL), Events: listed(w.Events), Description: w.Description, Status: w.Status,
		Reason: optional(w.Why), Failures: w.Failures, Secret: w.Secret, CreatedAt: w.Created.UTC(),
	}
}

func (a *API) webhookRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/webhooks", Scope: "webhooks:manage", Secret: true, Handle: with(a.webhooks, a.createWebhook)},
		{Method: "GET", Path: "/v1/webhooks", Scope: "webhooks:manage", Query: filters(), Handle: with(a.webhooks, a.listWebhooks)},
		{Method: "GET", Path: "/v1/webhooks/{id}", Scope: "webhooks:manage", Handle: with(a.webhooks, a.getWebhook)},
		{Method: "PATCH", Path: "/v1/webhooks/{id}", Scope: "webhooks:manage", Handle: with(a.webhooks, a.patchWebhook)},
		{Method: "DELETE", Path: "/v1/webhooks/{id}", Scope: "webhooks:manage", Handle: with(a.webhooks, a.deleteWebhook)},
		{Method: "POST", Path: "/v1/webhooks/{id}/rotate", Scope: "webhooks:manage", Secret: true, Handle: with(a.webhooks, a.rotateWebhook)},
		{Method: "GET", Path: "/v1/webhooks/{id}/deliveries", Scope: "webhooks:manage", Query: filters("status"), Handle: with(a.webhooks, a.listDeliveries)},
		{Method: "POST", Path: "/v1/webhooks/{id}/deliveries/{delivery}/redeliver", Scope: "webhooks:manage", Handle: with(a.webhooks, a.redeliver)},
	}
}

// webhooks returns them, or says that this server has none.
func (a *API) webhooks() (Webhooks, error) {
	if a.cfg.Webhooks == nil {
		return nil, problem.New(problem.NotAvailable, "This server sends no webhooks.")
	}
	return a.cfg.Webhooks, nil
}

func (a *API) createWebhook(ctx context.Context, r *wire.Request, hooks Webhooks) (wire.Response, error) {
	var in webhookIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	wanted := NewWebhook{URL: value(in.URL), Description: value(in.Description)}
	var err error
	if wanted.Events, err = readEvents(in.Events); err != nil {
		return wire.Response{}, err
	}
	return a.hookCommit(ctx, r, func() (wire.Response, run.Commit, error) {
		made, c, err := hooks.Register(r.Caller.Project, wanted)
		return wire.OK(showWebhook(&made)), c, err
	})
}

// readEvents reads "*" or a list.
func readEvents(text json.RawMessage) ([]string, error) {
	if present(text) == nil {
		return nil, nil // what is missing is said with all else
	}
	var one string
	if json.Unmarshal(text, &one) == nil {
		return []string{one}, nil
	}
	var list []string
	if json.Unmarshal(text, &list) != nil {
		return nil, problem.Invalid("events", `must be a list of events, or "*" for all.`)
	}
	return list, nil
}

// hookTries bounds how often a change is made anew: deliveries change the same rows.
const hookTries = 10

// hookCommit writes what change makes, with the answer that an Idempotency-Key
// remembers.
func (a *API) hookCommit(ctx context.Context, r *wire.Request, change func() (wire.Response, run.Commit, error)) (wire.Response, error) {
	for range hookTries {
		answer, c, err := change()
		if err != nil {
			return wire.Response{}, err
		}
		remembered, err := r.Remember(answer)
		if err != nil {
			return wire.Response{}, err
		}
		kind := c.Rows[0].Kind
		c.Rows = append(remembered, c.Rows...)
		err = a.cfg.Rows.Append(ctx, c)
		var taken *run.RowConflict
		switch {
		case err == nil:
			return answer, nil
		case !errors.As(err, &taken) || taken.Kind != kind:
			return wire.Response{}, fmt.Errorf("saving what %s %s changes: %w", r.Method(), r.Route.Path, err)
		case taken.Name:
			return wire.Response{}, problem.Conflicting("url", "there is already a webhook with this URL in this project: GET /v1/webhooks lists them.")
		}
	}
	return wire.Response{}, problem.New(problem.Conflict, "It is being changed again and again at this moment: try again.")
}

func (a *API) listWebhooks(ctx context.Context, r *wire.Request, hooks Webhooks) (wire.Response, error) {
	find := func(after string, limit int) ([]Webhook, error) {
		return hooks.List(ctx, r.Caller.Project, after, limit)
	}
	return listPage(r.Query(), find, showWebhook, func(w *Webhook) string { return w.ID })
}

func (a *API) getWebhook(ctx context.Context, r *wire.Request, hooks Webhooks) (wire.Response, error) {
	found, err := hooks.Get(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showWebhook(&found)), nil
}

// webhookPatch is a webhook with the fields that are to be another in place of its own.
type webhookPatch struct {
	webhookIn
	Status *string `json:"status"`
}

func (a *API) patchWebhook(ctx context.Context, r *wire.Request, hooks Webhooks) (wire.Response, error) {
	var in webhookPatch
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	var change WebhookChange
	switch status := value(in.Status); {
	case status == "enabled":
		change.Act = EnableWebhook
	case status == "disabled":
		change.Act = DisableWebhook
	case in.Status != nil:
		return wire.Response{}, problem.Invalid("status", `can be set to "enabled" or "disabled"; "paused" is what this server does when deliveries fail.`)
	}
	fields := map[string]json.RawMessage{}
	if err := json.Unmarshal(r.Body, &fields); err != nil {
		return wire.Response{}, fmt.Errorf("reading the fields of a patch: %w", err)
	}
	delete(fields, "status")
	switch {
	case len(fields) > 0:
		change.Edit = func(before NewWebhook) (NewWebhook, error) { return editWebhook(before, r.Body) }
	case change.Act == "":
		return wire.Response{}, problem.Invalid("body", "names nothing to change: give url, events, description or status.")
	}
	return a.changeWebhook(ctx, r, hooks, change)
}

// editWebhook puts the fields of a patch in place of a webhook's own.
func editWebhook(before NewWebhook, patch []byte) (NewWebhook, error) {
	shown := map[string]any{"url": before.URL, "events": before.Events, "description": before.Description}
	text, err := overlay(shown, patch)
	if err != nil {
		return before, err
	}
	var in webhookPatch
	if err := wire.Decode(text, &in, true); err != nil {
		return before, err
	}
	after := NewWebhook{URL: value(in.URL), Description: value(in.Description)}
	after.Events, err = readEvents(in.Events)
	return after, err
}

func (a *API) rotateWebhook(ctx context.Context, r *wire.Request, hooks Webhooks) (wire.Response, error) {
	return a.changeWebhook(ctx, r, hooks, WebhookChange{Act: RotateSecret})
}

func (a *API) deleteWebhook(ctx context.Context, r *wire.Request, hooks Webhooks) (wire.Response, error) {
	return a.changeWebhook(ctx, r, hooks, WebhookChange{Act: RemoveWebhook})
}

func (a *API) changeWebhook(ctx context.Context, r *wire.Request, hooks Webhooks, change WebhookChange) (wire.Response, error) {
	return a.hookCommit(ctx, r, func() (wire.Response, run.Commit, error) {
		changed, c, err := hooks.Change(ctx, r.Caller.Project, r.Path("id"), change)
		if change.Act == RemoveWebhook {
			return wire.OK(deletedBody{ID: changed.ID, Object: "webhook", Deleted: true}), c, err
		}
		return wire.OK(showWebhook(&changed)), c, err
	})
}
