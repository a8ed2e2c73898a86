package auth

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"errand/internal/run"
)

// holder is the node that made a call: it is the last part of the id of its hold, where
// there are several.
func holder(hold string) string {
	parts := strings.SplitN(hold, "/", 4)
	if len(parts) < 4 {
		return ""
	}
	return parts[3]
}

// chargeDead charges the calls that dead nodes had under way, once nothing of theirs
// can be on its way to the store.
func (s *Shares) chargeDead(ctx context.Context) error {
	certain, recent := s.missing()
	if len(certain) == 0 {
		return nil
	}
	alive, err := s.living(ctx)
	if err == nil {
		err = s.charge(ctx, func(node string) bool { return recent[node] || alive(node) })
	}
	if err != nil {
		return err
	}
	s.deaths.Lock()
	defer s.deaths.Unlock()
	for _, node := range certain {
		delete(s.dead, node)
	}
	return nil
}

// missing are the dead nodes of which nothing can be on its way any more, and those of
// which something can.
func (s *Shares) missing() (certain []string, recent map[string]bool) {
	s.deaths.Lock()
	defer s.deaths.Unlock()
	recent = map[string]bool{}
	for node, since := range s.dead {
		if s.b.now().Sub(since) >= certainAfter {
			certain = append(certain, node)
		} else {
			recent[node] = true
		}
	}
	return certain, recent
}

// charge books, in all projects, what is kept for calls of nodes that are not alive.
func (s *Shares) charge(ctx context.Context, alive func(node string) bool) error {
	projects, err := s.b.Projects(ctx)
	if err != nil {
		return err
	}
	for _, project := range projects {
		if err := s.chargeIn(ctx, project, alive); err != nil {
			return err
		}
	}
	return nil
}

func (s *Shares) chargeIn(ctx context.Context, project string, alive func(node string) bool) error {
	return s.b.charge(ctx, project, func(hold string) bool {
		node := holder(hold)
		return node != "" && alive(node)
	})
}

// chargeLeft does so in one project.
func (s *Shares) chargeLeft(ctx context.Context, project string) error {
	alive, err := s.living(ctx)
	if err != nil {
		return err
	}
	return s.chargeIn(ctx, project, alive)
}

// charge books what holds on disk have kept, but for those that are still in use, and
// strikes them out.
func (b *Budgets) charge(ctx context.Context, project string, used func(hold string) bool) error {
	for after := ""; ; {
		rows, err := b.rows.Rows(ctx, run.RowQuery{Kind: run.HoldKind, Project: project, After: after, Limit: pageSize})
		if err != nil || len(rows) == 0 {
			return err
		}
		after = rows[len(rows)-1].ID
		var commit run.Commit
		for i := range rows {
			if used(rows[i].ID) {
				continue
			}
			var h run.Hold
			if err := json.Unmarshal(rows[i].Data, &h); err != nil {
				return fmt.Errorf("reading what was kept for the call %s: %w", rows[i].ID, err)
			}
			commit.Spend = append(commit.Spend, h.Forfeit())
			commit.Rows = append(commit.Rows, run.RowWrite{Row: rows[i], Expect: rows[i].Version, Delete: true})
		}
		if len(commit.Rows) == 0 {
			continue
		}
		err = b.rows.Append(ctx, commit)
		if conflict := (*run.RowConflict)(nil); errors.As(err, &conflict) {
			after = "" // another node was quicker
			continue
		}
		if err != nil {
			return fmt.Errorf("charging model calls that were cut off: %w", err)
		}
	}
}

// refresh makes the ledger hold the budgets that are on disk now, whoever has changed
// them.
func (b *Budgets) refresh(ctx context.Context, all func(context.Context, string) ([]run.Row, error)) error {
	b.mu.Lock() // or one that is being made here would seem to be gone
	defer b.mu.Unlock()
	rows, err := all(ctx, budgetKind)
	if err != nil {
		return fmt.Errorf("reading the budgets: %w", err)
	}
	there := make(map[string]Budget, len(rows))
	for i := range rows {
		found, err := budgetOf(&rows[i])
		if err != nil {
			return err
		}
		there[found.ID] = found
	}
	b.ledger.replace(there)
	return nil
}
