package robots

import (
	"net/http"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// forPages are the routes that pages of other origins may call: what OpenAI's SDKs
// call in a browser, and what says where the server is.
var forPages = map[string]string{
	"/v1/chat/completions":                       "POST",
	"/v1/models":                                 "GET",
	"/v1/models/default":                         "GET",
	"/v1/agent/robots/my-robot/completions":      "POST",
	"/v1/agent/robots/my-robot/chat/completions": "POST",
	"/v1/agent/robots/my-robot/models":           "GET",
	"/.well-known/yao":                           "GET",
}

// asked sends a request of a page, and returns what a browser would look at.
func asked(t *testing.T, s *rig.Server, method, path string, header ...string) http.Header {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, s.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	got.Body.Close()
	return got.Header
}

// TestOtherOrigins: any page may call these with a key, none with a cookie, and the
// operator can narrow it.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	const page, evil = "https://app.example.com", "https://evil.example"
	open, narrow := rig.New(t), rig.New(t)
	narrow.Env["ERRAND_CORS_ORIGINS"] = page
	anyone, one := open.Start(), narrow.Start()
	for path, method := range forPages {
		preflight := []string{"Access-Control-Request-Method", method,
			"Access-Control-Request-Headers", "authorization,content-type,idempotency-key,x-stainless-lang,x-stainless-retry-count"}
		got := asked(t, anyone, http.MethodOptions, path, append(preflight, "Origin", evil)...)
		allowed := got.Get("Access-Control-Allow-Headers")
		for _, name := range []string{"authorization", "content-type", "idempotency-key", "x-stainless-lang", "x-stainless-retry-count"} {
			if !strings.Contains(allowed, name) {
				t.Errorf("%s: a page may not send %s: %s", path, name, allowed)
			}
		}
		if got.Get("Access-Control-Allow-Origin") != "*" || got.Get("Access-Control-Allow-Methods") != method || got.Get("Access-Control-Allow-Credentials") != "" {
			t.Errorf("%s: %v", path, got)
		}
		if got = asked(t, anyone, method, path, "Origin", evil); got.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: a page can't read the answer: %v", path, got)
		}
		for _, verb := range []string{http.MethodOptions, method} {
			if got = asked(t, one, verb, path, append(preflight, "Origin", evil)...); got.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s %s: a page that is not named may call it: %v", verb, path, got)
			}
			if got = asked(t, one, verb, path, append(preflight, "Origin", page)...); got.Get("Access-Control-Allow-Origin") != page || !strings.Contains(strings.Join(got.Values("Vary"), ","), "Origin") {
				t.Errorf("%s %s: the page that is named may not call it: %v", verb, path, got)
			}
		}
	}
	for _, path := range []string{"/v1/runs", "/v1/keys", "/v1/agent/robots", "/v1/agent/robots/my-robot/execute"} {
		if got := asked(t, anyone, http.MethodOptions, path, "Origin", evil, "Access-Control-Request-Method", "POST"); got.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %v", path, got)
		}
	}
}
