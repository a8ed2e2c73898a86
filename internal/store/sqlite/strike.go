package sqlite

import (
	"context"
	"fmt"
	"path/filepath"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/run"
)

// Strike takes runs out of the database in a directory that no process has: their
// lines, events and jobs, in one transaction, whatever stands in them. It is for runs
// that can't be read; what can be is removed with Purge.
func Strike(ctx context.Context, dir string, runs []run.ID) (err error) {
	lock, err := takeLock(dir)
	if err != nil {
		return err
	}
	defer lock.release()
	conn, err := sqlite.OpenConn(filepath.Join(dir, FileName), sqlite.OpenReadWrite)
	if err != nil {
		return fmt.Errorf("striking runs: %w", err)
	}
	defer conn.Close()
	conn.SetInterrupt(ctx.Done())
	defer sqlitex.Save(conn)(&err)
	for _, id := range runs {
		for _, statement := range []string{
			"DELETE FROM events WHERE run = ?", "DELETE FROM jobs WHERE run = ?", "DELETE FROM runs WHERE id = ?",
		} {
			if err := sqlitex.Execute(conn, statement, &sqlitex.ExecOptions{Args: []any{id[:]}}); err != nil {
				return fmt.Errorf("striking the run %s: %w", id, err)
			}
		}
	}
	return nil
}
