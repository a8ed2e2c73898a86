package webhook

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Endpoints lists a project's endpoints in order of id.
func (h *Hub) Endpoints(ctx context.Context, project, after string, limit int) ([]Endpoint, error) {
	rows, err := h.cfg.Rows.Rows(ctx, run.RowQuery{Kind: endpointKind, Project: project, After: after, Limit: limit})
	if err != nil {
		return nil, err
	}
	found := make([]Endpoint, len(rows))
	for i := range rows {
		if found[i], err = readEndpoint(&rows[i]); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// Endpoint returns one, or not_found. Own is always there: it is made when it is
// first asked for.
func (h *Hub) Endpoint(ctx context.Context, project, id string) (Endpoint, error) {
	var e Endpoint
	err := insist(func() (err error) {
		e, err = h.find(ctx, project, id)
		if id != Own || !problem.Is(err, problem.NotFound) {
			return err
		}
		e = Endpoint{ID: Own, Status: Enabled, Created: h.made()}
		_, e.Secret = h.newSecret(project, Own)
		write, err := e.write(project)
		if err != nil {
			return err
		}
		if err = h.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{write}}); err == nil {
			e.version = 1 // the first one
		}
		return err
	})
	return e, err
}

// made is now, as a store will have it: the first answer says what all later ones say.
func (h *Hub) made() time.Time { return h.cfg.Now().Truncate(time.Millisecond) }

// Default returns what signs the webhooks of single runs, with its secret.
func (h *Hub) Default(ctx context.Context, project string) (Endpoint, string, error) {
	e, err := h.Endpoint(ctx, project, Own)
	if err != nil {
		return e, "", err
	}
	secrets, err := h.secrets(project, &e)
	if err != nil {
		return e, "", err
	}
	return e, secrets[0], nil
}

// Register checks a new endpoint and returns it, its secret, which is shown this
// once, and the commit that adds it. In the commit a conflict of the name says that
// the URL is registered already.
func (h *Hub) Register(project string, n New) (Endpoint, string, run.Commit, error) {
	if err := h.check(&n, ""); err != nil {
		return Endpoint{}, "", run.Commit{}, err
	}
	var random [12]byte
	_, _ = rand.Read(random[:]) // it never fails: the process ends instead
	e := Endpoint{
		ID: "wh_" + hex.EncodeToString(random[:]), Created: h.made(),
		URL: n.URL, Events: n.Events, Description: n.Description, Status: Enabled,
	}
	var secret string
	secret, e.Secret = h.newSecret(project, e.ID)
	write, err := e.write(project)
	known := run.RowWrite{Row: run.Row{Kind: projectKind, ID: project, Created: e.Created}, Expect: run.AnyVersion}
	// Before the commit, because a run may end right after it. To listen for
	// nothing costs little.
	h.listen(project)
	return e, secret, run.Commit{Rows: []run.RowWrite{write, known}}, err
}

// Rotate returns the commit that gives an endpoint, or Own, a new secret, which is
// shown this once. The one before it signs too, for a day.
func (h *Hub) Rotate(ctx context.Context, project, id string) (Endpoint, string, run.Commit, error) {
	e, err := h.Endpoint(ctx, project, id)
	if err != nil {
		return e, "", run.Commit{}, err
	}
	secret := h.rotate(project, &e)
	write, err := e.write(project)
	return e, secret, run.Commit{Rows: []run.RowWrite{write}}, err
}

// Edit returns the commit that gives an endpoint what edit makes of its address, its
// events and its description; the secret stays. What waits for it is sent to its new
// address. What the old one has failed at is forgotten with it, so that one that was
// paused hears at once. One that is disabled stays so, unless to says otherwise; empty =
// as it is.
func (h *Hub) Edit(ctx context.Context, project, id string, edit func(New) (New, error), to Status) (Endpoint, run.Commit, error) {
	var c run.Commit
	e, err := h.Endpoint(ctx, project, id)
	if err == nil && id == Own {
		err = problem.New(problem.Conflict, "The webhook %s has no address and no events: each run names its own as webhook_url.", Own)
	}
	if err != nil {
		return e, c, err
	}
	n, err := edit(New{URL: e.URL, Description: e.Description, Events: e.Events})
	if err == nil {
		err = h.check(&n, e.URL)
	}
	if err != nil {
		return e, c, err
	}
	moved := n.URL != e.URL
	e.URL, e.Description, e.Events = n.URL, n.Description, n.Events
	switch {
	case to == Disabled:
		e.disable()
	case to == Enabled, moved && e.Status != Disabled:
		err = h.revive(project, &e, &c)
		return e, c, err
	}
	write, err := e.write(project)
	c.Rows = append(c.Rows, write)
	return e, c, err
}

// Enable returns the commit that makes an endpoint hear again, and sends what waits
// for it.
func (h *Hub) Enable(ctx context.Context, project, id string) (Endpoint, run.Commit, error) {
	var c run.Commit
	e, err := h.find(ctx, project, id)
	if err != nil {
		return e, c, err
	}
	err = h.revive(project, &e, &c)
	return e, c, err
}

// Disable returns the commit that makes an endpoint hear nothing: what happens until
// it is enabled is not told to it, and what waits for it is given up when its time comes.
func (h *Hub) Disable(ctx context.Context, project, id string) (Endpoint, run.Commit, error) {
	e, err := h.find(ctx, project, id)
	if err == nil && id == Own {
		err = problem.New(problem.Conflict, "The webhook %s can't be disabled: leave webhook_url out of the runs that shall tell nobody.", Own)
	}
	if err != nil {
		return e, run.Commit{}, err
	}
	e.disable()
	write, err := e.write(project)
	return e, run.Commit{Rows: []run.RowWrite{write}}, err
}

func (e *Endpoint) disable() { e.Status, e.Why = Disabled, "somebody has disabled it." }

// revive adds to c that an endpoint is called again as if it had never failed.
func (h *Hub) revive(project string, e *Endpoint, c *run.Commit) error {
	e.Status, e.Why, e.Failures = Enabled, "", 0
	write, err := e.write(project)
	if err != nil {
		return err
	}
	c.Rows = append(c.Rows, write)
	data, err := json.Marshal(wakeUp{Project: project, Endpoint: e.ID})
	c.Jobs = append(c.Jobs, run.Job{Kind: WakeJob, Due: h.cfg.Now(), Data: data})
	return err
}

// Remove returns the commit that forgets an endpoint. What waits for it is given
// up when its time comes.
func (h *Hub) Remove(ctx context.Context, project, id string) (Endpoint, run.Commit, error) {
	e, err := h.find(ctx, project, id)
	if err == nil && id == Own {
		err = problem.New(problem.Conflict, "The webhook %s can't be deleted: it signs what the runs' own URLs are told. POST /v1/webhooks/%s/rotate replaces its secret.", Own, Own)
	}
	if err != nil {
		return e, run.Commit{}, err
	}
	write, err := e.write(project)
	write.Delete = true
	return e, run.Commit{Rows: []run.RowWrite{write}}, err
}
