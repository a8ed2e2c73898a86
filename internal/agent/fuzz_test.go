package agent_test

import (
	"encoding/json"
	"testing"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/schema"
)

// FuzzDefinition checks what authors may say of an agent: every fault names a field
// and says something; what has none reads back as it was stored, and makes a spec with
// the tools that it names.
func FuzzDefinition(f *testing.F) {
	for _, seed := range []string{
		`{"name":"chaser","model":"auto","instructions":"Chase.","tools":["email.send","finance.read"],"approval":{"required_for":["email.send"]},"max_steps":8,"on_unknown":"ask","limits":{"max_tokens":1000}}`,
		`{"name":"a","model":"m","instructions":"x","max_steps":4,"on_unknown":"fail","functions":[{"name":"f","parameters":{"type":"object","properties":{"a":{"type":"integer"}}}}],"output_schema":{"type":"object"}}`,
		`{"name":"agt_1","model":"","tools":["a","a"],"max_steps":-1,"metadata":{"":"x"},"params":{"temperature":1e300,"reasoning_effort":"huge"},"on_budget":"maybe"}`,
		`{"name":"\u202e/..","functions":[{"name":"a b","parameters":[]},{"name":"f","parameters":{"type":"object","$ref":"#"}}],"output_schema":"x","approval":{"required_for":[{"tool":"*","when":"a >"}],"timeout":-1}}`,
		`{"approval":null,"limits":{"timeout":9223372036854775807,"max_cost":-1}}`, `{}`, `null`, `[]`, ``,
	} {
		f.Add([]byte(seed))
	}
	c := agent.Catalog{Tools: open{}, Models: open{}, Schemas: &schema.Cache{}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var d agent.Definition
		if len(text) > 1<<14 || json.Unmarshal(text, &d) != nil {
			return
		}
		faults := agent.Faults{}
		agent.CheckSaved(&d, faults)
		tools, err := c.Check(t.Context(), "p", &d, faults)
		if err != nil {
			t.Fatalf("%q: %v", text, err)
		}
		if invalid := faults.Problem(); invalid != nil {
			told := problem.From(invalid)
			if told.Code != problem.InvalidRequest || told.Detail == "" || len(told.Fields) == 0 {
				t.Errorf("%q: %v", text, invalid)
			}
			for field, fault := range told.Fields {
				if field == "" || fault == "" {
					t.Errorf("%q: the field %q %s", text, field, fault)
				}
			}
			return
		}
		if agent.CheckName(d.Name) != "" || d.Model == "" || d.MaxSteps < 1 || d.MaxSteps > c.Ceiling() || len(tools) != len(d.Tools)+len(d.Functions) {
			t.Errorf("%q is taken: %+v", text, d)
		}
		stored, err := json.Marshal(d)
		if err != nil {
			t.Fatalf("%q is taken and can't be stored: %v", text, err)
		}
		var read agent.Definition
		if err := json.Unmarshal(stored, &read); err != nil {
			t.Fatalf("%q is stored as %q: %v", text, stored, err)
		}
		if again, err := json.Marshal(read); err != nil || string(again) != string(stored) {
			t.Errorf("%q is stored as %q, and then as %q: %v", text, stored, again, err)
		}
		if spec := d.Spec(nil, agent.Order{Tools: tools}); len(spec.Tools) != len(tools) || spec.Model == "" {
			t.Errorf("%q makes the spec %+v", text, spec)
		}
	})
}
