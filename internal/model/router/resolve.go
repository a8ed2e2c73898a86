package router

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"errand/internal/problem"
)

// offline is the model that is always there.
const offline = "offline"

// aliases are names that stand for the operator's default model.
func aliases() []string {
	return []string{"default", "auto", "y0-agent", "y0-fast", "y0-deep", "y0-text-fast"}
}

func isAlias(name string) bool { return slices.Contains(aliases(), name) }

// cutDate cuts the date off a snapshot's name, such as y0-agent-2026-06-01, and
// reports whether there was one.
func cutDate(name string) (string, bool) {
	const shape = "-0000-00-00"
	at := len(name) - len(shape)
	if at < 1 {
		return name, false
	}
	for i := range len(shape) {
		digit := '0' <= name[at+i] && name[at+i] <= '9'
		if shape[i] == '0' && !digit || shape[i] == '-' && name[at+i] != '-' {
			return name, false
		}
	}
	return name[:at], true
}

// aliasOf is the alias that a name spells, with or without a date, or "".
func aliasOf(name string) string {
	if isAlias(name) {
		return name
	}
	if bare, dated := cutDate(name); dated && isAlias(bare) {
		return bare
	}
	return ""
}

// target is what a name means.
type target struct {
	model    Model
	at       *endpoint // nil = the offline model
	endpoint string
	wire     string // the model's name there
	official bool
	guessed  bool // nobody has named a model: an alias went through as it is
}

func (t target) full() string {
	if t.endpoint == offline {
		return offline
	}
	return t.endpoint + "/" + t.wire
}

// unknownName says why a name means nothing here.
type unknownName struct{ message string }

// Check reports whether the name means a model: nil, or an invalid_request about
// the field model that lists the choices.
func (r *Router) Check(name string) error {
	if _, unknown := r.resolve(name); unknown != nil {
		refused := problem.Invalid("model", "%s", unknown.message)
		refused.Doc = strings.Join(r.choices(), ", ")
		return refused
	}
	return nil
}

// Resolve returns the full name, endpoint/model, of what a name means.
func (r *Router) Resolve(name string) (string, error) {
	to, unknown := r.resolve(name)
	if unknown != nil {
		return "", problem.New(problem.ModelUnknown, "%s", unknown.message)
	}
	return to.full(), nil
}

func (r *Router) resolve(name string) (target, *unknownName) {
	if name == "" {
		name = "default"
	}
	alias := aliasOf(name)
	if alias == "" {
		return r.named(name)
	}
	meant := r.cfg.Default
	if own := r.cfg.Aliases[alias]; own != "" {
		meant = own
	}
	if meant != "" && aliasOf(meant) == "" {
		return r.named(meant)
	}
	return r.standard(name)
}

// standard is what an alias means where the operator has not said it: the first
// endpoint's own default, or there the alias itself, or offline.
func (r *Router) standard(alias string) (target, *unknownName) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	for _, e := range r.endpoints {
		if e.Default != "" {
			return e.target(e.Default), nil
		}
	}
	if len(r.endpoints) == 0 {
		return r.offline(), nil
	}
	to := r.endpoints[0].target(alias)
	to.guessed = true
	return to, nil
}

func (e *endpoint) target(wire string) target {
	return target{model: e.model, at: e, endpoint: e.Name, wire: wire, official: e.official}
}

func (r *Router) offline() target {
	return target{model: r.cfg.Offline, endpoint: offline, wire: offline}
}

// longestName bounds a model's name, in bytes: it is a part of the key under which is
// booked what the model has cost, and a database has bounds for those.
const longestName = 512

// named resolves a name that is no alias.
func (r *Router) named(name string) (target, *unknownName) {
	if len(name) > longestName {
		return target{}, &unknownName{fmt.Sprintf("The model's name is too long: at most %d bytes.", longestName)}
	}
	prefix, rest, qualified := strings.Cut(name, "/")
	if prefix == offline {
		return r.offline(), nil
	}
	if !qualified {
		return r.plain(name)
	}
	r.mu.RLock()
	defer r.mu.RUnlock()
	canonical := r.provider(prefix).name
	for _, e := range r.endpoints {
		if (e.Name == prefix || canonical != "" && e.Name == canonical) && rest != "" {
			return e.target(rest), nil
		}
	}
	return target{}, r.unknown(name, prefix)
}

// plain resolves a name without a provider: to the only endpoint, or among
// several to the only one that is known to have such a model.
func (r *Router) plain(name string) (target, *unknownName) {
	r.mu.RLock()
	defer r.mu.RUnlock()
	switch len(r.endpoints) {
	case 0:
		return r.offline(), nil
	case 1:
		return r.endpoints[0].target(name), nil
	}
	var found []*endpoint
	for _, e := range r.endpoints {
		if _, ok := r.facts.of(e.Name, name); ok && e.official {
			found = append(found, e)
		}
	}
	if len(found) == 1 {
		return found[0].target(name), nil
	}
	return target{}, r.unknown(name, "")
}

// unknown explains a name that means nothing; the lock is held.
func (r *Router) unknown(name, prefix string) *unknownName {
	message := fmt.Sprintf("%q is no model here.", name)
	known := r.provider(prefix)
	switch {
	case prefix == "":
		message += " Several endpoints are configured, so name one: endpoint/" + name + "."
	case known.setting != "" && !r.has(known.name):
		message += fmt.Sprintf(" The provider %s is not configured; set %s.", known.name, known.setting)
	case r.has(prefix):
		message += " The model's own name is missing behind the slash."
	case len(r.endpoints) > 0:
		message += fmt.Sprintf(" No endpoint is named %s; a model of the endpoint %s is %s/%s.", prefix, r.endpoints[0].Name, r.endpoints[0].Name, name)
	default:
		message += fmt.Sprintf(" No endpoint is named %s; set OPENAI_BASE_URL and OPENAI_API_KEY, or name it in the settings.", prefix)
	}
	return &unknownName{message + " Choices: " + strings.Join(r.names(), ", ") + "."}
}

func (r *Router) has(name string) bool {
	return slices.ContainsFunc(r.endpoints, func(e *endpoint) bool { return e.Name == name })
}

func (r *Router) choices() []string {
	r.mu.RLock()
	defer r.mu.RUnlock()
	return r.names()
}

// names are the names that can be chosen; the lock is held.
func (r *Router) names() []string {
	names := aliases()
	for _, e := range r.endpoints {
		names = append(names, e.Name+"/<model>")
	}
	return append(names, offline)
}

// Info is one line of the list of models.
type Info struct {
	ID       string // what a request may name
	Endpoint string
	Means    string // of an alias: the full name behind it
	Window   int    // tokens; 0 = not known
	Facts    Facts
	Priced   bool    // Facts has its prices
	Health   *Health // of its endpoint; nil for offline
}

// Models lists what can be chosen: the aliases, offline, and of each endpoint
// what it says that it has or, where it does not answer, what is known of it.
func (r *Router) Models(ctx context.Context) []Info {
	var all []Info
	for _, alias := range aliases() {
		if to, unknown := r.resolve(alias); unknown == nil {
			line := r.info(to)
			line.ID, line.Means = alias, line.ID
			all = append(all, line)
		}
	}
	all = append(all, r.info(r.offline()))

	r.mu.RLock()
	endpoints := slices.Clone(r.endpoints)
	r.mu.RUnlock()
	found := make([][]string, len(endpoints))
	var group sync.WaitGroup
	for i, e := range endpoints {
		group.Go(func() {
			names, err := e.listing.read(ctx, e.model, r.cfg.Now)
			if err != nil && e.official {
				names = r.facts.models(e.Name)
			}
			found[i] = slices.Sorted(slices.Values(names))
		})
	}
	group.Wait()
	for i, e := range endpoints {
		for _, name := range slices.Compact(found[i]) {
			all = append(all, r.info(e.target(name)))
		}
	}
	return all
}

func (r *Router) info(to target) Info {
	known, priced := r.factsOf(to)
	line := Info{ID: to.full(), Endpoint: to.endpoint, Window: r.window(to), Facts: known, Priced: priced}
	if to.at != nil {
		health := to.at.health()
		line.Health = &health
	}
	return line
}

func (e *endpoint) health() Health {
	h := e.circuit.health()
	h.Active, h.Waiting = e.gate.standing()
	return h
}
