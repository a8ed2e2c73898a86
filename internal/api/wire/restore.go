package wire

import (
	"context"
	"encoding/hex"
	"slices"
	"sync"
	"time"

	"errand/internal/run"
)

// restored says whether the requests to an earlier process are known, so that a
// retry of one finds its run. They are read when the first retry comes and not at
// the start: a busy server has a million of them, and few are retried.
type restored struct {
	mu   sync.Mutex
	done bool
}

// restore reads what an earlier process was asked for within the window, once.
// Whether those answers arrived is not known: those of runs that have not ended
// most likely did not.
func (o *restored) restore(ctx context.Context, s *Server) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := s.cfg.Now()
	if o.done || s.cfg.Recent == nil || now.Sub(s.began) > RetryWindow {
		o.done = true
		return nil
	}
	var earlier []*attempt // newest first
	err := s.cfg.Recent(ctx, now.Add(-RetryWindow), func(line *run.Summary) {
		if len(earlier) < retryRoom && line.CreatedAt.Before(s.began) {
			if a := recall(line); a != nil {
				earlier = append(earlier, a)
			}
		}
	})
	if err != nil {
		return err
	}
	slices.Reverse(earlier)
	s.retries.precede(earlier)
	o.done = true
	return nil
}

// recall makes the attempt that a stored run came from; nil for one that an
// unkeyed retry can't find.
func recall(line *run.Summary) *attempt {
	raw, err := hex.DecodeString(line.Fingerprint)
	if err != nil || len(raw) != len(fingerprint{}) || line.Deleted {
		return nil
	}
	a := &attempt{print: fingerprint(raw), at: line.CreatedAt.Truncate(time.Millisecond).UnixMilli(), run: line.ID, fate: lost}
	if line.Status.Terminal() {
		a.fate = written
	}
	return a
}

// precede adds attempts, oldest first, that are all older than those that are
// known.
func (t *retries) precede(earlier []*attempt) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.chains == nil {
		t.chains = map[fingerprint][]*attempt{}
	}
	later := t.chains
	t.chains = make(map[fingerprint][]*attempt, len(later)+len(earlier))
	for _, a := range earlier {
		t.chains[a.print] = append(t.chains[a.print], a)
	}
	for print, chain := range later {
		t.chains[print] = append(t.chains[print], chain...)
	}
	t.order = append(earlier, t.order...)
}
