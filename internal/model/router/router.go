// Package router finds the model that a name means and calls it there.
//
// A name is provider/model; or a plain name, which goes to the only endpoint
// that is configured; or one of the aliases y0-agent, y0-fast, y0-deep,
// y0-text-fast, auto and default, also with a date behind it, which stand for
// the operator's default model. "offline" is always there, and where nothing is
// configured every plain name and alias means it.
//
// What the package promises:
//   - A name that can't be resolved is refused when it is checked, with the
//     names that can.
//   - A reply's usage carries its price, or says that the price is not known.
//   - A model is called once per Reply, and its fallbacks, if the operator has
//     named any, only while nothing of a reply has come. Whether another attempt
//     may help, and when, is told by Retry; the caller makes it, so that its log
//     shows it.
//   - An endpoint that refuses calls because of their rate is not stormed, and the
//     operator's own limits are kept: Reply waits for its turn, in which the
//     oldest run comes first.
//   - An endpoint that fails call after call is left alone for a while, and tried
//     with one call before the others follow.
//   - An endpoint is asked what it has once a minute at most, however often the
//     list of models is read.
//   - No call is made twice to save time: hedging would pay for two replies, and
//     what one of them begins to say could not be taken back.
//
// A tour: router.go (configuration), call.go (calling, fallbacks), resolve.go
// (what a name means), listing.go (what endpoints have), providers.go (who is
// known), prices.go with models.json (prices and windows), estimate.go (what a
// call has cost whose provider does not say), worst.go (what one can cost at
// most), retry.go (which errors pass), gate.go and allowance.go (how fast calls
// follow each other), circuit.go (endpoints that fail), trial.go (one small call to
// see how an endpoint is).
//
// To add a provider, edit providers.go; to add a model or change a price, edit
// models.json, with the day and the page that it is from.
package router

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"time"

	"errand/internal/run"
)

// Model answers model calls. A Model that also has List(ctx) ([]string, error)
// shows what it has in Models.
type Model interface {
	Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error)
}

// Endpoint is a place that serves models.
type Endpoint struct {
	Name    string // the prefix of its models: letters, digits, dot, underscore, dash
	BaseURL string // empty = the provider's own, for a name of Providers
	Key     string
	Kind    string            // whose dialect it speaks; empty = Name's
	Headers map[string]string // sent with each call
	Default string            // its model that the aliases mean where Config.Default is empty

	AtOnce    int // calls under way at most; 0 = any number
	PerMinute int // calls that begin in any minute at most; 0 = any number
}

// EveryModel is the key of the fallbacks that hold for every model.
const EveryModel = "*"

// Config says which endpoints there are. Connect and Offline must be set.
type Config struct {
	Endpoints []Endpoint
	Connect   func(Endpoint) (Model, error) // makes an endpoint's client
	Offline   Model                         // answers as "offline"
	Default   string                        // what the aliases mean: ERRAND_MODEL
	Aliases   map[string]string             // what one alias means instead, by its name
	Fallbacks map[string][]string           // models to call instead, by the name asked for, the full name, or EveryModel
	Facts     map[string]Facts              // the operator's prices and windows, by endpoint/model or endpoint/*
	Random    func() float64                // in [0,1), for the jitter of Retry; nil = math/rand
	Now       func() time.Time              // nil = time.Now
}

// Router calls models by name. It is safe for concurrent use.
type Router struct {
	cfg       Config
	providers []provider
	facts     facts
	found     findings

	stopped chan struct{} // closed by Drain

	mu        sync.RWMutex
	endpoints []*endpoint // in order of configuration
	draining  bool
}

// endpoint is an Endpoint with its client.
type endpoint struct {
	Endpoint
	model    Model
	gate     *gate
	circuit  *circuit
	listing  listing
	official bool // it is the provider's own: its prices are known
}

// New connects every endpoint. It makes no call.
func New(cfg Config) (*Router, error) {
	if cfg.Connect == nil || cfg.Offline == nil {
		return nil, errors.New("router: Connect and Offline must be set")
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	known, err := readFacts()
	if err != nil {
		return nil, err
	}
	for name := range cfg.Aliases {
		if !isAlias(name) {
			return nil, fmt.Errorf("alias %q: the aliases are %s", name, strings.Join(aliases(), ", "))
		}
	}
	r := &Router{cfg: cfg, providers: providers(), facts: known, stopped: make(chan struct{})}
	for _, e := range cfg.Endpoints {
		if err := r.Add(e); err != nil {
			return nil, err
		}
	}
	return r, r.checkFallbacks()
}

// checkFallbacks refuses a fallback that is no model here: it would not be missed
// before it is needed.
func (r *Router) checkFallbacks() error {
	for model, others := range r.cfg.Fallbacks {
		for _, other := range others {
			if _, unknown := r.resolve(other); unknown != nil {
				return fmt.Errorf("fallbacks of %s: %s", model, unknown.message)
			}
		}
		if _, unknown := r.resolve(model); unknown != nil && model != EveryModel {
			return fmt.Errorf("fallbacks: %s", unknown.message)
		}
	}
	return nil
}

// Add connects one more endpoint, or one of a known name anew. It serves a
// provider that is found while the server runs.
func (r *Router) Add(e Endpoint) error {
	if e.Name == "" || e.Name == offline || strings.Trim(e.Name, nameBytes) != "" || isAlias(e.Name) {
		return fmt.Errorf("endpoint %q: a name has letters, digits, '.', '_' and '-', and is neither offline nor an alias", e.Name)
	}
	known := r.provider(e.Name)
	if e.BaseURL == "" {
		e.BaseURL = known.baseURL
	}
	if e.BaseURL == "" {
		return fmt.Errorf("endpoint %s: a base URL is needed", e.Name)
	}
	if e.Kind == "" {
		e.Kind = known.name
	} else if spoken := r.provider(e.Kind).name; spoken == "" {
		return fmt.Errorf("endpoint %s: the kind %q is not known; kinds are %s", e.Name, e.Kind, strings.Join(r.kinds(), ", "))
	} else {
		e.Kind = spoken
	}
	if e.AtOnce < 0 || e.PerMinute < 0 {
		return fmt.Errorf("endpoint %s: a limit is 1 or more, or left out", e.Name)
	}
	made := &endpoint{Endpoint: e, gate: &gate{now: r.cfg.Now, allowance: allowance{atOnce: e.AtOnce, perMinute: e.PerMinute}}, official: home(e.BaseURL) == home(known.baseURL)}
	made.official = made.official || known.name == "ollama" // one's own machine, wherever it is
	if made.official && e.Default == "" {
		made.Default = known.standard
	}
	model, err := r.cfg.Connect(e)
	if err != nil {
		return fmt.Errorf("connecting endpoint %s: %w", e.Name, err)
	}
	made.model, made.circuit = model, &circuit{name: e.Name, now: r.cfg.Now}

	r.mu.Lock()
	defer r.mu.Unlock()
	made.gate.shutting = r.draining
	for i, old := range r.endpoints {
		if old.Name == e.Name {
			r.endpoints[i] = made
			return nil
		}
	}
	r.endpoints = append(r.endpoints, made)
	return nil
}

// home is a base URL as it is compared: with or without the version at its end.
func home(base string) string {
	return strings.TrimSuffix(strings.TrimRight(base, "/"), "/v1")
}

// nameBytes are the characters of an endpoint's name.
const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// Probe adds the endpoint if it answers with a list of models; the first of them
// is its default. It is how a local server is found.
func (r *Router) Probe(ctx context.Context, e Endpoint) error {
	if e.BaseURL == "" {
		e.BaseURL = r.provider(e.Name).baseURL
	}
	model, err := r.cfg.Connect(e)
	if err != nil {
		return fmt.Errorf("connecting endpoint %s: %w", e.Name, err)
	}
	names, err := list(ctx, model)
	if closer, ok := model.(interface{ Close() }); ok {
		closer.Close()
	}
	if err != nil {
		return fmt.Errorf("listing the models of %s: %w", e.Name, err)
	}
	if e.Default == "" && len(names) > 0 {
		e.Default = names[0]
	}
	return r.Add(e)
}

// Close drops the idle connections of every endpoint.
func (r *Router) Close() {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range r.endpoints {
		if closer, ok := e.model.(interface{ Close() }); ok {
			closer.Close()
		}
	}
}
