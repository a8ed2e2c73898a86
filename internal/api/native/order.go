package native

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// modeIn says how the answer to a request that makes a run comes.
type modeIn struct {
	Stream     *bool `json:"stream"`
	Background *bool `json:"background"`
}

// orderIn is what every request that makes a run may say.
type orderIn struct {
	Prompt        *string         `json:"prompt"`
	Context       []string        `json:"context"`
	PreviousRunID *string         `json:"previous_run_id"`
	Files         json.RawMessage `json:"files"`
	WebhookURL    *string         `json:"webhook_url"`
	modeIn
}

// runIn is the body of POST /v1/runs.
type runIn struct {
	orderIn
	definitionIn
}

// agentRunIn is the body of POST /v1/agents/{id}/run.
type agentRunIn struct {
	orderIn
	MaxSteps     *int              `json:"max_steps"`
	OutputSchema json.RawMessage   `json:"output_schema"`
	Metadata     map[string]string `json:"metadata"`
}

// order reads what the two kinds of request share, and the tools that contexts
// add to those of the definition.
func (a *API) order(ctx context.Context, r *wire.Request, in *orderIn, tools []run.Tool, faults agent.Faults) (agent.Order, error) {
	faults.Add("prompt", a.promptFault(in.Prompt))
	in.check(faults)
	order := agent.Order{
		Project: r.Caller.Project, Dialect: Dialect, Key: r.Caller.KeyID, Scopes: r.Caller.Scopes,
		Input:       run.Message{Role: run.User, Text: value(in.Prompt)},
		Fingerprint: r.Fingerprint(), WallTime: a.cfg.Catalog.WallTime,
	}
	a.checkWebhook(in.WebhookURL, faults)
	err := a.attach(ctx, r, in.Files, &order.Input, faults)
	if err != nil {
		return order, err
	}
	if order.Tools, err = a.withContexts(ctx, r.Caller.Project, in.Context, tools, faults); err != nil {
		return order, err
	}
	if in.PreviousRunID != nil {
		order.Previous, order.History, err = a.thread(ctx, &r.Caller, *in.PreviousRunID, faults)
	}
	return order, err
}

// checkWebhook adds what is wrong with the URL that is to hear of the run.
func (a *API) checkWebhook(text *string, faults agent.Faults) {
	switch {
	case text == nil:
	case a.cfg.Webhooks == nil:
		faults.Add("webhook_url", "can't be used: this server sends no webhooks.")
	default:
		if err := a.cfg.Webhooks.CheckURL(*text); err != nil {
			faults.Add("webhook_url", problem.From(err).Fields["url"])
		}
	}
}

func (in *modeIn) check(faults agent.Faults) {
	if in.Stream != nil && in.Background != nil && *in.Stream && *in.Background {
		faults.Add("background", "cannot be true together with stream: a stream waits, background does not. Start in the background and read GET /v1/runs/{id}/stream.")
	}
}

func (a *API) promptFault(prompt *string) string {
	switch {
	case prompt == nil || *prompt == "":
		return "is required: say what to do."
	case utf8.RuneCountInString(*prompt) > a.cfg.MaxPrompt:
		return fmt.Sprintf("is too long: at most %d characters.", a.cfg.MaxPrompt)
	}
	return ""
}

// blank reports a value that says nothing: null, false, "", [] or {}.
func blank(text json.RawMessage) bool {
	switch strings.Join(strings.Fields(string(text)), "") {
	case "null", "false", `""`, "[]", "{}":
		return true
	}
	return false
}

// contexts are the sources that the native API document names.
func contexts() []string { return []string{"calendar", "documents", "finance"} }

// withContexts adds the operator's tools of each context to the tools.
func (a *API) withContexts(ctx context.Context, project string, names []string, tools []run.Tool, faults agent.Faults) ([]run.Tool, error) {
	for i, name := range names {
		field := fmt.Sprintf("context[%d]", i)
		if !slices.Contains(contexts(), name) {
			faults.Add(field, fmt.Sprintf("%q is no context: choose from %s.", name, strings.Join(contexts(), ", ")))
			continue
		}
		found, err := a.cfg.Catalog.InContext(ctx, project, name)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			faults.Add(field, fmt.Sprintf("this server has no tools named %s.*: its operator has to configure some before runs can use this context.", name))
		}
		for _, tool := range found {
			if !slices.ContainsFunc(tools, func(t run.Tool) bool { return t.Name == tool.Name }) {
				tools = append(tools, tool)
			}
		}
	}
	return tools, nil
}

// thread returns the conversation that a run continues.
func (a *API) thread(ctx context.Context, caller *auth.Caller, id string, faults agent.Faults) (*run.ID, []run.Message, error) {
	previous, err := run.ParseID(id)
	if err != nil {
		faults.Add("previous_run_id", fmt.Sprintf("%q is no run id: run_ and 32 hex digits.", id))
		return nil, nil, nil
	}
	state, err := a.cfg.Engine.Get(ctx, caller.Project, previous)
	switch {
	case problem.Is(err, problem.NotFound), err == nil && !caller.For(agentOf(&state)):
		faults.Add("previous_run_id", fmt.Sprintf("there is no run %q in this project.", id))
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	case !state.Terminal():
		return nil, nil, problem.Conflicting("previous_run_id", "run %s has not ended (%s): wait for its end, or send it a message with POST /v1/runs/%s/messages.", id, state.Status, id)
	}
	return &previous, run.Thread(&state), nil
}

// adHoc reads POST /v1/runs.
func (a *API) adHoc(ctx context.Context, r *wire.Request) (run.Spec, error) {
	var in runIn
	if err := r.Decode(&in); err != nil {
		return run.Spec{}, err
	}
	r.Value = in.modeIn
	faults := agent.Faults{}
	definition := in.definition(a.cfg.Catalog.Steps(agent.DefaultAdHocSteps), faults)
	tools, err := a.cfg.Catalog.Check(ctx, r.Caller.Project, withoutGates(definition), faults)
	if err != nil {
		return run.Spec{}, err
	}
	order, err := a.order(ctx, r, &in.orderIn, tools, faults)
	if err != nil {
		return run.Spec{}, err
	}
	if !faults.Under("context") {
		agent.CheckApproval(&definition, order.Tools, faults)
	}
	order.Window = a.cfg.Catalog.Models.Window(definition.Model)
	spec := definition.Spec(nil, order)
	spec.Webhook = value(in.WebhookURL)
	return spec, faults.Problem()
}

// withoutGates returns the definition as it can be checked before its contexts
// have added their tools: a gate may be meant for one of those.
func withoutGates(d agent.Definition) *agent.Definition {
	d.Approval = agent.Approval{}
	return &d
}

// ofAgent reads POST /v1/agents/{id}/run.
func (a *API) ofAgent(ctx context.Context, r *wire.Request) (run.Spec, error) {
	var in agentRunIn
	if err := r.Decode(&in); err != nil {
		return run.Spec{}, err
	}
	r.Value = in.modeIn
	saved, err := a.book.Find(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return run.Spec{}, err
	}
	tools, err := a.cfg.Catalog.Saved(ctx, r.Caller.Project, &saved)
	if err != nil {
		return run.Spec{}, err
	}
	faults := agent.Faults{}
	order, err := a.order(ctx, r, &in.orderIn, tools, faults)
	if err != nil {
		return run.Spec{}, err
	}
	order.MaxSteps = min(saved.MaxSteps, a.cfg.Catalog.Ceiling()) // the ceiling may have come down since
	if in.MaxSteps != nil {
		a.cfg.Catalog.CheckSteps(*in.MaxSteps, faults)
		order.MaxSteps = *in.MaxSteps
	}
	order.Window = a.cfg.Catalog.Models.Window(saved.Model)
	order.Output, order.Metadata = present(in.OutputSchema), in.Metadata
	a.cfg.Catalog.CheckOutput(order.Output, faults)
	spec := saved.Spec(saved.Ref(), order)
	spec.Webhook = value(in.WebhookURL)
	agent.CheckMetadata(spec.Metadata, faults)
	return spec, faults.Problem()
}
