package router

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"math"
	"sort"
	"strings"

	"errand/internal/run"
)

// Facts are what is known of a model. Prices are US dollars per million tokens,
// which is the same number as micros per token.
type Facts struct {
	Window int      `json:"window,omitempty"` // context in tokens; 0 = not known
	Input  float64  `json:"input"`
	Cached *float64 `json:"cached,omitempty"` // of input tokens read from a cache; nil = as Input
	Output float64  `json:"output"`
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
	if match := dated.FindStringSubmatch(model); match != nil {
		return match[1]
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

// factsOf returns what is known of a target and whether its prices are among it.
// The operator's word goes first. The list's prices hold at the providers
// themselves only: nobody knows what a server in between charges.
func (r *Router) factsOf(to target) (Facts, bool) {
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

// window also knows a model behind another server by its bare name: its context
// is its own, unlike its price.
func (r *Router) window(to target) int {
	known, _ := r.factsOf(to)
	if known.Window > 0 {
		return known.Window
	}
	bare := to.wire[strings.LastIndexByte(to.wire, '/')+1:]
	for _, p := range providers() {
		if found, ok := r.facts.of(p.name, bare); ok && found.Window > 0 {
			return found.Window
		}
	}
	return 0
}

// priced fills in what the usage costs, rounded up, so that a budget is never
// undercut by rounding. Usage that the provider did not count can't be priced.
func (r *Router) priced(to target, u run.Usage) run.Usage {
	if to.endpoint == offline {
		return u
	}
	known, ok := r.factsOf(to)
	if !ok || u.Input == 0 && u.Output == 0 {
		u.Unpriced = true
		return u
	}
	cached := known.Input
	if known.Cached != nil {
		cached = *known.Cached
	}
	cost := float64(u.Input-u.Cached)*known.Input + float64(u.Cached)*cached + float64(u.Output)*known.Output
	u.Cost = run.Micros(math.Ceil(cost - 1e-6)) // the tolerance is for sums like 0.1+0.2
	return u
}
