package native

import (
	"context"
	"slices"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/run"
)

// maxUsageDays bounds a report: a leap year.
const maxUsageDays = 366

// usageReport is what was used up from a day to another, both included, in UTC.
type usageReport struct {
	Object  string     `json:"object"`
	From    run.Day    `json:"from"`
	To      run.Day    `json:"to"`
	GroupBy []string   `json:"group_by"`
	Data    []usageRow `json:"data"`
	Total   usageSums  `json:"total"`
}

// usageRow is one group: of the names those that the report is grouped by. A name
// is null where there is none: of a run without an agent, and of the beginning of a
// run, when no model has answered yet.
type usageRow struct {
	Day     *run.Day `json:"day,omitzero"`
	Project *string  `json:"project,omitzero"`
	Agent   **string `json:"agent,omitzero"`
	Key     **string `json:"key,omitzero"`
	Model   **string `json:"model,omitzero"`
	usageSums
}

// usageSums says what was used up. Cost is what is known of it: unpriced says that
// some calls had no known price, estimated that the provider of some did not say how
// many tokens they had.
type usageSums struct {
	Runs      int     `json:"runs"`
	Calls     int     `json:"calls"`
	Input     int     `json:"input_tokens"`
	Output    int     `json:"output_tokens"`
	Total     int     `json:"total_tokens"`
	Cached    int     `json:"cached_tokens"`
	Reasoning int     `json:"reasoning_tokens"`
	Cost      float64 `json:"cost_usd"`
	Unpriced  bool    `json:"unpriced"`
	Estimated bool    `json:"estimated"`
}

func showSums(s *run.Spend) usageSums {
	u := &s.Usage
	return usageSums{
		Runs: s.Runs, Calls: s.Calls, Input: u.Input, Output: u.Output, Total: u.Input + u.Output,
		Cached: u.Cached, Reasoning: u.Reasoning, Cost: u.Cost.Dollars(), Unpriced: u.Unpriced, Estimated: u.Estimated,
	}
}

func (a *API) usage(ctx context.Context, r *wire.Request, book *auth.Budgets) (wire.Response, error) {
	query := r.Query()
	from, to := usageDays(query, a.cfg.Now())
	groups := usageGroups(query)
	project := query.String("project")
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	projects := []string{r.Caller.Project}
	if project != "" && project != r.Caller.Project {
		if err := auth.Allow(r.Caller, "admin"); err != nil {
			return wire.Response{}, err
		}
		projects = []string{project}
	}
	if project == "*" {
		var err error
		if projects, err = book.Projects(ctx); err != nil {
			return wire.Response{}, err
		}
	}
	var spends []run.Spend
	for _, one := range projects {
		found, err := a.cfg.Spending.Spent(ctx, one, from, to)
		if err != nil {
			return wire.Response{}, err
		}
		spends = append(spends, found...)
	}
	return wire.OK(reportUsage(spends, usageReport{Object: "usage", From: from, To: to, GroupBy: groups})), nil
}

// usageDays reads the days of a report: this month up to today where they are not
// named.
func usageDays(query *wire.Query, now time.Time) (from, to run.Day) {
	last := usageDay(query, "to", now)
	first := usageDay(query, "from", time.Date(last.Year(), last.Month(), 1, 0, 0, 0, 0, time.UTC))
	switch days := int(last.Sub(first).Hours()/24) + 1; {
	case days < 1:
		query.Refuse("to", "must not be before from, %s", run.DayOf(first))
	case days > maxUsageDays:
		query.Refuse("from", "is too long before to: a report is of %d days at most, not of %d", maxUsageDays, days)
	}
	return run.DayOf(first), run.DayOf(last)
}

// usageDay reads a day, or the day of a time.
func usageDay(query *wire.Query, name string, absent time.Time) time.Time {
	at, err := time.Parse(time.DateOnly, query.String(name))
	switch {
	case !query.Has(name):
		at = absent.UTC()
	case err != nil:
		if at, err = time.Parse(time.RFC3339, query.String(name)); err != nil {
			query.Refuse(name, "must be a day such as 2026-06-11, not %q", query.String(name))
			at = absent
		}
		at = at.UTC()
	}
	return time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
}

// usageNames are what a report can be grouped by.
func usageNames() []string { return []string{"day", "project", "agent", "key", "model"} }

func usageGroups(query *wire.Query) []string {
	if !query.Has("group_by") {
		return []string{"day"}
	}
	groups := strings.Split(query.String("group_by"), ",")
	for i, name := range groups {
		if !slices.Contains(usageNames(), name) || slices.Contains(groups[:i], name) {
			query.Refuse("group_by", "must be some of %s, each once, with commas between them", strings.Join(usageNames(), ", "))
		}
	}
	return groups
}

// reportUsage adds up what is booked, by the report's groups and in their order.
func reportUsage(spends []run.Spend, report usageReport) usageReport {
	sums := map[run.Account]*run.Spend{}
	var order []run.Account
	var total run.Spend
	for i := range spends {
		total.Add(&spends[i])
		account := narrowed(spends[i].Account, report.GroupBy)
		if sums[account] == nil {
			sums[account] = &run.Spend{Account: account}
			order = append(order, account)
		}
		sums[account].Add(&spends[i])
	}
	slices.SortFunc(order, func(x, y run.Account) int {
		return slices.CompareFunc(report.GroupBy, report.GroupBy, func(name, _ string) int {
			return strings.Compare(nameIn(x, name), nameIn(y, name))
		})
	})
	report.Data, report.Total = []usageRow{}, showSums(&total)
	for _, account := range order {
		report.Data = append(report.Data, showUsageRow(sums[account], report.GroupBy))
	}
	return report
}

// narrowed keeps of an account what a report is grouped by.
func narrowed(a run.Account, groups []string) (kept run.Account) {
	for _, name := range groups {
		switch name {
		case "day":
			kept.Day = a.Day
		case "project":
			kept.Project = a.Project
		case "agent":
			kept.Agent = a.Agent
		case "key":
			kept.Key = a.Key
		case "model":
			kept.Model = a.Model
		}
	}
	return kept
}

func nameIn(a run.Account, group string) string {
	switch group {
	case "day":
		return string(a.Day)
	case "project":
		return a.Project
	case "agent":
		return a.Agent
	case "key":
		return a.Key
	}
	return a.Model
}

func showUsageRow(s *run.Spend, groups []string) usageRow {
	row := usageRow{usageSums: showSums(s)}
	for _, name := range groups {
		text := nameIn(s.Account, name)
		named := optional(text)
		switch name {
		case "day":
			row.Day = &s.Day
		case "project":
			row.Project = &text
		case "agent":
			row.Agent = &named
		case "key":
			row.Key = &named
		case "model":
			row.Model = &named
		}
	}
	return row
}
