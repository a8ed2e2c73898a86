package swarms

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
)

// Two kinds of fault are kept apart, as the API's own framework does. What does
// not have the shape of a request is 422, with a place for each fault; what has it
// and makes no sense is 400, in a sentence. rejected is the first kind.
type rejected struct{ entries []entry }

// entry is a fault of shape.
type entry struct {
	Type  string          `json:"type"`
	Loc   []any           `json:"loc"` // names and indexes, beginning with body
	Msg   string          `json:"msg"`
	Input json.RawMessage `json:"input"`
}

// The types of an entry.
const (
	missing   = "missing"
	typeError = "type_error"
)

// Error is for logs.
func (r *rejected) Error() string { return "the body has not the shape of a request" }

// reject returns a fault of shape as a problem that a batch can quote.
func reject(entries ...entry) error {
	fields := map[string]string{}
	for _, e := range entries {
		fields[spell(e.Loc)] = e.Msg
	}
	return problem.InvalidFields(fields).Because(&rejected{entries})
}

// refuse returns faults of sense, or nil when there are none.
func refuse(faults agent.Faults) error {
	if len(faults) == 0 {
		return nil
	}
	return problem.New(problem.InvalidRequest, "Agent validation error: %s", problem.InvalidFields(faults).Detail)
}

// readCompletion reads a body. at is its place in a batch, nothing for a body of
// its own.
func readCompletion(text json.RawMessage, at ...any) (completionIn, error) {
	var in completionIn
	root := append([]any{"body"}, at...)
	if len(text) == 0 {
		return in, reject(entry{Type: missing, Loc: root, Msg: "Field required", Input: json.RawMessage("null")})
	}
	if kindOf(text) != '{' && json.Valid(text) {
		return in, reject(entry{Type: typeError, Loc: root, Msg: "must be an object", Input: quote(text)})
	}
	if err := decode(text, &in, root); err != nil {
		return in, err
	}
	if in.Agent == nil {
		return in, reject(entry{Type: missing, Loc: append(root, "agent_config"), Msg: "Field required", Input: quote(text)})
	}
	return in, in.shape(text, root)
}

// decode reads an object. A text that is no sound JSON is a fault of sense: there
// is no place in it that could be named.
func decode(text json.RawMessage, into any, root []any) error {
	err := wire.Decode(text, into, false)
	told := problem.From(err)
	if err == nil || told.Code != problem.InvalidRequest {
		return err
	}
	var nothing struct{}
	if unsound := wire.Decode(text, &nothing, false); unsound != nil {
		return problem.New(problem.InvalidRequest, "%s", problem.From(unsound).Detail)
	}
	var entries []entry
	for _, path := range slices.Sorted(maps.Keys(told.Fields)) {
		loc := place(path)
		entries = append(entries, entry{Type: typeError, Loc: append(slices.Clone(root), loc...), Msg: told.Fields[path], Input: quote(find(text, loc))})
	}
	return reject(entries...)
}

// shape finds what Go's types do not say about a request.
func (in *completionIn) shape(text json.RawMessage, root []any) error {
	var entries []entry
	wrong := func(kind, message string, input json.RawMessage, loc ...any) {
		entries = append(entries, entry{Type: kind, Loc: append(slices.Clone(root), loc...), Msg: message, Input: quote(input)})
	}
	if kind := kindOf(in.History); kind != 0 && kind != '[' && kind != '{' {
		wrong(typeError, "must be a list of messages or an object", in.History, "history")
	}
	for i, function := range in.Agent.Functions {
		if message := functionFault(function); message != "" {
			wrong(typeError, message, function, "agent_config", "tools_list_dictionary", i)
		}
	}
	if c := in.Agent.MCPConfigs; c != nil && c.Connections == nil {
		wrong(missing, "Field required", find(text, []any{"agent_config", "mcp_configs"}), "agent_config", "mcp_configs", "connections")
	}
	if len(entries) == 0 {
		return nil
	}
	return reject(entries...)
}

// kindOf is the first byte of a JSON text, or 0 for none and for null.
func kindOf(text json.RawMessage) byte {
	trimmed := bytes.TrimLeft(text, " \t\r\n")
	if len(trimmed) == 0 || trimmed[0] == 'n' {
		return 0
	}
	return trimmed[0]
}

// place turns a path such as agent_config.imgs[0] into names and indexes.
func place(path string) []any {
	var loc []any
	for part := range strings.SplitSeq(strings.ReplaceAll(path, "[", ".["), ".") {
		index, isIndex := strings.CutPrefix(part, "[")
		if n, err := strconv.Atoi(strings.TrimSuffix(index, "]")); isIndex && err == nil {
			loc = append(loc, n)
		} else if part != "" {
			loc = append(loc, part)
		}
	}
	return loc
}

// spell is the path of a place, without the body that all begin with.
func spell(loc []any) string {
	path := ""
	for _, part := range loc[1:] {
		switch part := part.(type) {
		case int:
			path += "[" + strconv.Itoa(part) + "]"
		case string:
			if path != "" {
				path += "."
			}
			path += part
		}
	}
	if path == "" {
		return "body"
	}
	return path
}

// find returns the value at a place of a sound text, or nil.
func find(text json.RawMessage, loc []any) json.RawMessage {
	for _, part := range loc {
		switch part := part.(type) {
		case int:
			var list []json.RawMessage
			if json.Unmarshal(text, &list) != nil || part >= len(list) {
				return nil
			}
			text = list[part]
		case string:
			var object map[string]json.RawMessage
			if json.Unmarshal(text, &object) != nil {
				return nil
			}
			text = object[part]
		}
	}
	return text
}

// maxQuote bounds what an error repeats of what was sent: enough to recognise it
// by, and too little for an image.
const maxQuote = 2 << 10

func quote(text json.RawMessage) json.RawMessage {
	if len(text) == 0 || len(text) > maxQuote {
		return json.RawMessage("null")
	}
	return text
}
