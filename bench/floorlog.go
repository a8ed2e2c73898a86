package main

import (
	"fmt"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// entry is one event of a run's log.
type entry struct {
	run  []byte
	seq  int64
	kind string
	data []byte
}

// record is what is written together, and who waits for it.
type record struct {
	entries []entry
	done    chan error // nil = nobody waits
}

// floorLog is a group-committed log in SQLite: what is submitted while one
// transaction is written goes into the next one.
type floorLog struct {
	mu      sync.Mutex
	some    *sync.Cond
	queue   []record
	closed  bool
	stopped chan struct{}
	conn    *sqlite.Conn
	insert  *sqlite.Stmt
}

// openFloorLog makes the log with the same driver and the same promises as
// Errand's: a write-ahead log that is synced before a commit is answered.
func openFloorLog(path string) (*floorLog, error) {
	conn, err := sqlite.OpenConn(path)
	if err != nil {
		return nil, err
	}
	for _, statement := range []string{
		"PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL",
		"CREATE TABLE IF NOT EXISTS events (run BLOB, seq INTEGER, type TEXT, data BLOB, PRIMARY KEY (run, seq)) WITHOUT ROWID",
	} {
		if err := sqlitex.ExecuteTransient(conn, statement, nil); err != nil {
			return nil, fmt.Errorf("%s: %w", statement, err)
		}
	}
	l := &floorLog{conn: conn, stopped: make(chan struct{})}
	l.some = sync.NewCond(&l.mu)
	if l.insert, err = conn.Prepare("INSERT INTO events (run, seq, type, data) VALUES (?, ?, ?, ?)"); err != nil {
		return nil, err
	}
	go l.work()
	return l, nil
}

// submit queues a record and returns.
func (l *floorLog) submit(r record) {
	l.mu.Lock()
	l.queue = append(l.queue, r)
	l.mu.Unlock()
	l.some.Signal()
}

func (l *floorLog) work() {
	defer close(l.stopped)
	for {
		l.mu.Lock()
		for len(l.queue) == 0 && !l.closed {
			l.some.Wait()
		}
		group := l.queue
		l.queue = nil
		l.mu.Unlock()
		if len(group) == 0 {
			return
		}
		err := l.write(group)
		for _, r := range group {
			if r.done != nil {
				r.done <- err
			}
		}
	}
}

func (l *floorLog) write(group []record) (err error) {
	end, err := sqlitex.ImmediateTransaction(l.conn)
	if err != nil {
		return err
	}
	defer end(&err)
	for _, r := range group {
		for _, e := range r.entries {
			l.insert.BindBytes(1, e.run)
			l.insert.BindInt64(2, e.seq)
			l.insert.BindText(3, e.kind)
			l.insert.BindBytes(4, e.data)
			if _, err := l.insert.Step(); err != nil {
				return err
			}
			if err := l.insert.Reset(); err != nil {
				return err
			}
		}
	}
	return nil
}

// close writes what is queued.
func (l *floorLog) close() error {
	l.mu.Lock()
	l.closed = true
	l.mu.Unlock()
	l.some.Signal()
	<-l.stopped
	return l.conn.Close()
}
