package app

import (
	"cmp"
	"context"
	"time"

	"errand/internal/api/native"
	"errand/internal/auth"
	"errand/internal/run"
	"errand/internal/schedule"
)

// scheduleShelf shows the schedules to the API.
type scheduleShelf struct{ keeper *schedule.Keeper }

// List returns schedules, newest first.
func (s scheduleShelf) List(ctx context.Context, project, after string, limit int) ([]native.Schedule, error) {
	found, err := s.keeper.List(ctx, project, after, limit)
	if err != nil {
		return nil, err
	}
	shown := make([]native.Schedule, len(found))
	for i := range found {
		if shown[i], err = showSchedule(&found[i]); err != nil {
			return nil, err
		}
	}
	return shown, nil
}

// Get returns one.
func (s scheduleShelf) Get(ctx context.Context, project, id string) (native.Schedule, error) {
	found, err := s.keeper.Get(ctx, project, id)
	if err != nil {
		return native.Schedule{}, err
	}
	return showSchedule(&found)
}

// Save checks a definition and returns the schedule with it, and what saves it.
func (s scheduleShelf) Save(ctx context.Context, who auth.Caller, id string, d native.ScheduleDefinition) (native.Schedule, run.Commit, error) {
	definition := schedule.Definition{
		Target: schedule.Target{Agent: d.Agent, Robot: d.Robot},
		Timing: timing(&d),
		Input:  d.Input, Missed: schedule.Missed(d.Missed), Overlap: schedule.Overlap(d.Overlap), Paused: d.Paused,
	}
	var (
		made schedule.Schedule
		c    run.Commit
		err  error
	)
	if id == "" {
		made, c, err = s.keeper.Create(ctx, who.Project, definition, who.KeyID)
	} else {
		made, c, err = s.keeper.Change(ctx, who.Project, id, definition, who.KeyID)
	}
	if err != nil {
		return native.Schedule{}, c, err
	}
	shown, err := showSchedule(&made)
	return shown, c, err
}

func timing(d *native.ScheduleDefinition) schedule.Timing {
	return schedule.Timing{Cron: d.Cron, Every: d.Every, Times: d.Times, Days: d.Days, Daemon: d.Daemon, Zone: d.TZ}
}

// Preview returns the next times of a definition.
func (s scheduleShelf) Preview(d native.ScheduleDefinition, count int) ([]time.Time, error) {
	return s.keeper.Preview(timing(&d), count)
}

// Remove returns what removes one.
func (s scheduleShelf) Remove(ctx context.Context, project, id string) (run.Commit, error) {
	return s.keeper.Remove(ctx, project, id)
}

// Fire returns the spec of a run that starts now on the caller's word.
func (s scheduleShelf) Fire(ctx context.Context, who auth.Caller, id string, starts run.ID) (run.Spec, []run.RowWrite, error) {
	return s.keeper.Fire(ctx, who.Project, id, schedule.Asked{Key: who.KeyID, Scopes: who.Scopes, Run: starts})
}

// shownTimes is how many of the next times are shown.
const shownTimes = 5

func showSchedule(s *schedule.Schedule) (native.Schedule, error) {
	next, err := s.Upcoming(shownTimes)
	zone := s.Zone()
	for i := range next {
		next[i] = next[i].In(zone)
	}
	return native.Schedule{
		ID: s.ID, Next: next, Running: s.Running, Last: s.Last, LastAt: s.LastAt, LastStatus: s.LastEnd,
		Queued: s.Queued, Failures: s.Failures, Left: s.Left, Skipped: s.Skipped, Error: s.Error,
		Created: s.Created, Updated: s.Updated,
		ScheduleDefinition: native.ScheduleDefinition{
			Agent: s.Agent, Robot: s.Robot, Cron: s.Cron, Every: s.Every, Times: s.Times, Days: s.Days, Daemon: s.Daemon,
			TZ: cmp.Or(s.Timing.Zone, "UTC"), Input: s.Input, Missed: string(s.Missed), Overlap: string(s.Overlap), Paused: s.Paused,
		},
	}, err
}
