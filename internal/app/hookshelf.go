package app

import (
	"context"

	"errand/internal/api/native"
	"errand/internal/api/webagent"
	"errand/internal/run"
	"errand/internal/seal"
	"errand/internal/webhook"
)

// openHooks makes what tells other servers of runs.
func (a *assembly) openHooks() (err error) {
	box, err := seal.Load(a.cfg.Data)
	if err != nil {
		return err
	}
	a.hooks, err = webhook.NewHub(webhook.Config{
		Rows: a.store, Log: a.store, Box: box, Guard: a.guard, Render: renderNotice, Now: a.now, Agent: userAgent(), Logger: a.logger,
	})
	return err
}

// renderNotice is what a webhook gets. The URL of a single run gets the shape of
// the API that the run was made by, where that has one.
func renderNotice(_ context.Context, n webhook.Notice) ([]byte, error) {
	if n.Own && n.State.Spec.Dialect == webagent.Dialect {
		if n.State.Ended == nil {
			return nil, nil // its document knows of the end alone
		}
		return webagent.Webhook(n.State)
	}
	return native.Notice(n.ID, n.Type, n.At, n.State)
}

// hookShelf shows the webhooks to the API.
type hookShelf struct{ hub *webhook.Hub }

// List returns endpoints in order of id.
func (s hookShelf) List(ctx context.Context, project, after string, limit int) ([]native.Webhook, error) {
	found, err := s.hub.Endpoints(ctx, project, after, limit)
	shown := make([]native.Webhook, len(found))
	for i := range found {
		shown[i] = showHook(&found[i], "")
	}
	return shown, err
}

// Get returns one; of default with its secret, which is shown nowhere else.
func (s hookShelf) Get(ctx context.Context, project, id string) (native.Webhook, error) {
	if id == webhook.Own {
		e, secret, err := s.hub.Default(ctx, project)
		return showHook(&e, secret), err
	}
	e, err := s.hub.Endpoint(ctx, project, id)
	return showHook(&e, ""), err
}

// Register checks a new one and returns it with what adds it.
func (s hookShelf) Register(project string, n native.NewWebhook) (native.Webhook, run.Commit, error) {
	e, secret, c, err := s.hub.Register(project, webhook.New(n))
	return showHook(&e, secret), c, err
}

// Change returns an endpoint as it is after a change, and what changes it.
func (s hookShelf) Change(ctx context.Context, project, id string, change native.WebhookChange) (native.Webhook, run.Commit, error) {
	var (
		e      webhook.Endpoint
		c      run.Commit
		secret string
		err    error
	)
	if change.Edit != nil { // with or without an act
		edit := func(before webhook.New) (webhook.New, error) {
			after, err := change.Edit(native.NewWebhook(before))
			return webhook.New(after), err
		}
		to := map[native.WebhookAct]webhook.Status{native.EnableWebhook: webhook.Enabled, native.DisableWebhook: webhook.Disabled}
		e, c, err = s.hub.Edit(ctx, project, id, edit, to[change.Act])
		return showHook(&e, ""), c, err
	}
	switch change.Act {
	case native.RotateSecret:
		e, secret, c, err = s.hub.Rotate(ctx, project, id)
	case native.EnableWebhook:
		e, c, err = s.hub.Enable(ctx, project, id)
	case native.DisableWebhook:
		e, c, err = s.hub.Disable(ctx, project, id)
	case native.RemoveWebhook:
		e, c, err = s.hub.Remove(ctx, project, id)
	}
	return showHook(&e, secret), c, err
}

// Deliveries lists those to an endpoint.
func (s hookShelf) Deliveries(ctx context.Context, project, id string, p native.DeliveryPage) ([]native.Delivery, error) {
	found, err := s.hub.Deliveries(ctx, project, id, webhook.Page(p))
	shown := make([]native.Delivery, len(found))
	for i := range found {
		shown[i] = showDelivery(&found[i])
	}
	return shown, err
}

// Redeliver returns a delivery that is made again, and what makes it.
func (s hookShelf) Redeliver(ctx context.Context, project, id, delivery string) (native.Delivery, run.Commit, error) {
	d, c, err := s.hub.Redeliver(ctx, project, id, delivery)
	return showDelivery(&d), c, err
}

// CheckURL reports what is wrong with a URL that is to be told something.
func (s hookShelf) CheckURL(text string) error { return s.hub.CheckURL(text) }

func showHook(e *webhook.Endpoint, secret string) native.Webhook {
	return native.Webhook{
		ID: e.ID, URL: e.URL, Description: e.Description, Events: e.Events, Status: string(e.Status), Why: e.Why,
		Failures: e.Failures, Secret: secret, Created: e.Created,
	}
}

func showDelivery(d *webhook.Delivery) native.Delivery {
	shown := native.Delivery{
		ID: d.ID, Event: d.Event, EventID: d.EventID, URL: d.URL, Status: d.Status, Error: d.Error, Run: d.Run,
		Attempts: d.Attempts, Code: d.Code, Ms: d.Ms, Created: d.Created, At: d.At,
	}
	if d.Status == webhook.Pending {
		shown.Next = d.Next
	}
	return shown
}
