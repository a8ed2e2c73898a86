package wire

import (
	"context"
	"net/http"
	"strconv"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"errand/internal/problem"
)

// mostRates bounds the memory for keys with a limit. When there are more, those are
// forgotten that have made no request for as long as it takes to have all again.
const mostRates = 4096

// rates knows what each key has left of its requests. The zero value is ready.
type rates struct {
	mu   sync.Mutex
	byID map[string]*rate.Limiter
}

// Standing is what a key has left of its requests; zero for one without a limit.
type Standing struct {
	Limit     int // requests a minute
	Remaining int
	Reset     time.Duration // until it has all again
	Wait      time.Duration // until the next request is let in; 0 = this one is
}

// take counts a request of a key. A key may make all requests of a minute at once, and
// gets them back evenly.
func (t *rates) take(key string, limit int, now time.Time) Standing {
	t.mu.Lock()
	defer t.mu.Unlock()
	bucket := t.byID[key]
	if bucket == nil || bucket.Burst() != limit {
		if t.byID == nil {
			t.byID = map[string]*rate.Limiter{}
		}
		if len(t.byID) >= mostRates {
			t.forget(now)
		}
		bucket = rate.NewLimiter(rate.Limit(float64(limit)/60), limit)
		t.byID[key] = bucket
	}
	s := Standing{Limit: limit}
	if !bucket.AllowN(now, 1) {
		s.Wait = until(1-bucket.TokensAt(now), limit)
	}
	left := max(bucket.TokensAt(now), 0)
	s.Remaining, s.Reset = int(left), until(float64(limit)-left, limit)
	return s
}

// until is how long it takes to get so many requests.
func until(requests float64, perMinute int) time.Duration {
	return max(time.Duration(requests/float64(perMinute)*float64(time.Minute)), time.Millisecond)
}

func (t *rates) forget(now time.Time) {
	for key, bucket := range t.byID {
		if bucket.TokensAt(now) >= float64(bucket.Burst()) {
			delete(t.byID, key)
		}
	}
}

// pace counts the request against the limit of its key, if there is one, and says
// how it stands in the headers.
func (r *Request) pace(ctx context.Context) error {
	limit := r.server.cfg.PerMinute
	if own := r.Caller.Limits.PerMinute; own > 0 {
		limit = own
	}
	if limit == 0 {
		return nil
	}
	s := r.server.take(ctx, r.Caller.KeyID, limit)
	r.standing = s
	rateHeaders(r.writer.Header(), s, r.server.cfg.Now())
	if s.Wait == 0 {
		return nil
	}
	p := problem.New(problem.RateLimited, "The key %s may make %d requests a minute, and has made them: try again in %d s.",
		r.Caller.KeyName, limit, seconds(s.Wait))
	p.RetryAfter = s.Wait
	return p
}

// take counts a request of a key: here, or over all nodes.
func (s *Server) take(ctx context.Context, key string, limit int) Standing {
	if s.cfg.Quota == nil {
		return s.rates.take(key, limit, s.cfg.Now())
	}
	return s.quotas.take(ctx, s.cfg.Quota, s.cfg.Logger, request{key, limit, s.cfg.Now})
}

// Standing is how the caller's key stands with this request; zero if it has no limit.
func (r *Request) Standing() Standing { return r.standing }

// rateHeaders are said twice: in the words of the native API's document, whose reset
// is a time, and in those of the Internet draft, whose reset is in seconds.
func rateHeaders(header http.Header, s Standing, now time.Time) {
	limit, remaining := strconv.Itoa(s.Limit), strconv.Itoa(s.Remaining)
	header.Set("X-Mynd-Limit", limit)
	header.Set("X-Mynd-Remaining", remaining)
	header.Set("X-Mynd-Reset", now.Add(s.Reset).UTC().Truncate(time.Second).Add(time.Second).Format(time.RFC3339))
	header.Set("RateLimit-Limit", limit)
	header.Set("RateLimit-Remaining", remaining)
	header.Set("RateLimit-Reset", strconv.Itoa(seconds(s.Reset)))
}

// seconds rounds up: whoever waits that long has waited long enough.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
