package app

import (
	"context"
	"slices"
	"time"

	"errand/internal/agent"
	"errand/internal/api/native"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
	"errand/internal/schedule"
)

// openSchedules makes what starts runs by the clock.
func (a *assembly) openSchedules() (err error) {
	a.schedules, err = schedule.New(schedule.Config{
		Rows: a.store, Runs: starter{a.engine, a.store}, Now: a.now, Logger: a.logger,
		Targets: targets{
			agents: &agent.Book{Rows: a.store}, catalog: a.catalog(), keys: a.keys, robots: a.robots, desk: a.desk,
		},
	})
	return err
}

// outbox is what events cause outside of their run.
func (a *assembly) outbox(s *run.State, events []run.Event) []run.Job {
	return slices.Concat(a.hooks.Outbox(s, events), schedule.Outbox(s, events), a.courier.Outbox(s, events))
}

// starter starts the runs of schedules.
type starter struct {
	*engine.Engine
	store interface {
		Summary(ctx context.Context, id run.ID) (run.Summary, error)
	}
}

// Start makes a run and what belongs to it in one commit.
func (s starter) Start(ctx context.Context, b schedule.Beginning) error {
	_, err := s.Create(ctx, engine.NewRun{ID: b.ID, Spec: b.Spec, Rows: b.Rows, Jobs: b.Jobs})
	return err
}

// Summary returns a run's line.
func (s starter) Summary(ctx context.Context, id run.ID) (run.Summary, error) {
	return s.store.Summary(ctx, id)
}

// targets are whom schedules start.
type targets struct {
	agents  *agent.Book
	catalog agent.Catalog
	keys    *auth.Book
	robots  *robot.Book
	desk    *robot.Desk
}

// Resolve returns the target by id.
func (t targets) Resolve(ctx context.Context, project string, target schedule.Target) (schedule.Target, error) {
	if target.Robot != "" {
		found, err := t.robots.Find(ctx, project, target.Robot)
		return schedule.Target{Robot: found.ID}, fieldFault("robot", err)
	}
	found, err := t.agents.Find(ctx, project, target.Agent)
	return schedule.Target{Agent: found.ID}, fieldFault("agent", err)
}

// fieldFault says of a field that what it names is not there.
func fieldFault(field string, err error) error {
	if problem.Is(err, problem.NotFound) {
		return problem.Invalid(field, "%s", problem.From(err).Detail)
	}
	return err
}

// Spec is the run that a firing starts, on the word of a key as it is now.
func (t targets) Spec(ctx context.Context, o schedule.Order) (spec run.Spec, err error) {
	if o.Scopes == nil {
		if o.Scopes, err = t.keys.Granted(ctx, o.Project, o.Key); err != nil {
			return spec, err
		}
	}
	if o.Robot == "" {
		return t.agentSpec(ctx, o)
	}
	found, err := t.robots.Find(ctx, o.Project, o.Robot)
	if err != nil {
		return spec, err
	}
	return t.desk.Execution(ctx, &found, robot.Start{
		Project: o.Project, Key: o.Key, Scopes: o.Scopes, Goals: o.Input, Order: robot.Order{Trigger: robot.ByClock, Due: &o.Due},
	})
}

func (t targets) agentSpec(ctx context.Context, o schedule.Order) (run.Spec, error) {
	saved, err := t.agents.Find(ctx, o.Project, o.Agent)
	if err != nil {
		return run.Spec{}, err
	}
	tools, err := t.catalog.Saved(ctx, o.Project, &saved)
	if err != nil {
		return run.Spec{}, err
	}
	return saved.Spec(saved.Ref(), agent.Order{
		Project: o.Project, Dialect: native.Dialect, Key: o.Key, Scopes: o.Scopes, Tools: tools,
		Input:    run.Message{Role: run.User, Text: o.Input},
		MaxSteps: min(saved.MaxSteps, t.catalog.Ceiling()), WallTime: t.catalog.WallTime, Window: t.catalog.Models.Window(saved.Model),
	}), nil
}

// Clock is what starts a robot by itself.
func (t targets) Clock(ctx context.Context, project, id string) (*schedule.Clock, error) {
	found, err := t.robots.Find(ctx, project, id)
	if problem.Is(err, problem.NotFound) || err == nil && found.ID != id {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return clockOf(&found), nil
}

// clockOf is what starts a robot by itself: nil if nothing does.
func clockOf(r *robot.Robot) *schedule.Clock {
	set := r.Config.Clock
	if set == nil || !r.Autonomous || r.Startable(robot.ByClock, "") != nil {
		return nil
	}
	clock := schedule.Clock{Key: r.UpdatedBy, Timing: schedule.Timing{Zone: set.TZ}}
	switch set.Mode {
	case robot.Times:
		clock.Times, clock.Days = set.Times, set.Days
	case robot.Interval:
		clock.Every = set.Every
	case robot.Daemon:
		clock.Daemon = true
	}
	return &clock
}

// robotClocks shows the clocks of robots to the robots' API.
type robotClocks struct{ keeper *schedule.Keeper }

// Changed is the job that makes a robot's clock follow the robot.
func (c robotClocks) Changed(project, member string) run.Job {
	return schedule.ClockChanged(project, member)
}

// Next is when the clock starts the robot.
func (c robotClocks) Next(ctx context.Context, project, member string) (time.Time, error) {
	hands, err := c.keeper.Clock(ctx, project, member)
	return hands.Next, err
}
