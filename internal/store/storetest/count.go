package storetest

import (
	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// runCounts holds Count to what the lists say, before and after a run has moved on.
func runCounts(f *fixture) {
	f.zoo()
	check := func(project, agent string) {
		f.Helper()
		want := map[run.Status]int{}
		lines, err := f.s.Runs(f.ctx(), run.RunQuery{Project: project, Agent: agent})
		if err != nil {
			f.Fatal(err)
		}
		for i := range lines {
			want[lines[i].Status]++
		}
		got, err := f.s.Count(f.ctx(), project, agent)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			f.Errorf("%s of %s: error %v (-want +got):\n%s", agent, project, err, diff)
		}
	}
	for _, project := range []string{"default", "other", "none"} {
		for _, agent := range []string{"agt_1", "agt_2", "agt_9"} {
			check(project, agent)
		}
	}
	counts, err := f.s.Count(f.ctx(), "default", "agt_1")
	if err != nil || counts[run.Running] == 0 {
		f.Fatalf("no run of agt_1 is running: %v, error %v", counts, err)
	}
	moved := f.next(1, 0, message("x"))
	moved.Summary.Status = run.Completed
	f.append(moved)
	check("default", "agt_1")
	gone := f.next(25, 0)
	gone.Summary.Deleted = true
	f.append(gone)
	check("default", "agt_1")
}
