package app

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"errand/internal/agent"
	"errand/internal/api/native"
	"errand/internal/api/wire"
	"errand/internal/api/you"
	"errand/internal/auth"
	"errand/internal/config"
	"errand/internal/egress"
	"errand/internal/engine"
	"errand/internal/file"
	"errand/internal/index"
	"errand/internal/model/router"
	"errand/internal/obs"
	"errand/internal/project"
	"errand/internal/robot"
	"errand/internal/rule"
	"errand/internal/run"
	"errand/internal/schedule"
	"errand/internal/schema"
	"errand/internal/span"
	"errand/internal/tool"
	"errand/internal/tool/browser"
	"errand/internal/tool/mcp"
	"errand/internal/tool/web"
	"errand/internal/webhook"
	"errand/internal/workflow"
)

// wallTime is how long a run may work when nothing else is said; waiting for a
// person does not count.
const wallTime = run.Seconds(3600)

// drainTime is how long calls under way may finish when the server stops.
const drainTime = 10 * time.Second

// options are what an assembly is made with beside the settings.
type options struct {
	guest   string        // a key of this process alone; empty = none
	name    string        // who holds it, for the trace
	offline bool          // the offline model answers, whatever the environment has
	pace    time.Duration // between its words
}

// assembly is a server with all its parts, that listens nowhere yet.
type assembly struct {
	cfg       config.Config
	self      string // the executable that computes; empty = there is none
	path      string // the folders of programs, for finding a Chromium
	logger    *slog.Logger
	redactor  *obs.Redactor
	metrics   *obs.Metrics
	level     obs.Level
	tracer    *span.Tracer // nil = nobody collects traces
	store     recorded
	keys      *auth.Book
	ledger    *auth.Ledger
	budgets   *auth.Budgets
	guest     *guest
	models    *router.Router
	found     int // endpoints that are configured; 0 = Ollama is looked for
	tools     *tool.Set
	guard     *egress.Guard
	servers   *mcp.Servers
	index     *index.Index
	pages     *web.Fetcher     // reads pages, for models and for the index
	engines   []string         // that web.search asks, in order
	browser   *browser.Browser // nil = no Chromium was found
	files     *file.Store
	hooks     *webhook.Hub
	robots    *robot.Book
	desk      *robot.Desk
	courier   *robot.Courier
	engine    *engine.Engine
	schedules *schedule.Keeper
	projects  *project.Keeper
	jobs      performer
	cluster   *cluster // nil = this server is alone
	wire      *wire.Server
	schemas   *schema.Cache
	env       []string
	began     time.Time
	examining atomic.Bool // the doctor looks at this server
	ready     atomic.Bool // for /readyz: from the end of start to the begin of stop
	now       func() time.Time
}

// assemble makes the parts from the bottom up. Nothing runs and nothing is
// accepted before start.
func assemble(ctx context.Context, p *process, cfg config.Config, o options) (_ *assembly, err error) {
	a := &assembly{cfg: cfg, self: p.interpreter(), path: config.Environment(p.env)["PATH"], now: p.now, env: p.env, began: p.now(), metrics: obs.NewMetrics(version()), schemas: &schema.Cache{}}
	endpoints := a.endpoints(p, o)
	a.found = len(endpoints)
	a.redactor = obs.NewRedactor(append(cfg.Secrets(), endpointKeys(endpoints)...))
	a.level.Set(cfg.Log.Level)
	a.logger = obs.NewLogger(p.Err, cfg.Log.Format, &a.level, a.redactor)
	if a.store, err = a.openStore(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.closeStore())
		}
	}()
	a.keys, a.ledger = auth.NewBook(a.store, p.now), auth.NewLedger(p.now)
	a.budgets = auth.NewBudgets(a.store, a.store, a.ledger, p.now)
	a.shareBudgets()
	if a.models, err = a.newRouter(endpoints, o.pace); err != nil {
		return nil, usage(err) // all that these two refuse is in the settings
	}
	if err = a.openIndex(ctx); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, a.index.Close())
		}
	}()
	if err = a.openServers(p); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			a.closeTracer()
			err = errors.Join(err, a.servers.Close())
		}
	}()
	if err = errors.Join(a.openFiles(ctx), a.openHooks()); err != nil {
		return nil, err
	}
	if a.tools, err = a.newTools(a.store); err != nil {
		return nil, usage(err)
	}
	a.redactor.Add(a.tools.Secrets())
	if err = a.openRobots(); err != nil {
		return nil, err
	}
	if err = a.observe(ctx, p); err != nil {
		return nil, err
	}
	a.engine = engine.New(engine.Config{
		Log: a.engineLog(), Rows: a.store, Models: workflow.NewPlayer(a.models), Tools: a.tooling(), Now: p.now,
		Retry: a.models.Retry, Logger: a.logger, Meter: meter{a.metrics}, MaxActive: a.mostActive(), Outbox: a.outbox,
		Stored: observer{a.metrics, a.tracer}.stored, Span: a.spans(),
		Ended: a.ended, Witness: a.store.witness, AtOnce: a.keys.AtOnce, Budgets: a.ledger, Bound: a.bound, Holds: (&rule.Book{}).Holds, Mask: a.redactor.Redact, Voice: a.keys.Voice,
		Cluster: a.cluster.forEngine(),
	})
	if err = errors.Join(a.openSchedules(), a.openProjects()); err != nil {
		return nil, err
	}
	a.jobs = a.performer()
	a.askStore()
	if a.wire, err = a.newWire(o); err != nil {
		return nil, err
	}
	return a, nil
}

// workers is how many jobs are done at once: a receiver of webhooks may hold four
// of them for ten seconds, and deadlines must not wait for those.
const workers = 64

// handlers do the jobs, by kind.
func (a *assembly) handlers() map[string]func(context.Context, run.Job) error {
	all := a.hooks.Handlers()
	maps.Copy(all, a.schedules.Handlers())
	maps.Copy(all, a.courier.Handlers())
	maps.Copy(all, a.projects.Handlers())
	all[engine.DeadlineJob] = a.engine.Deadline
	all[engine.BudgetJob], all[auth.RaisedJob] = a.wakeStarved, a.budgetRaised
	all[file.ExpireJob] = a.files.Expire
	return all
}

// newWire makes the routes and what answers them.
func (a *assembly) newWire(o options) (*wire.Server, error) {
	api, err := native.New(native.Config{
		Engine: a.engine, Runs: a.store, Search: a.store, Rows: named{a.store}, Keys: a.keys,
		Catalog: a.catalog(),
		Tools:   toolShelf{a.tools}, Models: modelShelf{a.models}, Index: library{a.index}, Servers: serverShelf{a.servers},
		Files: fileShelf{a.files}, Webhooks: hookShelf{a.hooks}, Schedules: scheduleShelf{a.schedules}, Robots: roster{a.robots}, Projects: projectShelf{a}, Audit: a.store.log(), Log: logLevel{a}, System: system{a}, Home: "/ui/", Changes: a.store.changes, Version: version(), Now: a.now,
		Budgets: a.budgets, Spending: a.store,
		MaxPrompt: a.cfg.Limits.PromptRunes, PublicURL: a.address(), Mask: a.redactor.Redact, Holds: (&rule.Book{}).Holds,
	})
	if err != nil {
		return nil, err
	}
	swarms, err := a.newSwarms()
	if err != nil {
		return nil, err
	}
	asYou, err := you.New(you.Config{
		Engine: a.engine, Rows: a.store, Catalog: a.catalog(), AnswerType: a.cfg.You.AnswerType, MaxInput: a.cfg.Limits.PromptRunes,
	})
	if err != nil {
		return nil, err
	}
	asWebagent, err := a.newWebagent()
	if err != nil {
		return nil, err
	}
	asOpenAI, err := a.newOpenAI()
	if err != nil {
		return nil, err
	}
	asYao, err := a.newYao()
	if err != nil {
		return nil, err
	}
	a.guest = &guest{Keys: a.keys, secret: o.guest, name: o.name}
	docs := "" // the server's own path
	if base := a.address(); base != "" {
		docs = base + "/docs#"
	}
	pages, err := a.pageRoutes(api.Family())
	if err != nil {
		return nil, err
	}
	return wire.New(wire.Config{
		Routes:   slices.Concat(api.Routes(), swarms.Routes(), asYou.Routes(), asWebagent.Routes(), asOpenAI.Routes(), asYao.Routes(), a.probes(api.Family()), pages),
		Families: []*wire.Family{api.Family(), swarms.Family(), asYou.Family(), asWebagent.Family(), asOpenAI.Family(), asYao.Family()},
		Origins:  a.cfg.CORSOrigins,
		Keys:     a.guest, Rows: a.store, Recent: a.store.Recent, Draining: a.engine.Draining(), Now: a.now,
		Logger: a.logger, Metrics: a.metrics, PerMinute: a.cfg.RateLimit, Quota: a.cluster.quota(), DocURL: docs, BasePath: a.cfg.BasePath, PublicURL: a.cfg.PublicURL,
	})
}

// catalog is what saved agents, and runs without one, are held against.
func (a *assembly) catalog() agent.Catalog {
	return agent.Catalog{
		Tools: a.tools, Models: a.models, Schemas: a.schemas,
		MaxSteps: a.cfg.Limits.MaxSteps, WallTime: wallTime,
	}
}

// probes are the routes for whoever looks after the server.
func (a *assembly) probes(family *wire.Family) []wire.Route {
	route := func(path string, handler http.Handler) wire.Route {
		return wire.Route{Method: http.MethodGet, Path: path, Family: family, Open: true, Quiet: true, HTTP: handler}
	}
	probes := []wire.Route{route("/healthz", http.HandlerFunc(a.healthz)), route("/readyz", http.HandlerFunc(a.readyz))}
	if a.cfg.Metrics == config.MetricsOff {
		return probes
	}
	figures := route("/metrics", a.metrics.Handler())
	if figures.Open = a.cfg.Metrics == config.MetricsOpen; !figures.Open {
		figures.Scope, figures.House = "metrics:read", true // they tell what all projects spend
	}
	if a.cfg.Metrics == config.MetricsNear {
		figures.Near = a.near
	}
	return append(probes, figures)
}

// healthz says that the process lives: whoever restarts it on a failure must not
// do so because a disk is full.
func (a *assembly) healthz(w http.ResponseWriter, _ *http.Request) {
	answerProbe(w, http.StatusOK, "ok")
}

// readyz says whether requests should be sent here.
func (a *assembly) readyz(w http.ResponseWriter, r *http.Request) {
	if !a.ready.Load() {
		answerProbe(w, http.StatusServiceUnavailable, "not ready: starting or draining")
		return
	}
	if a.cluster != nil && !a.cluster.node.Alive() {
		answerProbe(w, http.StatusServiceUnavailable, "not ready: the other nodes take this one for dead")
		return
	}
	if err := a.store.Ping(r.Context()); err != nil {
		a.logger.Warn("the store does not answer", "error", err)
		answerProbe(w, http.StatusServiceUnavailable, "not ready: the store does not answer")
		return
	}
	answerProbe(w, http.StatusOK, "ready")
}

func answerProbe(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text + "\n")) // a prober that has gone is nobody to tell
}

// start takes over the runs that an earlier process left, and begins to accept.
func (a *assembly) start(ctx context.Context) error {
	if err := a.budgets.Load(ctx); err != nil {
		return err
	}
	if err := errors.Join(a.projects.Start(ctx), a.hooks.Start(ctx), a.engine.Start(ctx)); err != nil {
		return err
	}
	if err := a.jobs.Start(ctx); err != nil {
		return err
	}
	a.ready.Store(true)
	return nil
}

// answerTime is how long answers under way may take to be written once nothing
// happens any more that they could wait for.
const answerTime = 2 * time.Second

// stop ends everything in good order: no new connections, streams without an end,
// calls after up to drainTime, the store last. What did not finish goes on at the
// next start.
func (a *assembly) stop(server *http.Server) error {
	a.ready.Store(false)
	closed := make(chan error, 1)
	closing, cancel := context.WithTimeout(context.Background(), drainTime+answerTime)
	defer cancel()
	go func() { closed <- server.Shutdown(closing) }() // it closes the listener at once
	ctx, cancelDrain := context.WithTimeout(closing, drainTime)
	defer cancelDrain()
	go func() {
		<-a.engine.Draining() // only then, or a call that is sent away would be made again
		a.models.Drain()
	}()
	quiet := a.cluster.quiesce(ctx) // before drivers let go, or this node would take up what it hands over
	err := errors.Join(a.engine.Close(ctx), quiet())
	jobs := a.jobs.Close(ctx)
	select {
	case <-closed:
	case <-time.After(answerTime):
	}
	return errors.Join(err, jobs, server.Close(), a.close())
}

// close lets go of what assemble made and nobody uses any more.
func (a *assembly) close() error {
	a.models.Close()
	a.closeTracer()
	return errors.Join(a.tools.Close(), a.servers.Close(), a.index.Close(), a.closeStore())
}

func (a *assembly) closeStore() error {
	if a.cluster != nil {
		a.cluster.hangUp()
	}
	return a.store.Close()
}
