package swarms_test

import (
	"strings"
	"testing"

	"errand/e2e/contract"
	"errand/internal/auth"
	"errand/internal/model/script"
)

// TestRoutesAndContract holds the table and the contract together.
func TestRoutesAndContract(t *testing.T) {
	w := newWorld(t, script.Steps())
	terms, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]contract.Operation{}
	for _, operation := range terms.Operations() {
		if operation.Tags[0] == "Swarms" {
			described[operation.Method+" "+operation.Path] = operation
		}
	}
	for _, route := range w.api.Routes() {
		name := route.Method + " " + route.Path
		operation, ok := described[name]
		if !ok {
			t.Errorf("%s is not in api/openapi.yaml", name)
			continue
		}
		delete(described, name)
		if operation.Scope != route.Scope || operation.Open != route.Open || len(operation.Query) != len(route.Query) {
			t.Errorf("%s: the contract says %+v, the table scope %q (open: %t)", name, operation, route.Scope, route.Open)
		}
	}
	for name := range described {
		t.Errorf("%s is in api/openapi.yaml and not in the table", name)
	}
}

// TestScopes: a route that needs a scope refuses a key without it, in this API's
// shape, and a key with no more than the scope of the door starts a run.
func TestScopes(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("web.search", `{}`), script.Say("ok")))
	as := func(scopes ...string) *world {
		admin := auth.Caller{Project: auth.DefaultProject, KeyID: "key_test", Scopes: []string{"admin"}}
		made, err := w.keys.Create(t.Context(), admin, auth.Draft{Name: "k" + strings.Join(scopes, ""), Scopes: scopes}, nil)
		if err != nil {
			t.Fatal(err)
		}
		other := *w
		other.secret = made.Secret
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
