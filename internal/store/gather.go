package store

import (
	"sync"
	"time"

	"errand/internal/run"
)

// A group is one transaction. Its bounds keep a burst from making the first commit
// of a group wait for megabytes of others.
const (
	groupItems = 1024
	groupBytes = 4 << 20
)

// Weigh estimates the bytes that a commit, with its events in their stored form, adds
// to a transaction.
func Weigh(c *run.Commit, events [][]byte) int {
	size := 512
	for _, event := range events {
		size += len(event)
	}
	for i := range c.Rows {
		size += len(c.Rows[i].Data)
	}
	for i := range c.Jobs {
		size += len(c.Jobs[i].Data)
	}
	return size
}

// lingerAbove is how many items a group must have had for its writer to linger
// before the next: a lone client never waits.
const lingerAbove = 4

// Gather collects what many callers want written, and hands it to the one goroutine
// that writes in groups, in the order in which it came.
//
// A writer that has just written a group of several items waits a little for the
// next one to grow: its clients wait for each other's commits anyway, and a
// transaction has its price however small it is.
type Gather[T any] struct {
	size   func(T) int // as Weigh estimates it
	linger time.Duration

	mu     sync.Mutex // guards what follows
	some   *sync.Cond // queue is not empty, or closed
	queue  []T
	closed bool

	ending chan struct{} // closed by Close: nobody lingers any more
	pause  *time.Timer   // Take's
	before int           // Take's: items of the group before
}

// NewGather returns an empty one. A writer of several items lingers for the time
// given.
func NewGather[T any](size func(T) int, linger time.Duration) *Gather[T] {
	g := &Gather[T]{size: size, linger: linger, ending: make(chan struct{}), pause: time.NewTimer(0)}
	<-g.pause.C
	g.some = sync.NewCond(&g.mu)
	return g
}

// Push queues an item, and reports false, doing nothing, after Close.
func (g *Gather[T]) Push(it T) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return false
	}
	g.queue = append(g.queue, it)
	g.some.Signal()
	return true
}

// Take waits for items and returns the next group; none when all that was pushed
// before Close has been taken. One goroutine alone may call it.
func (g *Gather[T]) Take() []T {
	g.mu.Lock()
	defer g.mu.Unlock()
	for len(g.queue) == 0 && !g.closed {
		g.some.Wait()
	}
	if g.before > lingerAbove && len(g.queue) < g.before && !g.closed {
		g.mu.Unlock()
		g.Wait(g.linger)
		g.mu.Lock()
	}
	count, bytes := 0, 0
	for count < len(g.queue) && count < groupItems && bytes < groupBytes {
		bytes += g.size(g.queue[count])
		count++
	}
	group := g.queue[:count:count]
	g.before = count
	if g.queue = g.queue[count:]; len(g.queue) == 0 {
		g.queue = nil // or its array would keep what was written
	}
	return group
}

// Wait returns after d or, sooner, when Close is called. It is for Take's goroutine.
func (g *Gather[T]) Wait(d time.Duration) {
	g.pause.Reset(d)
	select {
	case <-g.pause.C:
	case <-g.ending:
		g.pause.Stop()
	}
}

// Closing reports whether Close has been called.
func (g *Gather[T]) Closing() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed
}

// Queued is how many items wait to be taken.
func (g *Gather[T]) Queued() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.queue)
}

// Close refuses what comes after it. What is queued can still be taken.
func (g *Gather[T]) Close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	g.closed = true
	close(g.ending)
	g.some.Broadcast()
}
