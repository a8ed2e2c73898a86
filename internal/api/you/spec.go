package you

import (
	"context"

	"errand/internal/agent"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// The tools that stand behind the types of tools.
const (
	searchTool  = "web.search"
	fetchTool   = "web.fetch"
	computeTool = "compute"
)

// spec is everything that the run needs.
func (a *API) spec(ctx context.Context, caller auth.Caller, o order) (run.Spec, error) {
	var spec run.Spec
	if o.mode != express && o.mode != advanced {
		return a.custom(ctx, caller, &o)
	}
	err := auth.AdHoc(caller)
	switch {
	case err != nil:
		return spec, err
	case o.mode == express:
		spec, err = a.express(ctx, caller, &o)
	default:
		spec, err = a.advanced(ctx, caller, &o)
	}
	spec.Project, spec.Dialect, spec.Key, spec.Scopes = caller.Project, Dialect, caller.KeyID, caller.Scopes
	spec.Input = run.Message{Role: run.User, Text: o.input}
	spec.Window, spec.Limits.WallTime = a.cfg.Catalog.Models.Window(spec.Model), a.cfg.Catalog.WallTime
	spec.OnUnknown, spec.Tethered = run.FailUnknown, true
	return spec, err
}

// express answers with one search at the most, whatever the model asks for.
func (a *API) express(ctx context.Context, caller auth.Caller, o *order) (run.Spec, error) {
	spec := run.Spec{Model: expressModel, Limits: run.Limits{MaxSteps: min(expressSteps, a.ceiling())}}
	err := a.give(ctx, caller, &spec, searchTool, expressSearches)
	if err != nil && o.search == searchAuto && (problem.Is(err, toolNotAllowed) || problem.Is(err, problem.NotAvailable)) {
		err = nil // nobody has asked for a search
	}
	spec.Instructions = expressInstructions(o.search, len(spec.Tools) > 0)
	if o.search == searchForce { // said in the instructions too, for models that can't be held to it
		spec.Require = searchTool
	}
	return spec, err
}

func (a *API) advanced(ctx context.Context, caller auth.Caller, o *order) (run.Spec, error) {
	spec := run.Spec{Model: advancedModel, Instructions: advancedInstructions(o), Limits: run.Limits{MaxSteps: o.steps}}
	if o.compute {
		if err := a.give(ctx, caller, &spec, computeTool, 0); err != nil {
			return spec, err
		}
	}
	if o.research == nil {
		return spec, nil
	}
	far := reachOf(o.research.effort)
	if err := a.give(ctx, caller, &spec, searchTool, far.searches); err != nil {
		return spec, err
	}
	return spec, a.give(ctx, caller, &spec, fetchTool, far.pages)
}

// give lets the run call one of the server's tools; most is how often, 0 = any
// number of times. What the key may not call is refused now, and not at the step.
func (a *API) give(ctx context.Context, caller auth.Caller, spec *run.Spec, name string, most int) error {
	tool, _, err := a.cfg.Catalog.Tools.Current(ctx, caller.Project, name)
	if problem.Is(err, problem.NotFound) {
		return problem.New(problem.NotAvailable, "This server has no tool %s: its operator has to configure one.", name).Because(err)
	}
	if err != nil {
		return err
	}
	for _, scope := range []string{run.ExecuteScope, tool.Scope} {
		if err := auth.Allow(caller, scope); err != nil {
			return problem.New(toolNotAllowed, "%s%s", notAllowed, problem.From(err).Detail)
		}
	}
	spec.Tools = append(spec.Tools, tool)
	if most > 0 {
		if spec.ToolLimits == nil {
			spec.ToolLimits = map[string]int{}
		}
		spec.ToolLimits[name] = most
	}
	return nil
}

// custom is a saved agent's own spec. Its gates hold.
func (a *API) custom(ctx context.Context, caller auth.Caller, o *order) (run.Spec, error) {
	saved, err := a.book.Find(ctx, caller.Project, o.agent)
	if err == nil && !caller.For(saved.ID) {
		err = problem.New(problem.NotFound, "The key is for other agents.")
	}
	if problem.Is(err, problem.NotFound) {
		return run.Spec{}, problem.New(agentNotFound, "There is no agent %q in this project: write express, advanced, or the id or name of a saved agent (GET /v1/agents lists them).", o.agent).Because(err)
	}
	if err != nil {
		return run.Spec{}, err
	}
	catalog := &a.cfg.Catalog
	tools, err := catalog.Saved(ctx, caller.Project, &saved)
	if err != nil {
		return run.Spec{}, err
	}
	spec := saved.Spec(saved.Ref(), agent.Order{
		Project: caller.Project, Dialect: Dialect, Key: caller.KeyID, Scopes: caller.Scopes,
		Input: run.Message{Role: run.User, Text: o.input}, Tools: tools,
		MaxSteps: min(saved.MaxSteps, catalog.Ceiling()), // the ceiling may have come down since
		WallTime: catalog.WallTime, Window: catalog.Models.Window(saved.Model),
	})
	spec.Tethered = true
	return spec, nil
}
