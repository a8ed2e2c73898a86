package swarms

import (
	"context"
	"strings"

	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// drafted is the run that wrote a system prompt. What it used is part of what the
// completion has used.
type drafted struct {
	Run   run.ID    `json:"run"`
	Usage run.Usage `json:"usage"`
}

// write lets the model write the agent's system prompt (auto_generate_prompt), in
// a run of its own that goes before the agent's and that the agent's names as its
// previous one. It has no tools, so nothing can happen twice: if this server stops
// in between, the request is made anew.
func (a *API) write(ctx context.Context, o *order) error {
	if o.draft == "" {
		return nil
	}
	spec := run.Spec{
		Project: o.spec.Project, Dialect: Dialect, Key: o.spec.Key, Scopes: o.spec.Scopes,
		Model: o.spec.Model, Window: o.spec.Window, Params: o.spec.Params, OnUnknown: run.FailUnknown,
		Input:  run.Message{Role: run.User, Text: o.draft},
		Limits: run.Limits{MaxSteps: 1, WallTime: o.spec.Limits.WallTime},
	}
	spec.Params.Vary, spec.Params.Stop = false, nil // meant for the agent's own answers
	id := a.cfg.Engine.NewID()
	if _, err := a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec}); err != nil {
		return err
	}
	s, err := a.rest(ctx, spec.Project, id)
	switch {
	case err != nil:
		return err
	case s.Ended == nil:
		return problem.Conflicting("auto_generate_prompt", "the run that writes the system prompt (%s) was paused: resume it, and send the request again.", jobID(id))
	case s.Ended.Status == run.CancelledStatus:
		return problem.Conflicting("auto_generate_prompt", "the run that writes the system prompt (%s) was cancelled.", jobID(id))
	case failed(&s):
		return problem.New(problem.Code(s.Ended.Code), "auto_generate_prompt: the system prompt could not be written: %s", whyFailed(&s))
	}
	if prompt := strings.TrimSpace(s.Ended.Result.Summary); prompt != "" {
		o.spec.Instructions = strings.TrimSpace(o.spec.Instructions + "\n\n" + prompt)
	}
	o.spec.Previous, o.echo.Draft = &id, &drafted{Run: id, Usage: s.Usage}
	return nil
}
