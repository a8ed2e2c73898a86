package openai

import (
	"strconv"

	"github.com/go-json-experiment/json"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// perEntry is a guess at what the wire format adds to a message, call or tool.
const perEntry = 160

// encode writes the request's body, in one allocation as a rule.
func (c *Client) encode(req *run.Request, names remote.Names, known remote.Lessons) []byte {
	w := writer{to: make([]byte, 0, sizeOf(req)), kind: c.cfg.Kind, names: names}
	w.field(`{"model":`, req.Model)
	w.raw(`,"messages":[`)
	messages := req.Messages
	if len(req.Output) > 0 && known.Has(remote.NoSchema) {
		messages = remote.WithSchema(messages, req.Output)
	}
	required := names.Required(req)
	if required != "" && known.Has(remote.NoRequire) {
		messages = remote.WithRequired(messages, required)
	}
	w.messages(messages)
	w.raw("]")
	if !c.cfg.Whole {
		w.raw(`,"stream":true`)
		if !known.Has(noStreamOptions) {
			w.raw(`,"stream_options":{"include_usage":true}`)
		}
	}
	w.tools(req.Tools)
	switch {
	case required == "" || known.Has(remote.NoRequire):
	case required == run.AnyTool:
		w.raw(`,"tool_choice":"required"`)
	default:
		w.field(`,"tool_choice":{"type":"function","function":{"name":`, required)
		w.raw("}}")
	}
	w.params(req, known, c.newMax != known.Has(otherMax))
	if len(req.Output) > 0 && !known.Has(remote.NoSchema) {
		w.raw(`,"response_format":{"type":"json_schema","json_schema":{"name":"answer","strict":`)
		w.to = strconv.AppendBool(w.to, strict(req.Output))
		w.raw(`,"schema":`)
		w.to = append(w.to, req.Output...)
		w.raw("}}")
	}
	w.raw("}")
	return w.to
}

func sizeOf(req *run.Request) int {
	size := 512 + len(req.Output)
	for i := range req.Messages {
		m := &req.Messages[i]
		size += perEntry + len(m.Text) + len(m.Text)/16 + len(m.Reasoning)
		for j := range m.Calls {
			size += perEntry + len(m.Calls[j].Arguments)*5/4
		}
		for j := range m.Images {
			size += perEntry + len(m.Images[j].URL)
		}
	}
	for i := range req.Tools {
		size += perEntry + len(req.Tools[i].Description) + len(req.Tools[i].Parameters)
	}
	return size
}

func (w *writer) tools(tools []run.Tool) {
	for i := range tools {
		if i == 0 {
			w.raw(`,"tools":[`)
		} else {
			w.raw(",")
		}
		w.field(`{"type":"function","function":{"name":`, w.names[i].Wire)
		if tools[i].Description != "" {
			w.field(`,"description":`, tools[i].Description)
		}
		w.raw(`,"parameters":`)
		if len(tools[i].Parameters) > 0 {
			w.to = append(w.to, tools[i].Parameters...)
		} else {
			w.raw(`{"type":"object","properties":{}}`)
		}
		w.raw("}}")
	}
	if len(tools) > 0 {
		w.raw("]")
	}
}

func (w *writer) params(req *run.Request, known remote.Lessons, newMax bool) {
	p := &req.Params
	if !known.Drops(remote.NoTemperature, p) {
		w.fraction(`,"temperature":`, p.Temperature)
	}
	if !known.Drops(remote.NoTopP, p) {
		w.fraction(`,"top_p":`, p.TopP)
	}
	if p.MaxTokens > 0 && !known.Drops(remote.NoMaxTokens, p) {
		name := `,"max_tokens":`
		if newMax {
			name = `,"max_completion_tokens":`
		}
		w.whole(name, int64(p.MaxTokens))
	}
	if p.Effort != "" && !known.Drops(remote.NoEffort, p) {
		w.field(`,"reasoning_effort":`, p.Effort)
	}
	if p.TopK > 0 && !known.Drops(remote.NoTopK, p) {
		w.whole(`,"top_k":`, int64(p.TopK))
	}
	if !known.Drops(remote.NoFrequency, p) {
		w.fraction(`,"frequency_penalty":`, p.Frequency)
	}
	if !known.Drops(remote.NoPresence, p) {
		w.fraction(`,"presence_penalty":`, p.Presence)
	}
	if p.Seed != nil && !known.Drops(remote.NoSeed, p) {
		name := `,"seed":`
		if w.kind == Mistral {
			name = `,"random_seed":`
		}
		w.whole(name, *p.Seed)
	}
	if len(p.Stop) > 0 && !known.Drops(remote.NoStop, p) {
		w.stop(p.Stop)
	}
	if p.Thinking > 0 && !known.Drops(remote.NoThinking, p) { // Google alone has a field for it
		w.whole(`,"extra_body":{"google":{"thinking_config":{"thinking_budget":`, int64(p.Thinking))
		w.raw("}}}")
	}
}

func (w *writer) whole(name string, value int64) {
	w.raw(name)
	w.to = strconv.AppendInt(w.to, value, 10)
}

func (w *writer) fraction(name string, value *float64) {
	if value != nil {
		w.raw(name)
		w.to = strconv.AppendFloat(w.to, *value, 'g', -1, 64)
	}
}

func (w *writer) stop(words []string) {
	for i, word := range words {
		if i == 0 {
			w.field(`,"stop":[`, word)
		} else {
			w.field(",", word)
		}
	}
	w.raw("]")
}

// strict reports whether the schema is one that OpenAI holds a model to exactly.
// It refuses the whole request when strictness is asked for any other schema, so
// this errs on the side of no.
func strict(schema []byte) bool {
	var parsed any
	if json.Unmarshal(schema, &parsed) != nil {
		return false
	}
	root, ok := parsed.(map[string]any)
	return ok && root["type"] == "object" && strictSchema(parsed)
}

func strictSchema(schema any) bool {
	node, ok := schema.(map[string]any)
	if !ok {
		return false
	}
	for word, value := range node {
		switch word {
		case "type", "description", "enum", "const", "$ref", "required", "additionalProperties":
		case "properties", "$defs":
			children, ok := value.(map[string]any)
			if !ok {
				return false
			}
			for _, child := range children {
				if !strictSchema(child) {
					return false
				}
			}
		case "items":
			if !strictSchema(value) {
				return false
			}
		case "anyOf":
			children, ok := value.([]any)
			if !ok {
				return false
			}
			for _, child := range children {
				if !strictSchema(child) {
					return false
				}
			}
		default:
			return false
		}
	}
	return node["type"] != "object" || closedObject(node)
}

// closedObject reports whether an object allows no other property and requires
// all of its own.
func closedObject(node map[string]any) bool {
	properties, _ := node["properties"].(map[string]any)
	required, _ := node["required"].([]any)
	named := map[any]bool{}
	for _, name := range required {
		named[name] = true
	}
	for name := range properties {
		if !named[name] {
			return false
		}
	}
	return node["additionalProperties"] == false && len(named) == len(properties)
}
