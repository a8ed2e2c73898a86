package swarms

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/go-json-experiment/json/jsontext"

	"errand/internal/agent"
	"errand/internal/run"
)

// toolExecutor is who speaks when this API shows what a tool has returned.
const toolExecutor = "Tool Executor"

// spoken is a message of a history.
type spoken struct {
	Role    *string         `json:"role"`
	Content json.RawMessage `json:"content"`
}

// said is an element of a history, in order: key is empty in a list.
type said struct {
	key   string
	value json.RawMessage
}

// readHistory turns a history into messages. A list has a message in each element.
// A dictionary whose values are all messages is read in the order in which it was
// written; any other is facts, which the model gets as one text.
func readHistory(text json.RawMessage, self string, faults agent.Faults) []run.Message {
	all, err := inOrder(text)
	if err != nil {
		faults.Add("history", "is not valid JSON.") // the body was, so this is unreachable
		return nil
	}
	isList := kindOf(text) == '['
	messages := make([]spoken, len(all))
	for i, one := range all {
		m := &messages[i]
		shaped := kindOf(one.value) == '{' && json.Unmarshal(one.value, m) == nil && m.Role != nil && m.Content != nil
		switch {
		case !shaped && isList:
			faults.Add(fmt.Sprintf("history[%d]", i), "must be a message: an object with role and content.")
			return nil
		case !shaped:
			return []run.Message{{Role: run.User, Text: facts(all)}}
		}
	}
	var history []run.Message
	for i := range messages {
		field := fmt.Sprintf("history[%d].role", i)
		if !isList {
			field = "history." + all[i].key + ".role"
		}
		if message := messages[i].message(self, field, faults); message.Text != "" {
			history = append(history, message)
		}
	}
	return history
}

// message is what a model sees of it. Outputs of an earlier answer may be given
// back as they came, so the agent may speak under its own name.
func (m *spoken) message(self, field string, faults agent.Faults) run.Message {
	message := run.Message{Text: content(m.Content)}
	switch role := *m.Role; {
	case strings.EqualFold(role, "user"), strings.EqualFold(role, "human"):
		message.Role = run.User
	case strings.EqualFold(role, "assistant"), role == toolExecutor, role == self:
		message.Role = run.Assistant
	default:
		faults.Add(field, fmt.Sprintf("must be user or assistant, not %q; instructions belong into agent_config.system_prompt.", clip(role)))
	}
	return message
}

// inOrder lists the elements of an array, or the members of an object, as they
// were written. A map would forget the order.
func inOrder(text json.RawMessage) ([]said, error) {
	if kindOf(text) == 0 {
		return nil, nil
	}
	decoder := jsontext.NewDecoder(bytes.NewReader(text))
	open, err := decoder.ReadToken()
	if err != nil {
		return nil, err
	}
	var all []said
	for kind := decoder.PeekKind(); kind != ']' && kind != '}'; kind = decoder.PeekKind() {
		var one said
		if open.Kind() == '{' {
			name, err := decoder.ReadToken()
			if err != nil {
				return nil, err
			}
			one.key = name.String()
		}
		value, err := decoder.ReadValue()
		if err != nil {
			return nil, err
		}
		one.value = bytes.Clone(value)
		all = append(all, one)
	}
	return all, nil
}

// facts writes a dictionary as lines, for a model.
func facts(all []said) string {
	var out strings.Builder
	out.WriteString("What is known from before:")
	for _, one := range all {
		fmt.Fprintf(&out, "\n%s: %s", one.key, content(one.value))
	}
	return out.String()
}

// content is a text as it is, and anything else as JSON.
func content(value json.RawMessage) string {
	var text string
	if json.Unmarshal(value, &text) == nil { // null is no text
		return text
	}
	return string(value)
}

// clip bounds what an error repeats of a value.
func clip(text string) string {
	const limit = 80
	if len(text) <= limit {
		return text
	}
	return strings.ToValidUTF8(text[:limit], "") + "…"
}
