package schedule

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Clock is what starts a robot by itself.
type Clock struct {
	Timing
	Key string // id of the API key on whose word
}

// ClockChanged is the job that makes a robot's clock follow the robot. Whoever
// makes, changes or removes a robot writes it in the same commit.
func ClockChanged(project, robot string) run.Job {
	data, err := json.Marshal(ticket{Kind: clockKind, Project: project, ID: robot})
	if err != nil { // texts always have a JSON form
		return run.Job{}
	}
	return run.Job{Kind: FollowJob, Data: data}
}

// followRobot makes a robot's clock what the robot says, until there is nothing
// more to do: while it was written the robot may have changed again.
func (k *Keeper) followRobot(ctx context.Context, job run.Job) error {
	var t ticket
	if err := json.Unmarshal(job.Data, &t); err != nil {
		return fmt.Errorf("reading whose clock a job is for: %w", err)
	}
	for range tries {
		clock, err := k.cfg.Targets.Clock(ctx, t.Project, t.ID)
		if err != nil {
			return err
		}
		c, err := k.follow(ctx, t.Project, t.ID, clock)
		if err != nil || len(c.Rows) == 0 {
			return err
		}
		err = k.cfg.Rows.Append(ctx, c)
		if struck := new(run.RowConflict); err != nil && !errors.As(err, &struck) {
			return err
		}
	}
	return fmt.Errorf("the robot %s, or its clock, changes all the time", t.ID)
}

// follow returns what makes a robot's clock the given one, nil for none.
func (k *Keeper) follow(ctx context.Context, project, robot string, clock *Clock) (c run.Commit, err error) {
	s, err := k.find(ctx, clockKind, project, robot)
	known := err == nil
	if err != nil && !problem.Is(err, problem.NotFound) {
		return c, err
	}
	switch {
	case clock == nil && !known:
		return c, nil
	case clock == nil:
		write, err := s.write()
		write.Delete = true
		return run.Commit{Rows: []run.RowWrite{write}}, err
	case !known:
		// A turn that no job of an earlier clock of this robot can have.
		s = Schedule{ID: robot, Project: project, Created: k.now(), Turn: k.now().UnixMilli(), kind: clockKind}
	}
	return k.set(&s, clock)
}

// set sets a robot's clock. One that says the same goes on as it goes.
func (k *Keeper) set(s *Schedule, clock *Clock) (run.Commit, error) {
	now, read := k.now(), s.Turn
	f := faults{}
	p := clock.Timing.plan(now, f)
	for _, field := range slices.Sorted(maps.Keys(f)) {
		return run.Commit{}, problem.Invalid("robot_config.clock."+field, "%s", f[field])
	}
	same := s.version > 0 && clock.Timing.equal(&s.Timing)
	if same && clock.Key == s.Key {
		return run.Commit{}, nil
	}
	s.Definition = Definition{Target: Target{Robot: s.ID}, Timing: clock.Timing, Missed: SkipMissed, Overlap: SkipOverlap}
	s.Key, s.Updated = clock.Key, now
	if !same && !s.reset(&p, now, true) {
		return run.Commit{}, fmt.Errorf("setting the clock of robot %s: it never comes", s.ID)
	}
	t := turn{Schedule: *s, now: now, read: read}
	return t.commit()
}

// Hands are what a robot's clock shows.
type Hands struct {
	Next time.Time // when it starts the robot; zero = not, or when its run has ended
	Last time.Time // when it has last started it; zero = never
	// Failures is how many of its runs in a row have failed fast or could not be
	// started, and Error why the last one could not be.
	Failures int
	Error    string
}

// Clock returns what a robot's clock shows. A robot without one shows nothing.
func (k *Keeper) Clock(ctx context.Context, project, robot string) (Hands, error) {
	s, err := k.find(ctx, clockKind, project, robot)
	if problem.Is(err, problem.NotFound) {
		return Hands{}, nil
	}
	return Hands{Next: s.Next, Last: s.LastAt, Failures: s.Failures, Error: s.Error}, err
}
