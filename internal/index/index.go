// Package index is this server's own search: a full-text index over files and
// pages that the operator adds.
//
// What it promises:
//   - It is a file of its own (index.db), apart from the log: what is in it can be
//     added again, and a large upload holds no run up. Without anything added
//     there is no file, and searches find nothing.
//   - Everything belongs to a project and is found by that project alone.
//   - Any text is a query: quotes, operators and other syntax are just words.
//   - What is added again and has not changed costs nothing; what could not be
//     taken is named with the reason.
//   - A project never has more text than it may: what would exceed that is refused,
//     and what is there stays. To remove and to replace by less is always possible.
//   - A file's address is index://NAME/PATH, the same for as long as it is there,
//     so that answers can cite it and web.fetch can read it.
//
// A tour: add.go (what goes in), text.go (files become text), search.go (what is
// found), source.go (lists), index.go (the file).
//
// To change what is kept of a document, edit schema/ (never a released file) and
// add.go; to change what is found, edit search.go.
package index

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

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

// Pages reads pages of the web. internal/tool/web has the implementation.
type Pages interface {
	// Page returns a page's title, its address after redirects, and its readable
	// text. Errors are problems.
	Page(ctx context.Context, address string) (title, final, text string, err error)
}

// Config says where an Index keeps its file. Dir must be set.
type Config struct {
	Dir   string
	Pages Pages            // nil = pages are refused
	Now   func() time.Time // nil = time.Now
	Most  int64            // bytes of text that one project may have; 0 = any number
}

// Index is safe for concurrent use. Make one with Open.
type Index struct {
	cfg     Config
	path    string
	writing sync.Mutex // one transaction at a time writes

	mu     sync.Mutex
	pool   *sqlitex.Pool // nil until there is a file
	closed bool
}

// Open opens the index if there is one already. Else the first thing that is
// added makes it.
func Open(ctx context.Context, cfg Config) (*Index, error) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	x := &Index{cfg: cfg, path: filepath.Join(cfg.Dir, FileName)}
	_, err := x.open(ctx, false)
	return x, err
}

// Close waits for what is under way.
func (x *Index) Close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.closed = true
	if x.pool == nil {
		return nil
	}
	pool := x.pool
	x.pool = nil
	if err := pool.Close(); err != nil {
		return fmt.Errorf("closing the index: %w", err)
	}
	return nil
}

// open returns the pool, or nil where there is no file and none is to be made.
func (x *Index) open(ctx context.Context, make bool) (*sqlitex.Pool, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.pool != nil {
		return x.pool, nil
	}
	if x.closed {
		return nil, errors.New("the index is closed")
	}
	if _, err := os.Stat(x.path); errors.Is(err, fs.ErrNotExist) && !make {
		return nil, nil
	}
	file, err := os.OpenFile(x.path, os.O_RDWR|os.O_CREATE, 0o600) // SQLite gives its other files the mode of this one
	if err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	if err := file.Close(); err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	if err := x.migrate(ctx); err != nil {
		return nil, err
	}
	x.pool, err = sqlitex.NewPool(x.path, sqlitex.PoolOptions{PoolSize: connections, Flags: sqlite.OpenReadWrite, PrepareConn: prepare})
	if err != nil {
		return nil, fmt.Errorf("opening the index: %w", err)
	}
	return x.pool, nil
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

func (x *Index) migrate(ctx context.Context) error {
	conn, err := sqlite.OpenConn(x.path, sqlite.OpenReadWrite, sqlite.OpenWAL)
	if err != nil {
		return x.unusable(err)
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
		return x.unusable(err)
	}
	version, err := sqlitex.ResultInt(stmt)
	if err != nil {
		return x.unusable(err)
	}
	if version > len(schema.Migrations) {
		return x.unusable(fmt.Errorf("schema %d; this version knows %d", version, len(schema.Migrations)))
	}
	if err := sqlitemigration.Migrate(ctx, conn, schema); err != nil {
		return x.unusable(err)
	}
	return nil
}

// unusable is a file that this version can't read. Nothing in it is lost for good.
func (x *Index) unusable(cause error) error {
	if isFull(cause) {
		return full(cause)
	}
	return problem.New(problem.Conflict, "The index %s can't be used: it is damaged, or of another version. Move it away and add its files and pages again.", x.path).Because(cause)
}

// read calls f with a connection; it does nothing where there is no file.
func (x *Index) read(ctx context.Context, f func(*sqlite.Conn) error) error {
	pool, err := x.open(ctx, false)
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
func (x *Index) write(ctx context.Context, f func(*sqlite.Conn) error) (err error) {
	pool, err := x.open(ctx, true)
	if err != nil {
		return err
	}
	x.writing.Lock()
	defer x.writing.Unlock()
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
