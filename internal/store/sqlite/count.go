package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
)

// The index has all that is asked for, in this order: no line is read.
const countSQL = "SELECT status, count(*) FROM runs WHERE deleted = 0 AND agent <> '' AND project = ? AND agent = ? GROUP BY status"

// Count returns how many runs of a saved agent have each status, without deleted
// ones; a status that none has is left out.
func (s *Store) Count(ctx context.Context, project, agent string) (map[run.Status]int, error) {
	counts := map[run.Status]int{}
	err := s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare(countSQL)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		stmt.BindText(1, project)
		stmt.BindText(2, agent)
		for {
			if found, err := stmt.Step(); err != nil || !found {
				return err
			}
			counts[run.Status(stmt.ColumnText(0))] = stmt.ColumnInt(1)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("counting the runs of %s: %w", agent, err)
	}
	return counts, nil
}

// The index has only the runs that are counted.
const parkedSQL = "SELECT status, count(*) FROM runs INDEXED BY runs_parked WHERE live = 0 AND ended_at = 0 AND deleted = 0 GROUP BY status"

// Parked returns how many runs of all projects have not ended and need no driver, by
// status: those that are running wait for another run.
func (s *Store) Parked(ctx context.Context) (map[run.Status]int, error) {
	counts := map[run.Status]int{}
	err := s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare(parkedSQL)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		for {
			if found, err := stmt.Step(); err != nil || !found {
				return err
			}
			counts[run.Status(stmt.ColumnText(0))] = stmt.ColumnInt(1)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("counting the runs that wait: %w", err)
	}
	return counts, nil
}
