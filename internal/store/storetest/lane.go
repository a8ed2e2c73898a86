package storetest

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// placed is a store that holds the bounds of lanes over all nodes.
type placed interface {
	Places(ctx context.Context, lanes []run.LaneID) (map[run.LaneID]run.Places, error)
	Waiting(ctx context.Context) (map[string]int, error)
}

// lanes: no more runs of a lane have a driver than may, whoever asks and in whichever
// commit, and no more wait than may; a place is free as soon as its run has no driver.
func lanes(f *fixture) {
	if !f.h.Shared {
		f.Skip("this store has one node alone")
	}
	f.enter("north", "south")
	two := &run.Bound{Most: 2, Queue: 1}
	at := func(a run.Append, node string, live bool, bound *run.Bound) run.Append {
		a.Summary.Lane, a.Summary.Driver, a.Summary.Live, a.Bound = "robot", node, live, bound
		return a
	}
	for _, step := range []struct {
		what   string
		append func() run.Append
		full   bool
		has    run.Places
	}{
		{"the first is made with a driver", func() run.Append { return at(f.created(1, nil), "north", true, two) }, false, run.Places{Working: 1}},
		{"a second, by another node", func() run.Append { return at(f.created(2, nil), "south", true, two) }, false, run.Places{Working: 2}},
		{"a third finds no place", func() run.Append { return at(f.created(3, nil), "north", true, two) }, true, run.Places{Working: 2}},
		{"and waits", func() run.Append { return at(f.created(3, nil), "", true, two) }, false, run.Places{Working: 2, Waiting: 1, Next: []run.ID{id(3)}}},
		{"a fourth may not even wait", func() run.Append { return at(f.created(4, nil), "", true, two) }, true, run.Places{Working: 2, Waiting: 1, Next: []run.ID{id(3)}}},
		{"but in another project", func() run.Append {
			return at(f.created(4, func(line *run.Summary) { line.Project = "other" }), "north", true, two)
		}, false, run.Places{Working: 2, Waiting: 1, Next: []run.ID{id(3)}}},
		{"one that has a place goes on, and keeps its lane", func() run.Append {
			a := at(f.next(1, 1, message("fact")), "north", true, two)
			a.Summary.Lane = f.line(1).Lane
			return a
		}, false, run.Places{Working: 2, Waiting: 1, Next: []run.ID{id(3)}}},
		{"somebody else's word needs none", func() run.Append {
			a := f.next(2, 0, message("hello"))
			a.Summary.Lane = ""
			return a
		}, false, run.Places{Working: 2, Waiting: 1, Next: []run.ID{id(3)}}},
		{"the third finds no place yet", func() run.Append { return at(f.next(3, 2, driven(2)), "south", true, two) }, true, run.Places{Working: 2, Waiting: 1, Next: []run.ID{id(3)}}},
		{"one that is to be ended needs none", func() run.Append { return at(f.next(3, 2, driven(2)), "south", true, nil) }, false, run.Places{Working: 3}},
		{"and waits again", func() run.Append { return at(f.next(3, 2), "", true, nil) }, false, run.Places{Working: 2, Waiting: 1, Next: []run.ID{id(3)}}},
		{"one at rest gives its place back", func() run.Append { return at(f.next(1, 1), "", false, nil) }, false, run.Places{Working: 1, Waiting: 1, Next: []run.ID{id(3)}}},
		{"and the third has it", func() run.Append { return at(f.next(3, 3, driven(3)), "south", true, two) }, false, run.Places{Working: 2}},
		{"the first needs one to go on", func() run.Append { return at(f.next(1, 2, driven(2)), "north", true, two) }, true, run.Places{Working: 2}},
		{"a wider bound has room", func() run.Append { return at(f.next(1, 2, driven(2)), "north", true, &run.Bound{Most: 3}) }, false, run.Places{Working: 3}},
	} {
		err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{step.append()}})
		if full := errors.Is(err, run.ErrLaneFull); full != step.full || err != nil && !full {
			f.Errorf("%s: %v", step.what, err)
		}
		if got := f.places("robot"); !cmp.Equal(got, step.has) {
			f.Errorf("%s: the lane has %+v, want %+v", step.what, got, step.has)
		}
	}
	f.together()
	f.crowd()
	f.row()
	f.queue()
}

// queue: those without a lane that wait for a driver are counted for each project.
func (f *fixture) queue() {
	for n, change := range []func(*run.Summary){
		nil, nil,
		func(line *run.Summary) { line.Project = "other" },
		func(line *run.Summary) { line.Driver = "north" },
		func(line *run.Summary) { line.Live = false },
		func(line *run.Summary) { line.Lane = "somewhere" },
	} {
		f.append(f.created(500+n, change))
	}
	got, err := f.s.(placed).Waiting(f.ctx())
	if want := map[string]int{"default": 2, "other": 1}; err != nil || !cmp.Equal(got, want) {
		f.Errorf("%v wait, %v; want %v", got, err, want)
	}
}

// row: the oldest of those that wait are named first, and not all of them.
func (f *fixture) row() {
	for n := range 2 * most {
		a := f.created(300+(n*7)%(2*most), nil)
		a.Summary.Lane = "row"
		f.append(a)
	}
	got := f.places("row")
	if got.Waiting != 2*most || len(got.Next) == 0 || len(got.Next) > most {
		f.Fatalf("%d wait, of whom %d are named", got.Waiting, len(got.Next))
	}
	for i, next := range got.Next {
		if next != id(300+i) {
			f.Errorf("number %d of those that wait is %v, want %v", i, next, id(300+i))
		}
	}
}

// most bounds how many of those that wait are named.
const most = 40

// together: within a commit, and within a group of commits, each sees what those before
// it leave.
func (f *fixture) together() {
	bound := &run.Bound{Most: 1}
	at := func(n int, node string, live bool, bound *run.Bound) run.Append {
		a := f.created(n, nil)
		a.Summary.Lane, a.Summary.Driver, a.Summary.Live, a.Bound = "narrow", node, live, bound
		return a
	}
	both := run.Commit{Runs: []run.Append{at(10, "north", true, bound), at(11, "north", true, bound)}}
	if err := f.s.Append(f.ctx(), both); !errors.Is(err, run.ErrLaneFull) {
		f.Errorf("two runs at once into a lane for one: %v", err)
	}
	if got := f.places("narrow"); !cmp.Equal(got, run.Places{}) {
		f.Errorf("a commit that fails leaves %+v", got)
	}
	answers := make(chan error, 3) // the first keeps the store busy: the others may be one group
	f.s.Submit(run.Commit{Runs: []run.Append{f.created(14, func(line *run.Summary) { line.Live = false })}}, func(err error) { answers <- err })
	f.s.Submit(both, func(err error) {
		if !errors.Is(err, run.ErrLaneFull) {
			f.Errorf("two runs at once, again: %v", err)
		}
		answers <- nil
	})
	f.s.Submit(run.Commit{Runs: []run.Append{at(15, "north", true, bound)}}, func(err error) { answers <- err })
	for range cap(answers) {
		if err := <-answers; err != nil {
			f.Errorf("a run behind two that were turned away: %v", err)
		}
	}
	ends := f.next(15, 1, message("bye"))
	ends.Summary.Driver, ends.Summary.Live = "", false
	f.append(ends)
	f.append(at(12, "north", true, bound))
	leaves := f.next(12, 1, message("bye"))
	leaves.Summary.Driver, leaves.Summary.Live = "", false
	swap := run.Commit{Runs: []run.Append{leaves, at(13, "south", true, bound)}}
	if err := f.s.Append(f.ctx(), swap); err != nil {
		f.Errorf("one run goes and another comes: %v", err)
	}
	if got := f.places("narrow"); !cmp.Equal(got, run.Places{Working: 1}) {
		f.Errorf("then the lane has %+v", got)
	}
}

// crowd: of many that come at once, as many as may are let in.
func (f *fixture) crowd() {
	const room, many = 5, 40
	var in atomic.Int64
	var wait sync.WaitGroup
	for n := range many {
		a := f.created(100+n, nil)
		a.Summary.Lane, a.Summary.Driver, a.Bound = "crowd", []string{"north", "south"}[n%2], &run.Bound{Most: room}
		wait.Go(func() {
			switch err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{a}}); {
			case err == nil:
				in.Add(1)
			case !errors.Is(err, run.ErrLaneFull):
				f.Error(err)
			}
		})
	}
	wait.Wait()
	if got := f.places("crowd"); in.Load() != room || got.Working != room {
		f.Errorf("%d of %d were let in, and %d work; want %d", in.Load(), many, got.Working, room)
	}
}

func (f *fixture) enter(nodes ...string) {
	for _, node := range nodes {
		if f.h.Enter != nil {
			f.h.Enter(f.T, f.s, node)
		}
	}
}

func (f *fixture) places(lane string) run.Places {
	f.Helper()
	store, is := f.s.(placed)
	if !is {
		f.Fatalf("%T does not count the places of lanes", f.s)
	}
	of := run.LaneID{Project: "default", Name: lane}
	all, err := store.Places(f.ctx(), []run.LaneID{{Project: "none", Name: "none"}, of})
	if err != nil {
		f.Fatal(err)
	}
	return all[of]
}
