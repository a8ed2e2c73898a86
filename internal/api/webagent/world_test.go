package webagent_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"errand/internal/agent"
	"errand/internal/api/webagent"
	"errand/internal/api/wire/wiretest"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/store/memory"
	"errand/internal/workflow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the API over the real engine, in memory, behind a real HTTP server.
type world struct {
	t      *testing.T
	store  *memory.Store
	engine *engine.Engine
	model  *script.Model
	page   *page
	hooks  *hooks
	api    *webagent.API
	keys   *auth.Book
	line   *wiretest.Client
	secret string
}

func newWorld(t *testing.T, model *script.Model, change ...func(*webagent.Config)) *world {
	t.Helper()
	w := &world{t: t, model: model, page: &page{}, hooks: &hooks{}, secret: wiretest.AdminSecret}
	base := wiretest.New(t, func(_ *memory.Store, cfg *engine.Config) { cfg.Models, cfg.Tools = workflow.NewPlayer(model), w.page })
	w.store, w.engine, w.keys = base.Store, base.Engine, base.Keys
	cfg := webagent.Config{
		Engine: w.engine, Rows: w.store, Lines: w.store, Models: names{}, Webhooks: w.hooks, Screenshots: w.page,
		Catalog: agent.Catalog{Tools: w.page, Models: names{}, Schemas: &schema.Cache{}, WallTime: 3600},
	}
	for _, f := range change {
		f(&cfg)
	}
	api, err := webagent.New(cfg)
	if w.api = api; err != nil {
		t.Fatal(err)
	}
	w.line = base.Serve(base.Wire(api.Routes(), api.Family()))
	w.line.Header = "X-Api-Key"
	return w
}

// reply is an answer, and how tests look into it.
type reply struct{ wiretest.Reply }

func (r reply) into(value any) {
	r.T.Helper()
	r.Into(value)
}

// do makes a request; headers are pairs of name and value.
func (w *world) do(method, path, body string, headers ...string) reply {
	w.t.Helper()
	return reply{w.line.As(w.secret).Do(method, path, body, headers...)}
}

// want makes a request and wants this status.
func (w *world) want(status int, method, path, body string, headers ...string) reply {
	w.t.Helper()
	return reply{w.line.As(w.secret).Want(status, method, path, body, headers...)}
}

// told is any answer of this API, as far as tests look at one.
type told struct {
	Task    int `json:"task_id"`
	Run     int `json:"task_run_id"`
	History []struct {
		Description string
		Actions     []struct {
			Name      string
			Params    map[string]any
			IsDone    bool `json:"is_done"`
			Success   *bool
			Extracted *string `json:"extracted_content"`
			Error     *string
			ByModel   bool    `json:"executed_by_ai"`
			Reason    *string `json:"fallback_reason"`
			Attempt   *int    `json:"fallback_attempt"`
		}
	}
	Result  json.RawMessage
	IsDone  bool `json:"is_done"`
	Good    bool `json:"is_successful"`
	Status  string
	RunID   string `json:"run_id"`
	Message string
	Detail  json.RawMessage
}

func (r reply) told() told {
	r.T.Helper()
	var v told
	r.into(&v)
	return v
}

// actions are the actions of a history, as "name" or "name!" for one that failed or
// "name*" for one that a model did in place of a recorded one.
func (v told) actions() string {
	var all []string
	for _, step := range v.History {
		for _, a := range step.Actions {
			name := a.Name
			if a.Error != nil {
				name += "!"
			}
			if a.ByModel {
				name += "*"
			}
			all = append(all, name)
		}
	}
	return strings.Join(all, " ")
}

// names are the models that there are.
type names struct{}

func (names) Check(model string) error {
	if slices.Contains([]string{"openai/o3", "groq/llama", "default", "o3"}, model) {
		return nil
	}
	return problem.Invalid("model", "%q is no model here: the provider is not configured; set its key.", model)
}

func (names) Window(string) int { return 0 }

func (names) Priced(string) bool { return false }

func (names) Resolve(model string) (string, error) {
	if err := (names{}).Check(model); err != nil {
		return "", problem.New(problem.ModelUnknown, "%q is no model here.", model)
	}
	return model, nil
}

// page is a fake browser that has one page: a search that finds what it is asked
// for. It breaks where it is told to.
type page struct {
	mu      sync.Mutex
	calls   []string
	broken  string        // an xpath that leads nowhere any more
	bare    bool          // there is no browser
	started chan struct{} // gets a value with each call, if there is one
	hold    chan struct{} // calls wait for it to be closed, if there is one
}

func (p *page) known() []run.Tool {
	object := func(properties string) json.RawMessage {
		return json.RawMessage(`{"type":"object","properties":{` + properties + `},"additionalProperties":false}`)
	}
	place := `"index":{"type":"integer"},"element":{"type":"object"}`
	tools := []run.Tool{
		{Name: "browser.click", Class: run.Once, Parameters: object(place)},
		{Name: "browser.extract", Class: run.Safe, Parameters: object(`"query":{"type":"string"}`)},
		{Name: "browser.input", Class: run.Once, Parameters: object(place + `,"text":{"type":"string"}`)},
		{Name: "browser.navigate", Class: run.Safe, Parameters: object(`"url":{"type":"string"}`)},
	}
	if p.bare {
		tools = nil
	}
	tools = append(tools, run.Tool{Name: "web.fetch", Class: run.Safe, Parameters: object(`"url":{"type":"string"}`)},
		run.Tool{Name: "web.search", Class: run.Safe, Parameters: object(`"query":{"type":"string"}`)})
	for i := range tools {
		tools[i].Version = "v1"
	}
	return tools
}

func (p *page) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	for _, tool := range p.known() {
		if tool.Name == name {
			return tool, nil, nil
		}
	}
	return run.Tool{}, nil, problem.New(problem.NotFound, "There is no tool %q.", name)
}

func (p *page) Matching(_ context.Context, _, prefix string) ([]run.Tool, error) {
	return slices.DeleteFunc(p.known(), func(t run.Tool) bool { return !strings.HasPrefix(t.Name, prefix) }), nil
}

func (p *page) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	p.mu.Lock()
	p.calls = append(p.calls, strings.TrimPrefix(call.Tool.Name, "browser.")+" "+string(call.Arguments))
	started, hold, broken := p.started, p.hold, p.broken
	p.mu.Unlock()
	if started != nil {
		started <- struct{}{}
	}
	if hold != nil {
		select {
		case <-hold:
		case <-ctx.Done():
			return run.ToolResult{}, ctx.Err()
		}
	}
	var in struct {
		Index   *int
		Element struct{ XPath string }
		Text    string
		URL     string
	}
	if err := json.Unmarshal(call.Arguments, &in); err != nil {
		return run.ToolResult{}, err
	}
	switch {
	case in.Element.XPath != "" && in.Element.XPath == broken:
		return run.ToolResult{}, problem.New(problem.ToolFailed, "nothing is at %s any more", broken)
	case in.Index != nil:
		return run.ToolResult{Output: fmt.Sprintf("Acted on %d.\n[record] {\"action\":\"x\",\"element\":{\"role\":\"button\",\"xpath\":\"//b[%d]\"},\"screenshot\":\"file_1\",\"image\":\"/v1/files/file_1/content\"}", *in.Index, *in.Index)}, nil
	}
	return run.ToolResult{Output: "Done: " + cmp.Or(in.Text, in.URL, call.Tool.Name)}, nil
}

// made are the calls that were made.
func (p *page) made() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.calls)
}

// PNG is the content of every file.
func (p *page) PNG(context.Context, string, string) ([]byte, error) { return []byte("\x89PNG"), nil }

// hooks sends to https alone, and has told every receiver.
type hooks struct{}

func (hooks) Check(_ context.Context, url string) error {
	if strings.HasPrefix(url, "https://") {
		return nil
	}
	return problem.New(problem.EgressDenied, "http is possible to allowed addresses alone")
}

func (hooks) Delivery(context.Context, string, run.ID) (*webagent.Delivery, error) {
	return &webagent.Delivery{Success: true, Status: 204, Message: "No Content"}, nil
}
