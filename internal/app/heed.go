package app

import (
	"context"
	"errors"
	"sync"
	"time"
)

// heed looks at what other nodes may have changed and this one keeps in memory, because
// it is asked for at every event: which projects have webhooks, and which are being
// erased. All else is read when it is used, or forgotten after three seconds.
type heed struct {
	stop context.CancelFunc
	done sync.WaitGroup
}

const (
	// heedEvery is how often: each time is a query or two.
	heedEvery = time.Second
	// heedPatience is for a database that does not answer.
	heedPatience = 5 * time.Second
)

func (h *heed) start(ctx context.Context, a *assembly) {
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.done.Go(func() {
		ticker := time.NewTicker(heedEvery)
		defer ticker.Stop()
		for {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			looking, cancel := context.WithTimeout(ctx, heedPatience)
			if err := errors.Join(a.hooks.Start(looking), a.projects.Look(looking)); err != nil && ctx.Err() == nil {
				a.logger.Warn("what other nodes have changed can't be read now", "error", err)
			}
			cancel()
		}
	})
}

func (h *heed) close() {
	if h.stop != nil {
		h.stop()
		h.done.Wait()
	}
}
