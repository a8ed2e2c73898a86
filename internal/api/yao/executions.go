package yao

import (
	"context"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// execID is how this API spells the id of an execution.
func execID(id run.ID) string { return robot.ExecutionID(id) }

// noExecution is the answer for an execution that is not there, belongs to another
// robot, or is no execution at all.
func noExecution(member, name string) *problem.Error {
	return problem.New(problem.NotFound, "Robot %.80q has no execution %.80q: GET %s/%.80s/executions lists them.",
		member, name, robotsPath, member)
}

// Lines are the runs of a project in lists. A store has these methods.
type Lines interface {
	// Runs selects runs, newest first.
	Runs(ctx context.Context, q run.RunQuery) ([]run.Summary, error)
	// Count returns how many runs of an agent have each status.
	Count(ctx context.Context, project, agent string) (map[run.Status]int, error)
}

// execution is one that a request names.
type execution struct {
	id       run.ID
	state    run.State // zero while the goal is being settled
	shown    robot.Execution
	reserved *reservation // nil unless the goal is being settled, or was given up
}

// execution finds {exec} of the robot {id}.
func (a *API) execution(ctx context.Context, r *wire.Request) (execution, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return execution{}, err
	}
	return a.executionOf(ctx, r, found.ID, r.Path("exec"))
}

// executionOf finds an execution of a robot that is known to be there.
func (a *API) executionOf(ctx context.Context, r *wire.Request, member, text string) (execution, error) {
	id, err := run.ParseID(text)
	if err != nil {
		return execution{}, noExecution(member, text).Because(err)
	}
	s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	switch {
	case problem.Is(err, problem.NotFound):
		return a.reservedExecution(ctx, r, member, id)
	case err != nil:
		return execution{}, err
	case robot.MemberOf(&s.Spec) != member:
		return execution{}, noExecution(member, text)
	}
	shown, err := a.cfg.Desk.Show(ctx, &s)
	return execution{id: id, state: s, shown: shown}, err
}

func (a *API) getExecution(ctx context.Context, r *wire.Request) (wire.Response, error) {
	e, err := a.execution(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(e.shown), nil
}

// briefBody is an execution's row in lists.
type briefBody struct {
	ID          string     `json:"id"`
	MemberID    string     `json:"member_id"`
	TeamID      string     `json:"team_id"`
	Trigger     string     `json:"trigger_type"`
	Status      string     `json:"status"`
	Phase       string     `json:"phase"`
	StartTime   time.Time  `json:"start_time"`
	EndTime     *time.Time `json:"end_time,omitempty"`
	Error       string     `json:"error,omitempty"`
	Name        string     `json:"name,omitempty"`
	CurrentTask string     `json:"current_task_name,omitempty"`
	ChatID      string     `json:"chat_id,omitempty"`
	Progress    string     `json:"progress,omitempty"` // 2/5 tasks
}

func brief(e *robot.Execution) briefBody {
	body := briefBody{
		ID: e.ID, MemberID: e.MemberID, TeamID: e.TeamID, Trigger: e.Trigger, Status: e.Status, Phase: e.Phase,
		StartTime: e.StartTime, EndTime: e.EndTime, Error: e.Error, Name: e.Name, CurrentTask: e.CurrentTask, ChatID: e.ChatID,
	}
	if e.Current != nil {
		body.Progress = e.Current.Progress
	}
	return body
}

func (a *API) listExecutions(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	query := r.Query()
	page := readPaging(query)
	f := readFilter(query, found.ID)
	f.statuses = readStatuses(query)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	ids, total, err := a.choose(ctx, r.Caller.Project, f, page)
	if err != nil {
		return wire.Response{}, err
	}
	body := listBody[briefBody]{Data: []briefBody{}, Total: total, Page: page.Page, PageSize: page.Size}
	for _, id := range ids {
		e, err := a.executionOf(ctx, r, found.ID, id.String())
		switch {
		case problem.Is(err, problem.NotFound): // deleted since it was listed
		case err != nil:
			return wire.Response{}, err
		default:
			body.Data = append(body.Data, brief(&e.shown))
		}
	}
	return wire.OK(body), nil
}

// firstLine is what an execution is called after.
func firstLine(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return line
}

// lastPart is what follows the last slash.
func lastPart(id string) string { return id[strings.LastIndexByte(id, '/')+1:] }
