package memory

import (
	"bytes"
	"cmp"
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"errand/internal/run"
	"errand/internal/store"
)

// Past lists runs of one project, oldest first, behind the given id, deleted ones
// included: those that ended before a time, or with the zero time all of them; limit
// 0 = all.
func (s *Store) Past(_ context.Context, project string, ended time.Time, after run.ID, limit int) ([]run.Summary, error) {
	lines := s.lines(func(line *run.Summary) bool {
		return line.Project == project && bytes.Compare(line.ID[:], after[:]) > 0 && store.EndedBefore(line, ended)
	})
	slices.Reverse(lines)
	return cut(lines, limit), nil
}

// Kinds names the kinds of rows that a project has.
func (s *Store) Kinds(_ context.Context, project string) ([]string, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	kinds := map[string]bool{}
	for key, row := range s.rows {
		if key.project == project && !s.expired(&row) {
			kinds[key.kind] = true
		}
	}
	return slices.SortedFunc(maps.Keys(kinds), strings.Compare), nil
}

// LooseJobs lists jobs that belong to no run, by id, behind the given one.
func (s *Store) LooseJobs(_ context.Context, after int64, limit int) ([]run.Job, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var jobs []run.Job
	for _, job := range s.jobs {
		if job.Run.IsZero() && job.ID > after {
			job.Data = bytes.Clone(job.Data)
			jobs = append(jobs, job)
		}
	}
	slices.SortFunc(jobs, func(a, b run.Job) int { return cmp.Compare(a.ID, b.ID) })
	return cut(jobs, limit), nil
}

// Purge removes runs that have ended, in the given order: their jobs, their events,
// their lines, and no more than most of these in this one commit. It returns how many
// went; fewer than most say that nothing is left of the runs. From the first commit
// on a run is deleted to whoever looks. One that is not there is no error; one that
// has not ended is run.ErrConflict, and then nothing goes.
func (s *Store) Purge(ctx context.Context, runs []run.ID, most int) (removed int, err error) {
	if len(runs) == 0 {
		return 0, nil
	}
	took := make(chan int, 1)
	err = store.Wait(ctx, func(done func(error)) {
		s.push(item{done: done, purge: runs, most: most, removed: func(n int) { took <- n }})
	})
	if err == nil {
		removed = <-took
	}
	return removed, err
}

// purge does what Purge says; the lock is held.
func (s *Store) purge(it *item) error {
	for _, id := range it.purge {
		if rec := s.runs[id]; rec != nil && !rec.line.Deleted && !rec.line.Status.Terminal() {
			return run.ErrConflict
		}
	}
	left := it.most
	for _, id := range it.purge {
		if left == 0 {
			break
		}
		rec := s.runs[id]
		if rec != nil {
			rec.line.Deleted = true
			n := min(len(rec.events), left)
			rec.events, left = rec.events[n:], left-n
		}
		for n, job := range s.jobs {
			if job.Run == id && left > 0 {
				delete(s.jobs, n)
				left--
			}
		}
		if rec != nil && left > 0 {
			delete(s.runs, id)
			left--
		}
	}
	it.removed(it.most - left)
	return nil
}
