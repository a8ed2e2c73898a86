package native_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"errand/internal/agent"
	"errand/internal/api/native"
	"errand/internal/api/wire"
	"errand/internal/api/wire/wiretest"
	"errand/internal/audit"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/feed"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/store"
	"errand/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is the API over the real engine, in memory, behind a real HTTP server.
type world struct {
	*wiretest.Client
	t      *testing.T
	store  *memory.Store
	engine *engine.Engine
	shelf  *shelf
	closet *closet
	ears   *ears
	api    *native.API
	wire   *wire.Server
}

func newWorld(t *testing.T, model *script.Model) *world {
	t.Helper()
	return newWorldWith(t, model, func(*native.Config) {})
}

// newWorldWith is a world with something in another place.
func newWorldWith(t *testing.T, model *script.Model, change func(*native.Config)) *world {
	t.Helper()
	w := &world{t: t}
	var desk desk
	changes := feed.New(1)
	ledger := auth.NewLedger(time.Now)
	base := wiretest.New(t, func(kept *memory.Store, cfg *engine.Config) {
		cfg.Budgets, cfg.Bound = ledger, func(*run.Request) (int, run.Micros) { return 0, 0 }
		w.store, w.shelf, w.closet = kept, &shelf{rows: kept}, &closet{rows: kept, says: "Looks."}
		desk = w.openDesk()
		cfg.Models, cfg.Tools, cfg.Outbox = model, w.shelf, desk.hub.Outbox
		cfg.Log = told{kept, changes}
	})
	w.engine = base.Engine
	cfg := native.Config{
		Engine: w.engine, Runs: w.store, Search: w.store, Rows: w.store, Keys: base.Keys, Tools: w.shelf, Models: names{}, Index: &cabinet{}, Servers: w.closet,
		Files: desk, Webhooks: desk.bells, Version: "1.2.3", Changes: changes, Audit: &audit.Log{Lines: w.store, Chain: store.Chain},
		Budgets: auth.NewBudgets(w.store, w.store, ledger, time.Now), Spending: w.store,
		Catalog: agent.Catalog{Tools: w.shelf, Models: names{}, Schemas: &schema.Cache{}, WallTime: 3600},
	}
	change(&cfg)
	var err error
	w.api, err = native.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.wire = base.Wire(w.api.Routes(), w.api.Family())
	w.Client = base.Serve(w.wire)
	return w
}

// told is a log that tells the feed of its commits.
type told struct {
	*memory.Store
	changes *feed.Feed
}

func (l told) Submit(c run.Commit, done func(error)) {
	l.Store.Submit(c, func(err error) {
		if err == nil {
			l.changes.Tell(c.Runs)
		}
		done(err)
	})
}

// reply is an answer, and how tests look into it.
type reply struct{ wiretest.Reply }

func (w *world) do(method, path, body string, headers ...string) reply {
	w.t.Helper()
	return reply{w.Do(method, path, body, headers...)}
}

// want does and checks the status.
func (w *world) want(status int, method, path, body string, headers ...string) reply {
	w.t.Helper()
	return reply{w.Want(status, method, path, body, headers...)}
}

// as is the same world for the holder of another key.
func (w *world) as(secret string) *world {
	other := *w
	other.Client = w.As(secret)
	return &other
}

// key makes a key and returns the world of its holder.
func (w *world) key(body string) *world {
	w.t.Helper()
	return w.as(w.want(200, "POST", "/v1/keys", body).text("secret"))
}

// get returns the value at a path such as error.code or data.0.id.
func (r reply) get(path string) any {
	r.T.Helper()
	var value any
	decoder := json.NewDecoder(bytes.NewReader(r.Body))
	decoder.UseNumber()
	if err := decoder.Decode(&value); err != nil {
		r.T.Fatalf("no JSON: %v: %s", err, r.Body)
	}
	for _, step := range strings.Split(path, ".") {
		switch v := value.(type) {
		case map[string]any:
			value = v[step]
		case []any:
			var i int
			if _, err := fmt.Sscan(step, &i); err != nil || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func (r reply) text(path string) string {
	r.T.Helper()
	text, ok := r.get(path).(string)
	if !ok {
		r.T.Fatalf("%s is no text in %s", path, r.Body)
	}
	return text
}

func (r reply) has(path string, want any) reply {
	r.T.Helper()
	if got := fmt.Sprint(r.get(path)); got != fmt.Sprint(want) {
		r.T.Errorf("%s is %s, want %v, in %s", path, got, want, r.Body)
	}
	return r
}

func (r reply) count(path string, want int) reply {
	r.T.Helper()
	list, ok := r.get(path).([]any)
	if !ok || len(list) != want {
		r.T.Errorf("%s has %d elements, want %d, in %s", path, len(list), want, r.Body)
	}
	return r
}

// names are the models that there are.
type names struct{}

func (names) Check(model string) error {
	if slices.Contains([]string{"y0-agent", "y0-fast", "default"}, model) {
		return nil
	}
	return problem.Invalid("model", "there is no model %q: there are default, y0-agent, y0-fast.", model)
}

func (names) Window(string) int { return 0 }

func (names) Priced(model string) bool { return model == "y0-agent" }

func (names) Try(_ context.Context, name string) ([]native.Trial, error) {
	if name == "nope" {
		return nil, problem.Invalid("model", "is no model here.")
	}
	return []native.Trial{
		{Model: "desk/m", Answers: true, Calls: true, First: 12 * time.Millisecond, Took: time.Second, Usage: run.Usage{Input: 9, Output: 2, Cost: 31}},
		{Model: "shed/m", Error: "it is down."},
	}, nil
}

func (names) Models() []native.Model {
	return []native.Model{{ID: "default", Resolves: "test/script", Provider: "test"}, {
		ID: "test/script", Provider: "test", Window: 8000, Price: &native.Price{
			Tariff: native.Tariff{Input: 3, Cached: 0.3, Written: 3.75, Output: 15}, Origin: "https://prices.example/", AsOf: "2026-10-01",
			Above: 200_000, Long: native.Tariff{Input: 6, Cached: 0.6, Written: 7.5, Output: 22.5},
		},
		Health: &native.Health{State: "open", LastFail: time.UnixMilli(1_780_000_000_123), Error: problem.ModelUnavailable, Latency: 250 * time.Millisecond, Active: 2, Waiting: 7},
	}}
}

// shelf is a set of tools in memory: three of the server, and those that are
// registered as rows. It counts the calls.
type shelf struct {
	rows  *memory.Store
	mu    sync.Mutex
	calls []string
	hold  chan struct{} // when set, calls of email.send wait for it
}

func builtin() []run.Tool {
	object := json.RawMessage(`{"type":"object"}`)
	mail := json.RawMessage(`{"type":"object","properties":{"to":{"type":"string"}},"required":["to"]}`)
	return []run.Tool{
		{Name: "email.send", Class: run.Once, Parameters: mail, Preview: "To: {{to}}", Version: "v1"},
		{Name: "finance.read", Class: run.Safe, Parameters: object, Version: "v1"},
		{Name: "time.now", Class: run.Safe, Parameters: object, Version: "v1"},
	}
}

func (s *shelf) Current(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error) {
	for _, tool := range builtin() {
		if tool.Name == name {
			return tool, nil, nil
		}
	}
	row, err := s.rows.RowByName(ctx, "tool", project, name)
	if err != nil {
		return run.Tool{}, nil, err
	}
	made, _, err := s.Compile(nil, row.Data)
	return made.Tool, &run.RowWrite{Row: row, Expect: row.Version, Check: true}, err
}

func (s *shelf) Matching(ctx context.Context, project, prefix string) ([]run.Tool, error) {
	all, err := s.List(ctx, project)
	var found []run.Tool
	for i := range all {
		if strings.HasPrefix(all[i].Name, prefix) {
			found = append(found, all[i].Tool)
		}
	}
	return found, err
}

func (s *shelf) List(ctx context.Context, project string) ([]native.Tool, error) {
	var all []native.Tool
	for _, tool := range builtin() {
		all = append(all, native.Tool{Tool: tool, Origin: "builtin"})
	}
	rows, err := s.rows.Rows(ctx, run.RowQuery{Kind: "tool", Project: project, Limit: 100})
	for i := range rows {
		tool, err := s.of(rows[i])
		if err != nil {
			return nil, err
		}
		all = append(all, tool)
	}
	slices.SortFunc(all, func(a, b native.Tool) int { return strings.Compare(a.Name, b.Name) })
	return all, err
}

func (s *shelf) of(row run.Row) (native.Tool, error) {
	tool, _, err := s.Compile(nil, row.Data)
	tool.ID, tool.Created, tool.RowVersion, tool.Origin = row.ID, row.Created, row.Version, "registered"
	return tool, err
}

func (s *shelf) Get(ctx context.Context, project, name string) (native.Tool, error) {
	all, err := s.List(ctx, project)
	for i := range all {
		if all[i].Name == name {
			return all[i], err
		}
	}
	return native.Tool{}, problem.New(problem.NotFound, "There is no tool %q.", name)
}

func (s *shelf) Compile(before, definition json.RawMessage) (native.Tool, json.RawMessage, error) {
	if before != nil {
		merged, err := native.Overlay(before, definition)
		if err != nil {
			return native.Tool{}, nil, err
		}
		definition = merged
	}
	var d struct {
		Name       string            `json:"name"`
		URL        string            `json:"url"`
		Headers    map[string]string `json:"headers,omitempty"`
		Parameters json.RawMessage   `json:"parameters,omitempty"`
		Timeout    int               `json:"timeout_s,omitempty"`
		Scope      string            `json:"scope,omitempty"`
	}
	if err := json.Unmarshal(definition, &d); err != nil {
		return native.Tool{}, nil, err
	}
	if d.URL == "" {
		return native.Tool{}, nil, problem.Invalid("url", "is required.")
	}
	for _, tool := range builtin() {
		if tool.Name == d.Name {
			return native.Tool{}, nil, problem.Conflicting("name", "%s is a tool of this server.", d.Name)
		}
	}
	stored, err := json.Marshal(d)
	for name := range d.Headers {
		d.Headers[name] = "masked"
	}
	public, _ := json.Marshal(d)
	tool := run.Tool{Name: d.Name, Class: run.Once, Scope: d.Scope, Parameters: d.Parameters, Version: fmt.Sprintf("%x", len(stored))}
	return native.Tool{Tool: tool, Origin: "registered", Definition: public}, stored, err
}

func (s *shelf) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	s.mu.Lock()
	s.calls = append(s.calls, call.Tool.Name+" "+string(call.Arguments))
	hold := s.hold
	s.mu.Unlock()
	if hold != nil && call.Tool.Name == "email.send" {
		select {
		case <-hold:
		case <-ctx.Done():
			return run.ToolResult{}, ctx.Err()
		}
	}
	if call.Tool.Name == "broken" {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "it is broken")
	}
	return run.ToolResult{Output: `{"rows":[{"id":1},{"id":2}]}`}, nil
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
