package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// OnJobs names the function to call after each commit of this node that brought jobs,
// or a new time for one. It must not block.
func (s *Store) OnJobs(poke func()) { s.writer.onJobs.Store(&poke) }

// Jobs returns the jobs that are due first, in that order, due or not; limit 0 = all. Of
// those that another queue keeps, it leaves out what is being done.
func (s *Store) Jobs(ctx context.Context, limit int) (jobs []run.Job, err error) {
	if s.cfg.Queue != nil {
		err = s.ask(ctx, s.readTime, func(ctx context.Context, tx pgx.Tx) error {
			jobs, err = s.cfg.Queue.Waiting(ctx, tx, limit)
			return err
		})
		return jobs, err
	}
	err = s.query(ctx, collectJobs(&jobs), "SELECT "+jobColumns+" FROM jobs ORDER BY due, id LIMIT $1", most(limit))
	if err != nil {
		return nil, fmt.Errorf("reading jobs: %w", err)
	}
	return jobs, nil
}

const jobColumns = "id, due, kind, run, tries, data"

func collectJobs(jobs *[]run.Job) func(pgx.Rows) error {
	return func(rows pgx.Rows) error {
		job, err := scanJob(rows)
		*jobs = append(*jobs, job)
		return err
	}
}

// scanJob reads jobColumns.
func scanJob(rows pgx.Rows) (job run.Job, err error) {
	var due int64
	var id [16]byte
	err = rows.Scan(&job.ID, &due, &job.Kind, &id, &job.Tries, &job.Data)
	if len(job.Data) == 0 {
		job.Data = nil
	}
	job.Due, job.Run = store.Time(due), id
	return job, err
}

// FinishJob deletes a job. One that is gone is no error.
func (s *Store) FinishJob(ctx context.Context, id int64) error {
	if s.writer == nil {
		return store.ErrClosed
	}
	if s.cfg.Queue != nil {
		return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error { return s.cfg.Queue.Drop(ctx, tx, id) })
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
