package sqlite

import (
	"log/slog"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"

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
	purge  *purge // runs to remove
	err    error  // found before it was queued
	done   func(error)

	// Filled in by the writer.
	verdict  error   // a conflict
	versions []int64 // of the rows as they are written
	firstJob int64   // the new jobs' ids begin here
}

func (it *item) admitted() bool { return it.err == nil && it.verdict == nil }

// writer is the only one that writes. Its goroutine takes what is queued, puts it
// into one transaction, and answers; what comes meanwhile is the next group.
type writer struct {
	path   string
	now    func() time.Time
	logger *slog.Logger
	pages  *checkpointer
	kept   *kept // by readers
	wrote  func(commits int, took time.Duration)

	items  *store.Gather[*item]
	tally  store.Tally
	done   sync.WaitGroup
	onJobs atomic.Pointer[func()]

	// The goroutine's own.
	conn      *sqlite.Conn // nil after an I/O error, until it can be opened again
	stmts     statements
	suspect   bool // the log may hold a transaction that we called failed
	heads     map[run.ID]*head
	dirty     []*head
	rows      map[rowKey]rowState
	names     map[nameKey]string
	spend     map[run.Account]run.Spend // of the group
	undone    []undo
	audited   auditEnd // of what is written
	auditing  auditEnd // of the group
	moment    int64    // the group's time in Unix milliseconds
	nextJob   int64
	nextSweep int64
	written   int // rows written since the checkpointer was last asked to look
	// fault, in tests, stands between the writer and each statement.
	fault func(point string, do func() error) error
}

func newWriter(path string, cfg Config, pages *checkpointer, rows *kept) (*writer, error) {
	w := &writer{
		path: path, now: cfg.Now, logger: cfg.Logger, pages: pages, kept: rows, wrote: cfg.Wrote,
		heads: map[run.ID]*head{}, rows: map[rowKey]rowState{}, names: map[nameKey]string{},
		spend: map[run.Account]run.Spend{}, items: store.NewGather(weigh, linger),
	}
	return w, w.connect()
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

// linger is how long a group waits to grow: a write to disk and a dozen pages of the
// log are its price however small it is. The longer it waits, the less a run costs
// and the more of them a busy machine can do: at 32 clients 1.5 ms instead of 0.5
// save a tenth of the processor time of a run, and the whole run is faster for it.
const linger = 1500 * time.Microsecond

func weigh(it *item) int { return store.Weigh(&it.commit, it.bodies) }

// push queues an item. After close it is answered at once, but never by the
// caller's own goroutine, which may hold a lock that done takes.
func (w *writer) push(it *item) {
	if !w.items.Push(it) {
		go it.done(store.ErrClosed)
	}
}

// process writes a group and answers each of its items.
func (w *writer) process(group []*item) {
	began := w.now()
	err := w.transact(group)
	if err != nil {
		w.tally.Failed()
	} else {
		w.count(group, began)
	}
	for _, it := range group {
		switch {
		case it.err != nil:
			it.done(it.err)
		case err != nil:
			it.done(err)
		default:
			it.done(it.verdict)
		}
	}
}

// transact writes what is admitted of a group: all of it or, when it returns an
// error, nothing.
func (w *writer) transact(group []*item) error {
	w.pages.turn.Lock()
	defer w.pages.turn.Unlock()
	if err := w.connect(); err != nil {
		return w.explain(err)
	}
	w.moment = w.now().UnixMilli()
	clear(w.rows)
	clear(w.names)
	err := w.exec("begin", w.stmts.begin)
	if err == nil {
		err = w.admit(group)
	}
	if err == nil {
		err = w.write(group)
	}
	if err != nil {
		w.rollback(err)
		return w.explain(err)
	}
	if err := w.exec("commit", w.stmts.commit); err != nil {
		return w.settle(group, err)
	}
	w.keepHeads()
	w.audited = w.auditing
	w.kept.drop(group)
	return nil
}

// exec runs a statement whose parameters are bound.
func (w *writer) exec(point string, stmt *sqlite.Stmt) error {
	w.written++
	if w.fault != nil {
		return w.fault(point, func() error { return step(stmt) })
	}
	return step(stmt)
}

// count books a group that was written, and tells who waits for what it brought.
func (w *writer) count(group []*item, began time.Time) {
	admitted, jobs := 0, false
	for _, it := range group {
		if it.admitted() {
			admitted++
			jobs = jobs || len(it.commit.Jobs) > 0 || it.retry != 0
		}
	}
	w.tally.Wrote(admitted)
	w.tally.Refused(len(group) - admitted)
	if w.wrote != nil {
		w.wrote(admitted, w.now().Sub(began))
	}
	// A row that is written dirties about one page of the log; asking now and
	// then is cheap, and the checkpointer counts the pages itself.
	if w.written >= checkpointPages/2 {
		w.written = 0
		w.pages.poke()
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

// connect opens the writer's connection when it has none.
func (w *writer) connect() error {
	if w.conn != nil {
		return nil
	}
	conn, err := openConn(w.path, 4096) // the right edges of all trees, where new runs go
	if err != nil {
		return err
	}
	// Only a foreign program can hold the write lock; it may for a moment.
	conn.SetBusyTimeout(5 * time.Second)
	stmts, err := prepare(conn)
	if err == nil && w.suspect {
		// What may be in the log behind its known end is cut off, lest the next
		// recovery of the log finds it. Readers can prevent this; then the next
		// transaction overwrites it.
		_, _, err = checkpoint(conn, "TRUNCATE")
	}
	if err == nil {
		w.audited, err = lastAudit(conn)
	}
	if err == nil && w.nextJob == 0 {
		w.nextJob, err = lastJob(conn)
	}
	if err != nil {
		conn.Close()
		return err
	}
	w.conn, w.stmts, w.suspect = conn, stmts, false
	w.kept.clear() // opening the file may have recovered what was called failed
	return nil
}

func (w *writer) dir() string { return filepath.Dir(w.path) }

// close writes what is queued and ends the goroutine.
func (w *writer) close() error {
	w.items.Close()
	w.done.Wait()
	if w.conn == nil {
		return nil
	}
	return w.conn.Close()
}
