package workflow

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"errand/internal/problem"
)

// CheckValues holds values to the parameters: each there, none beside them, all of
// their type. What is wrong is told by name.
func (t *Template) CheckValues(values map[string]Text) map[string]string {
	faults := map[string]string{}
	names := []string{}
	for i := range t.Parameters {
		p := &t.Parameters[i]
		names = append(names, p.Name)
		value, given := values[p.Name]
		switch {
		case !given:
			faults[p.Name] = "is missing: the cached workflow needs it"
		case !fits(p.Type, value):
			faults[p.Name] = fmt.Sprintf("must be a %s", p.Type)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !slices.Contains(names, name) {
			faults[name] = "is no parameter of the cached workflow: there are " + strings.Join(names, ", ")
			if near := problem.Nearest(name, names); near != "" {
				faults[name] = fmt.Sprintf("is no parameter of the cached workflow: did you mean %q?", near)
			}
		}
	}
	return faults
}

// letters is what makes the words around a placeholder say something.
var letters = regexp.MustCompile(`\p{L}{2,}`)

// Align reads the values off a prompt that is the recorded one but for them. It
// reports false for any other, and where there is more than one way to read it.
func (t *Template) Align(prompt string) (map[string]Text, bool) {
	if len(t.Parameters) == 0 {
		return map[string]Text{}, true // there is nothing to read
	}
	if !letters.MatchString(placeholder.ReplaceAllString(t.Prompt, " ")) {
		return nil, false
	}
	short, ok := t.read(prompt, `(.+?)`)
	if !ok {
		return nil, false
	}
	long, ok := t.read(prompt, `(.+)`)
	return short, ok && maps.Equal(short, long) && len(t.CheckValues(short)) == 0
}

// read matches the prompt against the recorded one; each is what a value may be.
func (t *Template) read(prompt, each string) (map[string]Text, bool) {
	var pattern strings.Builder
	pattern.WriteString(`(?is)^`)
	var names []string
	end, recorded := 0, strings.TrimSpace(t.Prompt)
	for _, at := range placeholder.FindAllStringSubmatchIndex(recorded, -1) {
		pattern.WriteString(literally(recorded[end:at[0]]) + each)
		names = append(names, recorded[at[2]:at[3]])
		end = at[1]
	}
	pattern.WriteString(literally(recorded[end:]) + `$`)
	matcher, err := regexp.Compile(pattern.String())
	if err != nil {
		return nil, false // a prompt too long for a pattern
	}
	found := matcher.FindStringSubmatch(strings.TrimSpace(prompt))
	if found == nil {
		return nil, false
	}
	values := map[string]Text{}
	for i, name := range names {
		value := Text(strings.TrimSpace(found[i+1]))
		if before, twice := values[name]; twice && before != value || value == "" {
			return nil, false
		}
		values[name] = value
	}
	return values, true
}

// spaces are where one prompt may be wrapped otherwise than the other.
var spaces = regexp.MustCompile(`\s+`)

func literally(text string) string {
	return spaces.ReplaceAllString(regexp.QuoteMeta(text), `\s+`)
}

// ValuesRequest asks a model for the values that a prompt gives the parameters.
func (t *Template) ValuesRequest(prompt string) string {
	var list strings.Builder
	for i := range t.Parameters {
		p := &t.Parameters[i]
		fmt.Fprintf(&list, "- %s (%s): %s; last time it was %q\n", p.Name, p.Type, p.Description, string(p.Example))
	}
	return "A task that was carried out before is to be carried out again with other values. Find in the new task the value of each parameter, " +
		`letter for letter as it stands there. Answer with JSON: {"parameterValues":{name: value, …}}. If the new task has no value for one, give the one of last time.` +
		"\n\nThe task as it was, with placeholders:\n" + t.Prompt + "\n\nThe parameters:\n" + list.String() + "\nThe new task:\n" + prompt
}

// ValuesSchema is what a model answers that is asked for values.
func (t *Template) ValuesSchema() (json.RawMessage, error) {
	properties, names := map[string]any{}, []string{}
	for i := range t.Parameters {
		kind := t.Parameters[i].Type
		if kind == "url" {
			kind = "string"
		}
		properties[t.Parameters[i].Name] = map[string]any{"type": kind}
		names = append(names, t.Parameters[i].Name)
	}
	object := func(properties map[string]any, required []string) map[string]any {
		return map[string]any{"type": "object", "properties": properties, "required": required, "additionalProperties": false}
	}
	return json.Marshal(object(map[string]any{"parameterValues": object(properties, names)}, []string{"parameterValues"}))
}

// ReadValues reads a model's answer.
func ReadValues(answer []byte) (map[string]Text, error) {
	var said struct {
		Values map[string]Text `json:"parameterValues"`
	}
	if err := json.Unmarshal(answer, &said); err != nil {
		return nil, fmt.Errorf("reading the values of parameters: %w", err)
	}
	return said.Values, nil
}
