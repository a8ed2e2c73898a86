package native

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// Schedules starts runs by the clock. internal/app adapts internal/schedule to it.
type Schedules interface {
	ScheduleBook
	Timetable
	// Fire returns the spec of a run that starts now on the caller's word, and what
	// is written with its first event. Errors: conflict when one goes on that must
	// go on alone.
	Fire(ctx context.Context, who auth.Caller, id string, starts run.ID) (run.Spec, []run.RowWrite, error)
}

// ScheduleBook keeps the schedules of a project.
type ScheduleBook interface {
	// List returns schedules, newest first, made before the one with id after.
	List(ctx context.Context, project, after string, limit int) ([]Schedule, error)
	// Get returns one, or not_found.
	Get(ctx context.Context, project, id string) (Schedule, error)
	// Save checks a definition, of a new schedule if id is empty, and returns the
	// schedule as it is with it, and what saves it. Errors: invalid_request by field.
	Save(ctx context.Context, who auth.Caller, id string, d ScheduleDefinition) (Schedule, run.Commit, error)
	// Remove returns what removes one.
	Remove(ctx context.Context, project, id string) (run.Commit, error)
}

// Timetable knows what a definition comes to.
type Timetable interface {
	// Preview returns the next times of a definition, in its zone, as if it were saved
	// now. Errors: invalid_request by field.
	Preview(d ScheduleDefinition, count int) ([]time.Time, error)
}

// ScheduleDefinition is what an author says about a schedule.
type ScheduleDefinition struct {
	Agent, Robot    string // one of both
	Cron, Every, TZ string
	Times, Days     []string
	Daemon          bool
	Input           string
	Missed, Overlap string
	Paused          bool
}

// Schedule is a definition and where it stands.
type Schedule struct {
	ID string
	ScheduleDefinition
	Next             []time.Time // the next five, in the schedule's zone
	Running          []run.ID
	Last             run.ID // zero = it has never fired
	LastAt           time.Time
	LastStatus       string // empty = it goes on
	Queued, Failures int
	Left, Skipped    int64
	Error            string
	Created, Updated time.Time
}

// scheduleIn is the body of a request that makes or changes a schedule.
type scheduleIn struct {
	Agent   *string  `json:"agent"`
	Robot   *string  `json:"robot"`
	Cron    *string  `json:"cron"`
	Every   *string  `json:"every"`
	Times   []string `json:"times"`
	Days    []string `json:"days"`
	Daemon  *bool    `json:"daemon"`
	TZ      *string  `json:"tz"`
	Input   *string  `json:"input"`
	Missed  *string  `json:"missed"`
	Overlap *string  `json:"overlap"`
	Paused  *bool    `json:"paused"`
}

func (in *scheduleIn) definition() ScheduleDefinition {
	return ScheduleDefinition{
		Agent: value(in.Agent), Robot: value(in.Robot), Cron: value(in.Cron), Every: value(in.Every), TZ: value(in.TZ),
		Times: in.Times, Days: in.Days, Daemon: in.Daemon != nil && *in.Daemon, Input: value(in.Input),
		Missed: value(in.Missed), Overlap: value(in.Overlap), Paused: in.Paused != nil && *in.Paused,
	}
}

// scheduleBody is a schedule as this API shows it. What stands up to paused can be
// sent back.
type scheduleBody struct {
	ID         string      `json:"id"`
	Object     string      `json:"object"`
	Agent      *string     `json:"agent"`
	Robot      *string     `json:"robot"`
	Cron       *string     `json:"cron"`
	Every      *string     `json:"every"`
	Times      []string    `json:"times"`
	Days       []string    `json:"days"`
	Daemon     bool        `json:"daemon"`
	TZ         string      `json:"tz"`
	Input      string      `json:"input"`
	Missed     string      `json:"missed"`
	Overlap    string      `json:"overlap"`
	Paused     bool        `json:"paused"`
	NextRun    *time.Time  `json:"next_run"`
	NextRuns   []time.Time `json:"next_runs"`
	Running    []string    `json:"running"`
	LastRun    *string     `json:"last_run"`
	LastRunAt  *time.Time  `json:"last_run_at"`
	LastStatus *string     `json:"last_status"`
	Queued     int         `json:"queued"`
	Failures   int         `json:"failures"`
	Error      *string     `json:"error"`
	Missing    int64       `json:"missed_count"`
	Skipped    int64       `json:"skipped_count"`
	CreatedAt  time.Time   `json:"created_at"`
	UpdatedAt  time.Time   `json:"updated_at"`
}

// readOnly are the fields of a schedule that no request may set.
func readOnly() []string {
	return []string{"id", "object", "next_run", "next_runs", "running", "last_run", "last_run_at", "last_status",
		"queued", "failures", "error", "missed_count", "skipped_count", "created_at", "updated_at"}
}

func showSchedule(s *Schedule) scheduleBody {
	body := scheduleBody{
		ID: s.ID, Object: "schedule", Agent: optional(s.Agent), Robot: optional(s.Robot), Cron: optional(s.Cron), Every: optional(s.Every),
		Times: listed(s.Times), Days: listed(s.Days), Daemon: s.Daemon, TZ: s.TZ, Input: s.Input,
		Missed: s.Missed, Overlap: s.Overlap, Paused: s.Paused, NextRuns: []time.Time{}, Running: []string{},
		LastRunAt: moment(s.LastAt), LastStatus: optional(s.LastStatus), Queued: s.Queued, Failures: s.Failures, Error: optional(s.Error),
		Missing: s.Left, Skipped: s.Skipped, CreatedAt: s.Created.UTC(), UpdatedAt: s.Updated.UTC(),
	}
	if len(s.Next) > 0 {
		body.NextRun, body.NextRuns = &s.Next[0], s.Next
	}
	if !s.Last.IsZero() {
		body.LastRun = optional(runID(s.Last))
	}
	for _, id := range s.Running {
		body.Running = append(body.Running, runID(id))
	}
	return body
}

func (a *API) scheduleRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/schedules", Scope: "agents:write", Handle: with(a.schedules, a.createSchedule)},
		{Method: "GET", Path: "/v1/schedules", Scope: "agents:read", Query: filters(), Handle: with(a.schedules, a.listSchedules)},
		{Method: "POST", Path: "/v1/schedules/preview", Scope: "agents:read", Handle: with(a.schedules, a.previewSchedule)},
		{Method: "GET", Path: "/v1/schedules/{id}", Scope: "agents:read", Handle: with(a.schedules, a.getSchedule)},
		{Method: "PATCH", Path: "/v1/schedules/{id}", Scope: "agents:write", Handle: with(a.schedules, a.patchSchedule)},
		{Method: "DELETE", Path: "/v1/schedules/{id}", Scope: "agents:write", Handle: with(a.schedules, a.deleteSchedule)},
		{Method: "POST", Path: "/v1/schedules/{id}/run", Scope: "runs:write", Query: []string{"wait"}, Start: a.startScheduled, Answer: a.answerScheduled},
	}
}

// schedules returns them, or says that this server has none.
func (a *API) schedules() (Schedules, error) {
	if a.cfg.Schedules == nil {
		return nil, problem.New(problem.NotAvailable, "This server starts nothing by the clock.")
	}
	return a.cfg.Schedules, nil
}

func (a *API) createSchedule(ctx context.Context, r *wire.Request, book Schedules) (wire.Response, error) {
	var in scheduleIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	return a.saveSchedule(ctx, r, func() (Schedule, run.Commit, error) {
		return book.Save(ctx, r.Caller, "", in.definition())
	}, &in)
}

// saveSchedule writes what save makes. Whoever says when runs start must be allowed
// to start them.
func (a *API) saveSchedule(ctx context.Context, r *wire.Request, save func() (Schedule, run.Commit, error), in *scheduleIn) (wire.Response, error) {
	if err := auth.Allow(r.Caller, "runs:write"); err != nil {
		return wire.Response{}, err
	}
	if in.Input != nil && *in.Input != "" {
		if fault := a.promptFault(in.Input); fault != "" {
			return wire.Response{}, problem.Invalid("input", "%s", fault)
		}
	}
	return a.hookCommit(ctx, r, func() (wire.Response, run.Commit, error) {
		saved, c, err := save()
		return wire.OK(showSchedule(&saved)), c, err
	})
}

func (a *API) listSchedules(ctx context.Context, r *wire.Request, book Schedules) (wire.Response, error) {
	query := r.Query()
	if after := query.String("starting_after"); after != "" && !strings.HasPrefix(after, "sch_") {
		query.Refuse("starting_after", "must be the id of a schedule, such as next_cursor of the page before.")
	}
	find := func(after string, limit int) ([]Schedule, error) {
		return book.List(ctx, r.Caller.Project, after, limit)
	}
	return listPage(query, find, showSchedule, func(last *Schedule) string { return last.ID })
}

func (a *API) getSchedule(ctx context.Context, r *wire.Request, book Schedules) (wire.Response, error) {
	found, err := book.Get(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showSchedule(&found)), nil
}

// patchSchedule replaces the fields that the body has. Another way of saying when
// takes the place of the one that there was, and so does another target.
func (a *API) patchSchedule(ctx context.Context, r *wire.Request, book Schedules) (wire.Response, error) {
	var in scheduleIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	return a.saveSchedule(ctx, r, func() (Schedule, run.Commit, error) {
		before, err := book.Get(ctx, r.Caller.Project, r.Path("id"))
		if err != nil {
			return before, run.Commit{}, err
		}
		merged, err := overlay(showSchedule(in.displace(before)), r.Body, readOnly()...)
		if err != nil {
			return before, run.Commit{}, err
		}
		var whole scheduleIn
		if err := wire.Decode(merged, &whole, true); err != nil {
			return before, run.Commit{}, err
		}
		return book.Save(ctx, r.Caller, before.ID, whole.definition())
	}, &in)
}

// displace takes away what the body replaces by something of another name.
func (in *scheduleIn) displace(s Schedule) *Schedule {
	if value(in.Cron) != "" || value(in.Every) != "" || len(in.Times) > 0 || in.Daemon != nil && *in.Daemon {
		s.Cron, s.Every, s.Times, s.Daemon = "", "", nil, false
		if len(in.Times) == 0 {
			s.Days = nil
		}
	}
	if value(in.Agent) != "" || value(in.Robot) != "" {
		s.Agent, s.Robot = "", ""
	}
	return &s
}

func (a *API) deleteSchedule(ctx context.Context, r *wire.Request, book Schedules) (wire.Response, error) {
	return a.hookCommit(ctx, r, func() (wire.Response, run.Commit, error) {
		c, err := book.Remove(ctx, r.Caller.Project, r.Path("id"))
		return wire.OK(deletedBody{ID: r.Path("id"), Object: "schedule", Deleted: true}), c, err
	})
}

// firedIn is the body of POST /v1/schedules/{id}/run, which may be empty.
type firedIn struct{ modeIn }

func readFired(r *wire.Request) (in firedIn, err error) {
	if !r.Empty() {
		err = r.Decode(&in)
	}
	return in, err
}

func (a *API) startScheduled(ctx context.Context, r *wire.Request) (run.ID, error) {
	book, err := a.schedules()
	if err != nil {
		return run.ID{}, err
	}
	in, err := readFired(r)
	if err != nil {
		return run.ID{}, err
	}
	r.Value = in.modeIn
	if _, err := patience(r); err != nil {
		return run.ID{}, err
	}
	for range hookTries {
		id := a.cfg.Engine.NewID()
		spec, rows, err := book.Fire(ctx, r.Caller, r.Path("id"), id)
		if err != nil {
			return run.ID{}, err
		}
		spec.Fingerprint = r.Fingerprint()
		_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: append(r.Claim(id), rows...)})
		if changed := new(run.RowConflict); errors.As(err, &changed) && changed.Kind == rows[0].Kind {
			continue // it has just fired by itself, or was changed
		}
		return id, err
	}
	return run.ID{}, problem.New(problem.Conflict, "This schedule is being changed again and again at this moment: try again.")
}

func (a *API) answerScheduled(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	return a.answer(ctx, r, id, http.StatusCreated, func() (modeIn, error) {
		in, err := readFired(r)
		return in.modeIn, err
	})
}
