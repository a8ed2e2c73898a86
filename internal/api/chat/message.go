package chat

import (
	"encoding/json"
	"fmt"
	"strings"

	"errand/internal/problem"
	"errand/internal/run"
)

// Message is an entry of the conversation as clients write it.
type Message struct {
	Role         string          `json:"role"`
	Content      json.RawMessage `json:"content"` // a string, a list of parts, or null
	ToolCalls    []ToolCall      `json:"tool_calls"`
	ToolCallID   string          `json:"tool_call_id"`
	Refusal      *string         `json:"refusal"`
	FunctionCall json.RawMessage `json:"function_call"`
}

// ToolCall is a call that an assistant has asked for.
type ToolCall struct {
	Index    *int         `json:"index,omitempty"` // in chunks
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"` // function
	Function FunctionCall `json:"function"`
}

// FunctionCall is what is called, and with what.
type FunctionCall struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

// Thread is the conversation of a request.
type Thread struct {
	System   string        // what its system and developer messages say, in order
	Messages []run.Message // all others
}

// Thread reads the conversation. Its error lists everything that is wrong with it,
// by path: messages[2].content[0].
func (q *Request) Thread() (Thread, error) {
	var t Thread
	if len(q.Messages) == 0 {
		return t, problem.Invalid("messages", "is required: at least one message, such as {\"role\": \"user\", \"content\": \"Hello\"}")
	}
	r := reader{faults: map[string]string{}, calls: map[string]string{}}
	var system []string
	for i := range q.Messages {
		m, ok := r.message(fmt.Sprintf("messages[%d]", i), &q.Messages[i])
		switch {
		case !ok:
		case m.Role != run.System:
			t.Messages = append(t.Messages, m)
		case m.Text != "":
			system = append(system, m.Text)
		}
	}
	if err := problem.InvalidFields(r.faults); err != nil {
		return t, err
	}
	t.System = strings.Join(system, "\n\n")
	return t, nil
}

// reader reads messages and collects what is wrong with them.
type reader struct {
	faults map[string]string
	calls  map[string]string // names of the calls so far, by id
}

func (r *reader) fault(path, format string, args ...any) {
	if r.faults[path] == "" {
		r.faults[path] = fmt.Sprintf(format, args...)
	}
}

func (r *reader) message(path string, in *Message) (m run.Message, ok bool) {
	before := len(r.faults)
	switch in.Role {
	case "system", "developer":
		m.Role = run.System
	case "user":
		m.Role = run.User
	case "assistant":
		m.Role = run.Assistant
		r.asked(path, in, &m)
	case "tool":
		m.Role, m.CallID, m.Tool = run.ToolRole, in.ToolCallID, r.calls[in.ToolCallID]
		if in.ToolCallID == "" {
			r.fault(path+".tool_call_id", "is required: the id of the call that this answers")
		}
	case "":
		r.fault(path+".role", "is required: system, developer, user, assistant or tool")
	default:
		r.fault(path+".role", "%.40q is no role: use system, developer, user, assistant or tool", in.Role)
	}
	r.content(path+".content", in.Content, &m)
	empty := m.Text == "" && len(m.Images) == 0
	switch {
	case m.Role == run.User && empty && len(r.faults) == before:
		r.fault(path+".content", "is empty: say something")
	case m.Role == run.Assistant && m.Text == "" && in.Refusal != nil:
		m.Text = *in.Refusal
	}
	return m, len(r.faults) == before
}

// asked reads the calls of an assistant.
func (r *reader) asked(path string, in *Message, m *run.Message) {
	if Set(in.FunctionCall) {
		r.fault(path+".function_call", "is the older form: send tool_calls")
	}
	for i, call := range in.ToolCalls {
		at := fmt.Sprintf("%s.tool_calls[%d]", path, i)
		switch {
		case call.ID == "":
			r.fault(at+".id", "is required")
		case call.Function.Name == "":
			r.fault(at+".function.name", "is required")
		}
		r.calls[call.ID] = call.Function.Name
		m.Calls = append(m.Calls, run.Call{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
	}
}

// content reads a string, a list of parts, or null.
func (r *reader) content(path string, raw json.RawMessage, m *run.Message) {
	switch text := strings.TrimSpace(string(raw)); {
	case text == "", text == "null":
	case text[0] == '"':
		_ = json.Unmarshal(raw, &m.Text) // well-formed: the body has been decoded
	case text[0] == '[':
		var parts []part
		if err := json.Unmarshal(raw, &parts); err != nil {
			r.fault(path, "must be a list of parts such as {\"type\": \"text\", \"text\": \"…\"}")
			return
		}
		for i := range parts {
			r.part(fmt.Sprintf("%s[%d]", path, i), &parts[i], m)
		}
	default:
		r.fault(path, "must be a string, a list of parts, or null")
	}
}
