package postgres

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"errand/internal/problem"
	"errand/internal/store"
)

// copyRows bounds what one COPY sends, and copyBytes too: it is held in memory.
const (
	copyRows  = 5000
	copyBytes = 8 << 20
)

// Import puts all records of another store into an empty database: all of them, or
// none. Before it commits, check is given all that the database then has, and the
// transaction, for what is kept beside the records.
func (s *Store) Import(ctx context.Context, records iter.Seq2[store.Record, error], check func(pgx.Tx, iter.Seq2[store.Record, error]) error) error {
	err := pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		// It takes what it takes, and nobody else works on these tables.
		const alone = "SET LOCAL idle_in_transaction_session_timeout = 0; SET LOCAL statement_timeout = 0; " +
			"LOCK TABLE runs, events, rows, jobs, spend, audit, audit_head, index_projects IN EXCLUSIVE MODE"
		if _, err := tx.Exec(ctx, alone); err != nil {
			return err
		}
		if err := mustBeEmpty(ctx, tx); err != nil {
			return err
		}
		into := &loader{tx: tx}
		for record, err := range records {
			if err == nil {
				err = into.put(ctx, &record)
			}
			if err != nil {
				return err
			}
		}
		if err := into.flush(ctx); err != nil {
			return err
		}
		const end = "UPDATE audit_head SET (seq, hash) = (SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1) WHERE EXISTS (SELECT FROM audit)"
		if _, err := tx.Exec(ctx, end); err != nil {
			return err
		}
		return check(tx, recordsOf(ctx, tx))
	})
	if err != nil {
		return fmt.Errorf("copying into the database: %w", err)
	}
	return nil
}

// mustBeEmpty refuses a database that runs or objects are in.
func mustBeEmpty(ctx context.Context, tx pgx.Tx) error {
	var used bool
	err := tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM runs) OR EXISTS (SELECT FROM events) OR EXISTS (SELECT FROM rows) OR EXISTS (SELECT FROM jobs) "+
		"OR EXISTS (SELECT FROM spend) OR EXISTS (SELECT FROM audit) OR EXISTS (SELECT FROM index_projects)").Scan(&used)
	if err == nil && used {
		return problem.New(problem.Conflict, "The database is not empty: name one that no server has used, or drop it and make it anew. A copy that was interrupted leaves nothing behind.")
	}
	return err
}

// loader sends records by COPY, one table after the other.
type loader struct {
	tx    pgx.Tx
	kind  string
	table string
	names []string
	rows  [][]any
	bytes int
}

func (l *loader) put(ctx context.Context, r *store.Record) error {
	if kind := r.Kind(); kind != l.kind || len(l.rows) >= copyRows || l.bytes >= copyBytes {
		if err := l.flush(ctx); err != nil {
			return err
		}
		l.kind = kind
	}
	var values []any
	switch {
	case r.Line != nil:
		var one lines
		one.add(r.Line)
		l.table, l.names, values = "runs", columnNames(lineColumns), one.first()
	case r.Event != nil:
		e := r.Event
		l.table, l.names = "events", columnNames("run, seq, id, at, type, data")
		values = []any{[16]byte(e.Run), e.Seq, int64(e.ID), e.At, e.Type, blob(e.Data)}
		l.bytes += len(e.Data)
	case r.Row != nil:
		row := r.Row
		l.table, l.names = "rows", columnNames(rowColumns)
		values = []any{store.Text(row.Kind), store.Text(row.Project), store.Text(row.ID), store.Text(row.Name), row.Version,
			store.Millis(row.Created), store.Millis(row.Expires), blob(row.Data)}
		l.bytes += len(row.Data)
	case r.Job != nil:
		l.table, l.names = "jobs", columnNames("due, kind, run, tries, data")
		values = []any{store.Millis(r.Job.Due), store.Text(r.Job.Kind), [16]byte(r.Job.Run), r.Job.Tries, blob(r.Job.Data)}
	case r.Spend != nil:
		s, u := r.Spend, &r.Spend.Usage
		l.table, l.names = "spend", columnNames(accountColumns+", "+amountColumns+", unpriced, estimated, lane")
		values = []any{store.Text(s.Project), string(s.Day), store.Text(s.Agent), store.Text(s.Under), store.Text(s.Key), store.Text(s.Model),
			s.Runs, s.Calls, u.Input, u.Output, u.Cached, u.Reasoning, u.Written, int64(u.Cost), u.Unpriced, u.Estimated, int16(0)}
	default:
		a := r.Audit
		l.table, l.names, values = "audit", columnNames(auditColumns), []any{a.Seq, store.Millis(a.At)}
		for _, word := range auditWords(a) {
			values = append(values, store.Text(*word))
		}
		values = append(values, blob(a.Data), a.Hash[:])
	}
	l.rows = append(l.rows, values)
	l.bytes += 500
	return nil
}

func (l *loader) flush(ctx context.Context) error {
	if len(l.rows) == 0 {
		return nil
	}
	_, err := l.tx.CopyFrom(ctx, pgx.Identifier{l.table}, l.names, pgx.CopyFromRows(l.rows))
	l.rows, l.bytes = nil, 0
	return err
}

// Records yields all that is stored, table by table, as it is at one moment.
func (s *Store) Records(ctx context.Context) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		err := pgx.BeginTxFunc(ctx, s.pool, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "SET LOCAL statement_timeout = 0; SET LOCAL idle_in_transaction_session_timeout = 0"); err != nil {
				return err
			}
			for record, err := range recordsOf(ctx, tx) {
				if !yield(record, err) || err != nil {
					break
				}
			}
			return nil
		})
		if err != nil {
			yield(store.Record{}, err)
		}
	}
}

func recordsOf(ctx context.Context, tx pgx.Tx) iter.Seq2[store.Record, error] {
	return func(yield func(store.Record, error) bool) {
		for _, table := range []struct {
			sql  string
			scan func(pgx.Rows) (store.Record, error)
		}{
			{"SELECT " + lineColumns + " FROM runs ORDER BY id", func(rows pgx.Rows) (store.Record, error) {
				line, err := scanLine(rows)
				return store.Record{Line: &line}, err
			}},
			{"SELECT run, seq, id, at, type, data FROM events ORDER BY run, seq", scanStored},
			{"SELECT " + rowColumns + " FROM rows ORDER BY kind, project, id", func(rows pgx.Rows) (store.Record, error) {
				row, err := scanRow(rows)
				return store.Record{Row: &row}, err
			}},
			{"SELECT " + jobColumns + " FROM jobs ORDER BY id", func(rows pgx.Rows) (store.Record, error) {
				job, err := scanJob(rows)
				job.ID = 0
				return store.Record{Job: &job}, err
			}},
			{allSpentSQL, func(rows pgx.Rows) (store.Record, error) {
				spend, err := scanSpend(rows)
				return store.Record{Spend: &spend}, err
			}},
			{"SELECT " + auditColumns + " FROM audit ORDER BY seq", func(rows pgx.Rows) (store.Record, error) {
				line, err := scanAudit(rows)
				return store.Record{Audit: &line}, err
			}},
		} {
			if !yieldRows(ctx, tx, table.sql, table.scan, yield) {
				return
			}
		}
	}
}

// yieldRows reports whether there may be more.
func yieldRows(ctx context.Context, tx pgx.Tx, sql string, scan func(pgx.Rows) (store.Record, error), yield func(store.Record, error) bool) bool {
	rows, err := tx.Query(ctx, sql)
	if err != nil {
		yield(store.Record{}, err)
		return false
	}
	defer rows.Close()
	for rows.Next() {
		record, err := scan(rows)
		if !yield(record, err) || err != nil {
			return false
		}
	}
	if err := rows.Err(); err != nil {
		yield(store.Record{}, err)
		return false
	}
	return true
}

func scanStored(rows pgx.Rows) (store.Record, error) {
	var e store.StoredEvent
	var run [16]byte
	var id int64
	err := rows.Scan(&run, &e.Seq, &id, &e.At, &e.Type, &e.Data)
	if len(e.Data) == 0 {
		e.Data = nil // a copy is compared with what SQLite says
	}
	e.Run, e.ID = run, uint64(id)
	return store.Record{Event: &e}, err
}
