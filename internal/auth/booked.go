package auth

import (
	"cmp"
	"context"
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
		total.add(of.counts(s), 1)
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
	unused := func(string) bool { return false }
	for _, project := range projects {
		if b.shares != nil {
			err = b.shares.chargeLeft(ctx, project)
		} else {
			err = b.charge(ctx, project, unused)
		}
		if err != nil {
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
