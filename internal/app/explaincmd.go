package app

import (
	"context"
	"fmt"
	"strings"

	"errand/client"
)

type runsExplain struct {
	oneRun
	Prompt int `help:"Print what the model was sent in this step, as JSON, instead." placeholder:"STEP"`
}

// Run says why a run is where it is.
func (c *runsExplain) Run(ctx context.Context, p *process) error {
	api := c.client(p)
	if c.Prompt != 0 {
		prompt, err := api.Runs.Prompt(ctx, c.ID, c.Prompt)
		if err != nil {
			return err
		}
		return p.printJSON(prompt)
	}
	e, err := api.Runs.Explain(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.show(p, e.Raw, func() { p.explain(&e) })
}

// explain tells a person.
func (p *process) explain(e *client.Explanation) {
	p.print("%s is %s. %s\n", e.Run, p.status(e.Status), e.Why)
	for _, w := range e.Waits {
		about := strings.TrimSpace(w.Tool + " " + w.Action + " " + w.Run)
		if about != "" {
			about = " " + about
		}
		p.print("\nWaits for %s%s since %s.\n  %s %s\n", w.For, about, p.ago(w.Since), w.Why, w.Moves)
		if w.Until != nil {
			p.print("  At the latest until %s.\n", w.Until.Local().Format("2006-01-02 15:04:05"))
		}
	}
	if len(e.Steps) > 0 {
		p.print("\n")
		p.table(stepRows(e.Steps))
	}
	for _, r := range e.Retry {
		p.print("\nStep %d, attempt %d failed: %s (%s)\n", r.Step, r.Attempt, oneLine(r.Message, 80), r.Code)
	}
	p.print("\nWorked for %.1f s, and did not wait in them. In all %s.\n", e.Worked, took(&e.Usage))
}

// stepRows are a table of what each step and each call has taken.
func stepRows(steps []client.StepTaken) [][]string {
	rows := [][]string{{"step", "what", "tries", "ms", "waited", "used"}}
	for i := range steps {
		s := &steps[i]
		note := took(&s.Usage)
		if len(s.Trimmed) > 0 && string(s.Trimmed) != "null" {
			note += ", older parts left out"
		}
		rows = append(rows, []string{fmt.Sprint(s.N), orDash(s.Model), fmt.Sprint(s.Attempts), fmt.Sprint(s.Ms), "", note})
		for _, call := range s.Calls {
			waited := ""
			if call.WaitedMs > 0 {
				waited = fmt.Sprintf("%.1f s", float64(call.WaitedMs)/1000)
			}
			how := call.Outcome
			if how == "" {
				how = call.Stage
			}
			rows = append(rows, []string{"", "  " + call.Tool, fmt.Sprint(call.Attempts), fmt.Sprint(call.Ms), waited, how})
		}
	}
	return rows
}

func took(u *client.Usage) string {
	cost := "price not known"
	if u.CostUSD != nil {
		cost = fmt.Sprintf("$%.4f", *u.CostUSD)
	}
	said := fmt.Sprintf("%d + %d tokens, %s", u.InputTokens, u.OutputTokens, cost)
	if u.Estimated {
		said += " (estimated)"
	}
	return said
}
