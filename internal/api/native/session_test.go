package native_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"errand/internal/api/native"
	"errand/internal/model/script"
	"errand/internal/problem"
)

// TestSigningIn: with a key or a link, one of both; what comes back is who one is.
func TestSigningIn(t *testing.T) {
	w := newWorld(t, script.Steps())
	page := w.as("")
	here := []string{"Origin", w.URL}
	for body, field := range map[string]string{`{}`: "key", `{"key":"x","link":"y"}`: "key", `{"key":5}`: "key", `{"password":"x"}`: "password"} {
		page.want(400, "POST", "/v1/session", body, here...).has("error.param", field)
	}
	page.want(401, "POST", "/v1/session", `{"key":"nobody's"}`, here...)
	page.want(401, "POST", "/v1/session", `{"link":"nobody's"}`, here...)
	page.want(403, "POST", "/v1/session", `{"key":"x"}`).has("error.code", "cross_origin")

	id := w.want(200, "POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"x","tools":[]}`).text("id")
	ends := time.Now().Add(time.Hour).UTC().Truncate(time.Second).Format(time.RFC3339)
	secret := w.want(200, "POST", "/v1/keys", `{"name":"ada","scopes":["runs:read"],"agents":["clerk"],"expires_at":"`+ends+`"}`).text("secret")
	signed := page.want(201, "POST", "/v1/session", `{"key":"`+secret+`"}`, here...).has("key.name", "ada").has("project", "default").
		has("scopes", "[runs:read]").has("agents.0", id).has("key.expires_at", ends).has("expires_at", ends).has("idle_expires_at", ends)
	if strings.Contains(string(signed.Body), secret) {
		t.Errorf("%s", signed.Body)
	}
	cookie, _, _ := strings.Cut(signed.Header.Get("Set-Cookie"), ";")
	in := append(here, "Cookie", cookie)
	page.want(200, "GET", "/v1/session", "", in...).has("id", signed.text("id"))
	page.want(403, "POST", "/v1/session/links", "", in...).has("error.code", "scope_denied")
	if out := page.want(204, "DELETE", "/v1/session", "", in...).Header.Get("Set-Cookie"); !strings.HasPrefix(out, strings.Split(cookie, "=")[0]+"=; ") || !strings.Contains(out, "Max-Age=0") {
		t.Errorf("Set-Cookie: %s", out)
	}
	page.want(401, "DELETE", "/v1/session", "", in...)

	w.want(200, "GET", "/v1/session", "").has("id", "<nil>").has("expires_at", "<nil>").has("key.name", "admin").has("agents", "<nil>")
	w.want(409, "DELETE", "/v1/session", "").has("error.code", "conflict")
	link := w.want(201, "POST", "/v1/session/links", "", "Idempotency-Key", "a").text("url")
	if again := w.want(201, "POST", "/v1/session/links", "", "Idempotency-Key", "a").text("url"); again != link {
		t.Errorf("%s, then %s", link, again)
	}
	page.want(201, "POST", "/v1/session", `{"link":"`+strings.TrimPrefix(link, "/ui/#link=")+`"}`, here...).has("key.name", "admin")
}

// mansion is a server that stands well, and is looked at once.
type mansion struct{ looked int }

func (m *mansion) Standing(context.Context) native.Standing {
	return native.Standing{Version: "1.2.3", Began: time.Now().Add(-time.Hour), Driven: 3, Store: native.StoreStanding{Kind: "sqlite", Commits: 5}}
}

func (m *mansion) Doctor(context.Context) ([]native.Finding, error) {
	if m.looked++; m.looked > 1 {
		return nil, problem.New(problem.Conflict, "Once is enough.")
	}
	return []native.Finding{{Check: "disk", Level: "fail", Found: "full"}}, nil
}

// TestSystem is for whoever answers for the whole server.
func TestSystem(t *testing.T) {
	w := newWorldWith(t, script.Steps(), func(cfg *native.Config) { cfg.System = &mansion{} })
	got := w.want(200, "GET", "/v1/system", "").has("version", "1.2.3").has("runs.driven", 3).has("store.commits", 5).has("store.kind", "sqlite").
		has("providers.0.name", "test").has("providers.0.models", 1).has("providers.0.health.state", "open").has("browser", "<nil>").count("egress_allow", 0)
	if got.get("doctor") != nil {
		t.Errorf("%s", got.Body)
	}
	w.want(200, "GET", "/v1/system?doctor=true", "").has("doctor.ok", false).has("doctor.checks.0.found", "full")
	w.want(409, "GET", "/v1/system?doctor=true", "")
	w.want(400, "GET", "/v1/system?doctor=yes", "").has("error.param", "doctor")
	w.key(`{"name":"other","project":"other","scopes":["admin"]}`).want(403, "GET", "/v1/system", "").has("error.code", "scope_denied")
	newWorld(t, script.Steps()).want(501, "GET", "/v1/system", "").has("error.code", "not_available")
}
