package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// DefaultWebhook is the id under which deliveries to the URLs of single runs
// stand, with the secret that signs them.
const DefaultWebhook = "default"

// Webhook is an endpoint that hears of runs.
type Webhook struct {
	ID          string    `json:"id"`
	URL         string    `json:"url"`
	Events      []string  `json:"events"`
	Description string    `json:"description"`
	Status      string    `json:"status"`        // enabled, paused, disabled
	Reason      string    `json:"status_reason"` // why it is not enabled
	Failures    int       `json:"failures"`      // in a row
	Secret      string    `json:"secret"`        // only in the answers that show it
	CreatedAt   time.Time `json:"created_at"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (w *Webhook) UnmarshalJSON(text []byte) error {
	type plain Webhook
	if err := json.Unmarshal(text, (*plain)(w)); err != nil {
		return err
	}
	w.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// NewWebhook asks for a webhook.
type NewWebhook struct {
	URL         string   `json:"url"`
	Events      []string `json:"events"` // such as run.completed; "*" = all
	Description string   `json:"description,omitempty"`
}

// WebhookChanges are the fields of a webhook that are to be another; what is zero stays.
type WebhookChanges struct {
	URL         string   `json:"url,omitempty"`
	Events      []string `json:"events,omitempty"`
	Description *string  `json:"description,omitempty"`
	Status      string   `json:"status,omitempty"` // enabled, disabled
}

// Delivery is one event for one webhook.
type Delivery struct {
	ID             string     `json:"id"`
	Event          string     `json:"event"`
	EventID        string     `json:"event_id"` // the webhook-id that its receiver gets
	Run            string     `json:"run"`
	URL            string     `json:"url"`
	Status         string     `json:"status"` // pending, succeeded, failed
	Attempts       int        `json:"attempts"`
	ResponseStatus int        `json:"response_status"` // 0 = no answer
	Ms             int64      `json:"ms"`
	Error          string     `json:"error"`
	CreatedAt      time.Time  `json:"created_at"`
	AttemptedAt    *time.Time `json:"attempted_at"`
	NextRetryAt    *time.Time `json:"next_retry_at"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (d *Delivery) UnmarshalJSON(text []byte) error {
	type plain Delivery
	if err := json.Unmarshal(text, (*plain)(d)); err != nil {
		return err
	}
	d.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Webhooks are the webhooks of the key's project.
type Webhooks struct{ c *Client }

// Create adds a webhook. The answer has its secret, which is shown this once.
func (w *Webhooks) Create(ctx context.Context, wanted NewWebhook) (hook Webhook, err error) {
	err = w.c.do(ctx, call{method: http.MethodPost, path: "/v1/webhooks", body: wanted, into: &hook})
	return hook, err
}

// List returns one page of webhooks.
func (w *Webhooks) List(ctx context.Context, after string, limit int) (Page[Webhook], error) {
	return list[Webhook](ctx, w.c, call{path: "/v1/webhooks"}, after, limit)
}

// Get returns a webhook; DefaultWebhook with its secret.
func (w *Webhooks) Get(ctx context.Context, id string) (hook Webhook, err error) {
	err = w.c.do(ctx, call{method: http.MethodGet, path: hookPath(id), into: &hook})
	return hook, err
}

// Delete removes a webhook; what waits for it is not sent.
func (w *Webhooks) Delete(ctx context.Context, id string) error {
	return w.c.do(ctx, call{method: http.MethodDelete, path: hookPath(id)})
}

// Rotate gives a webhook a new secret, which the answer shows this once. The one
// before signs too, for a day.
func (w *Webhooks) Rotate(ctx context.Context, id string) (hook Webhook, err error) {
	err = w.c.do(ctx, call{method: http.MethodPost, path: hookPath(id) + "/rotate", into: &hook})
	return hook, err
}

// Update changes a webhook. Its secret stays, and what waits for it is sent to its new
// address.
func (w *Webhooks) Update(ctx context.Context, id string, changes WebhookChanges) (hook Webhook, err error) {
	err = w.c.do(ctx, call{method: http.MethodPatch, path: hookPath(id), body: changes, into: &hook})
	return hook, err
}

// Enable calls a webhook again that is paused or disabled, at once.
func (w *Webhooks) Enable(ctx context.Context, id string) (hook Webhook, err error) {
	return w.Update(ctx, id, WebhookChanges{Status: "enabled"})
}

// Deliveries returns one page of what was, or is to be, sent to a webhook, newest
// run first; of one status or, without it, of all.
func (w *Webhooks) Deliveries(ctx context.Context, id, status, after string, limit int) (Page[Delivery], error) {
	query := url.Values{}
	set(query, "status", status)
	return list[Delivery](ctx, w.c, call{path: hookPath(id) + "/deliveries", query: query}, after, limit)
}

// Redeliver sends a delivery again, with the same bytes under the same id.
func (w *Webhooks) Redeliver(ctx context.Context, id, delivery string) (again Delivery, err error) {
	path := hookPath(id) + "/deliveries/" + url.PathEscape(delivery) + "/redeliver"
	err = w.c.do(ctx, call{method: http.MethodPost, path: path, into: &again})
	return again, err
}

func hookPath(id string) string { return "/v1/webhooks/" + url.PathEscape(id) }
