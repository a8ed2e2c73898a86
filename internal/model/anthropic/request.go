package anthropic

import (
	"encoding/json"

	sdk "github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/packages/param"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// build makes the request in the API's form.
func build(req *run.Request, names remote.Names, known remote.Lessons) sdk.MessageNewParams {
	messages := req.Messages
	format := len(req.Output) > 0 && !known.Has(remote.NoSchema) && closed(req.Output)
	if len(req.Output) > 0 && !format {
		messages = remote.WithSchema(messages, req.Output)
	}
	thought := thoughtOf(req, known)
	required := names.Required(req)
	// "Tool use with thinking only supports tool_choice auto or none": with any
	// other the API refuses the request (its page Extended thinking, under
	// Extended thinking with tool use). So the tool is asked for in words then.
	inWords := thought.budget > 0 || thought.adaptive || known.Has(remote.NoRequire)
	if required != "" && inWords {
		messages = remote.WithRequired(messages, required)
	}
	system, rest := instructions(messages)
	talk := conversation{model: req.Model, names: names, taken: map[string]bool{}, forgetful: known.Has(forgetful)}
	talk.add(rest)
	params := sdk.MessageNewParams{
		Model: sdk.Model(req.Model), System: system, Messages: talk.messages, Tools: toolsOf(req.Tools, names),
	}
	if format {
		params.OutputConfig.Format = param.Override[sdk.JSONOutputFormatParam](map[string]any{
			"type": "json_schema", "schema": json.RawMessage(req.Output),
		})
	}
	if required != "" && !inWords {
		if params.ToolChoice = sdk.ToolChoiceParamOfTool(required); required == run.AnyTool {
			params.ToolChoice = sdk.ToolChoiceUnionParam{OfAny: &sdk.ToolChoiceAnyParam{}}
		}
	}
	thought.put(&params, longest(&req.Params, known))
	if thought.budget > 0 || thought.adaptive { // which takes no other sampling than its own
		known |= remote.NoTemperature | remote.NoTopK | remote.NoTopP
	}
	sampling(&params, &req.Params, known)
	mark(&params)
	return params
}

// longest is how long the answer may be.
func longest(p *run.Params, known remote.Lessons) int {
	switch {
	case p.MaxTokens > 0 && !known.Drops(remote.NoMaxTokens, p):
		return p.MaxTokens
	case known.Has(smallMax):
		return smallestMax
	}
	return defaultMax
}

func sampling(params *sdk.MessageNewParams, p *run.Params, known remote.Lessons) {
	if p.Temperature != nil && !known.Drops(remote.NoTemperature, p) {
		params.Temperature = sdk.Float(*p.Temperature)
	}
	if p.TopP != nil && !known.Drops(remote.NoTopP, p) {
		params.TopP = sdk.Float(*p.TopP)
	}
	if p.TopK > 0 && !known.Drops(remote.NoTopK, p) {
		params.TopK = sdk.Int(int64(p.TopK))
	}
	if len(p.Stop) > 0 && !known.Drops(remote.NoStop, p) {
		params.StopSequences = p.Stop
	}
}

func toolsOf(tools []run.Tool, names remote.Names) []sdk.ToolUnionParam {
	if len(tools) == 0 {
		return nil
	}
	all := make([]sdk.ToolUnionParam, len(tools))
	for i := range tools {
		one := &sdk.ToolParam{Name: names[i].Wire}
		if tools[i].Description != "" {
			one.Description = sdk.String(tools[i].Description)
		}
		if len(tools[i].Parameters) > 0 { // as it is: its numbers keep their digits, its keys their order
			one.InputSchema = param.Override[sdk.ToolInputSchemaParam](json.RawMessage(tools[i].Parameters))
		}
		all[i] = sdk.ToolUnionParam{OfTool: one}
	}
	return all
}

// closed reports whether the schema is one that the API holds a model to: every
// object in it allows no other property than its own, and no word asks for what
// can't be held. The API refuses the whole request for any other schema, so this
// errs on the side of no.
func closed(schema []byte) bool {
	var root map[string]any
	return json.Unmarshal(schema, &root) == nil && root["type"] == "object" && closedSchema(root)
}

func closedSchema(schema any) bool {
	node, ok := schema.(map[string]any)
	if !ok {
		return false
	}
	for word, value := range node {
		switch word {
		case "type", "title", "description", "enum", "const", "required", "additionalProperties":
		case "properties", "$defs":
			children, ok := value.(map[string]any)
			if !ok {
				return false
			}
			for _, child := range children {
				if !closedSchema(child) {
					return false
				}
			}
		case "items":
			if !closedSchema(value) {
				return false
			}
		case "anyOf", "allOf":
			children, ok := value.([]any)
			if !ok {
				return false
			}
			for _, child := range children {
				if !closedSchema(child) {
					return false
				}
			}
		default: // $ref too: a schema that refers to itself is refused
			return false
		}
	}
	return node["type"] != "object" || node["additionalProperties"] == false
}
