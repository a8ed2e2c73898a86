package river

import (
	"context"
	"fmt"
	"math"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
)

// Jobs returns the jobs that are not finished and are due first, in that order, due
// or not, running or not; limit 0 = all.
func (q *Queue) Jobs(ctx context.Context, limit int) ([]run.Job, error) {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	rows, err := q.cfg.Pool.Query(ctx, `SELECT id, scheduled_at, args, metadata FROM river_job
		WHERE finalized_at IS NULL ORDER BY scheduled_at, id LIMIT $1`, limit)
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	return jobs, nil
}

// Backlog is what waits in a queue although it is due.
type Backlog struct {
	Queue  string
	Jobs   int
	Oldest time.Duration // how long the first of them has been due
}

// Backlogs returns the queues, by name, in which jobs wait that are due: for want of
// workers, of nodes that know them, or for the time that it takes to be found.
func (q *Queue) Backlogs(ctx context.Context) ([]Backlog, error) {
	rows, err := q.cfg.Pool.Query(ctx, `SELECT queue, count(*), now() - min(scheduled_at) FROM river_job
		WHERE state = 'available' AND scheduled_at <= now() GROUP BY queue ORDER BY queue`)
	if err != nil {
		return nil, fmt.Errorf("asking what waits: %w", err)
	}
	waiting, err := pgx.CollectRows(rows, pgx.RowToStructByPos[Backlog])
	if err != nil {
		return nil, fmt.Errorf("asking what waits: %w", err)
	}
	return waiting, nil
}
