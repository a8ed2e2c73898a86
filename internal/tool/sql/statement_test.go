package sql

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPlaceholders(t *testing.T) {
	params := map[string]Param{"a": {Type: "string"}, "b_2": {Type: "integer"}}
	for text, want := range map[string]string{
		"SELECT :a, :b_2, :a":                                   "SELECT $1, $2, $1",
		"SELECT :b_2+:a;":                                       "SELECT $1+$2",
		"SELECT ':a', \":a\", :a::text, :b_2":                   "SELECT ':a', \":a\", $1::text, $2",
		"SELECT 'it''s :a' || :a -- :x\n, :b_2":                 "SELECT 'it''s :a' || $1 -- :x\n, $2",
		"SELECT /* :x /* :y */ :z */ :a, :b_2 ; -- end; really": "SELECT /* :x /* :y */ :z */ $1, $2  -- end; really",
		"SELECT $$ :x ; $$, $t$ :y $$ $t$, :a, :b_2":            "SELECT $$ :x ; $$, $t$ :y $$ $t$, $1, $2",
		`SELECT E'\':x', e'\\', :a, :b_2`:                       `SELECT E'\':x', e'\\', $1, $2`,
		"SELECT x[1:2], `:q`, tab1e :a :b_2":                    "SELECT x[1:2], `:q`, tab1e $1 $2",
	} {
		got, err := parse(text, params, "$")
		if err != nil || got.text != want {
			t.Errorf("%s\ngot  %s, %v\nwant %s", text, got.text, err, want)
		}
	}
	got, err := parse("SELECT :b_2, :a, :b_2", params, "?")
	if diff := cmp.Diff([]string{"b_2", "a"}, got.names); err != nil || got.text != "SELECT ?1, ?2, ?1" || diff != "" {
		t.Errorf("got %q, %v\n%s", got.text, err, diff)
	}
}

func TestStatementsThatAreRefused(t *testing.T) {
	params := map[string]Param{"a": {Type: "string"}}
	for text, says := range map[string]string{
		"":                            "not used",
		"SELECT 1":                    "a is not used",
		"SELECT :a, :b":               ":b is not among",
		"SELECT :a; DROP TABLE x":     "one statement",
		"SELECT :a; /* x */ SELECT 2": "one statement",
		"SELECT :a, 'open":            "not closed",
		"SELECT :a /* open":           "not closed",
		"SELECT :a, $x$ open $y$":     "not closed",
		"SELECT ':a'":                 "not used",
	} {
		_, err := parse(text, params, "$")
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want an error with %q", text, err, says)
		}
	}
	if _, err := parse(" -- nothing\n", nil, "$"); err != nil {
		t.Errorf("a comment alone: %v", err) // the database says what it thinks of it
	}
	if _, err := parse(" ; ", nil, "$"); err == nil {
		t.Error("no statement was accepted")
	}
}
