package wire

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"errand/internal/run"
)

// RetryWindow is how long an unkeyed retry is taken for the same request.
const RetryWindow = 10 * time.Minute

// retryRoom bounds the memory for requests of the window, some 25 MB. A server
// that starts more than 400 runs a second for ten minutes forgets sooner.
const retryRoom = 1 << 18

// maxRetries bounds retry counts: each has one bit of attempt.taken. SDKs stop
// after two.
const maxRetries = 31

// fingerprint is the hash of a request: of key, method, path, query and body.
type fingerprint [16]byte

// fate is what became of an answer.
type fate uint8

const (
	underWay fate = iota
	lost          // the client does not have it, or tries again after such an answer
	written       // it was sent; a proxy or a time-out may still have lost it
)

// attempt is one earlier request that started a run.
type attempt struct {
	print   fingerprint
	at      int64 // Unix milliseconds
	run     run.ID
	fate    fate
	taken   uint32        // retry counts that were attached to it
	ready   chan struct{} // closed when run is known or will never be; nil = known from the start
	dropped bool          // made no run
}

// retries finds earlier requests for retries that carry no Idempotency-Key. The
// zero value is ready.
type retries struct {
	mu     sync.Mutex
	chains map[fingerprint][]*attempt // oldest first
	order  []*attempt                 // all of them, oldest first
}

// print is the request's own.
func (r *Request) print() fingerprint {
	hash := sha256.New()
	for _, part := range []string{r.Caller.KeyID, r.http.Method, r.http.URL.EscapedPath(), r.asked()} {
		fmt.Fprintf(hash, "%d:%s", len(part), part)
	}
	return fingerprint(hash.Sum(nil)[:len(fingerprint{})])
}

// Fingerprint belongs into the run's Spec: unkeyed retries find the run by it
// after a restart. Empty for a request with an Idempotency-Key.
func (r *Request) Fingerprint() string {
	if r.attempt == nil {
		return ""
	}
	return hex.EncodeToString(r.attempt.print[:])
}

// unkeyed answers a request that starts a run and has no Idempotency-Key. One
// that says that it is a retry is attached to the request that it repeats.
func (r *Request) unkeyed(ctx context.Context) (Response, error) {
	s, own := r.server, r.print()
	count, _ := strconv.Atoi(r.http.Header.Get("X-Stainless-Retry-Count"))
	if count > 0 {
		if err := s.restored.restore(ctx, s); err != nil {
			return Response{}, err
		}
	}
	for count > 0 {
		earlier := s.retries.take(own, min(count, maxRetries), s.cfg.Now())
		if earlier == nil {
			break // it never got here, or started no run
		}
		id, err := earlier.await(ctx)
		if err != nil {
			return Response{}, err
		}
		if !id.IsZero() {
			r.attempt = earlier
			answer, err := r.Route.Answer(ctx, r, id)
			return replayed(answer), err
		}
	}
	r.attempt = &attempt{print: own, at: s.cfg.Now().UnixMilli(), ready: make(chan struct{})}
	s.retries.add(r.attempt, s.cfg.Now())
	answer, _, err := r.fresh(ctx)
	return answer, err
}

// await returns the attempt's run, or zero when it made none.
func (a *attempt) await(ctx context.Context) (run.ID, error) {
	if a.ready != nil {
		select {
		case <-a.ready:
		case <-ctx.Done():
			return run.ID{}, ctx.Err()
		}
	}
	return a.run, nil
}

// add appends an attempt and forgets those that are too old or too many.
func (t *retries) add(a *attempt, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.chains == nil {
		t.chains = map[fingerprint][]*attempt{}
	}
	t.chains[a.print] = append(t.chains[a.print], a)
	t.order = append(t.order, a)
	for len(t.order) > retryRoom || expired(t.order[0], now) {
		oldest := t.order[0]
		t.order[0] = nil
		t.order = t.order[1:]
		t.unchain(oldest)
		if len(t.order) == 0 {
			return
		}
	}
}

func expired(a *attempt, now time.Time) bool {
	return now.UnixMilli()-a.at > RetryWindow.Milliseconds()
}

// unchain takes an attempt out of its chain. It is nearly always the first, when
// it has grown old, or among the last, when it failed.
func (t *retries) unchain(a *attempt) {
	chain := t.chains[a.print]
	switch {
	case len(chain) > 0 && chain[0] == a:
		chain[0] = nil
		chain = chain[1:]
	case !a.dropped:
		for i := len(chain) - 1; i >= 0; i-- {
			if chain[i] == a {
				chain = slices.Delete(chain, i, i+1)
				break
			}
		}
	}
	if len(chain) == 0 {
		delete(t.chains, a.print)
		return
	}
	t.chains[a.print] = chain
}

// take finds the request that a retry repeats: the newest whose answer is known
// to be lost, else the newest under way (a proxy may hide that its client has
// gone), else the newest whose answer was written. Each serves each count once.
func (t *retries) take(p fingerprint, count int, now time.Time) *attempt {
	t.mu.Lock()
	defer t.mu.Unlock()
	bit := uint32(1) << count
	rank := map[fate]int{lost: 3, underWay: 2, written: 1}
	var best *attempt
	chain := t.chains[p]
	for i := len(chain) - 1; i >= 0 && !expired(chain[i], now); i-- {
		a := chain[i]
		if a.taken&bit == 0 && (best == nil || rank[a.fate] > rank[best.fate]) {
			best = a
		}
	}
	if best != nil {
		best.taken |= bit
	}
	return best
}

// begun tells waiting retries of the attempt's run.
func (t *retries) begun(a *attempt, id run.ID) {
	if a == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a.run = id
	close(a.ready)
}

// settle books what became of the answer to an attempt, or to its retry. One that
// made no run is forgotten: doing it again is right.
func (t *retries) settle(a *attempt, wasLost bool) {
	if a == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case a.run.IsZero() && !a.dropped:
		t.unchain(a)
		a.dropped = true
		close(a.ready)
	case wasLost:
		a.fate = lost
	default:
		a.fate = written
	}
}
