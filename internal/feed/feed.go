// Package feed tells readers of whole projects what changes: runs that begin, go on,
// wait and end, and approvals that are asked for and given.
//
// What it promises: it is told of commits and asks nobody, so a reader costs no query;
// telling never blocks; a reader hears of every change of its project behind its
// cursor, in the order of the commits, or is told to read its lists again (Resync),
// because it was away for longer than the feed remembers, was too slow, comes from
// before a restart, or something was missed. What is behind a change is in the lists
// and the run's own log: a change only says where to look.
//
// To change what counts as a change, edit Tell; how much is remembered, Remembered.
package feed

import (
	"context"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"errand/internal/run"
)

// Remembered is how many changes, of all projects, a reader can be behind: some
// minutes of a busy server's, and a few hundred kilobytes.
const Remembered = 1024

// pace is the least time between two batches of a reader: people look at this, and a
// server that ends thousands of runs a second must not wake each reader for each.
const pace = 100 * time.Millisecond

// Change is one run's change.
type Change struct {
	Line     run.Summary // the run as it stands after it
	At       time.Time
	Approval bool // what waits for a person has changed, too
	// Before and After are the cursors of readers who have not heard of it, and who have.
	Before, After string
}

// Resync says why a reader has to read its lists again; empty = it has not.
type Resync string

const (
	Begin   Resync = "begin"   // it has just come, and knows nothing
	Gap     Resync = "gap"     // it was away, or too slow, for longer than the feed remembers, or something was missed
	Restart Resync = "restart" // its cursor is from before a restart of the server
)

// Batch is what a reader is told at once. Its lists, read after a Resync, have all that
// is before Cursor.
type Batch struct {
	Resync  Resync
	Changes []Change
	Cursor  string
}

// Feed is safe for concurrent use. Make one with New.
type Feed struct {
	boot string // tells cursors of this process from others'

	mu      sync.Mutex
	ring    []Change
	next    int64 // number of the next change; those before it are next-len(ring) …
	whole   int64 // the first change from which on none was missed
	readers int
	waiting map[string]chan struct{}
}

// New returns a feed that remembers nothing. Boot must differ from that of any feed
// whose readers may come here.
func New(boot uint64) *Feed {
	return &Feed{boot: strconv.FormatUint(boot, 36), waiting: map[string]chan struct{}{}}
}

// Tell is told of a commit that is on disk.
func (f *Feed) Tell(appends []run.Append) {
	for i := range appends {
		a := &appends[i]
		if changed, approval := matters(a); changed {
			at := a.Summary.UpdatedAt
			if n := len(a.Events); n > 0 {
				at = a.Events[n-1].At
			}
			line := a.Summary
			line.ID = a.ID
			f.add(Change{Line: line, At: at, Approval: approval})
		}
	}
}

// Hear is told how a run stands now that somebody else has changed it. It counts as a
// change of what waits for a person, too: which of the two it was is not known here.
func (f *Feed) Hear(line run.Summary) {
	f.add(Change{Line: line, At: line.UpdatedAt, Approval: true})
}

// Miss is told that there may have been changes, of any project, which nobody will tell
// of: all readers have to read their lists again, also those who come back.
func (f *Feed) Miss() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(Change{})
	f.whole = f.next
	for _, waiting := range f.waiting {
		close(waiting)
	}
	clear(f.waiting)
}

// Watched reports whether anybody is reading.
func (f *Feed) Watched() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.readers > 0
}

// count adds a reader, or takes one away.
func (f *Feed) count(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readers += n
}

// matters reports whether an append changes how a run stands in lists, and in the
// inbox. Steps and tool calls of a run that goes on do neither.
func matters(a *run.Append) (changed, approval bool) {
	changed = len(a.Events) == 0 || a.Summary.Deleted // its line alone was changed
	for i := range a.Events {
		switch e := &a.Events[i]; e.Type {
		case run.ApprovalDecided, run.ApprovalExpired:
			return true, true
		case run.ModelResponded, run.ToolFinished:
			approval = approval || a.Summary.Pending > 0
			changed = changed || approval || !a.Summary.Live
		case run.RunFinished, run.CancelRequested, run.DeadlinePassed:
			changed, approval = true, true // what was pending is not any more
		case run.RunCreated, run.RunStarted, run.RunPaused, run.RunResumed, run.BudgetRefused, run.BudgetRaised, run.InputReceived, run.ChildFinished:
			changed = true
		case run.RunDriven, run.ModelFailed, run.ToolStarted, run.MessageAdded:
		}
	}
	return changed, approval
}

func (f *Feed) add(c Change) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(c)
	if waiting, any := f.waiting[c.Line.Project]; any {
		close(waiting)
		delete(f.waiting, c.Line.Project)
	}
}

func (f *Feed) put(c Change) {
	if len(f.ring) < Remembered {
		f.ring = append(f.ring, c)
	} else {
		f.ring[f.next%Remembered] = c
	}
	f.next++
}

// Watch tells what changes in a project behind a cursor, until ctx ends. Without a
// cursor it begins now. The first batch comes at once: a Resync, or what was missed.
func (f *Feed) Watch(ctx context.Context, project, cursor string) iter.Seq[Batch] {
	return func(yield func(Batch) bool) {
		f.count(1)
		defer f.count(-1)
		at, resync := f.begin(cursor)
		for first := true; ; first = false {
			batch, wait := f.take(project, &at)
			if resync != "" {
				batch.Resync = resync
			}
			resync = ""
			if (first || batch.Resync != "" || len(batch.Changes) > 0) && !yield(batch) {
				return
			}
			if !rest(ctx, wait) {
				return
			}
		}
	}
}

// rest waits for a change, and for the reader's pace.
func rest(ctx context.Context, wait <-chan struct{}) bool {
	timer := time.NewTimer(pace)
	defer timer.Stop()
	select {
	case <-wait:
	case <-ctx.Done():
		return false
	}
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// begin reads a cursor.
func (f *Feed) begin(cursor string) (at int64, resync Resync) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if cursor == "" {
		return f.next, Begin
	}
	boot, number, _ := strings.Cut(cursor, ".")
	at, err := strconv.ParseInt(number, 10, 64)
	if err != nil || boot != f.boot || at < 0 || at > f.next {
		return f.next, Restart
	}
	return at, ""
}

// take returns the project's changes from at on, moves at behind them, and returns
// what to wait on for more.
func (f *Feed) take(project string, at *int64) (Batch, <-chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	var b Batch
	if oldest := max(f.next-int64(len(f.ring)), f.whole); *at < oldest {
		*at, b.Resync = f.next, Gap
	}
	for ; *at < f.next; *at++ {
		if c := &f.ring[*at%Remembered]; c.Line.Project == project {
			told := *c
			told.Before, told.After = f.cursor(*at), f.cursor(*at+1)
			b.Changes = append(b.Changes, told)
		}
	}
	b.Cursor = f.cursor(f.next)
	wait, any := f.waiting[project]
	if !any {
		wait = make(chan struct{})
		f.waiting[project] = wait
	}
	return b, wait
}

func (f *Feed) cursor(n int64) string { return fmt.Sprintf("%s.%d", f.boot, n) }
