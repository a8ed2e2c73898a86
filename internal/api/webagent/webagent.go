// Package webagent is the WebAgent API under /api, and /runs: a task in words, a
// run that carries it out with a browser, its history step by step, and workflows
// that repeat a run without a model.
//
// What it promises: it is a translation and nothing more. A request becomes a
// run.Spec, a State becomes a history. Tasks and their runs are numbered per
// project; every other spelling of a run's id works, too, for runs of any API.
// A run that has failed is an answer and not an error. Errors have the shape of the
// API's framework: {"detail": …}. Keys that no document names are ignored.
//
// A tour: routes.go (the table), read.go and field.go (what a request may say),
// order.go (request to Spec, and all words for the model), task.go (what is kept),
// start.go (making a run), replay.go (runs that repeat one), cache.go (making a run
// repeatable), history.go (what a run did), body.go (State to body), show.go (the
// routes that read), fault.go (problems to errors), open.go (requests without a key).
//
// To add a field of a request, edit read.go and order.go, and a row of the table in
// field_test.go; to add a route, routes.go; then api/openapi.yaml.
package webagent

import (
	"context"
	"errors"
	"sync"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/run"
)

// Dialect is how runs say that this API has started them.
const Dialect = "webagent"

// Rows keeps tasks and the numbers of runs. A store has these methods.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// RowByName returns the row with this name, or a not_found problem.
	RowByName(ctx context.Context, kind, project, name string) (run.Row, error)
	// Rows lists rows in the query's order.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Lines are the runs of a project in lists. A store has this method.
type Lines interface {
	// Runs selects runs, newest first.
	Runs(ctx context.Context, q run.RunQuery) ([]run.Summary, error)
}

// Models knows what a model's name means.
type Models interface {
	// Resolve returns the full name, or a model_unknown problem.
	Resolve(name string) (string, error)
}

// Webhooks tells the world how runs end. internal/app adapts internal/webhook.
type Webhooks interface {
	// Check reports why this server would not send to the URL, in words for the
	// caller; nil when it would.
	Check(ctx context.Context, url string) error
	// Delivery is what has come of telling the run's webhook; nil before the first
	// attempt.
	Delivery(ctx context.Context, project string, id run.ID) (*Delivery, error)
}

// Delivery is the last attempt at a webhook.
type Delivery struct {
	Success bool
	Status  int // of the receiver's answer; 0 = there was none
	Message string
}

// Screenshots reads the files that screenshots are kept in.
type Screenshots interface {
	// PNG returns a file's content; nothing when it is there no more.
	PNG(ctx context.Context, project, file string) ([]byte, error)
}

// Config is what the API needs. Engine, Rows, Lines, Models and Catalog must be set.
type Config struct {
	Engine      *engine.Engine
	Rows        Rows
	Lines       Lines
	Models      Models
	Catalog     agent.Catalog
	Webhooks    Webhooks    // nil = a webhook_url is refused
	Screenshots Screenshots // nil = their addresses alone are shown
	MaxPrompt   int         // characters of a prompt; 0 = 100,000
	// Open lets requests without a key in that come from this machine, as the
	// caller's project: see open.go. It is for a server that listens on loopback.
	Open bool
	Now  func() time.Time // nil = time.Now
}

// API answers the routes.
type API struct {
	cfg    Config
	family *wire.Family

	mu    sync.Mutex
	lanes map[string]*sync.Mutex // by project: see create
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Rows == nil || cfg.Lines == nil || cfg.Models == nil ||
		cfg.Catalog.Tools == nil || cfg.Catalog.Models == nil || cfg.Catalog.Schemas == nil {
		return nil, errors.New("webagent: Engine, Rows, Lines, Models and Catalog must be set")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.MaxPrompt == 0 {
		cfg.MaxPrompt = 100_000
	}
	a := &API{cfg: cfg, lanes: map[string]*sync.Mutex{}}
	a.family = &wire.Family{Name: Dialect, Prefixes: []string{"/api/", "/runs/"}, Fault: fault, Session: true}
	if cfg.Open {
		a.family.Guest, a.family.Origin = guest, pageOrigin
	}
	return a, nil
}

// Family is the API family of the routes.
func (a *API) Family() *wire.Family { return a.family }
