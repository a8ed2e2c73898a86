package sqlite

import (
	"context"
	"fmt"
	"math"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// readers lends connections to readers. They are opened when first needed.
type readers struct {
	path string
	free chan *sqlite.Conn // nil = not open yet
}

func newReaders(path string, count int) *readers {
	r := &readers{path: path, free: make(chan *sqlite.Conn, count)}
	for range count {
		r.free <- nil
	}
	return r
}

// use calls f with a connection. f must leave no statement under way, and reads
// no more in one transaction than a few milliseconds take.
func (r *readers) use(ctx context.Context, f func(*sqlite.Conn) error) error {
	var conn *sqlite.Conn
	var open bool
	select {
	case conn, open = <-r.free:
	case <-ctx.Done():
		return ctx.Err()
	}
	if !open {
		return store.ErrClosed
	}
	if conn == nil {
		var err error
		if conn, err = openReader(r.path); err != nil {
			r.free <- nil
			return err
		}
	}
	err := f(conn)
	if err != nil && isIOError(err) {
		conn.Close() // its caches can't be trusted; the next reader opens another
		conn = nil
	}
	r.free <- conn
	return err
}

func openReader(path string) (*sqlite.Conn, error) {
	conn, err := openConn(path, 1024) // logs are read once, lists from their newest pages
	if err != nil {
		return nil, err
	}
	stmt, err := conn.Prepare("PRAGMA query_only = 1")
	if err == nil {
		err = step(stmt)
	}
	if err != nil {
		conn.Close()
		return nil, fmt.Errorf("preparing a reader: %w", err)
	}
	return conn, nil
}

// close waits for the readers under way. Later ones get store.ErrClosed.
func (r *readers) close() error {
	var failed error
	for range cap(r.free) {
		if conn := <-r.free; conn != nil {
			if err := conn.Close(); err != nil {
				failed = err
			}
		}
	}
	close(r.free)
	return failed
}

// loadRows bounds one read transaction of Load.
const loadRows = 500

const loadSQL = "SELECT seq, id, at, type, data FROM events WHERE run = ? AND seq > ? ORDER BY seq LIMIT ?"

// raw is an event as it is stored, to be decoded when its transaction is over.
type raw struct {
	event run.Event
	kind  run.Type
	body  []byte
}

// Load returns the run's events after the given seq, in order; limit 0 = all. A
// run that is not there, or was deleted, has none.
func (s *Store) Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	var events []run.Event
	for len(events) < limit {
		want := min(limit-len(events), loadRows)
		raws, err := s.loadChunk(ctx, id, after, want)
		if err != nil {
			return nil, fmt.Errorf("loading run %s: %w", id, err)
		}
		if len(raws) > 0 && raws[0].event.Seq != after+1 {
			return nil, nil // its beginning is gone: the run is being removed
		}
		for _, one := range raws {
			if err := run.Decode(one.kind, one.body, &one.event); err != nil {
				return nil, fmt.Errorf("loading run %s: %w", id, err)
			}
			events = append(events, one.event)
		}
		if len(raws) < want {
			break
		}
		after = events[len(events)-1].Seq
	}
	if len(events) <= loadRows {
		return events, nil
	}
	// The log was read in several transactions: a deletion in between would
	// leave only its beginning.
	if line, err := s.Summary(ctx, id); err != nil || line.Deleted {
		return nil, err
	}
	return events, nil
}

func (s *Store) loadChunk(ctx context.Context, id run.ID, after int64, limit int) (raws []raw, err error) {
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare(loadSQL)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		stmt.BindBytes(1, id[:])
		stmt.BindInt64(2, after)
		stmt.BindInt64(3, int64(limit))
		for {
			if found, err := stmt.Step(); err != nil || !found {
				return err
			}
			raws = append(raws, raw{
				event: run.Event{Seq: stmt.ColumnInt64(0), ID: uint64(stmt.ColumnInt64(1)), At: store.Time(stmt.ColumnInt64(2))},
				kind:  run.Type(stmt.ColumnText(3)),
				body:  columnBytes(stmt, 4),
			})
		}
	})
	return raws, err
}

// Summary returns the run's line, or a not_found problem. A deleted run has one.
func (s *Store) Summary(ctx context.Context, id run.ID) (line run.Summary, err error) {
	found := false
	err = s.readers.use(ctx, func(conn *sqlite.Conn) (err error) {
		line, found, err = readLine(conn, id)
		return err
	})
	if err != nil {
		return run.Summary{}, fmt.Errorf("reading the line of run %s: %w", id, err)
	}
	if !found {
		return run.Summary{}, store.RunNotFound(id)
	}
	return line, nil
}

// columnBytes copies a blob out of SQLite's memory.
func columnBytes(stmt *sqlite.Stmt, column int) []byte {
	length := stmt.ColumnLen(column)
	if length == 0 {
		return nil
	}
	data := make([]byte, length)
	stmt.ColumnBytes(column, data)
	return data
}

func columnID(stmt *sqlite.Stmt, column int) (id run.ID) {
	stmt.ColumnBytes(column, id[:])
	return id
}

// step runs a statement that returns no rows of interest.
func step(stmt *sqlite.Stmt) error {
	_, err := stmt.Step()
	if resetErr := stmt.Reset(); err == nil {
		err = resetErr
	}
	return err
}
