package app

import (
	"context"
	"fmt"
	"strings"
	"time"

	"errand/client"
)

type schedulesGroup struct {
	List   schedulesList   `cmd:"" help:"List schedules."`
	Add    schedulesAdd    `cmd:"" help:"Start an agent or a robot by the clock."`
	Remove schedulesRemove `cmd:"" name:"rm" help:"Remove a schedule; its runs go on."`
	Pause  schedulesPause  `cmd:"" help:"Start nothing until it is resumed."`
	Resume schedulesResume `cmd:"" help:"Go on from now; nothing was missed."`
	Run    schedulesRun    `cmd:"" help:"Start its run now."`
}

// scheduleArg names a schedule.
type scheduleArg struct {
	ID string `arg:"" name:"schedule-id" help:"Id of the schedule: sch_…"`
}

type schedulesList struct {
	remote
	paging
}

// Run lists schedules.
func (c *schedulesList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Schedules.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "starts", "when", "next", "last", "failures"}}
		for i := range page.Data {
			s := &page.Data[i]
			rows = append(rows, []string{s.ID, s.Agent + s.Robot, oneLine(whenOf(s), 50), nextOf(s), p.status(lastOf(s)), fmt.Sprint(s.Failures)})
		}
		p.table(rows)
		more(p, page)
	})
}

// whenOf is a schedule's times in a few words.
func whenOf(s *client.Schedule) string {
	said := s.Cron
	switch {
	case s.Every != "":
		said = "every " + s.Every
	case len(s.Times) > 0:
		said = strings.Join(append(s.Days, s.Times...), " ")
	case s.Daemon:
		return "again and again"
	}
	if s.TZ != "" && s.TZ != "UTC" {
		said += " " + s.TZ
	}
	return said
}

func nextOf(s *client.Schedule) string {
	switch {
	case s.Paused:
		return "paused"
	case s.NextRun == nil:
		return "-"
	}
	return s.NextRun.Format(time.RFC3339)
}

func lastOf(s *client.Schedule) string {
	if s.LastRun != "" && s.LastStatus == "" {
		return "running"
	}
	return orDash(s.LastStatus)
}

type schedulesAdd struct {
	remote
	Agent   string   `help:"Saved agent to start: id or name." placeholder:"AGENT" xor:"target"`
	Robot   string   `help:"Robot to start: id or name." placeholder:"ROBOT" xor:"target"`
	Cron    string   `help:"Five fields: minute, hour, day of the month, month, day of the week." placeholder:"EXPR" xor:"when"`
	Every   string   `help:"An interval, such as 30s, 15m or 24h." placeholder:"TIME" xor:"when"`
	At      []string `help:"Times of the day, such as 09:00; repeat, or separate with commas." placeholder:"HH:MM" xor:"when"`
	Daemon  bool     `help:"Again as soon as the last run has ended." xor:"when"`
	Days    []string `help:"Days of --at: Mon, Tue … Default: each day." placeholder:"DAY"`
	TZ      string   `help:"Time zone, such as Europe/Berlin. Default: UTC." placeholder:"ZONE"`
	Missed  string   `help:"What was missed while the server was down: skip it, or run once for all of it." enum:"skip,once" default:"skip"`
	Overlap string   `help:"A time at which the last run goes on: skip it, queue it, or allow two at once." enum:"skip,queue,allow" default:"skip"`
	Input   string   `arg:"" optional:"" help:"What the run is asked. A robot finds its goals by itself."`
}

// Help is the command's longer help.
func (schedulesAdd) Help() string {
	return `Examples:

  errand schedules add --agent invoice-chaser --cron "0 9 * * Mon-Fri" --tz Europe/Berlin "Chase the unpaid invoices."
  errand schedules add --agent watcher --every 15m "What is new?"

Runs start on the word of the API key that adds the schedule, as long as that key is valid.`
}

// Run adds it.
func (c *schedulesAdd) Run(ctx context.Context, p *process) error {
	made, err := c.client(p).Schedules.Create(ctx, client.NewSchedule{
		Agent: c.Agent, Robot: c.Robot, Input: c.Input, Missed: c.Missed, Overlap: c.Overlap,
		Timetable: client.Timetable{Cron: c.Cron, Every: c.Every, Times: c.At, Days: c.Days, Daemon: c.Daemon, TZ: c.TZ},
	})
	if err != nil {
		return err
	}
	return c.show(p, made.Raw, func() {
		p.print("Schedule %s.\n", made.ID)
		for _, at := range made.NextRuns {
			p.print("  %s\n", at.Format("Mon 2006-01-02 15:04:05 MST"))
		}
	})
}

type schedulesRemove struct {
	remote
	scheduleArg
}

// Run removes it.
func (c *schedulesRemove) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Schedules.Delete(ctx, c.ID); err != nil {
		return err
	}
	return c.show(p, map[string]any{"id": c.ID, "deleted": true}, func() { p.print("Removed %s.\n", c.ID) })
}

type schedulesPause struct {
	remote
	scheduleArg
}

// Run pauses it.
func (c *schedulesPause) Run(ctx context.Context, p *process) error {
	return c.setPaused(ctx, p, c.ID, true)
}

type schedulesResume struct {
	remote
	scheduleArg
}

// Run resumes it.
func (c *schedulesResume) Run(ctx context.Context, p *process) error {
	return c.setPaused(ctx, p, c.ID, false)
}

func (r *remote) setPaused(ctx context.Context, p *process, id string, paused bool) error {
	changed, err := r.client(p).Schedules.Update(ctx, id, map[string]bool{"paused": paused})
	if err != nil {
		return err
	}
	return r.show(p, changed.Raw, func() { p.print("%s: next %s.\n", changed.ID, nextOf(&changed)) })
}

type schedulesRun struct {
	remote
	scheduleArg
}

// Run starts a run now.
func (c *schedulesRun) Run(ctx context.Context, p *process) error {
	run, err := c.client(p).Schedules.Run(ctx, c.ID)
	if err != nil {
		return err
	}
	return c.show(p, run.Raw, func() { p.print("Run %s has begun: errand runs watch %s\n", run.ID, run.ID) })
}
