package offline

import (
	"bytes"
	"encoding/json"
	"math"
	"net/url"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// shape is the part of a JSON schema that can be filled by rules. What it leaves
// out (not, if, dependencies …) is left to the Checker.
type shape struct {
	types       []string // empty = any
	enum        []any    // const is an enum of one
	required    []string
	props       map[string]*shape
	items       *shape
	least, most *float64 // bounds of a number
	beyond      bool     // the bounds themselves are excluded
	shortest    int      // minLength, minItems
	longest     int      // maxLength, maxItems; -1 = no limit
	pattern     *regexp.Regexp
	format      string
	description string
	fallback    any // default
	hasFallback bool
	either      []*shape // anyOf, oneOf
}

// maxDepth bounds how deep a schema is read: a schema that refers to itself has
// no end.
const maxDepth = 10

// readShape reads a schema; nil text takes no arguments. It reports false for
// what is no schema of an object at all.
func readShape(text []byte) (*shape, bool) {
	if len(bytes.TrimSpace(text)) == 0 {
		return &shape{types: []string{"object"}, longest: -1}, true
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var root any
	if err := decoder.Decode(&root); err != nil {
		return nil, false
	}
	r := reader{root: root, left: 4096}
	s := r.read(root, 0)
	return s, s != nil
}

// reader reads a schema with references to its own parts.
type reader struct {
	root any
	left int // how many subschemas may still be read: a bound for hostile ones
}

func (r *reader) read(node any, depth int) *shape {
	if r.left--; r.left < 0 || depth > maxDepth {
		return &shape{longest: -1}
	}
	if allowed, ok := node.(bool); ok && allowed {
		return &shape{longest: -1}
	}
	object, ok := node.(map[string]any)
	if !ok {
		return nil
	}
	s := &shape{longest: -1}
	if ref, ok := object["$ref"].(string); ok {
		if target := r.read(r.resolve(ref), depth+1); target != nil {
			*s = *target
		}
	}
	r.fields(s, object)
	r.nested(s, object, depth)
	for _, part := range list(object["allOf"]) {
		if more := r.read(part, depth+1); more != nil {
			s.merge(more)
		}
	}
	return s
}

// resolve follows "#/$defs/name"; a reference to elsewhere leads nowhere.
func (r *reader) resolve(ref string) any {
	path, ok := strings.CutPrefix(ref, "#")
	if !ok {
		return nil
	}
	node := r.root
	for _, part := range strings.Split(strings.Trim(path, "/"), "/") {
		if part == "" {
			continue
		}
		object, ok := node.(map[string]any)
		if !ok {
			return nil
		}
		node = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(part)]
	}
	return node
}

func (r *reader) fields(s *shape, object map[string]any) {
	switch kind := object["type"].(type) {
	case string:
		s.types = []string{kind}
	case []any:
		s.types = texts(kind)
	}
	if values, ok := object["enum"].([]any); ok {
		s.enum = values
	}
	if value, ok := object["const"]; ok {
		s.enum = []any{value}
	}
	if value, ok := object["default"]; ok {
		s.fallback, s.hasFallback = value, true
	}
	if text, ok := object["pattern"].(string); ok {
		s.pattern, _ = regexp.Compile(text) // one that Go can't read is the Checker's
	}
	if text, ok := object["format"].(string); ok {
		s.format = text
	}
	if text, ok := object["description"].(string); ok {
		s.description = text
	}
	s.required = append(s.required, texts(list(object["required"]))...)
	for _, name := range []string{"minimum", "exclusiveMinimum"} {
		if n, ok := float(object[name]); ok {
			s.least, s.beyond = &n, s.beyond || name != "minimum"
		}
	}
	for _, name := range []string{"maximum", "exclusiveMaximum"} {
		if n, ok := float(object[name]); ok {
			s.most, s.beyond = &n, s.beyond || name != "maximum"
		}
	}
	for _, name := range []string{"minLength", "minItems"} {
		if n, ok := float(object[name]); ok {
			s.shortest = int(n)
		}
	}
	for _, name := range []string{"maxLength", "maxItems"} {
		if n, ok := float(object[name]); ok {
			s.longest = int(n)
		}
	}
}

func (r *reader) nested(s *shape, object map[string]any, depth int) {
	if props, ok := object["properties"].(map[string]any); ok {
		if s.props == nil {
			s.props = map[string]*shape{}
		}
		for _, name := range sorted(props) {
			if child := r.read(props[name], depth+1); child != nil {
				s.props[name] = child
			}
		}
	}
	if items, ok := object["items"]; ok {
		s.items = r.read(items, depth+1)
	}
	for _, key := range []string{"anyOf", "oneOf"} {
		for _, part := range list(object[key]) {
			if choice := r.read(part, depth+1); choice != nil {
				s.either = append(s.either, choice)
			}
		}
	}
	if len(s.types) == 0 && (s.props != nil || len(s.required) > 0) {
		s.types = []string{"object"}
	}
	if len(s.types) == 0 && s.items != nil {
		s.types = []string{"array"}
	}
}

// merge adds what more demands.
func (s *shape) merge(more *shape) {
	if len(s.types) == 0 {
		s.types = more.types
	}
	if s.enum == nil {
		s.enum = more.enum
	}
	s.required = append(slices.Clone(s.required), more.required...)
	if s.props == nil {
		s.props = map[string]*shape{}
	}
	for name, child := range more.props {
		if s.props[name] == nil {
			s.props[name] = child
		}
	}
	if s.items == nil {
		s.items = more.items
	}
	if s.format == "" {
		s.format = more.format
	}
	s.either = append(slices.Clone(s.either), more.either...)
}

// is reports whether the shape's values are, or may be, of this type.
func (s *shape) is(kind string) bool { return slices.Contains(s.types, kind) }

// loose reports whether a value of any type will do.
func (s *shape) loose() bool { return len(s.types) == 0 }

// coerce brings a value into the shape's type, and reports whether it then
// satisfies the shape.
func (s *shape) coerce(value any) (any, bool) {
	if len(s.enum) > 0 {
		for _, allowed := range s.enum {
			if plain(allowed) == plain(value) {
				return allowed, true
			}
		}
		return nil, false
	}
	if s.loose() {
		for _, choice := range s.either {
			if v, ok := choice.coerce(value); ok {
				return v, true
			}
		}
		return value, len(s.either) == 0 && value != nil
	}
	for _, kind := range s.types {
		if v, ok := as(kind, value); ok && s.admits(v) {
			return v, true
		}
	}
	return nil, false
}

// as converts a value to a JSON type without changing what it says.
func as(kind string, value any) (any, bool) {
	switch kind {
	case "string":
		switch v := value.(type) {
		case string:
			return v, true
		case json.Number:
			return v.String(), true
		}
	case "number", "integer":
		text := strings.ReplaceAll(plain(value), ",", "")
		if _, isText := value.(string); !isText {
			if _, isNumber := value.(json.Number); !isNumber {
				return nil, false
			}
		}
		n, err := strconv.ParseFloat(text, 64)
		if err != nil || !json.Valid([]byte(text)) || kind == "integer" && n != math.Trunc(n) {
			return nil, false
		}
		return json.Number(text), true
	case "boolean":
		if b, ok := value.(bool); ok {
			return b, true
		}
		b, err := strconv.ParseBool(plain(value))
		return b, err == nil
	case "array":
		if v, ok := value.([]any); ok {
			return v, true
		}
		return []any{value}, value != nil
	case "object":
		v, ok := value.(map[string]any)
		return v, ok
	case "null":
		return nil, value == nil
	}
	return nil, false
}

// admits reports whether a value of the right type keeps the shape's bounds.
func (s *shape) admits(value any) bool {
	switch v := value.(type) {
	case string:
		length := utf8.RuneCountInString(v)
		return length >= s.shortest && (s.longest < 0 || length <= s.longest) &&
			(s.pattern == nil || s.pattern.MatchString(v)) && s.formatted(v)
	case json.Number:
		n, err := v.Float64()
		return err == nil && s.within(n)
	case []any:
		return len(v) >= s.shortest && (s.longest < 0 || len(v) <= s.longest)
	}
	return true
}

func (s *shape) within(n float64) bool {
	if s.least != nil && (n < *s.least || s.beyond && n == *s.least) {
		return false
	}
	return s.most == nil || n < *s.most || !s.beyond && n == *s.most
}

func (s *shape) formatted(text string) bool {
	switch s.format {
	case "email":
		return emailPattern.FindString(text) == text && text != ""
	case "uri", "url":
		parsed, err := url.Parse(text)
		return err == nil && parsed.Scheme != ""
	case "date":
		_, err := time.Parse(time.DateOnly, text)
		return err == nil
	case "date-time":
		_, err := time.Parse(time.RFC3339, text)
		return err == nil
	}
	return true
}

func list(value any) []any { l, _ := value.([]any); return l }

func texts(values []any) []string {
	var found []string
	for _, v := range values {
		if text, ok := v.(string); ok {
			found = append(found, text)
		}
	}
	return found
}

func float(value any) (float64, bool) {
	n, ok := value.(json.Number)
	if !ok {
		return 0, false
	}
	f, err := n.Float64()
	return f, err == nil
}

func sorted[V any](m map[string]V) []string {
	names := make([]string, 0, len(m))
	for name := range m {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// plain is a value as a person would write it.
func plain(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	case nil:
		return ""
	}
	text, err := encode(value)
	if err != nil {
		return ""
	}
	return text
}
