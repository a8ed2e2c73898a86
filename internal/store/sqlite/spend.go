package sqlite

import (
	"context"
	"fmt"

	"zombiezen.com/go/sqlite"

	"errand/internal/run"
)

const (
	spendColumns = "day, agent, under, key, model, runs, calls, input, output, cached, reasoning, written, cost, unpriced, estimated"
	addSpendSQL  = "INSERT INTO spend (project, " + spendColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) " +
		"ON CONFLICT DO UPDATE SET runs = runs + excluded.runs, calls = calls + excluded.calls, " +
		"input = input + excluded.input, output = output + excluded.output, cached = cached + excluded.cached, " +
		"reasoning = reasoning + excluded.reasoning, written = written + excluded.written, " +
		"cost = cost + excluded.cost, unpriced = unpriced OR excluded.unpriced, estimated = estimated OR excluded.estimated"
	spentSQL = "SELECT " + spendColumns + " FROM spend WHERE project = ? AND day >= ? AND day <= ? ORDER BY day, agent, under, key, model"
)

// writeSpend books what the group has spent. Most runs of a busy server have the
// same key and model, so that a group adds to one or two accounts, not to one for
// each of its runs.
func (w *writer) writeSpend(group []*item) error {
	clear(w.spend)
	for _, it := range group {
		if !it.admitted() {
			continue
		}
		for i := range it.commit.Spend {
			one := &it.commit.Spend[i]
			sum := w.spend[one.Account]
			sum.Account = one.Account
			sum.Add(one)
			w.spend[one.Account] = sum
		}
	}
	for _, sum := range w.spend {
		bindSpend(w.stmts.addSpend, &sum)
		if err := w.exec("add spend", w.stmts.addSpend); err != nil {
			return err
		}
	}
	return nil
}

func bindSpend(stmt *sqlite.Stmt, s *run.Spend) {
	for i, text := range []string{s.Project, string(s.Day), s.Agent, s.Under, s.Key, s.Model} {
		stmt.BindText(i+1, text)
	}
	u := &s.Usage
	for i, number := range []int64{
		int64(s.Runs), int64(s.Calls), int64(u.Input), int64(u.Output), int64(u.Cached), int64(u.Reasoning), int64(u.Written), int64(u.Cost),
	} {
		stmt.BindInt64(i+7, number)
	}
	stmt.BindBool(15, u.Unpriced)
	stmt.BindBool(16, u.Estimated)
}

// Spent returns what a project has spent on the days from the first to the last,
// both included, by day, agent, key and model.
func (s *Store) Spent(ctx context.Context, project string, from, to run.Day) (all []run.Spend, err error) {
	err = s.readers.use(ctx, func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare(spentSQL)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		for i, text := range []string{project, string(from), string(to)} {
			stmt.BindText(i+1, text)
		}
		for {
			if found, err := stmt.Step(); err != nil || !found {
				return err
			}
			all = append(all, scanSpend(stmt, project))
		}
	})
	if err != nil {
		return nil, fmt.Errorf("reading what %s has spent: %w", project, err)
	}
	return all, nil
}

func scanSpend(stmt *sqlite.Stmt, project string) run.Spend {
	return run.Spend{
		Account: run.Account{
			Project: project, Day: run.Day(stmt.ColumnText(0)),
			Agent: stmt.ColumnText(1), Under: stmt.ColumnText(2), Key: stmt.ColumnText(3), Model: stmt.ColumnText(4),
		},
		Runs: stmt.ColumnInt(5), Calls: stmt.ColumnInt(6),
		Usage: run.Usage{
			Input: stmt.ColumnInt(7), Output: stmt.ColumnInt(8), Cached: stmt.ColumnInt(9), Reasoning: stmt.ColumnInt(10),
			Written: stmt.ColumnInt(11), Cost: run.Micros(stmt.ColumnInt64(12)), Unpriced: stmt.ColumnBool(13), Estimated: stmt.ColumnBool(14),
		},
	}
}
