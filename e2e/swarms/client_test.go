package swarms

import (
	"encoding/json"
	"net/http"
	"os/exec"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// documented is the curl of the API document, verbatim but for the address, the key,
// and what the test puts in place of the placeholders.
const documented = `curl --request POST \
  --url https://api.example.com/v1/agent/completions \
  --header 'Content-Type: application/json' \
  --header 'x-api-key: <x-api-key>' \
  --data '
{
  "agent_config": {
    "agent_name": "<string>",
    "description": "<string>",
    "system_prompt": "<string>",
    "model_name": "gpt-4.1",
    "auto_generate_prompt": false,
    "max_tokens": 8192,
    "temperature": 0.5,
    "role": "worker",
    "max_loops": 1,
    "tools_list_dictionary": [
      {}
    ],
    "mcp_url": "<string>",
    "streaming_on": false,
    "llm_args": {},
    "dynamic_temperature_enabled": true,
    "mcp_config": {
      "type": "mcp",
      "url": "http://localhost:8000/mcp",
      "tool_configurations": {},
      "authorization_token": "<string>",
      "transport": "streamable_http",
      "headers": {},
      "timeout": 10
    },
    "mcp_configs": {
      "connections": [
        {
          "type": "mcp",
          "url": "http://localhost:8000/mcp",
          "tool_configurations": {},
          "authorization_token": "<string>",
          "transport": "streamable_http",
          "headers": {},
          "timeout": 10
        }
      ]
    },
    "tool_call_summary": true,
    "reasoning_effort": "<string>",
    "thinking_tokens": 123,
    "reasoning_enabled": false
  },
  "task": "<string>",
  "history": {},
  "img": "<string>",
  "imgs": [
    "<string>"
  ],
  "tools_enabled": [
    "<string>"
  ]
}
' --silent --show-error --write-out '\n%{http_code}'`

// curl runs a command of the document against the server.
func curl(t *testing.T, s *rig.Server, command string) (status, body string) {
	t.Helper()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed: scripts/setup.sh curl")
	}
	command = strings.NewReplacer("https://api.example.com", s.URL, "<x-api-key>", rig.AdminKey).Replace(command)
	out, err := exec.Command("sh", "-c", command).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cut := strings.LastIndex(string(out), "\n")
	return string(out[cut+1:]), string(out[:cut])
}

// TestDocument: the document's own request is answered by a named fault, and with
// sense in place of each placeholder, one after the other, by the next, up to an
// answer. It never is an error of the server.
func TestDocument(t *testing.T) {
	w := rig.New(t)
	w.Model.Plays(func(rig.Conversation) rig.Turn { return rig.Turn{Text: "The answer."} })
	s := w.Start()
	command := documented
	for _, step := range []struct{ status, names, old, new string }{
		{"422", `"tools_list_dictionary",0`, "[\n      {}\n    ]", `[{"type": "function", "function": {"name": "lookup"}}]`},
		{"400", "agent_config.mcp_url", `"mcp_url": "<string>"`, `"mcp_url": null`},
		{"400", "agent_config.reasoning_effort", `"reasoning_effort": "<string>"`, `"reasoning_effort": "low"`},
		{"400", "img: ", `"img": "<string>"`, `"img": null`},
		{"400", "imgs[0]: ", "[\n    \"<string>\"\n  ],", `[],`},
		{"400", "tools_enabled[0]: ", "[\n    \"<string>\"\n  ]", `[]`},
		{"424", "http://localhost:8000/mcp", "http://localhost:8000/mcp", "http://localhost:9/mcp"},
	} {
		status, body := curl(t, s, command)
		if status != step.status || !strings.Contains(body, step.names) {
			t.Errorf("%s %s, want %s with %s", status, body, step.status, step.names)
		}
		command = strings.ReplaceAll(command, step.old, step.new)
	}
	for _, field := range []string{"mcp_config", "mcp_configs"} { // there is no such server here
		command = strings.Replace(command, `"`+field+`"`, `"x_`+field+`"`, 1)
	}
	status, body := curl(t, s, command)
	if status != "200" || !strings.Contains(body, "The answer.") {
		t.Errorf("%s %s", status, body)
	}
}

// TestFetch runs what a plain JavaScript client does.
func TestFetch(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	w.Env["ERRAND_URL"], w.Env["ERRAND_API_KEY"] = s.URL, rig.AdminKey
	result := w.Node(t, "swarms/fetch.mjs")
	if result.Code != 0 {
		t.Fatalf("%d %s", result.Code, result.Err)
	}
	var got struct {
		Whole, Streamed, Last string
		Order                 []string
		Calls                 []any
		Batch                 []string
		Failure               struct {
			Status int
			Detail string
			Retry  string
		}
		Job string
	}
	if err := json.Unmarshal([]byte(result.Out), &got); err != nil {
		t.Fatalf("%v: %s", err, result.Out)
	}
	if got.Whole != "Hello there." || got.Streamed != "Hello there." || got.Last != "done" {
		t.Errorf("%+v", got)
	}
	if want := "metadata start chunk usage end done"; strings.Join(got.Order, " ") != want {
		t.Errorf("events %v, want %s", got.Order, want)
	}
	if want := "One. failed Two."; strings.Join(got.Batch, " ") != want || len(got.Calls) != 1 {
		t.Errorf("%+v", got)
	}
	if got.Failure.Status != 400 || got.Failure.Retry != "false" || !strings.Contains(got.Failure.Detail, "max_loops") {
		t.Errorf("%+v", got.Failure)
	}
	c := s.Client()
	r := c.Run(got.Job) // the native API knows the run by this spelling
	if r.Status != "completed" || r.Summary() != "Hello there." {
		t.Errorf("%+v", r)
	}
}

// TestOpenAI: the OpenAI SDK lists the models of the same server.
func TestOpenAI(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	w.Env["ERRAND_URL"], w.Env["ERRAND_API_KEY"] = s.URL, rig.AdminKey
	result := w.Node(t, "swarms/openai.mjs")
	if result.Code != 0 || !strings.Contains(result.Out, `"openai/mock"`) {
		t.Errorf("%d %s %s", result.Code, result.Out, result.Err)
	}
}

// TestEveryRoute: each route of this API has been answered within the contract.
func TestEveryRoute(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	var done completion
	c.Post("/v1/agent/completions", order(nil, rig.Say("Hello.")), &done)
	c.Post("/v1/agent/batch/completions", []any{order(nil, rig.Say("Hello."))}, nil)
	var agents struct{ Count int }
	c.Get("/v1/agents/list", &agents)
	var models struct{ Models []string }
	c.Get("/v1/models/available", &models)
	for _, path := range []string{"/v1/tools/available", "/v1/rate/limits", "/v1/account/credits", "/health"} {
		c.Get(path, nil)
	}
	if missing := w.Missing("Swarms"); len(missing) > 0 || done.answer() != "Hello." || agents.Count != 1 || len(models.Models) == 0 {
		t.Errorf("missing %v, %s, %d agents, models %v", missing, done.answer(), agents.Count, models.Models)
	}
	for path, status := range map[string]int{"/v1/swarm/completions": 404, "/v1/swarms/available": 404, "/v1/agent/completions": 405} {
		got := c.Do(http.MethodGet, path, nil).Is(status)
		contains(t, string(got.Body), `{"detail":`)
	}
	c.Get("/v1/runs?dialect=swarms", nil)
}
