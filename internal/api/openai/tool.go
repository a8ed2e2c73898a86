package openai

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/run"
)

// toolIn is a tool that the caller brings and runs itself.
type toolIn struct {
	Type     string      `json:"type"`
	Function *functionIn `json:"function"`
}

// functionIn describes it. Whether it is strict makes no difference: arguments
// that fail their schema never leave this server.
type functionIn struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

// noParameters is the schema of a function that takes none, which this format lets
// its callers leave out.
const noParameters = `{"type":"object","properties":{}}`

// tools reads the caller's tools.
func (a *API) tools(ctx context.Context, project string, text json.RawMessage, faults agent.Faults) ([]run.Tool, error) {
	var all []toolIn
	if err := json.Unmarshal(or(text, "[]"), &all); err != nil {
		faults.Add("tools", `must be a list such as [{"type": "function", "function": {"name": "…", "parameters": {…}}}].`)
		return nil, nil
	}
	var part agent.Definition
	for i, in := range all {
		field := fmt.Sprintf("tools[%d]", i)
		switch {
		case in.Type != "function":
			faults.Add(field+".type", fmt.Sprintf("must be function, not %.40q: other tools belong to a saved agent.", in.Type))
			continue
		case in.Function == nil:
			faults.Add(field+".function", "is required: its name, and a JSON schema of its parameters.")
			continue
		}
		f := agent.Function{Name: in.Function.Name, Description: in.Function.Description, Parameters: or(in.Function.Parameters, noParameters)}
		if slices.ContainsFunc(part.Functions, func(other agent.Function) bool { return other.Name == f.Name }) {
			faults.Add(field+".function.name", fmt.Sprintf("%q is there twice.", f.Name))
		}
		part.Functions = append(part.Functions, f)
	}
	if len(part.Functions) < len(all) {
		return nil, nil // the indexes of what follows would be others
	}
	found := agent.Faults{}
	tools, err := a.cfg.Catalog.Resolve(ctx, project, &part, found)
	for field, message := range found {
		faults.Add(strings.Replace(field, "functions[", "tools[", 1), message)
	}
	return tools, err
}

// or is text, or what stands for one that is left out.
func or(text json.RawMessage, standard string) json.RawMessage {
	if len(text) == 0 || string(text) == "null" {
		return json.RawMessage(standard)
	}
	return text
}

// choice is which tools the first reply may call, or must.
type choice struct {
	none bool
	must bool   // some tool
	name string // this tool
}

// readChoice reads none, auto, required, or the tool that must be called.
func readChoice(text json.RawMessage, faults agent.Faults) choice {
	var word string
	if json.Unmarshal(or(text, `"auto"`), &word) == nil {
		switch word {
		case "none":
			return choice{none: true}
		case "auto":
			return choice{}
		case "required":
			return choice{must: true}
		}
	}
	var in toolIn
	if json.Unmarshal(or(text, `"auto"`), &in) == nil && in.Type == "function" && in.Function != nil && in.Function.Name != "" {
		return choice{must: true, name: in.Function.Name}
	}
	faults.Add("tool_choice", `must be "none", "auto", "required", or {"type": "function", "function": {"name": "…"}}.`)
	return choice{}
}

// choose puts the choice into the spec. With none, the caller's tools are out of
// reach; an agent's own are what it is made of, and stay. They are still shown
// where the conversation has calls of them: providers refuse calls without tools.
func (w *wishes) choose(spec *run.Spec) error {
	switch {
	case w.choice.none && slices.ContainsFunc(spec.History, func(m run.Message) bool { return len(m.Calls) > 0 }):
		spec.ToolLimits = map[string]int{}
		for i := range w.tools {
			spec.ToolLimits[w.tools[i].Name] = 0
		}
	case w.choice.none:
		spec.Tools = spec.Tools[:len(spec.Tools)-len(w.tools)]
	case w.choice.must && len(spec.Tools) == 0:
		return problem.Invalid("tool_choice", "needs a tool to choose: send tools")
	case w.choice.name != "" && spec.Tool(w.choice.name) == nil:
		return problem.Invalid("tool_choice", "%.64q is none of the tools", w.choice.name)
	case w.choice.name != "":
		spec.Require = w.choice.name
	case w.choice.must:
		spec.Require = run.AnyTool
	}
	return nil
}

// formatIn is response_format.
type formatIn struct {
	Type   string `json:"type"`
	Schema *struct {
		Schema json.RawMessage `json:"schema"`
	} `json:"json_schema"`
}

// format is the schema that the answer must satisfy; nil = any text. What it says
// of strictness makes no difference: an answer that fails its schema is repaired, or
// the run fails.
func (a *API) format(text json.RawMessage, faults agent.Faults) json.RawMessage {
	var in formatIn
	if err := json.Unmarshal(or(text, `{"type":"text"}`), &in); err != nil {
		faults.Add("response_format", `must be an object such as {"type": "json_object"}.`)
		return nil
	}
	switch in.Type {
	case "text":
	case "json_object":
		return json.RawMessage(`{"type":"object"}`)
	case "json_schema":
		const field = "response_format.json_schema.schema"
		if in.Schema == nil || len(in.Schema.Schema) == 0 || string(in.Schema.Schema) == "null" {
			faults.Add(field, "is required: the JSON schema of the answer.")
			return nil
		}
		wrong := agent.Faults{}
		a.cfg.Catalog.CheckOutput(in.Schema.Schema, wrong)
		faults.Add(field, wrong["output_schema"])
		return in.Schema.Schema
	default:
		faults.Add("response_format.type", fmt.Sprintf("must be text, json_object or json_schema, not %.40q.", in.Type))
	}
	return nil
}
