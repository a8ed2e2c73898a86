// Package wire is the edge that all API dialects share: one route table, and one
// handler that does request ids, keys, scopes, bodies, remembered answers,
// errors and streams, so that a dialect is left with pure translation.
//
// What it promises: every path of the table answers every method in the shape of
// its API family; a handler sees a known caller and a bounded, well-formed body;
// a retried POST is done once; nothing private is in an answer or in the log.
//
// A tour: route.go (the table), serve.go (one request from end to end),
// request.go and query.go (what a handler gets), body.go, decode.go and
// diagnose.go (strict JSON), response.go and fault.go (what it gives back),
// keyed.go and answer.go (Idempotency-Key), retry.go (retries without one),
// stream.go (server-sent events), listen.go (the hardened http.Server), crowd.go
// (how many connections there may be), rate.go (how many requests a key may make),
// denied.go (who was sent away), still.go (keys that are revoked while a stream is open), session.go (browsers that
// have signed in), pressure.go (how many runs may be on their
// way to the disk), strict.go and head.go (connections that refuse what a proxy
// could read differently).
//
// To add a route, edit the dialect's table. To change what all of them do, edit
// serve.go.
package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"errand/internal/auth"
	"errand/internal/run"
)

// Keys knows who holds a secret. *auth.Book is the implementation.
type Keys interface {
	Authenticate(ctx context.Context, secret string) (auth.Caller, error)
	// Session is Authenticate for the token of a session; used keeps it from ending for
	// want of use.
	Session(ctx context.Context, token string, used bool) (auth.Caller, error)
	// Changes grows with each change of a key: a stream looks at its key again.
	Changes() int
}

// Rows keeps remembered answers. internal/store has the implementations.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Metrics counts what goes over the wire. internal/obs has the implementation.
type Metrics interface {
	// Request counts an answered request; route is the table's path, or "none".
	Request(route, method string, status int, took time.Duration)
	// Stream counts a stream that has opened; the returned function, its end.
	Stream() (closed func())
}

// Config is what a Server needs. Routes, Families, Keys and Rows must be set.
type Config struct {
	Routes   []Route
	Families []*Family // the first answers paths that belong to none
	Keys     Keys
	Rows     Rows
	// Recent passes the runs created since then to each, newest first: an unkeyed
	// retry of a request to an earlier process finds its run among them; nil = none.
	Recent func(ctx context.Context, since time.Time, each func(*run.Summary)) error
	// Origins are those whose pages may call Shared routes, as browsers write them
	// (https://app.example.com); "*" = any, nil = none.
	Origins  []string
	Draining <-chan struct{}  // closed when streams must end so that readers reconnect; nil = never
	Now      func() time.Time // nil = time.Now
	Logger   *slog.Logger     // nil = none
	Metrics  Metrics          // nil = none
	// PerMinute is how many requests a key may make in a minute, unless it has a limit
	// of its own; 0 = any number.
	PerMinute int
	// Quota counts requests against their limits over all nodes. Nil = there is one node
	// alone.
	Quota     Quota
	BasePath  string // of this server as browsers see it: where the cookie of a session belongs; empty = /
	PublicURL string // of this server as its operator names it; empty = not at all
	DocURL    string // of the page about errors: a code is appended; empty = /docs#
}

// Server answers HTTP requests by its route table. It is an http.Handler, safe
// for concurrent use.
type Server struct {
	cfg      Config
	root     node
	flights  flights
	retries  retries
	restored restored
	began    time.Time
	pressure pressure
	rates    rates
	quotas   quotas
	denials  denials
}

// New checks the table (no route twice, each with a family and one way to
// answer) and returns its server.
func New(cfg Config) (*Server, error) {
	if cfg.Keys == nil || cfg.Rows == nil || len(cfg.Families) == 0 {
		return nil, errors.New("wire needs keys, rows and a family")
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = uncounted{}
	}
	if cfg.DocURL == "" {
		cfg.DocURL = "/docs#"
	}
	cfg.Routes = slices.Clone(cfg.Routes)
	s := &Server{cfg: cfg, began: cfg.Now()}
	for i := range cfg.Routes {
		route := &cfg.Routes[i]
		if err := route.check(); err != nil {
			return nil, fmt.Errorf("reading the route table: %w", err)
		}
		if err := s.root.plant(route); err != nil {
			return nil, fmt.Errorf("reading the route table: %w", err)
		}
	}
	return s, nil
}

// Routes lists the table, for comparing it with a contract.
func (s *Server) Routes() []Route { return slices.Clone(s.cfg.Routes) }

// uncounted is the Metrics of a server that has none.
type uncounted struct{}

func (uncounted) Request(string, string, int, time.Duration) {}
func (uncounted) Stream() (closed func())                    { return func() {} }
