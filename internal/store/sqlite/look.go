package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
)

// Look opens the store in a directory for reading alone, beside the process that has
// it or without one: it takes no lock, changes no table, and every commit fails with
// store.ErrClosed. A database of another version is a conflict problem.
func Look(cfg Config) (*Store, error) {
	cfg = withDefaults(cfg)
	s := &Store{cfg: cfg, path: filepath.Join(cfg.Dir, FileName), kept: newKept()}
	if _, err := os.Stat(s.path); errors.Is(err, fs.ErrNotExist) {
		return nil, problem.New(problem.NotFound, "There is no database in %s.", cfg.Dir).Because(err)
	}
	steps, err := schemaSteps()
	if err != nil {
		return nil, err
	}
	conn, err := openReader(s.path)
	if err != nil {
		return nil, err
	}
	version, err := pragma(conn, "user_version")
	if err = errors.Join(err, conn.Close()); err != nil {
		return nil, err
	}
	if version != len(steps) {
		return nil, problem.New(problem.Conflict, "The database %s has schema %d, and this version of Errand reads %d. "+
			"A start of the server brings an older one up to date.", s.path, version, len(steps))
	}
	s.readers = newReaders(s.path, cfg.Readers)
	return s, nil
}

// refuse answers a commit to a store that only reads.
func (s *Store) refuse(done func(error)) bool {
	if s.writer == nil {
		go done(store.ErrClosed) // never from within Submit
	}
	return s.writer == nil
}

// Copy writes what is committed in a database now into a file that is not there or
// empty. Others may go on writing; their write-ahead log grows meanwhile, because it
// can't be reused before the copy is done. The copy is on disk when Copy returns.
func Copy(ctx context.Context, from, to string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("copying %s: %w", from, err)
		}
	}()
	if _, err := os.Stat(from); err != nil {
		return err
	}
	file, err := os.OpenFile(to, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // SQLite fills an empty file and keeps its mode
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	conn, err := sqlite.OpenConn(from, sqlite.OpenReadWrite) // it joins the users of the write-ahead log, which takes writing
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	if err := sqlitex.ExecuteTransient(conn, "PRAGMA wal_autocheckpoint = 0", nil); err != nil {
		return err
	}
	if err := sqlitex.ExecuteTransient(conn, "VACUUM INTO ?", &sqlitex.ExecOptions{Args: []any{to}}); err != nil {
		return err
	}
	return file.Sync()
}

// Faults asks SQLite whether a database file is damaged, and returns what it says,
// nothing of a sound one. It reads all of the file.
func Faults(ctx context.Context, path string) (faults []string, err error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", path, err)
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	err = sqlitex.ExecuteTransient(conn, "PRAGMA integrity_check(10)", &sqlitex.ExecOptions{ResultFunc: func(stmt *sqlite.Stmt) error {
		if text := stmt.ColumnText(0); text != "ok" {
			faults = append(faults, text)
		}
		return nil
	}})
	if code := sqlite.ErrCode(err); code.ToPrimary() == sqlite.ResultCorrupt || code.ToPrimary() == sqlite.ResultNotADB {
		return append(faults, err.Error()), nil
	}
	if err != nil {
		return nil, fmt.Errorf("checking %s: %w", path, err)
	}
	return faults, nil
}

// Stock counts what is in the store. It reads all of the smaller tables and the index
// of the larger ones, in one transaction: it is for checks, not for requests.
func (s *Store) Stock(ctx context.Context) (h store.Stock, err error) {
	h.Runs, h.Rows = map[run.Status]int{}, map[string]int{}
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		counts := func(query string, take func(stmt *sqlite.Stmt) error) error {
			return sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: take})
		}
		return errors.Join(
			counts("SELECT status, count(*) FROM runs WHERE deleted = 0 GROUP BY status", func(stmt *sqlite.Stmt) error {
				h.Runs[run.Status(stmt.ColumnText(0))] = stmt.ColumnInt(1)
				return nil
			}),
			counts("SELECT kind, count(*) FROM rows GROUP BY kind", func(stmt *sqlite.Stmt) error {
				h.Rows[stmt.ColumnText(0)] = stmt.ColumnInt(1)
				return nil
			}),
			counts("SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM jobs), "+
				"(SELECT count(*) FROM events WHERE run NOT IN (SELECT id FROM runs WHERE deleted = 0))", func(stmt *sqlite.Stmt) error {
				h.Events, h.Jobs, h.Orphans = stmt.ColumnInt64(0), stmt.ColumnInt(1), stmt.ColumnInt(2)
				return nil
			}),
		)
	})
	if err != nil {
		return h, fmt.Errorf("counting what is stored: %w", err)
	}
	return h, nil
}
