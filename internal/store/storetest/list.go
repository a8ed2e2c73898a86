package storetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

func tool(id, name string, expect int64) run.RowWrite {
	return run.RowWrite{Row: run.Row{Kind: "tool", Project: "p", ID: id, Name: name, Data: []byte(name)}, Expect: expect}
}

func (f *fixture) wantRowConflict(err error, name bool) {
	f.Helper()
	var conflict *run.RowConflict
	if !errors.As(err, &conflict) || conflict.Name != name {
		f.Errorf("got %v, want a row conflict (of names: %v)", err, name)
	}
}

func rowLife(f *fixture) {
	first := tool("t1", "mail", run.MustNotExist)
	first.Created, first.Data = epoch, []byte("one \x00 two")
	f.mustPut(first)
	want := first.Row
	want.Version = 1
	got, err := f.s.Row(f.ctx(), "tool", "p", "t1")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		f.Errorf("error %v (-want +got):\n%s", err, diff)
	}
	f.wantRowConflict(f.put(first), false)
	f.wantRowConflict(f.put(tool("t1", "mail", 2)), false)
	f.wantRowConflict(f.put(tool("t2", "other", 1)), false)
	f.mustPut(tool("t1", "post", 1))
	f.mustPut(tool("t1", "post", run.AnyVersion))
	if got, err = f.s.Row(f.ctx(), "tool", "p", "t1"); err != nil || got.Version != 3 || got.Name != "post" {
		f.Errorf("after three writes: %+v, error %v", got, err)
	}
	for _, other := range [][3]string{{"tool", "q", "t1"}, {"agent", "p", "t1"}, {"tool", "p", "t2"}} {
		_, err := f.s.Row(f.ctx(), other[0], other[1], other[2])
		f.wantNotFound(err)
	}
	stale := tool("t1", "", 2)
	stale.Delete = true
	f.wantRowConflict(f.put(stale), false)
	gone := tool("t1", "", 3)
	gone.Delete = true
	f.mustPut(gone)
	_, err = f.s.Row(f.ctx(), "tool", "p", "t1")
	f.wantNotFound(err)
	gone.Expect = run.AnyVersion
	f.mustPut(gone) // nothing there: nothing to do
}

func rowNames(f *fixture) {
	f.mustPut(tool("t1", "mail", 0))
	f.wantRowConflict(f.put(tool("t2", "mail", 0)), true)
	elsewhere := tool("t2", "mail", 0)
	elsewhere.Project = "q"
	f.mustPut(elsewhere)
	f.mustPut(tool("t3", "", 0), tool("t4", "", 0)) // no name is no name
	// In one commit: what one gives up another can take, but not before.
	f.wantRowConflict(f.put(tool("t2", "mail", 0), tool("t1", "post", 1)), true)
	f.mustPut(tool("t1", "post", 1), tool("t2", "mail", 0))
	f.wantRowConflict(f.put(tool("t5", "fresh", 0), tool("t6", "fresh", 0)), true)
	_, err := f.s.Row(f.ctx(), "tool", "p", "t5")
	f.wantNotFound(err)
	if row, err := f.s.RowByName(f.ctx(), "tool", "p", "mail"); err != nil || row.ID != "t2" {
		f.Errorf("mail is %+v, error %v", row, err)
	}
	_, err = f.s.RowByName(f.ctx(), "tool", "p", "fresh")
	f.wantNotFound(err)
	_, err = f.s.RowByName(f.ctx(), "tool", "p", "")
	f.wantNotFound(err)
	gone := tool("t2", "", 1)
	gone.Delete = true
	f.mustPut(gone, tool("t7", "mail", 0))
}

func rowChecks(f *fixture) {
	f.mustPut(tool("t1", "mail", 0))
	f.append(f.created(1, nil))
	check := tool("t1", "", 1)
	check.Check = true
	commit := func() error {
		return f.s.Append(f.ctx(), run.Commit{
			Runs: []run.Append{f.next(1, 1, message("x"))}, Rows: []run.RowWrite{check},
		})
	}
	if err := commit(); err != nil {
		f.Fatal(err)
	}
	if row, err := f.s.Row(f.ctx(), "tool", "p", "t1"); err != nil || row.Version != 1 || row.Name != "mail" {
		f.Errorf("a check has written: %+v, error %v", row, err)
	}
	f.mustPut(tool("t1", "mail", 1))
	f.wantRowConflict(commit(), false)
	if got := f.line(1).Seq; got != 2 {
		f.Errorf("the run is at %d, want 2", got)
	}
	check.Expect = run.MustNotExist
	f.wantRowConflict(f.put(check), false)
}

func rowExpiry(f *fixture) {
	answer := tool("a1", "held", 0)
	answer.Expires = epoch.Add(time.Hour)
	f.mustPut(answer)
	f.wantRowConflict(f.put(answer), false)
	f.clock.advance(time.Hour - time.Millisecond)
	if _, err := f.s.Row(f.ctx(), "tool", "p", "a1"); err != nil {
		f.Error(err)
	}
	f.clock.advance(time.Millisecond)
	_, err := f.s.Row(f.ctx(), "tool", "p", "a1")
	f.wantNotFound(err)
	_, err = f.s.RowByName(f.ctx(), "tool", "p", "held")
	f.wantNotFound(err)
	if rows, err := f.s.Rows(f.ctx(), run.RowQuery{Kind: "tool", Project: "p"}); err != nil || len(rows) != 0 {
		f.Errorf("rows %v, error %v", rows, err)
	}
	// Another may have its name, and it may come again, as a new row.
	f.mustPut(tool("a2", "held", 0))
	answer.Name, answer.Expires = "", epoch.Add(3*time.Hour)
	f.mustPut(answer)
	if row, err := f.s.Row(f.ctx(), "tool", "p", "a1"); err != nil || row.Version != 1 {
		f.Errorf("%+v, error %v", row, err)
	}
	// Also when no store would have had time to clear it away.
	brief := tool("b1", "brief", 0)
	brief.Expires = f.clock.Now().Add(time.Millisecond)
	f.mustPut(brief)
	f.clock.advance(time.Millisecond)
	f.mustPut(tool("b2", "brief", 0))
	if row, err := f.s.RowByName(f.ctx(), "tool", "p", "brief"); err != nil || row.ID != "b2" {
		f.Errorf("%+v, error %v", row, err)
	}
}

func rowLists(f *fixture) {
	var ids []string
	for n := range 7 {
		name := fmt.Sprintf("t%02d", n*3%7)
		f.mustPut(tool(name, "", 0))
		ids = append(ids, name)
	}
	other := tool("t03x", "", 0)
	other.Project = "q"
	f.mustPut(other)
	slices.Sort(ids)
	for _, newest := range []bool{false, true} {
		want := slices.Clone(ids)
		if newest {
			slices.Reverse(want)
		}
		for _, limit := range []int{0, 1, 3, 7, 100} {
			if got := f.rowPages(run.RowQuery{Kind: "tool", Project: "p", Newest: newest, Limit: limit}); !slices.Equal(got, want) {
				f.Errorf("newest %v, pages of %d: %v", newest, limit, got)
			}
		}
	}
}

// rowPages reads a whole list page by page.
func (f *fixture) rowPages(q run.RowQuery) (ids []string) {
	f.Helper()
	for {
		rows, err := f.s.Rows(f.ctx(), q)
		if err != nil {
			f.Fatal(err)
		}
		for _, row := range rows {
			ids = append(ids, row.ID)
		}
		if q.Limit == 0 || len(rows) < q.Limit {
			return ids
		}
		q.After = rows[len(rows)-1].ID
	}
}

// zoo makes forty runs that differ in everything that lists filter by.
func (f *fixture) zoo() []run.Summary {
	var lines []run.Summary
	statuses := run.Statuses()
	for n := range 40 {
		a := f.created(n, func(line *run.Summary) {
			line.Status = statuses[n%len(statuses)]
			line.Agent = []string{"", "agt_1", "agt_2"}[n%3]
			line.Dialect = []string{"native", "you"}[n%2]
			line.Project = []string{"default", "default", "default", "other"}[n%4]
			line.Pending = n % 5
		})
		f.append(a)
		lines = append(lines, a.Summary)
	}
	gone := f.next(20, 0)
	gone.Summary.Deleted = true
	f.append(gone)
	lines[20].Deleted = true
	return lines
}

func runLists(f *fixture) {
	zoo := f.zoo()
	at := func(n int) time.Time { return id(n).Time() }
	for _, q := range []run.RunQuery{
		{},
		{Agent: "agt_1"},
		{Agent: "agt_9"},
		{Dialect: "you"},
		{Pending: true},
		{Pending: true, Agent: "agt_2", Statuses: []run.Status{run.Queued, run.Running, run.Completed}},
		{Statuses: []run.Status{run.Running}},
		{Statuses: []run.Status{run.Running, run.Completed, run.Running, run.Queued}},
		{Statuses: []run.Status{run.AwaitingApproval}, Agent: "agt_1"},
		{Statuses: []run.Status{run.Completed}, Dialect: "native"},
		{Before: id(10)},
		{Before: id(10), Statuses: run.Statuses()},
		{After: at(5)},
		{Until: at(15)},
		{After: at(5), Until: at(15), Agent: "agt_2"},
		{After: at(5).Add(time.Millisecond), Before: id(30)},
		{Before: id(3), Until: at(15)},
	} {
		for _, project := range []string{"default", "other", "none"} {
			q.Project = project
			got, err := f.s.Runs(f.ctx(), q)
			if err != nil {
				f.Fatal(err)
			}
			if diff := cmp.Diff(titles(expected(zoo, q)), titles(got)); diff != "" {
				f.Errorf("%+v (-want +got):\n%s", q, diff)
			}
		}
	}
	if got, err := f.s.Runs(f.ctx(), run.RunQuery{Project: "default", Limit: 1}); err != nil {
		f.Error(err)
	} else if diff := cmp.Diff(zoo[38:39], got); diff != "" {
		f.Errorf("a whole line (-want +got):\n%s", diff)
	}
}

// expected answers q the simple way, in words of its own.
func expected(zoo []run.Summary, q run.RunQuery) (lines []run.Summary) {
	for _, line := range slices.Backward(zoo) {
		wanted := !line.Deleted && line.Project == q.Project
		wanted = wanted && (q.Agent == "" || q.Agent == line.Agent)
		wanted = wanted && (q.Dialect == "" || q.Dialect == line.Dialect)
		wanted = wanted && (q.Statuses == nil || slices.Contains(q.Statuses, line.Status))
		wanted = wanted && (!q.Pending || line.Pending > 0)
		wanted = wanted && (q.Before.IsZero() || line.ID.String() < q.Before.String())
		wanted = wanted && (q.After.IsZero() || !line.CreatedAt.Before(q.After))
		wanted = wanted && (q.Until.IsZero() || line.CreatedAt.Before(q.Until))
		if wanted {
			lines = append(lines, line)
		}
	}
	return lines
}

func titles(lines []run.Summary) string {
	var text strings.Builder
	for _, line := range lines {
		fmt.Fprintf(&text, "%s %s %s %s\n", line.ID, line.Status, line.Agent, line.Dialect)
	}
	return text.String()
}

func runPages(f *fixture) {
	zoo := f.zoo()
	for _, q := range []run.RunQuery{
		{}, {Agent: "agt_1"}, {Pending: true}, {Dialect: "you"},
		{Statuses: []run.Status{run.Running, run.Completed, run.PausedStatus}},
	} {
		q.Project = "default"
		for _, limit := range []int{1, 2, 7} {
			var lines []run.Summary
			page := q
			for page.Limit = limit; ; page.Before = lines[len(lines)-1].ID {
				got, err := f.s.Runs(f.ctx(), page)
				if err != nil {
					f.Fatal(err)
				}
				if len(got) > limit {
					f.Fatalf("a page of %d for a limit of %d", len(got), limit)
				}
				if lines = append(lines, got...); len(got) < limit {
					break
				}
			}
			if diff := cmp.Diff(titles(expected(zoo, q)), titles(lines)); diff != "" {
				f.Errorf("%+v in pages of %d (-want +got):\n%s", q, limit, diff)
			}
		}
	}
	// A run that changes keeps its place, under its new status.
	moved := f.next(9, 0, message("x"))
	moved.Summary.Status, moved.Summary.Pending = run.Completed, 0
	f.append(moved)
	zoo[9].Status, zoo[9].Pending = run.Completed, 0
	for _, q := range []run.RunQuery{
		{Project: "default", Statuses: []run.Status{run.Running}},
		{Project: "default", Statuses: []run.Status{run.Completed}},
		{Project: "default", Pending: true},
	} {
		got, err := f.s.Runs(f.ctx(), q)
		if diff := cmp.Diff(titles(expected(zoo, q)), titles(got)); err != nil || diff != "" {
			f.Errorf("%+v: error %v (-want +got):\n%s", q, err, diff)
		}
	}
}

func recent(f *fixture) {
	zoo := f.zoo()
	for _, n := range []int{0, 17, 20, 39} {
		var got []run.Summary
		if err := f.s.Recent(f.ctx(), id(n).Time(), func(line *run.Summary) { got = append(got, *line) }); err != nil {
			f.Fatal(err)
		}
		want := slices.Concat(expected(zoo[n:], run.RunQuery{Project: "default"}), expected(zoo[n:], run.RunQuery{Project: "other"}))
		slices.SortFunc(want, func(a, b run.Summary) int { return strings.Compare(b.ID.String(), a.ID.String()) })
		if diff := cmp.Diff(titles(want), titles(got)); diff != "" {
			f.Errorf("since run %d (-want +got):\n%s", n, diff)
		}
	}
}

func jobLife(f *fixture) {
	pokes := make(chan bool, 100)
	f.s.OnJobs(func() { pokes <- true })
	f.commit(run.Commit{Jobs: []run.Job{
		{Kind: "late", Due: epoch.Add(time.Hour)},
		{Kind: "soon", Run: id(1), Due: epoch, Data: []byte(`{"a":1}`)},
	}})
	f.commit(run.Commit{Jobs: []run.Job{{Kind: "soon too", Due: epoch}, {Kind: "first", Due: epoch.Add(-time.Hour)}}})
	if len(pokes) != 2 {
		f.Errorf("poked %d times for 2 commits", len(pokes))
	}
	jobs := f.wantJobs("first", "soon", "soon too", "late")
	want := run.Job{ID: jobs[1].ID, Kind: "soon", Run: id(1), Due: epoch, Data: []byte(`{"a":1}`)}
	if diff := cmp.Diff(want, jobs[1]); diff != "" {
		f.Errorf("(-want +got):\n%s", diff)
	}
	if two, err := f.s.Jobs(f.ctx(), 2); err != nil || len(two) != 2 || two[1].Kind != "soon" {
		f.Errorf("the first two: %+v, error %v", two, err)
	}
	if err := f.s.RetryJob(f.ctx(), jobs[0].ID, epoch.Add(2*time.Hour)); err != nil {
		f.Fatal(err)
	}
	if len(pokes) != 3 {
		f.Errorf("poked %d times, want once more for a new time", len(pokes))
	}
	if jobs = f.wantJobs("soon", "soon too", "late", "first"); jobs[3].Tries != 1 {
		f.Errorf("%d tries counted, want 1", jobs[3].Tries)
	}
	for range 2 { // what is gone can be finished again
		if err := f.s.FinishJob(f.ctx(), jobs[0].ID); err != nil {
			f.Fatal(err)
		}
	}
	if err := f.s.RetryJob(f.ctx(), jobs[0].ID, epoch); err != nil {
		f.Error(err)
	}
	f.wantJobs("soon too", "late", "first")
}

func (f *fixture) wantJobs(kinds ...string) []run.Job {
	f.Helper()
	jobs, err := f.s.Jobs(f.ctx(), 0)
	if err != nil {
		f.Fatal(err)
	}
	var got []string
	for _, job := range jobs {
		got = append(got, job.Kind)
	}
	if !slices.Equal(got, kinds) {
		f.Fatalf("jobs %q, want %q", got, kinds)
	}
	return jobs
}
