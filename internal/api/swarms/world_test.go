package swarms_test

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"errand/internal/agent"
	"errand/internal/api/swarms"
	"errand/internal/api/wire/wiretest"
	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the API over the real engine, in memory, behind a real HTTP server.
type world struct {
	*wiretest.Client
	t       *testing.T
	base    *wiretest.World
	store   *memory.Store
	engine  *engine.Engine
	model   *script.Model
	shelf   *shelf
	servers *servers
	api     *swarms.API
}

func newWorld(t *testing.T, model *script.Model) *world {
	t.Helper()
	w := &world{t: t, model: model, shelf: &shelf{}, servers: &servers{}}
	w.base = wiretest.New(t, func(_ *memory.Store, cfg *engine.Config) { cfg.Models, cfg.Tools = model, w.shelf })
	w.store, w.engine = w.base.Store, w.base.Engine
	var err error
	w.api, err = swarms.New(swarms.Config{
		Engine: w.engine, Rows: w.store, Models: names{}, Servers: w.servers,
		Catalog: agent.Catalog{Tools: w.shelf, Models: names{}, Schemas: &schema.Cache{}, WallTime: 3600},
	})
	if err != nil {
		t.Fatal(err)
	}
	w.Client = w.base.Serve(w.base.Wire(w.api.Routes(), w.api.Family()))
	w.Header = "X-Api-Key"
	return w
}

// reply is an answer, and how tests look into it.
type reply struct{ wiretest.Reply }

func (w *world) do(method, path, body string, headers ...string) reply {
	w.t.Helper()
	return reply{w.Do(method, path, body, headers...)}
}

// complete posts a completion and wants this status.
func (w *world) complete(status int, body string, headers ...string) reply {
	w.t.Helper()
	return reply{w.Want(status, "POST", "/v1/agent/completions", body, headers...)}
}

// completion is the body of an answer.
type completion struct {
	JobID   string `json:"job_id"`
	Success bool   `json:"success"`
	Error   string `json:"error"`
	Name    string `json:"name"`
	Outputs []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"outputs"`
	Usage struct {
		Total int `json:"total_tokens"`
	} `json:"usage"`
}

func (r reply) completion() completion {
	r.T.Helper()
	var c completion
	r.Into(&c)
	return c
}

// texts are the outputs as "role: content".
func (c completion) texts() []string {
	all := []string{}
	for _, o := range c.Outputs {
		var text string
		if json.Unmarshal(o.Content, &text) != nil {
			text = string(o.Content)
		}
		all = append(all, o.Role+": "+text)
	}
	return all
}

// detail is an error's sentence.
func (r reply) detail() string {
	r.T.Helper()
	var body struct{ Detail string }
	r.Into(&body)
	return body.Detail
}

// state is the run behind a job id.
func (w *world) state(job string) run.State {
	w.t.Helper()
	return w.base.State(job)
}

// names are the models that there are.
type names struct{}

func (names) Check(model string) error {
	if slices.Contains(names{}.Names(context.Background()), model) {
		return nil
	}
	return problem.Invalid("model", "%q is no model here: there are gpt-4.1, groq/llama.", model)
}

func (names) Window(string) int { return 0 }

func (names) Priced(string) bool { return false }

func (names) Names(context.Context) []string { return []string{"gpt-4.1", "groq/llama"} }

// shelf has the tools of a server. It remembers the calls.
type shelf struct {
	mu    sync.Mutex
	calls []string
	lacks string // a tool that is not there
}

func known() []run.Tool {
	object := json.RawMessage(`{"type":"object"}`)
	tools := []run.Tool{{Name: "web.search"}, {Name: "web.fetch"}, {Name: "ours__add"}, {Name: "theirs__get"}}
	for _, name := range []string{"create_plan", "think", "subtask_done", "complete_task", "respond_to_user"} {
		tools = append(tools, run.Tool{Name: "plan." + name})
	}
	for i := range tools {
		tools[i].Class, tools[i].Parameters, tools[i].Version = run.Safe, object, "v1"
	}
	return tools
}

func (s *shelf) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	for _, tool := range known() {
		if tool.Name == name && name != s.lacks {
			return tool, nil, nil
		}
	}
	return run.Tool{}, nil, problem.New(problem.NotFound, "There is no tool %q.", name)
}

func (s *shelf) Matching(_ context.Context, _, prefix string) ([]run.Tool, error) {
	return slices.DeleteFunc(known(), func(t run.Tool) bool { return !strings.HasPrefix(t.Name, prefix) || t.Name == "theirs__get" }), nil
}

func (s *shelf) Call(_ context.Context, call run.ToolCall) (run.ToolResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call.Tool.Name+" "+string(call.Arguments))
	return run.ToolResult{Output: "result of " + call.Tool.Name}, nil
}

// servers are the MCP servers that requests reach: theirs.example has a tool, all
// others are down.
type servers struct {
	mu    sync.Mutex
	asked []swarms.Connection
}

func (s *servers) Connect(_ context.Context, _ string, wanted []swarms.Connection) (swarms.Connected, error) {
	s.mu.Lock()
	s.asked = append(s.asked, wanted...)
	s.mu.Unlock()
	var found swarms.Connected
	for i, c := range wanted {
		switch {
		case c.Headers["X-Bad"] != "":
			return found, problem.InvalidFields(map[string]string{"connections[" + string(rune('0'+i)) + "].headers.X-Bad": "is not possible"})
		case strings.Contains(c.URL, "theirs.example"):
			found.Servers = append(found.Servers, run.Server{Name: "theirs", URL: c.URL})
			found.Tools = append(found.Tools, run.Tool{
				Name: "theirs__get", Class: run.Once, Parameters: json.RawMessage(`{"type":"object"}`), Version: "v1", Server: "theirs", Remote: "get",
			})
		default:
			found.Down = append(found.Down, "The MCP server "+c.URL+" did not answer within "+c.Timeout.String()+".")
		}
	}
	return found, nil
}

// frames reads a stream: "event data" for each frame, without ids and times.
func frames(text string) []string {
	var all []string
	for frame := range strings.SplitSeq(text, "\n\n") {
		event, data := "", ""
		for line := range strings.SplitSeq(frame, "\n") {
			if rest, ok := strings.CutPrefix(line, "event: "); ok {
				event = rest
			}
			if rest, ok := strings.CutPrefix(line, "data: "); ok {
				data = rest
			}
		}
		if data == "" {
			continue
		}
		var value map[string]any
		if json.Unmarshal([]byte(data), &value) != nil {
			all = append(all, "not JSON: "+frame)
			continue
		}
		maps.DeleteFunc(value, func(name string, _ any) bool { return name == "timestamp" || name == "job_id" })
		shown, _ := json.Marshal(value)
		all = append(all, strings.TrimSpace(event+" "+string(shown)))
	}
	return all
}

// told is the text that a reader of a stream has put together.
func told(text string) string {
	var all strings.Builder
	for _, frame := range frames(text) {
		var data struct{ Content string }
		if _, after, found := strings.Cut(frame, " "); found && json.Unmarshal([]byte(after), &data) == nil {
			all.WriteString(data.Content)
		}
	}
	return all.String()
}
