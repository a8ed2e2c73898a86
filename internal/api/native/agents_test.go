package native_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"errand/internal/model/script"
)

// with returns a valid agent's body with one field replaced; an empty value
// leaves the field out.
func with(field, value string) string {
	fields := map[string]string{
		"name": `"a"`, "model": `"y0-agent"`, "instructions": `"Do."`, "tools": `["email.send","time.now"]`,
	}
	fields[field] = value
	var parts []string
	for name, text := range fields {
		if text != "" {
			parts = append(parts, fmt.Sprintf("%q:%s", name, text))
		}
	}
	slices.Sort(parts)
	return "{" + strings.Join(parts, ",") + "}"
}

// TestAgentFaults: each wrong field is refused by its name.
func TestAgentFaults(t *testing.T) {
	w := newWorld(t, script.Steps())
	for _, test := range []struct{ field, value, fault string }{
		{"name", "", "name"}, {"name", "null", "name"}, {"name", `""`, "name"}, {"name", `"runs"`, "name"}, {"name", `"List"`, "name"},
		{"name", `"a/b"`, "name"}, {"name", `"agt_1"`, "name"}, {"name", `" a"`, "name"}, {"name", `"` + strings.Repeat("n", 129) + `"`, "name"}, {"name", "7", "name"},
		{"model", "", "model"}, {"model", `"gpt-9"`, "model"}, {"model", "null", "model"},
		{"instructions", "", "instructions"}, {"instructions", `""`, "instructions"}, {"instructions", `"` + strings.Repeat("i", 64<<10+1) + `"`, "instructions"},
		{"tools", "", "tools"}, {"tools", "null", "tools"}, {"tools", `["email.snd"]`, "tools[0]"}, {"tools", `["time.now","time.now"]`, "tools[1]"}, {"tools", `"time.now"`, "tools"}, {"tools", `[7]`, "tools[0]"},
		{"approval", `{"required_for":["finance.read"]}`, "approval.required_for[0]"}, {"approval", `{"required_for":["finance.*"]}`, "approval.required_for[0]"}, {"approval", `{"required_for":["email.[s]end"]}`, "approval.required_for[0]"},
		{"approval", `{"timeout":0}`, "approval.timeout"}, {"approval", `{"timeout":5,"on_timeout":"perhaps"}`, "approval.on_timeout"}, {"approval", `{"on_timeout":"reject"}`, "approval.on_timeout"}, {"approval", `{"require_for":[]}`, "approval.require_for"}, {"approval", `[]`, "approval"},
		{"max_steps", "0", "max_steps"}, {"max_steps", "17", "max_steps"}, {"max_steps", "2.5", "max_steps"}, {"max_steps", `"8"`, "max_steps"}, {"max_steps", "true", "max_steps"}, {"max_steps", "-1", "max_steps"},
		{"limits", `{"max_tokens":0}`, "limits.max_tokens"}, {"limits", `{"max_cost_usd":0}`, "limits.max_cost_usd"}, {"limits", `{"max_cost_usd":-1}`, "limits.max_cost_usd"}, {"limits", `{"timeout_s":99999999999}`, "limits.timeout_s"}, {"limits", `{"tokens":5}`, "limits.tokens"},
		{"output_schema", `{"type":"money"}`, "output_schema"}, {"output_schema", `"x"`, "output_schema"}, {"output_schema", `{"$ref":"https://example.com/s.json"}`, "output_schema"},
		{"on_unknown", `"guess"`, "on_unknown"}, {"parallel", `"yes"`, "parallel"},
		{"params", `{"temperature":3}`, "params.temperature"}, {"params", `{"reasoning_effort":"huge"}`, "params.reasoning_effort"}, {"params", `{"top_k":3}`, "params.top_k"},
		{"metadata", `{"a":1}`, "metadata.a"}, {"metadata", `{"a":"` + strings.Repeat("m", 513) + `"}`, "metadata.a"}, {"metadata", seventeen(), "metadata"},
		{"functions", `[{"type":"function","function":{"name":"a b"}}]`, "functions[0].function.name"}, {"functions", `[{"type":"function","function":{"name":"time.now"}}]`, "functions[0].function.name"},
		{"functions", `[{"type":"tool","function":{"name":"x"}}]`, "functions[0].type"}, {"functions", `[{"type":"function","function":{"name":"x","parameters":{"type":"string"}}}]`, "functions[0].function.parameters"},
		{"id", `"agt_1"`, "id"}, {"status", `"x"`, "status"}, {"project", `"x"`, "project"}, {"Name", `"x"`, "Name"}, {"max_step", "3", "max_step"},
	} {
		got := w.want(400, "POST", "/v1/agents", with(test.field, test.value)).has("error.code", "invalid_request")
		faults, _ := got.get("error.errors").(map[string]any)
		if faults[test.fault] == nil || fmt.Sprint(got.get("errors")) != fmt.Sprint(faults) {
			t.Errorf("%s %.60s: no fault %q in %s", test.field, test.value, test.fault, got.Body)
		}
	}
	all := w.want(400, "POST", "/v1/agents", `{"name":"","model":"x","instructions":"","tools":["x"],"max_steps":0,"metadata":{"":"x"}}`)
	if faults, _ := all.get("errors").(map[string]any); len(faults) != 6 {
		t.Errorf("not all faults at once: %s", all.Body)
	}
	near := w.want(400, "POST", "/v1/agents", with("tools", `["email.snd"]`))
	if !strings.Contains(near.text("error.message"), "email.send") {
		t.Errorf("the nearest name is not told: %s", near.Body)
	}
	w.want(200, "GET", "/v1/agents", "").count("data", 0)
}

func seventeen() string {
	var pairs []string
	for i := range 17 {
		pairs = append(pairs, fmt.Sprintf(`"k%d":"v"`, i))
	}
	return "{" + strings.Join(pairs, ",") + "}"
}

// TestAgentLife is create, read, change, delete, and what is left.
func TestAgentLife(t *testing.T) {
	w := newWorld(t, script.Func(sayHello))
	w.want(200, "POST", "/v1/agents?dry_run=true", with("max_steps", "3")).has("id", "<nil>").has("dry_run", true).has("max_steps", 3)
	w.want(400, "POST", "/v1/agents?dry_run=maybe", with("max_steps", "3")).has("error.param", "dry_run")
	w.want(400, "POST", "/v1/agents?dryrun=true", with("max_steps", "3")).has("error.param", "dryrun")
	w.want(200, "GET", "/v1/agents", "").count("data", 0)

	made := w.want(200, "POST", "/v1/agents", with("", ""), "Idempotency-Key", "k1").has("max_steps", 8).has("version", 1).has("approval.required_for", "[]")
	again := w.want(200, "POST", "/v1/agents", with("", ""), "Idempotency-Key", "k1")
	if again.text("id") != made.text("id") {
		t.Errorf("a repeated request made another agent: %s", again.Body)
	}
	id := made.text("id")
	w.want(409, "POST", "/v1/agents", with("", "")).has("error.code", "conflict").has("error.param", "name")
	w.want(409, "POST", "/v1/agents?dry_run=true", with("", "")).has("error.code", "conflict")
	w.want(200, "GET", "/v1/agents/a", "").has("id", id)
	w.want(404, "GET", "/v1/agents/b", "").has("error.code", "not_found")

	run := w.want(200, "POST", "/v1/agents/a/run", `{"prompt":"Hi."}`).has("agent_version", 1).has("status", "completed").text("id")
	w.want(200, "PATCH", "/v1/agents/"+id, `{"name":"b","max_steps":5,"approval":{"required_for":["email.*"]}}`).has("version", 2).has("name", "b").has("model", "y0-agent")
	w.want(200, "PATCH", "/v1/agents/b", `{"max_steps":null}`).has("version", 3).has("max_steps", 8)
	w.want(200, "PATCH", "/v1/agents/b", `{"max_steps":8}`).has("version", 3)
	w.want(400, "PATCH", "/v1/agents/b", `{"tools":["time.now"]}`).has("error.param", "approval.required_for[0]")
	w.want(400, "PATCH", "/v1/agents/b", `{"version":7}`).has("error.param", "version")
	w.want(400, "PATCH", "/v1/agents/b", `{"name":null}`).has("error.param", "name")
	w.want(200, "GET", "/v1/runs/"+run, "").has("agent_version", 1).has("agent_name", "a")

	w.want(200, "GET", "/v1/agents/b/versions?limit=2", "").count("data", 2).has("data.0.version", 3).has("has_more", true).has("next_cursor", 2)
	w.want(200, "GET", "/v1/agents/b/versions?starting_after=2", "").count("data", 1).has("data.0.name", "a").has("has_more", false)
	w.want(200, "GET", "/v1/agents/"+id+"/versions/1", "").has("name", "a").has("max_steps", 8)
	w.want(404, "GET", "/v1/agents/"+id+"/versions/4", "")
	w.want(404, "GET", "/v1/agents/"+id+"/versions/x", "")

	second := w.want(200, "POST", "/v1/agents", with("", "")).text("id") // the name is free again
	w.want(409, "PATCH", "/v1/agents/"+second, `{"name":"b"}`)
	page := w.want(200, "GET", "/v1/agents?limit=1", "").count("data", 1).has("data.0.id", second).has("has_more", true)
	w.want(400, "GET", "/v1/agents?starting_after=b", "").has("error.param", "starting_after")
	w.want(200, "GET", "/v1/agents?starting_after="+page.text("next_cursor"), "").count("data", 1).has("data.0.id", id)

	w.want(200, "DELETE", "/v1/agents/b", "").has("deleted", true).has("id", id)
	w.want(404, "GET", "/v1/agents/"+id, "")
	w.want(404, "DELETE", "/v1/agents/"+id, "")
	w.want(404, "POST", "/v1/agents/"+id+"/run", `{"prompt":"Hi."}`)
	w.want(200, "GET", "/v1/agents/"+id+"/runs", "").count("data", 1).has("data.0.id", run)
	w.want(200, "GET", "/v1/agents/"+id+"/versions", "").count("data", 3)
	w.want(200, "GET", "/v1/runs?agent="+id, "").count("data", 1)
	w.want(404, "GET", "/v1/agents/agt_nobody/runs", "")
	w.want(200, "POST", "/v1/agents", with("name", `"b"`))
}

// TestProjects: nothing of another project can be seen.
func TestProjects(t *testing.T) {
	w := newWorld(t, script.Func(sayHello))
	id := w.want(200, "POST", "/v1/agents", with("", "")).text("id")
	run := w.want(200, "POST", "/v1/agents/a/run", `{"prompt":"Hi."}`).text("id")
	w.want(200, "POST", "/v1/tools", `{"name":"crm.note","url":"https://example.com"}`)
	other := w.key(`{"name":"other","project":"other"}`)
	for _, path := range []string{"/v1/agents/" + id, "/v1/agents/a", "/v1/agents/" + id + "/runs", "/v1/agents/" + id + "/versions", "/v1/runs/" + run, "/v1/runs/" + run + "/events", "/v1/runs/" + run + "/stream", "/v1/tools/crm.note"} {
		other.want(404, "GET", path, "").has("error.code", "not_found")
	}
	for _, path := range []string{"/cancel", "/pause", "/resume", "/retry"} {
		other.want(404, "POST", "/v1/runs/"+run+path, "")
	}
	other.want(404, "POST", "/v1/runs/"+run+"/approve", `{"action_ids":["act_01"]}`)
	other.want(404, "POST", "/v1/runs/"+run+"/messages", `{"content":"x"}`)
	other.want(404, "DELETE", "/v1/runs/"+run, "")
	other.want(404, "DELETE", "/v1/agents/"+id, "")
	other.want(404, "PATCH", "/v1/agents/"+id, `{"max_steps":1}`)
	other.want(400, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","previous_run_id":"`+run+`"}`).has("error.param", "previous_run_id")
	for _, path := range []string{"/v1/agents", "/v1/runs", "/v1/approvals"} {
		other.want(200, "GET", path, "").count("data", 0)
	}
	other.want(200, "POST", "/v1/agents", with("", ""))
}
