package mcp

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/modelcontextprotocol/go-sdk/mcp"
	"go.uber.org/goleak"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/seal"
	"errand/internal/store/memory"
	"errand/internal/tool"
)

// TestMain is the tests, or the program that some of them run as a server.
func TestMain(m *testing.M) {
	if how := os.Getenv("MCP_TEST_PROGRAM"); how != "" {
		serve(how)
		return
	}
	goleak.VerifyTestMain(m)
}

const project = "p"

// world is this side of the wire: servers under test and what they stand on.
type world struct {
	t       *testing.T
	cfg     Config
	store   *memory.Store
	servers *Servers
	log     *logged
	clock   *clock
}

// logged is a log that several write to.
type logged struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// clock is the time, and how much a test has added to it.
type clock struct {
	mu    sync.Mutex
	added time.Duration
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.added)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added += d
}

func newWorld(t *testing.T, operator ...Operator) *world {
	t.Helper()
	return newWorldBehind(t, "127.0.0.0/8", operator...)
}

func newWorldBehind(t *testing.T, allow string, operator ...Operator) *world {
	t.Helper()
	holes, err := egress.ParseAllow(allow)
	if err != nil {
		t.Fatal(err)
	}
	box, err := seal.New(bytes.Repeat([]byte{7}, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, log: &logged{}, clock: &clock{}}
	w.store = memory.New(memory.Config{Now: w.clock.now})
	w.cfg = Config{
		Operator: operator, Guard: egress.New(egress.Config{Allow: holes}), Agent: "errand/test", Rows: w.store, Sealer: box,
		Schemas: &schema.Cache{}, Logger: slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		Now: w.clock.now, Environ: os.Getenv,
	}
	w.restart()
	t.Cleanup(func() {
		if err := w.servers.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// restart makes the servers anew, as a new process would.
func (w *world) restart() {
	w.t.Helper()
	if w.servers != nil {
		if err := w.servers.Close(); err != nil {
			w.t.Error(err)
		}
	}
	var err error
	if w.servers, err = New(w.cfg); err != nil {
		w.t.Fatal(err)
	}
}

// connect connects a run, and fails the test at any fault.
func (w *world) connect(wanted ...Connection) Connected {
	w.t.Helper()
	made, err := w.servers.Connect(w.t.Context(), project, wanted)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, fault := range made.Faults {
		w.t.Fatalf("%s: %v", fault.URL, fault.Err)
	}
	return made
}

// call is a call of a tool of a run.
func (made *Connected) call(t *testing.T, name, arguments string) run.ToolCall {
	t.Helper()
	for _, found := range made.Tools {
		if found.Name != name {
			continue
		}
		for i := range made.Servers {
			if made.Servers[i].Name == found.Server {
				return run.ToolCall{
					Run: run.NewID(time.Unix(1, 0), 2, 3), Project: project, Action: "act_01", Tool: found,
					Arguments: json.RawMessage(arguments), Attempt: 1, Server: &made.Servers[i],
				}
			}
		}
	}
	t.Fatalf("there is no tool %s in %v", name, names(made.Tools))
	return run.ToolCall{}
}

func names(tools []run.Tool) []string {
	var all []string
	for _, t := range tools {
		all = append(all, t.Name)
	}
	return all
}

// failed fails the test unless the error is of this code and says these words.
func failed(t *testing.T, err error, code problem.Code, words ...string) {
	t.Helper()
	if !problem.Is(err, code) {
		t.Fatalf("got %v, want %s", err, code)
	}
	for _, word := range words {
		if detail := problem.From(err).Detail; !strings.Contains(detail, word) {
			t.Errorf("%q is not in %q", word, detail)
		}
	}
}

// peer is the other side: a server with a few tools.
type peer struct {
	server *sdk.Server
	http   *httptest.Server
	mu     sync.Mutex
	calls  map[string]int
	seen   []http.Header
	cut    chan struct{} // a call that was cancelled sends on it
	end    chan struct{} // closed when the test ends
	wrap   func(http.Handler) http.Handler
	modern bool // it speaks the version without sessions, which most servers don't
}

var object = json.RawMessage(`{"type":"object"}`)

func newPeer(t *testing.T, sse bool) *peer {
	t.Helper()
	p := &peer{server: sdk.NewServer(&sdk.Implementation{Name: "peer", Version: "1"}, nil), calls: map[string]int{}, cut: make(chan struct{}, 10), end: make(chan struct{})}
	p.add("echo", "Says it again.", `{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`, func(_ context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		var in struct{ Text string }
		_ = json.Unmarshal(r.Params.Arguments, &in)
		return text("you said " + in.Text), nil
	})
	p.add("hang", "Never ends.", string(object), func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		select {
		case <-ctx.Done():
			p.cut <- struct{}{}
		case <-p.end:
		}
		return nil, context.Canceled
	})
	p.add("work", "Takes a while and says how far it is.", string(object), func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		in := struct{ Rounds int }{6}
		_ = json.Unmarshal(r.Params.Arguments, &in)
		for i := range in.Rounds {
			pause(600 * time.Millisecond)
			_ = r.Session.NotifyProgress(ctx, &sdk.ProgressNotificationParams{ProgressToken: r.Params.GetProgressToken(), Progress: float64(i), Total: float64(in.Rounds)})
		}
		return text("done"), nil
	})
	var handler http.Handler = sdk.NewStreamableHTTPHandler(func(*http.Request) *sdk.Server { return p.server }, nil)
	if sse {
		handler = sdk.NewSSEHandler(func(*http.Request) *sdk.Server { return p.server }, nil)
	}
	p.http = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p.mu.Lock()
		p.seen = append(p.seen, r.Header.Clone())
		wrapped := handler
		if p.wrap != nil {
			wrapped = p.wrap(handler)
		}
		modern := p.modern
		p.mu.Unlock()
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		if !modern && bytes.Contains(body, []byte(`"server/discover"`)) {
			http.Error(w, "no such method", http.StatusBadRequest)
			return
		}
		wrapped.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		close(p.end)
		p.http.CloseClientConnections()
		p.http.Close()
		for session := range p.server.Sessions() {
			_ = session.Close() // the other side may have closed it
		}
	})
	return p
}

func (p *peer) add(name, description, schema string, handle sdk.ToolHandler) {
	p.server.AddTool(&sdk.Tool{Name: name, Description: description, InputSchema: json.RawMessage(schema)}, func(ctx context.Context, r *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		p.mu.Lock()
		p.calls[name]++
		p.mu.Unlock()
		return handle(ctx, r)
	})
}

// says adds a tool with a fixed result.
func (p *peer) says(name string, result *sdk.CallToolResult) {
	p.add(name, "Says something.", string(object), func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) { return result, nil })
}

func (p *peer) called(name string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[name]
}

func (p *peer) wraps(wrap func(http.Handler) http.Handler) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wrap = wrap
}

func (p *peer) headers() []http.Header {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]http.Header(nil), p.seen...)
}

func text(words string) *sdk.CallToolResult {
	return &sdk.CallToolResult{Content: []sdk.Content{&sdk.TextContent{Text: words}}}
}

// pause waits for something that happens elsewhere.
func pause(d time.Duration) { <-time.After(d) }

// eventually fails the test unless the condition holds within a minute.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for !holds() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		pause(10 * time.Millisecond)
	}
}

// serve is this test binary as a server that speaks over its input and output.
func serve(how string) {
	fmt.Fprintln(os.Stderr, "the program says hello in", how)
	server := sdk.NewServer(&sdk.Implementation{Name: "program", Version: "1"}, nil)
	add := func(name string, handle sdk.ToolHandler) {
		server.AddTool(&sdk.Tool{Name: name, Description: "Of a program.", InputSchema: object, Annotations: &sdk.ToolAnnotations{ReadOnlyHint: name == "environment"}}, handle)
	}
	add("environment", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return text(strings.Join(os.Environ(), "\n")), nil
	})
	add("pid", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		return text(fmt.Sprint(os.Getpid())), nil
	})
	add("die", func(context.Context, *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		os.Exit(3)
		return nil, nil
	})
	add("hang", func(ctx context.Context, _ *sdk.CallToolRequest) (*sdk.CallToolResult, error) {
		<-ctx.Done()
		return nil, ctx.Err()
	})
	_ = server.Run(context.Background(), &sdk.StdioTransport{}) // ends with its input
}

var _ tool.Remote = (*Servers)(nil)
