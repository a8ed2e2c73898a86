package native_test

import (
	"slices"
	"strings"
	"testing"

	"errand/internal/api/wire/wiretest"
	"errand/internal/model/script"
)

// ours are the tags of this API's operations in the contract.
func ours() []string {
	return []string{"Agents", "Runs", "Approvals", "Tools", "MCP", "Files", "Schedules", "Webhooks", "Keys", "Session", "Audit", "Budgets", "Index", "Models", "Server", "Pages", "Later"}
}

// TestRoutesAndContract holds the table and the contract together: the same
// operations, the same scopes, the same query parameters.
func TestRoutesAndContract(t *testing.T) {
	w := newWorld(t, script.Steps())
	wiretest.Agree(t, w.api.Routes(), func(tags []string) bool { return slices.Contains(ours(), tags[0]) })
}

// TestDoors: each route that needs a key refuses without one, and each that needs
// a scope refuses a key without it.
func TestDoors(t *testing.T) {
	w := newWorld(t, script.Steps())
	poor := w.key(`{"name":"poor","scopes":["context:finance"]}`)
	stranger := w.as("sk_test_nobody_nobody_nobody")
	for _, route := range w.api.Routes() {
		if route.Open {
			continue
		}
		path := strings.NewReplacer("{id}", "run_019eb6ce41d200004f1c9a02e6b7d3a8", "{name}", "x", "{version}", "1", "{model...}", "x").Replace(route.Path)
		stranger.want(401, route.Method, path, "").has("error.code", "unauthenticated")
		if route.Scope != "" {
			poor.want(403, route.Method, path, "").has("error.code", "scope_denied")
		}
	}
}

// TestLater: what is not there yet says so.
func TestLater(t *testing.T) {
	w := newWorld(t, script.Steps())
	w.want(501, "GET", "/v1/observability/runs", "").has("error.code", "not_available")
	w.want(404, "GET", "/v1/nothing", "").has("error.code", "not_found")
	w.want(405, "PUT", "/v1/runs", "").has("error.code", "method_not_allowed")
}

// TestPages need no key, and the page of the docs has all that doc_url leads to.
func TestPages(t *testing.T) {
	w := newWorld(t, script.Steps()).as("")
	w.want(200, "GET", "/", "").has("name", "errand").has("version", "1.2.3")
	if home := w.want(303, "GET", "/", "", "Accept", "text/html,*/*"); home.Header.Get("Location") != "/docs" {
		t.Errorf("Location: %s", home.Header.Get("Location"))
	}
	page := string(w.want(200, "GET", "/docs", "").Body)
	for _, want := range []string{
		`id="invalid_request"`, `id="idempotency_mismatch"`, `id="not_available"`, `id="storage_full"`, `id="method_not_allowed"`,
		`<code>/v1/agents/{id}/run</code>`, "scope <code>runs:approve</code>", "invoice-chaser", `href="#schema-Agent"`, `id="schema-Agent"`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the docs lack %s", want)
		}
	}
	for _, bad := range []string{"src=", "http://", "<script", "&lt;nil&gt;", "%!"} {
		if strings.Contains(page, bad) {
			t.Errorf("the docs have %s", bad)
		}
	}
	if csp := w.do("GET", "/docs", "").Header.Get("Content-Security-Policy"); !strings.Contains(csp, "default-src 'none'; style-src 'sha256-") {
		t.Errorf("Content-Security-Policy: %s", csp)
	}
	w.want(200, "GET", "/openapi.json", "").has("openapi", "3.1.0").has("paths./v1/runs.post.operationId", "createRun")
	if text := w.want(200, "GET", "/openapi.yaml", ""); !strings.HasPrefix(string(text.Body), "openapi: 3.1.0") {
		t.Errorf("%.40s", text.Body)
	}
}
