package sql

import (
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
