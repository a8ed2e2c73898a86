package yao

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// What executions do that is told of.
const (
	startedActivity   = "execution.started"
	completedActivity = "execution.completed"
	failedActivity    = "execution.failed"
	cancelledActivity = "execution.cancelled"
)

// activityBody is one thing that an execution did.
type activityBody struct {
	Type        string    `json:"type"`
	RobotID     string    `json:"robot_id"`
	RobotName   string    `json:"robot_name,omitempty"`
	ExecutionID string    `json:"execution_id"`
	Message     string    `json:"message"`
	Timestamp   time.Time `json:"timestamp"`
}

// activities are what a run's line tells: its beginning, and its end. Lines of
// anything but an execution tell nothing.
func activities(line *run.Summary) []activityBody {
	member, ok := strings.CutPrefix(line.Agent, robot.ExecutionAgent)
	if !ok {
		return nil
	}
	begun := activityBody{
		Type: startedActivity, RobotID: member, ExecutionID: execID(line.ID), Timestamp: line.CreatedAt,
		Message: "Started: " + line.Title,
	}
	ended := begun
	ended.Timestamp = line.EndedAt
	switch line.Status {
	case run.Completed:
		ended.Type, ended.Message = completedActivity, "Completed: "+line.Title
	case run.FailedStatus:
		ended.Type, ended.Message = failedActivity, fmt.Sprintf("Failed (%s): %s", line.StopReason, line.Title)
	case run.CancelledStatus:
		ended.Type, ended.Message = cancelledActivity, "Cancelled: "+line.Title
	default:
		return []activityBody{begun}
	}
	return []activityBody{ended, begun}
}

// activityBody of /v1/agent/robots/activities.
type activitiesBody struct {
	Data []activityBody `json:"data"`
}

func (a *API) listActivities(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	limit := clamped(query, "limit", defaultSize, maxSize)
	since := readSince(query)
	kind := ""
	if query.String("type") != "" {
		kind = query.OneOf("type", startedActivity, completedActivity, failedActivity, cancelledActivity)
	}
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	found, err := a.recent(ctx, r.Caller.Project, func(one *activityBody) bool {
		return r.Caller.For(robot.ExecutionAgent+one.RobotID) && (kind == "" || one.Type == kind) && !one.Timestamp.Before(since)
	})
	if err != nil {
		return wire.Response{}, err
	}
	found = found[:min(limit, len(found))]
	return wire.OK(activitiesBody{Data: found}), a.nameRobots(ctx, r.Caller.Project, found)
}

// readSince reads a time of RFC 3339, which alone the document allows.
func readSince(q *wire.Query) time.Time {
	text := q.String("since")
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		q.Refuse("since", "must be a time of RFC 3339 such as 2026-06-11T07:02:11Z, not %.80q", text)
	}
	return at
}

// activityScan is how many of the project's latest runs of this API activities are
// looked for in: no index has runs in the order of their ends, and an execution that
// ends now may have begun long ago.
const activityScan = 5000

// recent returns what executions of the project did that is wanted, newest first.
func (a *API) recent(ctx context.Context, project string, wanted func(*activityBody) bool) ([]activityBody, error) {
	found := []activityBody{}
	lines, err := a.cfg.Lines.Runs(ctx, run.RunQuery{Project: project, Dialect: Dialect, Limit: activityScan})
	if err != nil {
		return nil, fmt.Errorf("listing what robots did: %w", err)
	}
	for i := range lines {
		for _, one := range activities(&lines[i]) {
			if wanted(&one) {
				found = append(found, one)
			}
		}
	}
	slices.SortStableFunc(found, func(x, y activityBody) int { return y.Timestamp.Compare(x.Timestamp) })
	return found, nil
}

// nameRobots fills in what robots are called. One that is deleted has no name.
func (a *API) nameRobots(ctx context.Context, project string, of []activityBody) error {
	names := map[string]string{}
	for i := range of {
		id := of[i].RobotID
		if _, known := names[id]; !known {
			found, err := a.cfg.Robots.Find(ctx, project, id)
			if err != nil && !problem.Is(err, problem.NotFound) && !problem.Is(err, robotNotFound) {
				return err
			}
			names[id] = found.DisplayName
		}
		of[i].RobotName = names[id]
	}
	return nil
}
