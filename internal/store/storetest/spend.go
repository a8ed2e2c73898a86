package storetest

import (
	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// spending is added up by day, agent, key and model; what a refused commit would
// have added is not, and neither is another project's.
func spending(f *fixture) {
	spent := func(project string, day run.Day, key string, calls, cost int) run.Spend {
		return run.Spend{
			Account: run.Account{Project: project, Day: day, Agent: "agt_1", Under: "agt_0 agt_9", Key: key, Model: "m/x"},
			Calls:   calls, Usage: run.Usage{Input: 10 * calls, Output: calls, Cost: run.Micros(cost)},
		}
	}
	guess := func(s run.Spend) run.Spend {
		s.Usage.Estimated, s.Usage.Unpriced = true, true
		return s
	}
	f.append(f.created(1, nil))
	f.commit(run.Commit{Spend: []run.Spend{spent("default", "2026-03-01", "a", 1, 100), spent("default", "2026-03-01", "a", 2, 50)}})
	f.commit(run.Commit{Runs: []run.Append{f.next(1, 0, message("x"))}, Spend: []run.Spend{
		spent("default", "2026-03-01", "a", 1, 7), guess(spent("default", "2026-03-01", "b", 1, 1)), spent("default", "2026-03-02", "a", 1, 2),
		spent("other", "2026-03-01", "a", 1, 1000), {Account: run.Account{Project: "default", Day: "2026-03-03"}, Runs: 4},
	}})
	late := f.next(1, 0, message("y"))
	late.Expected = 1
	late.Events[0].Seq = 2
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{late}, Spend: []run.Spend{spent("default", "2026-03-01", "a", 1, 9)}}); err == nil {
		f.Fatal("a late append was admitted")
	}
	want := []run.Spend{spent("default", "2026-03-01", "a", 4, 157), guess(spent("default", "2026-03-01", "b", 1, 1)), spent("default", "2026-03-02", "a", 1, 2)}
	got, err := f.s.Spent(f.ctx(), "default", "2026-03-01", "2026-03-02")
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		f.Errorf("spent, error %v (-want +got):\n%s", err, diff)
	}
	got, err = f.s.Spent(f.ctx(), "default", "2026-03-02", "2026-03-09")
	want = []run.Spend{want[2], {Account: run.Account{Project: "default", Day: "2026-03-03"}, Runs: 4}}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		f.Errorf("spent later, error %v (-want +got):\n%s", err, diff)
	}
}
