// Package native is the product's own HTTP API under /v1: saved agents, runs,
// approvals, tools, keys.
//
// What it promises: it is a translation and nothing more. A request becomes a
// run.Spec or one call of the engine; a State becomes a body (body.go), a log
// becomes a trace (trace.go), an update becomes a frame (frame.go), and these
// are pure: the same run looks the same for ever. Everything in a request is
// honoured or refused by name. Bodies here are this API's own shapes, apart from
// what is stored, so that either can change without the other.
//
// A tour: routes.go (the table), agents.go and definition.go (saved agents),
// start.go and order.go (making runs), answer.go (waiting, streaming), steer.go
// (cancel, message …), decide.go
// (approve), several.go (several at once, what was decided), warnings.go (what a person may not see), links.go with decide_page.go (decisions by link), gates.go (what an
// agent says about approvals), runs.go, search.go and approvals.go (reading), tools.go, servers.go (MCP), files.go with upload.go and attach.go, webhooks.go with
// deliveries.go, schedules.go, keys.go, projects.go, session.go (who has signed in), budgets.go, usage.go, index.go (the search index), explain.go (why a run is where it is), spans.go (what its time was spent on), stats.go, system.go (the server itself), feed.go (what changes in a project), later.go (what this server does not have yet), docs.go (the contract
// as pages).
//
// To add a route, edit routes.go and api/openapi.yaml: a test holds them together.
package native

import (
	"context"
	"encoding/json"
	"errors"
	"sync/atomic"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/audit"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// Dialect is how runs say that this API has started them.
const Dialect = "native"

// Rows keeps agents and tools. A store has these methods.
type Rows interface {
	agent.Rows
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Runs lists runs. A store has this method.
type Runs interface {
	// Runs returns lines of runs that are not deleted, newest first.
	Runs(ctx context.Context, q run.RunQuery) ([]run.Summary, error)
}

// Tools manages the tools of a project. internal/app adapts internal/tool to it.
type Tools interface {
	// List returns all tools that the project can use, by name.
	List(ctx context.Context, project string) ([]Tool, error)
	// Get returns one by name, or by the id of a registered one, or not_found.
	Get(ctx context.Context, project, name string) (Tool, error)
	// Compile checks the JSON of a definition, whose fields go in place of those of a
	// stored form (nil = a new tool), and returns the tool that it makes and its
	// stored form. Errors: invalid_request by field, conflict when the name is one of
	// the server's own tools.
	Compile(stored, fields json.RawMessage) (Tool, json.RawMessage, error)
	// Call makes one call.
	Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error)
}

// Tool is a tool in a list.
type Tool struct {
	run.Tool
	Origin     string          // builtin, operator or registered
	ID         string          // of its row; empty unless registered
	Created    time.Time       // zero unless registered
	RowVersion int64           // 0 unless registered
	Definition json.RawMessage // what is public of it; nil for a built-in tool
}

// Robots knows under which names the runs of a robot go, which are those of agents.
// internal/app adapts internal/robot to it.
type Robots interface {
	// Agents returns them for the robot with this id or name, or a not_found problem.
	Agents(ctx context.Context, project, name string) ([]string, error)
	// Member is the id of the robot that a name of Agents belongs to, and false for
	// any other agent's.
	Member(agent string) (string, bool)
}

// Models knows which models can be used.
type Models interface {
	// Models lists what a run can name, the default first.
	Models() []Model
	// Try makes one small call of the model with this name or, without a name, of
	// one model at each endpoint.
	Try(ctx context.Context, name string) ([]Trial, error)
}

// Model is one name that a run can use.
type Model struct {
	ID       string // provider/name, or an alias
	Resolves string // of an alias: what it stands for now
	Provider string
	Window   int     // context in tokens; 0 = not known
	Price    *Price  // nil = not known
	Health   *Health // of its endpoint; nil = it has none
}

// Tariff is in US dollars per million tokens. Cached is input that is read from the
// provider's cache, Written input that is kept there.
type Tariff struct{ Input, Cached, Written, Output float64 }

// Price is what a model costs, and how that is known.
type Price struct {
	Tariff
	Above  int    // tokens of input beyond which the whole request costs Long; 0 = never
	Long   Tariff //
	Origin string // a page, or the name of the operator's file
	AsOf   string // the day on which it held, YYYY-MM-DD; empty = not said
}

// Health is how a model's endpoint is, as far as calls have shown.
type Health struct {
	State    string // closed, half_open, open
	LastOK   time.Time
	LastFail time.Time
	Error    problem.Code  // of LastFail
	Latency  time.Duration // until the first token; 0 = not known
	Active   int           // calls under way
	Waiting  int           // calls that wait for their turn
}

// Trial is what one small call of a model has shown.
type Trial struct {
	Model   string
	Answers bool
	Calls   bool // it calls tools
	First   time.Duration
	Took    time.Duration
	Usage   run.Usage
	Error   string
}

// Config is what the API needs. All that has no default here must be set.
type Config struct {
	Engine  *engine.Engine
	Runs    Runs
	Search  Search // nil = lists of runs can't be searched
	Rows    Rows
	Keys    *auth.Book
	Catalog agent.Catalog
	Tools   Tools
	Models  Models
	Index   Index   // nil = this server keeps none
	Servers Servers // nil = this server calls none
	Files   Files   // nil = this server keeps none
	// Webhooks tells others of runs; nil = this server tells nobody.
	Webhooks  Webhooks
	Schedules Schedules // nil = this server starts nothing by the clock
	Robots    Robots    // nil = there are none
	Projects  Projects  // nil = nothing of projects as a whole can be changed here
	Budgets   *auth.Budgets
	Spending  auth.Spending // what is booked; nil = this server books nothing, and has no budgets
	Audit     *audit.Log    // nil = this server keeps none
	Changes   Changes       // nil = this server has no feed of changes
	System    System        // nil = this server says nothing of itself
	Log       LogLevel      // nil = the level of the log is fixed
	Version   string        // of the product, for GET /
	Home      string        // where GET / sends a browser; empty = /docs
	// MaxPrompt is how many characters (code points) a prompt or a message may
	// have; 0 = 100,000, which is more than a long document.
	MaxPrompt int
	// PublicURL begins the links that people are sent, without a slash at its end;
	// empty = they are paths on this server.
	PublicURL string
	// Holds reports whether arguments satisfy the condition of a gate, for saying why an
	// action waits; nil = every condition is told.
	Holds  func(when, arguments string) bool
	Mask   func(text string) string // takes known secrets out of pages for people; nil = there are none
	Now    func() time.Time         // nil = time.Now
	Random func(into []byte) error  // nil = crypto/rand
}

// API answers the native routes.
type API struct {
	cfg      Config
	family   *wire.Family
	book     agent.Book
	contract contract
	press    press
	feeds    atomic.Int64 // open streams of whole projects
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Runs == nil || cfg.Rows == nil || cfg.Keys == nil || cfg.Tools == nil || cfg.Models == nil {
		return nil, errors.New("native: Engine, Runs, Rows, Keys, Tools and Models must be set")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Random == nil {
		cfg.Random = random
	}
	if cfg.MaxPrompt == 0 {
		cfg.MaxPrompt = 100_000
	}
	if cfg.Home == "" {
		cfg.Home = "/docs"
	}
	family := &wire.Family{Name: Dialect, Prefixes: []string{"/v1"}, Strict: true, Session: true}
	return &API{cfg: cfg, family: family, book: agent.Book{Rows: cfg.Rows}, contract: newContract()}, nil
}

// Family is the API family of the routes: it also answers for unknown paths that
// belong to no other.
func (a *API) Family() *wire.Family { return a.family }
