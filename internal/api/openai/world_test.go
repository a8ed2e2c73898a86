package openai_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"errand/e2e/contract"
	"errand/internal/agent"
	"errand/internal/api/openai"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// adminSecret is the key of the project default.
const adminSecret = "sk_test_admin_0123456789"

// agreement is the contract, loaded once: it is large.
var agreement = sync.OnceValues(contract.Load)

type object = map[string]any
type list = []any

// world is the API over the real engine, in memory, behind a real HTTP server.
// Every answer is held to the contract.
type world struct {
	t      *testing.T
	store  *memory.Store
	engine *engine.Engine
	shelf  *shelf
	client *http.Client
	url    string
}

func newWorld(t *testing.T, model engine.Models) *world {
	t.Helper()
	kept := memory.New(memory.Config{Now: time.Now})
	w := &world{t: t, store: kept, shelf: &shelf{}}
	checks := &schema.Cache{}
	w.engine = engine.New(engine.Config{
		Log: kept, Models: model, Tools: w.shelf, Now: time.Now,
		Retry: func(err error, failures int) (bool, time.Duration) { return failures < 3, time.Millisecond },
	})
	keys := auth.NewBook(kept, time.Now)
	if _, err := keys.EnsureAdmin(t.Context(), adminSecret); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	api, err := openai.New(openai.Config{
		Engine: w.engine, Rows: kept, MaxPrompt: 1000,
		Catalog: agent.Catalog{Tools: w.shelf, Models: names{}, Schemas: checks, WallTime: 3600},
	})
	if err != nil {
		t.Fatal(err)
	}
	native := &wire.Family{Name: "native", Prefixes: []string{"/v1"}, Strict: true}
	served, err := wire.New(wire.Config{
		Routes: api.Routes(), Families: []*wire.Family{native, api.Family()}, Keys: keys, Rows: kept, Draining: w.engine.Draining(),
	})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(served)
	terms, err := agreement()
	if err != nil {
		t.Fatal(err)
	}
	w.url = server.URL
	w.client = &http.Client{Transport: &contract.Transport{T: t, Contract: terms, Next: server.Client().Transport}}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = w.engine.Close(ctx)
		server.Close()
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// save saves an agent.
func (w *world) save(d agent.Definition) {
	w.t.Helper()
	_, rows, err := agent.Create(auth.DefaultProject, agent.NewID(time.Now(), [5]byte{byte(len(d.Name))}), "key", d, time.Now())
	if err == nil {
		err = w.store.Append(w.t.Context(), run.Commit{Rows: rows})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// post sends a body; headers are pairs of name and value.
func (w *world) post(ctx context.Context, body string, headers ...string) *http.Response {
	w.t.Helper()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, w.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminSecret)
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer, err := w.client.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

// answer is a JSON answer.
type answer struct {
	Header  http.Header
	Body    string
	ID      string
	Created int64
	Model   string
	Choices []struct {
		Message struct {
			Content   *string
			ToolCalls []toolCall `json:"tool_calls"`
		}
		FinishReason string `json:"finish_reason"`
	}
	Usage  map[string]any
	Run    string `json:"run_id"`
	Status string
	Error  struct {
		Code, Message, Type string
		Param               *string
	}
}

type toolCall struct {
	Index    *int
	ID, Type string
	Function struct{ Name, Arguments string }
}

func (w *world) ask(status int, body string, headers ...string) answer {
	w.t.Helper()
	got := w.post(w.t.Context(), body, headers...)
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{Header: got.Header, Body: string(text)}
	if err := json.Unmarshal(text, &a); err != nil || got.StatusCode != status {
		w.t.Fatalf("%s: got %d, want %d: %s", body, got.StatusCode, status, text)
	}
	return a
}

// text is what the answer says.
func (a *answer) text() string {
	if len(a.Choices) == 0 || a.Choices[0].Message.Content == nil {
		return "<null>"
	}
	return *a.Choices[0].Message.Content
}

// state is a run as the engine has it.
func (w *world) state(id string) run.State {
	w.t.Helper()
	parsed, err := run.ParseID(id)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := w.engine.Get(w.t.Context(), auth.DefaultProject, parsed)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// told is a whole stream in short.
type told struct {
	Header http.Header
	Text   string
	Calls  []toolCall
	Finish string
	Run    string
	Status string
	Usage  map[string]any
	Error  map[string]any
	Done   bool
	Pieces int // chunks with text
}

// stream reads a stream to its end and holds its frames to the format: unnamed, one
// role first, one finish last, nothing behind [DONE].
func (w *world) stream(body string, headers ...string) told {
	w.t.Helper()
	return w.tells(body, w.post(w.t.Context(), body, headers...))
}

// tells reads a stream that has begun.
func (w *world) tells(body string, got *http.Response) told {
	w.t.Helper()
	defer got.Body.Close()
	if got.StatusCode != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
		text, _ := io.ReadAll(got.Body)
		w.t.Fatalf("%s: %d %s", body, got.StatusCode, text)
	}
	s := told{Header: got.Header}
	chunks := 0
	for lines := bufio.NewScanner(got.Body); lines.Scan(); {
		line := lines.Text()
		data, isData := strings.CutPrefix(line, "data: ")
		switch {
		case line == "" || strings.HasPrefix(line, ":"):
		case !isData || s.Done || s.Error != nil:
			w.t.Fatalf("line %q after %+v", line, s)
		case data == "[DONE]":
			s.Done = true
		default:
			s.chunk(w.t, data, chunks)
			chunks++
		}
	}
	return s
}

func (s *told) chunk(t *testing.T, data string, n int) {
	t.Helper()
	var c struct {
		Object  string
		Error   map[string]any
		Choices []struct {
			Delta struct {
				Role      string
				Content   *string
				ToolCalls []toolCall `json:"tool_calls"`
			}
			FinishReason *string `json:"finish_reason"`
		}
		Usage  map[string]any
		Run    string `json:"run_id"`
		Status string
	}
	if err := json.Unmarshal([]byte(data), &c); err != nil {
		t.Fatalf("%v: %s", err, data)
	}
	if c.Error != nil {
		s.Error = c.Error
		return
	}
	if c.Object != "chat.completion.chunk" || (len(c.Choices) == 0) != (c.Usage != nil) {
		t.Fatalf("chunk %s", data)
	}
	if s.Usage = c.Usage; c.Usage != nil {
		return
	}
	choice := &c.Choices[0]
	if (choice.Delta.Role == "assistant") != (n == 0) || s.Finish != "" {
		t.Fatalf("chunk %d is %s", n, data)
	}
	if choice.Delta.Content != nil && *choice.Delta.Content != "" {
		s.Text += *choice.Delta.Content
		s.Pieces++
	}
	s.Calls = append(s.Calls, choice.Delta.ToolCalls...)
	if choice.FinishReason != nil {
		s.Finish, s.Run, s.Status = *choice.FinishReason, c.Run, c.Status
	}
}

// names are the models that there are.
type names struct{}

func (names) Check(model string) error {
	if strings.HasPrefix(model, "test/") {
		return nil
	}
	return problem.Invalid("model", "there is no model %q.", model)
}

func (names) Window(string) int { return 0 }

func (names) Priced(string) bool { return true }

// shelf are the server's tools.
type shelf struct {
	mu    sync.Mutex
	calls []string
}

func (s *shelf) all() []run.Tool {
	schema := json.RawMessage(`{"type":"object"}`)
	return []run.Tool{
		{Name: "web.search", Class: run.Safe, Parameters: schema, Version: "v1"},
		{Name: "email.send", Class: run.Once, Parameters: schema, Version: "v1", Preview: "To: {{to}}"},
	}
}

func (s *shelf) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	for _, tool := range s.all() {
		if tool.Name == name {
			return tool, nil, nil
		}
	}
	return run.Tool{}, nil, problem.New(problem.NotFound, "There is no tool %q.", name)
}

func (s *shelf) Matching(context.Context, string, string) ([]run.Tool, error) { return s.all(), nil }

func (s *shelf) Call(_ context.Context, call run.ToolCall) (run.ToolResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call.Tool.Name)
	return run.ToolResult{Output: "42"}, nil
}

func (s *shelf) called() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, " ")
}

// body is a request's body: a model, and fields over it.
func body(model, text string, fields ...any) string {
	b := object{"model": model, "messages": list{object{"role": "user", "content": text}}}
	for i := 0; i+1 < len(fields); i += 2 {
		b[fields[i].(string)] = fields[i+1]
	}
	encoded, err := json.Marshal(b)
	if err != nil {
		panic(err)
	}
	return string(encoded)
}
