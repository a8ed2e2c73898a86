package project_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/project"
	"errand/internal/run"
	"errand/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var epoch = time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)

const day = 24 * time.Hour

var errCrash = errors.New("the process is gone")

// desk is a Keeper over a store in memory, with a clock to turn. After so many more
// writes it crashes, if that is not below zero.
type desk struct {
	*testing.T
	*memory.Store
	keeper *project.Keeper
	book   *auth.Book
	gate   *project.Gate
	files  *shelf
	now    time.Time

	mu      sync.Mutex
	writes  int // until it crashes
	made    uint64
	onClear func()
	stop    chan struct{}
}

func newDesk(t *testing.T, days int) *desk { return newDeskOf(t, days, 0) }

// newDeskOf is one whose changes others see only after some time.
func newDeskOf(t *testing.T, days int, settle time.Duration) *desk {
	t.Helper()
	d := &desk{T: t, now: epoch, writes: -1, stop: make(chan struct{}), gate: project.NewGate()}
	clock := func() time.Time { return d.now }
	d.Store = memory.New(memory.Config{Now: clock})
	d.book = auth.NewBook(d, clock)
	d.files = &shelf{desk: d, of: map[string][]string{}}
	var err error
	d.keeper, err = project.New(project.Config{
		Log: d, Rows: d, Jobs: d.Store, Book: d.book, Runs: d, Files: d.files, Index: d.files, Gate: d.gate, Days: days, Now: clock,
		Traces: func(_ context.Context, s *run.State, _ time.Time) (project.Traces, error) {
			return project.Traces{Rows: []run.Row{{Kind: "note", Project: s.Spec.Project, ID: s.ID.String()}}, Files: []string{"file_" + s.ID.String()}}, nil
		},
		Forget: func(string) {}, Step: 3, // small, so that there are many
		Stop: d.stop, Settle: settle,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.book.EnsureAdmin(t.Context(), "correct horse battery"); err != nil {
		t.Fatal(err)
	}
	return d
}

// spend counts a write, or crashes.
func (d *desk) spend() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.writes == 0 {
		return errCrash
	}
	d.writes--
	return nil
}

// Append stands where the server has its gate.
func (d *desk) Append(ctx context.Context, c run.Commit) error {
	if err := errors.Join(d.gate.Check(ctx, &c), d.spend()); err != nil {
		return err
	}
	err := d.Store.Append(ctx, c)
	if err == nil {
		d.gate.Written(&c)
	}
	return err
}

func (d *desk) Purge(ctx context.Context, ids []run.ID, most int) (int, error) {
	if err := d.spend(); err != nil {
		return 0, err
	}
	return d.Store.Purge(ctx, ids, most)
}

// Cancel ends a run, as an engine would.
func (d *desk) Cancel(ctx context.Context, project string, id run.ID, _ run.Cancel) (run.State, error) {
	line, err := d.Summary(ctx, id)
	if err != nil || line.Project != project || line.Status.Terminal() {
		return run.State{}, errors.Join(err, problem.New(problem.Conflict, "ended"))
	}
	line.Status, line.EndedAt, line.Live = run.CancelledStatus, d.now, false
	e := d.event(line.Seq+1, run.Event{Type: run.CancelRequested, Cancel: &run.Cancel{}})
	return run.State{}, d.Store.Append(ctx, run.Commit{Runs: []run.Append{{ID: id, Expected: line.Seq, Events: []run.Event{e}, Summary: line}}})
}

// shelf is the files and the index of projects.
type shelf struct {
	*desk
	mu sync.Mutex
	of map[string][]string
}

func (s *shelf) Delete(_ context.Context, project, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := slices.Index(s.of[project], id)
	if at < 0 {
		return problem.New(problem.NotFound, "There is no file %q.", id)
	}
	s.of[project] = slices.Delete(s.of[project], at, at+1)
	return nil
}

func (s *shelf) Clear(_ context.Context, project string, limit int) (int, error) {
	if err := s.spend(); err != nil {
		return 0, err
	}
	if s.onClear != nil {
		s.onClear()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	n := min(limit, len(s.of[project]))
	s.of[project] = s.of[project][n:]
	return n, nil
}

func (d *desk) event(seq int64, e run.Event) run.Event {
	d.made++
	e.Seq, e.ID, e.At = seq, d.made, d.now
	return e
}

// past is a run that ended so long ago; zero = it has not ended. It has a note, a file
// and a job.
func (d *desk) past(project string, n int, ago time.Duration, change func(*run.Spec)) run.ID {
	d.Helper()
	id := run.NewID(epoch.Add(-400*day).Add(time.Duration(n)*time.Second), 0, uint64(n))
	spec := run.Spec{Project: project, Dialect: "native", Model: "m", Input: run.Message{Role: run.User, Text: fmt.Sprint("task ", n)}}
	if change != nil {
		change(&spec)
	}
	line := run.Summary{ID: id, Project: project, Dialect: "native", Model: "m", Status: run.Running, Live: true, Title: fmt.Sprint("task ", n), CreatedAt: id.Time(), UpdatedAt: id.Time(), Seq: 4}
	if ago > 0 {
		line.Status, line.Live, line.EndedAt = run.Completed, false, d.now.Add(-ago)
	}
	events := []run.Event{d.event(1, run.Event{Type: run.RunCreated, Created: &run.Created{Spec: spec}})}
	for seq := int64(2); seq <= line.Seq; seq++ {
		events = append(events, d.event(seq, run.Event{Type: run.MessageAdded, Message: &run.Added{Text: "x"}}))
	}
	note := run.RowWrite{Row: run.Row{Kind: "note", Project: project, ID: id.String(), Data: []byte(`{}`)}}
	err := d.Store.Append(d.Context(), run.Commit{
		Runs: []run.Append{{ID: id, Events: events, Summary: line}}, Rows: []run.RowWrite{note},
		Jobs: []run.Job{{Kind: "tell", Run: id, Due: d.now}},
	})
	if err != nil {
		d.Fatal(err)
	}
	d.files.of[project] = append(d.files.of[project], "file_"+id.String())
	return id
}

// add makes a project that keeps runs for so many days; below zero = as the server says.
func (d *desk) add(name string, days int) {
	d.Helper()
	if _, err := d.book.AddProject(d.Context(), name, nil); err != nil {
		d.Fatal(err)
	}
	if days < 0 {
		return
	}
	if _, err := d.book.SetRetention(d.Context(), name, &days); err != nil {
		d.Fatal(err)
	}
}

// runs are those of a project that are there.
func (d *desk) runs(project string) (there []run.ID) {
	d.Helper()
	lines, err := d.Past(d.Context(), project, time.Time{}, run.ID{}, 0)
	if err != nil {
		d.Fatal(err)
	}
	for i := range lines {
		there = append(there, lines[i].ID)
	}
	return there
}

// wantWhole checks that these runs are there with all that is about them, and no others.
func (d *desk) wantWhole(project string, want ...run.ID) {
	d.Helper()
	slices.SortFunc(want, func(a, b run.ID) int { return slices.Compare(a[:], b[:]) })
	if there := d.runs(project); !slices.Equal(there, want) {
		d.Errorf("%s has runs %v, want %v", project, there, want)
	}
	var files []string
	for _, id := range want {
		if events, err := d.Load(d.Context(), id, 0, 0); err != nil || len(events) != 4 {
			d.Errorf("run %s has %d events, error %v", id, len(events), err)
		}
		files = append(files, "file_"+id.String())
	}
	notes, err := d.Rows(d.Context(), run.RowQuery{Kind: "note", Project: project})
	if err != nil || len(notes) != len(want) {
		d.Errorf("%s has %d notes for %d runs, error %v", project, len(notes), len(want), err)
	}
	has := slices.Sorted(slices.Values(d.files.of[project]))
	if slices.Sort(files); !slices.Equal(has, files) {
		d.Errorf("%s has files %v, want %v", project, has, files)
	}
	for _, job := range d.jobs("tell") {
		if line, err := d.Summary(d.Context(), job.Run); err != nil || line.Deleted {
			d.Errorf("a job of run %s is there, and the run is not (%v)", job.Run, err)
		}
	}
}

func (d *desk) jobs(kind string) (found []run.Job) {
	d.Helper()
	all, err := d.Store.Jobs(d.Context(), 0)
	if err != nil {
		d.Fatal(err)
	}
	for _, job := range all {
		if job.Kind == kind {
			found = append(found, job)
		}
	}
	return found
}

// work does the jobs of one kind that are due, and reports whether it was not cut off.
func (d *desk) work(kind string) bool {
	d.Helper()
	for _, job := range d.jobs(kind) {
		if job.Due.After(d.now) {
			continue
		}
		if err := d.keeper.Handlers()[kind](d.Context(), job); errors.Is(err, errCrash) {
			return false
		} else if err != nil {
			d.Fatal(err)
		}
		if err := d.FinishJob(d.Context(), job.ID); err != nil {
			d.Fatal(err)
		}
	}
	return true
}

// lines are the actions in the audit log of a project.
func (d *desk) lines(project string) (actions []string) {
	d.Helper()
	all, err := d.Audits(d.Context(), project, 0, 0)
	if err != nil {
		d.Fatal(err)
	}
	for i := range all {
		actions = append(actions, all[i].Action)
	}
	return actions
}

// keeperNow is the clock.
func (d *desk) keeperNow() time.Time { return d.now }

func mustJSON(t *testing.T, value any) []byte {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
