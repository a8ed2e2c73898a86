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
	"github.com/riverqueue/river/rivertype"

	"errand/internal/problem"
	"errand/internal/queue"
	"errand/internal/run"
)

// task is a job as River keeps it. All our kinds are one kind of River's: its
// rescuer discards running jobs of kinds that the leader does not know, and during
// an upgrade the leader may be an old node. Data is base64 in the database, because
// jsonb refuses and rewrites some of what JSON may say.
type task struct {
	Name string `json:"kind"`
	Run  run.ID `json:"run,omitzero"`
	Data []byte `json:"data,omitempty"`
}

// Kind is River's name for all of them.
func (task) Kind() string { return "errand" }

// failuresKey is where a row's metadata has Job.Tries. River's own counter of
// attempts does not do: it also counts a node's death, holds 32,767, and ends the
// job there.
const failuresKey = "failures"

// maxAttempts is as high as River's column goes. Only failures of River's own count
// towards it: rows that can't be decoded, nodes that vanish.
const maxAttempts = math.MaxInt16

// hourly is when River tries again what failed without reaching a handler: years of
// attempts, in which somebody will have read the log.
type hourly struct{ *clock }

func (h hourly) NextRetry(*rivertype.JobRow) time.Time { return h.Now().Add(time.Hour) }

// scan reads a row of id, scheduled_at, args, metadata.
func scan(row pgx.CollectableRow) (run.Job, error) {
	var stored rivertype.JobRow
	if err := row.Scan(&stored.ID, &stored.ScheduledAt, &stored.EncodedArgs, &stored.Metadata); err != nil {
		return run.Job{}, err
	}
	var t task
	if err := json.Unmarshal(stored.EncodedArgs, &t); err != nil {
		return run.Job{}, fmt.Errorf("reading job %d: %w", stored.ID, err)
	}
	return t.job(&stored)
}

func (t task) job(row *rivertype.JobRow) (run.Job, error) {
	var noted map[string]json.RawMessage
	if err := json.Unmarshal(row.Metadata, &noted); err != nil {
		return run.Job{}, fmt.Errorf("reading what is noted of job %d: %w", row.ID, err)
	}
	job := run.Job{ID: row.ID, Kind: t.Name, Run: t.Run, Due: row.ScheduledAt.UTC(), Data: t.Data}
	if count, ok := noted[failuresKey]; ok {
		if err := json.Unmarshal(count, &job.Tries); err != nil {
			return run.Job{}, fmt.Errorf("reading what is noted of job %d: %w", row.ID, err)
		}
	}
	return job, nil
}

// worker hands River's jobs to our handlers.
type worker struct {
	river.WorkerDefaults[task]
	handlers queue.Handlers
	log      *slog.Logger
}

// Work runs the job's handler. A failure is a snooze to River, which keeps no errors
// in the row and ends no job for having too many of them.
func (w *worker) Work(ctx context.Context, stored *river.Job[task]) error {
	job, err := stored.Args.job(stored.JobRow)
	if err != nil {
		return err
	}
	if err = w.handlers.Handle(ctx, job); err == nil {
		return nil
	}
	if ctx.Err() != nil {
		// Interrupted, not failed: River sees by the cause that it is closing, and
		// gives the job to the next one.
		return fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	level := slog.LevelWarn
	if problem.Is(err, problem.Overloaded) {
		level = slog.LevelDebug // it came too early, as those of all runs that wait for room do
	}
	delay := queue.Delay(job.Tries, err)
	w.log.Log(ctx, level, "a job failed", "kind", job.Kind, "job", job.ID, "tries", job.Tries+1, "again_in", delay, "error", err)
	if err := river.MetadataSet(ctx, failuresKey, job.Tries+1); err != nil {
		return fmt.Errorf("counting a failure of job %d: %w", job.ID, err)
	}
	return river.JobSnooze(delay)
}
