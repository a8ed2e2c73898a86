package auth

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"errand/internal/run"
)

// thisMonth is what is booked since the longest period began.
func (b *Budgets) thisMonth(ctx context.Context, project string) ([]run.Spend, error) {
	first, until := Monthly.Span(b.now())
	return b.spent.Spent(ctx, project, first, run.DayOf(until))
}

// seen is what a budget's period has seen, as it is booked.
func (b *Budgets) seen(ctx context.Context, of *Budget) (Amount, bool, error) {
	spends, err := b.thisMonth(ctx, of.Project)
	if err != nil {
		return Amount{}, false, err
	}
	total, unpriced := b.sum(of, spends)
	return total, unpriced, nil
}

func (b *Budgets) sum(of *Budget, spends []run.Spend) (total Amount, unpriced bool) {
	first, _ := of.Period.Span(b.now())
	for i := range spends {
		s := &spends[i]
		if s.Day < first || !of.Covers(s.Account) {
			continue
		}
		more := Amount{Cost: s.Usage.Cost, Tokens: s.Usage.Input + s.Usage.Output}
		if s.Under == "" { // work that was handed down is no further run of its budget
			more.Runs = s.Runs
		}
		total.add(more, 1)
		unpriced = unpriced || s.Usage.Unpriced
	}
	return total, unpriced
}

// Projects lists the projects that there are, by name.
func (b *Budgets) Projects(ctx context.Context) ([]string, error) {
	rows, err := b.rows.Rows(ctx, run.RowQuery{Kind: projectKind})
	if err != nil {
		return nil, fmt.Errorf("listing the projects: %w", err)
	}
	names := []string{DefaultProject} // which may have no row yet
	for i := range rows {
		names = append(names, rows[i].ID)
	}
	slices.SortFunc(names, cmp.Compare[string])
	return slices.Compact(names), nil
}

// Load fills the ledger, before any run is driven. What a crash has left of model
// calls is charged first, in full: nobody knows what they have cost.
func (b *Budgets) Load(ctx context.Context) error {
	projects, err := b.Projects(ctx)
	if err != nil {
		return err
	}
	for _, project := range projects {
		if err := b.charge(ctx, project); err != nil {
			return err
		}
		rows, err := b.stored(ctx, project)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			continue
		}
		spends, err := b.thisMonth(ctx, project)
		if err != nil {
			return err
		}
		for i := range rows {
			found, err := budgetOf(&rows[i])
			if err != nil {
				return err
			}
			total, _ := b.sum(&found, spends)
			b.ledger.Set(found, total)
		}
	}
	return nil
}

// charge books what holds on disk have kept, and strikes them out.
func (b *Budgets) charge(ctx context.Context, project string) error {
	for {
		rows, err := b.rows.Rows(ctx, run.RowQuery{Kind: run.HoldKind, Project: project, Limit: pageSize})
		if err != nil || len(rows) == 0 {
			return err
		}
		var commit run.Commit
		for i := range rows {
			var h run.Hold
			if err := json.Unmarshal(rows[i].Data, &h); err != nil {
				return fmt.Errorf("reading what was kept for the call %s: %w", rows[i].ID, err)
			}
			commit.Spend = append(commit.Spend, h.Forfeit())
			commit.Rows = append(commit.Rows, run.RowWrite{Row: rows[i], Expect: rows[i].Version, Delete: true})
		}
		if err := b.rows.Append(ctx, commit); err != nil {
			return fmt.Errorf("charging model calls that were cut off: %w", err)
		}
	}
}
