package memory

import (
	"bytes"
	"slices"
	"time"

	"errand/internal/run"
	"errand/internal/store"
)

// record is one run: its line and its log.
type record struct {
	line   run.Summary
	events []stored
}

// stored is an event in its stored form.
type stored struct {
	seq  int64
	id   uint64
	at   time.Time
	kind run.Type
	body []byte
}

type rowKey struct{ kind, project, id string }

// staged is what a commit would change, until all of it is admitted.
type staged struct {
	lines map[run.ID]run.Summary
	jobs  []run.Job           // for runs that the commit leaves without a driver
	rows  map[rowKey]*run.Row // nil = deleted
}

// write does it wholly or not at all, and returns whom to poke about new jobs.
func (s *Store) write(it *item) (poke func(), err error) {
	if it.err != nil {
		return nil, it.err
	}
	if s.cfg.Refuse != nil {
		if err := s.cfg.Refuse(&it.commit); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if it.purge != nil {
		return nil, s.purge(it)
	}
	stage := staged{lines: map[run.ID]run.Summary{}, rows: map[rowKey]*run.Row{}}
	if err := s.stage(&it.commit, &stage); err != nil {
		s.stats.Conflicts++
		return nil, err
	}
	s.apply(it, stage)
	s.stats.Groups, s.stats.Commits, s.stats.Largest = s.stats.Groups+1, s.stats.Commits+1, 1
	if len(it.commit.Jobs)+len(stage.jobs) > 0 || it.retry != 0 {
		return s.onJobs, nil
	}
	return nil, nil
}

// stage checks the commit piece by piece, each on what the earlier ones leave.
func (s *Store) stage(c *run.Commit, stage *staged) error {
	for i := range c.Runs {
		a := &c.Runs[i]
		var there *run.Summary
		if line, ok := stage.lines[a.ID]; ok {
			there = &line
		} else if found := s.runs[a.ID]; found != nil {
			there = &found.line
		}
		line, err := store.Admit(there, a)
		if err != nil {
			return err
		}
		if a.Bound != nil {
			if err := store.AdmitLane(there, &line, a, s.others(&line, stage)); err != nil {
				return err
			}
		}
		stage.lines[a.ID] = line
		if job := store.Orphaned(&line, a); job != nil {
			stage.jobs = append(stage.jobs, *job)
		}
	}
	for i := range c.Rows {
		if err := s.stageRow(&c.Rows[i], *stage); err != nil {
			return err
		}
	}
	return nil
}

// others counts the runs of a line's lane but its own, as the commit so far leaves them.
func (s *Store) others(of *run.Summary, stage *staged) (there run.Places) {
	mine, _, _ := store.Lane(of)
	count := func(line *run.Summary) {
		if lane, works, waits := store.Lane(line); line.ID != of.ID && lane == mine {
			there.Working, there.Waiting = there.Working+one(works), there.Waiting+one(waits)
		}
	}
	for id, rec := range s.runs {
		if _, staged := stage.lines[id]; !staged {
			count(&rec.line)
		}
	}
	for _, line := range stage.lines {
		count(&line)
	}
	return there
}

func one(so bool) int {
	if so {
		return 1
	}
	return 0
}

func (s *Store) stageRow(w *run.RowWrite, stage staged) error {
	key := rowKey{w.Kind, w.Project, w.ID}
	var version int64
	if there := s.row(key, stage); there != nil {
		version = there.Version
	}
	if err := store.AdmitRow(version, w); err != nil || w.Check {
		return err
	}
	if w.Delete {
		stage.rows[key] = nil
		return nil
	}
	if w.Name != "" && s.nameTaken(w, stage) {
		return &run.RowConflict{Kind: w.Kind, ID: w.ID, Name: true}
	}
	row := w.Row
	row.Version = version + 1
	row.Created, row.Expires = store.Time(store.Millis(row.Created)), store.Time(store.Millis(row.Expires))
	row.Data = bytes.Clone(row.Data)
	stage.rows[key] = &row
	return nil
}

// row returns the row as the commit so far leaves it; an expired one is gone.
func (s *Store) row(key rowKey, stage staged) *run.Row {
	if row, ok := stage.rows[key]; ok {
		return row
	}
	if row, ok := s.rows[key]; ok && !s.expired(&row) {
		return &row
	}
	return nil
}

func (s *Store) expired(row *run.Row) bool {
	return !row.Expires.IsZero() && store.Millis(row.Expires) <= store.Millis(s.cfg.Now())
}

func (s *Store) nameTaken(w *run.RowWrite, stage staged) bool {
	holds := func(key rowKey, name string) bool {
		return name == w.Name && key.kind == w.Kind && key.project == w.Project && key.id != w.ID
	}
	for key, row := range stage.rows {
		if row != nil && holds(key, row.Name) {
			return true
		}
	}
	for key, row := range s.rows {
		if _, replaced := stage.rows[key]; !replaced && holds(key, row.Name) && !s.expired(&row) {
			return true
		}
	}
	return false
}

// apply writes what was admitted; nothing in it can fail.
func (s *Store) apply(it *item, stage staged) {
	bodies := it.bodies
	for i := range it.commit.Runs {
		a := &it.commit.Runs[i]
		rec := s.runs[a.ID]
		if rec == nil {
			rec = &record{}
			s.runs[a.ID] = rec
		}
		for j := range a.Events {
			e := &a.Events[j]
			rec.events = append(rec.events, stored{e.Seq, e.ID, store.Time(store.Millis(e.At)), e.Type, bodies[j]})
		}
		bodies = bodies[len(a.Events):]
	}
	for id, line := range stage.lines {
		s.runs[id].line = store.Rounded(line)
		if line.Deleted {
			s.runs[id].events = nil
		}
	}
	for key, row := range s.rows {
		if s.expired(&row) {
			delete(s.rows, key)
		}
	}
	for key, row := range stage.rows {
		if row == nil {
			delete(s.rows, key)
		} else {
			s.rows[key] = *row
		}
	}
	for i := range it.commit.Spend {
		one := &it.commit.Spend[i]
		sum := s.spend[one.Account]
		sum.Account = one.Account
		sum.Add(one)
		s.spend[one.Account] = sum
	}
	for _, line := range it.commit.Audit {
		var before [32]byte
		if len(s.audit) > 0 {
			before = s.audit[len(s.audit)-1].Hash
		}
		line.Seq, line.At, line.Data = int64(len(s.audit)+1), store.Time(store.Millis(line.At)), bytes.Clone(line.Data)
		line.Hash = store.Chain(before, &line)
		s.audit = append(s.audit, line)
	}
	s.applyJobs(it, stage.jobs)
}

func (s *Store) applyJobs(it *item, orphans []run.Job) {
	for _, job := range slices.Concat(it.commit.Jobs, orphans) {
		s.lastJob++
		job.ID, job.Tries = s.lastJob, 0
		job.Due, job.Data = store.Time(store.Millis(job.Due)), bytes.Clone(job.Data)
		s.jobs[job.ID] = job
	}
	delete(s.jobs, it.finish)
	if job, ok := s.jobs[it.retry]; ok {
		job.Due, job.Tries = store.Time(store.Millis(it.due)), job.Tries+1
		s.jobs[it.retry] = job
	}
}
