package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// marker is how far a run's log has been told. It stays while deliveries of the run
// could be made twice without it.
type marker struct {
	Seq int64 `json:"seq"`
}

// markerKept is how long it stays after the run's end: longer than any job of it
// waits while a server is switched off, within reason.
const markerKept = 60 * 24 * time.Hour

// fan makes deliveries of all that a run has to tell and nobody was told yet, in
// one commit with the jobs that send them: so each event is fanned out once, and
// those before it first.
func (h *Hub) fan(ctx context.Context, job run.Job) error {
	var n note
	if err := json.Unmarshal(job.Data, &n); err != nil {
		return fmt.Errorf("reading what a run has to tell: %w", err)
	}
	return insist(func() error { return h.fanOnce(ctx, job.Run, n) })
}

func (h *Hub) fanOnce(ctx context.Context, id run.ID, n note) error {
	told, version, err := h.told(ctx, n.Project, id)
	if err != nil || told >= n.Seq {
		return err
	}
	events, err := h.cfg.Log.Load(ctx, id, 0, int(n.Seq))
	if err != nil || len(events) == 0 { // a deleted run has nothing to tell
		return err
	}
	endpoints, err := h.Endpoints(ctx, n.Project, "", 0)
	if err != nil {
		return err
	}
	var c run.Commit
	t := teller{state: run.State{ID: id}, asked: map[string]time.Time{}}
	for i := range events {
		kind := t.take(&events[i])
		if kind == "" || events[i].Seq <= told {
			continue
		}
		notice := Notice{ID: eventID(id, events[i].Seq), Type: kind, At: events[i].At, State: &t.state}
		if err := h.address(ctx, &c, notice, endpoints); err != nil {
			return err
		}
	}
	data, err := json.Marshal(marker{Seq: n.Seq})
	if err != nil {
		return err
	}
	row := run.Row{Kind: markerKind, Project: n.Project, ID: id.String(), Created: h.cfg.Now(), Data: data}
	if t.state.Terminal() {
		row.Expires = h.cfg.Now().Add(markerKept)
	}
	c.Rows = append(c.Rows, run.RowWrite{Row: row, Expect: version})
	return h.cfg.Rows.Append(ctx, c)
}

// told returns how far the run's log has been told, and the marker's version.
func (h *Hub) told(ctx context.Context, project string, id run.ID) (seq, version int64, err error) {
	row, err := h.cfg.Rows.Row(ctx, markerKind, project, id.String())
	if problem.Is(err, problem.NotFound) {
		return 0, 0, nil
	}
	if err != nil {
		return 0, 0, err
	}
	var m marker
	err = json.Unmarshal(row.Data, &m)
	return m.Seq, row.Version, err
}

// address adds a delivery of the notice for everyone who is to hear of it.
func (h *Hub) address(ctx context.Context, c *run.Commit, n Notice, endpoints []Endpoint) error {
	var body []byte
	var err error
	for i := range endpoints {
		e := &endpoints[i]
		if e.Status == Disabled || !wants(e.Events, n.Type) {
			continue
		}
		if body == nil {
			if body, err = h.cfg.Render(ctx, n); err != nil {
				return fmt.Errorf("writing event %s: %w", n.ID, err)
			}
		}
		if err := h.post(c, n, Delivery{Endpoint: e.ID, URL: e.URL, Body: body}); err != nil {
			return err
		}
	}
	if n.State.Spec.Webhook == "" {
		return nil
	}
	n.Own = true
	if body, err = h.cfg.Render(ctx, n); err != nil {
		return fmt.Errorf("writing event %s: %w", n.ID, err)
	}
	if body == nil {
		return nil
	}
	return h.post(c, n, Delivery{Endpoint: Own, URL: n.State.Spec.Webhook, Body: body})
}

// post adds a delivery that is due now.
func (h *Hub) post(c *run.Commit, n Notice, d Delivery) error {
	now := h.cfg.Now()
	d.ID = deliveryID(d.Endpoint, n.State.ID, n.State.Seq)
	d.Created, d.Since, d.Next, d.expires = now, now, now, now.Add(window+kept)
	d.project = n.State.Spec.Project
	d.EventID, d.Event, d.Run, d.Status = n.ID, n.Type, n.State.ID, Pending
	write, err := d.write()
	if err != nil {
		return err
	}
	job, err := d.job()
	c.Rows, c.Jobs = append(c.Rows, write), append(c.Jobs, job)
	return err
}
