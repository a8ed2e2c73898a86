package sql

import (
	"math"
	"regexp"
	"strings"
	"testing"
)

// FuzzParse holds a statement with its placeholders to what was written: nothing
// but the placeholders changes, each has a number that there is a name for, and no
// second statement comes through.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{
		"SELECT :a, :b, :a", "SELECT ':a' || :b, :a::text;", "SELECT $$ :a $$, :a, :b", "SELECT E'\\':a', :a, :b", "SELECT /* /* :a */ */ :a, :b -- :c", "SELECT :a, :b; DROP TABLE x",
		"SELECT \":a\", `:b`, [:a], :a, :b", "SELECT $x$ $y$ :a $x$, :a, :b", "SELECT :a:b", "SELECT ::a", "'", "/*", "$$", "$a", ":", "E'", "SELECT :a, :b;;", "\x00:a:b", ":é", "SELECT '\\' :a', :b, :a",
	} {
		f.Add(seed)
	}
	number := regexp.MustCompile(`\?[0-9]+`)
	params := map[string]Param{"a": {Type: "string"}, "b": {Type: "integer"}}
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "?") {
			t.Skip() // the sign that shows here where placeholders were
		}
		got, err := parse(text, params, "?")
		if err != nil {
			return
		}
		if len(got.names) != len(params) {
			t.Fatalf("%q has the placeholders %v", text, got.names)
		}
		back := number.ReplaceAllStringFunc(got.text, func(found string) string {
			at := int(found[1] - '1')
			if len(found) != 2 || at < 0 || at >= len(got.names) {
				return ":" // some digits stood behind it, or there is no such name
			}
			return ":" + got.names[at]
		})
		if want := strings.TrimSpace(text); !strings.Contains(back, ":") || len(back) < len(want)/2 {
			t.Errorf("%q became %q", text, got.text)
		}
		for i := 0; i < len(got.text); { // what is code in it must hold no end of a statement
			token := next(got.text[i:])
			if piece := got.text[i : i+token.size]; token.kind == code && piece == ";" || token.kind == unclosed {
				t.Fatalf("%q came through as %q", text, got.text)
			}
			i += token.size
		}
	})
}

// FuzzArguments binds what a model says: each value has the type of its parameter, and
// is one of those that the operator has listed; what is not there, is the default.
func FuzzArguments(f *testing.F) {
	for _, seed := range []string{
		`{"customer":"C-1","limit":5,"since":"2026-06-11","rate":0.5,"open":true}`, `{"customer":"C-2","limit":2e3,"rate":1e400}`, `{"customer":"C-1","limit":9223372036854775808}`, `{"customer":"C-1","limit":2.5}`, `{"customer":"c-1"}`, `{"customer":null}`,
		`{"customer":"C-1","since":"2026-02-30","open":"true"}`, `{"customer":["C-1"]}`, `{"customer":"C-1","other":1}`, `{}`, `null`, `[]`, ``, `{"customer":"C-1","rate":"NaN"}`, `{"customer":"C-1","limit":-9007199254740993}`, `{"customer":"C-1","limit":1e17}`, `{"customer":"C-1"} x`,
	} {
		f.Add(seed)
	}
	q := Query{Parameters: map[string]Param{
		"customer": {Type: "string", Enum: []any{"C-1", "C-2"}, Required: true}, "limit": {Type: "integer", Default: 10}, "since": {Type: "date"}, "rate": {Type: "number"}, "open": {Type: "boolean"},
	}}
	names := []string{"customer", "limit", "since", "rate", "open", "customer"}
	f.Fuzz(func(t *testing.T, arguments string) {
		bound, err := q.values([]byte(arguments), names)
		if err != nil {
			if err.Error() == "" || len(err.Error()) > 300 {
				t.Errorf("%q: %v", arguments, err)
			}
			return
		}
		if len(bound) != len(names) || bound[0] != "C-1" && bound[0] != "C-2" || bound[5] != bound[0] {
			t.Fatalf("%q binds %v", arguments, bound)
		}
		_, isInt := bound[1].(int64)
		_, isFloat := bound[3].(float64)
		_, isBool := bound[4].(bool)
		day, isText := bound[2].(string)
		if !isInt || bound[3] != nil && !isFloat || bound[4] != nil && !isBool || bound[2] != nil && (!isText || !regexp.MustCompile(datePattern).MatchString(day)) {
			t.Errorf("%q binds %#v", arguments, bound)
		}
		if f, ok := bound[3].(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
			t.Errorf("%q binds %v", arguments, f)
		}
	})
}
