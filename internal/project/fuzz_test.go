package project

import (
	"encoding/json"
	"strings"
	"testing"

	"errand/internal/run"
)

// FuzzRow takes stored rows into an export: whatever their shape, a line of JSON comes
// of it, and no value of a field that holds a secret.
func FuzzRow(f *testing.F) {
	for _, seed := range [][2]string{
		{"webhook", `{"url":"https://h/","secret":"kept-secret","before":"kept-secret"}`}, {"tool", `{"name":"a","headers":{"Authorization":"kept-secret"},"parameters":{"properties":{"password":{"type":"string"}}}}`}, {"robot", `{"keyring":{"own":"kept-secret"},"robot_config":[{"Secret":"kept-secret"}]}`},
		{"mcp", `{"sealed":["kept-secret"],"a":{"b":{"api_key":"kept-secret","credentials":["kept-secret",{"x":"kept-secret"}]}}}`}, {"tool", `{"headers":"kept-secret"}`}, {"tool", `["kept-secret"]`}, {"x", `null`}, {"x", ``}, {"x", `{"secret":null,"a":9007199254740993}`},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, kind string, data []byte) {
		line, err := showRow(&run.Row{Kind: kind, ID: "1", Data: data})
		if err != nil {
			if json.Valid(data) {
				t.Errorf("%q: %v", data, err)
			}
			return
		}
		var shown any
		if err := json.Unmarshal(line.Data, &shown); err != nil {
			t.Fatalf("%q is exported as %q", data, line.Data)
		}
		walk(shown, func(name string, value any) {
			if _, object := value.(map[string]any); secretField(name) && (!object || strings.EqualFold(name, "keyring")) {
				t.Errorf("%q is exported with %s", data, name)
			}
			if _, isText := value.(string); isText && kind == "tool" && name == "headers" {
				t.Errorf("%q is exported with its headers", data)
			}
		})
	})
}

// walk visits the members of all objects of a value but those within the headers.
func walk(value any, visit func(name string, value any)) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			visit(name, member)
			walk(member, visit)
		}
	case []any:
		for _, member := range v {
			walk(member, visit)
		}
	}
}
