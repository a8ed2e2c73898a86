package native

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// Projects is what becomes of projects as a whole. internal/app makes one of
// internal/project.
type Projects interface {
	// Retain says for how many days after their end a project's runs are kept: nil = as
	// the server says, 0 = for ever. Errors: invalid_request, not_found, conflict.
	Retain(ctx context.Context, name string, days *int) (auth.Project, error)
	// Kept is for how many days that is now; 0 = for ever.
	Kept(p *auth.Project) int
	// Erase begins to remove a project. Errors: not_found, conflict.
	Erase(ctx context.Context, caller auth.Caller, name string) (auth.Project, error)
	// Export writes all that a project has.
	Export(ctx context.Context, to io.Writer, p *auth.Project, line run.Audit) error
}

type projectIn struct {
	Name *string `json:"name"`
}

type projectChange struct {
	Retention json.RawMessage `json:"retention_days"`
}

type projectEnd struct {
	Confirm *string `json:"confirm"`
}

// projectBody is a project as this API shows it: its name is its id.
type projectBody struct {
	ID        string       `json:"id"`
	Object    string       `json:"object"`
	Name      string       `json:"name"`
	Status    string       `json:"status"` // active, erasing
	Retention *int         `json:"retention_days"`
	Kept      *int         `json:"kept_days"` // null = for ever
	Erasure   *erasureBody `json:"erasure"`
	CreatedAt time.Time    `json:"created_at"`
}

// erasureBody says how far the removal of a project has come.
type erasureBody struct {
	StartedAt time.Time      `json:"started_at"`
	By        actorBody      `json:"by"`
	Step      string         `json:"step"`
	Removed   map[string]int `json:"removed"`
}

func (a *API) showProject(p *auth.Project) projectBody {
	body := projectBody{ID: p.Name, Object: "project", Name: p.Name, Status: "active", Retention: p.Retention, CreatedAt: p.Created.UTC()}
	if a.cfg.Projects != nil {
		body.Kept = optional(a.cfg.Projects.Kept(p))
	}
	if e := p.Erasure; e != nil {
		body.Status = "erasing"
		body.Erasure = &erasureBody{StartedAt: e.Since.UTC(), By: actorBody{e.By, e.ByName}, Step: e.Step, Removed: e.Removed}
	}
	return body
}

func (a *API) projectRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/projects", Scope: "admin", Handle: a.createProject},
		{Method: "GET", Path: "/v1/projects", Scope: "admin", Query: filters(), Handle: a.listProjects},
		{Method: "GET", Path: "/v1/projects/{id}", Scope: "admin", Handle: a.getProject},
		{Method: "PATCH", Path: "/v1/projects/{id}", Scope: "admin", Handle: with(a.projects, a.patchProject)},
		{Method: "DELETE", Path: "/v1/projects/{id}", Scope: "admin", Handle: with(a.projects, a.eraseProject)},
		{Method: "GET", Path: "/v1/projects/{id}/export", Scope: "admin", Handle: with(a.projects, a.exportProject)},
	}
}

func (a *API) projects() (Projects, error) {
	if a.cfg.Projects == nil {
		return nil, problem.New(problem.NotAvailable, "This server keeps nothing for longer than it runs.")
	}
	return a.cfg.Projects, nil
}

// house fails unless the caller answers for the whole server: admin of another project
// than the default one is admin of nothing else.
func house(r *wire.Request) error {
	if r.Caller.Project == auth.DefaultProject {
		return nil
	}
	return problem.New(problem.ScopeDenied,
		"Projects are for the admin of the project %s, and the key %s is of the project %s.", auth.DefaultProject, r.Caller.KeyName, r.Caller.Project)
}

// own fails unless the caller answers for the project of the path, or for all.
func own(r *wire.Request) error {
	if r.Caller.Project == r.Path("id") {
		return nil
	}
	return house(r)
}

func (a *API) createProject(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in projectIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	if err := house(r); err != nil {
		return wire.Response{}, err
	}
	var answer wire.Response
	_, err := a.cfg.Keys.AddProject(ctx, value(in.Name), func(made auth.Project) ([]run.RowWrite, error) {
		answer = wire.OK(a.showProject(&made))
		return r.Remember(answer)
	})
	return answer, err
}

func (a *API) listProjects(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if err := house(r); err != nil {
		return wire.Response{}, err
	}
	find := func(after string, limit int) ([]auth.Project, error) { return a.cfg.Keys.Projects(ctx, after, limit) }
	return listPage(r.Query(), find, a.showProject, func(last *auth.Project) string { return last.Name })
}

func (a *API) getProject(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if err := own(r); err != nil {
		return wire.Response{}, err
	}
	found, err := a.cfg.Keys.Project(ctx, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(a.showProject(&found)), nil
}

// patchProject changes for how long runs are kept. It is for whoever answers for the
// server: what is kept is the server's disk, and what is not is gone for good.
func (a *API) patchProject(ctx context.Context, r *wire.Request, projects Projects) (wire.Response, error) {
	var in projectChange
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	if err := house(r); err != nil {
		return wire.Response{}, err
	}
	var days *int
	if in.Retention == nil {
		return wire.Response{}, problem.Invalid("retention_days", "is required: days after their end that runs are kept, 0 for ever, or null for what the server says")
	}
	if json.Unmarshal(in.Retention, &days) != nil {
		return wire.Response{}, problem.Invalid("retention_days", "must be a whole number of days, or null for what the server says")
	}
	changed, err := projects.Retain(ctx, r.Path("id"), days)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(a.showProject(&changed)), nil
}

// eraseProject begins to remove a project with all that it has. Whoever asks names it
// twice.
func (a *API) eraseProject(ctx context.Context, r *wire.Request, projects Projects) (wire.Response, error) {
	var in projectEnd
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	if err := house(r); err != nil {
		return wire.Response{}, err
	}
	name := r.Path("id")
	if value(in.Confirm) != name {
		return wire.Response{}, problem.Invalid("confirm", "must be the project's id, %.100q: all that it has would be gone for good", name)
	}
	erasing, err := projects.Erase(ctx, r.Caller, name)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.Response{Status: http.StatusAccepted, Body: a.showProject(&erasing)}, nil
}

// exportProject sends all that a project has, one JSON object a line: so that it can
// be written while it is read, whatever there is, and what has come can be read with
// any tool for lines.
func (a *API) exportProject(ctx context.Context, r *wire.Request, projects Projects) (wire.Response, error) {
	if err := own(r); err != nil {
		return wire.Response{}, err
	}
	found, err := a.cfg.Keys.Project(ctx, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	if found.Erasure != nil {
		return wire.Response{}, problem.New(problem.Conflict, "The project %s is being erased: what is left of it is no project.", found.Name)
	}
	header := http.Header{
		"Content-Type":        {"application/x-ndjson"},
		"Content-Disposition": {fmt.Sprintf("attachment; filename=%q", found.Name+".ndjson")},
	}
	// A reader leaves no line in the audit log, and this one has read everything.
	line := run.Audit{
		Project: found.Name, Actor: r.Caller.KeyID, ActorName: r.Caller.KeyName, From: r.From(), Request: r.ID,
		Action: "project.exported", Target: found.Name,
	}
	return wire.Response{Header: header, Flow: func(ctx context.Context, to io.Writer) error {
		return projects.Export(ctx, to, &found, line)
	}}, nil
}
