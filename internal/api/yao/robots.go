package yao

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// Roster lists and changes saved robots. *robot.Book is the implementation.
type Roster interface {
	// List returns up to limit robots in order of member_id, behind that one.
	List(ctx context.Context, project, after string, limit int) ([]robot.Robot, error)
	// Create, Change and Delete return the rows of a change, for a commit that fails
	// with a *run.RowConflict when the robot is not as it was.
	Create(project, id, by string, p robot.Profile, at time.Time) (robot.Robot, []run.RowWrite, error)
	Change(project, by string, r robot.Robot, p robot.Profile, at time.Time) (robot.Robot, []run.RowWrite, error)
	Delete(project string, r robot.Robot) []run.RowWrite
}

// robotIn is a robot as a request says it.
type robotIn struct {
	robot.Draft
	Approval json.RawMessage `json:"approval"` // where it stands in a saved agent
}

// readRobot reads a robot. What the original has beside these fields is ignored, but
// not within robot_config, which is where gates and bounds are: a misspelt one would
// hold nothing up.
func readRobot(r *wire.Request) (*robot.Draft, error) {
	var in robotIn
	if err := r.Decode(&in); err != nil {
		return nil, err
	}
	if chat.Set(in.Approval) {
		return nil, problem.Invalid("approval", "belongs into robot_config: robot_config.approval")
	}
	var whole struct {
		Config json.RawMessage `json:"robot_config"`
	}
	if err := r.Decode(&whole); err != nil || !chat.Set(whole.Config) {
		return &in.Draft, err
	}
	err := wire.Decode(whole.Config, &robot.Config{}, true)
	if err == nil {
		return &in.Draft, nil
	}
	fields := map[string]string{}
	for field, message := range problem.From(err).Fields {
		fields["robot_config."+field] = message
	}
	if len(fields) == 0 {
		return nil, err
	}
	return nil, problem.InvalidFields(fields)
}

func (a *API) createRobot(ctx context.Context, r *wire.Request) (wire.Response, error) {
	draft, err := readRobot(r)
	if err != nil {
		return wire.Response{}, err
	}
	profile := draft.Apply(robot.Profile{})
	id, err := a.newMember(ctx, r.Caller.Project, draft, &profile)
	if err != nil {
		return wire.Response{}, err
	}
	made, rows, err := a.cfg.Roster.Create(r.Caller.Project, id, r.Caller.KeyID, profile, a.cfg.Now())
	if err != nil {
		return wire.Response{}, err
	}
	answer, err := a.save(ctx, r, &made, rows, http.StatusCreated)
	if conflict := new(run.RowConflict); errors.As(err, &conflict) && conflict.Kind == robot.Kind {
		return wire.Response{}, taken(&made, conflict.Name)
	}
	return answer, err
}

// newMember is the id of a new robot, whose profile is checked with it: the answer
// names all that is wrong at once.
func (a *API) newMember(ctx context.Context, project string, draft *robot.Draft, p *robot.Profile) (string, error) {
	err := a.cfg.Desk.Check(ctx, project, p)
	if err != nil && !problem.Is(err, problem.InvalidRequest) {
		return "", err
	}
	if draft.ID == nil || *draft.ID == "" {
		if err != nil {
			return "", err
		}
		return robot.NewID()
	}
	if wrong := robot.CheckID(*draft.ID); wrong != "" {
		fields := map[string]string{"member_id": wrong}
		if told := problem.From(err); told != nil {
			for field, message := range told.Fields {
				fields[field] = message
			}
		}
		return "", problem.InvalidFields(fields)
	}
	return *draft.ID, err
}

func taken(r *robot.Robot, name bool) error {
	if name {
		return problem.Conflicting("display_name", "a robot called %q already exists in this project: choose another name.", r.DisplayName)
	}
	return problem.Conflicting("member_id", "robot %s already exists in this project: choose another id, or change it with PUT %s/%s.", r.ID, robotsPath, r.ID)
}

// save commits the rows and what the request's Idempotency-Key remembers, and
// answers with the robot.
func (a *API) save(ctx context.Context, r *wire.Request, made *robot.Robot, rows []run.RowWrite, status int) (wire.Response, error) {
	shown, err := a.showRobot(ctx, r.Caller.Project, made)
	if err != nil {
		return wire.Response{}, err
	}
	answer := wire.Response{Status: status, Body: shown}
	remembered, err := r.Remember(answer)
	if err != nil {
		return wire.Response{}, err
	}
	if err := a.cfg.Rows.Append(ctx, a.withClock(r, made.ID, append(rows, remembered...))); err != nil {
		return wire.Response{}, fmt.Errorf("saving robot %s: %w", made.ID, err)
	}
	return answer, nil
}

// withClock is the commit of a robot's rows: its clock follows.
func (a *API) withClock(r *wire.Request, member string, rows []run.RowWrite) run.Commit {
	commit := run.Commit{Rows: rows}
	if a.cfg.Clocks != nil {
		commit.Jobs = []run.Job{a.cfg.Clocks.Changed(r.Caller.Project, member)}
	}
	return commit
}

func (a *API) getRobot(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	shown, err := a.showRobot(ctx, r.Caller.Project, &found)
	return wire.OK(shown), err
}

// changeTries bounds how often a change is made again because another one came
// first: more changes of one robot at once than people make.
const changeTries = 5

// changing repeats a change of the robot in the path while others come first.
func (a *API) changing(ctx context.Context, r *wire.Request, change func(robot.Robot) (wire.Response, error)) (wire.Response, error) {
	for range changeTries {
		found, err := a.find(ctx, r)
		if err != nil {
			return wire.Response{}, err
		}
		answer, err := change(found)
		conflict := new(run.RowConflict)
		if errors.As(err, &conflict) && conflict.Kind == robot.Kind && !conflict.Name {
			continue
		}
		return answer, err
	}
	return wire.Response{}, problem.New(problem.Conflict, "This robot is being changed by others at the same time: try again.")
}

// putRobot changes the fields that the body has; the others stay as they are.
func (a *API) putRobot(ctx context.Context, r *wire.Request) (wire.Response, error) {
	draft, err := readRobot(r)
	if err != nil {
		return wire.Response{}, err
	}
	return a.changing(ctx, r, func(before robot.Robot) (wire.Response, error) {
		if draft.ID != nil && *draft.ID != before.ID {
			return wire.Response{}, problem.Invalid("member_id", "can't be changed: it is %q; create another robot, or leave it out", before.ID)
		}
		profile := draft.Apply(before.Profile)
		if err := a.cfg.Desk.Check(ctx, r.Caller.Project, &profile); err != nil {
			return wire.Response{}, err
		}
		after, rows, err := a.cfg.Roster.Change(r.Caller.Project, r.Caller.KeyID, before, profile, a.cfg.Now())
		if err != nil {
			return wire.Response{}, err
		}
		answer, err := a.save(ctx, r, &after, rows, http.StatusOK)
		if conflict := new(run.RowConflict); errors.As(err, &conflict) && conflict.Kind == robot.Kind && conflict.Name {
			return wire.Response{}, taken(&after, true)
		}
		return answer, err
	})
}

type deletedBody struct {
	MemberID string `json:"member_id"`
	Deleted  bool   `json:"deleted"`
}

// deleteRobot removes a robot that is not at work. Its executions can still be read
// as runs.
func (a *API) deleteRobot(ctx context.Context, r *wire.Request) (wire.Response, error) {
	return a.changing(ctx, r, func(found robot.Robot) (wire.Response, error) {
		counts, err := a.counts(ctx, r.Caller.Project, found.ID)
		if err != nil {
			return wire.Response{}, err
		}
		if open := counts.open(); open > 0 {
			return wire.Response{}, problem.New(problem.Conflict,
				"Robot %s has running executions (%d that have not ended): cancel them first, or wait.", found.ID, open)
		}
		if err := a.cfg.Rows.Append(ctx, a.withClock(r, found.ID, a.cfg.Roster.Delete(r.Caller.Project, found))); err != nil {
			return wire.Response{}, fmt.Errorf("deleting robot %s: %w", found.ID, err)
		}
		return wire.OK(deletedBody{MemberID: found.ID, Deleted: true}), nil
	})
}

// robotScan is how many robots are read at once.
const robotScan = 200

func (a *API) listRobots(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	page := readPaging(query)
	wanted := readRobotFilter(query, r.Caller.Project)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	var found []robot.Robot
	for after := ""; ; {
		some, err := a.cfg.Roster.List(ctx, r.Caller.Project, after, robotScan)
		if err != nil {
			return wire.Response{}, err
		}
		for i := range some {
			if wanted(&some[i]) && r.Caller.For(robot.ExecutionAgent+some[i].ID) {
				found = append(found, some[i])
			}
		}
		if len(some) < robotScan {
			break
		}
		after = some[len(some)-1].ID
	}
	slices.SortFunc(found, func(x, y robot.Robot) int { // newest first, as every list here
		if order := y.CreatedAt.Compare(x.CreatedAt); order != 0 {
			return order
		}
		return strings.Compare(x.ID, y.ID)
	})
	body := listBody[robotBody]{Data: []robotBody{}, Total: len(found), Page: page.Page, PageSize: page.Size}
	for _, one := range cut(found, page) {
		shown, err := a.showRobot(ctx, r.Caller.Project, &one)
		if err != nil {
			return wire.Response{}, err
		}
		body.Data = append(body.Data, shown)
	}
	return wire.OK(body), nil
}

// readRobotFilter reads what a list of robots is narrowed by.
func readRobotFilter(q *wire.Query, project string) func(*robot.Robot) bool {
	status := ""
	if q.String("status") != "" {
		status = q.OneOf("status", robot.Active, robot.Inactive, robot.Pending, robot.Suspended)
	}
	keyword := strings.ToLower(strings.TrimSpace(q.String("keywords")))
	team := q.String("team_id")
	var autonomous *bool
	if text := strings.ToLower(q.String("autonomous_mode")); text != "" {
		yes := slices.Contains([]string{"1", "true", "yes", "on"}, text)
		if !yes && !slices.Contains([]string{"0", "false", "no", "off"}, text) {
			q.Refuse("autonomous_mode", "must be one of 1, 0, true, false, yes, no, on, off, not %.80q", text)
		}
		autonomous = &yes
	}
	return func(r *robot.Robot) bool {
		return (status == "" || r.Status == status) && (team == "" || team == project) &&
			(autonomous == nil || r.Autonomous == *autonomous) &&
			strings.Contains(strings.ToLower(r.DisplayName+"\n"+r.Bio), keyword)
	}
}
