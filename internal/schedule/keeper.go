package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Rows keeps schedules. A store has these methods.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// Rows lists rows of one kind and project in order of id.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Runs starts runs and knows how they stand. internal/app makes one of the engine.
type Runs interface {
	NewID() run.ID
	// Start makes a run, and what belongs to it, in one commit. A *run.RowConflict
	// says that a row was not as expected: then there is no run.
	Start(ctx context.Context, b Beginning) error
	// Summary returns a run's line, or not_found.
	Summary(ctx context.Context, id run.ID) (run.Summary, error)
}

// Beginning is a run that starts, with what is written in its first commit.
type Beginning struct {
	ID   run.ID
	Spec run.Spec
	Rows []run.RowWrite
	Jobs []run.Job
}

// Targets knows who can be started. internal/app makes one of saved agents and
// robots.
type Targets interface {
	// Resolve returns the target by id, or an invalid_request about agent or robot.
	Resolve(ctx context.Context, project string, t Target) (Target, error)
	// Spec is the run that a firing starts.
	Spec(ctx context.Context, o Order) (run.Spec, error)
	// Clock returns what starts a robot by itself: nil if nothing does, because it
	// has no clock, is not to work by itself, or is gone.
	Clock(ctx context.Context, project, robot string) (*Clock, error)
}

// Order is a firing.
type Order struct {
	Project string
	Target
	Input  string    // empty for a robot that finds its goals by itself
	Due    time.Time // the time that it is for
	Key    string    // id of the API key on whose word
	Scopes []string  // nil = what the key is granted now; a key that is void starts nothing
}

// Config is what a Keeper needs. All but Logger must be set.
type Config struct {
	Rows    Rows
	Runs    Runs
	Targets Targets
	Now     func() time.Time
	Logger  *slog.Logger // nil = none
}

// Keeper keeps schedules and fires them. Make one with New, and give its Handlers
// to the queue and Outbox to the engine.
type Keeper struct{ cfg Config }

// New checks the configuration.
func New(cfg Config) (*Keeper, error) {
	if cfg.Rows == nil || cfg.Runs == nil || cfg.Targets == nil || cfg.Now == nil {
		return nil, errors.New("schedule: Rows, Runs, Targets and Now must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Keeper{cfg}, nil
}

// Handlers do the keeper's jobs, by kind.
func (k *Keeper) Handlers() map[string]func(context.Context, run.Job) error {
	return map[string]func(context.Context, run.Job) error{
		FireJob: k.on(k.fire), EndJob: k.on(k.end), DrainJob: k.on(k.drain), FollowJob: k.followRobot,
	}
}

// now is the clock of what is stored: UTC, to the millisecond.
func (k *Keeper) now() time.Time { return k.cfg.Now().UTC().Truncate(time.Millisecond) }

// tries bounds how often a change is made anew because another one was quicker.
const tries = 20

// insist calls do until it meets no conflict.
func insist(do func() error) (err error) {
	for range tries {
		var conflict *run.RowConflict
		if err = do(); !errors.As(err, &conflict) {
			return err
		}
	}
	return err
}

// turn is a schedule that a job has come for.
type turn struct {
	Schedule
	plan plan
	now  time.Time
	read int64     // Turn as it was read: a new one needs a job
	due  time.Time // what a run that starts is for
}

// on makes a handler of what becomes of a schedule. One that is gone has no jobs
// to do.
func (k *Keeper) on(do func(context.Context, *turn, run.Job, ticket) error) func(context.Context, run.Job) error {
	return func(ctx context.Context, job run.Job) error {
		var t ticket
		if err := json.Unmarshal(job.Data, &t); err != nil {
			return fmt.Errorf("reading which schedule a job is for: %w", err)
		}
		return insist(func() error {
			s, err := k.find(ctx, t.Kind, t.Project, t.ID)
			if problem.Is(err, problem.NotFound) {
				return nil
			}
			if err != nil {
				return err
			}
			p, err := s.plan()
			if err != nil {
				return err
			}
			return do(ctx, &turn{Schedule: s, plan: p, now: k.now(), read: s.Turn}, job, t)
		})
	}
}

func (k *Keeper) find(ctx context.Context, kind, project, id string) (Schedule, error) {
	row, err := k.cfg.Rows.Row(ctx, kind, project, id)
	if err != nil {
		return Schedule{}, err
	}
	return readSchedule(&row)
}

// commit is what stores a turn: the schedule, the job of its next time if that is
// another one, and the job of what waits and may start.
func (t *turn) commit() (c run.Commit, err error) {
	write, err := t.write()
	if err != nil {
		return c, err
	}
	c.Rows = []run.RowWrite{write}
	if t.Turn != t.read && !t.Next.IsZero() {
		job, err := t.job(FireJob, t.Next)
		if err != nil {
			return c, err
		}
		c.Jobs = append(c.Jobs, job)
	}
	if t.Queued > 0 && len(t.Running) == 0 && !t.Paused {
		job, err := t.job(DrainJob, later(t.now, t.NotBefore))
		if err != nil {
			return c, err
		}
		c.Jobs = append(c.Jobs, job)
	}
	return c, nil
}

func (k *Keeper) store(ctx context.Context, t *turn) error {
	c, err := t.commit()
	if err != nil {
		return err
	}
	return k.cfg.Rows.Append(ctx, c)
}

// book books the ends of runs whose own job has not done so yet: whoever decides
// about the next run must know them.
func (k *Keeper) book(ctx context.Context, t *turn) error {
	for _, id := range slices.Clone(t.Running) {
		line, err := k.line(ctx, id)
		if err != nil {
			return err
		}
		if line.Status.Terminal() {
			t.ended(&t.plan, &line, t.now)
		}
	}
	return nil
}

// line is how a run stands. One that was deleted says nothing about the next one.
func (k *Keeper) line(ctx context.Context, id run.ID) (run.Summary, error) {
	line, err := k.cfg.Runs.Summary(ctx, id)
	switch {
	case problem.Is(err, problem.NotFound), err == nil && line.Deleted:
		return run.Summary{ID: id, Status: run.CancelledStatus}, nil
	}
	return line, err
}
