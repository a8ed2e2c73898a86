// Package swarms is the Swarms API of agent completions under /v1/agent: one
// request brings an agent and a task, and its answer is what the agent has said.
// A batch brings several of them.
//
// What it promises: it is a translation and nothing more. A request becomes a
// run.Spec, a State becomes an answer, an update becomes a frame. Every field of
// an AgentSpec is honoured, kept to be shown again, or refused by its name; keys
// that the API does not know are ignored, as it does. Errors have the shape of its
// framework: {"detail": …}. What a run answers with beside its State (name,
// temperature, what could not be reached) is in its Spec.Echo, so the answer is
// the same whenever and wherever it is made.
//
// A tour: routes.go (the table, and the headers of every answer), body.go (what a
// request may say), read.go (reading it; what is wrong with its shape), order.go
// (request to Spec), prompt.go, history.go, image.go, tool.go, server.go and
// args.go (parts of that), handoff.go (the agents of a team), start.go (one
// completion), draft.go (a system prompt that the model writes), batch.go
// (several), answer.go and output.go (State to body), stream.go (updates to
// frames), fault.go (problems to errors), past.go (the agents that were seen),
// info.go (what else can be asked).
//
// To add a field of an agent, edit body.go and order.go, and a row of the field
// table in field_test.go; to add a route, routes.go and api/openapi.yaml.
package swarms

import (
	"context"
	"errors"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/run"
)

// Dialect is how runs say that this API has started them.
const Dialect = "swarms"

// Rows keeps the configurations that were seen. A store has this method.
type Rows interface {
	// Rows lists rows in the query's order.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
}

// Models lists what a request can name as its model.
type Models interface {
	// Names lists them, the default first.
	Names(ctx context.Context) []string
}

// Servers finds the tools of MCP servers that a request names. internal/app
// adapts internal/tool/mcp to it.
type Servers interface {
	// Connect asks all of the servers at once, each within its own time. One that
	// does not answer is in Connected.Down and costs its own tools only. An
	// invalid_request problem has fields connections[i].… by place in wanted.
	Connect(ctx context.Context, project string, wanted []Connection) (Connected, error)
}

// Connection is an MCP server as a request names it.
type Connection struct {
	Name      string // before its tools' names; may be empty
	URL       string
	Transport string // streamable_http, sse or auto
	Token     string // sent as Authorization: Bearer; a secret
	Headers   map[string]string
	Timeout   time.Duration
}

// Connected is what servers have.
type Connected struct {
	Tools   []run.Tool   // each names its server among Servers
	Servers []run.Server // secrets in their Config are sealed
	Down    []string     // a sentence for each that did not answer: its URL, and what happened
	Notes   []string     // a sentence for each tool that was left out
}

// Config is what the API needs. Engine, Rows, Models and Catalog must be set.
type Config struct {
	Engine  *engine.Engine
	Rows    Rows
	Models  Models
	Catalog agent.Catalog
	Servers Servers          // nil = requests may name no MCP servers
	Now     func() time.Time // nil = time.Now
}

// API answers the routes.
type API struct {
	cfg    Config
	family *wire.Family
	past   past
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Rows == nil || cfg.Models == nil || cfg.Catalog.Tools == nil || cfg.Catalog.Models == nil || cfg.Catalog.Schemas == nil {
		return nil, errors.New("swarms: Engine, Rows, Models and Catalog must be set")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{cfg: cfg, past: past{rows: cfg.Rows}}
	a.family = &wire.Family{Name: Dialect, Prefixes: prefixes(), Fault: fault, Headers: rateHeaders}
	return a, nil
}

// Family is the API family of the routes.
func (a *API) Family() *wire.Family { return a.family }
