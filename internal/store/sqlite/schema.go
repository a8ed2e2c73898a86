package sqlite

import (
	"context"
	"embed"
	"fmt"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitemigration"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// appID marks the file as Errand's, for file(1) and against mix-ups: "Errd".
const appID = 0x45727264

// migrate brings the tables to this program's version. A file of a newer version
// is refused, because this program might misread it.
func migrate(ctx context.Context, path string) error {
	steps, err := schemaSteps()
	if err != nil {
		return err
	}
	conn, err := openConn(path, 0)
	if err != nil {
		return err
	}
	defer conn.Close()
	version, err := pragma(conn, "user_version")
	if err != nil {
		return err
	}
	owner, err := pragma(conn, "application_id")
	if err != nil {
		return err
	}
	if version > len(steps) {
		return problem.New(problem.Conflict, "The database %s was written by a newer version of Errand "+
			"(schema %d; this version knows %d). Use that version, or restore a backup.", path, version, len(steps))
	}
	if owner == appID && version == len(steps) {
		return nil // Migrate would write all the same, which a full disk does not allow
	}
	schema := sqlitemigration.Schema{AppID: appID, Migrations: steps}
	if err := sqlitemigration.Migrate(ctx, conn, schema); err != nil {
		return fmt.Errorf("bringing the database up to date: %w", err)
	}
	return nil
}

// pragma reads a number of the file's header.
func pragma(conn *sqlite.Conn, name string) (int, error) {
	stmt, err := conn.Prepare("PRAGMA " + name)
	if err != nil {
		return 0, fmt.Errorf("reading the database's %s: %w", name, err)
	}
	value, err := sqlitex.ResultInt(stmt)
	if err != nil {
		return 0, fmt.Errorf("reading the database's %s: %w", name, err)
	}
	return value, nil
}

// schemaSteps returns the migrations in the order of their file names.
func schemaSteps() ([]string, error) {
	files, err := schemaFiles.ReadDir("schema")
	if err != nil {
		return nil, fmt.Errorf("reading the schema: %w", err)
	}
	var steps []string
	for _, file := range files {
		text, err := schemaFiles.ReadFile("schema/" + file.Name())
		if err != nil {
			return nil, fmt.Errorf("reading the schema: %w", err)
		}
		steps = append(steps, string(text))
	}
	return steps, nil
}

// openConn opens a connection that never checkpoints by itself: the checkpointer
// does, away from the writer. cacheKiB bounds its page cache; 0 = SQLite's own.
func openConn(path string, cacheKiB int) (*sqlite.Conn, error) {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	pragmas := []string{
		"PRAGMA journal_mode = WAL",
		"PRAGMA synchronous = FULL",
		"PRAGMA wal_autocheckpoint = 0",
	}
	if cacheKiB > 0 {
		pragmas = append(pragmas, fmt.Sprintf("PRAGMA cache_size = -%d", cacheKiB))
	}
	for _, pragma := range pragmas {
		if err := sqlitex.ExecuteTransient(conn, pragma, nil); err != nil {
			conn.Close()
			return nil, fmt.Errorf("preparing a database connection: %s: %w", pragma, err)
		}
	}
	return conn, nil
}
