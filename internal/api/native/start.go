package native

import (
	"context"
	"net/http"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// Start functions make the run; they are called once however often the request
// is repeated. Answer functions may be called by another request that turned out
// to be the same.

func (a *API) startRun(ctx context.Context, r *wire.Request) (run.ID, error) {
	spec, err := a.adHoc(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	return a.create(ctx, r, spec)
}

func (a *API) answerRun(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	return a.answer(ctx, r, id, http.StatusCreated, func() (modeIn, error) {
		var in runIn
		err := r.Decode(&in)
		return in.modeIn, err
	})
}

func (a *API) startAgentRun(ctx context.Context, r *wire.Request) (run.ID, error) {
	spec, err := a.ofAgent(ctx, r)
	if err != nil {
		return run.ID{}, err
	}
	return a.create(ctx, r, spec)
}

func (a *API) answerAgentRun(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	return a.answer(ctx, r, id, http.StatusOK, func() (modeIn, error) {
		var in agentRunIn
		err := r.Decode(&in)
		return in.modeIn, err
	})
}

// create makes the run. What is wrong with the way in which the answer was asked
// for has to be said before that.
func (a *API) create(ctx context.Context, r *wire.Request, spec run.Spec) (run.ID, error) {
	if _, err := patience(r); err != nil {
		return run.ID{}, err
	}
	id := a.cfg.Engine.NewID()
	_, err := a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: r.Claim(id)})
	return id, err
}

// retryIn is the body of POST /v1/runs/{id}/retry, which may be empty.
type retryIn struct {
	Changes *changesIn `json:"changes"`
	modeIn
}

// changesIn is what a retry may change. What is left out stays as it was.
type changesIn struct {
	Prompt       *string           `json:"prompt"`
	Model        *string           `json:"model"`
	Instructions *string           `json:"instructions"`
	MaxSteps     *int              `json:"max_steps"`
	Limits       *limitsIn         `json:"limits"`
	Params       *paramsIn         `json:"params"`
	Metadata     map[string]string `json:"metadata"`
}

func (a *API) startRetry(ctx context.Context, r *wire.Request) (run.ID, error) {
	in, err := readRetry(r)
	if err != nil {
		return run.ID{}, err
	}
	r.Value = in.modeIn
	id, err := r.RunID()
	if err != nil {
		return run.ID{}, err
	}
	before, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	if err != nil {
		return run.ID{}, err
	}
	if !before.Terminal() {
		return run.ID{}, problem.New(problem.Conflict, "Run %s has not ended (%s): cancel it first, or wait.", runID(id), before.Status)
	}
	spec, err := a.again(ctx, r, &before, in)
	if err != nil {
		return run.ID{}, err
	}
	return a.create(ctx, r, spec)
}

func (a *API) answerRetry(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	return a.answer(ctx, r, id, http.StatusCreated, func() (modeIn, error) {
		in, err := readRetry(r)
		return in.modeIn, err
	})
}

func readRetry(r *wire.Request) (retryIn, error) {
	var in retryIn
	if r.Empty() {
		return in, nil
	}
	err := r.Decode(&in)
	return in, err
}

// again is the spec of a run made anew: the same snapshot of the agent, this
// request's key, the tools as they are defined now, and the changes.
func (a *API) again(ctx context.Context, r *wire.Request, before *run.State, in retryIn) (run.Spec, error) {
	spec := before.Spec
	if spec.Dialect != Dialect {
		spec.Webhook = "" // it expects the shape of the API that had named it
	}
	spec.Dialect = Dialect
	spec.Tethered, spec.Echo, spec.Parent, spec.Schedule = false, nil, nil, "" // what its first API had asked for is not asked for again
	spec.Key, spec.Scopes, spec.Fingerprint, spec.Previous = r.Caller.KeyID, r.Caller.Scopes, r.Fingerprint(), &before.ID
	faults := agent.Faults{}
	in.check(faults)
	if c := in.Changes; c != nil {
		a.change(&spec, c, faults)
	}
	if in.Changes == nil || in.Changes.Model == nil {
		a.cfg.Catalog.CheckModel(spec.Model, faults)
	}
	a.cfg.Catalog.CheckCost(spec.Model, spec.Limits.MaxCost, faults)
	tools, err := a.sameTools(ctx, r.Caller.Project, spec.Tools)
	if err != nil {
		return spec, err
	}
	spec.Tools, spec.Window = tools, a.cfg.Catalog.Models.Window(spec.Model)
	return spec, faults.Problem()
}

func (a *API) change(spec *run.Spec, c *changesIn, faults agent.Faults) {
	if c.Prompt != nil {
		faults.Add("changes.prompt", a.promptFault(c.Prompt))
		spec.Input.Text = *c.Prompt
	}
	part := definitionIn{Model: c.Model, Instructions: c.Instructions, MaxSteps: c.MaxSteps, Limits: c.Limits, Params: c.Params, Metadata: c.Metadata}
	wrong := agent.Faults{}
	changed := part.definition(spec.Limits.MaxSteps, wrong)
	a.cfg.Catalog.CheckPart(&changed, wrong)
	if c.Model != nil {
		a.cfg.Catalog.CheckModel(changed.Model, wrong)
	}
	for field, message := range wrong {
		faults.Add("changes."+field, message)
	}
	made := changed.Spec(nil, agent.Order{WallTime: a.cfg.Catalog.WallTime})
	if c.Model != nil {
		spec.Model = made.Model
	}
	if c.Instructions != nil {
		spec.Instructions = made.Instructions
	}
	if c.Limits != nil {
		spec.Limits = made.Limits
	}
	spec.Limits.MaxSteps = changed.MaxSteps
	if c.Params != nil {
		spec.Params = made.Params
	}
	if c.Metadata != nil {
		spec.Metadata = c.Metadata
	}
}

// sameTools returns the tools of the same names as they are defined now.
// Functions are the caller's; what lives at a server that the run was made with,
// and whom it can hand work to, is in its spec: all of these stay as they are.
func (a *API) sameTools(ctx context.Context, project string, before []run.Tool) ([]run.Tool, error) {
	var tools []run.Tool
	for _, tool := range before {
		if !tool.Function && tool.Server == "" && tool.Handoff == "" {
			now, _, err := a.cfg.Catalog.Tools.Current(ctx, project, tool.Name)
			if problem.Is(err, problem.NotFound) {
				return nil, problem.New(problem.Conflict, "The run used the tool %s, which is not there any more: register it again with POST /v1/tools.", tool.Name)
			}
			if err != nil {
				return nil, err
			}
			if now.Scope == "" {
				now.Scope = tool.Scope // of the context that had brought it
			}
			tool = now
		}
		tools = append(tools, tool)
	}
	return tools, nil
}
