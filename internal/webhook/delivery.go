package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// What becomes of a delivery.
const (
	Pending   = "pending"
	Succeeded = "succeeded"
	GivenUp   = "failed"
)

// Statuses lists them.
func Statuses() []string { return []string{Pending, Succeeded, GivenUp} }

const (
	// window is how long a delivery is tried.
	window = 24 * time.Hour
	// kept is how long a delivery can be looked at, and made again, after its end.
	kept = 7 * 24 * time.Hour
)

// Delivery is one event for one endpoint. Body is what is sent, to the byte.
type Delivery struct {
	ID       string    `json:"-"`
	Created  time.Time `json:"-"`
	Endpoint string    `json:"endpoint"`
	URL      string    `json:"url"`
	EventID  string    `json:"event_id"`
	Event    string    `json:"event"`
	Run      run.ID    `json:"run"`
	Body     []byte    `json:"body"`
	Status   string    `json:"status"`
	Round    int       `json:"round"`            // of the one job that may work on it
	Attempts int       `json:"attempts"`         // in all
	Tries    int       `json:"tries"`            // since it was made, or was last asked for again
	Since    time.Time `json:"since"`            // when that was
	Next     time.Time `json:"next"`             // when it is to be tried
	At       time.Time `json:"at,omitzero"`      // of the last attempt
	Code     int       `json:"code,omitempty"`   // of the answer to it; 0 = none came
	Ms       int64     `json:"ms,omitempty"`     // how long it took
	Error    string    `json:"error,omitempty"`  // why it has not arrived, in public words
	Follow   []string  `json:"follow,omitempty"` // deliveries that wait for the end of this one

	project string
	version int64
	expires time.Time
}

// ticket is the data of a SendJob. One whose round is over does nothing, so that a
// delivery has one job at a time, whatever a crash repeats.
type ticket struct {
	Project  string `json:"project"`
	Delivery string `json:"delivery"`
	Round    int    `json:"round"`
}

// job is what tries the delivery at its time.
func (d *Delivery) job() (run.Job, error) {
	data, err := json.Marshal(ticket{Project: d.project, Delivery: d.ID, Round: d.Round})
	return run.Job{Kind: SendJob, Run: d.Run, Due: d.Next, Data: data}, err
}

// Ids of deliveries sort by endpoint, then by run, then by event: so the rows of
// one endpoint stand together, those of one run in order, newest run last.
func prefixOf(endpoint string) string { return "del_" + strings.TrimPrefix(endpoint, "wh_") + "_" }

func (d *Delivery) prefix() string { return prefixOf(d.Endpoint) + d.Run.String() }

func deliveryID(endpoint string, id run.ID, seq int64) string {
	return fmt.Sprintf("%s%s%06x", prefixOf(endpoint), id, seq)
}

func (h *Hub) delivery(ctx context.Context, project, id string) (Delivery, error) {
	row, err := h.cfg.Rows.Row(ctx, deliveryKind, project, id)
	if err != nil {
		return Delivery{}, err
	}
	return readDelivery(&row)
}

func readDelivery(row *run.Row) (Delivery, error) {
	d := Delivery{ID: row.ID, Created: row.Created, project: row.Project, version: row.Version, expires: row.Expires}
	if err := json.Unmarshal(row.Data, &d); err != nil {
		return d, fmt.Errorf("reading delivery %s: %w", row.ID, err)
	}
	return d, nil
}

func (d *Delivery) write() (run.RowWrite, error) {
	data, err := json.Marshal(d)
	return run.RowWrite{
		Row:    run.Row{Kind: deliveryKind, Project: d.project, ID: d.ID, Created: d.Created, Expires: d.expires, Data: data},
		Expect: d.version,
	}, err
}

// amend changes a pending delivery for the job that works on it, with all that
// change adds to the commit. It does nothing when the delivery is not this job's
// any more.
func (h *Hub) amend(ctx context.Context, t ticket, change func(d *Delivery, c *run.Commit) error) error {
	return insist(func() error {
		d, err := h.delivery(ctx, t.Project, t.Delivery)
		if problem.Is(err, problem.NotFound) || err == nil && (d.Status != Pending || d.Round != t.Round) {
			return nil
		}
		if err != nil {
			return err
		}
		var c run.Commit
		if err := change(&d, &c); err != nil {
			return err
		}
		write, err := d.write()
		if err != nil {
			return err
		}
		c.Rows = append(c.Rows, write)
		return h.cfg.Rows.Append(ctx, c)
	})
}

// chunk is how many rows are read at once: a delivery holds a whole run's answer.
const chunk = 50

// below passes an endpoint's deliveries with ids below after, newest first, until
// each says stop.
func (h *Hub) below(ctx context.Context, project, prefix, after string, each func(d *Delivery) (more bool, err error)) error {
	for {
		rows, err := h.cfg.Rows.Rows(ctx, run.RowQuery{Kind: deliveryKind, Project: project, After: after, Newest: true, Limit: chunk})
		if err != nil {
			return err
		}
		for i := range rows {
			if !strings.HasPrefix(rows[i].ID, prefix) {
				return nil
			}
			d, err := readDelivery(&rows[i])
			if err != nil {
				return err
			}
			if more, err := each(&d); err != nil || !more {
				return err
			}
		}
		if len(rows) < chunk {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}

// Page selects deliveries of an endpoint.
type Page struct {
	Status string // empty = any
	After  string // only older ones than this; empty = from the newest
	Limit  int
}

// Deliveries lists those to an endpoint, or to Own, newest run first. Of one that
// is not there, not_found.
func (h *Hub) Deliveries(ctx context.Context, project, endpoint string, p Page) ([]Delivery, error) {
	if _, err := h.Endpoint(ctx, project, endpoint); err != nil {
		return nil, err
	}
	prefix := prefixOf(endpoint)
	after := prefix + "~" // above every hex digit
	if p.After != "" && strings.HasPrefix(p.After, prefix) {
		after = p.After
	}
	var found []Delivery
	err := h.below(ctx, project, prefix, after, func(d *Delivery) (bool, error) {
		if p.Status == "" || d.Status == p.Status {
			found = append(found, *d)
		}
		return len(found) < p.Limit, nil
	})
	return found, err
}

// Redeliver returns the commit that makes a delivery again, its bytes and its event
// as they were. One that is pending is tried at once.
func (h *Hub) Redeliver(ctx context.Context, project, endpoint, id string) (Delivery, run.Commit, error) {
	var c run.Commit
	if _, err := h.Endpoint(ctx, project, endpoint); err != nil {
		return Delivery{}, c, err
	}
	d, err := h.delivery(ctx, project, id)
	if err == nil && d.Endpoint != endpoint {
		err = problem.New(problem.NotFound, "There is no delivery %q to webhook %s.", id, endpoint)
	}
	if err != nil {
		return d, c, err
	}
	now := h.cfg.Now()
	d.Status, d.Error, d.Tries = Pending, "", 0
	d.Round, d.Since, d.Next, d.expires = d.Round+1, now, now, now.Add(window+kept)
	write, err := d.write()
	if err != nil {
		return d, c, err
	}
	job, err := d.job()
	c.Rows, c.Jobs = []run.RowWrite{write}, []run.Job{job}
	return d, c, err
}

// ValidStatus reports whether deliveries can be asked for by this status.
func ValidStatus(status string) bool { return status == "" || slices.Contains(Statuses(), status) }
