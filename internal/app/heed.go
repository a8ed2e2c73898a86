package app

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// heed looks at what other nodes may have changed and this one keeps in memory, because
// it is asked for at every event: which projects have webhooks, and which are being
// erased. All else is read when it is used, or forgotten after three seconds.
type heed struct {
	stop   context.CancelFunc
	done   sync.WaitGroup
	strays []string // who held jobs at the last look and was no node
}

const (
	// heedEvery is how often: each time is a query or two.
	heedEvery = time.Second
	// heedPatience is for a database that does not answer.
	heedPatience = 5 * time.Second
	// strayRounds is how many looks pass between two for jobs that nobody does.
	strayRounds = 5
)

func (h *heed) start(ctx context.Context, a *assembly) {
	ctx, h.stop = context.WithCancel(context.WithoutCancel(ctx))
	h.done.Go(func() {
		ticker := time.NewTicker(heedEvery)
		defer ticker.Stop()
		for round := 1; ; round++ {
			select {
			case <-ticker.C:
			case <-ctx.Done():
				return
			}
			looking, cancel := context.WithTimeout(ctx, heedPatience)
			err := errors.Join(a.hooks.Start(looking), a.projects.Look(looking))
			if round%strayRounds == 0 {
				err = errors.Join(err, h.free(looking, a.cluster))
			}
			if err != nil && ctx.Err() == nil {
				a.logger.Warn("what other nodes have changed can't be read now", "error", err)
			}
			cancel()
		}
	})
}

// free gives away jobs that are held under the name of no node. One that was declared
// dead may have taken some more before it heard of that, and ended before it could give
// them back; nobody looks for it again. Whoever goes on under a new name takes jobs
// a moment before it is known by it, so what counts is to be seen twice.
func (h *heed) free(ctx context.Context, c *cluster) error {
	c.mu.Lock()
	queue := c.queue
	c.mu.Unlock()
	if queue == nil {
		return nil
	}
	before := h.strays
	h.strays = nil
	holders, err := queue.Holders(ctx)
	if err != nil {
		return err
	}
	living, err := c.leases.Living(ctx) // after the others, of which each was one of these before
	if err != nil {
		return err
	}
	for _, name := range holders {
		if slices.Contains(living, name) {
			continue
		}
		if !slices.Contains(before, name) {
			h.strays = append(h.strays, name)
		} else if _, err := queue.Takeover(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (h *heed) close() {
	if h.stop != nil {
		h.stop()
		h.done.Wait()
	}
}
