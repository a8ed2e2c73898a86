package router

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"
	"sync"

	"errand/internal/run"
)

// Facts are what is known of a model. Prices are US dollars per million tokens,
// which is the same number as micros per token.
type Facts struct {
	Window int `json:"window,omitempty"` // context in tokens; 0 = not known
	Tariff
	Image int    `json:"image,omitempty"` // tokens that a picture counts for at most; 0 = not known
	Above *Above `json:"above,omitempty"` // what long requests cost; nil = the same

	Origin string `json:"-"` // where the prices come from: a page, a file, a setting
	AsOf   string `json:"-"` // the day on which they held, YYYY-MM-DD; empty = not said
}

// Tariff is what tokens cost.
type Tariff struct {
	Input  float64  `json:"input"`
	Cached *float64 `json:"cached,omitempty"` // of input tokens read from a cache; nil = as Input
	// Written is of input tokens that are kept in a cache; nil = as Input.
	Written *float64 `json:"written,omitempty"`
	Output  float64  `json:"output"`
}

// Above is the tariff of the whole request when its input has more tokens.
type Above struct {
	Tokens int `json:"tokens"`
	Tariff
}

// Builtin is the origin of the embedded list's prices that no page stands for: one's
// own machine, and the offline model.
const Builtin = "built in"

// tariff is what a request with so many input tokens is charged by.
func (f *Facts) tariff(input int) Tariff {
	if f.Above != nil && input > f.Above.Tokens {
		return f.Above.Tariff
	}
	return f.Tariff
}

// facts is a list of models, by provider/model.
type facts map[string]Facts

// provided is what the embedded list has of one provider. As of says on which day
// its own page, the source, had these prices.
type provided struct {
	AsOf   string           `json:"as_of"`
	Source string           `json:"source"`
	Note   string           `json:"note"`
	Image  int              `json:"image"` // of its models that say nothing else
	Models map[string]Facts `json:"models"`
}

//go:embed models.json
var modelsJSON []byte

// readFacts reads the embedded list strictly: a field that is misspelt there would
// be a price that is missing here.
func readFacts() (facts, error) {
	var read map[string]provided
	from := json.NewDecoder(bytes.NewReader(modelsJSON))
	from.DisallowUnknownFields()
	if err := from.Decode(&read); err != nil {
		return nil, fmt.Errorf("reading models.json: %w", err)
	}
	all := facts{}
	for provider, has := range read {
		for name, one := range has.Models {
			one.Origin, one.AsOf = cmp.Or(has.Source, Builtin), has.AsOf
			one.Image = cmp.Or(one.Image, has.Image)
			all[provider+"/"+name] = one
		}
	}
	return all, nil
}

// of looks a provider's model up: by its name, by the name without the date of a
// snapshot, or by the provider's entry for all models.
func (f facts) of(provider, model string) (Facts, bool) {
	if known, ok := f[provider+"/"+model]; ok {
		return known, true
	}
	if known, ok := f[provider+"/"+undated(model)]; ok {
		return known, true
	}
	known, ok := f[provider+"/*"]
	return known, ok
}

// undated cuts the date off a snapshot's name: -2024-08-06, -20240806.
func undated(model string) string {
	if bare, dated := cutDate(model); dated {
		return bare
	}
	if i := len(model) - len("-20240806"); i > 0 && model[i] == '-' && strings.Trim(model[i+1:], "0123456789") == "" {
		return model[:i]
	}
	return model
}

func (f facts) models(provider string) []string {
	var names []string
	for full := range f {
		if name, ok := strings.CutPrefix(full, provider+"/"); ok && name != "*" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// finding is what is known of a target.
type finding struct {
	facts  Facts
	priced bool // facts has its prices
	window int
}

// findings remembers them, because each run and each reply asks and the lists
// never change. Names come from requests, so there is a bound.
type findings struct {
	mu    sync.RWMutex
	known map[findingKey]finding
}

type findingKey struct {
	endpoint, wire string
	official       bool
}

// maxFindings is more models than a server's runs use at a time.
const maxFindings = 1024

// find returns what is known of a target, looking only once.
func (r *Router) find(to target) finding {
	key := findingKey{to.endpoint, to.wire, to.official}
	r.found.mu.RLock()
	found, ok := r.found.known[key]
	r.found.mu.RUnlock()
	if ok {
		return found
	}
	found.facts, found.priced = r.look(to)
	found.window = r.lookWindow(to, found.facts)
	r.found.mu.Lock()
	defer r.found.mu.Unlock()
	if r.found.known == nil || len(r.found.known) >= maxFindings {
		r.found.known = map[findingKey]finding{} // all at once: simpler than ages, and rare
	}
	r.found.known[key] = found
	return found
}

// factsOf returns what is known of a target and whether its prices are among it.
func (r *Router) factsOf(to target) (Facts, bool) {
	found := r.find(to)
	return found.facts, found.priced
}

// window is the target's context in tokens, or 0.
func (r *Router) window(to target) int { return r.find(to).window }

// look searches the lists. The operator's word goes first. The embedded prices
// hold at the providers themselves only: nobody knows what a server in between
// charges.
func (r *Router) look(to target) (Facts, bool) {
	if to.endpoint == offline {
		return Facts{Origin: Builtin}, true // it costs nothing
	}
	if known, ok := facts(r.cfg.Facts).of(to.endpoint, to.wire); ok {
		return known, true
	}
	if to.official {
		return r.facts.of(to.endpoint, to.wire)
	}
	return Facts{}, false
}

// Window is the context of the model that a name means, in tokens, or 0.
func (r *Router) Window(model string) int {
	to, unknown := r.resolve(model)
	if unknown != nil {
		return 0
	}
	return r.window(to)
}

// Priced reports whether it is known what replies under this name cost.
func (r *Router) Priced(model string) bool {
	to, unknown := r.resolve(model)
	if unknown != nil {
		return false
	}
	_, known := r.factsOf(to)
	return known || to.endpoint == offline
}

// lookWindow also knows a model behind another server by its bare name: its
// context is its own, unlike its price.
func (r *Router) lookWindow(to target, known Facts) int {
	if known.Window > 0 {
		return known.Window
	}
	found, _ := r.elsewhere(to.wire)
	return found.Window
}

// elsewhere is what the embedded list knows of a model that another server has: all
// but its price is its own.
func (r *Router) elsewhere(wire string) (Facts, bool) {
	bare := wire[strings.LastIndexByte(wire, '/')+1:]
	for _, p := range r.providers {
		if found, ok := r.facts.of(p.name, bare); ok && found.Window > 0 {
			return found, true
		}
	}
	return Facts{}, false
}

// priced fills in what the usage costs, rounded up, so that a budget is never
// undercut by rounding.
func (r *Router) priced(to *target, u run.Usage) run.Usage {
	if to.endpoint == offline {
		return u
	}
	known, ok := r.factsOf(*to)
	if !ok {
		u.Unpriced = true
		return u
	}
	u.Cost = known.tariff(u.Input).cost(&u)
	return u
}

// cost is what the tokens cost at this tariff, rounded up.
func (t Tariff) cost(u *run.Usage) run.Micros {
	cached, written := t.Input, t.Input
	if t.Cached != nil {
		cached = *t.Cached
	}
	if t.Written != nil {
		written = *t.Written
	}
	cost := float64(u.Input-u.Cached-u.Written)*t.Input + float64(u.Cached)*cached + float64(u.Written)*written + float64(u.Output)*t.Output
	return run.Micros(math.Ceil(cost - 1e-6)) // the tolerance is for sums like 0.1+0.2
}
