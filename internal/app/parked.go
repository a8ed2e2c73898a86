package app

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"errand/internal/obs"
	"errand/internal/run"
)

// parked counts the runs that wait for somebody, for the metrics. There may be a
// million of them, so that they are counted by an index, and not at each scrape: no
// sooner than 15 s after the last time, and never for more than a thousandth of the
// time.
type parked struct {
	store  parkedKeeper
	now    func() time.Time
	logger *slog.Logger

	mu    sync.Mutex
	last  map[run.Status]int
	until time.Time // until when it holds
}

// parkedKeeper is a store that can count them.
type parkedKeeper interface {
	Parked(ctx context.Context) (map[run.Status]int, error)
}

const (
	parkedEvery  = 15 * time.Second
	parkedShare  = 1000
	parkedWithin = 5 * time.Second // a scrape waits for no more
)

// askStore has the metrics ask the store for its own figures.
func (a *assembly) askStore() {
	a.metrics.Ask(storeSamples(a.store))
	if counting, counts := a.store.keeper.(parkedKeeper); counts {
		a.metrics.Ask((&parked{store: counting, now: a.now, logger: a.logger}).samples)
	}
}

// samples are the figures, each at zero rather than absent.
func (p *parked) samples() []obs.Sample {
	counts := p.counts()
	sample := func(of string, status run.Status) obs.Sample {
		return obs.Sample{
			Name: "errand_runs_parked", Help: "Runs that wait and hold nothing in memory, by what for: person (an approval), input (the caller's output of a function), paused (to be resumed, or for a budget), child (another run). Counted every 15 s at most.",
			For: of, Value: float64(counts[status]),
		}
	}
	return []obs.Sample{
		sample("person", run.AwaitingApproval), sample("input", run.AwaitingInput), sample("paused", run.PausedStatus), sample("child", run.Running),
	}
}

func (p *parked) counts() map[run.Status]int {
	p.mu.Lock()
	defer p.mu.Unlock()
	began := p.now()
	if began.Before(p.until) {
		return p.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), parkedWithin)
	defer cancel()
	counts, err := p.store.Parked(ctx)
	if err != nil {
		p.logger.Warn("the runs that wait could not be counted", "error", err)
	} else {
		p.last = counts
	}
	p.until = began.Add(max(parkedEvery, parkedShare*p.now().Sub(began)))
	return p.last
}
