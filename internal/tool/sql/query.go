package sql

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	"errand/internal/tool"
)

// Query is a named query as the operator's file has it.
type Query struct {
	DSN         string           `json:"dsn"`       // sqlite:PATH, or postgres://…
	Statement   string           `json:"statement"` // SELECT … WHERE status = :status
	Parameters  map[string]Param `json:"parameters,omitempty"`
	MaxRows     int              `json:"max_rows,omitempty"` // 0 = 100
	Description string           `json:"description,omitempty"`
	TimeoutS    int              `json:"timeout_s,omitempty"` // 0 = 10
	Scope       string           `json:"scope,omitempty"`     // needed on the run's key at the step
}

// Param is one of a query's parameters.
type Param struct {
	Type        string `json:"type"` // string, integer, number, boolean or date (2026-01-31)
	Description string `json:"description,omitempty"`
	Enum        []any  `json:"enum,omitempty"`
	Default     any    `json:"default,omitempty"`
	Required    bool   `json:"required,omitempty"` // else the default is bound, or NULL
}

const (
	defaultRows    = 100
	maxRows        = 10_000
	defaultSeconds = 10 // longer than a query that an agent should make
	maxSeconds     = 600
)

const datePattern = `^[0-9]{4}-[0-9]{2}-[0-9]{2}$`

var paramName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,62}$`)

// types maps what a parameter may be to how a JSON schema says it.
var types = map[string]map[string]any{
	"string":  {"type": "string"},
	"integer": {"type": "integer"},
	"number":  {"type": "number"},
	"boolean": {"type": "boolean"},
	"date":    {"type": "string", "format": "date", "pattern": datePattern},
}

// check reports everything that is wrong with a query, naming each field.
func (q Query) check(name string) error {
	var errs []error
	wrong := func(field, format string, args ...any) {
		errs = append(errs, fmt.Errorf("sql.%s%s: %s", name, field, fmt.Sprintf(format, args...)))
	}
	if !tool.ValidName(name) {
		wrong("", "the name must be 1 to 64 letters, digits, dots, underscores or dashes, for example finance.read")
	}
	if q.MaxRows < 0 || q.MaxRows > maxRows {
		wrong(".max_rows", "must be from 1 to %d", maxRows)
	}
	if q.TimeoutS < 0 || q.TimeoutS > maxSeconds {
		wrong(".timeout_s", "must be from 1 to %d", maxSeconds)
	}
	for _, param := range slices.Sorted(maps.Keys(q.Parameters)) {
		p, field := q.Parameters[param], ".parameters."+param
		if !paramName.MatchString(param) {
			wrong(field, "the name must be letters, digits and underscores")
		}
		if types[p.Type] == nil {
			wrong(field+".type", "must be string, integer, number, boolean or date")
			continue
		}
		for i, allowed := range p.Enum {
			if _, err := p.value(allowed); err != nil {
				wrong(fmt.Sprintf("%s.enum[%d]", field, i), "%s", err)
			}
		}
		if p.Default != nil {
			if _, err := p.value(p.Default); err != nil {
				wrong(field+".default", "%s", err)
			}
			if p.Required {
				wrong(field+".default", "a required parameter has no default: leave one of the two out")
			}
		}
	}
	return errors.Join(errs...)
}

// schema is the JSON schema of the tool's arguments.
func (q Query) schema() (json.RawMessage, error) {
	properties, required := map[string]any{}, []string{}
	for name, p := range q.Parameters {
		property := maps.Clone(types[p.Type])
		if p.Description != "" {
			property["description"] = p.Description
		}
		if len(p.Enum) > 0 {
			property["enum"] = p.Enum
		}
		if p.Default != nil {
			property["default"] = p.Default
		}
		properties[name] = property
		if p.Required {
			required = append(required, name)
		}
	}
	slices.Sort(required)
	whole := map[string]any{"type": "object", "properties": properties, "additionalProperties": false}
	if len(required) > 0 {
		whole["required"] = required
	}
	return json.Marshal(whole)
}

// values turns a call's arguments into what is bound, in the order of names. An
// argument that is left out or null is the default, or NULL.
func (q Query) values(arguments json.RawMessage, names []string) ([]any, error) {
	decoder := json.NewDecoder(strings.NewReader(string(arguments)))
	decoder.UseNumber()
	given := map[string]any{}
	if err := decoder.Decode(&given); err != nil {
		return nil, errors.New("the arguments are not a JSON object")
	}
	for name := range given {
		if _, known := q.Parameters[name]; !known {
			return nil, fmt.Errorf("%q is not one of its parameters", tool.Cut(name, 64))
		}
	}
	bound := make([]any, len(names))
	for i, name := range names {
		p, value := q.Parameters[name], given[name]
		if value == nil {
			if p.Required {
				return nil, fmt.Errorf("%s is missing", name)
			}
			if value = p.Default; value == nil {
				continue
			}
		}
		var err error
		if bound[i], err = p.value(value); err != nil {
			return nil, fmt.Errorf("%s %w", name, err)
		}
		if !p.allows(bound[i]) {
			return nil, fmt.Errorf("%s must be one of %v", name, p.Enum)
		}
	}
	return bound, nil
}

func (p Param) allows(bound any) bool {
	if len(p.Enum) == 0 {
		return true
	}
	return slices.ContainsFunc(p.Enum, func(allowed any) bool {
		value, err := p.value(allowed)
		return err == nil && value == bound
	})
}

// value converts one JSON or YAML value to what is bound: string, int64, float64
// or bool.
func (p Param) value(given any) (any, error) {
	switch p.Type {
	case "string":
		if text, ok := given.(string); ok {
			return text, nil
		}
		return nil, errors.New("must be a string")
	case "boolean":
		if b, ok := given.(bool); ok {
			return b, nil
		}
		return nil, errors.New("must be true or false")
	case "date":
		text, ok := given.(string)
		if _, err := time.Parse(time.DateOnly, text); !ok || err != nil {
			return nil, errors.New("must be a date such as 2026-01-31")
		}
		return text, nil
	case "integer":
		return integer(given)
	default:
		number, err := json.Number(fmt.Sprint(given)).Float64()
		if _, isText := given.(string); isText || err != nil {
			return nil, errors.New("must be a number")
		}
		return number, nil
	}
}

// integer reads a whole number; JSON schema counts 2.0 and 2e3 among them.
func integer(given any) (any, error) {
	wrong := errors.New("must be a whole number")
	if _, isText := given.(string); isText {
		return nil, wrong
	}
	number := json.Number(fmt.Sprint(given))
	if exact, err := number.Int64(); err == nil {
		return exact, nil
	}
	f, err := number.Float64()
	if err != nil || f != math.Trunc(f) || math.Abs(f) > 1<<53 {
		return nil, wrong
	}
	return int64(f), nil
}
