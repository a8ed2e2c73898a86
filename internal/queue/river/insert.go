package river

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivertype"

	"errand/internal/run"
)

// Writer inserts jobs in the transactions of others. Make one with NewWriter.
type Writer struct {
	routes Routes
	now    func() time.Time
	client *river.Client[pgx.Tx]
	news   news // what Poke tells of
}

const (
	// ahead is how far ahead of their time River's leader makes jobs available, and
	// how often it does. What is due sooner is inserted as available, or it would
	// be late by up to this.
	ahead = 5 * time.Second
	// silence is how seldom River itself tells of new jobs in a queue: it would do it
	// in the event's transaction. Queue.Poke does it afterwards.
	silence = 24 * time.Hour
)

// NewWriter returns a writer that sends each kind of job to the queue that routes
// names; nil for the clock means time.Now, for the logger none.
func NewWriter(routes Routes, now func() time.Time, logger *slog.Logger) (*Writer, error) {
	if now == nil {
		now = time.Now
	}
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	w := &Writer{routes: routes, now: now}
	var err error
	w.client, err = river.NewClient(riverpgxv5.New(nil), &river.Config{
		Logger: calm(logger), MaxAttempts: maxAttempts, FetchCooldown: silence, FetchPollInterval: silence,
		Hooks: []rivertype.Hook{river.HookInsertBeginFunc(w.soon)},
	})
	if err != nil {
		return nil, fmt.Errorf("making the writer of jobs: %w", err)
	}
	return w, nil
}

// Insert writes jobs as part of tx: they are there when it commits, and never were
// when it does not. A job's Tries are kept, its ID is River's to choose.
func (w *Writer) Insert(ctx context.Context, tx pgx.Tx, jobs []run.Job) error {
	if len(jobs) == 0 {
		return nil
	}
	params := make([]river.InsertManyParams, len(jobs))
	for i := range jobs {
		var err error
		if params[i], err = w.params(&jobs[i]); err != nil {
			return fmt.Errorf("inserting a job of kind %q: %w", jobs[i].Kind, err)
		}
	}
	if _, err := w.client.InsertManyTx(ctx, tx, params); err != nil {
		return fmt.Errorf("inserting jobs: %w", err)
	}
	return nil
}

func (w *Writer) params(job *run.Job) (river.InsertManyParams, error) {
	options := &river.InsertOpts{Queue: w.routes.Queue(job.Kind)}
	if now := w.now(); job.Due.After(now) {
		options.ScheduledAt = job.Due
	} else {
		// It gets the database's time in place of its own: that clock may be behind
		// ours, and the job would seem to lie ahead.
		w.news.note(options.Queue, now)
	}
	if job.Tries > 0 {
		var err error
		if options.Metadata, err = json.Marshal(map[string]int{failuresKey: job.Tries}); err != nil {
			return river.InsertManyParams{}, err
		}
	}
	return river.InsertManyParams{Args: task{Name: job.Kind, Run: job.Run, Data: job.Data}, InsertOpts: options}, nil
}

// soon makes a job available that is due before River's leader would get to it.
func (w *Writer) soon(_ context.Context, p *rivertype.JobInsertParams) error {
	if p.State == rivertype.JobStateScheduled && p.ScheduledAt.Sub(w.now()) <= ahead {
		p.State = rivertype.JobStateAvailable
	}
	return nil
}

// Forget deletes jobs of a run, as part of tx, and no more than most of them; it
// returns how many. One that is being done stays.
func (w *Writer) Forget(ctx context.Context, tx pgx.Tx, id run.ID, most int) (int, error) {
	tag, err := tx.Exec(ctx, `DELETE FROM river_job WHERE id IN (
		SELECT id FROM river_job WHERE args @> jsonb_build_object('run', $1::text) AND state <> 'running' LIMIT $2)`, id.String(), most)
	if err != nil {
		return 0, fmt.Errorf("deleting the jobs of run %s: %w", id, err)
	}
	return int(tag.RowsAffected()), nil
}

// Loose lists jobs that belong to no run, by id, behind the given one; limit 0 = all.
func (w *Writer) Loose(ctx context.Context, tx pgx.Tx, after int64, limit int) ([]run.Job, error) {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	if there, err := migrated(ctx, tx); err != nil || !there {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, scheduled_at, args, metadata FROM river_job
		WHERE finalized_at IS NULL AND kind = $1 AND NOT args ? 'run' AND id > $2 ORDER BY id LIMIT $3`, task{}.Kind(), after, limit)
	if err != nil {
		return nil, fmt.Errorf("reading jobs of no run: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("reading jobs of no run: %w", err)
	}
	return jobs, nil
}

// Waiting lists jobs that nobody is doing, those that are due first, in that order, due or
// not; limit 0 = all.
func (w *Writer) Waiting(ctx context.Context, tx pgx.Tx, limit int) ([]run.Job, error) {
	if limit <= 0 {
		limit = math.MaxInt32
	}
	if there, err := migrated(ctx, tx); err != nil || !there {
		return nil, err
	}
	rows, err := tx.Query(ctx, `SELECT id, scheduled_at, args, metadata FROM river_job
		WHERE finalized_at IS NULL AND state <> 'running' AND kind = $1 ORDER BY scheduled_at, id LIMIT $2`, task{}.Kind(), limit)
	if err != nil {
		return nil, fmt.Errorf("reading the jobs that wait: %w", err)
	}
	jobs, err := pgx.CollectRows(rows, scan)
	if err != nil {
		return nil, fmt.Errorf("reading the jobs that wait: %w", err)
	}
	return jobs, nil
}

// Drop deletes a job that nobody is doing, as part of tx. One that is not there is no
// error.
func (w *Writer) Drop(ctx context.Context, tx pgx.Tx, id int64) error {
	if _, err := tx.Exec(ctx, "DELETE FROM river_job WHERE id = $1 AND state <> 'running'", id); err != nil {
		return fmt.Errorf("deleting job %d: %w", id, err)
	}
	return nil
}

// Strays counts jobs of runs that are not there.
func (w *Writer) Strays(ctx context.Context, tx pgx.Tx) (count int, err error) {
	if there, err := migrated(ctx, tx); err != nil || !there {
		return 0, err
	}
	err = tx.QueryRow(ctx, `SELECT count(*) FROM river_job WHERE finalized_at IS NULL AND kind = $1 AND args ? 'run'
		AND NOT EXISTS (SELECT FROM runs WHERE id = (args->>'run')::uuid)`, task{}.Kind()).Scan(&count)
	if err != nil {
		return 0, fmt.Errorf("counting River's jobs: %w", err)
	}
	return count, nil
}

// migrated reports whether the database has River's tables: no server has worked on one
// that has not, and so it has no jobs.
func migrated(ctx context.Context, tx pgx.Tx) (there bool, err error) {
	if err = tx.QueryRow(ctx, "SELECT to_regclass('river_job') IS NOT NULL").Scan(&there); err != nil {
		return false, fmt.Errorf("looking for the table of jobs: %w", err)
	}
	return there, nil
}
