package storetest

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// ended is a run that has ended when the n-th run was made, and so much later.
func (f *fixture) ended(n int, after time.Duration) run.Append {
	return f.created(n, func(line *run.Summary) {
		line.Status, line.Live, line.EndedAt = run.Completed, false, line.CreatedAt.Add(after)
	})
}

// pastRuns lists what ended before a time, oldest first, and what was deleted.
func pastRuns(f *fixture) {
	other := f.ended(7, 0)
	other.Summary.Project = "other"
	f.append(f.ended(1, time.Hour), f.created(2, nil), f.ended(3, 0), f.ended(4, 24*time.Hour), f.ended(5, 0), other)
	gone := f.next(3, 0, message("last words"))
	gone.Summary.Deleted = true
	f.append(gone)
	cutoff := id(1).Time().Add(2 * time.Hour)
	for _, story := range []struct {
		name  string
		ended time.Time
		after int
		limit int
		want  []int
	}{
		{"ended before a time", cutoff, 0, 0, []int{1, 3, 5}},
		{"at that time is not before it", id(5).Time(), 0, 0, []int{3}},
		{"all", time.Time{}, 0, 0, []int{1, 2, 3, 4, 5}},
		{"a page", cutoff, 1, 1, []int{3}},
		{"the last page", cutoff, 3, 2, []int{5}},
		{"nothing behind the last", time.Time{}, 5, 2, nil},
	} {
		var after run.ID
		if story.after > 0 {
			after = id(story.after)
		}
		lines, err := f.s.Past(f.ctx(), "default", story.ended, after, story.limit)
		var got []int
		for i := range lines {
			for n := range 9 {
				if id(n) == lines[i].ID {
					got = append(got, n)
				}
			}
		}
		if err != nil || !slices.Equal(got, story.want) {
			f.Errorf("%s: runs %v, want %v (error %v)", story.name, got, story.want, err)
		}
	}
	if lines, err := f.s.Past(f.ctx(), "default", cutoff, id(1), 1); err != nil || len(lines) != 1 || !lines[0].Deleted {
		f.Errorf("a deleted run shows as %+v, error %v", lines, err)
	}
}

// purging removes runs with their jobs in commits of bounded size, and what is left
// of one between two of them is no run.
func purging(f *fixture) {
	long := f.ended(1, 0)
	for n := range 5 {
		long.Events = append(long.Events, f.event(int64(n+2), message("x")))
	}
	long.Summary.Seq = 6
	f.commit(run.Commit{
		Runs: []run.Append{long, f.ended(2, 0), f.ended(3, 0), f.created(4, nil)},
		Jobs: []run.Job{{Kind: "told", Run: id(1), Due: epoch}, {Kind: "stays", Run: id(3), Due: epoch}, {Kind: "loose", Due: epoch}},
	})
	if n, err := f.s.Purge(f.ctx(), []run.ID{id(2), id(4)}, 100); !errors.Is(err, run.ErrConflict) || n != 0 {
		f.Fatalf("a run that has not ended: %d rows went, error %v, want a conflict", n, err)
	}
	if len(f.load(2)) != 1 || f.line(2).Deleted {
		f.Error("a purge that was refused has changed a run")
	}
	both := []run.ID{id(1), id(2)}
	for n, want := range []struct {
		removed int
		there   []int // runs with a line
		listed  int
	}{
		{4, []int{1, 2, 3, 4}, 3}, // four events of the long one
		{4, []int{2, 3, 4}, 3},    // two events, a job and the line
		{2, []int{3, 4}, 2},       // all of the short one
		{0, []int{3, 4}, 2},
	} {
		removed, err := f.s.Purge(f.ctx(), both, 4)
		if err != nil || removed != want.removed {
			f.Fatalf("step %d: %d rows went, want %d (error %v)", n, removed, want.removed, err)
		}
		f.wantThere(n, want.there, want.listed)
	}
	f.wantJobs("stays", "loose")
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{f.ended(1, 0)}}); err != nil {
		f.Errorf("nothing is left of a run, and its id can't be used: %v", err)
	}
}

// wantThere checks which of the runs 1 to 4 have a line, that one whose removal has
// begun has no log any more, and how many are listed.
func (f *fixture) wantThere(step int, want []int, listed int) {
	f.Helper()
	var there []int
	for n := 1; n <= 4; n++ {
		line, err := f.s.Summary(f.ctx(), id(n))
		if err != nil {
			f.wantNotFound(err)
			continue
		}
		there = append(there, n)
		if has := len(f.load(n)) > 0; has == line.Deleted {
			f.Errorf("step %d: run %d is deleted: %v; has a log: %v", step, n, line.Deleted, has)
		}
	}
	if !slices.Equal(there, want) {
		f.Errorf("step %d: there are runs %v, want %v", step, there, want)
	}
	if lines, err := f.s.Runs(f.ctx(), run.RunQuery{Project: "default"}); err != nil || len(lines) != listed {
		f.Errorf("step %d: %d runs are listed, want %d (error %v)", step, len(lines), listed, err)
	}
}

// kindsOfRows are those that a project has now.
func kindsOfRows(f *fixture) {
	row := func(kind, project, id string, expires time.Time) run.RowWrite {
		return run.RowWrite{Row: run.Row{Kind: kind, Project: project, ID: id, Expires: expires, Data: []byte("{}")}, Expect: run.AnyVersion}
	}
	f.mustPut(row("tool", "default", "a", time.Time{}), row("agent", "default", "a", time.Time{}), row("agent", "default", "b", time.Time{}),
		row("key", "", "a", time.Time{}), row("file", "other", "a", time.Time{}), row("brief", "default", "a", epoch.Add(time.Hour)))
	f.wantKinds("default", "agent", "brief", "tool")
	f.clock.advance(2 * time.Hour)
	gone := row("tool", "default", "a", time.Time{})
	gone.Delete = true
	f.mustPut(gone)
	f.wantKinds("default", "agent")
	f.wantKinds("", "key")
	f.wantKinds("nobody")
}

func (f *fixture) wantKinds(project string, want ...string) {
	f.Helper()
	got, err := f.s.Kinds(f.ctx(), project)
	if err != nil || !slices.Equal(got, want) {
		f.Errorf("%q has rows of kinds %q, want %q (error %v)", project, got, want, err)
	}
}

// looseJobs are those of no run, by page.
func looseJobs(f *fixture) {
	var c run.Commit
	for n := range 4 {
		c.Jobs = append(c.Jobs, run.Job{Kind: fmt.Sprint("loose ", n), Due: epoch.Add(-time.Duration(n) * time.Hour), Data: []byte(`{"project":"p"}`)},
			run.Job{Kind: "a run's", Run: id(n + 1), Due: epoch})
	}
	f.commit(c)
	var got []string
	for after, page := int64(0), 0; page < 5; page++ {
		jobs, err := f.s.LooseJobs(f.ctx(), after, 3)
		if err != nil {
			f.Fatal(err)
		}
		for i := range jobs {
			got, after = append(got, jobs[i].Kind+" "+string(jobs[i].Data)), jobs[i].ID
		}
	}
	want := []string{`loose 0 {"project":"p"}`, `loose 1 {"project":"p"}`, `loose 2 {"project":"p"}`, `loose 3 {"project":"p"}`}
	if diff := cmp.Diff(want, got); diff != "" {
		f.Errorf("jobs of no run (-want +got):\n%s", diff)
	}
}
