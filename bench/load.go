package main

import (
	"context"
	"os"
	"sync"
	"time"
)

// asking makes a request, and fails when its answer is not the right one.
type asking func(ctx context.Context, s *server) error

// once makes a run.
func (b behaviour) once(ctx context.Context, s *server) error { return s.run(ctx, b) }

// loaded is what clients saw of a server under load, and what that cost it.
type loaded struct {
	runs    float64
	seconds float64
	waits   []float64 // of each run, in milliseconds
	cpu     float64   // of the server, in seconds
	own     float64   // of this program: clients, model and tool
}

func (l loaded) perSecond() float64 { return l.runs / l.seconds }

// cpuMillis is the server's processor time for one run.
func (l loaded) cpuMillis() float64 { return 1000 * l.cpu / l.runs }

// press lets clients ask for runs for a while, each the next when the last one is
// answered, over connections that stay open. Runs that were under way at the end
// count neither in number nor in time: they are waited for outside of it.
func press(ctx context.Context, s *server, ask asking, clients int, length time.Duration) (loaded, error) {
	before, err := cpuTime(s.pid())
	if err != nil {
		return loaded{}, err
	}
	own, err := cpuTime(os.Getpid())
	if err != nil {
		return loaded{}, err
	}
	var mu sync.Mutex
	var l loaded
	var failure error
	began := time.Now()
	end := began.Add(length)
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			var waits []float64
			var err error
			for err == nil && ctx.Err() == nil {
				start := time.Now()
				if err = ask(ctx, s); err != nil || time.Now().After(end) {
					break
				}
				waits = append(waits, millis(time.Since(start)))
			}
			mu.Lock()
			defer mu.Unlock()
			l.waits = append(l.waits, waits...)
			if err != nil && failure == nil {
				failure = err
			}
		})
	}
	if !wait(ctx, length) {
		failure = ctx.Err()
	}
	after, err := cpuTime(s.pid())
	if now, failed := cpuTime(os.Getpid()); failed == nil {
		l.own = (now - own).Seconds()
	}
	l.seconds = time.Since(began).Seconds()
	all.Wait()
	if failure == nil {
		failure = err
	}
	l.runs, l.cpu = float64(len(l.waits)), (after - before).Seconds()
	return l, failure
}
