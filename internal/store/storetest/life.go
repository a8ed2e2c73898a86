package storetest

import (
	"errors"
	"sync"
	"sync/atomic"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
	"errand/internal/store"
)

// concurrentWriters lets several writers add to a few runs, each retrying until
// it has written its facts: every fact is there exactly once.
func concurrentWriters(f *fixture) {
	const writers, facts, runs = 8, 25, 3
	for n := range runs {
		f.append(f.created(n, nil))
	}
	var wait sync.WaitGroup
	var ids atomic.Uint64
	for range writers {
		wait.Go(func() {
			for fact := range facts {
				n := fact % runs
				for mine := ids.Add(1); ; {
					line := f.line(n)
					e := run.Event{Seq: line.Seq + 1, ID: mine, At: epoch, Type: run.RunStarted}
					a := run.Append{ID: id(n), Expected: line.Seq, Summary: line, Events: []run.Event{e}}
					err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{a}})
					if err == nil {
						break
					}
					if !errors.Is(err, run.ErrConflict) {
						f.Error(err)
						return
					}
				}
			}
		})
	}
	wait.Wait()
	seen := map[uint64]bool{}
	for n := range runs {
		for i, e := range f.load(n) {
			if e.Seq != int64(i)+1 || seen[e.ID] {
				f.Errorf("run %d: event %d is numbered %d, seen before: %v", n, i, e.Seq, seen[e.ID])
			}
			seen[e.ID] = true
		}
	}
	if want := writers*facts + runs; len(seen) != want {
		f.Errorf("%d events, want %d", len(seen), want)
	}
}

// answersInOrder submits a chain of appends without waiting: each builds on the
// one before, though that one is not yet written.
func answersInOrder(f *fixture) {
	const count = 200
	var mu sync.Mutex
	var order []int
	answered := make(chan error, count)
	line := f.created(1, nil).Summary
	for n := range count {
		a := f.created(1, nil)
		if n > 0 {
			a = run.Append{ID: id(1), Epoch: 1, Expected: int64(n), Summary: line,
				Events: []run.Event{f.event(int64(n)+1, message("x"))}}
		}
		// A lock held while submitting, and taken in done, must not deadlock.
		mu.Lock()
		f.s.Submit(run.Commit{Runs: []run.Append{a}}, func(err error) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, n)
			answered <- err
		})
		mu.Unlock()
	}
	for range count {
		if err := <-answered; err != nil {
			f.Fatal(err)
		}
	}
	for i, n := range order {
		if i != n {
			f.Fatalf("answer %d is for commit %d", i, n)
		}
	}
	if got := f.line(1).Seq; got != count {
		f.Errorf("the line is at %d, want %d", got, count)
	}
	if stats := f.s.Stats(); stats.Commits != count || stats.Groups < 1 || stats.Groups > count {
		f.Errorf("stats: %+v", stats)
	}
}

func closing(f *fixture) {
	answered := make(chan error, 100)
	for n := range cap(answered) {
		f.s.Submit(run.Commit{Runs: []run.Append{f.created(n, nil)}}, func(err error) { answered <- err })
	}
	if err := f.s.Close(); err != nil {
		f.Fatal(err)
	}
	for range cap(answered) {
		if err := <-answered; err != nil {
			f.Fatalf("queued before Close: %v", err)
		}
	}
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{f.created(200, nil)}}); !errors.Is(err, store.ErrClosed) {
		f.Errorf("after Close: %v", err)
	}
	if err := f.s.Ping(f.ctx()); err == nil {
		f.Error("a closed store says that it works")
	}
	if err := f.s.Close(); err != nil {
		f.Errorf("closing twice: %v", err)
	}
}

func restart(f *fixture) {
	if f.h.Reopen == nil {
		f.Skip("this store forgets")
	}
	f.append(f.created(1, nil))
	f.commit(run.Commit{
		Runs: []run.Append{f.next(1, 1, message("kept"))},
		Jobs: []run.Job{{Kind: "advance", Run: id(1), Due: epoch, Data: []byte(`{}`)}},
		Rows: []run.RowWrite{{Row: run.Row{Kind: "tool", Project: "p", ID: "t1", Name: "n", Data: []byte("d")}}},
	})
	events, line := f.load(1), f.line(1)
	jobs, err := f.s.Jobs(f.ctx(), 0)
	if err != nil {
		f.Fatal(err)
	}
	f.s = f.h.Reopen(f.T, f.s)
	if diff := cmp.Diff(events, f.load(1)); diff != "" {
		f.Errorf("the log (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(line, f.line(1)); diff != "" {
		f.Errorf("the line (-want +got):\n%s", diff)
	}
	again, err := f.s.Jobs(f.ctx(), 0)
	if diff := cmp.Diff(jobs, again); err != nil || diff != "" {
		f.Errorf("jobs: error %v (-want +got):\n%s", err, diff)
	}
	if row, err := f.s.RowByName(f.ctx(), "tool", "p", "n"); err != nil || row.Version != 1 {
		f.Errorf("row %+v, error %v", row, err)
	}
	f.append(f.next(1, 1, message("goes on")))
	f.commit(run.Commit{Jobs: []run.Job{{Kind: "advance", Due: epoch}}})
	if all, err := f.s.Jobs(f.ctx(), 0); err != nil || len(all) != 2 || all[0].ID == all[1].ID {
		f.Errorf("jobs %+v, error %v", all, err)
	}
}
