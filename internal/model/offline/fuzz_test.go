package offline_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/modeltest"
	"errand/internal/model/offline"
	"errand/internal/run"
	"errand/internal/schema"
)

// FuzzReply drives three steps with whatever a person, a tool and a schema may
// say. Every call must satisfy its schema and be new, every structured answer its
// own schema, every reply its deltas, and the same request get the same reply.
func FuzzReply(f *testing.F) {
	for _, tool := range toolbox() {
		f.Add(chaseTask+"\n\n"+chaseOrders, invoices, string(tool.Parameters), `{"type":"object","properties":{"count":{"type":"integer"}}}`)
	}
	f.Add(`Send "x" to a@b.example: {{to}}, limit=5, 007 2026-02-30`, `[{"a":1},{"a":null,"b":[{}]}]`, `{"type":"object","properties":{"x":{"$ref":"#"}},"required":["x"]}`, `{"type":"array","minItems":3,"items":{"$ref":"#"}}`)
	f.Add("go\n\nFetch each page with thing.do", "[1,2", `{"required":["x","x"],"properties":{"x":{"anyOf":[{"type":"array","minItems":2,"items":{"enum":["a","b"]}},{"const":1e999}]}}}`, `{"oneOf":[{"type":"string","minLength":9},{"type":"null"}]}`)
	f.Add("thing.do 3 times every week, don't", `{"rows":[[1,2],[]],"columns":["x"]}`, `{"type":["object","null"],"additionalProperties":false,"properties":{"thing":true,"n":{"type":"integer","exclusiveMinimum":3,"maximum":3.5}}}`, `true`)
	f.Add("\xff thing do \u00e9'", "\xff{}", `[]`, `{`)
	schemas := &schema.Cache{}
	model := offline.New(offline.Config{Schemas: schemas})
	f.Fuzz(func(t *testing.T, said, result, parameters, output string) {
		task, orders, _ := strings.Cut(said, "\n\n")
		if len(said)+len(result)+len(parameters)+len(output) > 1<<14 || !utf8.ValidString(said) {
			t.Skip()
		}
		k := newTalk(t, orders, task, finance, mail,
			tool("thing.do", "Does the thing.", parameters, run.Once), tool("thing.list", "Lists things.", parameters, run.Safe))
		k.model, k.req.Output = model, json.RawMessage(output)
		if len(output)%3 == 0 {
			k.req.Output = nil
		}
		made := map[string]bool{}
		for step := range 3 {
			var deltas []run.Delta
			streamed, err := model.Reply(t.Context(), &k.req, func(d run.Delta) { deltas = append(deltas, d) })
			if err != nil {
				t.Fatal(err)
			}
			if utf8.ValidString(result + parameters) {
				modeltest.Consistent(t, streamed, deltas)
			}
			reply := k.reply()
			if diff := cmp.Diff(streamed, reply); diff != "" {
				t.Fatalf("the same request got another reply:\n%s", diff)
			}
			for i, call := range reply.Calls {
				if made[call.Name+call.Arguments] {
					t.Errorf("called twice: %s %s", call.Name, call.Arguments)
				}
				made[call.Name+call.Arguments] = true
				switch {
				case i%3 == step:
					k.told(call, result)
				default:
					k.result(call, result)
				}
			}
			if len(reply.Calls) == 0 && reply.Text == "" {
				t.Error("neither calls nor a text")
			}
		}
	})
}
