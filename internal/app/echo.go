package app

import (
	"context"
	"sync"
	"time"

	"errand/internal/feed"
	"errand/internal/run"
)

// echo tells the feed of changes what other nodes have committed. Of that only the
// runs' ids are heard, so their lines are read, and told if they stand otherwise than
// before. Where nobody reads the feed, nothing is; whoever comes back to it then has to
// read its lists again, as have all where something was not heard, or could not be read.
type echo struct {
	changes *feed.Feed
	read    func(ctx context.Context, id run.ID) (run.Summary, error)
	stopped context.CancelFunc
	done    sync.WaitGroup

	mu    sync.Mutex
	some  map[run.ID]bool
	begun chan struct{} // holds something while some is not empty
}

const (
	// echoPace gathers what happens to a run in a moment: each is a read.
	echoPace = 100 * time.Millisecond
	// echoMost bounds what is read at a time: where there is more, readers read anew.
	echoMost = 500
	// echoKnown is of how many runs it is known how they stood.
	echoKnown = 10_000
)

// standing is how a run stands in lists and in the inbox.
type standing struct {
	status  run.Status
	pending int
	deleted bool
}

func (e *echo) start(store recorded) { e.begin(store.changes, store.Summary) }

func (e *echo) begin(changes *feed.Feed, read func(context.Context, run.ID) (run.Summary, error)) {
	e.mu.Lock()
	e.changes, e.read = changes, read
	e.some, e.begun = map[run.ID]bool{}, make(chan struct{}, 1)
	e.mu.Unlock()
	ctx, stop := context.WithCancel(context.Background())
	e.stopped = stop
	e.done.Go(func() { e.keep(ctx) })
}

func (e *echo) stop() {
	if e.stopped != nil {
		e.stopped()
		e.done.Wait()
	}
}

// heard is told of a run that another node has changed. It does not block.
func (e *echo) heard(id run.ID) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changes == nil {
		return
	}
	if !e.changes.Watched() || len(e.some) >= echoMost {
		e.changes.Miss()
		return
	}
	e.some[id] = true
	select {
	case e.begun <- struct{}{}:
	default:
	}
}

// missed is told that what other nodes have changed may not have been heard.
func (e *echo) missed() {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.changes != nil {
		e.changes.Miss()
	}
}

func (e *echo) keep(ctx context.Context) {
	known := map[run.ID]standing{}
	for {
		select {
		case <-e.begun:
		case <-ctx.Done():
			return
		}
		e.mu.Lock()
		some := e.some
		e.some = map[run.ID]bool{}
		e.mu.Unlock()
		for id := range some {
			line, err := e.read(ctx, id)
			now := standing{line.Status, line.Pending, line.Deleted}
			if before, told := known[id]; err == nil && told && before == now {
				continue
			}
			if err != nil {
				e.missed() // all the others too: a store that hangs would be waited for each time
				break
			}
			if len(known) >= echoKnown {
				clear(known)
			}
			known[id] = now
			e.changes.Hear(line)
		}
		select {
		case <-time.After(echoPace):
		case <-ctx.Done():
			return
		}
	}
}
