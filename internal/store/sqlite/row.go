package sqlite

import (
	"context"
	"fmt"
	"math"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// unexpired ends the condition of every read of rows: its parameter is the time.
// The plus keeps SQLite from asking whether the parameter's value admits the
// index of what expires, for which it would prepare the statement anew each time
// that the time is another one.
const unexpired = " AND (expires = 0 OR expires > +?)"

// Row returns one row, or a not_found problem.
func (s *Store) Row(ctx context.Context, kind, project, id string) (run.Row, error) {
	key := rowKey{kind, project, id}
	row, age, ok := s.kept.byID(key)
	if ok && !s.closed.Load() {
		return row, nil
	}
	return s.oneRow(ctx, key, "kind = ? AND project = ? AND id = ?", age)
}

// RowByName returns the row that has the name, or a not_found problem.
func (s *Store) RowByName(ctx context.Context, kind, project, name string) (run.Row, error) {
	row, age, ok := s.kept.byName(nameKey{kind, project, name})
	if ok && !s.closed.Load() {
		return row, nil
	}
	return s.oneRow(ctx, rowKey{kind, project, name}, "kind = ? AND project = ? AND name = ? AND name <> ''", age)
}

// oneRow reads a row that was not kept at this age.
func (s *Store) oneRow(ctx context.Context, key rowKey, where string, age uint64) (row run.Row, err error) {
	found := false
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("SELECT " + rowColumns + " FROM rows WHERE " + where + unexpired)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		bindKey(stmt, 1, key)
		stmt.BindInt64(4, s.cfg.Now().UnixMilli())
		if found, err = stmt.Step(); found {
			row = scanRow(stmt)
		}
		return err
	})
	if err != nil {
		return run.Row{}, fmt.Errorf("reading %s %q: %w", key.kind, key.id, err)
	}
	if !found {
		return run.Row{}, store.RowNotFound(key.kind, key.id)
	}
	s.kept.keep(row, age)
	return row, nil
}

// rowsChunk bounds one read transaction of Rows.
const rowsChunk = 500

// Rows lists rows of one kind and project in order of id; limit 0 = all.
func (s *Store) Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error) {
	limit := q.Limit
	if limit <= 0 {
		limit = math.MaxInt
	}
	var rows []run.Row
	for len(rows) < limit {
		want := min(limit-len(rows), rowsChunk)
		found, err := s.rowsChunk(ctx, q, want)
		if err != nil {
			return nil, fmt.Errorf("listing rows of kind %s: %w", q.Kind, err)
		}
		rows = append(rows, found...)
		if len(found) < want {
			break
		}
		q.After = rows[len(rows)-1].ID
	}
	return rows, nil
}

func (s *Store) rowsChunk(ctx context.Context, q run.RowQuery, limit int) (rows []run.Row, err error) {
	order, bound := "ASC", " AND id > ?"
	if q.Newest {
		order, bound = "DESC", " AND id < ?"
	}
	if q.After == "" {
		bound = " AND id >= ?" // every id
	}
	sql := "SELECT " + rowColumns + " FROM rows WHERE kind = ? AND project = ?" + bound + unexpired +
		" ORDER BY id " + order + " LIMIT ?"
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare(sql)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		bindKey(stmt, 1, rowKey{q.Kind, q.Project, q.After})
		stmt.BindInt64(4, s.cfg.Now().UnixMilli())
		stmt.BindInt64(5, int64(limit))
		for {
			if found, err := stmt.Step(); err != nil || !found {
				return err
			}
			rows = append(rows, scanRow(stmt))
		}
	})
	return rows, err
}

// scanRow reads rowColumns.
func scanRow(stmt *sqlite.Stmt) run.Row {
	return run.Row{
		Kind:    stmt.ColumnText(0),
		Project: stmt.ColumnText(1),
		ID:      stmt.ColumnText(2),
		Name:    stmt.ColumnText(3),
		Version: stmt.ColumnInt64(4),
		Created: store.Time(stmt.ColumnInt64(5)),
		Expires: store.Time(stmt.ColumnInt64(6)),
		Data:    columnBytes(stmt, 7),
	}
}
