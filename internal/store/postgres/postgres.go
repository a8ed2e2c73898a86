// Package postgres keeps everything in a PostgreSQL database, which several nodes
// share.
//
// What it promises, beside what every store does (package store):
//   - What was answered with nil is as safe as the server makes a commit: on its
//     disk, unless its operator has turned synchronous_commit off.
//   - Commits are checked against what all nodes have written: the lines of the runs,
//     and the rows, are locked in the transaction that changes them, in one order
//     everywhere, or written on condition that they are as this node remembers them. A
//     conflict fails its commit alone; a deadlock, a serialization
//     failure and a lost race for a new key are tried again.
//   - A COMMIT whose answer is lost is asked for: by its transaction id or
//     its session's end, then by what it has written. A commit is called failed only when it is known not to be there.
//   - The audit log is one chain, whoever appends. Only commits with lines for it
//     wait for each other.
//   - A node that is frozen or cut off in the middle of a transaction keeps its locks
//     for idleInTransaction at most.
//
// A tour: writer.go (queue, groups, answers), group.go (one transaction: lock, check,
// write, commit), quick.go (one round trip), check.go (what is admitted), write.go (the
// statements), outcome.go (what to say when a transaction fails), read.go, list.go,
// search.go, past.go, row.go, job.go, audit.go, spend.go (the readers), blob.go (bytes of
// files), records.go (all of it, for moving), look.go (for checks), notify.go and word.go
// (what nodes tell each other), lease.go (which nodes live), conn.go (connections and
// their limits), pooler.go (which poolers can be between), schema.go and schema/ (the tables).
//
// To change a table, add a file to schema/; nodes of the version before serve on
// while it is applied, so it may only add.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"errand/internal/run"
	"errand/internal/store"
)

// Config says which database a Store uses, and who is told what.
type Config struct {
	DSN    string           // postgres://user:password@host:port/database, with pgx's parameters
	Now    func() time.Time // when rows expire; nil = time.Now
	Logger *slog.Logger     // nil = none
	// Jobs writes the jobs of a group of commits in the transaction that tx is in,
	// before it is committed. Its error fails the commits. Nil = the store's own table,
	// which Jobs, FinishJob and RetryJob work on.
	Jobs func(ctx context.Context, tx pgx.Tx, jobs []run.Job) error
	// Queue knows the jobs that Jobs has written; nil with Jobs.
	Queue Queue
	// Heard is told of appends that other nodes have committed: at the latest seq,
	// soon, out of order, and perhaps never. It must not block. Nil = nobody listens
	// here, and nobody is told of what this node appends.
	Heard func(id run.ID, seq int64)
	// Missed is told that there may have been appends of which Heard will not be told.
	// It must not block. Nil = nobody is.
	Missed func()
	// Hear is told the words that other nodes Tell. It must not block. Nil = nobody
	// listens; without Heard nobody does either.
	Hear func(word []byte)
	// Wrote hears of each group of commits that is written, and how long that took. It
	// must not block. Nil = nobody does.
	Wrote func(commits int, took time.Duration)
}

// Store is a store in a PostgreSQL database. Make one with Open.
type Store struct {
	cfg    Config
	pool   *pgxpool.Pool
	writer *writer // nil = it only reads
	herald *herald // nil = nobody is told
	closed atomic.Bool
	// readTime is the constant of that name; tests have less patience.
	readTime time.Duration
}

// Open connects, brings the tables up to date, and starts the writer. A database of a
// newer version that this one can't serve is a conflict problem.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	cfg = withDefaults(cfg)
	parsed, err := parse(cfg.DSN)
	if err != nil {
		return nil, err
	}
	pool, err := connect(ctx, parsed)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			pool.Close()
		}
	}()
	if err := Migrate(ctx, pool); err != nil {
		return nil, unreachable(parsed.ConnConfig, err)
	}
	s := &Store{cfg: cfg, pool: pool, readTime: readTime}
	if cfg.Heard != nil {
		s.herald = newHerald(parsed.ConnConfig, cfg)
	}
	s.writer = newWriter(cfg, writerAddress(parsed.ConnConfig), s.herald, rand.IntN(spendLanes))
	s.writer.start()
	if s.herald != nil {
		s.herald.start()
	}
	return s, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return cfg
}

// Pool is for others that work on the same database: a queue, a cluster's leases.
// They close nothing.
func (s *Store) Pool() *pgxpool.Pool { return s.pool }

// Submit queues c and returns. done is called exactly once, never from within
// Submit: when c is written or has failed. It must not block, because the next
// group waits for it.
func (s *Store) Submit(c run.Commit, done func(error)) {
	if s.writer == nil {
		go done(store.ErrClosed) // never from within Submit
		return
	}
	bodies, err := store.Encode(&c)
	s.writer.push(&item{commit: c, bodies: bodies, err: err, done: done})
}

// Append is Submit for callers that wait. When ctx ends first, the commit may still
// be written.
func (s *Store) Append(ctx context.Context, c run.Commit) error {
	return store.Wait(ctx, func(done func(error)) { s.Submit(c, done) })
}

// Ping asks the server, to see whether the store works.
func (s *Store) Ping(ctx context.Context) error {
	if s.closed.Load() {
		return store.ErrClosed
	}
	ctx, cancel := context.WithTimeout(ctx, s.readTime)
	defer cancel()
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("asking the database: %w", err)
	}
	return nil
}

// Stats returns counters of this node and the database's size, for metrics.
func (s *Store) Stats() (stats store.Stats) {
	if s.writer != nil {
		stats = s.writer.snapshot()
	}
	ctx, cancel := context.WithTimeout(context.Background(), sizeTime)
	defer cancel()
	// The size is zero when it can't be read: a metric is no reason to fail.
	_ = s.query(ctx, func(rows pgx.Rows) error { return rows.Scan(&stats.FileBytes) }, "SELECT pg_database_size(current_database())")
	return stats
}

// sizeTime is how long a scrape waits for the database's size.
const sizeTime = time.Second

// Close writes what is queued and lets the connections go. Later commits fail with
// store.ErrClosed.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	var err error
	if s.writer != nil {
		err = s.writer.close()
	}
	if s.herald != nil {
		err = errors.Join(err, s.herald.close())
	}
	s.pool.Close()
	if err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
