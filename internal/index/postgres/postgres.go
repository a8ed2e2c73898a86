// Package postgres keeps a search index in the PostgreSQL database that several nodes
// share, by its text search: what one node adds, all of them find.
//
// What it promises, beside what every backing does (package index):
//   - Words are those of package index, not of a dictionary of the server's: the same
//     are found as in SQLite, on every server and in every language that it is set to.
//   - Ranks are SQLite's too: bm25 is worked out in the query, over frequencies that
//     ts_rank_cd counts, for the project alone.
//   - Who changes a project's part locks the project's line first: nodes that add the
//     same, or remove what another one adds, wait for each other, and a quota is decided
//     on what all of them have added.
//   - It takes few of the store's connections at a time, so that large uploads and
//     searches leave the rest for requests.
//
// The tables are made by internal/store/postgres, whose schema is the whole database's.
//
// A tour: postgres.go (connections, errors), write.go (what is kept), part.go (texts
// become vectors), find.go (what is found), read.go (lists).
//
// To change what is kept, add a file to internal/store/postgres/schema; to change how a
// text is cut into parts, edit part.go.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/problem"
)

// connections are how many of the pool's are the index's at most: a third, for the
// others belong to requests and to the queue.
const connections = 4

// Backing is an index.Backing, safe for concurrent use. Make one with New.
type Backing struct {
	pool   *pgxpool.Pool
	room   chan struct{} // has an entry for each connection in use
	closed chan struct{}
	once   sync.Once
	// The constants of these names; tests have less patience.
	readTime, writeTime time.Duration
}

// New works on a database that has the store's tables. The pool stays its owner's.
func New(pool *pgxpool.Pool) *Backing {
	most := max(1, min(connections, int(pool.Config().MaxConns)/3))
	return &Backing{pool: pool, room: make(chan struct{}, most), closed: make(chan struct{}), readTime: readTime, writeTime: writeTime}
}

// Close waits for what is under way.
func (b *Backing) Close() error {
	b.once.Do(func() {
		close(b.closed)
		for range cap(b.room) {
			b.room <- struct{}{}
		}
	})
	return nil
}

var errClosed = errors.New("the index is closed")

// enter waits for a connection's turn; leave ends it.
func (b *Backing) enter(ctx context.Context) error {
	select {
	case <-b.closed:
		return errClosed
	default:
	}
	select {
	case b.room <- struct{}{}:
		return nil
	case <-b.closed:
		return errClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (b *Backing) leave() { <-b.room }

// tries is how often what a restart of the server has broken, or another node was
// quicker with, is done at most.
const tries = 3

const (
	// readTime is how long whoever asks waits for the answer, its turn included: a server
	// that hangs ends no statement itself.
	readTime = 10 * time.Second
	// searchTime is above what the server gives a statement: words that are in very many
	// documents take their time, and so do checks, which read what all projects have.
	searchTime = 32 * time.Second
	// writeTime is the same for a change, of several statements: above what they take
	// on a server that is busy, for a change that is given up is begun from the start.
	writeTime = 5 * time.Minute
)

// query runs a statement that reads and passes each line to scan.
func (b *Backing) query(ctx context.Context, scan func(pgx.Rows) error, sql string, arguments ...any) error {
	return b.read(ctx, b.readTime, func(ctx context.Context) (bool, error) { return rows(ctx, b.pool, scan, sql, arguments...) })
}

// survey is query for checks.
func (b *Backing) survey(ctx context.Context, scan func(pgx.Rows) error, sql string) error {
	return b.read(ctx, searchTime, func(ctx context.Context) (bool, error) { return rows(ctx, b.pool, scan, sql) })
}

// search is query by the indexes alone: how long it takes to look at a vector, the
// server's planner does not know.
func (b *Backing) search(ctx context.Context, scan func(pgx.Rows) error, sql string, arguments ...any) error {
	return b.read(ctx, searchTime, func(ctx context.Context) (scanned bool, err error) {
		err = pgx.BeginTxFunc(ctx, b.pool, pgx.TxOptions{AccessMode: pgx.ReadOnly}, func(at pgx.Tx) error {
			if _, err := at.Exec(ctx, "SET LOCAL enable_seqscan = off"); err != nil {
				return err
			}
			scanned, err = rows(ctx, at, scan, sql, arguments...)
			return err
		})
		return scanned, err
	})
}

// read takes a connection's turn and reads, again if the connection was broken.
func (b *Backing) read(ctx context.Context, most time.Duration, once func(context.Context) (scanned bool, err error)) error {
	asked, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	if err := b.enter(asked); err != nil {
		return unread(ctx, err)
	}
	defer b.leave()
	for try := 1; ; try++ {
		scanned, err := once(asked)
		if err == nil {
			return nil
		}
		if scanned || try == tries || asked.Err() != nil || !lost(ctx, err) {
			return unread(ctx, err)
		}
	}
}

// unread makes the error of a read one that callers can act on, where they can.
func unread(ctx context.Context, err error) error {
	if !errors.Is(err, errClosed) && lost(ctx, err) || code(err) == tooLong || strings.HasPrefix(code(err), "53") {
		return busy(err, "The database of this server does not answer in time. Try again.")
	}
	return fmt.Errorf("reading the index: %w", err)
}

// querier is a pool or a transaction.
type querier interface {
	Query(ctx context.Context, sql string, arguments ...any) (pgx.Rows, error)
}

func rows(ctx context.Context, at querier, scan func(pgx.Rows) error, sql string, arguments ...any) (scanned bool, err error) {
	found, err := at.Query(ctx, sql, arguments...)
	if err != nil {
		return false, err
	}
	defer found.Close()
	for found.Next() {
		scanned = true
		if err := scan(found); err != nil {
			return true, err
		}
	}
	return scanned, found.Err()
}

// lost reports an error of the connection, not of the statement.
func lost(ctx context.Context, err error) bool {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said.Severity == "FATAL" || strings.HasPrefix(said.Code, "57P")
	}
	return ctx.Err() == nil
}

func code(err error) string {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		return said.Code
	}
	return ""
}

// explain makes the error of a change one that callers can act on. All of a batch can
// be sent again: what is there already costs nothing.
func explain(ctx context.Context, cause error) error {
	var own *problem.Error
	said := code(cause)
	switch {
	case errors.As(cause, &own):
		return cause
	case said == "53100":
		return problem.New(problem.StorageFull, "The disk of the database is full: the index was not changed. Searches go on with what is in it.").Because(cause)
	case errors.Is(cause, errClosed), lost(ctx, cause), said == "55P03", said == tooLong, said == "40P01", strings.HasPrefix(said, "53"):
		return busy(cause, "The database of this server did not say in time that the index is changed: it does not answer, or others are adding to the same project. "+
			"Send it again: what is there already is not added twice.")
	}
	return fmt.Errorf("changing the index: %w", cause)
}

// tooLong is the code of a statement that its time-out has ended.
const tooLong = "57014"

func busy(cause error, detail string) error {
	p := problem.New(problem.Overloaded, "%s", detail)
	p.RetryAfter = time.Second
	return p.Because(cause)
}

// text is what a column of text can be compared with.
func text(s string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
}

func texts(all []string) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = text(all[i])
	}
	return out
}
