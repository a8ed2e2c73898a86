package yao

import (
	"context"
	"fmt"
	"time"

	"errand/internal/api/wire"
	"errand/internal/robot"
	"errand/internal/run"
)

// Clocks starts robots at their times. internal/app adapts internal/schedule.
type Clocks interface {
	// Changed is the job that makes a robot's clock follow what the robot says; it
	// goes into the commit that changes, makes or removes the robot.
	Changed(project, member string) run.Job
	// Next is when the clock starts the robot; zero = not at all.
	Next(ctx context.Context, project, member string) (time.Time, error)
}

// robotBody is a robot as answers show it: what its owner says of it, under both
// spellings of its names, and how it stands.
type robotBody struct {
	robot.Robot
	TeamID      string     `json:"team_id"`     // the project
	Name        string     `json:"name"`        // = member_id
	Description string     `json:"description"` // = bio
	Running     int        `json:"running"`
	MaxRunning  int        `json:"max_running"`
	LastRun     *time.Time `json:"last_run"`
	NextRun     *time.Time `json:"next_run"`
}

// statusBody says how a robot stands, and nothing else.
type statusBody struct {
	MemberID    string     `json:"member_id"`
	TeamID      string     `json:"team_id"`
	DisplayName string     `json:"display_name"`
	Bio         string     `json:"bio,omitempty"`
	Status      string     `json:"status"` // idle, working, paused, error, maintenance
	Running     int        `json:"running"`
	MaxRunning  int        `json:"max_running"`
	LastRun     *time.Time `json:"last_run,omitempty"`
	NextRun     *time.Time `json:"next_run,omitempty"`
	RunningIDs  []string   `json:"running_ids,omitempty"`
}

// counts is how many executions of a robot have each status.
type counts map[run.Status]int

// open counts those that have not ended.
func (c counts) open() int {
	open := 0
	for status, count := range c {
		if !status.Terminal() {
			open += count
		}
	}
	return open
}

func (a *API) counts(ctx context.Context, project, member string) (counts, error) {
	found, err := a.cfg.Lines.Count(ctx, project, robot.ExecutionAgent+member)
	if err != nil {
		return nil, fmt.Errorf("counting the executions of robot %s: %w", member, err)
	}
	return found, nil
}

// stand is how a robot stands now.
func (a *API) stand(ctx context.Context, project string, r *robot.Robot) (statusBody, error) {
	body := statusBody{
		MemberID: r.ID, TeamID: project, DisplayName: r.DisplayName, Bio: r.Bio,
		Status: r.RobotStatus, MaxRunning: r.Limits().Max,
	}
	found, err := a.counts(ctx, project, r.ID)
	if err != nil {
		return body, err
	}
	body.Running = found[run.Running]
	last, err := a.cfg.Lines.Runs(ctx, run.RunQuery{Project: project, Agent: robot.ExecutionAgent + r.ID, Limit: 1})
	if err != nil {
		return body, fmt.Errorf("finding the last execution of robot %s: %w", r.ID, err)
	}
	if len(last) > 0 {
		body.LastRun = &last[0].CreatedAt
	}
	if r.RobotStatus == robot.Idle {
		switch {
		case body.Running > 0:
			body.Status = robot.Working
		case len(last) > 0 && last[0].Status == run.FailedStatus:
			body.Status = robot.Failing
		}
	}
	if a.cfg.Clocks == nil {
		return body, nil
	}
	next, err := a.cfg.Clocks.Next(ctx, project, r.ID)
	if err == nil && !next.IsZero() {
		body.NextRun = &next
	}
	return body, err
}

func (a *API) showRobot(ctx context.Context, project string, r *robot.Robot) (robotBody, error) {
	stand, err := a.stand(ctx, project, r)
	body := robotBody{
		Robot: r.Public(), TeamID: project, Name: r.ID, Description: r.Bio,
		Running: stand.Running, MaxRunning: stand.MaxRunning, LastRun: stand.LastRun, NextRun: stand.NextRun,
	}
	body.RobotStatus = stand.Status
	return body, err
}

// maxRunning bounds the ids that a status lists: more than any quota lets run.
const maxRunning = 100

func (a *API) robotStatus(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	body, err := a.standing(ctx, r.Caller.Project, &found)
	return wire.OK(body), err
}

// standing is stand with the ids of what runs.
func (a *API) standing(ctx context.Context, project string, r *robot.Robot) (statusBody, error) {
	body, err := a.stand(ctx, project, r)
	if err != nil || body.Running == 0 {
		return body, err
	}
	lines, err := a.cfg.Lines.Runs(ctx, run.RunQuery{
		Project: project, Agent: robot.ExecutionAgent + r.ID, Statuses: []run.Status{run.Running}, Limit: maxRunning,
	})
	for i := range lines {
		body.RunningIDs = append(body.RunningIDs, execID(lines[i].ID))
	}
	return body, err
}

// hostBody names the agent that a robot's conversation is with.
type hostBody struct {
	AssistantID string `json:"assistant_id"`
	RobotID     string `json:"robot_id"`
}

func (a *API) robotHost(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(hostBody{AssistantID: robot.HostAgent + found.ID, RobotID: found.ID}), nil
}
