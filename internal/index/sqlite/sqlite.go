// Package sqlite keeps a search index in a SQLite file, by FTS5: the backing of a
// server that is alone.
//
// What it promises, beside what every backing does (package index):
//   - It is a file of its own (index.db) in the data directory. Without anything added
//     there is no file, and looking makes none.
//   - One transaction at a time writes, while others read.
//   - A crash of the machine may cost the last seconds of what was added, never the file.
//
// A tour: sqlite.go (the file), read.go (what is found), write.go (what is kept).
//
// To change what is on disk, add a file to schema/ (never edit a released one).
package sqlite

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
)

// FileName is the index's name within the data directory.
const FileName = "index.db"

// appID marks the file as an index of Errand's: "ErrI".
const appID = 0x45727249

// connections: one writes while others read.
const connections = 3

//go:embed schema/*.sql
var schemaFiles embed.FS

// Backing is an index.Backing, safe for concurrent use. Make one with Open.
type Backing struct {
	path    string
	writing sync.Mutex // one transaction at a time writes

	mu     sync.Mutex
	pool   *sqlitex.Pool // nil until there is a file
	closed bool
}

// Open opens the index of a data directory if it has one already. Else the first thing that is
// added makes it.
func Open(ctx context.Context, dir string) (*Backing, error) {
	b := &Backing{path: filepath.Join(dir, FileName)}
	_, err := b.open(ctx, false)
	return b, err
}

// Close waits for what is under way.
func (b *Backing) Close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.closed = true
	if b.pool == nil {
		return nil
	}
	pool := b.pool
	b.pool = nil
	if err := pool.Close(); err != nil {
		return fmt.Errorf("closing the index: %w", err)
	}
	return nil
}

// open returns the pool, or nil where there is no file and none is to be made.
func (b *Backing) open(ctx context.Context, make bool) (*sqlitex.Pool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.pool != nil {
		return b.pool, nil
	}
	if b.closed {
		return nil, errors.New("the index is closed")
	}
	if _, err := os.Stat(b.path); errors.Is(err, fs.ErrNotExist) && !make {
		return nil, nil
	}
	file, err := os.OpenFile(b.path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite gives its other files the mode of this one
	if err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	if err := b.migrate(ctx); err != nil {
		return nil, err
	}
	b.pool, err = sqlitex.NewPool(b.path, sqlitex.PoolOptions{PoolSize: connections, Flags: sqlite.OpenReadWrite, PrepareConn: prepare})
	if err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	return b.pool, nil
}

// prepare sets a connection up. A crash of the machine may cost the last seconds
// of what was added, never the file: that is enough for what can be added again.
func prepare(conn *sqlite.Conn) error {
	for _, pragma := range []string{"PRAGMA synchronous = NORMAL", "PRAGMA cache_size = -4096"} {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			return fmt.Errorf("preparing the index: %w", err)
		}
	}
	return nil
}

func (b *Backing) migrate(ctx context.Context) error {
	conn, err := sqlite.OpenConn(b.path, sqlite.OpenReadWrite, sqlite.OpenWAL)
	if err != nil {
		return b.unusable(err)
	}
	defer conn.Close()
	files, err := schemaFiles.ReadDir("schema")
	if err != nil {
		return fmt.Errorf("reading the index's schema: %w", err)
	}
	schema := sqlitemigration.Schema{AppID: appID}
	for _, file := range files {
		text, err := schemaFiles.ReadFile("schema/" + file.Name())
		if err != nil {
			return fmt.Errorf("reading the index's schema: %w", err)
		}
		schema.Migrations = append(schema.Migrations, string(text))
	}
	stmt, err := conn.Prepare("PRAGMA user_version")
	if err != nil {
		return b.unusable(err)
	}
	version, err := sqlitex.ResultInt(stmt)
	if err != nil {
		return b.unusable(err)
	}
	if version > len(schema.Migrations) {
		return b.unusable(fmt.Errorf("schema %d; this version knows %d", version, len(schema.Migrations)))
	}
	if err := sqlitemigration.Migrate(ctx, conn, schema); err != nil {
		return b.unusable(err)
	}
	return nil
}

// unusable is a file that this version can't read. Nothing in it is lost for good.
func (b *Backing) unusable(cause error) error {
	if isFull(cause) {
		return full(cause)
	}
	return problem.New(problem.Conflict, "The index %s can't be used: it is damaged, or of another version. Move it away and add its files and pages again.", b.path).Because(cause)
}

// read calls f with a connection; it does nothing where there is no file.
func (b *Backing) read(ctx context.Context, f func(*sqlite.Conn) error) error {
	pool, err := b.open(ctx, false)
	if err != nil || pool == nil {
		return err
	}
	conn, err := pool.Take(ctx)
	if err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	defer pool.Put(conn)
	if err := f(conn); err != nil {
		return fmt.Errorf("reading the index: %w", err)
	}
	return nil
}

// write calls f in a transaction. A problem that f returns stays one.
func (b *Backing) write(ctx context.Context, f func(*sqlite.Conn) error) (err error) {
	pool, err := b.open(ctx, true)
	if err != nil {
		return err
	}
	b.writing.Lock()
	defer b.writing.Unlock()
	conn, err := pool.Take(ctx)
	if err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	defer pool.Put(conn)
	end, err := sqlitex.ImmediateTransaction(conn)
	if err != nil {
		return fmt.Errorf("writing the index: %w", err)
	}
	defer func() {
		end(&err)
		if isFull(err) {
			err = full(err)
		}
	}()
	return f(conn)
}

func isFull(err error) bool { return sqlite.ErrCode(err).ToPrimary() == sqlite.ResultFull }

func full(cause error) error {
	return problem.New(problem.StorageFull, "The server's disk is full: the index could not be written. Searches go on with what is in it.").Because(cause)
}

// exec runs a statement with positional values.
func exec(conn *sqlite.Conn, statement string, args ...any) error {
	return sqlitex.Execute(conn, statement, &sqlitex.ExecOptions{Args: args})
}

// query calls row for each row of a statement.
func query(conn *sqlite.Conn, statement string, row func(*sqlite.Stmt) error, args ...any) error {
	return sqlitex.Execute(conn, statement, &sqlitex.ExecOptions{Args: args, ResultFunc: row})
}
