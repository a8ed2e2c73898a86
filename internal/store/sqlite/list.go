package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// scanRows bounds the lines that one read transaction looks at. What no index
// can answer is filtered out line by line, over as many transactions as it takes.
const scanRows = 2000

// idSlack is how far a run's id may have been made before its first event: lists
// by time start and stop at ids this far outside.
const idSlack = time.Minute

// scan is one walk along an index, newest run first.
type scan struct {
	where string // all of it answered by one index
	args  []string
	below []byte // only ids below this
	stop  run.ID // and none below this
	match func(*run.Summary) bool
	limit int

	likely func(*run.Summary) bool // of the columns of glance, before the others are read; nil = all are

	oldest bool // oldest run first: only ids above stop, and below below
	look   int  // lines to look at, at most; 0 = all
	looked int
	spent  bool // look is used up, and there may be more
}

// Live returns the runs that need a driver, oldest first.
func (s *Store) Live(ctx context.Context) ([]run.ID, error) {
	var ids []run.ID
	// Only the ids are kept, because there may be many: no line matches.
	_, err := s.scan(ctx, scan{where: "live = 1", match: func(line *run.Summary) bool {
		if !line.Deleted {
			ids = append(ids, line.ID)
		}
		return false
	}})
	if err != nil {
		return nil, fmt.Errorf("listing live runs: %w", err)
	}
	slices.Reverse(ids)
	return ids, nil
}

// Recent passes the runs of all projects created at or after since to each, newest
// first, without deleted ones. It holds none of them: there may be a million.
func (s *Store) Recent(ctx context.Context, since time.Time, each func(*run.Summary)) error {
	_, err := s.scan(ctx, scan{where: "deleted = 0", stop: firstID(since), match: func(line *run.Summary) bool {
		if store.Millis(line.CreatedAt) >= store.Millis(since) {
			each(line)
		}
		return false
	}})
	if err != nil {
		return fmt.Errorf("listing recent runs: %w", err)
	}
	return nil
}

// Runs lists one project's runs, newest first, without deleted ones; limit 0 = all.
func (s *Store) Runs(ctx context.Context, q run.RunQuery) ([]run.Summary, error) {
	var lines []run.Summary
	scans := plan(&q)
	for _, one := range scans {
		found, err := s.scan(ctx, one)
		if err != nil {
			return nil, fmt.Errorf("listing runs: %w", err)
		}
		lines = append(lines, found...)
	}
	if len(scans) > 1 {
		slices.SortFunc(lines, func(a, b run.Summary) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	}
	if q.Limit > 0 && len(lines) > q.Limit {
		lines = lines[:q.Limit]
	}
	return lines, nil
}

// plan chooses the index that leaves least to filter. Several statuses are as
// many walks, because no index has them in one order.
func plan(q *run.RunQuery) []scan {
	base := scan{
		where: "deleted = 0 AND project = ?",
		args:  []string{q.Project},
		stop:  firstID(q.After),
		match: func(line *run.Summary) bool { return store.Matches(q, line) },
		limit: q.Limit,
	}
	if !q.Before.IsZero() {
		base.below = q.Before[:]
	}
	if until := untilID(q); until != nil && (base.below == nil || bytes.Compare(until, base.below) < 0) {
		base.below = until
	}
	narrow := func(columns string, values ...string) scan {
		one := base
		one.where += columns
		one.args = append([]string{q.Project}, values...)
		return one
	}
	statuses := slices.Compact(slices.Sorted(slices.Values(q.Statuses)))
	if q.Agent != "" && len(statuses) == 0 {
		statuses = run.Statuses() // one index serves lists with and without them
	}
	var scans []scan
	switch {
	case q.Pending:
		return []scan{narrow(" AND pending > 0")}
	case q.Agent != "":
		for _, status := range statuses {
			scans = append(scans, narrow(" AND agent <> '' AND agent = ? AND status = ?", q.Agent, string(status)))
		}
	case len(statuses) > 0:
		for _, status := range statuses {
			scans = append(scans, narrow(" AND status = ?", string(status)))
		}
	case q.Dialect != "":
		return []scan{narrow(" AND dialect = ?", q.Dialect)}
	default:
		return []scan{base}
	}
	return scans
}

// firstID is below the ids of all runs created at or after t.
func firstID(t time.Time) run.ID {
	if t.IsZero() {
		return run.ID{}
	}
	return run.NewID(t.Add(-idSlack), 0, 0)
}

// untilID is above the ids of all runs created before the query's end; nil = it has
// none. An id is never younger than its run but for clocks' whims.
func untilID(q *run.RunQuery) []byte {
	if q.Until.IsZero() {
		return nil
	}
	id := run.NewID(q.Until.Add(idSlack), 0, 0)
	return id[:]
}

// scan collects the lines that match.
func (s *Store) scan(ctx context.Context, one scan) ([]run.Summary, error) { return s.walk(ctx, &one) }

func (s *Store) walk(ctx context.Context, one *scan) ([]run.Summary, error) {
	if one.below == nil {
		one.below = bytes.Repeat([]byte{0xff}, len(run.ID{})+1) // above every id
	}
	var lines []run.Summary
	for more := true; more; {
		err := s.readers.use(ctx, func(conn *sqlite.Conn) (err error) {
			lines, more, err = one.chunk(conn, lines)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// chunk looks at up to scanRows lines in one transaction, moves to the last of them,
// and reports whether there is more to look at.
func (c *scan) chunk(conn *sqlite.Conn, lines []run.Summary) ([]run.Summary, bool, error) {
	stmt, err := conn.Prepare(c.sql())
	if err != nil {
		return nil, false, err
	}
	defer stmt.Reset()
	for i, arg := range c.args {
		stmt.BindText(i+1, arg)
	}
	stmt.BindBytes(len(c.args)+1, c.below)
	stmt.BindBytes(len(c.args)+2, c.stop[:])
	for range scanRows {
		if found, err := stmt.Step(); err != nil || !found {
			return lines, false, err
		}
		c.move(columnID(stmt, idColumn))
		if c.likely == nil || c.likely(glance(stmt)) {
			if line := scanLine(stmt); c.match(&line) {
				lines = append(lines, line)
			}
		}
		switch {
		case c.limit > 0 && len(lines) == c.limit:
			return lines, false, nil
		case c.look > 0 && c.looked == c.look:
			c.spent = true
			return lines, false, nil
		}
	}
	return lines, true, nil
}

// move goes on to the lines behind this one.
func (c *scan) move(id run.ID) {
	if c.looked++; c.oldest {
		c.stop = id
	} else {
		c.below = id[:]
	}
}

func (c *scan) sql() string {
	order := " AND id < ? AND id >= ? ORDER BY id DESC"
	if c.oldest {
		order = " AND id < ? AND id > ? ORDER BY id"
	}
	return "SELECT " + lineColumns + " FROM runs WHERE " + c.where + order
}
