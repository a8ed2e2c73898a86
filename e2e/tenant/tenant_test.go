package tenant

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/e2e/contract"
	"errand/e2e/rig"
	"errand/internal/auth"
)

// house is a server with an owner's project that has one thing of each kind.
type house struct {
	w      *rig.World
	s      *rig.Server
	owner  *rig.Client
	http   *http.Client
	things things
	absent things
	scopes map[string]string // x-scope by route
	made   int
}

// reply is what a caller got; of a stream it is the head.
type reply struct {
	status int
	header http.Header
	body   []byte
}

func newHouse(t *testing.T) *house {
	t.Helper()
	w := rig.New(t)
	w.Model.Plays(playing)
	w.Env["ERRAND_METRICS"] = "key" // without it this machine needs none: internal/app
	s := w.Start()
	agreement, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	h := &house{
		w: w, s: s, owner: s.Client(), scopes: map[string]string{},
		http: &http.Client{Transport: &contract.Transport{T: t, Contract: agreement, Next: transport}},
	}
	h.owner.Post("/v1/projects", `{"name":"rivals"}`, nil)
	h.things = furnish(t, w, h.owner)
	h.absent = h.things.absent()
	known := map[string]bool{}
	for _, c := range calls() {
		known[c.route] = true
	}
	for _, o := range agreement.Operations() {
		route := o.Method + " " + o.Path
		h.scopes[route] = o.Scope
		if !o.Open && !known[route] {
			t.Errorf("%s is not in the table of calls_test.go", route)
		}
		if o.Open && !slices.Contains(open(), route) {
			t.Errorf("%s needs no key, and is not in the list of those that may", route)
		}
		delete(known, route)
	}
	for route := range known {
		t.Errorf("%s is in the table and not in the contract", route)
	}
	return h
}

// open are the routes that need no key.
func open() []string {
	return []string{
		"GET /", "GET /docs", "GET /openapi.yaml", "GET /openapi.json", "GET /ui/", "GET /ui/{path}", "GET /healthz", "GET /readyz", "GET /health",
		"GET /.well-known/yao",                        // what this server is, and nothing of a project
		"POST /v1/session",                            // takes a key or a link in its body: e2e/keys
		"GET /decide/{token}", "POST /decide/{token}", // the path is the secret: internal/api/native
		"POST /v1/agent/robots/{id}/events/{source}", // takes a secret of its own: TestEventsTellNobody
	}
}

// ask makes a call with these things in their places.
func (h *house) ask(t *testing.T, c call, x things, secret string, header ...string) reply {
	t.Helper()
	method, _, _ := strings.Cut(c.route, " ")
	h.made++
	x["new"] = fmt.Sprintf("thing-%d", h.made)
	body := x.fill(t, c.body)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, h.s.URL+x.fill(t, place(t, c.route)), strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if secret != "" {
		request.Header.Set("Authorization", "Bearer "+secret)
	}
	switch {
	case c.body == "$multipart":
		request.Header.Set("Content-Type", "multipart/form-data; boundary=b")
	case body != "":
		request.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	answer, err := h.http.Do(request)
	if err != nil {
		t.Fatalf("%s: %v", c.route, err)
	}
	defer answer.Body.Close()
	got := reply{status: answer.StatusCode, header: answer.Header}
	if strings.HasPrefix(answer.Header.Get("Content-Type"), "text/event-stream") {
		return got
	}
	if got.body, err = io.ReadAll(answer.Body); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%s: %v", c.route, err)
	}
	return got
}

// key makes a key of the owner's project or another one.
func (h *house) key(t *testing.T, draft map[string]any) (id, secret string) {
	t.Helper()
	var made struct{ ID, Secret string }
	h.owner.Post("/v1/keys", draft, &made)
	return made.ID, made.Secret
}

// ordered puts what deletes last.
func ordered() []call {
	all := calls()
	slices.SortStableFunc(all, func(a, b call) int {
		switch x, y := strings.HasPrefix(a.route, "DELETE"), strings.HasPrefix(b.route, "DELETE"); {
		case x == y:
			return 0
		case x:
			return 1
		}
		return -1
	})
	return all
}

// TestTenants asks each route of the contract as each kind of caller.
func TestTenants(t *testing.T) {
	t.Parallel()
	h := newHouse(t)
	_, theirs := h.key(t, map[string]any{"name": "rival", "project": "rivals", "scopes": auth.Scopes()})
	_, ours := h.key(t, map[string]any{"name": "ours", "scopes": auth.Scopes()})
	t.Run("strangers", func(t *testing.T) { h.strangers(t) })
	t.Run("scopes", func(t *testing.T) { h.fewScopes(t) })
	t.Run("bound", func(t *testing.T) { h.otherAgent(t) })
	t.Run("sessions", func(t *testing.T) { h.sessions(t, theirs, ours) })
	t.Run("foreign", func(t *testing.T) {
		all := ordered()
		for _, makes := range []bool{false, true} { // what it makes for itself can't be taken for the owner's
			for _, c := range all {
				if word.MatchString(place(t, c.route)) != makes {
					h.foreign(t, c, func(x things) reply { return h.ask(t, c, x, theirs) })
				}
			}
		}
	})
	t.Run("own", func(t *testing.T) { h.own(t) })
}

// foreign: what another project has is answered as what is not there, byte for byte,
// and no list has anything of it.
func (h *house) foreign(t *testing.T, c call, ask func(things) reply) {
	t.Helper()
	real, absent := ask(h.things), ask(h.absent)
	for name, id := range h.things {
		if len(id) > 12 && name != "new" && name != "multipart" && name != "server" /* it is of the address, in every project the same */ && !strings.Contains(id, "://") && !strings.Contains(c.route+c.body, "$"+name) &&
			!strings.Contains(place(t, c.route), "$"+name) && strings.Contains(string(real.body), bare(id)) {
			t.Errorf("%s shows another project the %s: %s", c.route, name, real.body)
		}
	}
	if !word.MatchString(place(t, c.route)) {
		return
	}
	if real.status < 400 {
		t.Errorf("%s answers another project with %d: %s", c.route, real.status, real.body)
	}
	if a, b := h.things.mask(real.body), h.absent.mask(absent.body); a != b || real.status != absent.status {
		t.Errorf("%s: what another project has: %d %s\nwhat nobody has: %d %s", c.route, real.status, a, absent.status, b)
	}
}

// strangers: no key, a wrong one, a revoked and an expired one get the same 401.
func (h *house) strangers(t *testing.T) {
	id, revoked := h.key(t, map[string]any{"name": "revoked", "scopes": auth.Scopes()})
	h.owner.Do("DELETE", "/v1/keys/"+id, nil).Is(http.StatusOK)
	expired := h.expiring(t)
	h.w.Eventually("the end of the key", func() bool { return h.s.Client(expired).Do("GET", "/v1/runs", nil).Status == http.StatusUnauthorized })
	families := map[string]string{}
	for _, c := range ordered() {
		none := h.ask(t, c, h.things, "")
		if none.status != http.StatusUnauthorized || len(none.body) == 0 {
			t.Errorf("%s answers nobody with %d: %s", c.route, none.status, none.body)
			continue
		}
		for name, secret := range map[string]string{"garbage": "garbage", "a well-formed one": "sk_live_" + strings.Repeat("0", 32) + "_000000", "revoked": revoked, "expired": expired} {
			if got := h.ask(t, c, h.things, secret); got.status != none.status || h.things.mask(got.body) != h.things.mask(none.body) {
				t.Errorf("%s, %s: %d %s\nwithout a key: %s", c.route, name, got.status, got.body, none.body)
			}
		}
		families[h.things.mask(none.body)] = c.route
	}
	if len(families) > 6 {
		t.Errorf("there are more answers than families: %v", families)
	}
}

// fewScopes: a key with every scope but the one gets a 403 that names it, and those
// that it has.
func (h *house) fewScopes(t *testing.T) {
	secrets := map[string]string{}
	for _, c := range ordered() {
		scope := h.scopes[c.route]
		if scope == "" {
			continue
		}
		if secrets[scope] == "" {
			rest := slices.DeleteFunc(auth.Scopes(), func(s string) bool { return s == scope || s == "admin" })
			_, secrets[scope] = h.key(t, map[string]any{"name": "without " + scope, "scopes": rest})
		}
		got := h.ask(t, c, h.things, secrets[scope])
		granted := "index:read"
		if scope == granted {
			granted = "index:write"
		}
		if got.status != http.StatusForbidden || !strings.Contains(string(got.body), scope) || !strings.Contains(string(got.body), granted) {
			t.Errorf("%s without %s: %d %s", c.route, scope, got.status, got.body)
		}
	}
}

// otherAgent: a key that is for another agent gets what docs/security.md says.
func (h *house) otherAgent(t *testing.T) {
	h.owner.Post("/v1/agents", `{"name":"other","model":"auto","instructions":"x","tools":[]}`, nil)
	_, secret := h.key(t, map[string]any{"name": "bound", "agents": []string{"other"}, "scopes": auth.Scopes()})
	for _, c := range ordered() {
		if strings.HasSuffix(c.route, " /v1/session") {
			continue // is about the session that there is, and a key has none
		}
		got := h.ask(t, c, h.things, secret)
		if got.status != c.bound {
			t.Errorf("%s: %d, want %d: %s", c.route, got.status, c.bound, got.body)
		}
		if strings.Contains(string(got.body), bare(h.things["run"])) && !strings.Contains(c.route, "{id}") && !strings.Contains(c.body, "$run") {
			t.Errorf("%s shows a run of another agent: %s", c.route, got.body)
		}
	}
}

// sessions: a cookie is worth its key on pages of this server, where the family takes
// cookies, and nothing elsewhere.
func (h *house) sessions(t *testing.T, theirs, ours string) {
	sign := func(secret string) string {
		answer := h.s.Client("").Do("POST", "/v1/session", map[string]string{"key": secret}, "Origin", h.s.URL).Is(http.StatusCreated)
		cookie, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), ";")
		return cookie
	}
	rival, own := sign(theirs), sign(ours)
	for _, c := range ordered() {
		if strings.HasSuffix(c.route, " /v1/session") {
			continue // TestSessions of e2e/keys
		}
		method, path, _ := strings.Cut(c.route, " ")
		takes := !strings.HasPrefix(path, "/v1/agents/runs") && !slices.Contains([]string{"/v1/agent/completions", "/v1/agent/batch/completions", "/v1/agents/list", "/v1/models/available", "/v1/tools/available", "/v1/rate/limits", "/v1/account/credits"}, path)
		same := func(x things) reply { return h.ask(t, c, x, "", "Cookie", rival, "Sec-Fetch-Site", "same-origin") }
		if word.MatchString(place(t, c.route)) {
			h.foreign(t, c, same)
		}
		for name, header := range map[string][]string{
			"cross-site": {"Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example"}, "same-site": {"Sec-Fetch-Site", "same-site"},
			"of another origin": {"Origin", "https://evil.example"}, "without a word": nil,
		} {
			if header == nil && method == http.MethodGet {
				continue // reading needs none: a page that may not read the answer has nothing from it
			}
			got := h.ask(t, c, h.things, "", append(header, "Cookie", own)...)
			want, says := http.StatusForbidden, "A session is for"
			if !takes {
				want, says = http.StatusUnauthorized, ""
			}
			if got.status != want || !strings.Contains(string(got.body), says) {
				t.Errorf("%s, %s: %d %s, want %d", c.route, name, got.status, got.body, want)
			}
		}
		if got := h.ask(t, call{route: "GET /v1/runs"}, h.things, "", "Cookie", own, "Sec-Fetch-Site", "same-origin"); got.status != http.StatusOK {
			t.Fatalf("after %s the owner's session answers %d %s", c.route, got.status, got.body)
		}
	}
}

// own: all that the owner has is still there, and does what it is asked.
func (h *house) own(t *testing.T) {
	for _, c := range ordered() {
		if strings.HasSuffix(c.route, " /v1/session") {
			continue
		}
		if strings.Contains(c.route, "/v1/runs/{id}") || strings.Contains(c.body, "$run") {
			h.things["run"] = gated(h.owner)
		}
		if strings.HasPrefix(c.route, "DELETE") && strings.HasSuffix(place(t, c.route), "/$web") {
			var made struct {
				Number int `json:"task_run_id"`
			}
			h.owner.Post("/api/runs", `{"prompt":"= Looked.","wait_for_completion":true}`, &made)
			h.things["web"] = fmt.Sprint(made.Number)
		}
		got := h.ask(t, c, h.things, rig.AdminKey)
		if got.status == 401 || got.status == 403 || got.status == 404 || got.status >= 500 && got.status != 501 {
			t.Errorf("%s answers its owner with %d: %s", c.route, got.status, got.body)
		}
	}
}

// TestEventsTellNobody: without its secret a robot's door for events answers the same
// for a robot that there is and for one that there is not.
func TestEventsTellNobody(t *testing.T) {
	t.Parallel()
	s := rig.New(t).Start()
	c := s.Client()
	c.Post("/v1/agent/robots", `{"member_id":"porter","display_name":"Porter","robot_config":{"identity":{"role":"Porter"}}}`, nil)
	open := s.Client("")
	for _, header := range [][]string{nil, {"X-Errand-Signature", "sha256=00"}, {"Authorization", "Bearer garbage"}} {
		there := open.Do("POST", "/v1/agent/robots/porter/events/orders", `{"x":1}`, header...)
		nowhere := open.Do("POST", "/v1/agent/robots/nobody/events/orders", `{"x":1}`, header...)
		mask := func(a rig.Answer) string {
			var body map[string]any
			if err := json.Unmarshal(a.Body, &body); err != nil {
				t.Fatal(err)
			}
			x := things{"robot": "porter", "agent": "nobody", "web": "1"}
			return x.mask(a.Body)
		}
		if there.Status != nowhere.Status || mask(there) != mask(nowhere) || there.Status < 400 {
			t.Errorf("%v: %d %s\n%d %s", header, there.Status, there.Body, nowhere.Status, nowhere.Body)
		}
	}
}
