package sql

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"
)

func TestQueriesThatAreRefused(t *testing.T) {
	fine := Query{DSN: "sqlite:x.db", Statement: "SELECT :a", Parameters: map[string]Param{"a": {Type: "string"}}}
	if _, err := New("finance.read", fine); err != nil {
		t.Fatal(err)
	}
	with := func(p Param) func(*Query) {
		return func(q *Query) { q.Parameters = map[string]Param{"a": p} }
	}
	for says, change := range map[string]func(*Query){
		"finance.read.dsn: is missing":                 func(q *Query) { q.DSN = "" },
		"mysql:// is not a database":                   func(q *Query) { q.DSN = "mysql://u:hush@h/d" },
		"want postgres://":                             func(q *Query) { q.DSN = "postgres://u:hush@h:port/d" },
		"finance.read.statement: the placeholder :b":   func(q *Query) { q.Statement = "SELECT :a, :b" },
		"finance.read.statement: the placeholder :c":   func(q *Query) { q.DSN, q.Statement = "postgres://u:hush@h/d", "SELECT :a, :c" },
		"finance.read.max_rows":                        func(q *Query) { q.MaxRows = -1 },
		"finance.read.timeout_s":                       func(q *Query) { q.TimeoutS = 601 },
		"parameters.a.type: must be string":            with(Param{Type: "text"}),
		"parameters.a.default: must be a whole number": with(Param{Type: "integer", Default: 1.5}),
		"parameters.a.enum[1]: must be a date":         with(Param{Type: "date", Enum: []any{"2026-01-31", "2026-02-31"}}),
		"parameters.a.default: a required parameter":   with(Param{Type: "string", Default: "x", Required: true}),
		"parameters.a b: the name":                     func(q *Query) { q.Parameters = map[string]Param{"a b": {Type: "string"}} },
	} {
		q := fine
		change(&q)
		if _, err := New("finance.read", q); err == nil || !strings.Contains(err.Error(), says) || strings.Contains(err.Error(), "hush") {
			t.Errorf("got %v, want an error with %q", err, says)
		}
	}
	if _, err := New("two words", fine); err == nil || !strings.Contains(err.Error(), "the name must be") {
		t.Errorf("got %v", err)
	}
	if _, err := All(map[string]Query{"a": fine, "b": {}, "c": {}}); err == nil || !strings.Contains(err.Error(), "sql.b") || !strings.Contains(err.Error(), "sql.c") {
		t.Errorf("got %v, want all that is wrong", err)
	}
}

// A file gives YAML's types, an API JSON's; both must do.
func TestSchemaFromAFile(t *testing.T) {
	const file = `
dsn: sqlite:./invoices.db
statement: SELECT :status, :days, :ratio, :open, :since
parameters:
  status: {type: string, enum: [paid, unpaid], default: unpaid, description: Which ones}
  days: {type: integer, default: 30}
  ratio: {type: number, default: 2}
  open: {type: boolean, default: true}
  since: {type: date, required: true}
max_rows: 50
scope: context:finance
`
	text, err := yaml.YAMLToJSON([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	var q Query
	if err := json.Unmarshal(text, &q); err != nil {
		t.Fatal(err)
	}
	made, err := New("finance.read", q)
	if err != nil {
		t.Fatal(err)
	}
	var got, want any
	if err := json.Unmarshal(made.Describe().Parameters, &got); err != nil {
		t.Fatal(err)
	}
	_ = json.Unmarshal([]byte(`{"type":"object","additionalProperties":false,"required":["since"],"properties":{
		"status":{"type":"string","enum":["paid","unpaid"],"default":"unpaid","description":"Which ones"},
		"days":{"type":"integer","default":30},"ratio":{"type":"number","default":2},"open":{"type":"boolean","default":true},
		"since":{"type":"string","format":"date","pattern":"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"}}}`), &want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if d := made.Describe(); d.Scope != "context:finance" || made.query.MaxRows != 50 {
		t.Errorf("%+v", d)
	}
}

func TestValues(t *testing.T) {
	q := Query{Parameters: map[string]Param{
		"s": {Type: "string", Enum: []any{"x", "y"}}, "i": {Type: "integer", Default: float64(30), Enum: []any{30.0, 7.0, 9007199254740993}},
		"n": {Type: "number"}, "b": {Type: "boolean"}, "d": {Type: "date"}, "r": {Type: "string", Required: true},
	}}
	names := []string{"r", "s", "i", "n", "b", "d"}
	for arguments, want := range map[string][]any{
		`{"r":""}`: {"", nil, int64(30), nil, nil, nil},
		`{"r":"a","s":"x","i":7.0,"n":1,"b":false,"d":"2026-02-28"}`: {"a", "x", int64(7), 1.0, false, "2026-02-28"},
		`{"r":"a","i":9007199254740993,"n":1.5e3,"s":null}`:          {"a", nil, int64(9007199254740993), 1500.0, nil, nil},
	} {
		got, err := q.values(json.RawMessage(arguments), names)
		if diff := cmp.Diff(want, got); err != nil || diff != "" {
			t.Errorf("%s: %v\n%s", arguments, err, diff)
		}
	}
	for arguments, says := range map[string]string{
		`{}`: "r is missing", `{"r":null}`: "r is missing", `{"r":7}`: "r must be a string", `{"r":"","s":"z"}`: "s must be one of", `{"r":"","i":"7"}`: "whole number",
		`{"r":"","i":7.5}`: "whole number", `{"r":"","i":8}`: "one of", `{"r":"","i":1e300}`: "whole number", `{"r":"","n":"1"}`: "a number", `{"r":"","n":true}`: "a number", `{"r":"","b":1}`: "true or false",
		`{"r":"","d":"2026-02-30"}`: "a date", `{"r":"","d":"1.2.2026"}`: "a date", `{"r":"","x":1}`: "not one of its parameters", `[]`: "JSON object", ``: "JSON object",
	} {
		if _, err := q.values(json.RawMessage(arguments), names); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error with %q", arguments, err, says)
		}
	}
}
