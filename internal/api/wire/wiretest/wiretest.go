// Package wiretest is the world in which an API is tested: the real engine, store
// and keys in memory, behind a real HTTP server.
//
// What it promises: every answer that a Client gets is held to the contract
// (api/openapi.yaml), nothing is left running after the test, and each test has a
// world of its own.
//
// To change what all APIs are tested in, edit this file; what is sent and read is
// in client.go, what holds for the routes of each API in routes.go.
package wiretest

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"errand/e2e/contract"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/store/memory"
)

// AdminSecret is the key of the project default.
const AdminSecret = "sk_test_admin_0123456789"

// closing is how long runs that are under way at a test's end get.
const closing = 5 * time.Second

// World is what an API is made over.
type World struct {
	T      *testing.T
	Store  *memory.Store
	Engine *engine.Engine
	Keys   *auth.Book
	closed func()
}

// New returns a world. Change, if not nil, sets what the engine is to have beside
// the log and the clock; it gets the store for parts that keep their rows there.
func New(t *testing.T, change func(*memory.Store, *engine.Config)) *World {
	t.Helper()
	w := &World{T: t, Store: memory.New(memory.Config{Now: time.Now})}
	t.Cleanup(w.close) // before change, whose own parts are to end before the store
	cfg := engine.Config{Log: w.Store, Now: time.Now}
	if change != nil {
		change(w.Store, &cfg)
	}
	w.Engine = engine.New(cfg)
	w.Keys = auth.NewBook(w.Store, time.Now)
	if _, err := w.Keys.EnsureAdmin(t.Context(), AdminSecret); err != nil {
		t.Fatal(err)
	}
	if err := w.Engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return w
}

// close ends the runs, then the server that shows them, then the store.
func (w *World) close() {
	ctx, cancel := context.WithTimeout(context.Background(), closing)
	defer cancel()
	if w.Engine != nil {
		_ = w.Engine.Close(ctx) // a test that leaves runs waiting for nobody is none that fails
	}
	if w.closed != nil {
		w.closed()
	}
	if err := w.Store.Close(); err != nil {
		w.T.Error(err)
	}
}

// Wire returns what answers these routes.
func (w *World) Wire(routes []wire.Route, families ...*wire.Family) *wire.Server {
	w.T.Helper()
	served, err := wire.New(wire.Config{
		Routes: routes, Families: families, Keys: w.Keys, Rows: w.Store, Draining: w.Engine.Draining(),
	})
	if err != nil {
		w.T.Fatal(err)
	}
	return served
}

// contracted reads the contract once for all tests: it is the slowest part of a
// world.
var contracted = sync.OnceValues(contract.Load)

// Serve puts what answers behind a real HTTP server, and returns a client of it
// with the admin's key.
func (w *World) Serve(handler http.Handler) *Client {
	w.T.Helper()
	terms, err := contracted()
	if err != nil {
		w.T.Fatal(err)
	}
	server := httptest.NewServer(handler)
	w.closed = server.Close
	return &Client{
		T: w.T, URL: server.URL, Secret: AdminSecret,
		HTTP: &http.Client{
			Transport:     &contract.Transport{T: w.T, Contract: terms, Next: server.Client().Transport},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
	}
}

// Key makes a key of a project with these scopes and returns its secret.
func (w *World) Key(project string, scopes ...string) string {
	w.T.Helper()
	admin := auth.Caller{Project: auth.DefaultProject, KeyID: "key_test", Scopes: []string{"admin"}}
	made, err := w.Keys.Create(w.T.Context(), admin, auth.Draft{Name: "key", Project: project, Scopes: scopes}, nil)
	if err != nil {
		w.T.Fatal(err)
	}
	return made.Secret
}
