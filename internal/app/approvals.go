package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"errand/client"
)

type approvalsList struct {
	remote
	paging
}

// Run lists what waits for a person.
func (c *approvalsList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Approvals.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"run", "action", "tool", "reason", "preview"}}
		for _, a := range page.Data {
			rows = append(rows, []string{a.Run, a.ID, a.Tool, a.Reason, oneLine(a.Preview, 60)})
		}
		p.table(rows)
		more(p, page)
		if len(page.Data) > 0 {
			p.print("\nDecide: errand approvals approve RUN ACTION… (or reject)\n")
		}
	})
}

// decision are the flags of approve and reject.
type decision struct {
	remote
	Reason  string   `help:"Why, for the trace and the model." placeholder:"TEXT"`
	ID      string   `arg:"" name:"run" help:"Id of the run."`
	Actions []string `arg:"" optional:"" name:"action" help:"Ids of actions; none = all that wait now."`
}

type approvalsApprove struct {
	decision
	Arguments string `help:"JSON object in place of the one action's arguments." placeholder:"JSON"`
	For       string `help:"How far it reaches: once, run (later calls of the tool by this run), arguments (its later calls with the same ones)." enum:"once,run,arguments" default:"once"`
	Digest    string `help:"Of the one action, as you have seen it: if it is another by now, nothing is decided." placeholder:"DIGEST"`
}

// Run approves actions.
func (c *approvalsApprove) Run(ctx context.Context, p *process) error {
	d := client.Decision{Digest: c.Digest}
	if c.For != "once" {
		d.For = c.For
	}
	if c.Arguments != "" {
		if !json.Valid([]byte(c.Arguments)) {
			return usage(errors.New(`--arguments is no JSON: write an object, such as '{"to": "ada@example.com"}'`))
		}
		d.Arguments = json.RawMessage(c.Arguments)
	}
	return c.decide(ctx, p, d)
}

type approvalsReject struct {
	decision
	Continue bool `help:"Tell the model and let it go on, instead of completing the run."`
}

// Run rejects actions.
func (c *approvalsReject) Run(ctx context.Context, p *process) error {
	d := client.Decision{Reject: true}
	if c.Continue {
		d.OnReject = "continue"
	}
	return c.decide(ctx, p, d)
}

func (c *decision) decide(ctx context.Context, p *process, d client.Decision) error {
	api := c.client(p)
	d.Actions, d.Reason = c.Actions, c.Reason
	if len(d.Actions) == 0 {
		run, err := api.Runs.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		for _, action := range run.PendingActions {
			d.Actions = append(d.Actions, action.ID)
		}
		if len(d.Actions) == 0 {
			return fmt.Errorf("nothing of %s waits for a person: it is %s", c.ID, run.Status)
		}
	}
	if len(d.Actions) > 1 && (d.Arguments != nil || d.Digest != "") {
		return usage(errors.New("--arguments and --digest are about one action: name it"))
	}
	decided, err := api.Approvals.Decide(ctx, c.ID, d)
	if err != nil {
		return err
	}
	return c.show(p, decided, func() {
		p.print("%s is %s. Follow it: errand runs watch %s\n", decided.ID, p.status(decided.Status), decided.ID)
		for _, a := range decided.Pending {
			if n := len(a.Approvals.Given); n > 0 {
				p.print("%s has %d of %d approvals.\n", a.ID, n, n+a.Approvals.Missing)
			}
		}
	})
}

// approvalsLink makes a link for mail or chat.
type approvalsLink struct {
	remote
	Decision string        `help:"What it can decide: approve, reject or both." enum:"approve,reject,both" default:"both"`
	Expires  time.Duration `help:"How long it is good for." default:"24h"`
	ID       string        `arg:"" name:"run" help:"Id of the run."`
	Action   string        `arg:"" help:"Id of the action."`
}

// Run makes the link.
func (c *approvalsLink) Run(ctx context.Context, p *process) error {
	api := c.client(p)
	link, err := api.Approvals.Link(ctx, c.ID, c.Action, client.LinkTo{Decision: c.Decision, Expires: int(c.Expires.Seconds())})
	if err != nil {
		return err
	}
	return c.show(p, link, func() { p.print("%s\n", link.URL) })
}

// joined are gates in words.
func joined(gates []client.Gate) string {
	words := make([]string, len(gates))
	for i := range gates {
		words[i] = gates[i].String()
	}
	return strings.Join(words, ", ")
}
