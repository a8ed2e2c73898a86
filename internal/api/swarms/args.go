package swarms

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// argsIn are the llm_args that are passed on to the model.
type argsIn struct {
	TopP           *float64         `json:"top_p"`
	TopK           *int             `json:"top_k"`
	Frequency      *float64         `json:"frequency_penalty"`
	Presence       *float64         `json:"presence_penalty"`
	Seed           *int64           `json:"seed"`
	Stop           words            `json:"stop"`
	ResponseFormat *json.RawMessage `json:"response_format"`
}

// allowed lists the names of argsIn.
var allowed = []string{"top_p", "top_k", "frequency_penalty", "presence_penalty", "seed", "stop", "response_format"}

// elsewhere are arguments that the request itself decides: which field does.
var elsewhere = map[string]string{
	"model": "agent_config.model_name", "messages": "task and history", "stream": "agent_config.streaming_on",
	"temperature": "agent_config.temperature", "max_tokens": "agent_config.max_tokens", "max_completion_tokens": "agent_config.max_tokens",
	"tools": "agent_config.tools_list_dictionary", "reasoning_effort": "agent_config.reasoning_effort", "thinking": "agent_config.thinking_tokens",
}

// maxStop is how many stop sequences a request may have: more than providers take.
const maxStop = 16

// readArgs reads llm_args into the parameters, and returns the schema that the
// answer must satisfy.
func (a *API) readArgs(in *agentIn, params *run.Params, faults agent.Faults) json.RawMessage {
	const field = "agent_config.llm_args"
	for _, name := range slices.Sorted(maps.Keys(in.Args)) {
		switch at, said := elsewhere[name], says(in.Args[name]); {
		case slices.Contains(allowed, name) || kindOf(in.Args[name]) == 0:
		case at != "" && said:
			faults.Add(field+"."+name, "is not taken from here: set "+at+".")
		case at == "":
			faults.Add(field+"."+clip(name), "is not passed on to the model: there are "+strings.Join(allowed, ", ")+".")
		}
	}
	var args argsIn
	text, err := json.Marshal(in.Args)
	if err == nil && len(in.Args) > 0 {
		err = wire.Decode(text, &args, false)
	}
	var wrong *problem.Error
	if errors.As(err, &wrong) {
		for path, message := range wrong.Fields {
			faults.Add(field+"."+path, message+".")
		}
		return nil
	}
	faults.Add(field+".top_p", within(args.TopP, 0, 1))
	faults.Add(field+".frequency_penalty", within(args.Frequency, -2, 2))
	faults.Add(field+".presence_penalty", within(args.Presence, -2, 2))
	if args.TopK != nil && *args.TopK < 0 {
		faults.Add(field+".top_k", "must be a whole number from 1 on, or null.")
	}
	if len(args.Stop) > maxStop {
		faults.Add(field+".stop", fmt.Sprintf("has too many texts: at most %d.", maxStop))
	}
	params.TopP, params.Frequency, params.Presence, params.Seed = args.TopP, args.Frequency, args.Presence, args.Seed
	params.TopK, params.Stop = or(args.TopK, 0), args.Stop
	return a.readFormat(args.ResponseFormat, faults)
}

// within says what is wrong with an optional number.
func within(number *float64, least, most float64) string {
	if number != nil && (*number < least || *number > most) {
		return fmt.Sprintf("must be a number from %g to %g.", least, most)
	}
	return ""
}

// readFormat reads response_format: {"type":"json_schema","json_schema":{"schema":…}}.
func (a *API) readFormat(text *json.RawMessage, faults agent.Faults) json.RawMessage {
	const field = "agent_config.llm_args.response_format"
	if text == nil || kindOf(*text) == 0 {
		return nil
	}
	var format struct {
		Type   string `json:"type"`
		Schema struct {
			Schema json.RawMessage `json:"schema"`
		} `json:"json_schema"`
	}
	if json.Unmarshal(*text, &format) != nil {
		faults.Add(field, `must be an object with a type: text, json_object or json_schema.`)
		return nil
	}
	switch format.Type {
	case "text":
		return nil
	case "json_object":
		return json.RawMessage(`{"type":"object"}`)
	case "json_schema":
		wrong := agent.Faults{}
		if a.cfg.Catalog.CheckOutput(orEmpty(format.Schema.Schema), wrong); len(wrong) > 0 {
			faults.Add(field+".json_schema.schema", wrong["output_schema"])
			return nil
		}
		return format.Schema.Schema
	}
	faults.Add(field+".type", fmt.Sprintf("must be text, json_object or json_schema, not %q.", clip(format.Type)))
	return nil
}

// orEmpty makes what is not there something that can be found wrong.
func orEmpty(text json.RawMessage) json.RawMessage {
	if text == nil {
		return json.RawMessage("null")
	}
	return text
}
