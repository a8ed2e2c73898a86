// Package store holds the rules that all stores share: when an append to a run's
// log is admitted, when a row may be written, and how a commit must look.
//
// The packages below it keep the data: sqlite (one file, the default), memory
// (tests, and runs that nobody wants to keep). storetest is the suite that each
// of them passes. The rules are pure functions, so that two stores can't
// disagree about them.
//
// What every store promises:
//   - A commit is all or nothing, and answered exactly once, in the order in
//     which commits were submitted.
//   - A commit that fails its checks fails alone; others in its group don't.
//   - What was answered with nil is on disk (in memory: readable).
//
// To change who may append to a run, edit Admit; when a run's driver is asked for,
// Orphaned; what a row write expects, AdmitRow; how commits are gathered into
// groups, gather.go; to add a store, make it pass storetest.
package store

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errand/internal/problem"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/internal/run"
)

// ErrClosed answers commits that come after Close.
var ErrClosed = errors.New("the store is closed")

// Admit decides whether a may be appended to the run whose stored line is given
// (nil when there is none) and returns the line as it stands afterwards. Errors
// are run.ErrFenced and run.ErrConflict. A writer with a stale epoch is told so
// even when it is also behind, because only that tells it to stop driving.
func Admit(stored *run.Summary, a *run.Append) (run.Summary, error) {
	line := a.Summary
	line.ID, line.Seq = a.ID, a.Expected+int64(len(a.Events))
	switch {
	case stored == nil && a.Expected == 0:
		return line, nil
	case stored == nil, stored.Deleted, a.Expected == 0:
		return line, run.ErrConflict
	}
	epoch, err := admitEpoch(stored.Epoch, a)
	if err != nil {
		return line, err
	}
	if a.Expected != stored.Seq {
		return line, run.ErrConflict
	}
	line.Epoch = epoch
	if a.Epoch == 0 {
		line.Driver = stored.Driver
	}
	line.Lane = cmp.Or(line.Lane, stored.Lane)
	return line, nil
}

// AdmitLane decides whether a's bound has room for its run. The line before is as Admit
// was given it (nil when there is none), the line after as Admit has returned it, and
// there is how many others of the lane work and wait. A run whose driver stays the same
// has its place.
func AdmitLane(before, after *run.Summary, a *run.Append, there run.Places) error {
	switch b := a.Bound; {
	case b == nil, there.Working < b.Most, before != nil && before.Driver == after.Driver:
		return nil
	case after.Driver == "" && (b.Queue == 0 || there.Waiting < b.Queue):
		return nil
	}
	return run.ErrLaneFull
}

// NextInLane is how many of those that wait in a lane a store names at most: more than
// get a place there from one look to the next, but where runs take less than that.
const NextInLane = 32

// Lane is the lane in which a line has a place or waits for one, if it is in one.
func Lane(line *run.Summary) (lane run.LaneID, works, waits bool) {
	if line.Lane == "" || line.Deleted {
		return lane, false, false
	}
	works = line.Driver != ""
	return run.LaneID{Project: line.Project, Name: line.Lane}, works, !works && line.Live
}

// Orphaned is the job that a writes because the run, whose line is as Admit has
// returned it, needs a driver and has none; nil if that is not so.
func Orphaned(line *run.Summary, a *run.Append) *run.Job {
	if !line.Live || line.Driver != "" || line.Deleted {
		return nil
	}
	return a.Orphan
}

// admitEpoch returns the run's epoch after a, or run.ErrFenced. Taking over means
// to append run.driven with an epoch that nobody has had.
func admitEpoch(stored int64, a *run.Append) (int64, error) {
	epoch, driven := stored, false
	for i := range a.Events {
		if a.Events[i].Type != run.RunDriven || a.Events[i].Driven == nil {
			continue
		}
		if a.Events[i].Driven.Epoch <= epoch {
			return 0, run.ErrFenced
		}
		epoch, driven = a.Events[i].Driven.Epoch, true
	}
	if (a.Epoch != 0 || driven) && a.Epoch != epoch {
		return 0, run.ErrFenced
	}
	return epoch, nil
}

// AdmitRow checks w against the version that is there; 0 means that no row is.
func AdmitRow(version int64, w *run.RowWrite) error {
	if w.Expect == run.AnyVersion || w.Expect == version {
		return nil
	}
	return &run.RowConflict{Kind: w.Kind, ID: w.ID}
}

// Validate finds mistakes of the program that made c. They are no conflicts:
// the same commit would fail again.
func Validate(c *run.Commit) error {
	for i := range c.Runs {
		a := &c.Runs[i]
		if a.ID.IsZero() {
			return errors.New("committing: an append names no run")
		}
		if a.Expected == 0 && len(a.Events) == 0 {
			return fmt.Errorf("committing: run %s would begin without an event", a.ID)
		}
		for j := range a.Events {
			if want := a.Expected + int64(j) + 1; a.Events[j].Seq != want {
				return fmt.Errorf("committing: run %s has an event numbered %d in place of %d", a.ID, a.Events[j].Seq, want)
			}
		}
	}
	for i := range c.Rows {
		if w := &c.Rows[i]; w.Kind == "" || w.ID == "" || w.Expect < run.AnyVersion {
			return fmt.Errorf("committing: row %q %q with expectation %d", w.Kind, w.ID, w.Expect)
		}
	}
	for i := range c.Jobs {
		if c.Jobs[i].Kind == "" || c.Jobs[i].ID != 0 {
			return fmt.Errorf("committing: a new job has kind %q and id %d", c.Jobs[i].Kind, c.Jobs[i].ID)
		}
	}
	return nil
}

// Chain is the hash of a line of the audit log whose predecessor's hash is given:
// zeros for the first.
func Chain(before [32]byte, a *run.Audit) [32]byte {
	hash := sha256.New()
	hash.Write(before[:])
	for _, part := range []string{
		strconv.FormatInt(a.Seq, 10), strconv.FormatInt(Millis(a.At), 10), a.Project, a.Actor, a.ActorName, a.From,
		a.Request, a.Action, a.Target, string(a.Data),
	} {
		fmt.Fprintf(hash, "%d:%s", len(part), part) // no two lists of parts hash alike
	}
	return [32]byte(hash.Sum(nil))
}

// Millis is the stored form of a time: Unix milliseconds, 0 for the zero time.
func Millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

// Time reads what Millis makes, in UTC.
func Time(millis int64) time.Time {
	if millis == 0 {
		return time.Time{}
	}
	return time.UnixMilli(millis).UTC()
}

// Stats is what a store tells the metrics. Counters grow from Open on.
type Stats struct {
	Groups      int64 // transactions committed
	Commits     int64 // commits in them: Commits/Groups is the average group
	Largest     int64 // commits of the largest group so far
	Conflicts   int64 // commits that failed their checks
	Failures    int64 // transactions that failed
	Queued      int64 // commits that wait now
	Checkpoints int64 // write-ahead log copied into the file
	FileBytes   int64 // size of the database file
	WALBytes    int64 // size of the write-ahead log
	FreeBytes   int64 // inside the file, to be used again
}

// Encode checks c and returns the stored form of its events, run by run. It is
// done where a commit is submitted, so that the one writer does not have to.
func Encode(c *run.Commit) ([][]byte, error) {
	if err := Validate(c); err != nil {
		return nil, err
	}
	count := 0
	for i := range c.Runs {
		count += len(c.Runs[i].Events)
	}
	bodies := make([][]byte, 0, count)
	for i := range c.Runs {
		for j := range c.Runs[i].Events {
			body, err := run.Encode(c.Runs[i].Events[j])
			if err != nil {
				return nil, fmt.Errorf("committing run %s: %w", c.Runs[i].ID, err)
			}
			bodies = append(bodies, body)
		}
	}
	return bodies, nil
}

// Wait calls submit and waits until it is answered, or ctx ends.
func Wait(ctx context.Context, submit func(done func(error))) error {
	answer := make(chan error, 1)
	submit(func(err error) { answer <- err })
	select {
	case err := <-answer:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Matches reports whether a line belongs to q's list; Before and Limit are the
// caller's.
func Matches(q *run.RunQuery, line *run.Summary) bool {
	return !line.Deleted && line.Project == q.Project &&
		(q.Agent == "" || line.Agent == q.Agent) &&
		(q.Dialect == "" || line.Dialect == q.Dialect) &&
		(len(q.Statuses) == 0 || slices.Contains(q.Statuses, line.Status)) &&
		(!q.Pending || line.Pending > 0) &&
		(q.After.IsZero() || Millis(line.CreatedAt) >= Millis(q.After)) &&
		(q.Until.IsZero() || Millis(line.CreatedAt) < Millis(q.Until))
}

// EndedBefore reports whether the line's run ended before t; of the zero time every
// run is said to, also one that has not ended.
func EndedBefore(line *run.Summary, t time.Time) bool {
	return t.IsZero() || !line.EndedAt.IsZero() && Millis(line.EndedAt) < Millis(t)
}

// Rounded returns the line as it reads back: its times in UTC, to the millisecond.
func Rounded(line run.Summary) run.Summary {
	line.CreatedAt = Time(Millis(line.CreatedAt))
	line.UpdatedAt = Time(Millis(line.UpdatedAt))
	line.EndedAt = Time(Millis(line.EndedAt))
	return line
}

// RunNotFound is the problem that answers a question about a run that is not there.
func RunNotFound(id run.ID) error {
	return problem.New(problem.NotFound, "There is no run with the id %s.", id)
}

// RowNotFound is the problem that answers a question about a row that is not there.
func RowNotFound(kind, name string) error {
	return problem.New(problem.NotFound, "There is no %s %q.", strings.ReplaceAll(kind, "_", " "), name)
}
