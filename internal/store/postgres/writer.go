package postgres

import (
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
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

// writer is the only one of its node that writes. Its goroutine takes what is queued,
// puts it into one transaction, and answers; what comes meanwhile is the next group.
type writer struct {
	cfg     Config
	address *pgx.ConnConfig
	herald  *herald // nil = other nodes are not told
	lane    int     // of what it books
	logger  *slog.Logger

	items  *store.Gather[*item]
	tally  store.Tally
	done   sync.WaitGroup
	onJobs atomic.Pointer[func()]
	quicks atomic.Int64 // groups that took one round trip

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
	return &writer{
		cfg: cfg, address: address, herald: tell, lane: lane, logger: cfg.Logger,
		items: store.NewGather(weigh, linger), lines: map[run.ID]run.Summary{},
	}
}

func (w *writer) start() {
	w.done.Go(func() {
		for {
			group := w.items.Take()
			if len(group) == 0 {
				return
			}
			w.process(group)
		}
	})
}

// linger is how long a group waits to grow: two round trips and a dozen statements
// are its price however small it is.
const linger = time.Millisecond

func weigh(it *item) int { return store.Weigh(&it.commit, it.bodies) }

// push queues an item. After close it is answered at once, but never by the
// caller's own goroutine, which may hold a lock that done takes.
func (w *writer) push(it *item) {
	if !w.items.Push(it) {
		go it.done(store.ErrClosed)
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
		w.tally.Failed()
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
	written, jobs := 0, false
	for i, it := range group {
		if errs[i] == nil {
			written++
			jobs = jobs || len(it.jobs) > 0 || it.retry != 0
		} else if it.verdict != nil {
			w.tally.Refused(1)
		}
	}
	w.tally.Wrote(written)
	if w.cfg.Wrote != nil && written > 0 {
		w.cfg.Wrote(written, took)
	}
	if jobs {
		w.pokeJobs()
	}
}

// pokeJobs tells who works on jobs that there are some.
func (w *writer) pokeJobs() {
	if poke := w.onJobs.Load(); poke != nil && *poke != nil {
		(*poke)()
	}
}

func (w *writer) snapshot() store.Stats { return w.tally.Stats(w.items.Queued()) }

// close writes what is queued and ends the goroutine. What can't be written at the
// first attempt is answered with its error.
func (w *writer) close() error {
	w.items.Close()
	w.done.Wait()
	if w.conn != nil {
		hangUp(w.conn)
	}
	return nil
}
