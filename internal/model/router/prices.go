package router

import (
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
	Window int      `json:"window,omitempty"` // context in tokens; 0 = not known
	Input  float64  `json:"input"`
	Cached *float64 `json:"cached,omitempty"` // of input tokens read from a cache; nil = as Input
	// Written is of input tokens that are kept in a cache; nil = as Input.
	Written *float64 `json:"written,omitempty"`
	Output  float64  `json:"output"`
}

// facts is the embedded list, by provider/model. Checked is the day on which the
// providers' price pages said so.
type facts struct {
	Checked string           `json:"checked"`
	Models  map[string]Facts `json:"models"`
}

//go:embed models.json
var modelsJSON []byte

func readFacts() (facts, error) {
	var read facts
	if err := json.Unmarshal(modelsJSON, &read); err != nil {
		return facts{}, fmt.Errorf("reading models.json: %w", err)
	}
	return read, nil
}

// of looks a provider's model up: by its name, by the name without the date of a
// snapshot, or by the provider's entry for all models.
func (f facts) of(provider, model string) (Facts, bool) {
	if known, ok := f.Models[provider+"/"+model]; ok {
		return known, true
	}
	if known, ok := f.Models[provider+"/"+undated(model)]; ok {
		return known, true
	}
	known, ok := f.Models[provider+"/*"]
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
	for full := range f.Models {
		if name, ok := strings.CutPrefix(full, provider+"/"); ok && name != "*" {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// PricesChecked is the day of the embedded prices, as YYYY-MM-DD.
func (r *Router) PricesChecked() string { return r.facts.Checked }

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
		return Facts{}, true // it costs nothing
	}
	own := facts{Models: r.cfg.Facts}
	if known, ok := own.of(to.endpoint, to.wire); ok {
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
	bare := to.wire[strings.LastIndexByte(to.wire, '/')+1:]
	for _, p := range r.providers {
		if found, ok := r.facts.of(p.name, bare); ok && found.Window > 0 {
			return found.Window
		}
	}
	return 0
}

// priced fills in what the usage costs, rounded up, so that a budget is never
// undercut by rounding. Usage that the provider did not count can't be priced.
func (r *Router) priced(to *target, u run.Usage) run.Usage {
	if to.endpoint == offline {
		return u
	}
	known, ok := r.factsOf(*to)
	if !ok || u.Input == 0 && u.Output == 0 {
		u.Unpriced = true
		return u
	}
	cached := known.Input
	if known.Cached != nil {
		cached = *known.Cached
	}
	written := known.Input
	if known.Written != nil {
		written = *known.Written
	}
	cost := float64(u.Input-u.Cached-u.Written)*known.Input + float64(u.Cached)*cached + float64(u.Written)*written + float64(u.Output)*known.Output
	u.Cost = run.Micros(math.Ceil(cost - 1e-6)) // the tolerance is for sums like 0.1+0.2
	return u
}
