package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// idSlack is how far a run's id may have been made before its first event: lists
// by time start and stop at ids this far outside.
const idSlack = time.Minute

// Live returns the runs that need a driver, oldest first.
func (s *Store) Live(ctx context.Context) (ids []run.ID, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		var id [16]byte
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, "SELECT id FROM runs WHERE live AND NOT deleted ORDER BY id")
	if err != nil {
		return nil, fmt.Errorf("listing live runs: %w", err)
	}
	return ids, nil
}

// recentChunk is how many lines Recent reads before it passes them on: whom it passes
// them to may be slow, and must not hold a connection.
const recentChunk = 2000

// Recent passes the runs of all projects created at or after since to each, newest
// first, without deleted ones. It holds few of them: there may be a million.
func (s *Store) Recent(ctx context.Context, since time.Time, each func(*run.Summary)) error {
	var list []run.Summary
	sql := "SELECT " + lineColumns + " FROM runs WHERE NOT deleted AND id >= $1 ORDER BY id DESC LIMIT $2"
	arguments := []any{firstID(since), recentChunk}
	for {
		list = list[:0]
		if err := s.query(ctx, collect(&list), sql, arguments...); err != nil {
			return fmt.Errorf("listing recent runs: %w", err)
		}
		for i := range list {
			if store.Millis(list[i].CreatedAt) >= store.Millis(since) {
				each(&list[i])
			}
		}
		if len(list) < recentChunk {
			return nil
		}
		sql = "SELECT " + lineColumns + " FROM runs WHERE NOT deleted AND id >= $1 AND id < $3 ORDER BY id DESC LIMIT $2"
		arguments = []any{firstID(since), recentChunk, [16]byte(list[len(list)-1].ID)}
	}
}

func collect(list *[]run.Summary) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		line, err := scanLine(rows)
		*list = append(*list, line)
		return err
	}
}

// Runs lists one project's runs, newest first, without deleted ones; limit 0 = all.
func (s *Store) Runs(ctx context.Context, q run.RunQuery) (list []run.Summary, err error) {
	sql, arguments := runsSQL(&q, false)
	if err := s.query(ctx, collect(&list), sql, arguments...); err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	return list, nil
}

// runsSQL is the list as a statement, behind Before in either order.
func runsSQL(q *run.RunQuery, oldest bool) (string, []any) { return walkSQL(lineColumns, q, oldest) }

// walkSQL is runsSQL for some columns of the lines. Several statuses are as many walks
// down an index, merged, because no index has them in one order.
func walkSQL(columns string, q *run.RunQuery, oldest bool) (string, []any) {
	beyond, order := " AND id < ", " ORDER BY id DESC"
	if oldest {
		beyond, order = " AND id > ", " ORDER BY id"
	}
	var arguments []any
	bind := func(value any) string {
		arguments = append(arguments, value)
		return fmt.Sprintf("$%d", len(arguments))
	}
	where := "NOT deleted AND project = " + bind(store.Text(q.Project))
	if q.Pending {
		where += " AND pending > 0"
	}
	if q.Agent != "" {
		where += " AND agent <> '' AND agent = " + bind(store.Text(q.Agent))
	}
	if q.Dialect != "" {
		where += " AND dialect = " + bind(store.Text(q.Dialect))
	}
	if !q.Before.IsZero() {
		where += beyond + bind([16]byte(q.Before))
	}
	if !q.Until.IsZero() {
		// An id is never younger than its run but for clocks' whims.
		where += " AND id < " + bind([16]byte(run.NewID(q.Until.Add(idSlack), 0, 0))) + " AND created_at < " + bind(store.Millis(q.Until))
	}
	if !q.After.IsZero() {
		where += " AND id >= " + bind(firstID(q.After)) + " AND created_at >= " + bind(store.Millis(q.After))
	}
	end := order + " LIMIT " + bind(most(q.Limit))
	statuses := slices.Compact(slices.Sorted(slices.Values(q.Statuses)))
	if q.Agent != "" && len(statuses) == 0 && !q.Pending {
		statuses = run.Statuses() // one index serves lists with and without them
	}
	walk := "SELECT " + columns + " FROM runs WHERE " + where
	switch len(statuses) {
	case 0:
		return walk + end, arguments
	case 1:
		return walk + " AND status = " + bind(string(statuses[0])) + end, arguments
	}
	walks := make([]string, len(statuses))
	for i, status := range statuses {
		walks[i] = "(" + walk + " AND status = " + bind(string(status)) + end + ")"
	}
	return strings.Join(walks, " UNION ALL ") + end, arguments
}

// firstID is below the ids of all runs created at or after t.
func firstID(t time.Time) [16]byte {
	if t.IsZero() {
		return run.ID{}
	}
	return run.NewID(t.Add(-idSlack), 0, 0)
}
