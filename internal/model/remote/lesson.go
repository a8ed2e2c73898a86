package remote

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"errand/internal/problem"
	"errand/internal/run"
)

// Lessons are what a model was found not to take, one bit each.
type Lessons uint32

// The lessons about parameters of run.Params: these are left out only where a
// default had set them.
const (
	NoTemperature Lessons = 1 << iota
	NoTopP
	NoMaxTokens
	NoEffort
	NoThinking
	NoTopK
	NoFrequency
	NoPresence
	NoSeed
	NoStop

	NoSchema  // an output schema is refused: it is asked for in words
	NoRequire // a required tool is refused: it is asked for in words
	firstFree
)

// Own is the first of the lessons that a client may give a meaning of its own.
const Own Lessons = firstFree

// Has reports whether one is among the lessons.
func (l Lessons) Has(one Lessons) bool { return l&one != 0 }

// Drops reports whether a parameter is to be left out: the model refuses it, and
// the caller did not ask for it.
func (l Lessons) Drops(one Lessons, p *run.Params) bool {
	return l.Has(one) && slices.ContainsFunc(p.Defaults, func(name string) bool { return LessonOf(name) == one })
}

// LessonOf is the lesson about a parameter by its name in run.Params; 0 for a
// name that is not one of them.
func LessonOf(name string) Lessons {
	switch name {
	case "temperature":
		return NoTemperature
	case "top_p":
		return NoTopP
	case "max_tokens":
		return NoMaxTokens
	case "effort":
		return NoEffort
	case "thinking":
		return NoThinking
	case "top_k":
		return NoTopK
	case "frequency_penalty":
		return NoFrequency
	case "presence_penalty":
		return NoPresence
	case "seed":
		return NoSeed
	case "stop":
		return NoStop
	}
	return 0
}

// Set are the names of the parameters that a request has.
func Set(p *run.Params) []string {
	var names []string
	for _, each := range []struct {
		name string
		set  bool
	}{
		{"temperature", p.Temperature != nil}, {"top_p", p.TopP != nil}, {"max_tokens", p.MaxTokens > 0},
		{"effort", p.Effort != ""}, {"thinking", p.Thinking > 0}, {"top_k", p.TopK > 0},
		{"frequency_penalty", p.Frequency != nil}, {"presence_penalty", p.Presence != nil},
		{"seed", p.Seed != nil}, {"stop", len(p.Stop) > 0},
	} {
		if each.set {
			names = append(names, each.name)
		}
	}
	return names
}

// Unheard finds a parameter that the caller set and that a provider is known not
// to have, so that it would be passed over in silence; "" when there is none.
func Unheard(p *run.Params, never Lessons) string {
	if never == 0 {
		return ""
	}
	for _, name := range Set(p) {
		if one := LessonOf(name); never.Has(one) && !never.Drops(one, p) {
			return name
		}
	}
	return ""
}

// Refused is the error about a parameter that the caller set and a model does not
// take; why is a whole clause, such as "the provider says: …".
func Refused(model, name, why string) *problem.Error {
	refused := problem.New(problem.ModelRefused, "%s refuses the parameter %s; leave it out, change it or choose another model (%s)", model, name, why)
	refused.Fields = map[string]string{name: fmt.Sprintf("refused by the model %s", model)}
	return refused
}

// HasWord reports whether text has word in it with no letter, digit or
// underscore beside it.
func HasWord(text, word string) bool {
	part := func(c byte) bool { return c != '-' && LegalByte(c) }
	for from := 0; ; {
		i := strings.Index(text[from:], word)
		if i < 0 {
			return false
		}
		start := from + i
		end := start + len(word)
		if (start == 0 || !part(text[start-1])) && (end == len(text) || !part(text[end])) {
			return true
		}
		from = end
	}
}

// WithSchema asks for an output in words, of a provider that can't be held to its
// schema; the answer is checked by the core in either case.
func WithSchema(messages []run.Message, schema []byte) []run.Message {
	return withWish(messages, "Answer with nothing but JSON that satisfies this JSON schema:\n"+string(schema))
}

// WithRequired asks for the call of a tool in words, of a provider that can't be
// held to it; wire is the tool's name as the provider knows it.
func WithRequired(messages []run.Message, wire string) []run.Message {
	if wire == run.AnyTool {
		return withWish(messages, "Begin with a call of one of the tools, whatever the message says.")
	}
	return withWish(messages, "Begin with a call of the tool "+wire+", whatever the message says.")
}

// withWish adds to the instructions.
func withWish(messages []run.Message, wish string) []run.Message {
	if len(messages) > 0 && messages[0].Role == run.System {
		first := messages[0]
		first.Text += "\n\n" + wish
		return append([]run.Message{first}, messages[1:]...)
	}
	return append([]run.Message{{Role: run.System, Text: wish}}, messages...)
}

// maxRemembered bounds the memory of lessons: more models than an endpoint has.
const maxRemembered = 1000

// Memory keeps the lessons about each model.
type Memory struct {
	mu      sync.Mutex
	learned map[string]Lessons
}

// Of returns what was learned about a model.
func (m *Memory) Of(model string) Lessons {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.learned[model]
}

// Add adds to what is known of a model.
func (m *Memory) Add(model string, learned Lessons) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.learned == nil || len(m.learned) >= maxRemembered {
		m.learned = map[string]Lessons{}
	}
	m.learned[model] |= learned
}
