package yao_test

import (
	"bytes"
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
	"errand/internal/api/wire"
	"errand/internal/api/yao"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// contracted reads the contract once for all tests: it is the slowest part of a world.
var contracted = sync.OnceValues(contract.Load)

// adminSecret is the key of the project default.
const adminSecret = "sk_test_admin_0123456789"

// world is the API over the real engine, in memory, behind a real HTTP server.
// Every answer is held to the contract.
type world struct {
	t      testing.TB
	store  *memory.Store
	engine *engine.Engine
	keys   *auth.Book
	robots *robot.Book
	api    *yao.API
	client *http.Client
	url    string
	secret string
}

func newWorld(t testing.TB, model engine.Models, change ...func(*yao.Config)) *world {
	t.Helper()
	kept := memory.New(memory.Config{Now: time.Now})
	w := &world{t: t, store: kept, secret: adminSecret, keys: auth.NewBook(kept, time.Now)}
	w.engine = engine.New(engine.Config{Log: kept, Rows: kept, Models: model, Tools: newBench(kept), Now: time.Now})
	if _, err := w.keys.EnsureAdmin(t.Context(), adminSecret); err != nil {
		t.Fatal(err)
	}
	if err := w.engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.robots = &robot.Book{Rows: kept, Box: openBox{}}
	cfg := w.config()
	for _, edit := range change {
		edit(&cfg)
	}
	var err error
	if w.api, err = yao.New(cfg); err != nil {
		t.Fatal(err)
	}
	served, err := wire.New(wire.Config{
		Routes: w.api.Routes(), Families: []*wire.Family{w.api.Family()}, Keys: w.keys, Rows: kept, Draining: w.engine.Draining(),
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
		_ = w.engine.Close(ctx)
		server.Close()
		if err := kept.Close(); err != nil {
			t.Error(err)
		}
	})
	w.save("my-robot", robot.Profile{DisplayName: "Analyst", LanguageModel: "y0-agent"})
	return w
}

func (w *world) config() yao.Config {
	catalog := agent.Catalog{Tools: &bench{}, Models: names{}, Schemas: &schema.Cache{}, MaxSteps: 50, WallTime: 3600}
	return yao.Config{
		Engine: w.engine, Rows: w.store, Robots: w.robots, Roster: w.robots, Lines: w.store, Keys: w.keys, Version: "1.2.3",
		Desk: &robot.Desk{
			Rows: w.store, Runs: w.store, Log: w.store, Agents: &agent.Book{Rows: w.store}, Catalog: catalog,
			CheckURL: func(string) error { return nil }, Now: time.Now,
		},
	}
}

// save saves a robot.
func (w *world) save(id string, p robot.Profile) {
	w.t.Helper()
	draft := robot.Draft{}
	_, rows, err := w.robots.Create(auth.DefaultProject, id, "key", draft.Apply(p), time.Now())
	if err == nil {
		err = w.store.Append(w.t.Context(), run.Commit{Rows: rows})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// key makes a key with these scopes and returns the world as its holder sees it.
func (w *world) key(scopes ...string) *world {
	w.t.Helper()
	admin := auth.Caller{Project: auth.DefaultProject, KeyID: "key_test", Scopes: []string{"admin"}}
	made, err := w.keys.Create(w.t.Context(), admin, auth.Draft{Name: "k", Scopes: scopes}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	other := *w
	other.secret = made.Secret
	return &other
}

// reply is an answer with its body read.
type reply struct {
	t      testing.TB
	Status int
	Header http.Header
	Body   []byte
}

// send makes a request; headers are pairs of name and value.
func (w *world) send(ctx context.Context, method, path, body string, headers ...string) (*http.Response, error) {
	w.t.Helper()
	request, err := http.NewRequestWithContext(ctx, method, w.url+path, strings.NewReader(body))
	if err != nil {
		w.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.secret)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	return w.client.Do(request)
}

// do is send with the whole answer.
func (w *world) do(method, path, body string, headers ...string) reply {
	w.t.Helper()
	answer, err := w.send(w.t.Context(), method, path, body, headers...)
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

// want is do with the status that is expected.
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
	if err := json.Unmarshal(bytes.TrimSpace(r.Body), value); err != nil {
		r.t.Fatalf("%v: %s", err, r.Body)
	}
}

// fault is an error's code and its parameter.
func (r reply) fault() string {
	r.t.Helper()
	var body struct {
		Error struct {
			Code, Message string
			Param         *string
		}
		Description string `json:"error_description"`
	}
	r.into(&body)
	if body.Error.Message == "" || body.Error.Message != body.Description {
		r.t.Errorf("the sentence is not there twice: %s", r.Body)
	}
	if body.Error.Param != nil {
		return body.Error.Code + " " + *body.Error.Param
	}
	return body.Error.Code
}

// state is the run behind an id.
func (w *world) state(name string) run.State {
	w.t.Helper()
	id, err := run.ParseID(name)
	if err != nil {
		w.t.Fatal(err)
	}
	s, err := w.engine.Get(w.t.Context(), auth.DefaultProject, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// executions are the robot's executions so far.
func (w *world) executions(member string) []run.Summary {
	w.t.Helper()
	found, err := w.store.Runs(w.t.Context(), run.RunQuery{Project: auth.DefaultProject, Agent: robot.ExecutionAgent + member, Limit: 100})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// noTools is a shelf without a tool.
type noTools struct{}

func (noTools) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	return run.Tool{}, nil, problem.New(problem.NotFound, "There is no tool %q.", name)
}

func (noTools) Call(_ context.Context, call run.ToolCall) (run.ToolResult, error) {
	return run.ToolResult{}, problem.New(problem.ToolFailed, "There is no tool %q.", call.Tool.Name)
}

func (noTools) Matching(context.Context, string, string) ([]run.Tool, error) { return nil, nil }

// names are the models that there are.
type names struct{}

func (names) Check(string) error { return nil }

func (names) Window(string) int { return 0 }

func (names) Priced(string) bool { return true }

// openBox keeps secrets as they are.
type openBox struct{}

func (openBox) Seal(plain []byte, _ string) []byte { return plain }

func (openBox) Open(sealed []byte, _ string) ([]byte, error) { return sealed, nil }
