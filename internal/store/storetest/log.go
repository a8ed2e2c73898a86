package storetest

import (
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

func appendAndLoad(f *fixture) {
	first := f.created(1, nil)
	f.append(first)
	second := f.next(1, 1, message("one"), run.Event{Type: run.RunStarted}, message("héllo \x00 world"))
	second.Summary.Status, second.Summary.Pending, second.Summary.Steps = run.AwaitingApproval, 2, 3
	second.Summary.StopReason, second.Summary.Live = run.Answered, false
	second.Summary.Usage = run.Usage{Input: 1, Output: 2, Cached: 3, Reasoning: 4, Cost: math.MaxInt64, Unpriced: true}
	second.Summary.UpdatedAt = epoch.Add(time.Hour)
	second.Summary.EndedAt = epoch.Add(2 * time.Hour)
	f.append(second)

	want := append(append([]run.Event{}, first.Events...), second.Events...)
	if diff := cmp.Diff(want, f.load(1)); diff != "" {
		f.Errorf("the log (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(second.Summary, f.line(1)); diff != "" {
		f.Errorf("the line (-want +got):\n%s", diff)
	}
	part, err := f.s.Load(f.ctx(), id(1), 1, 2)
	if err != nil {
		f.Fatal(err)
	}
	if diff := cmp.Diff(want[1:3], part); diff != "" {
		f.Errorf("two events after the first (-want +got):\n%s", diff)
	}
	if events := f.load(2); len(events) != 0 {
		f.Errorf("a run that is not there has %d events", len(events))
	}
	_, err = f.s.Summary(f.ctx(), id(2))
	f.wantNotFound(err)

	// What is rare in a line is kept as well.
	renamed := f.next(1, 1, message("renamed"))
	renamed.Summary.Title, renamed.Summary.MaxSteps, renamed.Summary.Agent = "other", 9, "agt_1"
	f.append(renamed)
	if diff := cmp.Diff(renamed.Summary, f.line(1)); diff != "" {
		f.Errorf("the changed line (-want +got):\n%s", diff)
	}

	long := f.created(3, nil)
	for seq := int64(2); seq <= 1600; seq++ {
		long.Events = append(long.Events, f.event(seq, message(fmt.Sprint(seq))))
	}
	f.append(long)
	if diff := cmp.Diff(long.Events, f.load(3)); diff != "" {
		f.Errorf("a long log (-want +got):\n%s", diff)
	}
	if err := f.s.Ping(f.ctx()); err != nil {
		f.Error(err)
	}
}

func compareAndSet(f *fixture) {
	f.append(f.created(1, nil))
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{f.created(1, nil)}}); !errors.Is(err, run.ErrConflict) {
		f.Errorf("a second beginning: %v", err)
	}
	stale := f.next(1, 0, message("late"))
	f.append(f.next(1, 0, message("first")))
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{stale}}); !errors.Is(err, run.ErrConflict) {
		f.Errorf("an append behind the log: %v", err)
	}
	ahead := f.next(1, 0, message("ahead"))
	ahead.Expected++
	ahead.Events[0].Seq++
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{ahead}}); !errors.Is(err, run.ErrConflict) {
		f.Errorf("an append ahead of the log: %v", err)
	}
	nowhere := f.next(1, 0, message("nowhere"))
	nowhere.ID = id(9)
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{nowhere}}); !errors.Is(err, run.ErrConflict) {
		f.Errorf("an append to a run that is not there: %v", err)
	}
	if got := len(f.load(1)); got != 2 {
		f.Errorf("the log has %d events, want the 2 that were accepted", got)
	}
	if line := f.line(1); line.Seq != 2 {
		f.Errorf("the line is at %d, want 2", line.Seq)
	}
}

func severalRuns(f *fixture) {
	f.append(f.created(1, nil), f.created(2, nil))
	// One stale part, at either end, spoils all of it: runs, rows and jobs.
	stale := f.next(2, 0, message("stale"))
	f.append(f.next(2, 0, message("newer")))
	for _, runs := range [][]run.Append{
		{f.next(1, 1, message("x")), f.created(3, nil), stale},
		{stale, f.created(3, nil), f.next(1, 1, message("x"))},
	} {
		err := f.s.Append(f.ctx(), run.Commit{
			Runs: runs,
			Jobs: []run.Job{{Kind: "advance", Run: id(1), Due: epoch}},
			Rows: []run.RowWrite{{Row: run.Row{Kind: "answer", ID: "a"}}},
		})
		if !errors.Is(err, run.ErrConflict) {
			f.Fatalf("got %v, want a conflict", err)
		}
	}
	if len(f.load(1)) != 1 || len(f.load(2)) != 2 || len(f.load(3)) != 0 {
		f.Error("a part of a refused commit was written")
	}
	_, err := f.s.Summary(f.ctx(), id(3))
	f.wantNotFound(err)
	_, err = f.s.Row(f.ctx(), "answer", "", "a")
	f.wantNotFound(err)
	if jobs, err := f.s.Jobs(f.ctx(), 0); err != nil || len(jobs) != 0 {
		f.Errorf("jobs %v, error %v", jobs, err)
	}
	// The refused commit has left nothing that the next one stumbles over.
	f.append(f.created(3, nil), f.next(1, 1, message("y")))

	// Two appends to one run in one commit build on each other.
	one := f.next(1, 1, message("third"))
	two := one
	two.Expected, two.Summary.Seq = one.Expected+1, one.Summary.Seq+1
	two.Events = []run.Event{f.event(two.Expected+1, message("fourth"))}
	f.append(one, two)
	if got := f.line(1).Seq; got != 4 {
		f.Errorf("the line is at %d, want 4", got)
	}
}

func mistakes(f *fixture) {
	f.append(f.created(1, nil))
	gap := f.next(1, 1, message("x"))
	gap.Events[0].Seq++
	for _, c := range []run.Commit{
		{Runs: []run.Append{gap}},
		{Rows: []run.RowWrite{{Row: run.Row{Kind: "tool"}}}},
		{Jobs: []run.Job{{Due: epoch}}},
	} {
		err := f.s.Append(f.ctx(), c)
		if err == nil || errors.Is(err, run.ErrConflict) {
			f.Errorf("a commit that can never be right is answered with %v", err)
		}
	}
	if err := f.s.Append(f.ctx(), run.Commit{}); err != nil {
		f.Errorf("nothing to write: %v", err)
	}
}

func twoDrivers(f *fixture) {
	f.append(f.created(1, nil))
	// The second driver takes over; the first one's facts are fenced off.
	fact := f.next(1, 1, message("of the first driver"))
	take := f.next(1, 2, driven(2))
	take.Summary.Epoch = 2
	f.append(take)
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{fact}}); !errors.Is(err, run.ErrFenced) {
		f.Errorf("the old driver is told %v", err)
	}
	again := f.next(1, 1, message("up to date, but fenced"))
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{again}}); !errors.Is(err, run.ErrFenced) {
		f.Errorf("the old driver is told %v", err)
	}
	// Someone without an epoch comes between; the driver appends behind.
	fact = f.next(1, 2, message("a fact"))
	f.append(f.next(1, 0, message("from outside")))
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{fact}}); !errors.Is(err, run.ErrConflict) {
		f.Errorf("the driver that is behind is told %v", err)
	}
	behind := f.next(1, 2, message("a fact"))
	behind.Events[0].ID = fact.Events[0].ID
	f.append(behind)
	if line := f.line(1); line.Seq != 4 || line.Epoch != 2 {
		f.Errorf("the run is at %d of epoch %d, want 4 of 2", line.Seq, line.Epoch)
	}
}

func takeovers(f *fixture) {
	f.append(f.created(1, nil))
	for _, epoch := range []int64{0, 1} {
		used := f.next(1, epoch, driven(epoch))
		if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{used}}); !errors.Is(err, run.ErrFenced) {
			f.Errorf("taking over with epoch %d: %v", epoch, err)
		}
	}
	// Two nodes take over at once with the same epoch: one wins.
	one, two := f.next(1, 2, driven(2)), f.next(1, 2, driven(2))
	one.Summary.Epoch, two.Summary.Epoch = 2, 2
	f.append(one)
	if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{two}}); !errors.Is(err, run.ErrFenced) {
		f.Errorf("the second taker is told %v", err)
	}
	// Epochs may leave some out, and an append may go on after taking over.
	far := f.next(1, 9, driven(9), message("and on"))
	far.Summary.Epoch = 9
	f.append(far)
	if line := f.line(1); line.Epoch != 9 || line.Seq != 4 {
		f.Errorf("epoch %d at %d, want 9 at 4", line.Epoch, line.Seq)
	}
	// Who has no epoch changes none, whatever the line says.
	outside := f.next(1, 0, message("x"))
	outside.Summary.Epoch = 3
	f.append(outside)
	if line := f.line(1); line.Epoch != 9 {
		f.Errorf("epoch %d, want 9", line.Epoch)
	}
}

func deletion(f *fixture) {
	f.append(f.created(1, nil), f.created(2, nil))
	f.append(f.next(1, 1, message("secret")))
	gone := f.next(1, 0)
	gone.Summary.Deleted, gone.Summary.Live = true, false
	late := f.next(1, 1, message("late"))
	f.append(gone)
	if events := f.load(1); len(events) != 0 {
		f.Errorf("%d events of a deleted run", len(events))
	}
	if line := f.line(1); !line.Deleted || line.Title != "a title" {
		f.Errorf("the line of a deleted run: %+v", line)
	}
	for name, a := range map[string]run.Append{"late": late, "again": gone, "anew": f.created(1, nil)} {
		if err := f.s.Append(f.ctx(), run.Commit{Runs: []run.Append{a}}); !errors.Is(err, run.ErrConflict) {
			f.Errorf("%s: %v, want a conflict", name, err)
		}
	}
	if lines, err := f.s.Runs(f.ctx(), run.RunQuery{Project: "default"}); err != nil || len(lines) != 1 {
		f.Errorf("the list has %d runs (%v), want the one that is left", len(lines), err)
	}
	// Last words and deletion in one append.
	last := f.next(2, 0, message("last"))
	last.Summary.Deleted = true
	f.append(last)
	if len(f.load(2)) != 0 || f.line(2).Seq != 2 {
		f.Error("a deletion with an event left a log, or no trace of it in the line")
	}
}

func live(f *fixture) {
	quiet := func(line *run.Summary) { line.Live = false }
	f.append(f.created(3, nil), f.created(1, nil), f.created(2, quiet))
	f.wantLive(id(1), id(3))
	rest := f.next(3, 1, message("rests"))
	rest.Summary.Live = false
	wake := f.next(2, 0, message("wakes"))
	wake.Summary.Live = true
	f.append(rest, wake)
	f.wantLive(id(1), id(2))
}

func (f *fixture) wantLive(want ...run.ID) {
	f.Helper()
	got, err := f.s.Live(f.ctx())
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		f.Errorf("live runs: error %v (-want +got):\n%s", err, diff)
	}
}
