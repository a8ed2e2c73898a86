package webagent_test

import (
	"encoding/json"
	"strings"
	"testing"

	"errand/internal/api/webagent"
	"errand/internal/model/script"
	"errand/internal/run"
)

// nothing is what a field asks for that says no more than its absence.
const nothing = ""

// field is one request: want is in the answer of a refusal, or in the run's Spec as
// JSON.
type field struct {
	body   string
	status int
	want   string
}

func taskFields() []field {
	return []field{
		{`{}`, 422, `{"type":"missing","loc":["body","prompt"],"msg":"Field required","input":{}}`},
		{``, 422, `{"type":"missing","loc":["body"],"msg":"Field required","input":null}`},
		{`[]`, 422, `"loc":["body"]`},
		{`{"prompt":`, 400, `"detail":"body: `},
		{`{"prompt":"a","prompt":"b"}`, 400, `twice`},
		{`{"prompt":null}`, 422, `"string_type"`},
		{`{"prompt":3}`, 422, `"string_type"`},
		{`{"prompt":"ab"}`, 422, `"ctx":{"min_length":3}`},
		{`{"prompt":"   "}`, 422, `must say what to do`},
		{`{"prompt":"éß日"}`, 200, `"text":"éß日"`},
		{`{"prompt":"` + strings.Repeat("x", 51) + `"}`, 422, `"ctx":{"max_length":50}`},
		{`{"prompt":"Go on.","model":null,"provider":null}`, 200, `"model":"openai/o3"`},
		{`{"prompt":"Go on.","model":"o3","provider":"openai"}`, 200, `"model":"openai/o3"`},
		{`{"prompt":"Go on.","model":"llama","provider":"groq"}`, 200, `"model":"groq/llama"`},
		{`{"prompt":"Go on.","model":"claude","provider":"anthropic"}`, 422, `the provider is not configured`},
		{`{"prompt":"Go on.","model":"offline"}`, 200, `"model":"offline"`},
		{`{"prompt":"Go on.","provider":"OpenAI"}`, 422, `"type":"enum"`},
		{`{"prompt":"Go on.","wait_for_completion":null}`, 200, `"wait":true`},
		{`{"prompt":"Go on.","wait_for_completion":"yes"}`, 200, `"wait":true`},
		{`{"prompt":"Go on.","wait_for_completion":0}`, 200, `"response_format":"text"}`},
		{`{"prompt":"Go on.","wait_for_completion":2}`, 422, `"bool_parsing"`},
		{`{"prompt":"Go on.","wait_for_completion":[]}`, 422, `"bool_type"`},
		{`{"prompt":"Go on.","webhook_url":"https://h.example/"}`, 200, `"webhook":"https://h.example/"`},
		{`{"prompt":"Go on.","webhook_url":"http://10.0.0.1/"}`, 422, `allowed addresses alone`},
		{`{"prompt":"Go on.","webhook_url":"file:///etc/passwd"}`, 422, `"url_parsing"`},
		{`{"prompt":"Go on.","webhook_url":"gopher://h.example/"}`, 422, `"url_parsing"`},
	}
}

func formFields() []field {
	return []field{
		{`{"prompt":"Go on.","webhook_url":""}`, 200, nothing},
		{`{"prompt":"Go on.","response_format":null}`, 200, `"response_format":"text"`},
		{`{"prompt":"Go on.","response_format":"json"}`, 200, `"output":{"type":"object"},"repairs":2`},
		{`{"prompt":"Go on.","response_format":"xml"}`, 422, `'text' or 'json'`},
		{`{"prompt":"Go on.","json_schema":null}`, 200, nothing},
		{`{"prompt":"Go on.","json_schema":{"type":"number"}}`, 200, `"output":{"type":"number"}`},
		{`{"prompt":"Go on.","json_schema":"{\"type\":\"number\"}"}`, 200, `"output":{"type":"number"}`},
		{`{"prompt":"Go on.","json_schema":"{"}`, 422, `Value error, Invalid JSON string: `},
		{`{"prompt":"Go on.","json_schema":{"type":"wrong"}}`, 422, `Value error, Invalid JSON Schema: `},
		{`{"prompt":"Go on.","json_schema":{"$ref":"file:///etc/passwd"}}`, 422, `Value error, Invalid JSON Schema: `},
		{`{"prompt":"Go on.","use_cached_workflow":true}`, 200, nothing},
		{`{"prompt":"Go on.","use_cached_workflow":"perhaps"}`, 422, `"bool_parsing"`},
		{`{"prompt":"Go on.","use_cached_workflow":true,"cached_workflow":{"steps":[{"actions":[{"name":"click","params":{}}]}]}}`, 200, `"replay":{"parameters":[],"steps":[{"calls":[{"tool":"browser.click","arguments":{}}]}]`},
		{`{"prompt":"Go on.","use_cached_workflow":false,"cached_workflow":{"steps":[{"actions":[{"name":"click","params":{}}]}]}}`, 200, nothing},
		{`{"prompt":"Go on.","cached_workflow":[]}`, 422, `"dict_type"`},
		{`{"prompt":"Go on.","cached_workflow":{"steps":[{"actions":[]}]}}`, 422, `no action to replay`},
		{`{"prompt":"Go on.","use_cached_workflow":true,"cached_workflow":{"steps":[{"actions":[{"name":"evaluate","params":{}}]}]}}`, 422, `no tool for the action`},
		{`{"prompt":"Go on.","parameters":{"a":"b"}}`, 422, `no cached workflow in use`},
		{`{"prompt":"Go on.","parameters":{"a":{}}}`, 422, `"dict_type"`},
		{`{"prompt":"Go on.","initial_url":"https://a.example/"}`, 200, `Begin at this address: https://a.example/`},
		{`{"prompt":"Go on.","initial_url":"javascript:alert(1)"}`, 422, `"url_parsing"`},
		{`{"prompt":"Go on.","session_timeout":30}`, 200, `"wall_time":30`},
		{`{"prompt":"Go on.","session_timeout":0}`, 422, `"session_timeout"`},
		{`{"prompt":"Go on.","auth_context_id":""}`, 200, nothing},
		{`{"prompt":"Go on.","auth_context_id":"ctx_1"}`, 422, `keeps no logins`},
		{`{"prompt":"Go on.","what_is_this":1}`, 200, nothing},
	}
}

// TestFields is every field of a request: what it does when it is right, and what
// is said of it when it is wrong.
func TestFields(t *testing.T) {
	for _, c := range append(taskFields(), formFields()...) {
		model := script.Func(done)
		w := newWorld(t, model, func(cfg *webagent.Config) { cfg.MaxPrompt = 50 })
		w.page.broken = "none"
		got := w.do("POST", "/api/runs", c.body)
		text := string(got.Body)
		if c.status == 200 && got.Status == 200 {
			text = spec(t, w)
		}
		said := strings.Contains(text, c.want)
		if c.want == nothing {
			said = !strings.Contains(text, `"replay"`) && !strings.Contains(text, `"output"`) && !strings.Contains(text, `"webhook"`)
		}
		if got.Status != c.status || !said {
			t.Errorf("%s\ngot %d %s\nwant %d %s", c.body, got.Status, text, c.status, c.want)
		}
		if c.status != 200 && len(model.Requests()) > 0 {
			t.Errorf("%s: a model was called before the request was checked", c.body)
		}
	}
}

// spec is the Spec of the one run there is.
func spec(t *testing.T, w *world) string {
	found, err := w.store.Runs(t.Context(), run.RunQuery{Project: "default", Limit: 1})
	if err != nil || len(found) != 1 {
		t.Fatal(err)
	}
	s, err := w.engine.Get(t.Context(), "default", found[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if s.Spec.OnUnknown != run.FailUnknown || s.Spec.Tethered || s.Spec.Limits.MaxSteps == 0 || s.Spec.Dialect != webagent.Dialect {
		t.Errorf("the spec of every run: %+v", s.Spec)
	}
	text, err := json.Marshal(s.Spec)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestFailures: however a run ends, there is an answer that says how.
func TestFailures(t *testing.T) {
	for name, c := range map[string]struct {
		lines   []script.Line
		body    string
		status  string
		actions string
		why     string
	}{
		"the model fails":  {[]script.Line{script.Fail("model_refused")}, `{}`, "failure", "done!", "the script says so"},
		"no such tool":     {[]script.Line{script.Call("browser.fly", `{}`), script.Say("Sorry.")}, `{}`, "success", "fly! done", ""},
		"a broken element": {[]script.Line{script.Call("browser.click", `{"element":{"xpath":"//gone"}}`), script.Say("It is gone.")}, `{}`, "success", "click! done", ""},
		"never JSON":       {[]script.Line{script.Say("a"), script.Say("b"), script.Say("c")}, `{"response_format":"json"}`, "failure", "done!", "does not satisfy"},
		"mended JSON":      {[]script.Line{script.Say("a"), script.Say(`{"b":1}`)}, `{"response_format":"json"}`, "success", "done", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, script.Queue(c.lines...))
			w.page.broken = "//gone"
			got := w.want(200, "POST", "/api/runs", strings.Replace(c.body, "{", `{"prompt":"Do it."`+map[bool]string{true: ",", false: ""}[len(c.body) > 2], 1)).told()
			last := got.History[len(got.History)-1].Actions
			end := last[len(last)-1]
			if got.Status != c.status || got.actions() != c.actions || !end.IsDone || end.Success == nil || *end.Success != (c.status == "success") {
				t.Errorf("%s: %+v", got.actions(), got)
			}
			if c.why != "" && !strings.Contains(*end.Error, c.why) {
				t.Errorf("it says %q", *end.Error)
			}
		})
	}
}
