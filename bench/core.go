package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"log/slog"
	"net"
	"net/http"
	"os/signal"
	"syscall"
	"time"

	"errand/internal/agent"
	"errand/internal/api/native"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/egress"
	"errand/internal/engine"
	"errand/internal/feed"
	"errand/internal/model/offline"
	"errand/internal/model/openai"
	"errand/internal/model/router"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/seal"
	"errand/internal/store/sqlite"
	"errand/internal/tool"
	toolhttp "errand/internal/tool/http"
	"errand/internal/webhook"
	"errand/internal/workflow"
)

// The core alone is Errand without what makes it answerable: the same API, engine,
// store, model client, guard, tools, webhooks and feed of changes, put together here
// without keys and their limits, budgets, an audit log, conditions, masks, metrics and
// traces. It is no part of the product, which can't be had without them.

// coreMain is the program in the role of the core, as a process of its own.
func coreMain(args []string) error {
	flags := flag.NewFlagSet("core", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "where to listen")
	dir := flags.String("dir", "", "where to keep the store")
	mock := flags.String("mock", "", "base URL of model and tool")
	answers := flags.Bool("answers", false, "with the parts that make runs answerable")
	if err := flags.Parse(args); err != nil {
		return err
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	c, err := assembleCore(ctx, *dir, *mock, *answers)
	if err != nil {
		return err
	}
	served, err := c.api()
	if err == nil {
		err = serveCore(ctx, *addr, served)
	}
	closing, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	c.models.Close()
	return errors.Join(err, c.engine.Close(closing), c.tools.Close(), c.store.Close())
}

// core is the parts that its API needs.
type core struct {
	store  coreStore
	models *router.Router
	tools  *tool.Set
	engine *engine.Engine
	parts  *parts // nil = the core alone
}

// assembleCore makes everything from the bottom up. The process ends if it fails.
func assembleCore(ctx context.Context, dir, mock string, answers bool) (c core, err error) {
	if c.store.Store, err = sqlite.Open(ctx, sqlite.Config{Dir: dir}); err != nil {
		return c, err
	}
	c.store.changes, c.store.audited = feed.New(1), answers
	if c.models, err = coreModels(mock); err != nil {
		return c, err
	}
	holes, err := egress.ParseAllow("127.0.0.0/8")
	if err != nil {
		return c, err
	}
	guard := egress.New(egress.Config{Allow: holes})
	if c.tools, err = tool.NewSet(tool.Config{HTTP: toolhttp.New(guard, "errand/bench"), Rows: c.store}); err != nil {
		return c, err
	}
	box, err := seal.Load(dir)
	if err != nil {
		return c, err
	}
	silent := func(context.Context, webhook.Notice) ([]byte, error) { return nil, nil } // nobody listens
	hooks, err := webhook.NewHub(webhook.Config{Rows: c.store, Log: c.store, Box: box, Guard: guard, Render: silent, Now: time.Now, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return c, err
	}
	cfg := engine.Config{
		Log: c.store, Rows: c.store, Models: workflow.NewPlayer(c.models), Tools: c.tools,
		Retry: c.models.Retry, Now: time.Now, Outbox: hooks.Outbox,
	}
	if answers {
		if c.parts, err = addParts(ctx, c.store); err != nil {
			return c, err
		}
		c.arm(&cfg)
	}
	c.engine = engine.New(cfg)
	return c, errors.Join(hooks.Start(ctx), c.engine.Start(ctx))
}

// coreStore tells the feed of changes what is on disk, as the product does.
type coreStore struct {
	*sqlite.Store
	changes *feed.Feed
	audited bool
}

// Submit writes the commit, and tells what it has changed once it is on disk.
func (s coreStore) Submit(c run.Commit, done func(error)) {
	s.Store.Submit(c, func(err error) {
		if err == nil {
			s.changes.Tell(c.Runs)
		}
		done(err)
	})
}

// Named returns the row with this name, for the book of agents.
func (s coreStore) Named(ctx context.Context, kind, project, name string) (run.Row, error) {
	return s.RowByName(ctx, kind, project, name)
}

func serveCore(ctx context.Context, addr string, served *wire.Server) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return err
	}
	server := wire.NewHTTPServer(served, nil)
	context.AfterFunc(ctx, func() { _ = server.Close() }) // nobody measures any more
	if err := server.Serve(served.Guard(listener, wire.Door{Most: 4096})); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func coreModels(mock string) (*router.Router, error) {
	return router.New(router.Config{
		Endpoints: []router.Endpoint{{Name: "openai", BaseURL: mock + "/v1", Key: "sk-of-the-bench"}},
		Connect: func(e router.Endpoint) (router.Model, error) {
			return openai.New(openai.Config{Name: e.Name, BaseURL: e.BaseURL, Key: e.Key})
		},
		Offline: offline.New(offline.Config{}), Default: "openai/" + work().String(),
		Facts: map[string]router.Facts{"openai/*": {Tariff: router.Tariff{Input: 0.4, Output: 1.6}}},
	})
}

// wallTime is how long a run may work, as in the product.
const wallTime = run.Seconds(3600)

func (c *core) api() (*wire.Server, error) {
	shown := native.Config{
		Engine: c.engine, Runs: c.store, Rows: c.store, Keys: auth.NewBook(c.store, nil), Changes: c.store.changes,
		Catalog: agent.Catalog{Tools: c.tools, Models: c.models, Schemas: &schema.Cache{}, MaxSteps: 1000, WallTime: wallTime},
		Tools:   coreShelf{Set: c.tools}, Models: noModels{},
	}
	served := wire.Config{Keys: everyone{}, Rows: c.store, Recent: c.store.Recent, Draining: c.engine.Draining()}
	if p := c.parts; p != nil {
		shown.Keys, shown.Budgets, shown.Spending, shown.Audit, shown.Mask = p.keys, p.budgets, c.store, c.store.log(), p.redactor.Redact
		served.Keys, served.Metrics = p.keys, p.metrics
	}
	api, err := native.New(shown)
	if err != nil {
		return nil, err
	}
	served.Routes, served.Families = api.Routes(), []*wire.Family{api.Family()}
	return wire.New(served)
}

// everyone is let in as the same caller, without a look at what they bring.
type everyone struct{}

// Authenticate looks nothing up.
func (everyone) Authenticate(context.Context, string) (auth.Caller, error) {
	return auth.Caller{Project: auth.DefaultProject, KeyID: "key_everyone", KeyName: "everyone", Scopes: []string{"admin"}}, nil
}

// Session is Authenticate.
func (e everyone) Session(ctx context.Context, token string, _ bool) (auth.Caller, error) {
	return e.Authenticate(ctx, token)
}

// Changes says that no key ever does.
func (everyone) Changes() int { return 0 }

// coreShelf registers tools, and does nothing else that the API can do with them.
type coreShelf struct{ *tool.Set }

var errNotHere = problem.New(problem.NotAvailable, "the bench has no use for this")

// List has none: who makes a key looks for scopes that tools ask for.
func (coreShelf) List(context.Context, string) ([]native.Tool, error) { return nil, nil }

// Get is not asked for.
func (coreShelf) Get(context.Context, string, string) (native.Tool, error) {
	return native.Tool{}, errNotHere
}

// Compile makes a tool of a definition.
func (s coreShelf) Compile(_, fields json.RawMessage) (native.Tool, json.RawMessage, error) {
	var d tool.Definition
	if err := json.Unmarshal(fields, &d); err != nil {
		return native.Tool{}, nil, err
	}
	d = d.WithDefaults()
	if err := d.Validate(); err != nil {
		return native.Tool{}, nil, err
	}
	stored, err := s.Conceal(d)
	return native.Tool{Tool: d.Describe(), Origin: string(tool.Registered)}, stored, err
}

// noModels lists none: agents name theirs in full.
type noModels struct{}

// Models lists none.
func (noModels) Models() []native.Model { return nil }

// Try is not asked for.
func (noModels) Try(context.Context, string) ([]native.Trial, error) { return nil, errNotHere }
