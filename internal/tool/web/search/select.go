package search

import (
	"fmt"
	"slices"
	"strings"

	"errand/internal/egress"
	"errand/internal/problem"
)

// Settings say which engines there are.
type Settings struct {
	Order   []string          // names; empty = every one that has its setting, in the order of Known
	SearXNG string            // address of the operator's own
	Keys    map[string]string // by name: brave, tavily, exa, you
	Index   Index             // nil = none, in tests
	Guard   *egress.Guard
	Agent   string
}

// engine is a line of the table.
type engine struct {
	name    string
	setting string // the variable that makes it available; empty = it must be named
	make    func(Options) (Provider, error)
}

// engines lists them in the order in which they are asked when nobody says
// otherwise: the operator's own first, which costs nothing and tells nobody.
func engines() []engine {
	keyed := func(make func(Options) Provider) func(Options) (Provider, error) {
		return func(o Options) (Provider, error) { return make(o), nil }
	}
	return []engine{
		{"searxng", "ERRAND_SEARXNG_URL", SearXNG},
		{"brave", "BRAVE_API_KEY", keyed(Brave)},
		{"tavily", "TAVILY_API_KEY", keyed(Tavily)},
		{"exa", "EXA_API_KEY", keyed(Exa)},
		{"you", "YDC_API_KEY", keyed(You)},
		{"wikipedia", "", keyed(Wikipedia)},
	}
}

// Known lists the names that Settings.Order may have.
func Known() []string {
	var names []string
	for _, e := range engines() {
		names = append(names, e.name)
	}
	return append(names, IndexName)
}

// Select makes the engines that are configured, in their order; the index is the
// last unless it is named earlier. A name that means nothing, or whose setting is
// missing, is refused.
func Select(s Settings) ([]Provider, error) {
	order := s.Order
	if len(order) == 0 {
		for _, e := range engines() {
			if e.setting != "" && s.configured(e.name) {
				order = append(order, e.name)
			}
		}
	}
	var chosen []Provider
	for i, name := range order {
		if slices.Contains(order[:i], name) {
			return nil, fmt.Errorf("ERRAND_SEARCH: %s is named twice", name)
		}
		p, err := s.engine(name)
		if err != nil {
			return nil, err
		}
		if p != nil {
			chosen = append(chosen, p)
		}
	}
	if s.Index != nil && !slices.Contains(order, IndexName) {
		chosen = append(chosen, Local(s.Index))
	}
	return chosen, nil
}

func (s *Settings) configured(name string) bool {
	if name == "searxng" {
		return s.SearXNG != ""
	}
	return s.Keys[name] != ""
}

func (s *Settings) engine(name string) (Provider, error) {
	if name == IndexName {
		if s.Index == nil {
			return nil, nil
		}
		return Local(s.Index), nil
	}
	for _, e := range engines() {
		if e.name != name {
			continue
		}
		if e.setting != "" && !s.configured(name) {
			return nil, fmt.Errorf("ERRAND_SEARCH: %s needs %s", name, e.setting)
		}
		o := Options{Guard: s.Guard, Agent: s.Agent, Key: s.Keys[name]}
		if name == "searxng" {
			o.Base = s.SearXNG
		}
		return e.make(o)
	}
	hint := "; known are " + strings.Join(Known(), ", ")
	if near := problem.Nearest(name, Known()); near != "" {
		hint = "; did you mean " + near + "?"
	}
	return nil, fmt.Errorf("ERRAND_SEARCH: there is no search engine %q%s", name, hint)
}
