package memory

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/run"
	"errand/internal/store"
)

// Load returns the run's events after the given seq, in order; limit 0 = all. A
// run that is not there, or was deleted, has none.
func (s *Store) Load(_ context.Context, id run.ID, after int64, limit int) ([]run.Event, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	rec := s.runs[id]
	if rec == nil {
		return nil, nil
	}
	var events []run.Event
	for _, kept := range rec.events {
		if kept.seq <= after {
			continue
		}
		if limit > 0 && len(events) == limit {
			break
		}
		if len(events) == 0 && kept.seq != after+1 {
			return nil, nil // its beginning is gone: the run is being removed
		}
		e := run.Event{Seq: kept.seq, ID: kept.id, At: kept.at}
		if err := run.Decode(kept.kind, kept.body, &e); err != nil {
			return nil, fmt.Errorf("loading run %s: %w", id, err)
		}
		events = append(events, e)
	}
	return events, nil
}

// Summary returns the run's line, or a not_found problem. A deleted run has one.
func (s *Store) Summary(_ context.Context, id run.ID) (run.Summary, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if rec := s.runs[id]; rec != nil {
		return rec.line, nil
	}
	return run.Summary{}, store.RunNotFound(id)
}

// Places tells of lanes how many of their runs have a driver, how many wait, and which of
// those go first.
func (s *Store) Places(_ context.Context, lanes []run.LaneID) (map[run.LaneID]run.Places, error) {
	found := make(map[run.LaneID]run.Places, len(lanes))
	for _, lane := range lanes {
		var there run.Places
		all := s.lines(func(line *run.Summary) bool {
			its, works, waits := store.Lane(line)
			if works && its == lane {
				there.Working++
			}
			return waits && its == lane
		})
		slices.Reverse(all)
		there.Waiting = len(all)
		for i := range min(len(all), store.NextInLane) {
			there.Next = append(there.Next, all[i].ID)
		}
		found[lane] = there
	}
	return found, nil
}

// Waiting tells how many runs without a lane wait for a driver, by project.
func (s *Store) Waiting(context.Context) (map[string]int, error) {
	found := map[string]int{}
	for _, line := range s.lines(func(line *run.Summary) bool {
		return line.Live && line.Driver == "" && line.Lane == "" && !line.Deleted
	}) {
		found[line.Project]++
	}
	return found, nil
}

// Live returns the runs that need a driver, oldest first.
func (s *Store) Live(context.Context) ([]run.ID, error) {
	var ids []run.ID
	for _, line := range s.lines(func(line *run.Summary) bool { return line.Live && !line.Deleted }) {
		ids = append(ids, line.ID)
	}
	slices.Reverse(ids)
	return ids, nil
}

// Runs lists one project's runs, newest first, without deleted ones; limit 0 = all.
func (s *Store) Runs(_ context.Context, q run.RunQuery) ([]run.Summary, error) {
	lines := s.lines(func(line *run.Summary) bool {
		return store.Matches(&q, line) && (q.Before.IsZero() || bytes.Compare(line.ID[:], q.Before[:]) < 0)
	})
	return cut(lines, q.Limit), nil
}

// Search lists one project's runs by what no index has. It looks at all of them
// whatever the search says: they are in memory.
func (s *Store) Search(_ context.Context, q run.RunSearch) (run.RunFound, error) {
	matches := store.Searching(&q)
	var found run.RunFound
	found.Lines = s.lines(func(line *run.Summary) bool {
		if beyond := bytes.Compare(line.ID[:], q.Before[:]); !q.Before.IsZero() && (beyond == 0 || (beyond > 0) != q.Oldest) {
			return false
		}
		found.Looked++
		return matches(line)
	})
	if q.Oldest {
		slices.Reverse(found.Lines)
	}
	found.Lines = cut(found.Lines, q.Limit)
	return found, nil
}

// Count returns how many runs of a saved agent have each status, without deleted
// ones; a status that none has is left out.
func (s *Store) Count(_ context.Context, project, agent string) (map[run.Status]int, error) {
	counts := map[run.Status]int{}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, rec := range s.runs {
		if line := &rec.line; !line.Deleted && line.Project == project && line.Agent == agent {
			counts[line.Status]++
		}
	}
	return counts, nil
}

// Recent passes the runs of all projects created at or after since to each, newest
// first, without deleted ones.
func (s *Store) Recent(_ context.Context, since time.Time, each func(*run.Summary)) error {
	lines := s.lines(func(line *run.Summary) bool {
		return !line.Deleted && store.Millis(line.CreatedAt) >= store.Millis(since)
	})
	for i := range lines {
		each(&lines[i])
	}
	return nil
}

// Spent returns what a project has spent on the days from the first to the last,
// both included, by day, agent, key and model.
func (s *Store) Spent(_ context.Context, project string, from, to run.Day) ([]run.Spend, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []run.Spend
	for account, sum := range s.spend {
		if account.Project == project && account.Day >= from && account.Day <= to {
			all = append(all, sum)
		}
	}
	slices.SortFunc(all, func(a, b run.Spend) int {
		return cmp.Or(strings.Compare(string(a.Day), string(b.Day)), strings.Compare(a.Agent, b.Agent), strings.Compare(a.Under, b.Under),
			strings.Compare(a.Key, b.Key), strings.Compare(a.Model, b.Model))
	})
	return all, nil
}

// Audits returns lines of the audit log, oldest first, behind the given seq; of all
// projects where none is named; limit 0 = all.
func (s *Store) Audits(_ context.Context, project string, after int64, limit int) ([]run.Audit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []run.Audit
	for _, line := range s.audit {
		if line.Seq > after && (project == "" || line.Project == project) {
			all = append(all, line)
		}
	}
	return cut(all, limit), nil
}

// lines returns the lines that match, newest first.
func (s *Store) lines(match func(*run.Summary) bool) []run.Summary {
	s.mu.RLock()
	defer s.mu.RUnlock()
	var lines []run.Summary
	for _, rec := range s.runs {
		if match(&rec.line) {
			lines = append(lines, rec.line)
		}
	}
	slices.SortFunc(lines, func(a, b run.Summary) int { return bytes.Compare(b.ID[:], a.ID[:]) })
	return lines
}

// Row returns one row, or a not_found problem.
func (s *Store) Row(_ context.Context, kind, project, id string) (run.Row, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	row, ok := s.rows[rowKey{kind, project, id}]
	if !ok || s.expired(&row) {
		return run.Row{}, store.RowNotFound(kind, id)
	}
	row.Data = bytes.Clone(row.Data)
	return row, nil
}

// RowByName returns the row that has the name, or a not_found problem.
func (s *Store) RowByName(_ context.Context, kind, project, name string) (run.Row, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, row := range s.rows {
		if name != "" && row.Name == name && row.Kind == kind && row.Project == project && !s.expired(&row) {
			row.Data = bytes.Clone(row.Data)
			return row, nil
		}
	}
	return run.Row{}, store.RowNotFound(kind, name)
}

// Rows lists rows of one kind and project in order of id; limit 0 = all.
func (s *Store) Rows(_ context.Context, q run.RowQuery) ([]run.Row, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	direction := 1
	if q.Newest {
		direction = -1
	}
	var rows []run.Row
	for _, row := range s.rows {
		if row.Kind != q.Kind || row.Project != q.Project || s.expired(&row) {
			continue
		}
		if q.After == "" || strings.Compare(row.ID, q.After)*direction > 0 {
			row.Data = bytes.Clone(row.Data)
			rows = append(rows, row)
		}
	}
	slices.SortFunc(rows, func(a, b run.Row) int { return direction * strings.Compare(a.ID, b.ID) })
	return cut(rows, q.Limit), nil
}

// Jobs returns the jobs that are due first, in that order, due or not.
func (s *Store) Jobs(_ context.Context, limit int) ([]run.Job, error) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	jobs := make([]run.Job, 0, len(s.jobs))
	for _, job := range s.jobs {
		job.Data = bytes.Clone(job.Data)
		jobs = append(jobs, job)
	}
	slices.SortFunc(jobs, func(a, b run.Job) int {
		return cmp.Or(a.Due.Compare(b.Due), cmp.Compare(a.ID, b.ID))
	})
	return cut(jobs, limit), nil
}

// FinishJob deletes a job. One that is gone is no error.
func (s *Store) FinishJob(ctx context.Context, id int64) error {
	return store.Wait(ctx, func(done func(error)) { s.push(item{finish: id, done: done}) })
}

// RetryJob makes a job due again at the given time and counts a failed try. One
// that is gone stays gone.
func (s *Store) RetryJob(ctx context.Context, id int64, due time.Time) error {
	return store.Wait(ctx, func(done func(error)) { s.push(item{retry: id, due: due, done: done}) })
}

func cut[T any](list []T, limit int) []T {
	if limit > 0 && len(list) > limit {
		return list[:limit]
	}
	return list
}
