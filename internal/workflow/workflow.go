// Package workflow makes a recorded run repeatable: the calls that worked become a
// template with parameters, a template with values becomes a plan, and a plan is
// played as an ordinary durable run whose model mostly is the record.
//
// What it promises:
//   - Whatever a value holds (quotes, backslashes, braces), what it is filled into
//     stays the JSON that it was, and a URL stays the URL that it was.
//   - Filling a template with the values that it was recorded with gives the calls
//     that were recorded.
//   - A replay calls no model while the recorded calls succeed and the task wants
//     no structured answer. One that fails is mended by the model, in at most three
//     attempts, and what was mended is marked.
//   - It never answers with what was true of another run: see Template.Answer.
//
// A tour: workflow.go (the template), record.go (a run becomes one), name.go (which
// parts of it are parameters), fill.go (values into strings and out of them),
// value.go (values from a new prompt), plan.go (what a replay has to do), player.go
// (doing it).
//
// To change what can be replayed, edit record.go; to change what happens when a
// recorded call fails, edit player.go.
package workflow

import (
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
)

// Template is a recorded run with parameters.
type Template struct {
	Prompt     string      `json:"prompt,omitempty"` // the task, with placeholders
	Parameters []Parameter `json:"parameters"`
	Steps      []Step      `json:"steps"`
}

// Parameter is a part of the task that may be another one next time.
type Parameter struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	Type        string `json:"type"` // string, number, boolean or url
	Example     Text   `json:"exampleValue"`
}

// Step is what one turn of the model did, and why.
type Step struct {
	Number      int      `json:"step_number"`
	Description string   `json:"description"`
	Actions     []Action `json:"actions"`
}

// Action is one recorded call.
type Action struct {
	Step      int             `json:"step_number"`
	Number    int             `json:"action_number"`
	Name      string          `json:"name"` // without browser.
	Params    json.RawMessage `json:"params"`
	IsDone    bool            `json:"is_done"`
	Success   *bool           `json:"success"`
	Extracted *string         `json:"extracted_content"`
	Error     *string         `json:"error"`
	InMemory  bool            `json:"include_in_memory"`
}

// Done is the action that ends a run with an answer. It is no tool here.
const Done = "done"

// Result stands, in the text of the last action, for what the last call of the
// replay itself has brought.
const Result = "{{ result }}"

// Text is a value as text. In JSON it may be a number or a boolean, too.
type Text string

// UnmarshalJSON reads a string, a number or a boolean.
func (t *Text) UnmarshalJSON(text []byte) error {
	var value any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	switch value := value.(type) {
	case string:
		*t = Text(value)
	case float64, bool:
		*t = Text(text)
	case nil:
		*t = ""
	default:
		return errors.New("must be a string, a number or a boolean")
	}
	return nil
}

// Bounds of a template that comes from outside: more than any recorded run has.
const (
	maxSteps      = 500
	maxActions    = 2000
	maxParameters = 50
)

// parameterName is what can stand in a placeholder.
var parameterName = regexp.MustCompile(`^\w{1,64}$`)

// types are the types of parameters.
func types() []string { return []string{"string", "number", "boolean", "url"} }

// Parse reads a template. A text of an object without steps is none: nil.
func Parse(text []byte) (*Template, error) {
	var t Template
	if err := json.Unmarshal(text, &t); err != nil {
		var wrong *json.UnmarshalTypeError
		if errors.As(err, &wrong) {
			return nil, fmt.Errorf("%s must be a %s", wrong.Field, wrong.Type)
		}
		return nil, err
	}
	if len(t.Steps) == 0 && len(t.Parameters) == 0 {
		return nil, nil
	}
	return &t, t.check()
}

// check finds what could not be replayed.
func (t *Template) check() error {
	calls := 0
	for s := range t.Steps {
		for i := range t.Steps[s].Actions {
			a := &t.Steps[s].Actions[i]
			if a.Name == "" {
				return fmt.Errorf("steps[%d].actions[%d].name is missing", s, i)
			}
			if len(a.Params) == 0 || string(a.Params) == "null" {
				a.Params = json.RawMessage("{}")
			}
			if _, err := mapStrings(a.Params, func(_, text string) string { return text }); err != nil || a.Params[0] != '{' {
				return fmt.Errorf("steps[%d].actions[%d].params must be an object", s, i)
			}
			if a.Name != Done {
				calls++
			}
		}
	}
	switch {
	case calls == 0:
		return errors.New("steps has no action to replay")
	case len(t.Steps) > maxSteps || calls > maxActions:
		return fmt.Errorf("steps has too many: at most %d with %d actions", maxSteps, maxActions)
	case len(t.Parameters) > maxParameters:
		return fmt.Errorf("parameters has too many: at most %d", maxParameters)
	}
	if t.Parameters == nil {
		t.Parameters = []Parameter{}
	}
	seen := map[string]bool{}
	for i := range t.Parameters {
		p := &t.Parameters[i]
		switch {
		case !parameterName.MatchString(p.Name) || seen[p.Name] || p.Name == "result":
			return fmt.Errorf("parameters[%d].name must be letters, digits and underscores, not result, and there once", i)
		case p.Type == "":
			p.Type = "string"
		case !slices.Contains(types(), p.Type):
			return fmt.Errorf("parameters[%d].type must be string, number, boolean or url", i)
		}
		seen[p.Name] = true
	}
	return nil
}

// Names are the actions that a replay calls, each once.
func (t *Template) Names() []string {
	var names []string
	for s := range t.Steps {
		for i := range t.Steps[s].Actions {
			if name := t.Steps[s].Actions[i].Name; name != Done && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

// Answer is what a replay answers with. A template that was recorded here says
// Result: the recorded answer told of the recorded run, and what it said (a price,
// an order's number) need not be true of the next one.
func (t *Template) Answer() string {
	for s := len(t.Steps) - 1; s >= 0; s-- {
		for i := len(t.Steps[s].Actions) - 1; i >= 0; i-- {
			if a := &t.Steps[s].Actions[i]; a.Name == Done {
				var params struct {
					Text string `json:"text"`
				}
				if json.Unmarshal(a.Params, &params) == nil && params.Text != "" {
					return params.Text
				}
			}
		}
	}
	return Result
}

// renumber counts steps and actions from 1.
func (t *Template) renumber() {
	for s := range t.Steps {
		t.Steps[s].Number = s + 1
		for i := range t.Steps[s].Actions {
			t.Steps[s].Actions[i].Step, t.Steps[s].Actions[i].Number = s+1, i+1
		}
	}
}

// unused is the name, with a number behind it if it is taken.
func unused(name string, taken func(string) bool) string {
	free := name
	for n := 2; taken(free); n++ {
		free = name + strconv.Itoa(n)
	}
	return free
}
