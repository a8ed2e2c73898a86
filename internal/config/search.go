package config

import (
	"fmt"
	"maps"
	"slices"
)

// searchKey is a search engine and the variable that its vendor has made usual
// for its key.
type searchKey struct{ name, variable string }

func searchKeys() []searchKey {
	return []searchKey{{"brave", "BRAVE_API_KEY"}, {"tavily", "TAVILY_API_KEY"}, {"exa", "EXA_API_KEY"}, {"you", "YDC_API_KEY"}}
}

// takeSearchKeys takes the keys that the environment has.
func (c *Config) takeSearchKeys(env map[string]string) {
	for _, key := range searchKeys() {
		if env[key.variable] == "" {
			continue
		}
		if c.SearchKeys == nil {
			c.SearchKeys = map[string]Secret{}
		}
		c.SearchKeys[key.name] = Secret(env[key.variable])
	}
}

// checkSearchKeys refuses keys of engines that take none.
func (c *Config) checkSearchKeys() error {
	var known []string
	for _, key := range searchKeys() {
		known = append(known, key.name)
	}
	for _, name := range slices.Sorted(maps.Keys(c.SearchKeys)) {
		if !slices.Contains(known, name) {
			return fmt.Errorf("search_keys.%s: no such search engine%s", name, suggestion(name, known))
		}
	}
	return nil
}
