package you_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/api/wire/wiretest"
	"errand/internal/api/you"
	"errand/internal/auth"
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
	t      *testing.T
	base   *wiretest.World
	store  *memory.Store
	engine *engine.Engine
	shelf  *shelf
	api    *you.API
}

func newWorld(t *testing.T, model engine.Models, change ...func(*you.Config)) *world {
	t.Helper()
	w := &world{t: t, shelf: &shelf{}}
	w.base = wiretest.New(t, func(_ *memory.Store, cfg *engine.Config) {
		cfg.Models, cfg.Tools = model, w.shelf
		cfg.Retry = func(err error, failures int) (bool, time.Duration) { return failures < 3, time.Millisecond }
	})
	w.store, w.engine = w.base.Store, w.base.Engine
	cfg := you.Config{
		Engine: w.engine, Rows: w.store,
		Catalog: agent.Catalog{Tools: w.shelf, Models: names{}, Schemas: &schema.Cache{}, WallTime: 3600},
	}
	for _, edit := range change {
		edit(&cfg)
	}
	var err error
	if w.api, err = you.New(cfg); err != nil {
		t.Fatal(err)
	}
	native := &wire.Family{Name: "native", Prefixes: []string{"/v1"}, Strict: true}
	w.Client = w.base.Serve(w.base.Wire(w.api.Routes(), native, w.api.Family()))
	return w
}

// save saves an agent and returns its id.
func (w *world) save(d agent.Definition) string {
	w.t.Helper()
	made, rows, err := agent.Create(auth.DefaultProject, agent.NewID(time.Now(), [5]byte{byte(len(d.Name))}), "key", d, time.Now())
	if err == nil {
		err = w.store.Append(w.t.Context(), run.Commit{Rows: rows})
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return made.ID
}

// post sends a body; headers are pairs of name and value.
func (w *world) post(ctx context.Context, body string, headers ...string) *http.Response {
	w.t.Helper()
	headers = append([]string{"Content-Type", "application/json"}, headers...)
	answer, err := w.HTTP.Do(w.Request(ctx, http.MethodPost, "/v1/agents/runs", body, headers))
	if err != nil {
		w.t.Fatal(err)
	}
	return answer
}

// answer is a JSON answer.
type answer struct {
	Status int
	Header http.Header
	Body   string
	Agent  string
	Mode   string
	ID     string
	Code   string
	Detail string
	Output []struct {
		Type    string
		Text    *string
		Content []map[string]any
	}
}

func (w *world) ask(status int, body string, headers ...string) answer {
	w.t.Helper()
	got := w.post(w.t.Context(), body, headers...)
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	a := answer{Status: got.StatusCode, Header: got.Header, Body: string(text)}
	var parsed answer
	if json.Unmarshal(text, &parsed) != nil && got.StatusCode != status {
		w.t.Fatalf("%s: %d %s", body, got.StatusCode, text)
	}
	parsed.Status, parsed.Header, parsed.Body = a.Status, a.Header, a.Body
	if got.StatusCode != status {
		w.t.Fatalf("%s: got %d, want %d: %s", body, got.StatusCode, status, text)
	}
	return parsed
}

// text is the answer's own text.
func (a *answer) text() string {
	if n := len(a.Output); n > 0 && a.Output[n-1].Text != nil {
		return *a.Output[n-1].Text
	}
	return ""
}

// state is a run as the engine has it.
func (w *world) state(id string) run.State {
	w.t.Helper()
	return w.base.State(id)
}

// event is a frame of a stream.
type event struct {
	ID    string
	Type  string
	Seq   int
	Index int
	Delta string
	Full  []map[string]any
	Done  *bool
	Error map[string]any
	Raw   string
}

// events is a stream that is being read.
type events struct {
	t     *testing.T
	lines *bufio.Scanner
	next  int
	body  io.Closer
}

func (w *world) stream(ctx context.Context, body string, headers ...string) *events {
	w.t.Helper()
	got := w.post(ctx, body, headers...)
	if got.StatusCode != 200 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/event-stream") {
		text, _ := io.ReadAll(got.Body)
		w.t.Fatalf("%s: %d %s", body, got.StatusCode, text)
	}
	w.t.Cleanup(func() { got.Body.Close() })
	return &events{t: w.t, lines: bufio.NewScanner(got.Body), body: got.Body}
}

// read reads a frame to the letter: id, event, one line of data, an empty line; the
// numbers without a gap. False is the end.
func (s *events) read() (event, bool) {
	s.t.Helper()
	var e event
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ": ")
		switch {
		case name == "" && value == "ping":
		case name == "" && e.Raw == "":
		case name == "":
			return s.check(e), true
		case name == "id" && e.ID == "" && e.Type == "" && e.Raw == "":
			e.ID = value
		case name == "event" && e.ID != "" && e.Type == "" && e.Raw == "":
			e.Type = value
		case name == "data" && e.Type != "" && e.Raw == "":
			e.Raw = value
		default:
			s.t.Fatalf("line %q in frame %+v", s.lines.Text(), e)
		}
	}
	return e, false
}

func (s *events) check(e event) event {
	s.t.Helper()
	var data struct {
		SeqID    int    `json:"seq_id"`
		Type     string `json:"type"`
		Response *struct {
			Index    int              `json:"output_index"`
			Type     string           `json:"type"`
			Delta    string           `json:"delta"`
			Full     []map[string]any `json:"full"`
			Ms       any              `json:"run_time_ms"`
			Finished *bool            `json:"finished"`
			Error    map[string]any   `json:"error"`
		} `json:"response"`
	}
	decoder := json.NewDecoder(strings.NewReader(e.Raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&data); err != nil {
		s.t.Fatalf("%v in %s", err, e.Raw)
	}
	if fmt.Sprint(s.next) != e.ID || data.SeqID != s.next || data.Type != e.Type {
		s.t.Fatalf("frame %d is %+v", s.next, e)
	}
	s.next++
	e.Seq = data.SeqID
	if r := data.Response; r != nil {
		e.Index, e.Delta, e.Full, e.Done, e.Error = r.Index, r.Delta, r.Full, r.Finished, r.Error
	}
	return e
}

// tale is a whole stream in short: added0 full0(2) done0 added1 "text" done1 end.
func (s *events) tale() string {
	s.t.Helper()
	var told bytes.Buffer
	text := ""
	for {
		e, more := s.read()
		if e.Type != "response.output_text.delta" && text != "" {
			fmt.Fprintf(&told, " %q", text)
			text = ""
		}
		if !more {
			return strings.TrimSpace(told.String())
		}
		switch e.Type {
		case "response.created", "response.starting":
			told.WriteString(" " + strings.TrimPrefix(e.Type, "response."))
		case "response.output_item.added":
			fmt.Fprintf(&told, " added%d", e.Index)
		case "response.output_content.full":
			fmt.Fprintf(&told, " full%d(%d)", e.Index, len(e.Full))
		case "response.output_text.delta":
			text += e.Delta
		case "response.output_item.done":
			fmt.Fprintf(&told, " done%d", e.Index)
		case "response.done":
			fmt.Fprintf(&told, " finished:%t", *e.Done)
			if e.Error != nil {
				fmt.Fprintf(&told, " %v", e.Error["code"])
			}
		}
	}
}

// names are the models that there are.
type names struct{}

func (names) Check(model string) error {
	if strings.HasPrefix(model, "y0-") {
		return nil
	}
	return problem.Invalid("model", "there is no model %q.", model)
}

func (names) Window(string) int { return 0 }

func (names) Priced(string) bool { return true }

// shelf are the server's tools.
type shelf struct {
	mu     sync.Mutex
	calls  []string
	absent string // a tool that this server has not
	found  string // what searches return; empty = two results
	fails  bool   // searches fail
}

func (s *shelf) all() []run.Tool {
	object := json.RawMessage(`{"type":"object"}`)
	var tools []run.Tool
	for _, tool := range []run.Tool{
		{Name: "web.search", Class: run.Safe, Parameters: object, Version: "v1", Cites: true},
		{Name: "web.fetch", Class: run.Safe, Parameters: object, Version: "v1"},
		{Name: "compute", Class: run.Safe, Parameters: object, Version: "v1"},
		{Name: "email.send", Class: run.Once, Parameters: object, Version: "v1", Preview: "To: {{to}}"},
	} {
		if tool.Name != s.absent {
			tools = append(tools, tool)
		}
	}
	return tools
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

const twoResults = `{"query":"q","provider":"test","results":[{"title":"Paris","url":"https://en.wikipedia.org/wiki/Paris","snippet":"Capital of France.","thumbnail":"https://img.example/p.jpg"},{"title":"France","url":"https://a.example/?a=1&b=2","snippet":""}]}`

func (s *shelf) Call(_ context.Context, call run.ToolCall) (run.ToolResult, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls = append(s.calls, call.Tool.Name+" "+string(call.Arguments))
	switch {
	case call.Tool.Name != "web.search":
		return run.ToolResult{Output: "42"}, nil
	case s.fails:
		return run.ToolResult{}, problem.New(problem.ToolFailed, "no engine answers")
	case s.found != "":
		return run.ToolResult{Output: s.found}, nil
	}
	return run.ToolResult{Output: twoResults}, nil
}

func (s *shelf) called(tool string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, call := range s.calls {
		if strings.HasPrefix(call, tool+" ") {
			n++
		}
	}
	return n
}

// says is a script of one answer.
func says(text string) *script.Model { return script.Steps(script.Say(text)) }
