package webhook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
)

// attemptTime is how long a receiver may take to answer: the native API document's.
const attemptTime = 10 * time.Second

// send tries a delivery, unless it has to wait: for the one before it, for its
// endpoint to be asked again, or for room.
func (h *Hub) send(ctx context.Context, job run.Job) error {
	var t ticket
	if err := json.Unmarshal(job.Data, &t); err != nil {
		return fmt.Errorf("reading which delivery to make: %w", err)
	}
	d, err := h.delivery(ctx, t.Project, t.Delivery)
	if problem.Is(err, problem.NotFound) || err == nil && (d.Status != Pending || d.Round != t.Round) {
		return nil
	}
	if err != nil {
		return err
	}
	if waits, err := h.queueUp(ctx, t.Project, &d); waits || err != nil {
		return err
	}
	e, err := h.Endpoint(ctx, t.Project, d.Endpoint)
	if problem.Is(err, problem.NotFound) {
		return h.giveUp(ctx, t, "The webhook was deleted.")
	}
	if err != nil {
		return err
	}
	if e.Status == Disabled {
		return h.giveUp(ctx, t, "The webhook is disabled: "+e.Why)
	}
	leave, ok := h.enter(ctx, t.Project+" "+laneOf(&d))
	if !ok {
		return h.postpone(ctx, t, h.cfg.Now().Add(h.spread(crowdWait)))
	}
	slow := false
	defer func() { leave(slow) }()
	if e.ID != Own {
		d.URL = e.URL // it may have another one since this was made
	}
	if e.Status == Paused {
		if mine, err := h.probe(ctx, t, &e); !mine || err != nil {
			return err
		}
	}
	secrets, err := h.secrets(t.Project, &e)
	if err != nil {
		h.cfg.Logger.Error("a webhook's secret can't be opened", "webhook", e.ID, "error", err)
		return h.settle(ctx, t, answer{to: d.URL, at: h.cfg.Now(), fault: "Its secret can't be opened on this server: rotate it."})
	}
	a := h.attempt(ctx, &d, secrets)
	if ctx.Err() != nil {
		return ctx.Err() // the server stops: nobody knows whether it arrived, so it is made again
	}
	slow = !a.arrived() || a.took > slowAnswer
	return h.settle(ctx, t, a)
}

// queueUp reports whether a delivery waits for an earlier one of its run to the
// same endpoint, and makes that one call it when it is done: in the earlier one's
// row, so that it can't end without seeing it.
func (h *Hub) queueUp(ctx context.Context, project string, d *Delivery) (waits bool, err error) {
	err = insist(func() error {
		waits = false
		var before *Delivery
		err := h.below(ctx, project, d.prefix(), d.ID, func(earlier *Delivery) (bool, error) {
			if earlier.Status == Pending && (d.Endpoint != Own || earlier.URL == d.URL) {
				before = earlier
			}
			return before == nil, nil
		})
		if err != nil || before == nil {
			return err
		}
		waits = true
		if slices.Contains(before.Follow, d.ID) {
			return nil
		}
		before.Follow = append(before.Follow, d.ID)
		write, err := before.write()
		if err != nil {
			return err
		}
		return h.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{write}})
	})
	return waits, err
}

// postpone tries a delivery later, without counting an attempt.
func (h *Hub) postpone(ctx context.Context, t ticket, until time.Time) error {
	return h.amend(ctx, t, func(d *Delivery, c *run.Commit) error { return h.again(d, c, until) })
}

// again adds the job that tries the delivery next.
func (h *Hub) again(d *Delivery, c *run.Commit, at time.Time) error {
	d.Round, d.Next = d.Round+1, at
	job, err := d.job()
	c.Jobs = append(c.Jobs, job)
	return err
}

// probe decides whether this delivery is the one with which a paused endpoint is
// asked; the others wait for what comes of it.
func (h *Hub) probe(ctx context.Context, t ticket, e *Endpoint) (mine bool, err error) {
	now := h.cfg.Now()
	if now.Before(e.Probe) {
		return false, h.amend(ctx, t, func(d *Delivery, c *run.Commit) error {
			if now.Sub(d.Since) >= window {
				return h.end(ctx, d, c, GivenUp, "The webhook is paused, and has not answered for a day.")
			}
			return h.again(d, c, e.Probe.Add(h.spread(crowdWait)))
		})
	}
	e.Probe = now.Add(h.backoff(e.Failures))
	write, err := e.write(t.Project)
	if err != nil {
		return false, err
	}
	err = h.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{write}})
	var conflict *run.RowConflict
	if errors.As(err, &conflict) { // another one was quicker
		return false, h.postpone(ctx, t, now.Add(h.spread(crowdWait)))
	}
	return err == nil, err
}

// answer is what came of one attempt.
type answer struct {
	to    string // the address that was asked
	at    time.Time
	took  time.Duration
	code  int           // 0 = no answer
	after time.Duration // Retry-After; 0 = none
	fault string        // why it has not arrived, in public words
}

func (a *answer) arrived() bool { return a.code >= 200 && a.code < 300 }

// attempt makes one.
func (h *Hub) attempt(ctx context.Context, d *Delivery, secrets []string) (a answer) {
	a.to, a.at = d.URL, h.cfg.Now()
	defer func() { a.took = h.cfg.Now().Sub(a.at) }()
	target, err := h.cfg.Guard.CheckSecure(d.URL) // what is allowed may have changed since
	if err != nil {
		a.fault = problem.From(err).Detail
		return a
	}
	bounded, cancel := context.WithTimeout(ctx, attemptTime)
	defer cancel()
	request, err := http.NewRequestWithContext(bounded, http.MethodPost, target.String(), bytes.NewReader(d.Body))
	if err != nil {
		a.fault = "The URL can't be called."
		return a
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("User-Agent", h.cfg.Agent)
	sign(request.Header, d.EventID, a.at, d.Body, secrets)
	client := h.https
	if target.Scheme == "http" {
		client = h.own
	}
	response, err := client.Do(request)
	if err != nil {
		a.fault = egress.Unreached(bounded, err, attemptTime)
		return a
	}
	_ = response.Body.Close() // whatever it says beside its status, at whatever length
	a.code, a.after = response.StatusCode, retryAfter(response.Header.Get("Retry-After"), a.at)
	switch {
	case a.arrived():
	case a.code >= 300 && a.code < 400:
		a.fault = fmt.Sprintf("It answered %d: redirects are not followed.", a.code)
	default:
		a.fault = fmt.Sprintf("It answered %d.", a.code)
	}
	return a
}

// laneOf is who shares a lane: an endpoint's deliveries, or those to one host.
func laneOf(d *Delivery) string {
	if d.Endpoint != Own {
		return d.Endpoint
	}
	target, err := url.Parse(d.URL)
	if err != nil {
		return d.URL
	}
	return strings.ToLower(target.Host)
}
