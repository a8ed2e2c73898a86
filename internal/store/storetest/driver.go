package storetest

import (
	"errand/internal/run"
)

// drivers: whose driver a run has is said by drivers alone, and a run that is left in
// need of one without having one asks for it in the same commit.
func drivers(f *fixture) {
	if !f.h.Shared {
		f.Skip("this store has one node alone")
	}
	advance := &run.Job{Kind: "advance", Run: id(1), Due: epoch, Data: []byte(`{"n":1}`)}
	by := func(a run.Append, node string, live bool) run.Append {
		a.Summary.Driver, a.Summary.Live, a.Orphan = node, live, advance
		return a
	}
	for _, step := range []struct {
		what   string
		append func() run.Append
		driver string
		asked  bool
	}{
		{"made with a driver", func() run.Append { return by(f.created(1, nil), "north", true) }, "north", false},
		{"somebody else's word leaves the driver", func() run.Append { return by(f.next(1, 0, message("hello")), "", true) }, "north", false},
		{"the driver goes on", func() run.Append { return by(f.next(1, 1, message("fact")), "north", true) }, "north", false},
		{"the driver lets go of a run at rest", func() run.Append { return by(f.next(1, 1), "", false) }, "", false},
		{"nothing to do", func() run.Append { return by(f.next(1, 0, message("noted")), "south", false) }, "", false},
		{"something to do", func() run.Append { return by(f.next(1, 0, message("go on")), "south", true) }, "", true},
		{"a takeover", func() run.Append { return by(f.next(1, 2, driven(2)), "south", true) }, "south", false},
		{"the driver leaves a run that needs another", func() run.Append { return by(f.next(1, 2), "", true) }, "", true},
	} {
		a := step.append()
		a.Summary.Epoch = max(a.Epoch, 1)
		f.append(a)
		if got := f.line(1).Driver; got != step.driver {
			f.Errorf("%s: the driver is %q, want %q", step.what, got, step.driver)
		}
		jobs, err := f.s.Jobs(f.ctx(), 10)
		if err != nil {
			f.Fatal(err)
		}
		if asked := len(jobs) == 1 && jobs[0].Run == id(1) && jobs[0].Kind == "advance" && string(jobs[0].Data) == `{"n":1}`; asked != step.asked || len(jobs) > 1 {
			f.Errorf("%s: jobs %+v, want one: %v", step.what, jobs, step.asked)
		}
		for _, job := range jobs {
			if err := f.s.FinishJob(f.ctx(), job.ID); err != nil {
				f.Fatal(err)
			}
		}
	}
	// A run that is made with nobody to drive it asks for a driver at once.
	orphan := by(f.created(2, nil), "", true)
	f.append(orphan)
	if jobs, err := f.s.Jobs(f.ctx(), 10); err != nil || len(jobs) != 1 {
		f.Errorf("a run made without a driver: jobs %+v, %v", jobs, err)
	}
}
