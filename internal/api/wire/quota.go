package wire

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

// Quota is what keys have left of their requests, where several nodes share that.
// internal/store has the implementations.
type Quota interface {
	// Draw takes up to want requests of a key that may make limit a minute. It returns
	// how many there were, and the time until the key has all of them again.
	Draw(ctx context.Context, key string, limit, want int) (granted int, full time.Duration, err error)
}

const (
	// drawPatience is how long a request waits to be counted, and after a failure how
	// long none waits: then each node counts by itself.
	drawPatience = time.Second
	// drawnFor is how long what was drawn ahead may be used: then the others' node may
	// need it more, and it comes back as all else does.
	drawnFor = time.Second
	// aheadOfUse and aheadOfLimit are the parts of a key's requests of the latest second
	// here, and of a minute's, that are drawn ahead at most: a slow key asks for each
	// request, a fast one for a few hundred a minute, and what a node holds back from the
	// others is a hundredth of the limit.
	aheadOfUse, aheadOfLimit = 4, 100
)

// quotas are the keys' requests as this node has drawn them. The zero value is ready.
type quotas struct {
	alone rates // counts while the quota does not answer

	mu   sync.Mutex
	byID map[string]*drawn
	down time.Time // until then nobody asks
}

// drawn is what a node knows of one key.
type drawn struct {
	limit   int
	left    int           // drawn and not used
	until   time.Time     // when that is void
	full    time.Time     // when the key has all its requests again, by the latest answer
	waiting int           // requests that wait for it
	asking  chan struct{} // closed when it is there; nil = nobody asks

	used, before int       // requests of this second and of the one before
	second       time.Time // when it began
}

// take counts a request of a key, over all nodes: one statement for all that wait, and
// for some that will come. More than the limit are never let in.
func (t *quotas) take(ctx context.Context, of Quota, logger *slog.Logger, ask request) Standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	d := t.of(ask)
	d.count(ask.now())
	for {
		now := ask.now()
		if !now.Before(d.until) {
			d.left = 0
		}
		switch {
		case now.Before(t.down):
			return t.alone.take(ask.key, ask.limit, now)
		case d.left > 0:
			d.left--
			return d.standing(now, 0)
		case d.empty(now) > 0:
			return d.standing(now, d.empty(now))
		case d.asking == nil:
			t.draw(ctx, of, logger, d, ask)
			continue
		}
		asking := d.asking
		d.waiting++
		t.mu.Unlock()
		<-asking // as long as drawPatience
		t.mu.Lock()
		d.waiting--
	}
}

// request is what has to be counted.
type request struct {
	key   string
	limit int
	now   func() time.Time
}

// of returns what is known of a key, made if need be. The lock is held.
func (t *quotas) of(ask request) *drawn {
	d := t.byID[ask.key]
	if d != nil && d.limit == ask.limit {
		return d
	}
	if t.byID == nil {
		t.byID = map[string]*drawn{}
	}
	if len(t.byID) >= mostRates {
		for key, old := range t.byID {
			if ask.now().After(old.full) && old.waiting == 0 && old.asking == nil {
				delete(t.byID, key)
			}
		}
	}
	d = &drawn{limit: ask.limit}
	t.byID[ask.key] = d
	return d
}

// draw asks for requests of a key. The lock is held, but not while it waits.
func (t *quotas) draw(ctx context.Context, of Quota, logger *slog.Logger, d *drawn, ask request) {
	asking := make(chan struct{})
	d.asking = asking
	want := 1 + d.waiting + min(max(d.used, d.before)/aheadOfUse, d.limit/aheadOfLimit)
	t.mu.Unlock()
	// Others wait for this answer: it does not end with the request that asks first.
	asked, cancel := context.WithTimeout(context.WithoutCancel(ctx), drawPatience)
	granted, full, err := of.Draw(asked, ask.key, d.limit, want)
	cancel()
	t.mu.Lock()
	now := ask.now()
	d.asking = nil
	close(asking)
	if err != nil {
		t.down = now.Add(drawPatience)
		logger.Warn("requests can't be counted over all nodes now: each counts by itself", "error", err)
		return
	}
	d.left, d.until, d.full = granted, now.Add(drawnFor), now.Add(full)
}

// count counts a request of this second.
func (d *drawn) count(now time.Time) {
	if since := now.Sub(d.second); since >= time.Second {
		d.before = d.used
		if since >= 2*time.Second {
			d.before = 0
		}
		d.used, d.second = 0, now
	}
	d.used++
}

// empty is how long it takes until the key has a request left anywhere, 0 if it may have
// one: others only take, so what the latest answer has said is the least.
func (d *drawn) empty(now time.Time) time.Duration {
	lacks := 1 - d.anywhere(now)
	if d.full.IsZero() || lacks <= hair {
		return 0
	}
	return until(lacks, d.limit)
}

// anywhere is how many requests the key has beside those drawn here, as far as is known.
func (d *drawn) anywhere(now time.Time) float64 {
	return float64(d.limit) * (1 - max(d.full.Sub(now), 0).Minutes())
}

// standing is how the key stands; wait is 0 if the request is let in.
func (d *drawn) standing(now time.Time, wait time.Duration) Standing {
	left := min(max(d.anywhere(now), 0)+float64(d.left), float64(d.limit))
	return Standing{Limit: d.limit, Remaining: int(left + hair), Reset: until(float64(d.limit)-left, d.limit), Wait: wait}
}

// hair is what sums of fractions may lack of a whole request.
const hair = 1e-6
