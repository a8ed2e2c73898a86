package robot

import (
	"context"
	"fmt"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// listPage is how many lines are read at once.
const listPage = 500

// Spent is what the robot's runs of this calendar month (UTC) have cost, its
// host's turns and the agents that its executions handed tasks to included. What
// an agent costs is known when its execution has ended.
func (d *Desk) Spent(ctx context.Context, project string, r *Robot) (run.Micros, error) {
	since := month(d.Now())
	handed, err := d.handed(ctx, project, r, since)
	if err != nil {
		return 0, err
	}
	total := handed
	for _, prefix := range []string{ExecutionAgent, HostAgent} {
		query := run.RunQuery{Project: project, Agent: prefix + r.ID, After: since, Limit: listPage}
		for {
			lines, err := d.Runs.Runs(ctx, query)
			if err != nil {
				return 0, fmt.Errorf("adding up what robot %s has cost: %w", r.ID, err)
			}
			for i := range lines {
				total += lines[i].Usage.Cost
			}
			if len(lines) < listPage {
				break
			}
			query.Before = lines[len(lines)-1].ID
		}
	}
	return total, nil
}

// handed is what those cost that the month's executions handed tasks to: their
// records begin with the first id that the month can have.
func (d *Desk) handed(ctx context.Context, project string, r *Robot, since time.Time) (total run.Micros, err error) {
	query := run.RowQuery{Kind: recordKind, Project: project, After: recordID(r.ID, run.NewID(since, 0, 0)), Limit: listPage}
	for {
		rows, err := d.Rows.Rows(ctx, query)
		if err != nil {
			return 0, fmt.Errorf("adding up what robot %s has cost: %w", r.ID, err)
		}
		for i := range rows {
			if !strings.HasPrefix(rows[i].ID, r.ID+"/") {
				return total, nil // the next robot's begin here
			}
			rec, err := readRecord(&rows[i])
			if err != nil {
				return 0, err
			}
			total += rec.Handed
		}
		if len(rows) < listPage {
			return total, nil
		}
		query.After = rows[len(rows)-1].ID
	}
}

// left is what the robot may still spend this month, 0 for no limit; a conflict
// when that is nothing. Executions that work at the same time are each held to the
// whole of it.
func (d *Desk) left(ctx context.Context, project string, r *Robot) (run.Micros, error) {
	if r.CostLimit <= 0 {
		return 0, nil
	}
	spent, err := d.Spent(ctx, project, r)
	if err != nil {
		return 0, err
	}
	left := run.Micros(r.CostLimit*1e6) - spent
	if left <= 0 {
		return 0, problem.New(problem.Conflict, "Robot %s has spent %.2f of its %.2f US dollars for this month: raise its cost_limit, or wait until %s.",
			r.ID, spent.Dollars(), r.CostLimit, month(d.Now()).AddDate(0, 1, 0).Format("2 January"))
	}
	return left, nil
}

// month is the first moment of the calendar month, UTC.
func month(at time.Time) time.Time {
	at = at.UTC()
	return time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
}
