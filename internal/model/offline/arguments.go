package offline

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// filler builds a value for a schema from what a person wrote, from a row of an
// earlier result, and from a letter about both.
type filler struct {
	turn    *turn
	wish    *wish
	row     *row // nil when the value is not for one row
	letter  *letter
	sources []source
	used    map[string]bool // texts that already fill another parameter
}

// param is one place of a schema that wants a value.
type param struct {
	name     string
	stems    []string
	shape    *shape
	required bool
	depth    int
}

// source is one way to a value. The first whose candidate fits the schema wins.
type source struct {
	from     string // for readers of the table
	optional bool   // it is telling enough to fill what need not be filled
	find     func(*filler, *param) []any
}

// maxFilled bounds how many values one reply looks for: a thousand rows of a wide
// tool, and far less than a schema that multiplies itself.
const maxFilled = 50_000

// object fills an object, required members first, in the schema's order, so that
// they get the first of several values in the text. It returns the names of the
// required members that nothing gives a value for.
func (f *filler) object(s *shape, depth int) (filled map[string]any, missing []string) {
	filled = map[string]any{}
	if depth > maxDepth {
		return filled, nil
	}
	for _, name := range s.required {
		if _, ok := filled[name]; ok || slices.Contains(missing, name) {
			continue
		}
		if value, ok := f.value(newParam(name, s, true, depth)); ok {
			filled[name] = value
		} else {
			missing = append(missing, name)
		}
	}
	for _, name := range sorted(s.props) {
		if slices.Contains(s.required, name) {
			continue
		}
		if value, ok := f.value(newParam(name, s, false, depth)); ok {
			filled[name] = value
		}
	}
	return filled, missing
}

func newParam(name string, in *shape, required bool, depth int) *param {
	child := in.props[name]
	if child == nil { // required, but nothing is said about it
		child = &shape{longest: -1}
	}
	return &param{name: name, stems: stems(name), shape: child, required: required, depth: depth + 1}
}

func (f *filler) value(p *param) (any, bool) {
	if f.turn.filled++; f.turn.filled > maxFilled {
		return nil, false
	}
	for _, source := range f.sources {
		if !p.required && !source.optional {
			continue
		}
		for _, candidate := range source.find(f, p) {
			value, ok := p.shape.coerce(candidate)
			if !ok {
				continue
			}
			if text, isText := value.(string); isText && len(p.shape.enum) == 0 {
				f.used[text] = true
			}
			return value, true
		}
	}
	return nil, false
}

// arguments fills a tool's parameters. It returns the arguments as JSON, or what
// stands against the call in words for people.
func (t *turn) arguments(tool *tool, f *filler) (arguments, against string) {
	if tool.shape == nil {
		return "", "its parameters are not a schema that the rules can read"
	}
	f.turn, f.used = t, map[string]bool{}
	filled, missing := f.object(tool.shape, 0)
	if len(missing) > 0 {
		more := *f
		more.wish, more.row = &t.standing, nil
		for _, name := range missing {
			p := newParam(name, tool.shape, true, 0)
			p.required = false // the instructions give values only where they name them
			value, ok := more.value(p)
			if !ok {
				return "", "nothing gives a value for " + code(name)
			}
			filled[name] = value
		}
	}
	text, ok := t.fits(tool.Parameters, filled)
	if !ok { // once more with nothing but what must be there
		for _, name := range sorted(filled) {
			if !slices.Contains(tool.shape.required, name) {
				delete(filled, name)
			}
		}
		if text, ok = t.fits(tool.Parameters, filled); !ok {
			return "", "the values at hand do not satisfy its schema"
		}
	}
	return text, ""
}

// fits encodes a value and asks the Checker about it.
func (t *turn) fits(schema []byte, value any) (string, bool) {
	text, err := encode(value)
	if err != nil {
		return "", false
	}
	if t.schemas == nil || len(bytes.TrimSpace(schema)) == 0 {
		return text, true
	}
	return text, t.schemas.Validate(schema, []byte(text)) == nil
}

// object encodes arguments that the rules have put together themselves, if they
// satisfy the tool's schema.
func (t *turn) object(tool *tool, value map[string]any) (planned, bool) {
	arguments, ok := t.fits(tool.Parameters, value)
	return planned{tool: tool, arguments: arguments, key: key(tool.Name, arguments)}, ok
}

// encode writes JSON in one spelling for equal values: members sorted, and <, >
// and & as they are, for people read it.
func encode(value any) (string, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "", err
	}
	return strings.TrimSuffix(out.String(), "\n"), nil
}

func code(name string) string { return "`" + name + "`" }
