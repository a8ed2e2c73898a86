package webagent_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"errand/e2e/contract"
	"errand/internal/agent"
	"errand/internal/api/webagent"
	"errand/internal/api/wire"
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

// contracted reads the contract once for all tests: it is the slowest part of a world.
var contracted = sync.OnceValues(contract.Load)

// adminSecret is the key of the project default.
const adminSecret = "sk_test_admin_0123456789"

// world is the API over the real engine, in memory, behind a real HTTP server.
// Every answer is held to the contract.
type world struct {
	t      *testing.T
	store  *memory.Store
	engine *engine.Engine
	model  *script.Model
	page   *page
	hooks  *hooks
	api    *webagent.API
	keys   *auth.Book
	client *http.Client
	url    string
	secret string
}

func newWorld(t *testing.T, model *script.Model, change ...func(*webagent.Config)) *world {
	t.Helper()
	kept := memory.New(memory.Config{Now: time.Now})
	w := &world{t: t, store: kept, model: model, page: &page{}, hooks: &hooks{}, secret: adminSecret}
	w.engine = engine.New(engine.Config{Log: kept, Models: workflow.NewPlayer(model), Tools: w.page, Now: time.Now})
	keys := auth.NewBook(kept, time.Now)
	if _, err := keys.EnsureAdmin(t.Context(), adminSecret); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	cfg := webagent.Config{
		Engine: w.engine, Rows: kept, Lines: kept, Models: names{}, Webhooks: w.hooks, Screenshots: w.page,
		Catalog: agent.Catalog{Tools: w.page, Models: names{}, Schemas: &schema.Cache{}, WallTime: 3600},
	}
	for _, f := range change {
		f(&cfg)
	}
	w.keys = keys
	api, err := webagent.New(cfg)
	if w.api = api; err != nil {
		t.Fatal(err)
	}
	served, err := wire.New(wire.Config{
		Routes: api.Routes(), Families: []*wire.Family{api.Family()}, Keys: keys, Rows: kept, Draining: w.engine.Draining(),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(served)
	terms, err := contracted()
	if err != nil {
		t.Fatal(err)
	}
	w.url = server.URL
	w.client = &http.Client{Transport: &contract.Transport{T: t, Contract: terms, Next: server.Client().Transport}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		w.engine.Close(ctx)
		server.Close()
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// reply is an answer with its body read.
type reply struct {
	t      *testing.T
	Status int
	Header http.Header
	Body   []byte
}

// do makes a request; headers are pairs of name and value.
func (w *world) do(method, path, body string, headers ...string) reply {
	w.t.Helper()
	request, err := http.NewRequestWithContext(w.t.Context(), method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	if w.secret != "" {
		request.Header.Set("X-Api-Key", w.secret)
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := w.client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return reply{t: w.t, Status: answer.StatusCode, Header: answer.Header, Body: text}
}

// want makes a request and wants this status.
func (w *world) want(status int, method, path, body string, headers ...string) reply {
	w.t.Helper()
	got := w.do(method, path, body, headers...)
	if got.Status != status {
		w.t.Fatalf("%s %s %.300s: got %d, want %d: %s", method, path, body, got.Status, status, got.Body)
	}
	return got
}

func (r reply) into(value any) {
	r.t.Helper()
	if err := json.Unmarshal(r.Body, value); err != nil {
		r.t.Fatalf("%v: %s", err, r.Body)
	}
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
	r.t.Helper()
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
