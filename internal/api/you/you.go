// Package you speaks You.com's agents API: POST /v1/agents/runs, for the agents
// express and advanced and for saved agents, as JSON and as its typed stream.
//
// What it promises: an SDK or a script written for that API works when its base
// URL is changed. It is a translation and nothing more: a request becomes a
// run.Spec (request.go, spec.go, and all words for the model in prompt.go), a
// State becomes a body (body.go), updates become frames (stream.go, item.go), a
// problem becomes an error (fault.go); all of these are pure. The runs are runs
// like any other: they are in GET /v1/runs, can be read, streamed, approved and
// cancelled there, and end 250 ms after their last reader has gone.
//
// Keys that no document names are ignored; those that are named and can't be
// honoured for the agent at hand are refused by name.
//
// To change what is accepted, edit request.go; what a run may do, spec.go; what
// the model is told, prompt.go; then api/openapi.yaml.
package you

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// Dialect is how runs say that this API has started them.
const Dialect = "you"

// The modes of a run here. The first two are also names of agents.
const (
	express  = "express"
	advanced = "advanced"
	custom   = "custom"
)

// The names that the answer's item can have.
const (
	AnswerType       = "message.answer"     // what the vendor's SDKs know
	LegacyAnswerType = "chat_node.answer"   // what clients of the API's first generation look for
	resultsType      = "web_search.results" // of the item with what a search has found
)

// Config is what the API needs. Engine, Rows and Catalog must be set.
type Config struct {
	Engine  *engine.Engine
	Rows    agent.Rows
	Catalog agent.Catalog
	// AnswerType is the type of the answer's item in JSON; empty = AnswerType.
	AnswerType string
	// MaxInput is how many characters (code points) an input may have; 0 = 100,000.
	MaxInput int
}

// API answers the route.
type API struct {
	cfg    Config
	family *wire.Family
	book   agent.Book
}

// New checks the configuration.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Rows == nil || cfg.Catalog.Tools == nil || cfg.Catalog.Models == nil {
		return nil, errors.New("you: Engine, Rows and Catalog must be set")
	}
	switch cfg.AnswerType {
	case "":
		cfg.AnswerType = AnswerType
	case AnswerType, LegacyAnswerType:
	default:
		return nil, errors.New("you: AnswerType must be " + AnswerType + " or " + LegacyAnswerType)
	}
	if cfg.MaxInput == 0 {
		cfg.MaxInput = 100_000
	}
	// The family has no prefix: of all paths it owns exactly its route's.
	return &API{cfg: cfg, family: &wire.Family{Name: Dialect, Fault: fault}, book: agent.Book{Rows: cfg.Rows}}, nil
}

// Family is the API family of the route.
func (a *API) Family() *wire.Family { return a.family }

// Routes is the table of this API.
func (a *API) Routes() []wire.Route {
	return []wire.Route{{
		Method: http.MethodPost, Path: "/v1/agents/runs", Family: a.family, Scope: "runs:write", Bound: true,
		Start: a.start, Answer: a.answer,
	}}
}

// start makes the run. It is called once however often the request is repeated.
func (a *API) start(ctx context.Context, r *wire.Request) (run.ID, error) {
	order, err := a.read(r)
	if err != nil {
		return run.ID{}, err
	}
	r.Value = order.stream
	spec, err := a.spec(ctx, r.Caller, order)
	if err != nil {
		return run.ID{}, err
	}
	spec.Fingerprint = r.Fingerprint()
	if spec.Echo, err = json.Marshal(echo{Agent: order.agent, Mode: order.mode, Search: order.wants()}); err != nil {
		return run.ID{}, err
	}
	id := a.cfg.Engine.NewID()
	_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: r.Claim(id)})
	return id, err
}

// answer answers from the run that start has made, perhaps for an earlier request
// that this one repeats.
func (a *API) answer(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	streams, known := r.Value.(bool)
	if !known {
		order, err := a.read(r)
		if err != nil {
			return wire.Response{}, err
		}
		streams = order.stream
	}
	named := http.Header{"X-Errand-Run": {"run_" + id.String()}}
	if streams {
		return wire.Response{Header: named, Stream: a.follow(r.Caller.Project, id)}, nil
	}
	state, err := a.cfg.Engine.Wait(ctx, r.Caller.Project, id)
	switch {
	case err != nil:
		return wire.Response{}, err
	case ctx.Err() != nil:
		return wire.Response{}, ctx.Err()
	}
	body, err := show(&state, a.cfg.AnswerType)
	return wire.Response{Header: named, Body: body}, err
}

// echo is what answers need of the request, beside what the run itself has.
type echo struct {
	Agent  string `json:"agent"` // as the caller named it
	Mode   string `json:"mode"`
	Search bool   `json:"search,omitempty"` // express was asked to search
}

// echoOf reads what start has stored.
func echoOf(s *run.State) echo {
	var said echo
	if json.Unmarshal(s.Spec.Echo, &said) != nil || said.Mode == "" {
		return echo{Agent: express, Mode: express}
	}
	return said
}

func modeOf(s *run.State) string { return echoOf(s).Mode }

// unfinished is the answer of a server that stops in the middle of a run.
func unfinished() *problem.Error {
	return problem.New(problem.Overloaded, "This server is shutting down before the run has ended: send the request again in a moment.")
}
