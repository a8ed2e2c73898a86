package project

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

const day = 24 * time.Hour

// turn is the data of a SweepJob, and of the row that says which is the one that
// counts: a job of another turn does nothing, so that there is one chain of them,
// whatever a crash repeats.
type turn struct {
	Turn int       `json:"turn"`
	Last time.Time `json:"last,omitzero"` // when a sweep was last at its end
}

// next is the commit that makes another turn the one that counts.
func next(row run.Row, t turn, due time.Time) (c run.Commit, err error) {
	t.Turn++
	if row.Data, err = json.Marshal(t); err != nil {
		return c, err
	}
	c.Rows = []run.RowWrite{{Row: row, Expect: row.Version}}
	data, err := json.Marshal(turn{Turn: t.Turn})
	c.Jobs = []run.Job{{Kind: SweepJob, Due: due, Data: data}}
	return c, err
}

// standing reads the row, which may not be there yet.
func (k *Keeper) standing(ctx context.Context) (row run.Row, t turn, err error) {
	row, err = k.cfg.Rows.Row(ctx, sweepKind, "", sweepID)
	if problem.Is(err, problem.NotFound) {
		return run.Row{Kind: sweepKind, ID: sweepID, Created: k.cfg.Now()}, t, nil
	}
	if err == nil {
		err = json.Unmarshal(row.Data, &t)
	}
	if err != nil {
		err = fmt.Errorf("reading which sweep is due: %w", err)
	}
	return row, t, err
}

// Nudge makes a sweep due now.
func (k *Keeper) Nudge(ctx context.Context) error {
	for {
		row, t, err := k.standing(ctx)
		if err != nil {
			return err
		}
		c, err := next(row, t, k.cfg.Now())
		if err != nil {
			return err
		}
		err = k.cfg.Rows.Append(ctx, c)
		if conflict := (*run.RowConflict)(nil); !errors.As(err, &conflict) {
			return err
		}
	}
}

// sweep removes what is too old in all projects, and makes the next sweep due.
func (k *Keeper) sweep(ctx context.Context, job run.Job) error {
	var of turn
	if err := json.Unmarshal(job.Data, &of); err != nil {
		return fmt.Errorf("reading which sweep this is: %w", err)
	}
	row, t, err := k.standing(ctx)
	if err != nil || t.Turn != of.Turn {
		return err
	}
	err = k.each(ctx, func(p *auth.Project) error {
		ended := k.cutoff(p)
		if ended.IsZero() || p.Erasure != nil {
			return nil
		}
		count, err := k.trim(ctx, p.Name, ended)
		if count > 0 {
			k.cfg.Logger.Info("runs were removed because they were too old", "project", p.Name, "runs", count, "ended_before", ended)
		}
		return err
	})
	if err != nil {
		return err
	}
	t.Last = k.cfg.Now().UTC()
	k.recently.Store(t.Last.Unix())
	c, err := next(row, t, t.Last.Add(sweepTime))
	if err != nil {
		return err
	}
	err = k.cfg.Rows.Append(ctx, c)
	if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) {
		return nil // somebody has made another one due meanwhile
	}
	return err
}

// Kept is for how many days a project's runs are kept after their end; 0 = for ever.
func (k *Keeper) Kept(p *auth.Project) int {
	if p.Retention != nil {
		return *p.Retention
	}
	return k.cfg.Days
}

// cutoff is before when runs have ended that are too old; zero = none is.
func (k *Keeper) cutoff(p *auth.Project) time.Time {
	days := k.Kept(p)
	if days == 0 {
		return time.Time{}
	}
	return k.cfg.Now().UTC().Truncate(time.Millisecond).Add(-time.Duration(days) * day)
}

// trim removes the runs of one project that ended before a time, and returns how many
// there were.
func (k *Keeper) trim(ctx context.Context, project string, ended time.Time) (count int, err error) {
	var after run.ID
	for {
		began := k.cfg.Now()
		lines, err := k.cfg.Log.Past(ctx, project, ended, after, pageSize)
		if err != nil || len(lines) == 0 {
			return count, err
		}
		after = lines[len(lines)-1].ID
		var traces Traces
		due, err := k.due(ctx, lines, ended, func(s *run.State) error {
			of, err := k.cfg.Traces(ctx, s, ended)
			traces.Rows, traces.Files = append(traces.Rows, of.Rows...), append(traces.Files, of.Files...)
			return err
		})
		if err != nil {
			return count, fmt.Errorf("finding what belongs to runs of %s: %w", project, err)
		}
		if err := k.remove(ctx, project, due, &traces, ended); err != nil {
			return count, err
		}
		count += len(due)
		k.swept.Add(int64(len(due)))
		if len(lines) < pageSize {
			return count, nil
		}
		if err := k.rest(ctx, began); err != nil {
			return count, err
		}
	}
}

// remove lets runs go: first what is about them alone, with a line in the audit log,
// then they themselves. After a crash in between they are due still.
func (k *Keeper) remove(ctx context.Context, project string, ids []run.ID, traces *Traces, ended time.Time) error {
	if len(ids) == 0 {
		return nil
	}
	var rows []run.RowWrite
	for _, row := range traces.Rows {
		rows = append(rows, run.RowWrite{Row: row, Expect: run.AnyVersion, Delete: true})
	}
	for _, id := range traces.Files {
		if err := k.cfg.Files.Delete(ctx, project, id); err != nil && !problem.Is(err, problem.NotFound) {
			return fmt.Errorf("removing the file %s: %w", id, err)
		}
	}
	data, err := json.Marshal(struct {
		Runs  int       `json:"runs"`
		First string    `json:"first"`
		Last  string    `json:"last"`
		Ended time.Time `json:"ended_before"`
	}{len(ids), "run_" + ids[0].String(), "run_" + ids[len(ids)-1].String(), ended})
	if err != nil {
		return err
	}
	for len(rows) > stepRows {
		if err := k.cfg.Rows.Append(ctx, run.Commit{Rows: rows[:stepRows]}); err != nil {
			return err
		}
		rows = rows[stepRows:]
	}
	line := run.Audit{Project: project, Action: "runs.expired", Target: project, Data: data}
	if err := k.cfg.Rows.Append(ctx, run.Commit{Rows: rows, Audit: []run.Audit{line}}); err != nil {
		return fmt.Errorf("removing what belongs to runs of %s: %w", project, err)
	}
	return k.purge(ctx, ids)
}

// Overdue names up to limit runs that should have gone longer ago than late.
func (k *Keeper) Overdue(ctx context.Context, late time.Duration, limit int) (found []run.ID, err error) {
	err = k.each(ctx, func(p *auth.Project) error {
		ended := k.cutoff(p)
		if ended.IsZero() || p.Erasure != nil {
			return nil
		}
		var after run.ID
		for len(found) < limit {
			lines, err := k.cfg.Log.Past(ctx, p.Name, ended.Add(-late), after, pageSize)
			if err != nil || len(lines) == 0 {
				return err
			}
			due, err := k.due(ctx, lines, ended, func(*run.State) error { return nil })
			if err != nil {
				return err
			}
			found = append(found, due...)
			after = lines[len(lines)-1].ID
		}
		return nil
	})
	return found[:min(len(found), limit)], err
}
