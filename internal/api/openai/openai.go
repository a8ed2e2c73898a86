// Package openai is POST /v1/chat/completions, so that every client of OpenAI's
// chat completions can use every saved agent, and every model that this server
// knows.
//
// What it promises: it is a translation and nothing more. A request becomes a
// run.Spec (order.go, tool.go), a State becomes a completion (answer.go), updates
// become chunks (stream.go), a problem becomes an error (fault.go). The runs are
// runs like any other: listed, streamed, approved and cancelled at /v1/runs. Tools
// that a request brings are its caller's: their calls are the answer and are never
// made here. A run that waits for a person answers with a normal completion that
// says so. A plain model's run ends 250 ms after its last reader has gone; that of a
// saved agent goes on.
//
// The format itself is internal/api/chat's, which other dialects speak, too.
//
// To change what is accepted, edit chat's request.go, or order.go and tool.go here;
// to change what comes back, answer.go and stream.go; then api/openapi.yaml.
package openai

import (
	"context"
	"errors"
	"net/http"

	"errand/internal/agent"
	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/run"
)

// Dialect is how runs say that this API has started them.
const Dialect = "openai"

// maxBody is the limit of a request's body, in bytes: images may come in it.
const maxBody = 20 << 20

// Config is what the API needs. Engine, Rows and Catalog must be set.
type Config struct {
	Engine  *engine.Engine
	Rows    agent.Rows
	Catalog agent.Catalog
	// MaxPrompt is how many characters (code points) the last message may have;
	// 0 = 100,000.
	MaxPrompt int
}

// API answers the route.
type API struct {
	cfg    Config
	family *wire.Family
	book   agent.Book
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Rows == nil || cfg.Catalog.Tools == nil || cfg.Catalog.Models == nil || cfg.Catalog.Schemas == nil {
		return nil, errors.New("openai: Engine, Rows and Catalog must be set")
	}
	if cfg.MaxPrompt == 0 {
		cfg.MaxPrompt = 100_000
	}
	family := &wire.Family{Name: Dialect, Prefixes: []string{"/v1/chat/"}, Fault: fault, Session: true}
	return &API{cfg: cfg, family: family, book: agent.Book{Rows: cfg.Rows}}, nil
}

// Family is the API family of the route.
func (a *API) Family() *wire.Family { return a.family }

// Routes is the table of this API. The models that it takes are listed by the
// native API, at GET /v1/models.
func (a *API) Routes() []wire.Route {
	return []wire.Route{{
		Method: http.MethodPost, Path: "/v1/chat/completions", Family: a.family, Scope: "runs:write", Body: maxBody, Shared: true, Bound: true,
		Start: a.start, Answer: a.answer,
	}}
}

// start makes the run. It is called once however often the request is repeated.
func (a *API) start(ctx context.Context, r *wire.Request) (run.ID, error) {
	var in chat.Request
	if err := r.Decode(&in); err != nil {
		return run.ID{}, err
	}
	spec, err := a.order(ctx, r.Caller, &in)
	if err != nil {
		return run.ID{}, err
	}
	r.Value = modeOf(&in)
	spec.Fingerprint = r.Fingerprint()
	id := a.cfg.Engine.NewID()
	_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: r.Claim(id)})
	return id, err
}

// mode is the way in which an answer is wanted.
type mode struct {
	stream bool
	usage  bool // a stream ends with a chunk that counts the tokens
}

func modeOf(in *chat.Request) mode { return mode{stream: in.Streams(), usage: in.CountsUsage()} }

// answer answers from the run that start has made, perhaps for an earlier request
// that this one repeats.
func (a *API) answer(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	wanted, known := r.Value.(mode)
	if !known {
		var in chat.Request
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
		wanted = modeOf(&in)
	}
	named := http.Header{"X-Errand-Run": {runName(id)}}
	if wanted.stream {
		return wire.Response{Header: named, Stream: a.follow(r.Caller.Project, id, wanted.usage)}, nil
	}
	state, err := a.cfg.Engine.Wait(ctx, r.Caller.Project, id)
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return wire.Response{Header: named}, err
	}
	body, err := show(&state)
	return wire.Response{Header: named, Body: body}, err
}

func runName(id run.ID) string { return "run_" + id.String() }
