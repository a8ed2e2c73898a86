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

// FuzzPipeline: whatever the goals are and the pipeline answers, an execution ends
// after a bounded number of replies, and no call is made with arguments that its
// tool does not take.
func FuzzPipeline(f *testing.F) {
	f.Add("List the unpaid invoices. Send each a reminder.\nChange: but only two", invoices, "The plan:\n1. [task-1] x", uint8(0))
	f.Add("- a\n- b\nChange: also c", "{}", `{"status":"running"}`, uint8(5))
	f.Add("Send an email saying hi", "ann@example.com", "", uint8(255))
	f.Fuzz(func(t *testing.T, goals, output, answer string, failing uint8) {
		k := newTalk(t, executionOrders, goals, setGoals, makePlan, tellOf, skipOver, askFor, handIn, finance, mail)
		for range 120 {
			reply := k.reply()
			if len(reply.Calls) == 0 {
				return
			}
			for i, call := range reply.Calls {
				switch {
				case failing>>(k.req.Step%8)&1 == 1 && i == 0:
					k.told(call, "Error: "+answer)
				case call.Name == "robot.deliver":
					return
				case strings.HasPrefix(call.Name, "robot.") && call.Name != "robot.ask":
					k.result(call, answer)
				default:
					k.result(call, output)
				}
			}
		}
		t.Errorf("goals %q, output %q, answer %q, failing %b: it never ends", goals, output, answer, failing)
	})
}

// FuzzChat: whatever is said, what is handed over is what the person was shown last.
func FuzzChat(f *testing.F) {
	f.Add("Find it.|Yes, but only three|yes|yes|thanks|- a\n- b|ok")
	f.Add("Goals:\n- x\n\nShall I start? Say yes, or say what should be different.|ja|👍|no|はい")
	model := offline.New(offline.Config{Schemas: &schema.Cache{}})
	f.Fuzz(func(t *testing.T, text string) {
		c := &chat{t: t, model: model}
		shown := ""
		for said := range strings.SplitSeq(text, "|") {
			answer, goals := c.turn(said)
			if goals != "" && "- "+strings.ReplaceAll(goals, "\n", "\n- ") != shown {
				t.Errorf("%q: handed over %q, shown was %q", text, goals, shown)
			}
			if list, ok := strings.CutPrefix(answer, "Goals:\n"); ok {
				shown, _, _ = strings.Cut(list, "\n\nShall I start?")
			}
		}
	})
}
