package memory

import (
	"context"
	"time"

	"errand/internal/store"
)

// Draw takes up to want requests of a key that may make limit a minute. It returns how
// many there were, and the time until the key has all of them again.
func (s *Store) Draw(_ context.Context, key string, limit, want int) (granted int, full time.Duration, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.cfg.Now()
	granted, full = store.Draw(s.rates[key].Sub(now), limit, want)
	s.rates[key] = now.Add(full)
	return granted, full, nil
}
