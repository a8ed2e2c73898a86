package swarms_test

import (
	"strings"
	"testing"

	"errand/internal/api/wire/wiretest"
	"errand/internal/model/script"
)

// TestRoutesAndContract holds the table and the contract together.
func TestRoutesAndContract(t *testing.T) {
	w := newWorld(t, script.Steps())
	wiretest.Agree(t, w.api.Routes(), func(tags []string) bool { return tags[0] == "Swarms" })
}

// TestScopes: a route that needs a scope refuses a key without it, in this API's
// shape, and a key with no more than the scope of the door starts a run.
func TestScopes(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("web.search", `{}`), script.Say("ok")))
	as := func(scopes ...string) *world {
		other := *w
		other.Client = w.As(w.base.Key("", scopes...))
		return &other
	}
	poor := as("context:finance")
	for _, route := range w.api.Routes() {
		if route.Scope == "" {
			continue
		}
		if got := poor.do(route.Method, route.Path, "{}"); got.Status != 403 || !strings.Contains(got.detail(), route.Scope) {
			t.Errorf("%s: %d %s", route.Path, got.Status, got.Body)
		}
	}
	denied := as("runs:write").complete(403, `{"agent_config":{},"task":"x","tools_enabled":["auto_search"]}`)
	if !strings.Contains(denied.detail(), "agents:execute") { // checked when the run reaches the call
		t.Error(denied.detail())
	}
}
