package native

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// toolKind is the kind of the rows that hold registered tools; internal/tool
// reads them. Data is the definition as Tools.Compile returns it.
const toolKind = "tool"

// toolIn is the body that registers a tool. It is decoded only to find fields
// that are unknown or of another type; Tools.Compile judges what they say.
type toolIn struct {
	Name        *string           `json:"name"`
	Description *string           `json:"description"`
	Parameters  json.RawMessage   `json:"parameters"`
	URL         *string           `json:"url"`
	Method      *string           `json:"method"`
	Headers     map[string]string `json:"headers"`
	Effect      *string           `json:"effect"`
	TimeoutS    *int              `json:"timeout_s"`
	Scope       *string           `json:"scope"`
	Preview     *string           `json:"preview"`
}

// toolBody is a tool as this API shows it. What only a registered tool has is
// null for one of the server's own.
type toolBody struct {
	ID          *string           `json:"id"`
	Object      string            `json:"object"`
	Name        string            `json:"name"`
	Description string            `json:"description"`
	Origin      string            `json:"origin"`
	Parameters  json.RawMessage   `json:"parameters"`
	Effect      run.Class         `json:"effect"`
	Scope       *string           `json:"scope"`
	Preview     *string           `json:"preview"`
	URL         *string           `json:"url"`
	Method      *string           `json:"method"`
	Headers     map[string]string `json:"headers"` // values are masked
	TimeoutS    *int              `json:"timeout_s"`
	Version     string            `json:"version"`
	CreatedAt   *time.Time        `json:"created_at"`
}

func showTool(t *Tool) toolBody {
	body := toolBody{
		ID: optional(t.ID), Object: "tool", Name: t.Name, Description: t.Description, Origin: t.Origin,
		Parameters: orNull(t.Parameters), Effect: t.Class, Scope: optional(t.Scope), Preview: optional(t.Preview),
		Version: t.Version,
	}
	var defined toolIn
	if t.Definition != nil && json.Unmarshal(t.Definition, &defined) == nil {
		body.URL, body.Method, body.Headers, body.TimeoutS = defined.URL, defined.Method, mapped(defined.Headers), defined.TimeoutS
	}
	if !t.Created.IsZero() {
		at := t.Created.UTC()
		body.CreatedAt = &at
	}
	return body
}

// checkTool refuses what would be taken for a field that was left out.
func checkTool(r *wire.Request) error {
	var in toolIn
	if err := r.Decode(&in); err != nil {
		return err
	}
	if in.TimeoutS != nil && *in.TimeoutS == 0 {
		return problem.Invalid("timeout_s", "must be a whole number above 0: leave it out for the usual time.")
	}
	return nil
}

func (a *API) createTool(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if err := checkTool(r); err != nil {
		return wire.Response{}, err
	}
	made, stored, err := a.cfg.Tools.Compile(nil, r.Body)
	if err != nil {
		return wire.Response{}, err
	}
	var chance [10]byte
	if err := a.cfg.Random(chance[:]); err != nil {
		return wire.Response{}, fmt.Errorf("making a tool's id: %w", err)
	}
	made.ID, made.Origin = "tool_"+hex.EncodeToString(chance[:]), "registered"
	made.Created = a.cfg.Now().UTC().Truncate(time.Millisecond)
	row := run.Row{Kind: toolKind, Project: r.Caller.Project, ID: made.ID, Name: made.Name, Created: made.Created, Data: stored}
	return a.saveTool(ctx, r, &made, run.RowWrite{Row: row, Expect: run.MustNotExist})
}

// saveTool commits the row and what the request's Idempotency-Key remembers.
func (a *API) saveTool(ctx context.Context, r *wire.Request, made *Tool, row run.RowWrite) (wire.Response, error) {
	answer := wire.OK(showTool(made))
	remembered, err := r.Remember(answer)
	if err != nil {
		return wire.Response{}, err
	}
	err = a.cfg.Rows.Append(ctx, run.Commit{Rows: append(remembered, row)})
	var taken *run.RowConflict
	if errors.As(err, &taken) && taken.Kind == toolKind && taken.Name {
		return wire.Response{}, problem.Conflicting("name", "there is already a tool %q in this project: choose another name, or change that tool with PATCH /v1/tools/%s.", made.Name, made.Name)
	}
	if err != nil {
		return wire.Response{}, fmt.Errorf("saving tool %s: %w", made.Name, err)
	}
	return answer, nil
}

func (a *API) listTools(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	after, limit := query.String("starting_after"), query.Int("limit", defaultPage, 1, maxPage)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	all, err := a.cfg.Tools.List(ctx, r.Caller.Project)
	if err != nil {
		return wire.Response{}, err
	}
	var found []Tool
	for i := range all {
		if all[i].Name > after && len(found) <= limit {
			found = append(found, all[i])
		}
	}
	return wire.OK(listOf(found, limit, showTool, func(last *Tool) string { return last.Name })), nil
}

func (a *API) getTool(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.cfg.Tools.Get(ctx, r.Caller.Project, r.Path("name"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showTool(&found)), nil
}

// patchTool replaces the fields that the body has. Runs that have already asked
// for a call of the tool are asked again: what was approved is what runs.
func (a *API) patchTool(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if err := checkTool(r); err != nil {
		return wire.Response{}, err
	}
	for range patchTries {
		answer, err := a.changeTool(ctx, r)
		var conflict *run.RowConflict
		if errors.As(err, &conflict) && conflict.Kind == toolKind && !conflict.Name {
			continue
		}
		return answer, err
	}
	return wire.Response{}, problem.New(problem.Conflict, "This tool is being changed by others at the same time: try again.")
}

func (a *API) changeTool(ctx context.Context, r *wire.Request) (wire.Response, error) {
	before, err := a.registered(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	row, err := a.cfg.Rows.Row(ctx, toolKind, r.Caller.Project, before.ID)
	if err != nil {
		return wire.Response{}, err
	}
	made, stored, err := a.cfg.Tools.Compile(row.Data, r.Body)
	if err != nil {
		return wire.Response{}, err
	}
	made.ID, made.Origin, made.Created = before.ID, before.Origin, before.Created
	write := run.RowWrite{Row: row, Expect: row.Version}
	write.Name, write.Data = made.Name, stored
	return a.saveTool(ctx, r, &made, write)
}

// registered finds a tool that the project may change or remove.
func (a *API) registered(ctx context.Context, r *wire.Request) (Tool, error) {
	found, err := a.cfg.Tools.Get(ctx, r.Caller.Project, r.Path("name"))
	if err == nil && found.ID == "" {
		err = problem.New(problem.Conflict, "%s is a tool of this server: its operator changes it in the configuration, not the API.", found.Name)
	}
	return found, err
}

func (a *API) deleteTool(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.registered(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	row := run.Row{Kind: toolKind, Project: r.Caller.Project, ID: found.ID}
	err = a.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{{Row: row, Expect: run.AnyVersion, Delete: true}}})
	if err != nil {
		return wire.Response{}, fmt.Errorf("deleting tool %s: %w", found.Name, err)
	}
	return wire.OK(deletedBody{ID: found.ID, Object: "tool", Deleted: true}), nil
}

type tryIn struct {
	Arguments json.RawMessage `json:"arguments"`
}

// tryBody is what came of a call outside of any run.
type tryBody struct {
	Object  string  `json:"object"`
	Tool    string  `json:"tool"`
	Outcome string  `json:"outcome"` // ok, error, unknown
	Output  *string `json:"output"`
	Error   *string `json:"error"`
	Ms      int64   `json:"ms"`
}

// tryTool makes one real call, for whoever builds a tool. It is no run, no gate covers
// it and no trace has it: so it asks for the scopes that a step would ask for, and that
// it is made stands in the audit log before it is.
func (a *API) tryTool(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in tryIn
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	found, err := a.cfg.Tools.Get(ctx, r.Caller.Project, r.Path("name"))
	if err != nil {
		return wire.Response{}, err
	}
	for _, scope := range []string{run.ExecuteScope, found.Scope} {
		if err := auth.Allow(r.Caller, scope); err != nil {
			return wire.Response{}, err
		}
	}
	arguments, err := a.tryArguments(&found, in.Arguments)
	if err != nil {
		return wire.Response{}, err
	}
	if err := a.noteTry(ctx, &found, arguments); err != nil {
		return wire.Response{}, err
	}
	id := a.cfg.Engine.NewID()
	begun := a.cfg.Now()
	result, err := a.cfg.Tools.Call(ctx, run.ToolCall{
		Run: id, Project: r.Caller.Project, Action: "try", Tool: found.Tool, Arguments: arguments, Attempt: 1,
	})
	body := tryBody{Object: "tool.try", Tool: found.Name, Outcome: string(run.OK), Ms: a.cfg.Now().Sub(begun).Milliseconds()}
	switch {
	case err == nil:
		body.Output = &result.Output
	case problem.Is(err, problem.ToolUnknown):
		body.Outcome, body.Error = string(run.Unknown), &problem.From(err).Detail
	default:
		body.Outcome, body.Error = string(run.Errored), &problem.From(err).Detail
	}
	return wire.OK(body), nil
}

// noteTry leaves a line in the audit log. It has a digest of the arguments, which may
// be secret.
func (a *API) noteTry(ctx context.Context, tried *Tool, arguments json.RawMessage) error {
	sum := sha256.Sum256(arguments)
	data, err := json.Marshal(struct {
		Name      string `json:"name"`
		Arguments string `json:"arguments"`
	}{tried.Name, "sha256:" + hex.EncodeToString(sum[:])})
	if err != nil {
		return fmt.Errorf("writing down a trial of %s: %w", tried.Name, err)
	}
	line := run.Audit{Action: "tool.tried", Target: cmp.Or(tried.ID, tried.Name), Data: data}
	if err := a.cfg.Rows.Append(ctx, run.Commit{Audit: []run.Audit{line}}); err != nil {
		return fmt.Errorf("writing down a trial of %s: %w", tried.Name, err)
	}
	return nil
}

// tryArguments holds the arguments to the tool's schema, as a run would.
func (a *API) tryArguments(tool *Tool, arguments json.RawMessage) (json.RawMessage, error) {
	if present(arguments) == nil {
		arguments = json.RawMessage("{}")
	}
	if !strings.HasPrefix(string(arguments), "{") {
		return nil, problem.Invalid("arguments", "must be an object with the tool's arguments.")
	}
	faults := agent.Faults{}
	if tool.Parameters != nil {
		if err := a.cfg.Catalog.Schemas.Validate(tool.Parameters, arguments); err != nil {
			faults.Add("arguments", fmt.Sprintf("do not satisfy the tool's schema: %v.", err))
		}
	}
	return arguments, faults.Problem()
}
