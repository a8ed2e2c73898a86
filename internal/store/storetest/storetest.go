// Package storetest is the suite that every store passes: what the engine and
// the APIs rely on, as tests.
//
// A store calls Run from a test of its own with a way to open it. Each chapter
// begins with an empty store. Chapters that need a restart are skipped, visibly,
// by stores that forget.
//
// To demand something of all stores, add a chapter here; what only one store
// promises is tested in its own package.
package storetest

import (
	"context"
	"sync"
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
)

// Log, Lists, Rows and Jobs are a store's parts, as its users see them.
type (
	Log interface {
		Submit(c run.Commit, done func(error))
		Append(ctx context.Context, c run.Commit) error
		Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error)
		Summary(ctx context.Context, id run.ID) (run.Summary, error)
	}
	Lists interface {
		Live(ctx context.Context) ([]run.ID, error)
		Runs(ctx context.Context, q run.RunQuery) ([]run.Summary, error)
		Count(ctx context.Context, project, agent string) (map[run.Status]int, error)
		Recent(ctx context.Context, since time.Time, each func(*run.Summary)) error
		Audits(ctx context.Context, project string, after int64, limit int) ([]run.Audit, error)
		Spent(ctx context.Context, project string, from, to run.Day) ([]run.Spend, error)
	}
	Rows interface {
		Row(ctx context.Context, kind, project, id string) (run.Row, error)
		RowByName(ctx context.Context, kind, project, name string) (run.Row, error)
		Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
	}
	Jobs interface {
		Jobs(ctx context.Context, limit int) ([]run.Job, error)
		FinishJob(ctx context.Context, id int64) error
		RetryJob(ctx context.Context, id int64, due time.Time) error
		OnJobs(poke func())
	}
	// Past is what retention, export and erasure of a project ask for beside the rest.
	Past interface {
		// Past lists runs of one project, oldest first, behind the given id, deleted ones
		// included: those that ended before a time, or with the zero time all of them;
		// limit 0 = all.
		Past(ctx context.Context, project string, ended time.Time, after run.ID, limit int) ([]run.Summary, error)
		// Purge removes runs that have ended, in the given order: their events, their
		// jobs, their lines, and no more than most of these in this one commit. It
		// returns how many went; fewer than most say that nothing is left of the runs.
		// From the commit on in which its first event goes a run is deleted to whoever
		// looks. One that is not there is no error; one that has not ended is
		// run.ErrConflict, and then nothing goes.
		Purge(ctx context.Context, runs []run.ID, most int) (removed int, err error)
		// Kinds names the kinds of rows that a project has, in order.
		Kinds(ctx context.Context, project string) ([]string, error)
		// LooseJobs lists jobs that belong to no run, by id, behind the given one.
		LooseJobs(ctx context.Context, after int64, limit int) ([]run.Job, error)
	}
	Store interface {
		Log
		Lists
		Rows
		Jobs
		Past
		Ping(ctx context.Context) error
		Stats() store.Stats
		Close() error
	}
)

// Harness says how to open the store under test.
type Harness struct {
	// Open returns a new, empty store that t's cleanup closes.
	Open func(t *testing.T, now func() time.Time) Store
	// Shared says that several nodes can have the store: it keeps Summary.Driver, holds
	// runs to Append.Bound, and has the methods Places and Draw.
	Shared bool
	// Enter makes a node known to a Shared store that asks which there are.
	Enter func(t *testing.T, s Store, node string)
	// Reopen closes a store and opens it again; nil for a store that forgets.
	Reopen func(t *testing.T, s Store) Store
}

// Run runs every chapter.
func Run(t *testing.T, h Harness) {
	for _, chapter := range []struct {
		name string
		test func(*fixture)
	}{
		{"AppendAndLoad", appendAndLoad},
		{"CompareAndSet", compareAndSet},
		{"SeveralRunsInOneCommit", severalRuns},
		{"Mistakes", mistakes},
		{"TwoDrivers", twoDrivers},
		{"Takeovers", takeovers},
		{"Drivers", drivers},
		{"Lanes", lanes},
		{"Rates", rates},
		{"Deletion", deletion},
		{"Live", live},
		{"Rows", rowLife},
		{"RowNames", rowNames},
		{"RowChecks", rowChecks},
		{"RowExpiry", rowExpiry},
		{"RowLists", rowLists},
		{"RunLists", runLists},
		{"RunPages", runPages},
		{"Searching", searching},
		{"RunCounts", runCounts},
		{"Recent", recent},
		{"Spending", spending},
		{"Audit", audit},
		{"Jobs", jobLife},
		{"LooseJobs", looseJobs},
		{"PastRuns", pastRuns},
		{"Purge", purging},
		{"RowKinds", kindsOfRows},
		{"ConcurrentWriters", concurrentWriters},
		{"AnswersInOrder", answersInOrder},
		{"Closing", closing},
		{"Restart", restart},
	} {
		t.Run(chapter.name, func(t *testing.T) {
			clock := &clock{at: epoch}
			chapter.test(&fixture{T: t, h: h, s: h.Open(t, clock.Now), clock: clock})
		})
	}
}

// epoch is when all stories begin: any time will do, but for its milliseconds,
// which must survive.
var epoch = time.Date(2026, 3, 1, 12, 0, 0, 123e6, time.UTC)

type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

// fixture is one chapter's store, with words for its stories.
type fixture struct {
	*testing.T
	h     Harness
	s     Store
	clock *clock
	ids   uint64
}

func (f *fixture) ctx() context.Context { return f.Context() }

// id makes the n-th run's id; ids order as n does.
func id(n int) run.ID { return run.NewID(epoch.Add(time.Duration(n)*time.Second), 0, 7) }

// event makes one with a writer's id that nobody else has.
func (f *fixture) event(seq int64, e run.Event) run.Event {
	f.ids++
	e.Seq, e.ID, e.At = seq, f.ids<<32|uint64(seq)|1<<63, epoch.Add(time.Duration(seq)*time.Second)
	return e
}

func message(text string) run.Event {
	return run.Event{Type: run.MessageAdded, Message: &run.Added{Text: text}}
}

func driven(epoch int64) run.Event {
	return run.Event{Type: run.RunDriven, Driven: &run.Driven{Epoch: epoch}}
}

// created begins a run: epoch 1, running, live.
func (f *fixture) created(n int, change func(*run.Summary)) run.Append {
	line := run.Summary{
		ID: id(n), Project: "default", Dialect: "native", Model: "m", Status: run.Running,
		Seq: 1, Epoch: 1, MaxSteps: 8, Live: true, Title: "a title", Fingerprint: "print",
		CreatedAt: id(n).Time(), UpdatedAt: id(n).Time(),
	}
	if change != nil {
		change(&line)
	}
	spec := run.Spec{Project: line.Project, Dialect: line.Dialect, Model: line.Model}
	return run.Append{
		ID: line.ID, Epoch: line.Epoch, Summary: line,
		Events: []run.Event{f.event(1, run.Event{Type: run.RunCreated, Created: &run.Created{Spec: spec}})},
	}
}

// next appends events to the run as it is stored now.
func (f *fixture) next(n int, driver int64, events ...run.Event) run.Append {
	f.Helper()
	line := f.line(n)
	a := run.Append{ID: id(n), Epoch: driver, Expected: line.Seq, Summary: line}
	for i, e := range events {
		a.Events = append(a.Events, f.event(line.Seq+int64(i)+1, e))
	}
	a.Summary.Seq += int64(len(events))
	return a
}

func (f *fixture) line(n int) run.Summary {
	f.Helper()
	line, err := f.s.Summary(f.ctx(), id(n))
	if err != nil {
		f.Fatal(err)
	}
	return line
}

func (f *fixture) load(n int) []run.Event {
	f.Helper()
	events, err := f.s.Load(f.ctx(), id(n), 0, 0)
	if err != nil {
		f.Fatal(err)
	}
	return events
}

func (f *fixture) append(appends ...run.Append) {
	f.Helper()
	f.commit(run.Commit{Runs: appends})
}

func (f *fixture) commit(c run.Commit) {
	f.Helper()
	if err := f.s.Append(f.ctx(), c); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) put(rows ...run.RowWrite) error {
	return f.s.Append(f.ctx(), run.Commit{Rows: rows})
}

func (f *fixture) mustPut(rows ...run.RowWrite) {
	f.Helper()
	if err := f.put(rows...); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) wantNotFound(err error) {
	f.Helper()
	if !problem.Is(err, problem.NotFound) {
		f.Errorf("got %v, want a not_found problem", err)
	}
}
