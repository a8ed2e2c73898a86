package webagent_test

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
		if operation.Tags[0] == "WebAgent" {
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

// TestScopes: every route refuses a key without its scope, in this API's shape, and a
// key whose runs may call no tool starts none.
func TestScopes(t *testing.T) {
	w := newWorld(t, script.Func(done))
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
		got := poor.do(route.Method, strings.ReplaceAll(route.Path, "{id}", "1"), "{}")
		if got.Status != 403 || !strings.Contains(string(got.Body), route.Scope) {
			t.Errorf("%s %s: %d %s", route.Method, route.Path, got.Status, got.Body)
		}
	}
	as("runs:write").want(403, "POST", "/api/runs", `{"prompt":"Go there."}`)
	as("runs:write", "agents:execute").want(200, "POST", "/api/runs", `{"prompt":"Go there."}`)
}

// TestProjects: what is another project's is not there.
func TestProjects(t *testing.T) {
	w := newWorld(t, script.Func(done))
	w.want(200, "POST", "/api/runs", `{"prompt":"Go there."}`)
	id := w.want(200, "GET", "/api/runs/1", "").told().RunID
	admin := auth.Caller{Project: auth.DefaultProject, KeyID: "key_test", Scopes: []string{"admin"}}
	made, err := w.keys.Create(t.Context(), admin, auth.Draft{Name: "other", Project: "other", Scopes: []string{"runs:read", "runs:write", "agents:execute"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	w.secret = made.Secret
	for _, path := range []string{"/api/runs/1", "/api/runs/" + id, "/api/tasks/1", "/api/tasks/1/runs"} {
		w.want(404, "GET", path, "")
	}
	w.want(404, "DELETE", "/api/runs/"+id, "")
	w.want(404, "POST", "/api/runs/"+id+"/stop", "")
	w.want(404, "POST", "/api/runs/"+id+"/set-as-cached-workflow", "")
	w.want(404, "PUT", "/api/tasks/1", `{"prompt":"Mine now."}`)
	if got := w.want(200, "POST", "/api/runs", `{"prompt":"Go there."}`).told(); got.Run != 1 || got.Task != 1 {
		t.Errorf("another project counts on: %+v", got)
	}
}
