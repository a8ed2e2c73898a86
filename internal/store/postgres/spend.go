package postgres

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"errand/internal/run"
	"errand/internal/store"
)

// spendLanes is how many lines an account has at most. Each node books on one of
// them: the more there are, the fewer nodes wait for each other's commits, and the
// more lines a sum reads.
const spendLanes = 16

const (
	accountColumns = "project, day, agent, under, key, model"
	amountColumns  = "runs, calls, input, output, cached, reasoning, written, cost"
)

func addSpendSQL() string {
	return "INSERT INTO spend AS s (" + accountColumns + ", " + amountColumns + ", unpriced, estimated, lane) SELECT *, $17::smallint FROM " +
		unnest("text", "text", "text", "text", "text", "text", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "bigint", "boolean", "boolean") +
		" ON CONFLICT (" + accountColumns + ", lane) DO UPDATE SET runs = s.runs + excluded.runs, calls = s.calls + excluded.calls, " +
		"input = s.input + excluded.input, output = s.output + excluded.output, cached = s.cached + excluded.cached, " +
		"reasoning = s.reasoning + excluded.reasoning, written = s.written + excluded.written, " +
		"cost = s.cost + excluded.cost, unpriced = s.unpriced OR excluded.unpriced, estimated = s.estimated OR excluded.estimated"
}

// writeSpend books what the group has spent, account by account.
func (t *transaction) writeSpend(batch *pgx.Batch) {
	sums := map[run.Account]run.Spend{}
	for _, it := range t.group {
		if !it.admitted() {
			continue
		}
		for i := range it.commit.Spend {
			one := &it.commit.Spend[i]
			account := run.Account{
				Project: store.Text(one.Project), Day: one.Day, Agent: store.Text(one.Agent), Under: store.Text(one.Under), Key: store.Text(one.Key), Model: store.Text(one.Model),
			}
			sum := sums[account]
			sum.Account = account
			sum.Add(one)
			sums[account] = sum
		}
	}
	if len(sums) == 0 {
		return
	}
	var (
		words               [6][]string
		amounts             [8][]int64
		unpriced, estimated []bool
	)
	for _, account := range sorted(sums, byAccount) {
		s := sums[account]
		u := &s.Usage
		for i, word := range []string{s.Project, string(s.Day), s.Agent, s.Under, s.Key, s.Model} {
			words[i] = append(words[i], word)
		}
		for i, number := range []int{s.Runs, s.Calls, u.Input, u.Output, u.Cached, u.Reasoning, u.Written, int(u.Cost)} {
			amounts[i] = append(amounts[i], int64(number))
		}
		unpriced, estimated = append(unpriced, u.Unpriced), append(estimated, u.Estimated)
	}
	var arguments []any
	for i := range words {
		arguments = append(arguments, words[i])
	}
	for i := range amounts {
		arguments = append(arguments, amounts[i])
	}
	batch.Queue(addSpendSQL(), append(arguments, unpriced, estimated, int16(t.w.lane))...)
}

// Sums over the lanes.
const (
	sumSpentSQL = "SELECT " + accountColumns + ", sum(runs)::bigint, sum(calls)::bigint, sum(input)::bigint, sum(output)::bigint, " +
		"sum(cached)::bigint, sum(reasoning)::bigint, sum(written)::bigint, sum(cost)::bigint, bool_or(unpriced), bool_or(estimated) FROM spend "
	groupSpentSQL = " GROUP BY " + accountColumns + " ORDER BY " + accountColumns
	spentSQL      = sumSpentSQL + "WHERE project = $1 AND day >= $2 AND day <= $3" + groupSpentSQL
	allSpentSQL   = sumSpentSQL + groupSpentSQL
)

// Spent returns what a project has spent on the days from the first to the last,
// both included, by day, agent, key and model.
func (s *Store) Spent(ctx context.Context, project string, from, to run.Day) (all []run.Spend, err error) {
	err = s.query(ctx, func(rows pgx.Rows) error {
		one, err := scanSpend(rows)
		all = append(all, one)
		return err
	}, spentSQL, store.Text(project), string(from), string(to))
	if err != nil {
		return nil, fmt.Errorf("reading what %s has spent: %w", project, err)
	}
	return all, nil
}

func scanSpend(rows pgx.Rows) (one run.Spend, err error) {
	u := &one.Usage
	err = rows.Scan(&one.Project, &one.Day, &one.Agent, &one.Under, &one.Key, &one.Model, &one.Runs, &one.Calls,
		&u.Input, &u.Output, &u.Cached, &u.Reasoning, &u.Written, &u.Cost, &u.Unpriced, &u.Estimated)
	return one, err
}
