package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"errand/client"
)

type statsCommand struct {
	remote
	Bucket string `help:"minute, hour or day." enum:"minute,hour,day" default:"hour"`
	From   string `help:"First moment, such as 2026-06-01 or 2026-06-01T08:00:00Z; without it the last 60 minutes, 24 hours or 30 days." placeholder:"TIME"`
	To     string `help:"Moment at which it ends; now without it." placeholder:"TIME"`
}

// Run counts the runs of a project by when they were made.
func (c *statsCommand) Run(ctx context.Context, p *process) error {
	q := client.StatsQuery{Bucket: c.Bucket}
	var err error
	if q.From, err = momentOf(c.From); err == nil {
		q.To, err = momentOf(c.To)
	}
	if err != nil {
		return usage(err)
	}
	stats, err := c.client(p).Runs.Stats(ctx, q)
	if err != nil {
		return err
	}
	return c.show(p, stats.Raw, func() {
		rows := [][]string{{"from", "runs", "which are", "input", "output", "cost"}}
		for i := range stats.Data {
			if at := &stats.Data[i]; at.Runs > 0 || at.Usage.Input > 0 {
				cost := fmt.Sprintf("$%.4f", at.Usage.Cost)
				if at.Usage.Unpriced {
					cost += " and more"
				}
				rows = append(rows, []string{
					at.At.Local().Format("2006-01-02 15:04"), fmt.Sprint(at.Runs), tally(at.Status), thousands(at.Usage.Input), thousands(at.Usage.Output), cost,
				})
			}
		}
		if len(rows) == 1 {
			p.print("None.\n")
			return
		}
		p.table(rows)
		if !stats.Complete {
			p.print("There were too many runs to count them all: the oldest lines miss some. Ask for less time.\n")
		}
	})
}

// tally is 3 completed, 1 failed.
func tally(counts map[string]int) string {
	var said []string
	for _, status := range slices.Sorted(maps.Keys(counts)) {
		said = append(said, fmt.Sprintf("%d %s", counts[status], status))
	}
	return orDash(strings.Join(said, ", "))
}

// momentOf reads a time, or a day in UTC; nothing is the zero time.
func momentOf(text string) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return at, fmt.Errorf("%q is no time such as 2026-06-01 or 2026-06-01T08:00:00Z", text)
	}
	return at, nil
}

type watchCommand struct {
	remote
	After string `help:"Only what comes after this frame: an id that was printed with --json." placeholder:"ID"`
}

// Run follows a project until it is interrupted: for a person a line for each change,
// for a program each frame as a line of JSON.
func (c *watchCommand) Run(ctx context.Context, p *process) error {
	for frame, err := range c.client(p).Runs.Changes(ctx, c.After) {
		switch {
		case err != nil && ctx.Err() != nil && errors.Is(err, ctx.Err()):
			return nil // an interrupt is how it ends
		case err != nil:
			return err
		}
		if c.JSON || !p.reads() {
			err = json.NewEncoder(p.Out).Encode(struct {
				ID   string          `json:"id"`
				Type string          `json:"type"`
				Data json.RawMessage `json:"data"`
			}{frame.ID, frame.Type, frame.Data})
			if err != nil {
				return err
			}
			continue
		}
		p.change(frame)
	}
	return nil
}

// change tells a person.
func (p *process) change(frame client.Frame) {
	if at, run, ok := frame.Change(); ok {
		waits := ""
		if run.Pending > 0 {
			waits = ", " + plural(run.Pending, "action") + " for a person"
		}
		p.print("%s  %s  %s%s  %s\n", at.Local().Format("15:04:05"), run.ID, p.status(run.Status), waits, oneLine(run.Title, 60))
		return
	}
	var said struct {
		Run    string `json:"run"`
		Reason string `json:"reason"`
	}
	if json.Unmarshal(frame.Data, &said) != nil {
		return
	}
	switch frame.Type {
	case "run.deleted":
		p.print("          %s  deleted\n", printable(said.Run))
	case "resync":
		if said.Reason != "begin" {
			p.print("          (something may be missing before here: %s)\n", printable(said.Reason))
		}
	}
}

type logLevelCommand struct {
	remote
	Level string `arg:"" optional:"" help:"debug, info, warn or error; without it the level is shown."`
}

// Run shows the level of a server's log, or changes it until the server stops.
func (c *logLevelCommand) Run(ctx context.Context, p *process) error {
	api := c.client(p)
	if c.Level != "" {
		if err := api.SetLogLevel(ctx, c.Level); err != nil {
			return err
		}
	}
	level, err := api.LogLevel(ctx)
	if err != nil {
		return err
	}
	return c.show(p, map[string]string{"level": level}, func() { p.print("The log has what is %s or worse.\n", level) })
}
