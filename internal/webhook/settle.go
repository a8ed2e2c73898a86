package webhook

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

const (
	// firstRetry and lastRetry bound the waits, which double: the native API
	// document's backoff over a day, and never a receiver that is back and hears
	// nothing for more than an hour.
	firstRetry, lastRetry = 5 * time.Second, time.Hour
	// jitter spreads retries by a fifth, so that those of one outage don't come
	// back as one.
	jitter = 0.2
	// mostFailures in a row pause an endpoint: the native API document's.
	mostFailures = 8
)

// backoff is how long to wait after so many failures.
func (h *Hub) backoff(failures int) time.Duration {
	wait := firstRetry
	for i := 1; i < failures && wait < lastRetry; i++ {
		wait *= 2
	}
	wait = min(wait, lastRetry)
	return wait + time.Duration((2*h.cfg.Random()-1)*jitter*float64(wait))
}

// spread is a time from a quarter of d to d.
func (h *Hub) spread(d time.Duration) time.Duration {
	return d/4 + time.Duration(h.cfg.Random()*float64(d)*3/4)
}

// settle writes down what came of an attempt, and what is next: for the delivery,
// for its endpoint, and for the delivery that waits for it.
func (h *Hub) settle(ctx context.Context, t ticket, a answer) error {
	ctx = context.WithoutCancel(ctx) // an answer that has come is not asked for twice because the server stops
	return h.amend(ctx, t, func(d *Delivery, c *run.Commit) error {
		d.Attempts, d.Tries = d.Attempts+1, d.Tries+1
		d.URL, d.At, d.Code, d.Ms, d.Error = a.to, a.at, a.code, a.took.Milliseconds(), a.fault
		left, err := h.judge(ctx, d, c, &a)
		if err != nil {
			return err
		}
		next := h.cfg.Now().Add(max(h.backoff(d.Tries), a.after))
		switch {
		case a.arrived():
			return h.end(ctx, d, c, Succeeded, "")
		case left: // nobody has asked the new one yet
			return h.again(d, c, h.cfg.Now())
		case a.code == http.StatusGone:
			return h.end(ctx, d, c, GivenUp, "It answered 410: it wants no more.")
		case next.Sub(d.Since) > window:
			return h.end(ctx, d, c, GivenUp, a.fault+" It was tried for a day.")
		}
		return h.again(d, c, next)
	})
}

// judge adds to c what an attempt says of the endpoint. The URLs of single runs
// have no standing: each delivery stands for itself. Neither has an address that the
// endpoint has left while it was asked, which judge reports.
func (h *Hub) judge(ctx context.Context, d *Delivery, c *run.Commit, a *answer) (left bool, err error) {
	if d.Endpoint == Own {
		return false, nil
	}
	e, err := h.find(ctx, d.project, d.Endpoint)
	switch {
	case problem.Is(err, problem.NotFound), err == nil && e.Status == Disabled:
		return false, nil
	case err != nil:
		return false, err
	case e.URL != a.to:
		return true, nil
	case a.arrived() && e.Failures == 0 && e.Status == Enabled:
		return false, nil
	case a.arrived():
		return false, h.revive(d.project, &e, c)
	}
	e.Failures++
	switch {
	case a.code == http.StatusGone:
		e.Status, e.Why = Disabled, "it answered 410."
	case e.Failures >= mostFailures && e.Status == Enabled:
		e.Status, e.Why = Paused, fmt.Sprintf("it failed %d times in a row.", e.Failures)
		e.Probe = h.cfg.Now().Add(h.backoff(e.Failures))
	}
	write, err := e.write(d.project)
	c.Rows = append(c.Rows, write)
	return false, err
}

// end closes a delivery and calls those that wait for it: they find
// their order among themselves.
func (h *Hub) end(ctx context.Context, d *Delivery, c *run.Commit, status, why string) error {
	d.Status, d.Error, d.expires = status, why, h.cfg.Now().Add(kept)
	followers := d.Follow
	d.Follow = nil
	for _, id := range followers {
		next, err := h.delivery(ctx, d.project, id)
		if problem.Is(err, problem.NotFound) || err == nil && next.Status != Pending {
			continue
		}
		if err != nil {
			return err
		}
		next.Next = h.cfg.Now()
		job, err := next.job()
		if err != nil {
			return err
		}
		c.Jobs = append(c.Jobs, job)
	}
	return nil
}

// giveUp ends a delivery without an attempt.
func (h *Hub) giveUp(ctx context.Context, t ticket, why string) error {
	return h.amend(ctx, t, func(d *Delivery, c *run.Commit) error {
		return h.end(ctx, d, c, GivenUp, why)
	})
}

// wakeUp is the data of a WakeJob.
type wakeUp struct {
	Project  string `json:"project"`
	Endpoint string `json:"endpoint"`
}

// wake tries at once what waits for its time at an endpoint that answers again.
// What is due already has a job that is about to run, or runs.
func (h *Hub) wake(ctx context.Context, job run.Job) error {
	var w wakeUp
	if err := json.Unmarshal(job.Data, &w); err != nil {
		return fmt.Errorf("reading which webhook answers again: %w", err)
	}
	prefix := prefixOf(w.Endpoint)
	return h.below(ctx, w.Project, prefix, prefix+"~", func(d *Delivery) (bool, error) {
		now := h.cfg.Now()
		if d.Status != Pending || !d.Next.After(now) {
			return true, nil
		}
		t := ticket{Project: w.Project, Delivery: d.ID, Round: d.Round}
		return true, h.amend(ctx, t, func(d *Delivery, c *run.Commit) error { return h.again(d, c, now) })
	})
}

// retryAfter reads the header, seconds or a date; what is neither says nothing.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return at.Sub(now)
	}
	return 0
}
