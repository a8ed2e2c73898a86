package yao_test

import (
	"strings"
	"testing"
)

// Every route refuses a key without its scope, in this API's shape.
func TestEveryScope(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	poor := w.key("context:finance")
	for _, route := range w.api.Routes() {
		if route.Open || route.Scope == "" {
			continue
		}
		path := strings.NewReplacer("{id}", "my-robot", "{exec}", "e", "{task}", "t", "{model...}", "default").Replace(route.Path)
		if got := poor.want(403, route.Method, path, "{}"); got.fault() != "scope_denied" {
			t.Errorf("%s %s: %s", route.Method, route.Path, got.Body)
		}
	}
}
