package store

import "sync/atomic"

// Tally counts what the writer of a store has done, for its Stats. Its methods but
// Stats are for the writer's goroutine.
type Tally struct {
	groups, commits, largest, conflicts, failures atomic.Int64
}

// Wrote books a group of which so many commits were written, if any.
func (t *Tally) Wrote(commits int) {
	if commits == 0 {
		return
	}
	t.groups.Add(1)
	t.commits.Add(int64(commits))
	t.largest.Store(max(t.largest.Load(), int64(commits)))
}

// Refused books commits that failed their checks.
func (t *Tally) Refused(commits int) { t.conflicts.Add(int64(commits)) }

// Failed books an attempt to write a group that came to nothing.
func (t *Tally) Failed() { t.failures.Add(1) }

// Stats tells the sums, beside the number of commits that wait to be written.
func (t *Tally) Stats(queued int) Stats {
	return Stats{
		Groups: t.groups.Load(), Commits: t.commits.Load(), Largest: t.largest.Load(),
		Conflicts: t.conflicts.Load(), Failures: t.failures.Load(), Queued: int64(queued),
	}
}
