package project

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"errand/internal/auth"
	"errand/internal/run"
)

// Kinds of jobs, and of the one row that says which sweep is due.
const (
	SweepJob = "project.sweep" // remove the runs that are too old, of all projects
	EraseJob = "project.erase" // remove one project

	sweepKind = "retention" // in project "": the server's
	sweepID   = "sweep"
)

// Steps are small: who writes meanwhile waits for one of them at most.
const (
	pageSize  = 100 // runs or rows that are looked at at once
	stepRows  = 500 // rows of runs that one commit removes
	sweepTime = time.Hour
	longest   = time.Second // rest between two steps
)

// Log has the runs. A store has these methods.
type Log interface {
	// Summary returns the run's line, or a not_found problem.
	Summary(ctx context.Context, id run.ID) (run.Summary, error)
	// Load returns the run's events after the given seq, in order; limit 0 = all.
	Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error)
	// Past lists runs of one project, oldest first, behind the given id, deleted ones
	// included: those that ended before a time, or with the zero time all of them.
	Past(ctx context.Context, project string, ended time.Time, after run.ID, limit int) ([]run.Summary, error)
	// Purge removes runs that have ended, and no more than most rows of them in one
	// commit; fewer say that nothing is left of them.
	Purge(ctx context.Context, runs []run.ID, most int) (removed int, err error)
}

// Rows keeps what is no run. A store has these methods.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// Rows lists rows of one kind and project in order of id.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
	// Kinds names the kinds of rows that a project has.
	Kinds(ctx context.Context, project string) ([]string, error)
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Jobs are those that are waiting. A store has these methods.
type Jobs interface {
	// LooseJobs lists jobs that belong to no run, by id, behind the given one.
	LooseJobs(ctx context.Context, after int64, limit int) ([]run.Job, error)
	// FinishJob deletes a job. One that is gone is no error.
	FinishJob(ctx context.Context, id int64) error
}

// Runs ends runs. An engine has this method.
type Runs interface {
	// Cancel ends a run, and waits a while for calls under way.
	Cancel(ctx context.Context, project string, id run.ID, c run.Cancel) (run.State, error)
}

// Files keeps files. A file.Store has these methods.
type Files interface {
	// Delete removes one, or is not_found.
	Delete(ctx context.Context, project, id string) error
	// Clear removes up to limit files of a project and returns how many there were.
	Clear(ctx context.Context, project string, limit int) (int, error)
}

// Index is the search index. An index.Index has this method.
type Index interface {
	// Clear removes up to limit documents of a project, and its sources with the last
	// of them, and returns how many of both there were.
	Clear(ctx context.Context, project string, limit int) (int, error)
}

// Traces are what is about one run alone, beside its log.
type Traces struct {
	Rows  []run.Row // Kind, Project and ID count
	Files []string  // ids
}

// Config is what a Keeper needs. Log, Rows, Book and Now must be set, and for its jobs
// all of the rest but Logger.
type Config struct {
	Log   Log
	Rows  Rows
	Book  *auth.Book
	Jobs  Jobs
	Runs  Runs
	Files Files
	Index Index
	Gate  *Gate
	// Days is for how long runs are kept after their end where their project says
	// nothing; 0 = for ever.
	Days int
	// Traces finds what is about a run alone, when all runs go that ended before a time.
	Traces func(ctx context.Context, s *run.State, ended time.Time) (Traces, error)
	// Forget lets go of what is kept in memory of a project that is being erased.
	Forget func(project string)
	Step   int // rows of runs that one commit removes; 0 = 500
	// Settle is how long other nodes may believe what this one has changed: an erasure
	// looks once more after it. 0 = there is one node alone.
	Settle time.Duration
	// Stop is closed when the server begins to stop: what is under way ends with its
	// step, and goes on at the next start. Nil = never.
	Stop   <-chan struct{}
	Now    func() time.Time
	Logger *slog.Logger // nil = none
}

// Keeper keeps projects to what they say. Make one with New, give its Handlers to the
// queue, and call Start before that begins.
type Keeper struct {
	cfg            Config
	swept, erased  atomic.Int64 // runs that went because they were too old; projects
	rows, recently atomic.Int64

	looking sync.Mutex           // guards what follows
	shut    map[string]time.Time // projects that are being erased, and when they were made
}

// New checks the configuration.
func New(cfg Config) (*Keeper, error) {
	if cfg.Log == nil || cfg.Rows == nil || cfg.Book == nil || cfg.Now == nil {
		return nil, errors.New("project: Log, Rows, Book and Now must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Step == 0 {
		cfg.Step = stepRows
	}
	return &Keeper{cfg: cfg, shut: map[string]time.Time{}}, nil
}

// Handlers do the keeper's jobs, by kind.
func (k *Keeper) Handlers() map[string]func(context.Context, run.Job) error {
	return map[string]func(context.Context, run.Job) error{SweepJob: k.sweep, EraseJob: k.erase}
}

// Start shuts the projects that are being erased, and sees to it that a sweep is due:
// the settings may be others than before.
func (k *Keeper) Start(ctx context.Context) error {
	err := k.Look(ctx)
	if failed := k.Nudge(ctx); failed != nil {
		// A full disk must not keep the server from being read.
		k.cfg.Logger.Warn("looking for runs that are too old has to wait", "error", failed)
	}
	return err
}

// Look shuts the gate before projects that are being erased, whichever node was asked to,
// and opens it where a new project has the name of one that is gone.
func (k *Keeper) Look(ctx context.Context) error {
	k.looking.Lock()
	defer k.looking.Unlock()
	return k.each(ctx, func(p *auth.Project) error {
		shut, was := k.shut[p.Name]
		switch {
		case p.Erasure != nil:
			k.shut[p.Name] = p.Created
			k.cfg.Gate.Shut(p.Name)
		case was && !shut.Equal(p.Created):
			delete(k.shut, p.Name)
			k.cfg.Gate.Open(p.Name)
		}
		return nil
	})
}

// Figures are what the keeper has done since the server has started.
type Figures struct {
	Swept  int64 // runs that were removed because they were too old
	Erased int64 // projects
	Rows   int64 // of both, rows of runs
	Last   int64 // Unix seconds: when a sweep was last at its end
}

// Figures returns them.
func (k *Keeper) Figures() Figures {
	return Figures{Swept: k.swept.Load(), Erased: k.erased.Load(), Rows: k.rows.Load(), Last: k.recently.Load()}
}

// each passes all projects to do, by name.
func (k *Keeper) each(ctx context.Context, do func(*auth.Project) error) error {
	for after := ""; ; {
		page, err := k.cfg.Book.Projects(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for i := range page {
			if err := do(&page[i]); err != nil {
				return err
			}
		}
		if len(page) < pageSize {
			return nil
		}
		after = page[len(page)-1].Name
	}
}

// rest waits as long as the step before took, so that removing takes half of the
// store's time at most.
func (k *Keeper) rest(ctx context.Context, began time.Time) error {
	return k.wait(ctx, min(k.cfg.Now().Sub(began), longest))
}

// wait waits, unless the server stops.
func (k *Keeper) wait(ctx context.Context, d time.Duration) error {
	select {
	case <-k.cfg.Stop: // also when there is nothing to wait for
		return errStopping
	default:
	}
	timer := time.NewTimer(max(d, 0))
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-k.cfg.Stop:
		return errStopping
	case <-ctx.Done():
		return ctx.Err()
	}
}

var errStopping = errors.New("the server stops: this goes on at its next start")

// purge removes runs, step by step.
func (k *Keeper) purge(ctx context.Context, ids []run.ID) error {
	for {
		began := k.cfg.Now()
		removed, err := k.cfg.Log.Purge(ctx, ids, k.cfg.Step)
		k.rows.Add(int64(removed))
		if err != nil || removed < k.cfg.Step {
			return err
		}
		if err := k.rest(ctx, began); err != nil {
			return err
		}
	}
}
