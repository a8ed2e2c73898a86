package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// ticket is the data of an EraseJob. Jobs of other kinds that belong to a project
// name it in the same way.
type ticket struct {
	Project string `json:"project"`
}

// NewErasure is the job that removes a project.
func (k *Keeper) NewErasure(project string) (run.Job, error) {
	data, err := json.Marshal(ticket{project})
	return run.Job{Kind: EraseJob, Due: k.cfg.Now(), Data: data}, err
}

// erasure is one removal under way.
type erasure struct {
	*Keeper
	job     run.Job
	project auth.Project
	found   bool // in this pass
}

// erase removes a project. It goes through everything that a project can have, again
// and again until it finds nothing: what was on its way when the project was shut may
// have come in behind its back. Each step can be repeated.
func (k *Keeper) erase(ctx context.Context, job run.Job) error {
	var t ticket
	if err := json.Unmarshal(job.Data, &t); err != nil {
		return fmt.Errorf("reading which project to erase: %w", err)
	}
	p, err := k.cfg.Book.Project(ctx, t.Project)
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil || p.Erasure == nil {
		return err
	}
	ctx = Pass(ctx)
	k.cfg.Gate.Shut(p.Name)
	if err := k.cfg.Book.RevokeAll(ctx, p.Name); err != nil {
		return err
	}
	e := &erasure{Keeper: k, job: job, project: p}
	for settled := k.cfg.Settle == 0; ; settled = true {
		for e.found = true; e.found; {
			if err := e.pass(ctx); err != nil {
				return err
			}
		}
		if settled {
			break
		}
		if err := k.wait(ctx, p.Erasure.Since.Add(k.cfg.Settle).Sub(k.cfg.Now())); err != nil {
			return err
		}
	}
	k.cfg.Forget(p.Name)
	count, err := k.cfg.Book.DropKeys(ctx, p.Name)
	if err != nil {
		return err
	}
	if err := e.note(ctx, "keys", "keys", count, nil); err != nil {
		return err
	}
	if err := k.cfg.Book.EndErasure(ctx, e.project); err != nil {
		return err
	}
	k.erased.Add(1)
	k.cfg.Logger.Info("a project was erased", "project", p.Name, "by", p.Erasure.By, "removed", e.project.Erasure.Removed)
	return nil
}

// pass goes through everything once.
func (e *erasure) pass(ctx context.Context) error {
	e.found = false
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"ending runs", e.endRuns}, {"objects", e.dropRows}, {"files", e.dropFiles}, {"index", e.dropIndex},
		{"runs", e.dropRuns}, {"jobs", e.dropJobs}, {"links", e.dropLinks},
	} {
		if err := e.note(ctx, step.name, "", 0, nil); err != nil {
			return err
		}
		if err := step.do(ctx); err != nil {
			return fmt.Errorf("erasing the project %s, %s: %w", e.project.Name, step.name, err)
		}
	}
	return nil
}

// note writes how far it has come, in one commit with what it brings about.
func (e *erasure) note(ctx context.Context, step, what string, count int, rows []run.RowWrite) error {
	changed, err := e.cfg.Book.Change(ctx, e.project.Name, func(p *auth.Project) (run.Commit, error) {
		if p.Erasure == nil {
			return run.Commit{}, errors.New("it is a new project of this name")
		}
		if p.Erasure.Step = step; count > 0 {
			p.Erasure.Removed[what] += count
		}
		return run.Commit{Rows: rows}, nil
	})
	if err != nil {
		return err
	}
	e.project = changed
	e.found = e.found || count > 0
	return nil
}

// Ending many runs, each of which may have calls under way that are given half a
// second.
const (
	endAtOnce = 16
	endTries  = 100
	endPause  = 100 * time.Millisecond
)

// endRuns cancels what has not ended, until everything has.
func (e *erasure) endRuns(ctx context.Context) error {
	for range endTries {
		open, err := e.openRuns(ctx)
		if err != nil || len(open) == 0 {
			return err
		}
		var ends sync.WaitGroup
		room := make(chan struct{}, endAtOnce)
		for _, id := range open {
			room <- struct{}{}
			ends.Go(func() {
				defer func() { <-room }()
				why := run.Cancel{By: e.project.Erasure.By, Reason: "The project is being erased."}
				_, err := e.cfg.Runs.Cancel(ctx, e.project.Name, id, why)
				if err != nil && !problem.Is(err, problem.Conflict) && !problem.Is(err, problem.NotFound) { // it has ended meanwhile
					e.cfg.Logger.Warn("a run of a project that is being erased can't be ended yet", "run", id.String(), "error", err)
				}
			})
		}
		ends.Wait()
		if err := e.rest(ctx, e.cfg.Now().Add(-endPause)); err != nil {
			return err
		}
	}
	return errors.New("some runs do not end")
}

func (e *erasure) openRuns(ctx context.Context) (open []run.ID, err error) {
	var after run.ID
	for {
		lines, err := e.cfg.Log.Past(ctx, e.project.Name, time.Time{}, after, pageSize)
		if err != nil || len(lines) == 0 {
			return open, err
		}
		for i := range lines {
			if !lines[i].Deleted && !lines[i].Status.Terminal() {
				open = append(open, lines[i].ID)
			}
		}
		after = lines[len(lines)-1].ID
	}
}

// byFiles are the kinds of rows that go with the files, whose bytes are counted.
func byFiles(kind string) bool { return kind == "file" }

func (e *erasure) dropRows(ctx context.Context) error {
	kinds, err := e.cfg.Rows.Kinds(ctx, e.project.Name)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		for more := !byFiles(kind); more; {
			began := e.cfg.Now()
			page, err := e.cfg.Rows.Rows(ctx, run.RowQuery{Kind: kind, Project: e.project.Name, Limit: pageSize})
			if err != nil {
				return err
			}
			var writes []run.RowWrite
			for i := range page {
				gone := run.Row{Kind: kind, Project: e.project.Name, ID: page[i].ID}
				writes = append(writes, run.RowWrite{Row: gone, Expect: run.AnyVersion, Delete: true})
			}
			if err := e.note(ctx, "objects", "objects", len(writes), writes); err != nil {
				return err
			}
			if err := e.rest(ctx, began); err != nil {
				return err
			}
			more = len(page) == pageSize
		}
	}
	return nil
}

func (e *erasure) dropFiles(ctx context.Context) error {
	for {
		began := e.cfg.Now()
		count, err := e.cfg.Files.Clear(ctx, e.project.Name, pageSize)
		if err == nil {
			err = e.note(ctx, "files", "files", count, nil)
		}
		if err != nil || count == 0 {
			return err
		}
		if err := e.rest(ctx, began); err != nil {
			return err
		}
	}
}

func (e *erasure) dropIndex(ctx context.Context) error {
	for {
		began := e.cfg.Now()
		count, err := e.cfg.Index.Clear(ctx, e.project.Name, pageSize)
		if err == nil {
			err = e.note(ctx, "index", "indexed", count, nil)
		}
		if err != nil || count == 0 {
			return err
		}
		if err := e.rest(ctx, began); err != nil {
			return err
		}
	}
}

func (e *erasure) dropRuns(ctx context.Context) error {
	for {
		began := e.cfg.Now()
		lines, err := e.cfg.Log.Past(ctx, e.project.Name, time.Time{}, run.ID{}, pageSize)
		if err != nil || len(lines) == 0 {
			return err
		}
		ids := make([]run.ID, len(lines))
		for i := range lines {
			ids[i] = lines[i].ID
		}
		err = e.purge(ctx, ids)
		if errors.Is(err, run.ErrConflict) {
			e.found = true // one has come that was on its way: the next pass ends it
			return nil
		}
		if err == nil {
			err = e.note(ctx, "runs", "runs", len(ids), nil)
		}
		if err == nil {
			err = e.rest(ctx, began)
		}
		if err != nil {
			return err
		}
	}
}

// dropJobs removes those that belong to no run; those of runs went with them.
func (e *erasure) dropJobs(ctx context.Context) error {
	count := 0
	for after := int64(0); ; {
		jobs, err := e.cfg.Jobs.LooseJobs(ctx, after, pageSize)
		if err != nil {
			return err
		}
		for i := range jobs {
			after = jobs[i].ID
			if jobs[i].ID == e.job.ID || Owner(jobs[i].Data) != e.project.Name {
				continue
			}
			if err := e.cfg.Jobs.FinishJob(ctx, jobs[i].ID); err != nil {
				return err
			}
			count++
		}
		if len(jobs) < pageSize {
			return e.note(ctx, "jobs", "jobs", count, nil)
		}
	}
}

// Owner is the project that a job's or a row's data names, or empty.
func Owner(data []byte) string {
	var t ticket
	if json.Unmarshal(data, &t) != nil {
		return ""
	}
	return t.Project
}

// Kinds of rows that are the server's because they are looked up before a project is
// known, and that are about one.
func serverKinds() []string { return []string{"decide_link"} }

// namedKind is the kind of rows of the server whose id is a project's name.
const namedKind = "webhook_project"

func (e *erasure) dropLinks(ctx context.Context) error {
	var writes []run.RowWrite
	drop := func(kind, id string) {
		writes = append(writes, run.RowWrite{Row: run.Row{Kind: kind, ID: id}, Expect: run.AnyVersion, Delete: true})
	}
	for _, kind := range serverKinds() {
		for after := ""; ; {
			page, err := e.cfg.Rows.Rows(ctx, run.RowQuery{Kind: kind, After: after, Limit: pageSize})
			if err != nil {
				return err
			}
			for i := range page {
				if after = page[i].ID; Owner(page[i].Data) == e.project.Name {
					drop(kind, page[i].ID)
				}
			}
			if len(page) < pageSize || len(writes) >= stepRows {
				break // those that are left are found by the next pass
			}
		}
	}
	switch _, err := e.cfg.Rows.Row(ctx, namedKind, "", e.project.Name); {
	case err == nil:
		drop(namedKind, e.project.Name)
	case !problem.Is(err, problem.NotFound):
		return err
	}
	return e.note(ctx, "links", "links", len(writes), writes)
}
