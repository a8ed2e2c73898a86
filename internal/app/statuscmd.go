package app

import (
	"context"
	"fmt"
	"time"

	"errand/client"
)

type statusCommand struct {
	remote
	Doctor bool `help:"Let the server look at itself, too, as errand doctor does. It takes seconds."`
}

// Run says how a server stands. It fails when the doctor finds something that does.
func (c *statusCommand) Run(ctx context.Context, p *process) error {
	s, err := c.client(p).System(ctx, c.Doctor)
	if err != nil {
		return err
	}
	if err := c.show(p, s.Raw, func() { p.tellSystem(&s) }); err != nil {
		return err
	}
	if s.Doctor != nil && !s.Doctor.OK {
		return quiet(exitFailed)
	}
	return nil
}

func (p *process) tellSystem(s *client.System) {
	free := "not known"
	if s.Store.DiskFree != nil {
		free = byteCount(*s.Store.DiskFree)
	}
	p.print("Errand %s, up for %s\n\n", s.Version, time.Duration(s.Uptime)*time.Second)
	p.print("  Runs      %d at work, %d wait for room, of %d at most\n", s.Runs.Driven, s.Runs.Waiting, s.Runs.MaxActive)
	p.print("  Streams   %d\n", s.Streams)
	p.print("  Store     %s at %s: %s, write-ahead log %s; free on disk: %s\n", s.Store.Kind, s.Store.Path, byteCount(s.Store.File), byteCount(s.Store.WAL), free)
	p.print("  Commits   %d in %d writes to disk\n", s.Store.Commits, s.Store.Groups)
	p.print("  Browser   %s\n", orDash(s.Browser))
	rows := [][]string{{"provider", "models", "state", "calls", "wait"}}
	for _, one := range s.Providers {
		row := []string{one.Name, fmt.Sprint(one.Models), "-", "-", "-"}
		if h := one.Health; h != nil {
			row = []string{one.Name, fmt.Sprint(one.Models), oneLine(h.State+" "+h.LastError, 40), fmt.Sprint(h.Active), fmt.Sprint(h.Waiting)}
		}
		rows = append(rows, row)
	}
	p.print("\n")
	p.table(rows)
	if s.Doctor == nil {
		return
	}
	p.print("\n")
	for _, f := range s.Doctor.Checks {
		p.print("%s  %-10s %s\n", p.mark(f.Level), f.Check, f.Found)
	}
}

// mark is how a finding of the doctor looks at the beginning of its line.
func (p *process) mark(level string) string {
	switch level {
	case "warn":
		return p.yellow("warn")
	case "fail":
		return p.red("FAIL")
	}
	return p.green("ok  ")
}
