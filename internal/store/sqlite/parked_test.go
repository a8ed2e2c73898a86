package sqlite

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// Runs count as parked as long as they need no driver, have not ended and are there.
func TestParked(t *testing.T) {
	s := open(t, Config{})
	ended := time.UnixMilli(1_800_000_009_000)
	for n, as := range []run.Summary{
		{Status: run.AwaitingApproval}, {Status: run.AwaitingApproval}, {Status: run.AwaitingInput}, {Status: run.PausedStatus}, {Status: run.Running},
		{Status: run.Running, Live: true}, {Status: run.Queued, Live: true}, {Status: run.Completed, EndedAt: ended}, {Status: run.PausedStatus, Deleted: true},
	} {
		a := life(uint64(n + 1))[0]
		a.Summary.Status, a.Summary.Live, a.Summary.EndedAt, a.Summary.Deleted = as.Status, as.Live, as.EndedAt, as.Deleted
		if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{a}}); err != nil {
			t.Fatal(err)
		}
	}
	want := map[run.Status]int{run.AwaitingApproval: 2, run.AwaitingInput: 1, run.PausedStatus: 1, run.Running: 1}
	got, err := s.Parked(t.Context())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if plan := planOf(t, s, parkedSQL); plan != "SCAN runs USING COVERING INDEX runs_parked" {
		t.Error(plan)
	}
}
