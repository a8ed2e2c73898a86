package app

import (
	"strings"
	"testing"
	"time"

	"errand/internal/run"
	"errand/internal/store/sqlite"
)

// logged writes a run with these events, as they would have been written at.
func logged(t *testing.T, s *sqlite.Store, id run.ID, at time.Time, events ...run.Event) {
	t.Helper()
	for i := range events {
		events[i].Seq, events[i].At, events[i].ID = int64(i)+1, at, uint64(i)+1
	}
	state := run.Fold(id, events)
	if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{{ID: id, Events: events, Summary: state.Summarize()}}}); err != nil {
		t.Fatal(err)
	}
}

// TestDoctorOfRuns: a run that waits for one that has ended, a lapsed approval and
// a room in a budget that nobody uses are found; the same data without a server is not
// held against it.
func TestDoctorOfRuns(t *testing.T) {
	now := time.Date(2026, 6, 11, 12, 0, 0, 0, time.UTC)
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	spec := run.Spec{
		Project: "p", Model: "m", Scopes: []string{"admin"}, Limits: run.Limits{MaxSteps: 8}, GateTimeout: 60,
		Tools: []run.Tool{{Name: "send", Class: run.Once}, {Name: "hand", Class: run.Keyed, Handoff: "helper"}},
	}
	created := func() run.Event { return run.Event{Type: run.RunCreated, Created: &run.Created{Spec: spec}} }
	asks := func(tool string, gated bool) run.Event {
		return run.Event{Type: run.ModelResponded, Responded: &run.Responded{
			Step: 1, Attempt: 1, Reply: run.Reply{Calls: []run.Call{{ID: "c", Name: tool, Arguments: "{}"}}}, Actions: []run.Planned{{ID: "act_01", Gated: gated}},
		}}
	}
	parent, child, lapsed := run.NewID(now, 1, 1), run.NewID(now, 2, 2), run.NewID(now, 3, 3)
	hour := now.Add(-time.Hour)
	logged(t, s, parent, hour, created(), asks("hand", false), run.Event{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1, Attempt: 1, Child: &child}})
	logged(t, s, child, hour, created(), run.Event{Type: run.RunFinished, Ended: &run.Ended{Status: run.Completed, Reason: run.Answered}})
	logged(t, s, lapsed, hour, created(), asks("send", true))
	hold := run.Row{Kind: run.HoldKind, Project: "p", ID: child.String() + "/1/1", Data: []byte("{}")}
	if err := s.Append(t.Context(), run.Commit{Rows: []run.RowWrite{{Row: hold, Expect: run.AnyVersion}}}); err != nil {
		t.Fatal(err)
	}
	d := doctor{keeper: s, now: now, served: true}
	projects := map[string]bool{}
	checks := d.checkRuns(t.Context(), projects)
	said := publicText(checks[0].err)
	for _, want := range []string{shownRun(parent) + " waits for " + shownRun(child), "an approval of " + shownRun(lapsed) + " has lapsed"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in %q", want, said)
		}
	}
	if c := d.checkHolds(t.Context(), projects); !c.warn || !strings.Contains(c.how, shownRun(child)) {
		t.Errorf("%+v", c)
	}
	d.now = hour.Add(-time.Hour)
	if clock := d.checkRuns(t.Context(), projects)[1]; clock.err == nil {
		t.Error("a clock behind what is stored is fine with the doctor")
	}
	d.now, d.served = now, false
	if c := d.checkHolds(t.Context(), projects); c.warn || !strings.Contains(c.how, "next start") {
		t.Errorf("%+v", c)
	}
}
