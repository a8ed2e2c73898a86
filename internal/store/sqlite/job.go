package sqlite

import (
	"context"
	"fmt"
	"math"
	"time"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
	"errand/internal/store"
)

// OnJobs names the function to call after each commit that brought jobs, or a
// new time for one. It must not block.
func (s *Store) OnJobs(poke func()) { s.writer.onJobs.Store(&poke) }

// Jobs returns the jobs that are due first, in that order, due or not; limit 0 =
// all.
func (s *Store) Jobs(ctx context.Context, limit int) (jobs []run.Job, err error) {
	if limit <= 0 {
		limit = math.MaxInt
	}
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("SELECT " + jobColumns + " FROM jobs ORDER BY due, id LIMIT ?")
		if err != nil {
			return err
		}
		defer stmt.Reset()
		stmt.BindInt64(1, int64(limit))
		jobs, err = scanJobs(stmt)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	return jobs, nil
}

const jobColumns = "id, due, kind, run, tries, data"

// scanJobs reads jobColumns of all rows.
func scanJobs(stmt *sqlite.Stmt) (jobs []run.Job, _ error) {
	for {
		if found, err := stmt.Step(); err != nil || !found {
			return jobs, err
		}
		jobs = append(jobs, run.Job{
			ID:    stmt.ColumnInt64(0),
			Due:   store.Time(stmt.ColumnInt64(1)),
			Kind:  stmt.ColumnText(2),
			Run:   columnID(stmt, 3),
			Tries: stmt.ColumnInt(4),
			Data:  columnBytes(stmt, 5),
		})
	}
}

// FinishJob deletes a job. One that is gone is no error.
func (s *Store) FinishJob(ctx context.Context, id int64) error {
	if s.writer == nil {
		return store.ErrClosed
	}
	return store.Wait(ctx, func(done func(error)) { s.writer.push(&item{finish: id, done: done}) })
}

// RetryJob makes a job due again at the given time and counts a failed try. One
// that is gone stays gone.
func (s *Store) RetryJob(ctx context.Context, id int64, due time.Time) error {
	if s.writer == nil {
		return store.ErrClosed
	}
	return store.Wait(ctx, func(done func(error)) { s.writer.push(&item{retry: id, due: due, done: done}) })
}
