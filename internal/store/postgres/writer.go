package postgres

import (
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// A group is one transaction. Its bounds keep a burst from making the first
// commit of a group wait for megabytes of others.
const (
	groupItems = 1024
	groupBytes = 4 << 20
)

// item is one thing to write, and who wants to know.
type item struct {
	commit run.Commit
	bodies [][]byte // of the commit's events, in order
	finish int64    // a job to delete
	retry  int64    // a job to try again at due
	due    time.Time
	err    error // found before it was queued
	done   func(error)

	// Filled in by each attempt to write it.
	verdict error       // a conflict
	rows    []rowChange // what becomes of the commit's rows
	jobs    []run.Job   // the commit's, and those of runs that it leaves without a driver
}

func (it *item) admitted() bool { return it.err == nil && it.verdict == nil }

// size estimates what the item adds to a transaction.
func (it *item) size() int {
	size := 512
	for _, body := range it.bodies {
		size += len(body)
	}
	for i := range it.commit.Rows {
		size += len(it.commit.Rows[i].Data)
	}
	for i := range it.commit.Jobs {
		size += len(it.commit.Jobs[i].Data)
	}
	return size
}

// writer is the only one of its node that writes. Its goroutine takes what is queued,
// puts it into one transaction, and answers; what comes meanwhile is the next group.
type writer struct {
	cfg     Config
	address *pgx.ConnConfig
	herald  *herald // nil = other nodes are not told
	lane    int     // of what it books
	logger  *slog.Logger

	mu     sync.Mutex // guards what follows
	some   *sync.Cond // queue is not empty, or closed
	queue  []*item
	closed bool
	onJobs func()
	before int // items of the group before

	ctx   context.Context // of the waits between attempts
	stop  context.CancelFunc
	pause *time.Timer
	done  sync.WaitGroup

	groups, commits, largest, conflicts, failures atomic.Int64
	quicks                                        atomic.Int64 // groups that took one round trip

	// The goroutine's own.
	conn      *pgx.Conn              // nil when it was lost, until the next group
	session   session                // of conn
	lines     map[run.ID]run.Summary // as this node has last written them
	down      bool                   // the last attempt to connect has failed
	nextSweep int64                  // Unix milliseconds
	// fault, in tests, is called at points where a connection can be lost.
	fault func(point string, conn *pgx.Conn)
}

func newWriter(cfg Config, address *pgx.ConnConfig, tell *herald, lane int) *writer {
	w := &writer{cfg: cfg, address: address, herald: tell, lane: lane, logger: cfg.Logger, lines: map[run.ID]run.Summary{}}
	w.some = sync.NewCond(&w.mu)
	w.pause = time.NewTimer(0)
	<-w.pause.C
	w.ctx, w.stop = context.WithCancel(context.Background())
	return w
}

func (w *writer) start() {
	w.done.Go(func() {
		for {
			group := w.take()
			if len(group) == 0 {
				return
			}
			w.process(group)
		}
	})
}

// push queues an item. After close it is answered at once, but never by the
// caller's own goroutine, which may hold a lock that done takes.
func (w *writer) push(it *item) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.closed {
		go it.done(store.ErrClosed)
		return
	}
	w.queue = append(w.queue, it)
	w.some.Signal()
}

// A writer that has just written a group of several items waits this long for the
// next one to grow: its clients wait for each other's commits anyway, and a group
// costs two round trips and a dozen statements however small it is. A lone client
// never waits.
const (
	linger      = time.Millisecond
	lingerAbove = 4
)

// take waits for items and returns the next group; none when the store closes.
func (w *writer) take() []*item {
	w.mu.Lock()
	defer w.mu.Unlock()
	for len(w.queue) == 0 && !w.closed {
		w.some.Wait()
	}
	if w.before > lingerAbove && len(w.queue) < w.before && !w.closed {
		w.mu.Unlock()
		w.wait(linger)
		w.mu.Lock()
	}
	count, bytes := 0, 0
	for count < len(w.queue) && count < groupItems && bytes < groupBytes {
		bytes += w.queue[count].size()
		count++
	}
	group := w.queue[:count:count]
	w.before = count
	if w.queue = w.queue[count:]; len(w.queue) == 0 {
		w.queue = nil // or its array would keep what was written
	}
	return group
}

// wait returns after d, or when the writer is told to end.
func (w *writer) wait(d time.Duration) {
	w.pause.Reset(d)
	select {
	case <-w.pause.C:
	case <-w.ctx.Done():
		if !w.pause.Stop() {
			<-w.pause.C
		}
	}
}

// process writes a group and answers each of its items, in their order.
func (w *writer) process(group []*item) {
	began := w.cfg.Now()
	errs := w.write(group)
	w.count(group, errs, w.cfg.Now().Sub(began))
	if w.herald != nil {
		w.herald.tell(group, errs)
	}
	for i, it := range group {
		it.done(errs[i])
	}
}

// write returns what each item is to be told. When a group fails for what one of its
// items brings, which the transaction does not say, each is written by itself.
func (w *writer) write(group []*item) []error {
	errs := make([]error, len(group))
	err := w.attempt(group)
	if err != nil {
		w.failures.Add(1)
	}
	if err != nil && len(group) > 1 && ownFault(err) {
		for i := range group {
			errs[i] = w.write(group[i : i+1])[0]
		}
		return errs
	}
	for i, it := range group {
		switch {
		case it.err != nil:
			errs[i] = it.err
		case err != nil:
			errs[i] = explain(err)
		default:
			errs[i] = it.verdict
		}
	}
	return errs
}

// count books a group, and pokes who waits for the jobs that it brought.
func (w *writer) count(group []*item, errs []error, took time.Duration) {
	written, jobs := int64(0), false
	for i, it := range group {
		if errs[i] == nil {
			written++
			jobs = jobs || len(it.jobs) > 0 || it.retry != 0
		} else if it.verdict != nil {
			w.conflicts.Add(1)
		}
	}
	if written > 0 {
		w.groups.Add(1)
	}
	w.commits.Add(written)
	w.largest.Store(max(w.largest.Load(), written))
	if w.cfg.Wrote != nil && written > 0 {
		w.cfg.Wrote(int(written), took)
	}
	if !jobs {
		return
	}
	w.mu.Lock()
	poke := w.onJobs
	w.mu.Unlock()
	if poke != nil {
		poke()
	}
}

func (w *writer) snapshot() store.Stats {
	w.mu.Lock()
	queued := len(w.queue)
	w.mu.Unlock()
	return store.Stats{
		Groups: w.groups.Load(), Commits: w.commits.Load(), Largest: w.largest.Load(),
		Conflicts: w.conflicts.Load(), Failures: w.failures.Load(), Queued: int64(queued),
	}
}

// close writes what is queued and ends the goroutine. What can't be written at the
// first attempt is answered with its error.
func (w *writer) close() error {
	w.mu.Lock()
	w.closed = true
	w.some.Broadcast()
	w.mu.Unlock()
	w.stop()
	w.done.Wait()
	if w.conn != nil {
		hangUp(w.conn)
	}
	return nil
}
