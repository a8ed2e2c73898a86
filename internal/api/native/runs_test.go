package native_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"errand/internal/model/script"
	"errand/internal/run"
)

func sayHello(_ context.Context, req run.Request) (script.Line, error) {
	return script.Say(fmt.Sprintf("Hello after %d messages.", len(req.Messages))), nil
}

// TestRunFaults: each wrong field is refused by its name, and no run is made.
func TestRunFaults(t *testing.T) {
	w := newWorld(t, script.Func(sayHello))
	for _, test := range []struct{ body, fault string }{
		{`{"prompt":"x"}`, "model"}, {`{"model":"y0-fast"}`, "prompt"}, {`{"model":"y0-fast","prompt":""}`, "prompt"}, {`{"model":"y0-fast","prompt":null}`, "prompt"},
		{`{"model":"y0-fast","prompt":"` + strings.Repeat("ä", 100_001) + `"}`, "prompt"},
		{`{"model":"nope","prompt":"x"}`, "model"}, {`{"model":"y0-fast","prompt":"x","max_steps":17}`, "max_steps"},
		{`{"model":"y0-fast","prompt":"x","context":["calendar"]}`, "context[0]"}, {`{"model":"y0-fast","prompt":"x","context":["payroll"]}`, "context[0]"}, {`{"model":"y0-fast","prompt":"x","context":"finance"}`, "context"},
		{`{"model":"y0-fast","prompt":"x","tools":["nope"]}`, "tools[0]"}, {`{"model":"y0-fast","prompt":"x","approval":{"required_for":["email.send"]}}`, "approval.required_for[0]"},
		{`{"model":"y0-fast","prompt":"x","previous_run_id":"run_1"}`, "previous_run_id"}, {`{"model":"y0-fast","prompt":"x","stream":true,"background":true}`, "background"},
		{`{"model":"y0-fast","prompt":"x","status":"completed"}`, "status"}, {`{"model":"y0-fast","prompt":"x","project":"p"}`, "project"}, {`{"model":"y0-fast","prompt":"x","promt":"y"}`, "promt"},
		{`{"model":"y0-fast","prompt":"x","output_schema":{"type":1}}`, "output_schema"}, {`[]`, "body"}, {``, "body"},
	} {
		got := w.want(400, "POST", "/v1/runs", test.body).has("error.code", "invalid_request")
		if faults, _ := got.get("errors").(map[string]any); faults[test.fault] == nil {
			t.Errorf("%.80s: no fault %q in %s", test.body, test.fault, got.Body)
		}
	}
	for _, priced := range []struct {
		model  string
		status int
	}{{"y0-fast", 400}, {"y0-agent", 201}} { // the price of y0-fast is not known
		w.want(priced.status, "POST", "/v1/runs", `{"model":"`+priced.model+`","prompt":"x","limits":{"max_cost_usd":1}}`)
	}
	choices := w.want(400, "POST", "/v1/runs", `{"model":"nope","prompt":"x"}`)
	choices.has("error.errors.model", `there is no model "nope": there are default, y0-agent, y0-fast.`)
	for _, path := range []string{"?wait=-1", "?wait=601", "?wait=x", "?waits=1"} {
		w.want(400, "POST", "/v1/runs"+path, `{"model":"y0-fast","prompt":"x"}`)
	}
	w.want(200, "GET", "/v1/runs", "").count("data", 1)
	w.want(404, "POST", "/v1/agents/nobody/run", `{"prompt":"x"}`)
	w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"`+strings.Repeat("ä", 100_000)+`","files":[],"context":[]}`)
}

// TestRun is an ad-hoc run with all that can be read of it.
func TestRun(t *testing.T) {
	w := newWorld(t, script.Func(sayHello))
	made := w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"Hi.","metadata":{"team":"billing"}}`, "Idempotency-Key", "k")
	made.has("status", "completed").has("max_steps", 4).has("steps_used", 1).has("metadata.team", "billing").has("agent", "<nil>").has("result.summary", "Hello after 1 messages.")
	id := made.text("id")
	again := w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"Hi.","metadata":{"team":"billing"}}`, "Idempotency-Key", "k")
	if string(again.Body) != string(made.Body) || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("repeated: %s", again.Body)
	}
	w.want(409, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"Ho."}`, "Idempotency-Key", "k").has("error.code", "idempotency_mismatch")
	for _, spelling := range []string{id, strings.TrimPrefix(id, "run_"), "exec_" + id[4:], "chatcmpl-" + id[4:]} {
		w.want(200, "GET", "/v1/runs/"+spelling, "").has("id", id).count("trace", 2).has("trace.1.type", "result")
	}
	w.want(404, "GET", "/v1/runs/run_1", "")
	w.want(400, "GET", "/v1/runs/"+id+"?include_trace=1", "")
	events := w.want(200, "GET", "/v1/runs/"+id+"/events?limit=1", "").count("data", 1).has("data.0.type", "run.created").has("has_more", true)
	events.has("data.0.data.id", id)
	w.want(200, "GET", "/v1/runs/"+id+"/events?after=1", "").count("data", 2).has("has_more", false).has("data.1.type", "run.finished")

	next := w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"And?","previous_run_id":"`+id+`"}`)
	next.has("previous_run_id", id).has("result.summary", "Hello after 3 messages.")
	retried := w.want(201, "POST", "/v1/runs/"+id+"/retry", `{"changes":{"prompt":"Hey.","max_steps":2,"metadata":{}}}`)
	retried.has("prompt", "Hey.").has("max_steps", 2).has("model", "y0-fast").has("previous_run_id", id).has("metadata", "map[]")
	w.want(201, "POST", "/v1/runs/"+id+"/retry", "").has("prompt", "Hi.").has("max_steps", 4)
	w.want(400, "POST", "/v1/runs/"+id+"/retry", `{"changes":{"limits":{"max_cost_usd":1}}}`).has("error.param", "limits.max_cost_usd")
	w.want(201, "POST", "/v1/runs/"+id+"/retry", `{"changes":{"limits":{"max_cost_usd":1},"model":"y0-agent"}}`)
	for _, change := range []string{`"max_steps":0`, `"model":"nope"`, `"prompt":""`, `"tools":[]`} {
		fault := "changes." + strings.Trim(strings.Split(change, ":")[0], `"`)
		got := w.want(400, "POST", "/v1/runs/"+id+"/retry", `{"changes":{`+change+`}}`)
		if faults, _ := got.get("errors").(map[string]any); faults[fault] == nil {
			t.Errorf("%s: %s", change, got.Body)
		}
	}
	w.want(409, "POST", "/v1/runs/"+id+"/cancel", "").has("error.code", "conflict")
	w.want(409, "POST", "/v1/runs/"+id+"/messages", `{"content":"x"}`)

	w.want(200, "DELETE", "/v1/runs/"+id, "").has("deleted", true)
	w.want(404, "GET", "/v1/runs/"+id, "")
	w.want(409, "DELETE", "/v1/runs/"+id, "").has("error.code", "conflict")
	w.want(404, "DELETE", "/v1/runs/run_019eb6ce41d200004f1c9a02e6b7d3a8", "")
	w.want(200, "GET", "/v1/runs", "").count("data", 4)
}

// TestRunList is filters and pages.
func TestRunList(t *testing.T) {
	w := newWorld(t, script.Func(sayHello))
	var ids []string
	for range 3 {
		ids = append(ids, w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"Hi."}`).text("id"))
	}
	page := w.want(200, "GET", "/v1/runs?limit=2&status=completed,failed&dialect=native", "").count("data", 2).has("data.0.id", ids[2]).has("has_more", true)
	w.want(200, "GET", "/v1/runs?limit=2&api=native&starting_after="+page.text("next_cursor"), "").count("data", 1).has("data.0.id", ids[0]).has("has_more", false).has("next_cursor", "<nil>")
	for query, n := range map[string]int{"status=running": 0, "dialect=you": 0, "created_before=2020-01-01T00:00:00Z": 0, "created_after=2020-01-01T00:00:00Z": 3, "created_after=1577836800": 3, "agent=nobody": 0} {
		w.want(200, "GET", "/v1/runs?"+query, "").count("data", n)
	}
	for _, query := range []string{"limit=0", "limit=101", "limit=abc", "status=done", "starting_after=x", "starting_after=run_" + strings.Repeat("0", 32), "api=a&dialect=b", "created_after=yesterday", "statuses=failed"} {
		w.want(400, "GET", "/v1/runs?"+query, "").has("error.code", "invalid_request")
	}
}

// TestContext: a context brings the operator's tools under its scope, and never
// those that a project has registered itself.
func TestContext(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("finance.read", `{}`), script.Say("Two.")))
	w.want(200, "POST", "/v1/tools", `{"name":"calendar.fake","url":"https://example.com"}`)
	w.want(400, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","context":["calendar"]}`).has("error.param", "context[0]")
	body := `{"model":"y0-fast","prompt":"x","context":["finance"]}`
	done := w.want(201, "POST", "/v1/runs", body).has("status", "completed")
	w.want(200, "GET", "/v1/runs/"+done.text("id"), "").has("trace.1.type", "context").has("trace.1.source", "finance").has("trace.1.items", 2)
	poor := w.key(`{"name":"poor","scopes":["runs:write","runs:read","agents:execute"]}`)
	poor.want(201, "POST", "/v1/runs", body).has("status", "failed").has("error.code", "scope_denied")
	alias := w.key(`{"name":"alias","scopes":["runs:write","agents:execute","finance:read"]}`)
	alias.want(201, "POST", "/v1/runs", body).has("status", "completed")
	mute := w.key(`{"name":"mute","scopes":["runs:write","finance:read"]}`)
	failed := mute.want(201, "POST", "/v1/runs", body).has("status", "failed").has("stop_reason", "scope_denied")
	if !strings.Contains(failed.text("error.message"), "agents:execute") {
		t.Errorf("the scope is not named: %s", failed.Body)
	}
	w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","context":["finance"],"approval":{"required_for":["finance.*"]}}`).has("status", "awaiting_approval")
}

// TestStepLimit: the ceiling is no 422 but a failed run with all that it has.
func TestStepLimit(t *testing.T) {
	w := newWorld(t, script.Func(func(context.Context, run.Request) (script.Line, error) { return script.Call("time.now", `{}`), nil }))
	got := w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","tools":["time.now"],"max_steps":2}`)
	got.has("status", "failed").has("error.code", "step_limit").has("error.limit", "steps").has("steps_used", 2)
}

// TestFunctions: calls of function tools come back by API.
func TestFunctions(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("weather", `{"city":"Ulm"}`).And("weather", `{"city":"Bonn"}`), script.Say("Mild.")))
	made := w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","functions":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]}`)
	made.has("status", "awaiting_input").count("pending_calls", 2).has("pending_calls.0.tool", "weather").has("pending_calls.0.arguments.city", "Ulm").count("pending_actions", 0)
	path := "/v1/runs/" + made.text("id") + "/tool_outputs"
	for body, fault := range map[string]string{
		`{}`: "outputs", `{"outputs":[]}`: "outputs", `{"outputs":[{"action_id":"act_01"}]}`: "outputs[0]", `{"outputs":[{"output":"x"}]}`: "outputs[0].action_id",
		`{"outputs":[{"action_id":"act_01","output":"x","error":"y"}]}`: "outputs[0]", `{"outputs":[{"action_id":"act_01","output":"x"},{"action_id":"act_01","output":"y"}]}`: "outputs[1].action_id",
	} {
		got := w.want(400, "POST", path, body)
		if faults, _ := got.get("errors").(map[string]any); faults[fault] == nil {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	w.want(200, "POST", path, `{"outputs":[{"action_id":"act_01","output":{"degrees":17}}]}`).has("status", "awaiting_input").count("pending_calls", 1)
	w.want(200, "POST", path, `{"outputs":[{"action_id":"act_02","error":"no such city"}]}`)
	w.want(200, "GET", "/v1/runs/"+made.text("id")+"/stream", "")
	w.want(200, "GET", "/v1/runs/"+made.text("id"), "").has("result.summary", "Mild.").has("trace.1.output", `{"degrees":17}`).has("trace.2.outcome", "error")
}

// TestSteering pauses, resumes, speaks to and cancels a run that waits.
func TestSteering(t *testing.T) {
	w := newWorld(t, chaser())
	w.want(200, "POST", "/v1/agents", invoiceChaser)
	id := w.want(200, "POST", "/v1/agents/invoice-chaser/run", `{"prompt":"x"}`).text("id")
	w.want(409, "POST", "/v1/runs/"+id+"/retry", "")
	w.want(409, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","previous_run_id":"`+id+`"}`)
	w.want(200, "POST", "/v1/runs/"+id+"/pause", "").has("status", "paused")
	w.want(200, "POST", "/v1/runs/"+id+"/pause", "{}").has("status", "paused")
	w.want(400, "POST", "/v1/runs/"+id+"/pause", `{"x":1}`).has("error.param", "x")
	w.want(200, "POST", "/v1/runs/"+id+"/resume", "").has("status", "awaiting_approval")
	w.want(200, "POST", "/v1/runs/"+id+"/messages", `{"content":"Leave Meridian out."}`)
	w.want(400, "POST", "/v1/runs/"+id+"/messages", `{"content":""}`).has("error.param", "content")
	first := w.want(200, "POST", "/v1/runs/"+id+"/cancel", `{"reason":"Enough."}`).has("status", "cancelled").has("stop_reason", "cancelled").count("pending_actions", 0)
	if again := w.want(200, "POST", "/v1/runs/"+id+"/cancel", ""); string(again.Body) != string(first.Body) {
		t.Errorf("got %s, want %s", again.Body, first.Body)
	}
	w.want(409, "POST", "/v1/runs/"+id+"/approve", `{"action_ids":["act_02"]}`)
	w.want(409, "POST", "/v1/runs/"+id+"/pause", "")
}

// TestWaiting: the answer waits for as long as it was asked to.
func TestWaiting(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		line, _ := sayHello(ctx, req)
		line.Before = func(ctx context.Context) error {
			select {
			case <-gate:
				return nil
			case <-ctx.Done():
				return errors.New("cut")
			}
		}
		return line, nil
	}))
	body := `{"model":"y0-fast","prompt":"x"}`
	id := w.want(201, "POST", "/v1/runs?wait=0", body).has("status", "running").text("id")
	w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","background":true}`).has("status", "running")
	prefer := w.want(201, "POST", "/v1/runs", body, "Prefer", "respond-async, wait=0").has("status", "running")
	if got := prefer.Header.Get("Preference-Applied"); got != "wait=0" {
		t.Errorf("Preference-Applied: %q", got)
	}
	w.want(409, "DELETE", "/v1/runs/"+id, "").has("error.code", "conflict")
	close(gate)
	w.want(200, "GET", "/v1/runs/"+id+"/stream?until=rest", "")
	w.want(200, "GET", "/v1/runs/"+id, "").has("status", "completed")
}
