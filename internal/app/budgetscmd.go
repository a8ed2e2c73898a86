package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"errand/client"
)

type budgetsGroup struct {
	List   budgetsList   `cmd:"" help:"List budgets, with what their period has seen."`
	Add    budgetsAdd    `cmd:"" help:"Bound what runs use up."`
	Remove budgetsRemove `cmd:"" name:"rm" help:"Remove a budget; runs that wait for it go on."`
	Raise  budgetsRaise  `cmd:"" help:"Change a budget's limits; runs that wait for more room go on."`
}

// budgetArg names a budget.
type budgetArg struct {
	ID string `arg:"" name:"budget" help:"Id or name of the budget."`
}

// budgetLimits are the flags of what a budget bounds.
type budgetLimits struct {
	Cost   float64 `help:"US dollars." placeholder:"USD"`
	Tokens int     `help:"Tokens of input and output." placeholder:"N"`
	Runs   int     `help:"Runs that begin." placeholder:"N"`
}

// Validate refuses a budget that bounds nothing; kong calls it.
func (l budgetLimits) Validate() error {
	if l.Cost < 0 || l.Tokens < 0 || l.Runs < 0 || l == (budgetLimits{}) {
		return errors.New("name at least one of --cost, --tokens and --runs, above 0")
	}
	return nil
}

type budgetsList struct {
	remote
	paging
}

// Run lists budgets.
func (c *budgetsList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Budgets.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "name", "of", "used", "begins anew"}}
		for i := range page.Data {
			b := &page.Data[i]
			rows = append(rows, []string{b.ID, orDash(oneLine(b.Name, 32)), whose(b), used(b), b.ResetsAt.UTC().Format(time.RFC3339)})
		}
		p.table(rows)
		more(p, page)
	})
}

// whose says whose runs a budget is for, and for how long.
func whose(b *client.Budget) string {
	said := strings.TrimSpace(b.Agent + " " + b.Key)
	if said == "" {
		said = "all"
	}
	return said + ", per " + b.Period
}

// used says what of each limit is used or reserved.
func used(b *client.Budget) string {
	var said []string
	if b.MaxCost != nil {
		said = append(said, fmt.Sprintf("$%.2f of $%.2f", b.Spent.Cost+b.Reserved.Cost, *b.MaxCost))
	}
	if b.MaxTokens != nil {
		said = append(said, fmt.Sprintf("%s of %s tokens", thousands(b.Spent.Tokens+b.Reserved.Tokens), thousands(*b.MaxTokens)))
	}
	if b.MaxRuns != nil {
		said = append(said, fmt.Sprintf("%d of %s", b.Spent.Runs, plural(*b.MaxRuns, "run")))
	}
	if b.Unpriced {
		said = append(said, "some calls without a price")
	}
	return strings.Join(said, ", ")
}

type budgetsAdd struct {
	remote
	budgetLimits
	Name  string `help:"A name for it, unique in the project." placeholder:"NAME"`
	Agent string `help:"Only runs of this agent, and work that it hands down: id or name." placeholder:"AGENT"`
	For   string `name:"for-key" help:"Only runs that this key starts: its id." placeholder:"KEY-ID"`
	Per   string `help:"day or month, of the calendar in UTC." enum:"day,month" default:"month"`
}

// Help is the command's longer help.
func (budgetsAdd) Help() string {
	return `Examples:

  errand budgets add --cost 50
  errand budgets add --name chaser --agent invoice-chaser --per day --cost 2.50 --runs 100

What the period has seen already counts. A run for whose next model call there is no room ends
with what it has, or waits, as its agent says (on_budget).`
}

// Run makes it.
func (c *budgetsAdd) Run(ctx context.Context, p *process) error {
	made, err := c.client(p).Budgets.Create(ctx, client.NewBudget{
		Name: c.Name, Agent: c.Agent, Key: c.For, Period: c.Per, MaxCost: c.Cost, MaxTokens: c.Tokens, MaxRuns: c.Runs,
	})
	if err != nil {
		return err
	}
	return c.show(p, made.Raw, func() { p.print("Budget %s: %s.\n", made.ID, used(&made)) })
}

type budgetsRemove struct {
	remote
	budgetArg
}

// Run removes it.
func (c *budgetsRemove) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Budgets.Delete(ctx, c.ID); err != nil {
		return err
	}
	return c.show(p, map[string]any{"id": c.ID, "deleted": true}, func() { p.print("Removed %s.\n", c.ID) })
}

type budgetsRaise struct {
	remote
	budgetArg
	budgetLimits
}

// Run changes the limits that are named.
func (c *budgetsRaise) Run(ctx context.Context, p *process) error {
	changes := map[string]any{}
	if c.Cost > 0 {
		changes["max_cost_usd"] = c.Cost
	}
	if c.Tokens > 0 {
		changes["max_tokens"] = c.Tokens
	}
	if c.Runs > 0 {
		changes["max_runs"] = c.Runs
	}
	changed, err := c.client(p).Budgets.Update(ctx, c.ID, changes)
	if err != nil {
		return err
	}
	return c.show(p, changed.Raw, func() { p.print("Budget %s: %s.\n", changed.ID, used(&changed)) })
}

type usageCommand struct {
	remote
	From    string   `help:"First day, such as 2026-06-01. Default: the first of the month." placeholder:"DAY"`
	To      string   `help:"Last day. Default: today." placeholder:"DAY"`
	By      []string `help:"day, project, agent, key or model; repeat, or separate with commas. Default: day." placeholder:"WHAT"`
	Project string   `help:"Another project, or * for all; needs the scope admin." placeholder:"PROJECT"`
}

// Run reports.
func (c *usageCommand) Run(ctx context.Context, p *process) error {
	report, err := c.client(p).Budgets.Usage(ctx, client.UsageQuery{From: c.From, To: c.To, GroupBy: c.By, Project: c.Project})
	if err != nil {
		return err
	}
	return c.show(p, report.Raw, func() {
		rows := [][]string{append(report.GroupBy, "runs", "calls", "input", "output", "cost")}
		for i := range report.Data {
			rows = append(rows, usageLine(&report.Data[i], report.GroupBy))
		}
		p.table(rows)
		if len(rows) > 1 {
			t := &report.Total
			p.print("%s, %s, %s in, %s out, %s\n", plural(t.Runs, "run"), plural(t.Calls, "call"), thousands(t.Input), thousands(t.Output), costOf(t))
		}
	})
}

func usageLine(row *client.UsageRow, groups []string) []string {
	names := map[string]string{"day": row.Day, "project": row.Project, "agent": row.Agent, "key": row.Key, "model": row.Model}
	var cells []string
	for _, name := range groups {
		cells = append(cells, orDash(names[name]))
	}
	return append(cells, fmt.Sprint(row.Runs), fmt.Sprint(row.Calls), thousands(row.Input), thousands(row.Output), costOf(row))
}

// costOf is what is known of the cost.
func costOf(row *client.UsageRow) string {
	said := fmt.Sprintf("$%.4f", row.Cost)
	if row.Unpriced {
		said += " and more: some calls have no known price"
	}
	if row.Estimated {
		said += " (partly estimated)"
	}
	return said
}
