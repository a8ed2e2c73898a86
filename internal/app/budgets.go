package app

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"

	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// bound is the most that a model call can use: each byte of the request as a token,
// which no tokenizer exceeds, pictures as the dearest model counts them, and the
// longest reply, at list price.
func (a *assembly) bound(req *run.Request) (tokens int, cost run.Micros) {
	text, pictures := req.Weigh()
	worst := a.models.Worst(req.Model, text, pictures)
	input := text + pictures*worst.Image
	output := req.Longest()
	dear := math.Ceil(float64(input)*worst.Input + float64(output)*worst.Output)
	return input + output, run.Micros(dear)
}

// wakeStarved does a BudgetJob: a period is over, and a run that has waited for it
// may try again.
func (a *assembly) wakeStarved(ctx context.Context, job run.Job) error {
	if err := job.Early(a.now()); err != nil {
		return err // by this clock the period goes on, and so would the waiting
	}
	line, err := a.store.Summary(ctx, job.Run)
	if err == nil && !line.Deleted {
		_, err = a.engine.Raise(ctx, line.Project, job.Run, "")
	}
	if problem.Is(err, problem.NotFound) {
		return nil // it was deleted meanwhile
	}
	return err
}

// wakePage is how many runs are looked up at once.
const wakePage = 200

// budgetRaised does an auth.RaisedJob: the runs that wait for this budget may try
// again. Those that have gone on by themselves since are left as they are.
func (a *assembly) budgetRaised(ctx context.Context, job run.Job) error {
	var raised auth.Raised
	if err := json.Unmarshal(job.Data, &raised); err != nil {
		return fmt.Errorf("reading which budget was raised: %w", err)
	}
	prefix := raised.Budget + "/"
	for after := prefix; ; {
		rows, err := a.store.Rows(ctx, run.RowQuery{Kind: engine.StarvedKind, Project: raised.Project, After: after, Limit: wakePage})
		if err != nil {
			return fmt.Errorf("listing the runs that wait for budget %s: %w", raised.Budget, err)
		}
		for i := range rows {
			name, mine := strings.CutPrefix(rows[i].ID, prefix)
			if !mine {
				return nil
			}
			id, err := run.ParseID(name)
			if err == nil {
				_, err = a.engine.Raise(ctx, raised.Project, id, raised.By)
			}
			if err != nil && !problem.Is(err, problem.NotFound) {
				return fmt.Errorf("waking run %s: %w", name, err)
			}
		}
		if len(rows) < wakePage {
			return nil
		}
		after = rows[len(rows)-1].ID
	}
}
