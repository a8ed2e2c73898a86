// Package sqlite keeps everything in one SQLite file: the default store.
//
// What it promises, beside what every store does (package store):
//   - A commit that was answered with nil survives kill -9 and power loss: the
//     write-ahead log is synced once per group of commits (synchronous=FULL).
//   - One process per directory: a second one is told the first one's pid.
//   - A full disk fails the commits that need room with storage_full. Reads go
//     on, and writes work again when there is room, without a restart.
//   - No read transaction is open for longer than a few thousand rows take, so
//     that the write-ahead log can always be copied into the file and reused.
//   - Files are 0600, the directory is 0700.
//
// A tour: writer.go (the one writer: queue, group, answers), check.go (what is
// admitted), write.go (what is written), outcome.go (what to say when a
// transaction fails), read.go and list.go (the readers), row.go and job.go,
// kept.go (rows in memory), checkpoint.go (the write-ahead log), dir.go
// (permissions and the lock), look.go (reading beside the process that has it, and
// copies), schema.go and schema/ (the tables).
//
// To change a table, add a file to schema/ and the columns to the statements
// that name them; never edit a released schema file.
package sqlite

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/run"
	"errand/internal/store"
)

// FileName is the database's name within its directory.
const FileName = "errand.db"

// Config says where a Store keeps its file.
type Config struct {
	Dir     string           // made when it is not there
	Now     func() time.Time // when rows expire; nil = time.Now
	Logger  *slog.Logger     // nil = none
	Readers int              // connections that read; 0 = 4
	// Wrote hears of each group of commits that is on disk, and how long writing it
	// took. It must not block. Nil = nobody does.
	Wrote func(commits int, took time.Duration)
}

// Store is a store in one SQLite file. Make one with Open.
type Store struct {
	cfg     Config
	path    string
	lock    *lock
	readers *readers
	kept    *kept
	writer  *writer
	pages   *checkpointer
	closed  atomic.Bool
}

// Open makes or opens the store in cfg.Dir, brings its tables up to date, and
// starts the writer. It fails with a conflict problem when another process has
// the directory.
func Open(ctx context.Context, cfg Config) (_ *Store, err error) {
	cfg = withDefaults(cfg)
	if err := prepareDir(cfg.Dir); err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, path: filepath.Join(cfg.Dir, FileName)}
	if s.lock, err = takeLock(cfg.Dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.lock.release()
		}
	}()
	if err := prepareFiles(s.path); err != nil {
		return nil, err
	}
	if err := migrate(ctx, s.path); err != nil {
		return nil, err
	}
	s.readers, s.kept = newReaders(s.path, cfg.Readers), newKept()
	s.pages = newCheckpointer(s.path, cfg.Logger)
	if s.writer, err = newWriter(s.path, cfg, s.pages, s.kept); err != nil {
		return nil, err
	}
	s.writer.start()
	s.pages.start()
	return s, nil
}

func withDefaults(cfg Config) Config {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Readers == 0 {
		// Reads are short and the writer takes a core: more would only cost memory.
		cfg.Readers = 4
	}
	return cfg
}

// Submit queues c and returns. done is called exactly once, never from within
// Submit: when c is on disk or has failed. It must not block, because the next
// group waits for it.
func (s *Store) Submit(c run.Commit, done func(error)) {
	if s.refuse(done) {
		return
	}
	bodies, err := store.Encode(&c)
	s.writer.push(&item{commit: c, bodies: bodies, err: err, done: done})
}

// Append is Submit for callers that wait. When ctx ends first, the commit may
// still be written.
func (s *Store) Append(ctx context.Context, c run.Commit) error {
	return store.Wait(ctx, func(done func(error)) { s.Submit(c, done) })
}

// Ping reads from the file, to see whether the store works.
func (s *Store) Ping(ctx context.Context) error {
	return s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("SELECT count(*) FROM sqlite_schema")
		if err != nil {
			return err
		}
		_, err = sqlitex.ResultInt64(stmt)
		return err
	})
}

// Stats returns counters and sizes, for metrics.
func (s *Store) Stats() store.Stats {
	var stats store.Stats
	if s.writer != nil {
		stats = s.writer.snapshot()
		stats.Checkpoints = s.pages.count.Load()
	}
	stats.FileBytes, stats.WALBytes = fileSize(s.path), fileSize(s.path+"-wal")
	stats.FreeBytes = s.freeBytes()
	return stats
}

// freeBytes is zero when it can't be read: a metric is no reason to fail.
func (s *Store) freeBytes() (free int64) {
	_ = s.readers.use(context.Background(), func(conn *sqlite.Conn) error {
		for _, pragma := range []string{"PRAGMA freelist_count", "PRAGMA page_size"} {
			stmt, err := conn.Prepare(pragma)
			if err != nil {
				return err
			}
			n, err := sqlitex.ResultInt64(stmt)
			if err != nil {
				return err
			}
			free = max(free, 1) * n
		}
		return nil
	})
	return free
}

func fileSize(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// Close writes what is queued, copies the write-ahead log into the file, and
// lets the directory go. Later commits fail with store.ErrClosed.
func (s *Store) Close() error {
	if s.closed.Swap(true) {
		return nil
	}
	if s.writer == nil {
		return s.readers.close()
	}
	err := errors.Join(s.writer.close(), s.readers.close(), s.pages.close(), s.lock.release())
	if err != nil {
		return fmt.Errorf("closing the store: %w", err)
	}
	return nil
}
