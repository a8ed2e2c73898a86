package app

import (
	"context"
	"encoding/json"
	"fmt"

	"errand/client"
)

type runsList struct {
	remote
	paging
	Agent  string  `help:"Only runs of this agent." placeholder:"ID"`
	Status string  `help:"Only runs that stand there: running, awaiting_approval, completed …"`
	Search string  `help:"Only runs with these words in title, model, agent or id." placeholder:"WORDS"`
	Cost   float64 `name:"cost-min" help:"Only runs that have cost this much or more." placeholder:"USD"`
	Oldest bool    `help:"Oldest first."`
}

// Run lists runs.
func (c *runsList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Runs.List(ctx, client.Query{
		Agent: c.Agent, Status: c.Status, Text: c.Search, MinCost: c.Cost, Oldest: c.Oldest, After: c.After, Limit: c.Limit,
	})
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "status", "steps", "model", "made", "agent"}}
		for _, r := range page.Data {
			rows = append(rows, []string{r.ID, r.Status, fmt.Sprintf("%d", r.StepsUsed), oneLine(orDash(r.Model), 32),
				p.ago(r.CreatedAt), orDash(r.Agent)})
		}
		p.table(rows)
		more(p, page)
	})
}

// oneRun are the flags of commands about one run.
type oneRun struct {
	remote
	ID string `arg:"" name:"run" help:"Id of the run."`
}

type runsGet struct{ oneRun }

// Run shows a run: its trace to a person, all of it to a program.
func (c *runsGet) Run(ctx context.Context, p *process) error {
	api := c.client(p)
	run, err := api.Runs.Get(ctx, c.ID)
	if err != nil {
		return err
	}
	if c.JSON || !p.reads() {
		return p.printJSON(run.Raw)
	}
	t := newTracer(p)
	for event, err := range api.Runs.Events(ctx, c.ID, 0) {
		if err != nil {
			return err
		}
		t.event(event)
	}
	t.end(run)
	return nil
}

type runsWatch struct {
	oneRun
	UntilRest bool `help:"Stop when the run waits for someone, with exit code 3."`
}

// Run follows a run: as a trace for a person, as JSON lines for a program.
func (c *runsWatch) Run(ctx context.Context, p *process) error {
	api := c.client(p)
	show := p.frames(c.JSON || !p.reads())
	for frame, err := range api.Runs.Stream(ctx, c.ID, client.Watch{UntilRest: c.UntilRest}) {
		if err != nil {
			return err
		}
		if err := show.frame(frame); err != nil {
			return err
		}
	}
	run, err := api.Runs.Get(ctx, c.ID)
	if err != nil {
		return err
	}
	show.end(run)
	return quiet(codeOf(run))
}

// codeOf is the exit code that tells how a run stands.
func codeOf(run client.Run) int {
	switch run.Status {
	case "completed":
		return exitOK
	case "failed":
		return exitFailed
	case "cancelled":
		return exitCancelled
	}
	return exitWaits
}

type runsCancel struct{ oneRun }

// Run cancels a run.
func (c *runsCancel) Run(ctx context.Context, p *process) error {
	return c.after(p)(c.client(p).Runs.Cancel(ctx, c.ID))
}

type runsPause struct{ oneRun }

// Run pauses a run.
func (c *runsPause) Run(ctx context.Context, p *process) error {
	return c.after(p)(c.client(p).Runs.Pause(ctx, c.ID))
}

type runsResume struct{ oneRun }

// Run resumes a run.
func (c *runsResume) Run(ctx context.Context, p *process) error {
	return c.after(p)(c.client(p).Runs.Resume(ctx, c.ID))
}

// after says how a run stands after a change.
func (c *oneRun) after(p *process) func(client.Run, error) error {
	return func(run client.Run, err error) error {
		if err != nil {
			return err
		}
		return c.show(p, run.Raw, func() { p.print("%s is %s.\n", run.ID, p.status(run.Status)) })
	}
}

type runsDelete struct{ oneRun }

// Run deletes a run.
func (c *runsDelete) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Runs.Delete(ctx, c.ID); err != nil {
		return err
	}
	return c.show(p, map[string]any{"id": c.ID, "deleted": true}, func() { p.print("Deleted %s.\n", c.ID) })
}

// frames shows a stream: as a trace, or as JSON lines.
func (p *process) frames(lines bool) frameShower {
	if lines {
		return &frameLines{encoder: json.NewEncoder(p.Out)}
	}
	return newTracer(p)
}

// frameShower is a way to show a stream of frames.
type frameShower interface {
	frame(client.Frame) error
	end(client.Run)
}

// frameLines prints each frame as one line of JSON.
type frameLines struct{ encoder *json.Encoder }

func (f *frameLines) frame(frame client.Frame) error {
	return f.encoder.Encode(struct {
		ID    string          `json:"id"`
		Event string          `json:"event"`
		Data  json.RawMessage `json:"data"`
	}{frame.ID, frame.Type, frame.Data})
}

func (f *frameLines) end(client.Run) {}
