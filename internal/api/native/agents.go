package native

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

func (a *API) createAgent(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	dry := query.Bool("dry_run", false)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	definition, err := a.readAgent(ctx, r.Caller.Project, r.Body)
	if err != nil {
		return wire.Response{}, err
	}
	if dry {
		return a.dryRun(ctx, r, definition)
	}
	var chance [5]byte
	if err := a.cfg.Random(chance[:]); err != nil {
		return wire.Response{}, fmt.Errorf("making an agent's id: %w", err)
	}
	now := a.cfg.Now()
	made, rows, err := agent.Create(r.Caller.Project, agent.NewID(now, chance), r.Caller.KeyID, definition, now)
	if err != nil {
		return wire.Response{}, err
	}
	return a.saveAgent(ctx, r, &made, rows)
}

// saveAgent commits the rows and what the request's Idempotency-Key remembers.
func (a *API) saveAgent(ctx context.Context, r *wire.Request, made *agent.Agent, rows []run.RowWrite) (wire.Response, error) {
	answer := agentAnswer(made)
	remembered, err := r.Remember(answer)
	if err != nil {
		return wire.Response{}, err
	}
	err = a.cfg.Rows.Append(ctx, run.Commit{Rows: append(rows, remembered...)})
	var taken *run.RowConflict
	if errors.As(err, &taken) && taken.Kind == agent.Kind && taken.Name {
		return wire.Response{}, nameTaken(made.Name)
	}
	if err != nil {
		return wire.Response{}, fmt.Errorf("saving agent %s: %w", made.ID, err)
	}
	return answer, nil
}

func nameTaken(name string) error {
	return problem.Conflicting("name", "there is already an agent %q in this project: choose another name, or change that agent with PATCH /v1/agents/%s.", name, name)
}

// readAgent reads and checks the body of a saved agent.
func (a *API) readAgent(ctx context.Context, project string, text []byte) (agent.Definition, error) {
	var in agentIn
	if err := wire.Decode(text, &in, true); err != nil {
		return agent.Definition{}, err
	}
	faults := agent.Faults{}
	definition := in.definition(a.cfg.Catalog.Steps(agent.DefaultSteps), faults)
	definition.Name, definition.Description = value(in.Name), value(in.Description)
	agent.CheckSaved(&definition, faults)
	if in.Tools == nil {
		faults.Add("tools", "is required: list the tools that the agent may call, or [] for none.")
	}
	if _, err := a.cfg.Catalog.Check(ctx, project, &definition, faults); err != nil {
		return agent.Definition{}, err
	}
	return definition, faults.Problem()
}

// dryRun says what would be created, or why it would not be.
func (a *API) dryRun(ctx context.Context, r *wire.Request, definition agent.Definition) (wire.Response, error) {
	switch _, err := a.book.Find(ctx, r.Caller.Project, definition.Name); {
	case err == nil:
		return wire.Response{}, nameTaken(definition.Name)
	case !problem.Is(err, problem.NotFound):
		return wire.Response{}, err
	}
	body := showDefinition(&definition)
	body.DryRun = true
	return wire.OK(body), nil
}

func (a *API) listAgents(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	after, limit := query.String("starting_after"), query.Int("limit", defaultPage, 1, maxPage)
	if after != "" && !strings.HasPrefix(after, "agt_") {
		query.Refuse("starting_after", "must be the id of an agent, such as next_cursor of the page before.")
	}
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	found, err := a.boundAgents(ctx, r, after, limit+1)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(listOf(found, limit, showAgent, func(last *agent.Agent) string { return last.ID })), nil
}

func (a *API) getAgent(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.book.Find(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return agentAnswer(&found), nil
}

// patchTries bounds how often a change is made again because another one came
// first: more changes of one agent at once than people make.
const patchTries = 5

// patchAgent replaces the fields that the body has, and makes the next version
// unless that changes nothing.
func (a *API) patchAgent(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var checked agentIn
	if err := r.Decode(&checked); err != nil {
		return wire.Response{}, err
	}
	for range patchTries {
		before, err := a.meant(ctx, r)
		if err != nil {
			return wire.Response{}, err
		}
		answer, err := a.changeAgent(ctx, r, before)
		var conflict *run.RowConflict
		if errors.As(err, &conflict) && conflict.Kind == agent.Kind && !conflict.Name {
			continue
		}
		return answer, err
	}
	return wire.Response{}, problem.New(problem.Conflict, "This agent is being changed by others at the same time: try again.")
}

func (a *API) changeAgent(ctx context.Context, r *wire.Request, before agent.Agent) (wire.Response, error) {
	return a.changeTo(ctx, r, before, showDefinition(&before.Definition), r.Body)
}

// notWritten are the fields of an agent that no request may set.
func notWritten() []string {
	return []string{"id", "object", "version", "created_at", "updated_at", "updated_by"}
}

// changeTo makes the next version of an agent: one that is shown so, with the fields of
// patch in place of its own.
func (a *API) changeTo(ctx context.Context, r *wire.Request, before agent.Agent, shown agentBody, patch []byte) (wire.Response, error) {
	merged, err := overlay(shown, patch, notWritten()...)
	if err != nil {
		return wire.Response{}, err
	}
	definition, err := a.readAgent(ctx, r.Caller.Project, merged)
	if err != nil {
		return wire.Response{}, err
	}
	if same, err := equalJSON(before.Definition, definition); err != nil || same {
		return agentAnswer(&before), err
	}
	after, rows, err := agent.Change(r.Caller.Project, r.Caller.KeyID, before, definition, a.cfg.Now())
	if err != nil {
		return wire.Response{}, err
	}
	return a.saveAgent(ctx, r, &after, rows)
}

// Overlay returns a JSON object with the fields of patch in place of its own.
func Overlay(object any, patch json.RawMessage) (json.RawMessage, error) {
	return overlay(object, patch)
}

// overlay returns the JSON object shown with the fields of patch in place of its
// own, and without the given fields, which no request may set.
func overlay(shown any, patch []byte, without ...string) ([]byte, error) {
	fields := map[string]json.RawMessage{}
	text, err := json.Marshal(shown)
	if err != nil {
		return nil, fmt.Errorf("encoding what a patch changes: %w", err)
	}
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("decoding what a patch changes: %w", err)
	}
	for _, name := range without {
		delete(fields, name)
	}
	changes := map[string]json.RawMessage{}
	if err := json.Unmarshal(patch, &changes); err != nil {
		return nil, problem.New(problem.InvalidRequest, "The body must be a JSON object with the fields to change.").Because(err)
	}
	maps.Copy(fields, changes)
	return json.Marshal(fields)
}

func equalJSON(a, b any) (bool, error) {
	first, err := json.Marshal(a)
	if err != nil {
		return false, err
	}
	second, err := json.Marshal(b)
	return bytes.Equal(first, second), err
}

// deleteAgent frees the agent's name. Its runs and versions stay readable.
func (a *API) deleteAgent(ctx context.Context, r *wire.Request) (wire.Response, error) {
	for range patchTries {
		found, err := a.meant(ctx, r)
		if err != nil {
			return wire.Response{}, err
		}
		err = a.cfg.Rows.Append(ctx, run.Commit{Rows: agent.Delete(r.Caller.Project, found)})
		if conflict := new(run.RowConflict); errors.As(err, &conflict) {
			continue
		}
		if err != nil {
			return wire.Response{}, fmt.Errorf("deleting agent %s: %w", found.ID, err)
		}
		return wire.OK(deletedBody{ID: found.ID, Object: "agent", Deleted: true}), nil
	}
	return wire.Response{}, problem.New(problem.Conflict, "This agent is being changed by others at the same time: try again.")
}

type deletedBody struct {
	ID      string `json:"id"`
	Object  string `json:"object"`
	Deleted bool   `json:"deleted"`
}

func (a *API) listVersions(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	before, limit := query.Int("starting_after", 0, 1, lastVersion), query.Int("limit", defaultPage, 1, maxPage)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	id, err := a.agentID(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	found, err := a.book.Versions(ctx, r.Caller.Project, id, before, limit+1)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(listOf(found, limit, showAgent, func(last *agent.Agent) string { return strconv.Itoa(last.Version) })), nil
}

func (a *API) getVersion(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := a.agentID(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	found, err := a.version(ctx, r, id)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showAgent(&found)), nil
}

// lastVersion is the highest number that sorts as text, see agent.VersionKind.
const lastVersion = 999_999

// agentID returns the id of the agent in the path, which may be one that was
// deleted: what it left behind can be read by its id.
func (a *API) agentID(ctx context.Context, r *wire.Request) (string, error) {
	found, err := a.book.Find(ctx, r.Caller.Project, r.Path("id"))
	if err == nil {
		return found.ID, nil
	}
	if !problem.Is(err, problem.NotFound) {
		return "", err
	}
	existed, failed := a.book.Existed(ctx, r.Caller.Project, r.Path("id"))
	if failed != nil {
		return "", failed
	}
	if !existed {
		return "", err
	}
	return r.Path("id"), nil
}
