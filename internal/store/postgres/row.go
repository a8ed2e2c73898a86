package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

const unexpired = " AND (expires = 0 OR expires > $4)"

// Row returns one row, or a not_found problem.
func (s *Store) Row(ctx context.Context, kind, project, id string) (run.Row, error) {
	return s.oneRow(ctx, rowKey{kind, project, id}, "kind = $1 AND project = $2 AND id = $3")
}

// RowByName returns the row that has the name, or a not_found problem.
func (s *Store) RowByName(ctx context.Context, kind, project, name string) (run.Row, error) {
	return s.oneRow(ctx, rowKey{kind, project, name}, "kind = $1 AND project = $2 AND name = $3 AND name <> ''")
}

func (s *Store) oneRow(ctx context.Context, key rowKey, where string) (row run.Row, err error) {
	found := false
	err = s.query(ctx, func(rows pgx.Rows) (err error) {
		row, err = scanRow(rows)
		found = true
		return err
	}, "SELECT "+rowColumns+" FROM rows WHERE "+where+unexpired, store.Text(key.kind), store.Text(key.project), store.Text(key.id), s.cfg.Now().UnixMilli())
	if err != nil {
		return run.Row{}, fmt.Errorf("reading %s %q: %w", key.kind, key.id, err)
	}
	if !found {
		return run.Row{}, store.RowNotFound(key.kind, key.id)
	}
	return row, nil
}

// RowsOf lists the rows of a kind, of all projects: by project, in order of id.
func (s *Store) RowsOf(ctx context.Context, kind string) (all []run.Row, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		row, err := scanRow(rows)
		all = append(all, row)
		return err
	}, "SELECT "+rowColumns+" FROM rows WHERE kind = $1 AND (expires = 0 OR expires > $2) ORDER BY project, id", store.Text(kind), s.cfg.Now().UnixMilli())
	if err != nil {
		return nil, fmt.Errorf("listing rows of kind %s in all projects: %w", kind, err)
	}
	return all, nil
}

// Rows lists rows of one kind and project in order of id; limit 0 = all.
func (s *Store) Rows(ctx context.Context, q run.RowQuery) (all []run.Row, err error) {
	order, bound := "ASC", " AND id > $3"
	if q.Newest {
		order, bound = "DESC", " AND id < $3"
	}
	if q.After == "" {
		bound = " AND id >= $3" // every id
	}
	err = s.query(ctx, func(rows pgx.Rows) error {
		row, err := scanRow(rows)
		all = append(all, row)
		return err
	}, "SELECT "+rowColumns+" FROM rows WHERE kind = $1 AND project = $2"+bound+unexpired+" ORDER BY id "+order+" LIMIT $5",
		store.Text(q.Kind), store.Text(q.Project), store.Text(q.After), s.cfg.Now().UnixMilli(), most(q.Limit))
	if err != nil {
		return nil, fmt.Errorf("listing rows of kind %s: %w", q.Kind, err)
	}
	return all, nil
}

// scanRow reads rowColumns.
func scanRow(rows pgx.Rows) (row run.Row, err error) {
	var created, expires int64
	err = rows.Scan(&row.Kind, &row.Project, &row.ID, &row.Name, &row.Version, &created, &expires, &row.Data)
	if len(row.Data) == 0 {
		row.Data = nil
	}
	row.Created, row.Expires = store.Time(created), store.Time(expires)
	return row, err
}
