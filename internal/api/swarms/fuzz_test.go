package swarms

import (
	"encoding/json"
	"errors"
	"testing"

	"golang.org/x/tools/txtar"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
)

// FuzzCompletion: whatever comes is read, or refused in a shape that can be sent;
// what is kept of it can be read again, and has no token in it.
func FuzzCompletion(f *testing.F) {
	story, err := txtar.ParseFile("testdata/document.txtar")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(story.Files[2].Data))
	for _, seed := range []string{
		`{}`, `[]`, ``, `{"agent_config":{"max_loops":"auto","selected_tools":"all"},"task":"x"}`,
		`{"agent_config":{"mcp_config":{"url":"https://u:p@h/p?k=v#f","headers":{"A":"b"},"timeout":1e300}},"history":{"a":{"role":"user","content":[1]}}}`,
		`{"agent_config":{"llm_args":{"stop":["a"],"response_format":{"type":"json_schema","json_schema":{"schema":{}}}}},"history":[{"role":"user","content":null}],"imgs":[null,"AAAA"]}`,
		`{"agent_config":{"handoffs":[{"handoffs":[{}]}],"tools_list_dictionary":[null,{"function":{"name":"f","parameters":null}}]}}`,
	} {
		f.Add(seed)
	}
	a := &API{cfg: Config{Catalog: agent.Catalog{Schemas: &schema.Cache{}}}}
	f.Fuzz(func(t *testing.T, body string) {
		in, err := readCompletion([]byte(body))
		if err != nil {
			status, answer := fault(wire.Fault{Error: problem.From(err)})
			var shape *rejected
			if text, broken := json.Marshal(answer); broken != nil || status != 400 && status != 422 || errors.As(err, &shape) != (status == 422) {
				t.Errorf("%q: %d %s %v", body, status, text, broken)
			}
			return
		}
		faults := agent.Faults{}
		params := in.Agent.params(faults)
		a.readArgs(in.Agent, &params, faults)
		for _, c := range in.Agent.connections(faults) {
			if c.Timeout <= 0 && !faults.Under("agent_config") {
				t.Errorf("%q: a timeout of %s", body, c.Timeout)
			}
		}
		in.Agent.refused(faults)
		input, history := in.conversation(faults)
		for _, m := range append(history, input) {
			if m.Role != run.User && m.Role != run.Assistant && len(faults) == 0 {
				t.Errorf("%q: %+v", body, m)
			}
		}
		if kept := rememberable(in.Agent); kept != nil {
			var again agentIn
			if err := json.Unmarshal(kept.data, &again); err != nil {
				t.Errorf("%q: %v in %s", body, err, kept.data)
			}
			open := []agentIn{again}
			for ; len(open) > 0; open = append(open[1:], open[0].Handoffs...) {
				if c := open[0].MCPConfig; c != nil && (c.Token != nil || c.Headers != nil) {
					t.Errorf("%q: %s", body, kept.data)
				}
			}
		}
	})
}
