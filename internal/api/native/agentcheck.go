package native

import (
	"context"
	"errors"
	"strconv"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// validationBody says what is wrong with a definition that somebody is writing, all of
// it at once, or what it would be when it is saved.
type validationBody struct {
	Object  string            `json:"object"`
	Valid   bool              `json:"valid"`
	Errors  map[string]string `json:"errors"`
	Changed bool              `json:"changed"` // saving it makes a version
	Agent   *agentBody        `json:"agent"`   // with what is left out filled in; null = it is not valid
}

// validateAgent checks as createAgent does, or as patchAgent does where the query names
// an agent, and writes nothing. That a definition is wrong is no error here: half of one
// is what an editor mostly has.
func (a *API) validateAgent(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	named := query.String("agent")
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	text, before := r.Body, (*agent.Agent)(nil)
	if named != "" {
		found, err := a.book.Find(ctx, r.Caller.Project, named)
		if err != nil {
			return wire.Response{}, err
		}
		before = &found
		if text, err = overlay(showDefinition(&found.Definition), r.Body, notWritten()...); err != nil {
			return wire.Response{}, err
		}
	}
	body := validationBody{Object: "validation", Errors: map[string]string{}}
	definition, err := a.readAgent(ctx, r.Caller.Project, text)
	if p := problem.From(err); err != nil && (p.Code != problem.InvalidRequest || len(p.Fields) == 0 || p.Fields["body"] != "") {
		return wire.Response{}, err // it can't be told, or the body is no JSON object
	} else if err != nil {
		body.Errors = p.Fields
		return wire.OK(body), nil
	}
	switch other, err := a.book.Find(ctx, r.Caller.Project, definition.Name); {
	case err == nil && (before == nil || other.ID != before.ID):
		body.Errors["name"] = "is the name of another agent of this project: choose another one."
		return wire.OK(body), nil
	case err != nil && !problem.Is(err, problem.NotFound):
		return wire.Response{}, err
	}
	body.Valid, body.Changed = true, true
	shown := showDefinition(&definition)
	if before != nil {
		same, err := equalJSON(before.Definition, definition)
		if err != nil {
			return wire.Response{}, err
		}
		if body.Changed = !same; same {
			shown = showAgent(before)
		}
	}
	body.Agent = &shown
	return wire.OK(body), nil
}

// restoreVersion makes the definition of an earlier version the next one. It is checked
// as any other: a tool that it names may be gone meanwhile.
func (a *API) restoreVersion(ctx context.Context, r *wire.Request) (wire.Response, error) {
	for range patchTries {
		before, err := a.meant(ctx, r)
		if err != nil {
			return wire.Response{}, err
		}
		earlier, err := a.version(ctx, r, before.ID)
		if err != nil {
			return wire.Response{}, err
		}
		answer, err := a.changeTo(ctx, r, before, showDefinition(&earlier.Definition), []byte("{}"))
		if conflict := new(run.RowConflict); errors.As(err, &conflict) && conflict.Kind == agent.Kind && !conflict.Name {
			continue
		}
		return answer, err
	}
	return wire.Response{}, problem.New(problem.Conflict, "This agent is being changed by others at the same time: try again.")
}

// version is the one that the path names.
func (a *API) version(ctx context.Context, r *wire.Request, id string) (agent.Agent, error) {
	n, err := strconv.Atoi(r.Path("version"))
	if err != nil || n < 1 || n > lastVersion {
		return agent.Agent{}, problem.New(problem.NotFound, "Agent %s has no version %q: versions are numbered from 1.", id, r.Path("version"))
	}
	return a.book.Version(ctx, r.Caller.Project, id, n)
}
