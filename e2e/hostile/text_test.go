package hostile

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"unicode"

	"errand/e2e/rig"
)

// misleading are characters that a person does not see, or that put what a person
// reads into another order.
func misleading() map[string]string {
	return map[string]string{
		"override": "\u202e", "embedding": "\u202b", "isolate": "\u2067", "pop": "\u2069", "mark": "\u200f", "Arabic mark": "\u061c",
		"zero width": "\u200b", "joiner": "\u2060", "byte order": "\ufeff", "soft hyphen": "\u00ad", "tag": "\U000e0041", "filler": "\u180e",
		"line": "\u2028", "escape": "\u001b", "bell": "\u0007", "delete": "\u007f", "C1": "\u009b", "unassigned": "\U000f0000", "line feed": "\n",
	}
}

// A name with a character that misleads is refused, whatever it is the name of.
func TestMisleadingNames(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	for what, hidden := range misleading() {
		name := "book" + hidden + "once"
		for path, body := range map[string]map[string]any{
			"/v1/tools":  {"name": name, "description": "x", "url": w.Tools.URL},
			"/v1/agents": {"name": name, "model": "auto", "instructions": "x", "tools": []string{}},
			"/v1/keys":   {"name": name},
		} {
			fault := c.Do(http.MethodPost, path, body).Refused(http.StatusBadRequest, "invalid_request")
			if fault.Errors["name"] == "" {
				t.Errorf("%s, %s: %+v", path, what, fault)
			}
		}
		function := map[string]any{"type": "function", "function": map[string]any{"name": name}}
		fault := c.Do(http.MethodPost, "/v1/runs", map[string]any{"model": "auto", "prompt": "x", "functions": []any{function}}).Refused(http.StatusBadRequest, "invalid_request")
		if fault.Errors["functions[0].function.name"] == "" {
			t.Errorf("%s: %+v", what, fault)
		}
	}
}

// What a person decides by shows every character that could mislead, whether it
// came from the model or from whoever wrote the tool; the arguments stay as they
// were, for those who look closer.
func TestMisleadingPreviews(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Post("/v1/tools", map[string]any{
		"name": "mail", "description": "Sends \u202email\u200b.", "url": w.Tools.URL + "/mail", "effect": "once", "preview": "To \u202e{{to}}\u2066",
	}, nil)
	c.Post("/v1/tools", map[string]any{"name": "plain", "description": "x", "url": w.Tools.URL + "/plain", "effect": "once"}, nil)
	for what, hidden := range misleading() {
		arguments, err := json.Marshal(map[string]string{"to": "friend@example.com" + hidden + "moc.elpmaxe@feiht"})
		if err != nil {
			t.Fatal(err)
		}
		for _, tool := range []string{"mail", "plain"} {
			asking(w, tool, string(arguments))
			var r rig.Run
			c.Post("/v1/runs", map[string]any{
				"model": "auto", "prompt": what, "tools": []string{tool}, "approval": map[string]any{"required_for": []string{tool}},
			}, &r)
			if len(r.Pending) != 1 {
				t.Fatalf("%s: %+v", what, r)
			}
			shown := r.Pending[0].Preview
			if strings.ContainsFunc(shown, func(r rune) bool { return !unicode.IsPrint(r) }) || hidden != "\n" && !strings.Contains(shown, `\u`) && !strings.Contains(shown, `\U`) {
				t.Errorf("%s: %s shows %q", tool, what, shown)
			}
			if got, _ := r.Pending[0].Arguments["to"].(string); !strings.Contains(got, hidden) {
				t.Errorf("%s: the arguments are %q", what, got)
			}
		}
	}
	if n := len(w.Tools.Ledger()); n != 0 {
		t.Errorf("%d calls", n)
	}
}
