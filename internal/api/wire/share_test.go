package wire_test

import (
	"net/http"
	"strings"
	"testing"

	"errand/internal/api/wire"
)

// TestSharedRoutes: pages of permitted origins may call the routes that are meant
// for them, and no others; nothing ever allows cookies.
func TestSharedRoutes(t *testing.T) {
	const page, sdk = "https://app.example.com", "authorization, content-type, x-stainless-lang, X-Stainless-Retry-Count, x-evil, x-stainless-1"
	const base = "authorization, content-type, idempotency-key, x-request-id, x-yao-chat"
	every, one := []string{"*"}, []string{"https://other.example", page}
	for name, test := range map[string]struct {
		origins              []string
		method, path, origin string
		wanted               string // Access-Control-Request-Method
		allowed, methods     string
		headers, vary        string
	}{
		"any page asks":                 {every, "OPTIONS", "/shared", page, "POST", "*", "POST", base + ", x-stainless-lang, x-stainless-retry-count", ""},
		"any page sends":                {every, "POST", "/shared", page, "", "*", "", "", ""},
		"a sandboxed page sends":        {every, "POST", "/shared", "null", "", "*", "", "", ""},
		"no page":                       {every, "POST", "/shared", "", "", "", "", "", ""},
		"a named page asks":             {one, "OPTIONS", "/shared", page, "POST", page, "POST", base + ", x-stainless-lang, x-stainless-retry-count", "Origin"},
		"another page asks":             {one, "OPTIONS", "/shared", "https://evil.example", "POST", "", "", "", "Origin"},
		"another page sends":            {one, "POST", "/shared", "https://evil.example", "", "", "", "", "Origin"},
		"a longer name":                 {one, "POST", "/shared", page + ".evil.example", "", "", "", "", "Origin"},
		"nobody is permitted":           {nil, "OPTIONS", "/shared", page, "POST", "", "", "", "Origin"},
		"the path's other method":       {every, "DELETE", "/shared", page, "", "", "", "", ""},
		"the path's other method asked": {every, "OPTIONS", "/shared", page, "DELETE", "*", "POST", base + ", x-stainless-lang, x-stainless-retry-count", ""},
		"another path":                  {every, "OPTIONS", "/v1/things", page, "POST", "", "", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			family := w.cfg.Families[0]
			w.cfg.Origins = test.origins
			w.cfg.Routes = append(w.cfg.Routes,
				wire.Route{Method: "POST", Path: "/shared", Family: family, Shared: true, Handle: echo},
				wire.Route{Method: "DELETE", Path: "/shared", Family: family, Handle: show})
			w.restart()
			header := []string{"Origin: " + test.origin}
			if test.wanted != "" {
				header = append(header, "Access-Control-Request-Method: "+test.wanted, "Access-Control-Request-Headers: "+sdk)
			}
			got := w.ask(test.method, test.path, `{"name":"x"}`, header...)
			for key, want := range map[string]string{
				"Access-Control-Allow-Origin": test.allowed, "Access-Control-Allow-Methods": test.methods,
				"Access-Control-Allow-Headers": test.headers, "Vary": test.vary, "Access-Control-Allow-Credentials": "",
			} {
				if said := got.header.Get(key); said != want {
					t.Errorf("%s: got %q, want %q", key, said, want)
				}
			}
			if exposed := got.header.Get("Access-Control-Expose-Headers"); strings.Contains(exposed, "X-Request-Id") != (test.allowed != "") {
				t.Errorf("a page may read %q", exposed)
			}
		})
	}
}

// TestPreflightIsBounded: an answer repeats only so much of a request.
func TestPreflightIsBounded(t *testing.T) {
	w := newWorld(t)
	w.cfg.Origins = []string{"*"}
	w.cfg.Routes = append(w.cfg.Routes, wire.Route{Method: "POST", Path: "/shared", Family: w.cfg.Families[0], Shared: true, Handle: echo})
	w.restart()
	got := w.ask(http.MethodOptions, "/shared", "", "Origin: https://a.example", "Access-Control-Request-Method: POST",
		"Access-Control-Request-Headers: "+strings.Repeat("x-stainless-lang,", 500))
	if n := strings.Count(got.header.Get("Access-Control-Allow-Headers"), ","); n >= 32 {
		t.Errorf("%d names", n)
	}
}
