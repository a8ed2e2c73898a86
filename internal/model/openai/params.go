package openai

import (
	"slices"
	"strings"
	"sync"

	"errand/internal/problem"
	"errand/internal/run"
)

// lessons are what a model was found not to take, one bit each.
type lessons uint8

const (
	noTemperature   lessons = 1 << iota // these four are left out only where a default had set them
	noTopP                              //
	noMaxTokens                         //
	noEffort                            //
	otherMax                            // max_tokens goes by its other spelling
	noStreamOptions                     // usage in a stream can't be asked for
	noSchema                            // response_format is refused: the schema is asked for in words
)

func (l lessons) has(one lessons) bool { return l&one != 0 }

// drops reports whether the parameter is to be left out: the model refuses it,
// and the caller did not ask for it.
func (l lessons) drops(one lessons, p *run.Params) bool {
	return l.has(one) && slices.ContainsFunc(p.Defaults, func(name string) bool { return lessonOf(name) == one })
}

// lessonOf is the lesson about a parameter, by its name in run.Params or on the
// wire; 0 for one that is not ours.
func lessonOf(name string) lessons {
	switch name {
	case "temperature":
		return noTemperature
	case "top_p":
		return noTopP
	case "max_tokens", "max_completion_tokens":
		return noMaxTokens
	case "effort", "reasoning_effort", "reasoning.effort":
		return noEffort
	case "stream_options", "include_usage":
		return noStreamOptions
	case "response_format", "json_schema":
		return noSchema
	}
	return 0
}

// sent are the wire names of the parameters that a request may have had and a
// provider may refuse.
func sent(req *run.Request) []string {
	names := []string{"stream_options"}
	if req.Params.Temperature != nil {
		names = append(names, "temperature")
	}
	if req.Params.TopP != nil {
		names = append(names, "top_p")
	}
	if req.Params.MaxTokens > 0 {
		names = append(names, "max_tokens", "max_completion_tokens")
	}
	if req.Params.Effort != "" {
		names = append(names, "reasoning_effort")
	}
	if len(req.Output) > 0 {
		names = append(names, "response_format")
	}
	return names
}

// refusal is a provider's error about one parameter of the request.
type refusal struct {
	param   string // its name on the wire
	message string // the provider's, fit for the public
	status  int
}

func (r *refusal) Error() string { return "the provider refuses " + r.param }

// refusedParam finds the parameter that an error is about: by the field that
// names it, else by its message, which OpenAI's and its imitators' spell alike.
func refusedParam(said said, req *run.Request) string {
	names := sent(req)
	if slices.Contains(names, said.param) {
		return said.param
	}
	if said.param != "" && lessonOf(said.param) == 0 || said.code == "context_length_exceeded" {
		return ""
	}
	for _, name := range names {
		if hasWord(said.message, name) {
			return name
		}
	}
	return ""
}

// hasWord reports whether text has word in it with no letter, digit or
// underscore beside it.
func hasWord(text, word string) bool {
	part := func(c byte) bool { return c != '-' && legalByte(c) }
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

// lesson is what the refusal teaches beyond what was known; nothing when the
// caller insists on the parameter.
func (r *refusal) lesson(req *run.Request, known lessons) lessons {
	one := lessonOf(r.param)
	other := "max_completion_tokens"
	if r.param == other {
		other = "max_tokens"
	}
	switch {
	case one == noMaxTokens && !known.has(otherMax) && hasWord(r.message, other):
		return known | otherMax
	case one == noStreamOptions, one == noSchema, (known | one).drops(one, &req.Params):
		return known | one
	}
	return known
}

// problem names the parameter to the caller who set it.
func (r *refusal) problem(model string, req *run.Request) *problem.Error {
	name := r.param
	switch lessonOf(r.param) {
	case noEffort:
		name = "effort"
	case noMaxTokens:
		name = "max_tokens"
	}
	refused := problem.New(problem.ModelRefused, "%s refuses the parameter %s; leave it out, change it or choose another model (the provider says: %s)", model, name, r.message)
	refused.Fields = map[string]string{name: "refused by the model " + model}
	return refused
}

// maxRemembered bounds the memory of lessons: more models than an endpoint has.
const maxRemembered = 1000

// memory keeps the lessons about each model.
type memory struct {
	mu      sync.Mutex
	learned map[string]lessons
}

func (m *memory) of(model string) lessons {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.learned[model]
}

func (m *memory) add(model string, learned lessons) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.learned == nil || len(m.learned) >= maxRemembered {
		m.learned = map[string]lessons{}
	}
	m.learned[model] |= learned
}
