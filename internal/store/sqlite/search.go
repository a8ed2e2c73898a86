package sqlite

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// Search lists one project's runs by what no index has: it looks at line after line of
// what the indexes leave, as far as the search lets it, and says how far that was.
func (s *Store) Search(ctx context.Context, q run.RunSearch) (run.RunFound, error) {
	walks := plan(&q.RunQuery)
	likely, matches := store.Likely(&q), store.Searching(&q)
	var found run.RunFound
	for i := range walks {
		one := &walks[i]
		one.likely, one.match = likely, matches
		if one.oldest = q.Oldest; q.Oldest {
			one.stop, one.below = firstID(q.After), untilID(&q.RunQuery)
			if !q.Before.IsZero() && bytes.Compare(q.Before[:], one.stop[:]) > 0 {
				one.stop = q.Before
			}
		}
		if q.Look > 0 {
			one.look = max(q.Look/len(walks), 1)
		}
		lines, err := s.walk(ctx, one)
		if err != nil {
			return found, fmt.Errorf("searching runs: %w", err)
		}
		found.Lines, found.Looked = append(found.Lines, lines...), found.Looked+one.looked
		if one.spent {
			found.Reached = nearer(&q, found.Reached, one.at())
		}
	}
	order(&q, &found)
	return found, nil
}

// glance reads what store.Likely asks for.
func glance(stmt *sqlite.Stmt) *run.Summary {
	return &run.Summary{
		ID: columnID(stmt, idColumn), Agent: stmt.ColumnText(agentColumn), Model: stmt.ColumnText(modelColumn), Title: stmt.ColumnText(titleColumn),
		Usage: run.Usage{Cost: run.Micros(stmt.ColumnInt64(costColumn))},
	}
}

// at is the last line that was looked at.
func (c *scan) at() (id run.ID) {
	if c.oldest {
		return c.stop
	}
	copy(id[:], c.below)
	return id
}

// nearer is the one of two ids at which a search has to go on so that it misses
// nothing: walks of different statuses come to different times.
func nearer(q *run.RunSearch, a, b run.ID) run.ID {
	if a.IsZero() || (bytes.Compare(a[:], b[:]) < 0) != q.Oldest {
		return b
	}
	return a
}

// order puts what several walks have found into one order, and leaves out what lies
// beyond where one of them has stopped.
func order(q *run.RunSearch, found *run.RunFound) {
	behind := func(a, b run.ID) int {
		if q.Oldest {
			return bytes.Compare(a[:], b[:])
		}
		return bytes.Compare(b[:], a[:])
	}
	slices.SortFunc(found.Lines, func(a, b run.Summary) int { return behind(a.ID, b.ID) })
	if !found.Reached.IsZero() {
		found.Lines = slices.DeleteFunc(found.Lines, func(line run.Summary) bool { return behind(line.ID, found.Reached) > 0 })
	}
	if q.Limit > 0 && len(found.Lines) >= q.Limit {
		found.Lines, found.Reached = found.Lines[:q.Limit], run.ID{}
	}
}
