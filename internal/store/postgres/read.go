package postgres

import (
	"context"
	"fmt"
	"math"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// loadRows bounds what one statement of Load reads.
const loadRows = 500

const loadSQL = "SELECT seq, id, at, type, data FROM events WHERE run = $1 AND seq > $2 ORDER BY seq LIMIT $3"

// Load returns the run's events after the given seq, in order; limit 0 = all. A run
// that is not there, or was deleted, has none.
func (s *Store) Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	var events []run.Event
	for len(events) < limit {
		want, had := min(limit-len(events), loadRows), len(events)
		err := s.query(ctx, func(rows pgx.Rows) error {
			e, err := scanEvent(rows)
			events = append(events, e)
			return err
		}, loadSQL, [16]byte(id), after, want)
		if err != nil {
			return nil, fmt.Errorf("loading run %s: %w", id, err)
		}
		if len(events) > had && events[had].Seq != after+1 {
			return nil, nil // its beginning is gone: the run is being removed
		}
		if len(events)-had < want {
			break
		}
		after = events[len(events)-1].Seq
	}
	if len(events) <= loadRows {
		return events, nil
	}
	// The log was read in several statements: a deletion in between would leave only
	// its beginning.
	if line, err := s.Summary(ctx, id); err != nil || line.Deleted {
		return nil, err
	}
	return events, nil
}

func scanEvent(rows pgx.Rows) (run.Event, error) {
	var (
		e      run.Event
		id, at int64
		kind   run.Type
		data   []byte
	)
	if err := rows.Scan(&e.Seq, &id, &at, &kind, &data); err != nil {
		return e, err
	}
	e.ID, e.At = uint64(id), store.Time(at)
	return e, run.Decode(kind, data, &e)
}

// Summary returns the run's line, or a not_found problem. A deleted run has one.
func (s *Store) Summary(ctx context.Context, id run.ID) (line run.Summary, err error) {
	found := false
	err = s.query(ctx, func(rows pgx.Rows) (err error) {
		line, err = scanLine(rows)
		found = true
		return err
	}, "SELECT "+lineColumns+" FROM runs WHERE id = $1", [16]byte(id))
	if err != nil {
		return run.Summary{}, fmt.Errorf("reading the line of run %s: %w", id, err)
	}
	if !found {
		return run.Summary{}, store.RunNotFound(id)
	}
	return line, nil
}

// Count returns how many runs of a saved agent have each status, without deleted
// ones; a status that none has is left out.
func (s *Store) Count(ctx context.Context, project, agent string) (map[run.Status]int, error) {
	counts := map[run.Status]int{}
	if err := s.query(ctx, countInto(counts), countSQL, store.Text(project), store.Text(agent)); err != nil {
		return nil, fmt.Errorf("counting the runs of %s: %w", agent, err)
	}
	return counts, nil
}

const parkedSQL = "SELECT status, count(*) FROM runs WHERE NOT live AND ended_at = 0 AND NOT deleted GROUP BY status"

// Parked returns how many runs of all projects have not ended and need no driver, by
// status: those that are running wait for another run.
func (s *Store) Parked(ctx context.Context) (map[run.Status]int, error) {
	counts := map[run.Status]int{}
	if err := s.query(ctx, countInto(counts), parkedSQL); err != nil {
		return nil, fmt.Errorf("counting the runs that wait: %w", err)
	}
	return counts, nil
}

func countInto[K comparable](counts map[K]int) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		var of K
		var count int
		err := rows.Scan(&of, &count)
		counts[of] = count
		return err
	}
}

// The index has all that is asked for, in this order: few lines are read.
const countSQL = "SELECT status, count(*) FROM runs WHERE NOT deleted AND agent <> '' AND project = $1 AND agent = $2 GROUP BY status"
