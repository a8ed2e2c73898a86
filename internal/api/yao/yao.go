// Package yao is the robots API: a robot is an agent with a host that settles the
// goal in conversation, a pipeline that executes it, and a clock.
//
// What it promises: a client written for that API, and every client of OpenAI's
// chat completions whose base URL ends in /v1/agent/robots/{id}, works here. A turn
// of the conversation is a run, and so is an execution; confirming a goal starts the
// execution in the commit that ends the turn, at most one for what was confirmed in
// a chat, whatever is repeated or lost on the way. The package translates and
// decides nothing: what a robot is, and what an execution has done, is
// internal/robot's.
//
// A tour: fault.go (the shape of errors), talkread.go and talk.go (a turn of
// the conversation), chats.go and chatlook.go (which chat a request belongs to),
// talkshow.go and talkstream.go (its answer), models.go (what OpenAI's clients list),
// execute.go, append.go, discovery.go, apikeys.go; robots.go, executions.go and their
// neighbours are the rest of the API.
//
// To change what a request of the conversation may say, edit internal/api/chat and
// talkread.go; what a chat remembers, chats.go; a route, the tables in routes.go;
// then api/openapi.yaml.
package yao

import (
	"context"
	"errors"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/robot"
	"errand/internal/run"
)

// Dialect is how runs say that this API has started them.
const Dialect = "yao"

// Rows keeps chats, and finds claimed goals. internal/store has the implementations.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// Rows lists rows in the query's order.
	Rows(ctx context.Context, query run.RowQuery) ([]run.Row, error)
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Robots finds saved robots. *robot.Book is the implementation.
type Robots interface {
	// Find returns the robot with this member_id or name, or a not_found problem.
	Find(ctx context.Context, project, id string) (robot.Robot, error)
}

// Desk makes specs of robots. *robot.Desk is the implementation.
type Desk interface {
	// Host is the spec of a turn of the robot's conversation.
	Host(ctx context.Context, r *robot.Robot, t robot.Turn) (run.Spec, error)
	// Execution is the spec of a run that executes an order. A problem says why the
	// robot takes none now.
	Execution(ctx context.Context, r *robot.Robot, s robot.Start) (run.Spec, error)
	// Check lists everything that is wrong with what a robot is to be, as one
	// invalid_request.
	Check(ctx context.Context, project string, p *robot.Profile) error
	// Show is a run as an execution, with what is known beside its log.
	Show(ctx context.Context, s *run.State) (robot.Execution, error)
}

// Keys makes and ends API keys. *auth.Book is the implementation.
type Keys interface {
	Create(ctx context.Context, maker auth.Caller, draft auth.Draft, also func(auth.Issued) ([]run.RowWrite, error)) (auth.Issued, error)
	List(ctx context.Context, project string) ([]auth.Key, error)
	Revoke(ctx context.Context, project, id string) (auth.Key, error)
	// Renew gives a key another secret; the old one opens nothing from then on.
	Renew(ctx context.Context, maker auth.Caller, id string, also func(auth.Issued) ([]run.RowWrite, error)) (auth.Issued, error)
}

// Config is what the API needs. Engine, Rows, Robots, Desk, Roster, Lines and Keys must
// be set.
type Config struct {
	Engine *engine.Engine
	Rows   Rows
	Robots Robots
	Desk   Desk
	Roster Roster // in robots.go
	Lines  Lines  // in executions.go
	Clocks Clocks // in robotshow.go; nil = no robot starts by itself
	Keys   Keys
	// Secrets and Grants are in events.go; nil = no robot is started by events.
	Secrets Secrets
	Grants  Grants
	// ServerURL is how the outside world reaches this server; empty = as the
	// request came here.
	ServerURL string
	BasePath  string           // stands before every path of the server, as a request shows it
	Version   string           // of the product, for /.well-known/yao
	MaxPrompt int              // characters (code points) of goals and of a message; 0 = 100,000
	Now       func() time.Time // nil = time.Now
}

// API answers the routes.
type API struct {
	cfg    Config
	family *wire.Family
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Rows == nil || cfg.Robots == nil || cfg.Desk == nil || cfg.Keys == nil || cfg.Roster == nil || cfg.Lines == nil {
		return nil, errors.New("yao: Engine, Rows, Robots, Desk, Roster, Lines and Keys must be set")
	}
	if cfg.MaxPrompt == 0 {
		cfg.MaxPrompt = 100_000
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	a := &API{cfg: cfg}
	a.family = &wire.Family{Name: Dialect, Prefixes: prefixes(), Fault: fault, Session: true}
	return a, nil
}

// Family is the API family of the routes.
func (a *API) Family() *wire.Family { return a.family }
