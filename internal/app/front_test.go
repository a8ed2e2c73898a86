package app

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"errand/internal/config"
)

// TestFront shows who asks, and under which address, behind proxies of all kinds.
func TestFront(t *testing.T) {
	cfg := config.Config{BasePath: "/errand", TrustedProxies: config.List{"10.0.0.0/8", "::1"}}
	var seen *http.Request
	handler := newFront(&cfg, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		w.Header().Set("Location", "/v1/x")
		w.WriteHeader(http.StatusCreated)
	}))
	for _, one := range []struct {
		peer, passed, proto, host string
		from, scheme, at          string
	}{
		{"10.0.0.1:5", "203.0.113.9", "https", "e.example", "203.0.113.9:0", "https", "e.example"},
		{"[::1]:5", "198.51.100.1, 203.0.113.9, 10.2.2.2", "https", "e.example", "203.0.113.9:0", "https", "e.example"},
		{"10.0.0.1:5", "garbage, 203.0.113.9", "gopher", "a/b", "203.0.113.9:0", "", "inner"},
		{"10.0.0.1:5", "203.0.113.9, garbage", "", "", "10.0.0.1:5", "", "inner"},
		{"203.0.113.7:5", "10.0.0.1", "https", "evil.example", "203.0.113.7:5", "", "inner"},
	} {
		r := httptest.NewRequest("GET", "/errand/v1/runs%2Fx?q=1", nil)
		r.RemoteAddr, r.Host = one.peer, "inner"
		r.Header.Set("X-Forwarded-For", one.passed)
		r.Header.Set("X-Forwarded-Proto", one.proto)
		r.Header.Set("X-Forwarded-Host", one.host)
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r)
		if seen.RemoteAddr != one.from || seen.URL.Scheme != one.scheme || seen.Host != one.at {
			t.Errorf("%+v: from %s by %q at %s", one, seen.RemoteAddr, seen.URL.Scheme, seen.Host)
		}
		if path := seen.URL.EscapedPath(); path != "/v1/runs%2Fx" {
			t.Errorf("the path is %s", path)
		}
		if to := w.Header().Get("Location"); to != "/errand/v1/x" {
			t.Errorf("Location: %s", to)
		}
	}
	for path, want := range map[string]int{"/errand": 308, "/errand/": 201, "/v1/runs": 404, "/errandx/v1": 404} {
		w := httptest.NewRecorder()
		if handler.ServeHTTP(w, httptest.NewRequest("GET", path, nil)); w.Code != want {
			t.Errorf("%s: %d, want %d", path, w.Code, want)
		}
	}
}
