package keys

import (
	"net/http"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// page is a browser's page of a server.
type page struct {
	*rig.Client
	cookie string
}

// signIn signs a browser in with a key or a link.
func signIn(s *rig.Server, with map[string]string, header ...string) (*page, rig.Answer) {
	c := s.Client("")
	answer := c.Do("POST", "/v1/session", with, append(header, "Origin", s.URL)...)
	cookie, _, _ := strings.Cut(answer.Header.Get("Set-Cookie"), ";")
	return &page{Client: c, cookie: cookie}, answer
}

func (p *page) do(method, path string, body any) rig.Answer {
	return p.Do(method, path, body, "Cookie", p.cookie, "Sec-Fetch-Site", "same-origin")
}

func (p *page) token() string { return p.cookie[strings.Index(p.cookie, "=")+1:] }

// TestSessions: a browser signs in, outlives a restart, decides under its key's name,
// and is out when it signs out or its key is revoked. The log never has its token.
func TestSessions(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start("--log-level", "debug")
	admin := s.Client()
	admin.Tool(w, "crm.note", "once")
	var made key
	admin.Post("/v1/keys", `{"name":"ada","scopes":["runs:read","runs:write","runs:approve"]}`, &made)
	ada, answer := signIn(s, map[string]string{"key": made.Secret})
	answer.Is(http.StatusCreated)
	again, _ := signIn(s, map[string]string{"key": made.Secret}, "Cookie", "errand_session=planted")
	if strings.Contains(string(answer.Body), ada.token()) || again.token() == ada.token() {
		t.Errorf("%s", answer.Body)
	}
	logged := s.Log()
	s.Terminate()
	s = w.Start("--log-level", "debug")
	admin = s.Client()
	// The port is another one, which is in the name of the cookie.
	port := s.URL[strings.LastIndex(s.URL, ":")+1:]
	ada = &page{Client: s.Client(""), cookie: "errand_session_" + port + "=" + ada.token()}
	again = &page{Client: s.Client(""), cookie: "errand_session_" + port + "=" + again.token()}
	ada.do("GET", "/v1/keys", nil).Refused(http.StatusForbidden, "scope_denied")

	run := waiting(w, admin)
	decided := ada.do("POST", "/v1/runs/"+run.ID+"/approve", map[string]any{"action_ids": run.Actions()}).Is(http.StatusOK)
	line := lineFor(admin, decided.Header.Get("X-Request-Id"), "approval.decided")
	if line == nil || line.Actor == nil || line.Actor.ID != made.ID || line.Actor.Name != "ada" {
		t.Errorf("the decision: %+v", line)
	}
	ada.do("DELETE", "/v1/session", nil).Is(http.StatusNoContent)
	ada.do("GET", "/v1/runs", nil).Refused(http.StatusUnauthorized, "unauthenticated")
	again.do("GET", "/v1/runs", nil).Is(http.StatusOK)
	admin.Do("DELETE", "/v1/keys/"+made.ID, nil).Is(http.StatusOK)
	again.do("GET", "/v1/runs", nil).Refused(http.StatusUnauthorized, "unauthenticated")

	for _, want := range []struct {
		action string
		times  int
	}{{"session.created", 2}, {"session.ended", 1}} {
		found := lines(admin, "&action="+want.action+"&actor="+made.ID)
		if len(found) != want.times {
			t.Errorf("%d lines %s, want %d", len(found), want.action, want.times)
		}
		for _, line := range found {
			if !strings.HasPrefix(line.Target, "ses_") || line.From == nil || *line.From != "127.0.0.1" {
				t.Errorf("%+v", line)
			}
		}
	}
	logged += s.Log()
	for name, secret := range map[string]string{"a token": ada.token(), "another token": again.token(), "the key": made.Secret} {
		if strings.Contains(logged, secret) {
			t.Errorf("%s is in the log", name)
		}
	}
}

// TestALinkSignsInOnce, whoever comes second.
func TestALinkSignsInOnce(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start("--log-level", "debug")
	printed := w.Command(t, "link", "--url", s.URL, "--key", rig.AdminKey)
	url, token, ok := strings.Cut(printed.Out, "/ui/#link=")
	token, _, _ = strings.Cut(token, `"`)
	if printed.Code != 0 || !ok || !strings.Contains(url, s.URL) {
		t.Fatalf("exit %d: %s%s", printed.Code, printed.Out, printed.Err)
	}
	s.Client("").Do("GET", "/ui/", nil).Is(http.StatusOK) // a mail program that looks at links uses none up
	first, answer := signIn(s, map[string]string{"link": token})
	answer.Is(http.StatusCreated)
	first.do("GET", "/v1/keys", nil).Is(http.StatusOK)
	_, answer = signIn(s, map[string]string{"link": token})
	answer.Refused(http.StatusUnauthorized, "unauthenticated")
	_, answer = signIn(s, map[string]string{"link": token, "key": rig.AdminKey})
	answer.Refused(http.StatusBadRequest, "invalid_request")
	var poor key
	s.Client().Post("/v1/keys", `{"name":"poor","scopes":["runs:read"]}`, &poor)
	s.Client(poor.Secret).Do("POST", "/v1/session/links", nil).Refused(http.StatusForbidden, "scope_denied")
	if strings.Contains(s.Log(), token) {
		t.Error("the link is in the log")
	}
}

// TestWhichAPIsTakeACookie: those that the page speaks, each with its own errors.
func TestWhichAPIsTakeACookie(t *testing.T) {
	t.Parallel()
	s := rig.New(t).Start()
	ada, answer := signIn(s, map[string]string{"key": rig.AdminKey})
	answer.Is(http.StatusCreated)
	chat := map[string]any{"model": "openai/mock", "messages": []any{map[string]string{"role": "user", "content": "Hello"}}}
	for _, one := range []struct {
		method, path string
		body         any
		want         int
	}{
		{"GET", "/v1/models", nil, 200}, {"GET", "/v1/agent/robots", nil, 200}, {"POST", "/v1/chat/completions", chat, 200}, {"GET", "/v1/system", nil, 200}, {"GET", "/api/tasks", nil, 200},
		{"POST", "/v1/agents/runs", map[string]any{"agent": "express", "input": "Hello"}, 401}, {"GET", "/v1/agents/list", nil, 401},
	} {
		if got := ada.do(one.method, one.path, one.body); got.Status != one.want {
			t.Errorf("%s %s: %d %s", one.method, one.path, got.Status, got.Body)
		}
		elsewhere := ada.Do(one.method, one.path, one.body, "Cookie", ada.cookie, "Sec-Fetch-Site", "cross-site", "Origin", "https://evil.example")
		if elsewhere.Status < 400 || one.want == 200 && (elsewhere.Status != 403 || !strings.Contains(string(elsewhere.Body), "A session is for")) {
			t.Errorf("from elsewhere, %s %s: %d %s", one.method, one.path, elsewhere.Status, elsewhere.Body)
		}
	}
}

// TestTheCookieBehindAProxy is as careful as the address that the browser has.
func TestTheCookieBehindAProxy(t *testing.T) {
	t.Parallel()
	proxied := []string{"X-Forwarded-Proto", "https", "X-Forwarded-Host", "errand.example"}
	for name, test := range map[string]struct {
		base, want string
	}{
		"trusted":            {"", "__Host-errand_session="},
		"trusted, with base": {"/desk", "__Secure-errand_session="},
	} {
		w := rig.New(t)
		w.Env["ERRAND_TRUSTED_PROXIES"], w.Env["ERRAND_BASE_PATH"] = "127.0.0.1", test.base
		s := w.Start()
		answer := s.Client("").Do("POST", "/v1/session", map[string]string{"key": rig.AdminKey}, append(proxied, "Origin", "https://errand.example")...).Is(http.StatusCreated)
		if got := answer.Header.Get("Set-Cookie"); !strings.HasPrefix(got, test.want) || !strings.Contains(got, "; Secure;") {
			t.Errorf("%s: %s", name, got)
		}
	}
	w := rig.New(t)
	s := w.Start()
	s.Client("").Do("POST", "/v1/session", map[string]string{"key": rig.AdminKey}, append(proxied, "Origin", "https://errand.example")...).Refused(http.StatusForbidden, "cross_origin")
}
