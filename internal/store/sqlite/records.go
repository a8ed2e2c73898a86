package sqlite

import (
	"context"
	"fmt"
	"iter"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// Records yields all that is stored, table by table. It reads in one transaction, for
// as long as whoever asks takes: the write-ahead log can't be reused meanwhile.
func (s *Store) Records(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		err := s.readers.use(ctx, func(conn *sqlite.Conn) error { return readRecords(ctx, conn, yield) })
		if err != nil {
			yield(store.Record{}, fmt.Errorf("reading what is stored: %w", err))
		}
	}
}

// readRecords ends without an error when whoever asked has enough.
func readRecords(ctx context.Context, conn *sqlite.Conn, yield func(store.Record, error) bool) error {
	for _, table := range []struct {
		sql  string
		scan func(*sqlite.Stmt) store.Record
	}{
		{"SELECT " + lineColumns + " FROM runs ORDER BY id", func(stmt *sqlite.Stmt) store.Record {
			line := scanLine(stmt)
			return store.Record{Line: &line}
		}},
		{"SELECT run, seq, id, at, type, data FROM events ORDER BY run, seq", scanStored},
		{"SELECT " + rowColumns + " FROM rows ORDER BY kind, project, id", func(stmt *sqlite.Stmt) store.Record {
			row := scanRow(stmt)
			return store.Record{Row: &row}
		}},
		{"SELECT " + jobColumns + " FROM jobs ORDER BY id", func(stmt *sqlite.Stmt) store.Record {
			return store.Record{Job: &run.Job{
				Due: store.Time(stmt.ColumnInt64(1)), Kind: stmt.ColumnText(2), Run: columnID(stmt, 3), Tries: stmt.ColumnInt(4), Data: columnBytes(stmt, 5),
			}}
		}},
		{"SELECT " + spendColumns + ", project FROM spend ORDER BY project, day", func(stmt *sqlite.Stmt) store.Record {
			spend := scanSpend(stmt, stmt.GetText("project"))
			return store.Record{Spend: &spend}
		}},
		{"SELECT " + auditColumns + " FROM audit ORDER BY seq", func(stmt *sqlite.Stmt) store.Record {
			line := scanAudit(stmt)
			return store.Record{Audit: &line}
		}},
	} {
		stmt, err := conn.Prepare(table.sql)
		if err != nil {
			return err
		}
		for {
			found, err := stmt.Step()
			if err != nil {
				return err
			}
			if !found {
				break
			}
			if ctx.Err() != nil || !yield(table.scan(stmt), nil) {
				return stmt.Reset()
			}
		}
	}
	return ctx.Err()
}

func scanStored(stmt *sqlite.Stmt) store.Record {
	return store.Record{Event: &store.StoredEvent{
		Run: columnID(stmt, 0), Seq: stmt.ColumnInt64(1), ID: uint64(stmt.ColumnInt64(2)), At: stmt.ColumnInt64(3),
		Type: stmt.ColumnText(4), Data: columnBytes(stmt, 5),
	}}
}
