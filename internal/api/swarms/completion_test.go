package swarms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

func agentWith(fields string) string {
	if fields != "" {
		fields = "," + fields
	}
	return `{"agent_config":{"agent_name":"A"` + fields + `},"task":"Go."}`
}

func TestCompletion(t *testing.T) {
	w := newWorld(t, script.Steps(script.Say("Hello.")))
	got := w.complete(200, agentWith(`"description":"For tests."`))
	c := got.completion()
	if diff := cmp.Diff([]string{"A: Hello."}, c.texts()); diff != "" || !c.Success || c.Usage.Total != 15 || !strings.HasPrefix(c.JobID, "agent-") {
		t.Errorf("%+v\n%s", c, diff)
	}
	s := w.state(c.JobID)
	if s.Spec.Dialect != "swarms" || s.Spec.Model != "gpt-4.1" || s.Spec.OnUnknown != run.FailUnknown || s.Spec.Tethered {
		t.Errorf("%+v", s.Spec)
	}
	for name, want := range map[string]string{
		"X-RateLimit-Limit-Minute": "1000000000", "X-RateLimit-Remaining-Minute": "1000000000", "X-RateLimit-Limit-Day": "1000000000",
		"X-RateLimit-Remaining-Day": "1000000000", "X-RateLimit-Tier": "unlimited",
	} {
		if got.Header.Get(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), want)
		}
	}
	if got.Header.Get("X-RateLimit-Reset") == "" {
		t.Error("no X-RateLimit-Reset")
	}
}

// TestShapes: what has not the shape of a request is 422, with places.
func TestShapes(t *testing.T) {
	w := newWorld(t, script.Steps())
	for body, want := range map[string]string{
		`{}`:                                 `[{"type":"missing","loc":["body","agent_config"],"msg":"Field required","input":{}}]`,
		`{"agent_config":null,"task":"x"}`:   `[{"type":"missing","loc":["body","agent_config"],"msg":"Field required","input":{"agent_config":null,"task":"x"}}]`,
		`[]`:                                 `[{"type":"type_error","loc":["body"],"msg":"must be an object","input":[]}]`,
		` "x"`:                               `[{"type":"type_error","loc":["body"],"msg":"must be an object","input":"x"}]`,
		`null`:                               `[{"type":"type_error","loc":["body"],"msg":"must be an object","input":null}]`,
		`{"agent_config":{},"task":7}`:       `[{"type":"type_error","loc":["body","task"],"msg":"must be a string, not a number","input":7}]`,
		`{"agent_config":{"max_loops":"x"}}`: `[{"type":"type_error","loc":["body","agent_config","max_loops"],"msg":"must be a whole number or \"auto\"","input":"x"}]`,
		`{"agent_config":{"tools_list_dictionary":[{}]}}`: `[{"type":"type_error","loc":["body","agent_config","tools_list_dictionary",0],` +
			`"msg":"must be a function's schema: {\"type\":\"function\",\"function\":{\"name\":…,\"description\":…,\"parameters\":{…}}}","input":{}}]`,
		`{"agent_config":{"mcp_configs":{}}}`:        `[{"type":"missing","loc":["body","agent_config","mcp_configs","connections"],"msg":"Field required","input":{}}]`,
		`{"agent_config":{},"history":"x"}`:          `[{"type":"type_error","loc":["body","history"],"msg":"must be a list of messages or an object","input":"x"}]`,
		`{"agent_config":{"handoffs":[{"role":1}]}}`: `[{"type":"type_error","loc":["body","agent_config","handoffs",0,"role"],"msg":"must be a string, not a number","input":1}]`,
		`{"agent_config":{"temperature":"hot"},"imgs":["x",2]}`: `[{"type":"type_error","loc":["body","agent_config","temperature"],"msg":"must be a number, not this string","input":"hot"},` +
			`{"type":"type_error","loc":["body","imgs",1],"msg":"must be a string, not a number","input":2}]`,
	} {
		var body1 struct{ Detail json.RawMessage }
		w.complete(422, body).Into(&body1)
		if string(body1.Detail) != want {
			t.Errorf("%s: got  %s\nwant %s", body, body1.Detail, want)
		}
	}
	for _, body := range []string{`{`, `nul`, `{"task":1,"task":2}`, "{\"task\":\"\xff\"}", `{"agent_config":{"role":"a","role":"b"}}`} {
		if detail := w.complete(400, body).detail(); detail == "" {
			t.Errorf("%s: no detail", body)
		}
	}
	empty := w.complete(422, "")
	if !strings.Contains(string(empty.Body), `"loc":["body"]`) {
		t.Errorf("%s", empty.Body)
	}
}

// TestDoors: errors have the API's shape wherever they come from.
func TestDoors(t *testing.T) {
	w := newWorld(t, script.Steps())
	poor := *w
	poor.Client = w.As("sk_wrong")
	for _, c := range []struct {
		status       int
		method, path string
	}{
		{404, "POST", "/v1/swarm/completions"}, {404, "GET", "/v1/swarms/available"},
		{405, "GET", "/v1/agent/completions"}, {405, "POST", "/v1/agents/list"}, {401, "POST", "/v1/agent/completions"},
	} {
		as := w
		if c.status == 401 {
			as = &poor
		}
		got := as.do(c.method, c.path, "")
		if got.Status != c.status || got.detail() == "" || got.Header.Get("X-RateLimit-Tier") != "unlimited" {
			t.Errorf("%s %s: %d %s %v", c.method, c.path, got.Status, got.Body, got.Header)
		}
		if c.status == 404 && got.detail() != "Not Found" {
			t.Errorf("%s: %s", c.path, got.Body)
		}
	}
}

// TestFailures: a failed run is an error that is not worth repeating.
func TestFailures(t *testing.T) {
	for code, status := range map[problem.Code]int{
		problem.ModelRefused: 400, problem.ModelAuth: 502, problem.ModelRateLimited: 429, problem.ModelTimeout: 504, problem.Internal: 500,
	} {
		w := newWorld(t, script.Steps(script.Fail(code)))
		got := w.complete(status, agentWith(""))
		if got.Header.Get("X-Should-Retry") != "false" || !strings.Contains(got.detail(), "GET /v1/runs/agent-") {
			t.Errorf("%s: %s %v", code, got.Body, got.Header)
		}
	}
	w := newWorld(t, script.Steps())
	if detail := w.complete(400, agentWith(`"model_name":"x/y"`)).detail(); !strings.Contains(detail, "Model x/y is not available") {
		t.Error(detail)
	}
}

// TestFunctions: a call of a function that the caller has brought is the answer.
func TestFunctions(t *testing.T) {
	line := script.Call("weather", `{"city": "Ulm"}`)
	line.Reply.Text = "Let me look."
	w := newWorld(t, script.Steps(line))
	body := agentWith(`"tools_list_dictionary":[{"type":"function","function":{"name":"weather","description":"Tells it.","parameters":{"type":"object","properties":{"city":{"type":"string"}}}}}]`)
	c := w.complete(200, body).completion()
	if len(c.Outputs) != 1 || string(c.Outputs[0].Content) != `[{"function":{"arguments":"{\"city\": \"Ulm\"}","name":"weather"},"id":"call_1_1","type":"function"}]` {
		t.Errorf("%s", c.texts())
	}
	streamed := w.complete(200, strings.Replace(body, `"task"`, `"stream":true,"task"`, 1))
	if text := told(string(streamed.Body)); !strings.Contains(text, `"name":"weather"`) || !strings.Contains(string(streamed.Body), "event: done") {
		t.Errorf("%s", streamed.Body)
	}
}

// TestTools: what tools return is shown, and summed up unless that is declined.
func TestTools(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("web.search", `{"query":"x"}`), script.Say("Found.")))
	body := `{"agent_config":{"agent_name":"A"},"task":"Go.","tools_enabled":["auto_search"]}`
	want := []string{"Tool Executor: result of web.search", "A: Found."}
	if diff := cmp.Diff(want, w.complete(200, body).completion().texts()); diff != "" {
		t.Error(diff)
	}
	raw := w.complete(200, `{"agent_config":{"agent_name":"A","tool_call_summary":false},"task":"Go.","tools_enabled":["auto_search"]}`)
	if diff := cmp.Diff(want[:1], raw.completion().texts()); diff != "" {
		t.Error(diff)
	}
	streamed := w.complete(200, `{"agent_config":{"agent_name":"A","tool_call_summary":false,"streaming_on":true},"task":"Go.","tools_enabled":["auto_search"]}`)
	if text := told(string(streamed.Body)); text != "result of web.search" {
		t.Errorf("%q in %s", text, streamed.Body)
	}
}

// TestRawPasses: with several passes, what tools returned is told in its place, and
// the last words are the last pass's.
func TestRawPasses(t *testing.T) {
	two := script.Call("web.search", `{"query":"x"}`).And("web.fetch", `{"url":"https://a.example"}`)
	w := newWorld(t, script.Steps(two, script.Say("Second.")))
	order := func(more string) string {
		return `{"agent_config":{"agent_name":"A","tool_call_summary":false,"max_loops":2` + more + `},"task":"Go.","tools_enabled":["auto_search"]}`
	}
	want := []string{"Tool Executor: result of web.search", "Tool Executor: result of web.fetch", "A: Second."}
	if diff := cmp.Diff(want, w.complete(200, order("")).completion().texts()); diff != "" {
		t.Error(diff)
	}
	streamed := w.complete(200, order(`,"streaming_on":true`))
	if text := told(string(streamed.Body)); text != "result of web.search\n\nresult of web.fetch\n\nSecond." {
		t.Errorf("%q in %s", text, streamed.Body)
	}
}

// TestPasses: each pass is an entry; the last is the answer.
func TestPasses(t *testing.T) {
	w := newWorld(t, script.Steps(script.Say("One."), script.Say("Two."), script.Say("Three.")))
	c := w.complete(200, agentWith(`"max_loops":3`)).completion()
	if diff := cmp.Diff([]string{"A: One.", "A: Two.", "A: Three."}, c.texts()); diff != "" {
		t.Error(diff)
	}
	if s := w.state(c.JobID); s.Spec.Passes != 3 || !s.Spec.Params.Vary || s.Spec.Limits.MaxSteps != 3 {
		t.Errorf("%+v", s.Spec)
	}
}

// TestAuto: an agent that works by itself plans in its own log, tells its user
// things on the way, and says honestly when it has used up its turns.
func TestAuto(t *testing.T) {
	w := newWorld(t, script.Steps(
		script.Call("plan.create_plan", `{}`), script.Call("plan.respond_to_user", `{"message":"Half way."}`), script.Say("All done."),
	))
	c := w.complete(200, agentWith(`"max_loops":"auto"`)).completion()
	if diff := cmp.Diff([]string{"Tool Executor: result of plan.create_plan", "A: Half way.", "A: All done."}, c.texts()); diff != "" {
		t.Error(diff)
	}
	s := w.state(c.JobID)
	if len(s.Spec.Tools) != 5 || s.Spec.Limits.MaxSteps != 50 || !strings.Contains(s.Spec.Instructions, "plan.create_plan") {
		t.Errorf("%+v", s.Spec)
	}
	streamed := w.complete(200, agentWith(`"max_loops":"auto","streaming_on":true`))
	if text := told(string(streamed.Body)); text != "Half way.\n\nAll done." {
		t.Errorf("%q", text)
	}
	endless := newWorld(t, script.Func(func(context.Context, run.Request) (script.Line, error) { return script.Call("plan.think", `{}`), nil }))
	got := endless.complete(500, agentWith(`"max_loops":"auto","selected_tools":["think"]`))
	if detail := got.detail(); !strings.Contains(detail, "ceiling of turns") || got.Header.Get("X-Should-Retry") != "false" {
		t.Error(detail)
	}
	if n := len(endless.model.Requests()); n != 50 {
		t.Errorf("%d turns, want 50", n)
	}
}

// TestDraft: auto_generate_prompt has the model write the system prompt first.
func TestDraft(t *testing.T) {
	w := newWorld(t, script.Queue(script.Say("You weigh words."), script.Say("Done.")))
	c := w.complete(200, agentWith(`"auto_generate_prompt":true,"system_prompt":"Be brief.","description":"A poet."`)).completion()
	if diff := cmp.Diff([]string{"A: Done."}, c.texts()); diff != "" || c.Usage.Total != 30 {
		t.Errorf("%+v %s", c, diff)
	}
	asked := w.model.Requests()
	if text := asked[0].Messages[0].Text; !strings.Contains(text, "A poet.") || !strings.Contains(text, "Be brief.") || !strings.Contains(text, "Go.") || len(asked[0].Tools) != 0 {
		t.Errorf("%s", text)
	}
	system := asked[1].Messages[0].Text
	if !strings.HasPrefix(system, "Be brief.") || !strings.HasSuffix(system, "You weigh words.") {
		t.Errorf("%s", system)
	}
	if s := w.state(c.JobID); s.Spec.Previous == nil || w.state(s.Spec.Previous.String()).Spec.Dialect != "swarms" {
		t.Error("the run that wrote the prompt is not linked")
	}
	failing := newWorld(t, script.Steps(script.Fail(problem.ModelRefused)))
	if detail := failing.complete(400, agentWith(`"auto_generate_prompt":true`)).detail(); !strings.Contains(detail, "auto_generate_prompt") {
		t.Error(detail)
	}
}

// TestServers: a server that is down costs its own tools, and the answer names it.
func TestServers(t *testing.T) {
	const both = `"mcp_configs":{"connections":[{"url":"https://down.example/mcp","timeout":2},{"url":"https://theirs.example/mcp","authorization_token":"tok-secret-1","headers":{"X-Own":"own-secret"}}]}`
	lines := []script.Line{script.Call("theirs__get", `{}`), script.Say("Got it.")}
	w := newWorld(t, script.Steps(lines...))
	got := w.complete(200, agentWith(both))
	want := []string{"Tool Executor: result of theirs__get", "A: Got it.\n\n(The MCP server https://down.example/mcp did not answer within 2s.)"}
	if diff := cmp.Diff(want, got.completion().texts()); diff != "" {
		t.Error(diff)
	}
	streamed := w.complete(200, agentWith(both+`,"streaming_on":true`))
	if text := told(string(streamed.Body)); !strings.HasPrefix(text, "Got it.") || !strings.Contains(text, "https://down.example/mcp") {
		t.Errorf("%q", text)
	}
	down := w.complete(424, agentWith(`"mcp_url":"https://down.example/mcp"`))
	if !strings.Contains(down.detail(), "https://down.example/mcp") {
		t.Error(down.detail())
	}
	bad := w.complete(400, agentWith(`"mcp_config":{"url":"https://theirs.example/","headers":{"X-Bad":"1"}}`))
	if !strings.Contains(bad.detail(), "agent_config.mcp_config.headers.X-Bad") {
		t.Error(bad.detail())
	}
	asked := w.servers.asked[1]
	if asked.Token != "tok-secret-1" || asked.Transport != "streamable_http" || asked.Timeout != 10*time.Second || asked.Headers["X-Own"] != "own-secret" {
		t.Errorf("%+v", asked)
	}
	if listed := w.do("GET", "/v1/agents/list", ""); strings.Contains(string(listed.Body), "secret") || !strings.Contains(string(listed.Body), "theirs.example") {
		t.Errorf("%s", listed.Body)
	}
}

// TestHistory: what the model sees of a history.
func TestHistory(t *testing.T) {
	for history, want := range map[string]string{
		`[{"role":"user","content":"a"},{"role":"assistant","content":"b"}]`:                                           "user:a assistant:b user:Go.",
		`{"z":{"role":"user","content":"1"},"a":{"role":"assistant","content":"2"},"m":{"role":"user","content":"3"}}`: "user:1 assistant:2 user:3 user:Go.",
		`{"z":"1","a":{"b":2}}`: "user:What is known from before:\nz: 1\na: {\"b\":2} user:Go.",
		`{}`:                    "user:Go.",
		`[]`:                    "user:Go.",
		`null`:                  "user:Go.",
		`[{"role":"A","content":"mine"},{"role":"Tool Executor","content":"its"}]`: "assistant:mine assistant:its user:Go.",
	} {
		w := newWorld(t, script.Steps(script.Say("x")))
		w.complete(200, `{"agent_config":{"agent_name":"A"},"task":"Go.","history":`+history+`}`)
		var seen []string
		for _, m := range w.model.Requests()[0].Messages {
			if m.Role != run.System {
				seen = append(seen, string(m.Role)+":"+m.Text)
			}
		}
		if got := strings.Join(seen, " "); got != want {
			t.Errorf("%s: got %q, want %q", history, got, want)
		}
	}
	w := newWorld(t, script.Steps(script.Say("x")))
	w.complete(200, `{"agent_config":{},"history":[{"role":"user","content":"only this"}]}`)
	if m := w.model.Requests()[0].Messages; len(m) != 1 || m[0].Text != "only this" {
		t.Errorf("%+v", m)
	}
}

// TestHalted: a run that waits for a person answers with a text that says so.
func TestHalted(t *testing.T) {
	paused := make(chan struct{})
	w := newWorld(t, script.Steps(script.Line{Reply: run.Reply{Text: "x"}, Before: func(ctx context.Context) error {
		select {
		case <-paused:
		case <-ctx.Done():
		}
		return ctx.Err()
	}}, script.Say("y")))
	answers := make(chan reply, 1)
	go func() { answers <- w.do("POST", "/v1/agent/completions", agentWith(`"max_loops":2`)) }()
	id := w.only()
	if _, err := w.engine.Pause(t.Context(), "default", id, ""); err != nil {
		t.Fatal(err)
	}
	close(paused)
	c := (<-answers).completion()
	if all := strings.Join(c.texts(), " "); !c.Success || !strings.Contains(all, "paused") || !strings.Contains(all, "run_"+id.String()) {
		t.Errorf("%s", all)
	}
}

// only waits for the run of a test that has one.
func (w *world) only() run.ID {
	w.t.Helper()
	for range 6000 { // a minute
		lines, err := w.store.Runs(w.t.Context(), run.RunQuery{Project: "default", Limit: 2})
		if err != nil {
			w.t.Fatal(err)
		}
		if len(lines) == 1 {
			return lines[0].ID
		}
		time.Sleep(10 * time.Millisecond)
	}
	w.t.Fatal("there is no run")
	return run.ID{}
}

// TestCancelled: a run that someone cancels by another API answers at once.
func TestCancelled(t *testing.T) {
	for _, stream := range []bool{false, true} {
		w := newWorld(t, script.Steps(script.Line{Deltas: []run.Delta{{Kind: run.TextDelta, Text: "Well"}}, Stall: true}))
		answers := make(chan reply, 1)
		go func() {
			answers <- w.do("POST", "/v1/agent/completions", agentWith(fmt.Sprintf(`"streaming_on":%t`, stream)))
		}()
		if _, err := w.engine.Cancel(t.Context(), "default", w.only(), run.Cancel{}); err != nil {
			t.Fatal(err)
		}
		got := <-answers
		if want := "The agent was cancelled"; !strings.Contains(string(got.Body), want) || stream != (got.Status == 200) || !stream && got.Status != 409 {
			t.Errorf("%d %s", got.Status, got.Body)
		}
	}
}

// TestHandoffs: an agent hands work to another, which does it in a run of its own,
// with its own prompt; what that has used is part of the usage.
func TestHandoffs(t *testing.T) {
	w := newWorld(t, script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		last := req.Messages[len(req.Messages)-1]
		switch {
		case strings.Contains(req.Messages[0].Text, "Your name: Bea"):
			return script.Say("Counted: " + last.Text), nil
		case last.Role == run.ToolRole:
			return script.Say("Bea says it is so."), nil
		}
		return script.Call("handoff.Bea", `{"task":"count the sheep"}`), nil
	}))
	got := w.complete(200, agentWith(`"handoffs":[{"agent_name":"Bea","description":"Counts.","mcp_config":{"url":"https://theirs.example/mcp","authorization_token":"tok-secret-2"}}]`))
	c := got.completion()
	if diff := cmp.Diff([]string{"Tool Executor: Counted: count the sheep", "A: Bea says it is so."}, c.texts()); diff != "" || c.Usage.Total != 45 {
		t.Errorf("%+v\n%s", c, diff)
	}
	child := w.state(w.state(c.JobID).Turns[0].Actions[0].Child.String())
	if child.Spec.Dialect != "swarms" || child.Spec.Parent == nil || len(child.Spec.Servers) != 1 {
		t.Errorf("%+v", child.Spec)
	}
	if listed := w.do("GET", "/v1/agents/list", ""); strings.Contains(string(listed.Body), "tok-secret") || !strings.Contains(string(listed.Body), "Bea") {
		t.Errorf("%s", listed.Body)
	}
	streamed := w.complete(200, agentWith(`"streaming_on":true,"handoffs":[{"agent_name":"Bea"}]`))
	if text := told(string(streamed.Body)); text != "Bea says it is so." {
		t.Errorf("%s", streamed.Body)
	}
}
