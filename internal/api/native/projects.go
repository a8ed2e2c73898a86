package native

import (
	"context"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

type projectIn struct {
	Name *string `json:"name"`
}

// projectBody is a project as this API shows it: its name is its id.
type projectBody struct {
	ID        string    `json:"id"`
	Object    string    `json:"object"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
}

func showProject(p *auth.Project) projectBody {
	return projectBody{ID: p.Name, Object: "project", Name: p.Name, CreatedAt: p.Created.UTC()}
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
		answer = wire.OK(showProject(&made))
		return r.Remember(answer)
	})
	return answer, err
}

func (a *API) listProjects(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if err := house(r); err != nil {
		return wire.Response{}, err
	}
	find := func(after string, limit int) ([]auth.Project, error) { return a.cfg.Keys.Projects(ctx, after, limit) }
	return listPage(r.Query(), find, showProject, func(last *auth.Project) string { return last.Name })
}
