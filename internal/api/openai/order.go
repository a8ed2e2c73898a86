package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"errand/internal/agent"
	"errand/internal/api/chat"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// agentPrefix says that a model's name is that of a saved agent, for sure.
const agentPrefix = "agent:"

// order is the run that a request asks for.
func (a *API) order(ctx context.Context, caller auth.Caller, in *chat.Request) (run.Spec, error) {
	if err := refused(in); err != nil {
		return run.Spec{}, err
	}
	saved, err := a.find(ctx, caller, in)
	if err != nil {
		return run.Spec{}, err
	}
	said, err := in.Thread()
	if err != nil {
		return run.Spec{}, err
	}
	wanted, err := a.read(ctx, caller.Project, in, &said)
	if err != nil {
		return run.Spec{}, err
	}
	last := len(said.Messages) - 1
	order := agent.Order{
		Project: caller.Project, Dialect: Dialect, Key: caller.KeyID, Scopes: caller.Scopes,
		History: said.Messages[:last:last], Input: said.Messages[last], Tools: wanted.tools, Output: wanted.output,
		Metadata: wanted.labels, WallTime: a.cfg.Catalog.WallTime,
	}
	var spec run.Spec
	if saved == nil {
		spec = a.ofModel(in, &said, order)
	} else if spec, err = a.ofAgent(ctx, saved, &said, order); err != nil {
		return spec, err
	}
	if spec.Params, err = in.Params(spec.Params); err != nil {
		return spec, err
	}
	spec.HandBack = true
	if err := wanted.choose(&spec); err != nil {
		return spec, err
	}
	spec.Echo, err = json.Marshal(echo{Model: *in.Model, OneCall: wanted.oneCall})
	return spec, err
}

// find returns the saved agent that the request's model names, or nil when it is a
// model. An agent's name goes before a model's, which can be written with its
// provider: no agent is called that. A key that is for some agents alone finds those.
func (a *API) find(ctx context.Context, caller auth.Caller, in *chat.Request) (*agent.Agent, error) {
	if in.Model == nil || strings.TrimSpace(*in.Model) == "" {
		return nil, problem.Invalid("model", "is required: agent:<name> for a saved agent, or a model's name; GET /v1/models lists both")
	}
	name, certain := strings.CutPrefix(*in.Model, agentPrefix)
	saved, err := a.book.Find(ctx, caller.Project, name)
	others := err == nil && !caller.For(saved.ID) // for this key they are not there
	if err == nil && !others {
		return &saved, nil
	}
	if err != nil && !problem.Is(err, problem.NotFound) {
		return nil, err
	}
	if certain || others || a.cfg.Catalog.Models.Check(*in.Model) != nil {
		unknown := problem.Invalid("model", "there is no model and no agent %.128q here: GET /v1/models lists them", *in.Model)
		unknown.Code = modelNotFound
		return nil, unknown
	}
	return nil, auth.AdHoc(caller)
}

// ofModel is the spec of a run that answers as a plain model does, within as many
// turns as an ad-hoc run has: a call with garbled arguments, or an answer that fails
// its schema, goes back to the model.
func (a *API) ofModel(in *chat.Request, said *chat.Thread, order agent.Order) run.Spec {
	plain := agent.Definition{
		Model: *in.Model, Instructions: said.System, MaxSteps: a.cfg.Catalog.Steps(agent.DefaultAdHocSteps), OnUnknown: run.FailUnknown,
	}
	order.Window = a.cfg.Catalog.Models.Window(*in.Model)
	spec := plain.Spec(nil, order)
	spec.Tethered = true
	return spec
}

// ofAgent is a saved agent's own spec. What the caller's system messages say comes
// behind the agent's instructions, and its tools beside the agent's.
func (a *API) ofAgent(ctx context.Context, saved *agent.Agent, said *chat.Thread, order agent.Order) (run.Spec, error) {
	catalog := &a.cfg.Catalog
	tools, err := catalog.Saved(ctx, order.Project, saved)
	if err != nil {
		return run.Spec{}, err
	}
	taken := map[string]bool{}
	for i := range tools {
		taken[tools[i].Name] = true
	}
	for i := range order.Tools {
		if name := order.Tools[i].Name; taken[name] {
			return run.Spec{}, problem.Invalid(fmt.Sprintf("tools[%d].function.name", i), "%q is one of the agent's own tools: choose another name", name)
		}
	}
	order.Tools = append(tools, order.Tools...)
	order.MaxSteps = min(saved.MaxSteps, catalog.Ceiling()) // the ceiling may have come down since
	order.Window = catalog.Models.Window(saved.Model)
	spec := saved.Spec(saved.Ref(), order)
	spec.Instructions = strings.TrimPrefix(spec.Instructions+"\n\n"+said.System, "\n\n")
	spec.Instructions = strings.TrimSuffix(spec.Instructions, "\n\n")
	return spec, nil
}

// wishes are what a request says beside who answers and the conversation.
type wishes struct {
	tools   []run.Tool
	output  json.RawMessage
	labels  map[string]string
	oneCall bool // parallel_tool_calls is false
	choice  choice
}

// read understands them, or names everything that is wrong with them.
func (a *API) read(ctx context.Context, project string, in *chat.Request, said *chat.Thread) (wishes, error) {
	faults := agent.Faults{}
	w := wishes{labels: in.Labels(), oneCall: in.ParallelCalls != nil && !*in.ParallelCalls}
	agent.CheckMetadata(w.labels, faults)
	w.label(in, faults)
	var err error
	if w.tools, err = a.tools(ctx, project, in.Tools, faults); err != nil {
		return w, err
	}
	w.choice = readChoice(in.ToolChoice, faults)
	w.output = a.format(in.ResponseFormat, faults)
	switch last := len(said.Messages) - 1; {
	case last < 0:
		faults.Add("messages", "have only instructions: add a message of the user.")
	case utf8.RuneCountInString(said.Messages[last].Text) > a.cfg.MaxPrompt:
		faults.Add(fmt.Sprintf("messages[%d].content", len(in.Messages)-1), fmt.Sprintf("is too long: at most %d characters.", a.cfg.MaxPrompt))
	}
	return w, faults.Problem()
}

// maxUser bounds the name of an end user, in bytes: a hash or an address fits.
const maxUser = 256

// label adds the end user whom the request names to what the run is marked with.
func (w *wishes) label(in *chat.Request, faults agent.Faults) {
	switch {
	case in.User == nil || *in.User == "" || w.labels["user"] != "":
	case len(*in.User) > maxUser:
		faults.Add("user", fmt.Sprintf("is too long: at most %d bytes.", maxUser))
	case w.labels == nil:
		w.labels = map[string]string{"user": *in.User}
	default:
		w.labels["user"] = *in.User
	}
}

// refused is the problem of the first parameter that can't be honoured, or nil.
func refused(in *chat.Request) error {
	if err := in.Refused(); err != nil {
		return err
	}
	switch {
	case chat.Set(in.Functions):
		return chat.Refuse("functions", "is the older form: send tools")
	case chat.Set(in.FunctionCall):
		return chat.Refuse("function_call", "is the older form: send tool_choice")
	}
	return nil
}

// echo is what answers need of the request, beside what the run itself has.
type echo struct {
	Model   string `json:"model"` // as the caller named it
	OneCall bool   `json:"one_call,omitempty"`
}

// echoOf reads what order has stored.
func echoOf(s *run.State) echo {
	var said echo
	if json.Unmarshal(s.Spec.Echo, &said) != nil || said.Model == "" {
		return echo{Model: s.Spec.Model}
	}
	return said
}
