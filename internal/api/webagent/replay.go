package webagent

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/workflow"
)

// replay makes the order one that repeats the task's workflow.
func (a *API) replay(ctx context.Context, r *wire.Request, o *order, in *request) error {
	t := o.task.Workflow
	var f faults
	known := map[string]*run.Tool{}
	for _, name := range t.Names() {
		tool, err := a.toolFor(ctx, o, name)
		if err != nil {
			return err
		}
		if tool == nil {
			f.value(fmt.Sprintf("this server has no tool for the action %q", name), nil, "cached_workflow", "steps")
			continue
		}
		known[name] = tool
	}
	if err := f.problem(); err != nil {
		return err
	}
	values, err := a.values(ctx, r, o, in)
	if err != nil {
		return err
	}
	if in.Parameters != nil && in.Prompt == nil && t.Prompt != "" {
		// A model that has to help is told of this run's values and not of the recorded ones.
		o.spec.Input.Text = workflow.Fill(t.Prompt, values)
	}
	plan, err := t.Plan(values, func(action string) *run.Tool { return known[action] })
	if err != nil {
		return problem.New(problem.InvalidRequest, "cached_workflow: %s.", err).Because(err)
	}
	if o.spec.Replay, err = json.Marshal(plan); err != nil {
		return fmt.Errorf("making a replay: %w", err)
	}
	o.spec.Limits.MaxSteps = plan.Turns()
	return nil
}

// toolFor finds the tool of an action, the browser's first, and gives it to the run.
func (a *API) toolFor(ctx context.Context, o *order, action string) (*run.Tool, error) {
	for _, name := range []string{browserTools + action, action} {
		if tool := o.spec.Tool(name); tool != nil {
			copied := *tool
			return &copied, nil
		}
	}
	tool, _, err := a.cfg.Catalog.Tools.Current(ctx, o.spec.Project, action)
	switch {
	case problem.Is(err, problem.NotFound):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("looking up the tool of a recorded action: %w", err)
	}
	o.spec.Tools = append(o.spec.Tools, tool)
	return &tool, nil
}

// values are those of the request; or they are read off the prompt, which takes no
// model when it is the recorded one but for them; or a model is asked, once.
func (a *API) values(ctx context.Context, r *wire.Request, o *order, in *request) (map[string]workflow.Text, error) {
	t := o.task.Workflow
	if in.Parameters != nil {
		return in.Parameters, refuseValues(t.CheckValues(in.Parameters))
	}
	if values, ok := t.Align(o.task.Prompt); ok {
		return values, nil
	}
	if a.offline(o.spec.Model) {
		return nil, refuseValues(t.CheckValues(nil))
	}
	schema, err := t.ValuesSchema()
	if err != nil {
		return nil, err
	}
	defer r.Aside()()
	answer, id, err := a.consult(ctx, &o.spec, t.ValuesRequest(o.task.Prompt), schema)
	if err != nil {
		return nil, problem.New(problem.From(err).Code, "The values of the cached workflow's parameters could not be found in the prompt: %s Give them as parameters.", problem.From(err).Detail)
	}
	o.spec.Previous = &id
	values, err := workflow.ReadValues(answer)
	if err != nil {
		return nil, err
	}
	return values, refuseValues(t.CheckValues(values))
}

// refuseValues words what is wrong with values.
func refuseValues(wrong map[string]string) error {
	var f faults
	for _, name := range slices.Sorted(maps.Keys(wrong)) {
		f.value(name+" "+wrong[name], nil, "parameters", name)
	}
	return f.problem()
}

// offline reports whether a name means the model that is none.
func (a *API) offline(model string) bool {
	meant, err := a.cfg.Models.Resolve(model)
	return err == nil && meant == "offline"
}

// consult asks a model one thing, in a run of its own that can be read like any
// other. It has no tools, so nothing can happen twice.
func (a *API) consult(ctx context.Context, like *run.Spec, question string, schema json.RawMessage) (json.RawMessage, run.ID, error) {
	spec := run.Spec{
		Project: like.Project, Dialect: Dialect, Key: like.Key, Scopes: like.Scopes, Model: like.Model, Window: like.Window,
		Input: run.Message{Role: run.User, Text: question}, Output: schema, OnUnknown: run.FailUnknown,
		Limits: run.Limits{MaxSteps: 1, WallTime: like.Limits.WallTime},
	}
	id := a.cfg.Engine.NewID()
	if _, err := a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec}); err != nil {
		return nil, id, err
	}
	s, err := a.rest(ctx, spec.Project, id)
	switch {
	case err != nil:
		return nil, id, err
	case s.Ended == nil || s.Ended.Status != run.Completed || s.Ended.Result.Output == nil:
		return nil, id, problem.New(problem.Conflict, "the run that asked a model (run_%s) brought nothing.", id)
	}
	return s.Ended.Result.Output, id, nil
}
