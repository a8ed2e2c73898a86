package project_test

import (
	"slices"
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

func TestRunsGoWhenTheyAreTooOld(t *testing.T) {
	d := newDesk(t, 30)
	d.add("short", 7)
	d.add("ever", 0)
	kept := map[string][]run.ID{}
	for _, one := range []struct {
		project string
		ago     time.Duration
		stays   bool
	}{
		{"default", 31 * day, false}, {"default", 29 * day, true}, {"default", 0, true}, {"default", 300 * day, false},
		{"short", 8 * day, false}, {"short", 6 * day, true}, {"short", 31 * day, false},
		{"ever", 399 * day, true},
	} {
		id := d.past(one.project, len(kept["all"]), one.ago, nil)
		if kept["all"] = append(kept["all"], id); one.stays {
			kept[one.project] = append(kept[one.project], id)
		}
	}
	if err := d.keeper.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	late, err := d.keeper.Overdue(t.Context(), 0, 10)
	if err != nil || len(late) != 4 {
		t.Errorf("%d runs are overdue, want 4 (%v)", len(late), err)
	}
	d.work("project.sweep")
	for _, project := range []string{"default", "short", "ever"} {
		d.wantWhole(project, kept[project]...)
	}
	if figures := d.keeper.Figures(); figures.Swept != 4 || figures.Rows != 4*6 || figures.Last != d.now.Unix() {
		t.Errorf("figures %+v", figures)
	}
	if late, err := d.keeper.Overdue(t.Context(), 0, 10); err != nil || len(late) != 0 {
		t.Errorf("overdue are still %v (%v)", late, err)
	}
	if !slices.Contains(d.lines("short"), "runs.expired") || slices.Contains(d.lines("ever"), "runs.expired") {
		t.Errorf("the audit log has %q and %q", d.lines("short"), d.lines("ever"))
	}
	jobs := d.jobs("project.sweep")
	if len(jobs) != 1 || !jobs[0].Due.Equal(d.now.Add(time.Hour)) {
		t.Errorf("the next sweep is %+v", jobs)
	}
	d.now = d.now.Add(2 * day)
	d.work("project.sweep")
	d.wantWhole("default", kept["default"][1])
}

// TestASweepIsCutOff crashes it after each of its writes, and goes on.
func TestASweepIsCutOff(t *testing.T) {
	for cut := 0; ; cut++ {
		d := newDesk(t, 30)
		stays := d.past("default", 0, day, nil)
		for n := range 5 {
			d.past("default", n+1, 40*day, nil)
		}
		if err := d.keeper.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		d.writes = cut
		whole := d.work("project.sweep")
		d.writes = -1
		if err := d.keeper.Start(t.Context()); err != nil { // as after a crash
			t.Fatal(err)
		}
		d.work("project.sweep")
		d.wantWhole("default", stays)
		d.now = d.now.Add(time.Hour) // the jobs of turns that count no more go, too
		d.work("project.sweep")
		if jobs := d.jobs("project.sweep"); len(jobs) != 1 {
			t.Errorf("cut after %d writes: %d sweeps are to come", cut, len(jobs))
		}
		if whole {
			if cut < 5 {
				t.Errorf("a sweep of five runs made %d writes", cut)
			}
			return
		}
	}
}

// TestFamiliesGoTogether: what one run hands to another is needed until both are too
// old.
func TestFamiliesGoTogether(t *testing.T) {
	for name, story := range map[string]struct {
		parent, child time.Duration // ended so long ago; zero = not yet
		stay          bool
	}{
		"the parent goes on":       {0, 40 * day, true},
		"the parent is young":      {day, 40 * day, true},
		"the child is young":       {40 * day, day, true},
		"the child goes on":        {40 * day, 0, true},
		"both are old":             {40 * day, 41 * day, false},
		"both are of the same age": {40 * day, 40 * day, false},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, 30)
			tool := run.Tool{Name: "ask", Handoff: "clerk", Class: run.Keyed}
			top := d.past("default", 1, 40*day, nil)
			parent := d.past("default", 2, story.parent, func(s *run.Spec) {
				s.Tools, s.Handoffs = []run.Tool{tool}, []run.Handoff{{Name: "clerk"}}
			})
			child := d.past("default", 3, story.child, func(s *run.Spec) { s.Parent = &run.Parent{Run: parent, Action: "act_01"} })
			grandchild := d.past("default", 4, 40*day, func(s *run.Spec) { s.Parent = &run.Parent{Run: child, Action: "act_01"} })
			orphan := d.past("default", 5, 40*day, func(s *run.Spec) { s.Parent = &run.Parent{Run: run.NewID(epoch, 0, 99), Action: "act_01"} })
			previous := d.past("default", 6, day, func(s *run.Spec) { s.Previous = &top })
			d.handOver(parent, tool, child)
			if err := d.keeper.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			d.work("project.sweep")
			there := d.runs("default")
			for _, id := range []run.ID{parent, child, grandchild} {
				if slices.Contains(there, id) != story.stay {
					t.Errorf("of the family %v there is %v, want all of it: %v", []run.ID{parent, child, grandchild}, there, story.stay)
				}
			}
			if slices.Contains(there, top) || slices.Contains(there, orphan) || !slices.Contains(there, previous) {
				t.Errorf("runs that nobody needs: there is %v, want only %v", there, previous)
			}
		})
	}
}

// handOver writes into the parent's log that the child does its work.
func (d *desk) handOver(parent run.ID, tool run.Tool, child run.ID) {
	d.Helper()
	line, err := d.Summary(d.Context(), parent)
	if err != nil {
		d.Fatal(err)
	}
	action := run.Planned{ID: "act_01"}
	events := []run.Event{
		d.event(line.Seq+1, run.Event{Type: run.ModelResponded, Responded: &run.Responded{
			Step: 1, Reply: run.Reply{Calls: []run.Call{{ID: "c1", Name: "ask", Arguments: `{"task":"x"}`}}}, Actions: []run.Planned{action},
		}}),
		d.event(line.Seq+2, run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Attempt: 1, Child: &child}}),
	}
	line.Seq += 2
	if err := d.Store.Append(d.Context(), run.Commit{Runs: []run.Append{{ID: parent, Expected: line.Seq - 2, Events: events, Summary: line}}}); err != nil {
		d.Fatal(err)
	}
	s := run.Fold(parent, mustLoad(d, parent))
	if a := s.Action("act_01"); a == nil || a.Child == nil || s.Spec.Handoff(&a.Tool) == nil {
		d.Fatalf("the parent knows nothing of its child: %+v", a)
	}
}

func mustLoad(d *desk, id run.ID) []run.Event {
	d.Helper()
	events, err := d.Load(d.Context(), id, 0, 0)
	if err != nil {
		d.Fatal(err)
	}
	return events
}

// TestADeletedRunLeavesNoLine when it would have been too old.
func TestADeletedRunLeavesNoLine(t *testing.T) {
	d := newDesk(t, 30)
	for n, ago := range []time.Duration{day, 40 * day} {
		id := d.past("default", n+1, ago, nil)
		line, err := d.Summary(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		line.Deleted = true
		if err := d.Store.Append(t.Context(), run.Commit{Runs: []run.Append{{ID: id, Expected: line.Seq, Summary: line}}}); err != nil {
			t.Fatal(err)
		}
	}
	if err := d.keeper.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	d.work("project.sweep")
	if there := d.runs("default"); len(there) != 1 {
		t.Errorf("%d lines of deleted runs are left, want that of the younger one", len(there))
	}
}

// TestAStopEndsASweep with its step; it goes on at the next start.
func TestAStopEndsASweep(t *testing.T) {
	d := newDesk(t, 30)
	for n := range 5 {
		d.past("default", n+1, 40*day, nil)
	}
	if err := d.keeper.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	close(d.stop)
	if err := d.keeper.Handlers()["project.sweep"](t.Context(), d.jobs("project.sweep")[0]); err == nil || len(d.runs("default")) != 5 {
		t.Errorf("the sweep has gone on: %d runs are left, error %v", len(d.runs("default")), err)
	}
}

// TestOneChainOfSweeps: a job of another turn does nothing, so that repeated jobs do
// not multiply.
func TestOneChainOfSweeps(t *testing.T) {
	d := newDesk(t, 30)
	for range 3 {
		if err := d.keeper.Nudge(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	d.past("default", 1, 40*day, nil)
	stale := d.jobs("project.sweep")[0]
	if err := d.keeper.Handlers()["project.sweep"](t.Context(), stale); err != nil || len(d.runs("default")) != 1 {
		t.Errorf("a job of an earlier turn has worked (%v)", err)
	}
	d.work("project.sweep")
	if jobs := d.jobs("project.sweep"); len(jobs) != 1 || len(d.runs("default")) != 0 {
		t.Errorf("%d sweeps are to come, and %d runs are left", len(jobs), len(d.runs("default")))
	}
}

func TestRetentionRefuses(t *testing.T) {
	d := newDesk(t, 30)
	for _, days := range []int{-1, 36_501} {
		if _, err := d.book.SetRetention(t.Context(), "default", &days); !problem.Is(err, problem.InvalidRequest) {
			t.Errorf("%d days: %v", days, err)
		}
	}
	if _, err := d.book.SetRetention(t.Context(), "nobody", nil); !problem.Is(err, problem.NotFound) {
		t.Errorf("a project that is not there: %v", err)
	}
}
