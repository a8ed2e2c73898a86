package wire_test

import (
	"net/http"
	"strings"
	"testing"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
)

func TestTable(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		method, path string
		status       int
		want         string // in the body, or the Allow header of a 405 and OPTIONS
	}{
		{"GET", "/v1/things/a", 200, `"id":"a"`},
		{"GET", "/v1/things/a%2Fb%20c", 200, `"id":"a/b c"`},
		{"GET", "/v1/things/all", 200, `"path":"/v1/things/all"`},
		{"HEAD", "/v1/things/a", 200, ""},
		{"OPTIONS", "/v1/things", 204, "GET, HEAD, OPTIONS, POST"},
		{"DELETE", "/v1/things", 405, "GET, HEAD, OPTIONS, POST"},
		{"TRACE", "/v1/things", 405, "GET, HEAD, OPTIONS, POST"},
		{"GET", "/v1/things/", 404, `"code":"not_found"`},
		{"GET", "/v1/things//", 404, `"code":"not_found"`},
		{"GET", "/v1/things/a/b", 404, `"code":"not_found"`},
		{"OPTIONS", "/v1/none", 404, `"code":"not_found"`},
		{"GET", "/", 404, `"code":"not_found"`},
		{"GET", "/loose/none", 404, `"detail":"There is nothing`},
		{"PUT", "/loose/things", 405, "OPTIONS, POST"},
		{"GET", "/pages/a/b.js", 200, "page /pages/a/b.js"},
		{"GET", "/pages/", 200, "page /pages/"},
		{"POST", "/pages/a", 405, "GET, HEAD, OPTIONS"},
	} {
		t.Run(c.method+" "+c.path, func(t *testing.T) {
			got := w.ask(c.method, c.path, "")
			found := got.body
			if c.status == 405 || c.method == "OPTIONS" && c.status == 204 {
				found = got.header.Get("Allow")
			}
			if got.status != c.status || !strings.Contains(found, c.want) {
				t.Errorf("got %d %s, %q", got.status, got.body, got.header)
			}
			if c.method == "HEAD" && got.body != "" {
				t.Errorf("HEAD has a body: %q", got.body)
			}
			if got.header.Get("X-Request-Id") == "" || got.header.Get("X-Content-Type-Options") != "nosniff" || got.header.Get("Content-Security-Policy") == "" {
				t.Errorf("headers are missing: %v", got.header)
			}
		})
	}
	if got := len(w.server.Routes()); got != len(w.cfg.Routes) {
		t.Errorf("%d routes are listed of %d", got, len(w.cfg.Routes))
	}
}

func TestTableIsChecked(t *testing.T) {
	w := newWorld(t)
	family := w.cfg.Families[0]
	for name, route := range map[string]wire.Route{
		"twice":         w.cfg.Routes[0],
		"no path":       {Method: "GET", Family: family, Handle: echo},
		"no family":     {Method: "GET", Path: "/x", Handle: echo},
		"nothing to do": {Method: "GET", Path: "/x", Family: family},
		"two ways":      {Method: "GET", Path: "/x", Family: family, Handle: echo, HTTP: http.NotFoundHandler()},
		"no answer":     {Method: "POST", Path: "/x", Family: family, Start: w.start},
		"open scope":    {Method: "GET", Path: "/x", Family: family, Handle: echo, Open: true, Scope: "admin"},
		"many values":   {Method: "GET", Path: "/{a}/{b}/{c}/{d}/{e}", Family: family, Handle: echo},
	} {
		cfg := w.cfg
		cfg.Routes = append(cfg.Routes[:len(cfg.Routes):len(cfg.Routes)], route)
		if _, err := wire.New(cfg); err == nil {
			t.Errorf("%s: the table is accepted", name)
		}
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t)
	caller, err := w.book.Authenticate(t.Context(), secret)
	if err != nil {
		t.Fatal(err)
	}
	reader, err := w.book.Create(t.Context(), caller, auth.Draft{Name: "reader", Scopes: []string{"agents:read"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	const none = "Authorization: "
	for _, c := range []struct {
		name    string
		headers []string
		status  int
	}{
		{"bearer", nil, 200},
		{"lower case", []string{"Authorization: bearer " + secret}, 200},
		{"x-api-key", []string{none, "x-api-key: " + secret}, 200},
		{"legacy", []string{none, "X-Mynd-Key: " + secret}, 200},
		{"key beside another scheme", []string{"Authorization: Basic Zm9v", "x-api-key: " + secret}, 200},
		{"missing", []string{none}, 401},
		{"empty", []string{"Authorization: Bearer "}, 401},
		{"wrong", []string{"Authorization: Bearer x" + secret}, 401},
		{"scope", []string{"Authorization: Bearer " + reader.Secret}, 200},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := w.ask("GET", "/v1/things", "", c.headers...)
			if got.status != c.status {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if c.status == 401 && (got.header.Get("WWW-Authenticate") != "Bearer" || got.field("error", "type") != "authentication_error") {
				t.Errorf("got %v %s", got.header, got.body)
			}
		})
	}
	denied := w.ask("POST", "/v1/things", `{}`, "Authorization: Bearer "+reader.Secret)
	message, _ := denied.field("error", "message").(string)
	if denied.status != 403 || !strings.Contains(message, "agents:write") || !strings.Contains(message, "agents:read") {
		t.Errorf("got %d %s", denied.status, denied.body)
	}
}

func TestFaults(t *testing.T) {
	w := newWorld(t)
	for code, want := range map[problem.Code]struct {
		status int
		retry  string // x-should-retry
		after  string
	}{
		problem.NotFound:       {404, "false", ""},
		problem.Conflict:       {409, "false", ""},
		problem.RateLimited:    {429, "", "1"},
		problem.Overloaded:     {503, "", "1"},
		problem.StorageFull:    {507, "", ""},
		problem.NotAvailable:   {501, "false", ""},
		problem.Internal:       {500, "", ""},
		problem.ModelTimeout:   {504, "", ""},
		problem.Code("plain"):  {500, "", ""},
		problem.Code("panic"):  {500, "", ""},
		problem.InvalidRequest: {400, "false", ""},
	} {
		t.Run(string(code), func(t *testing.T) {
			got := w.ask("GET", "/v1/fail/"+string(code), "", "X-Request-Id: trace-"+string(code))
			if got.status != want.status || got.header.Get("X-Should-Retry") != want.retry || got.header.Get("Retry-After") != want.after {
				t.Errorf("got %d %v", got.status, got.header)
			}
			if got.field("error", "request_id") != "trace-"+string(code) || got.field("error", "doc_url") == "" || got.header.Get("X-Request-Id") != "trace-"+string(code) {
				t.Errorf("got %s", got.body)
			}
			if strings.Contains(got.body, "private cause") || strings.Contains(got.body, "boom") {
				t.Errorf("the cause is public: %s", got.body)
			}
		})
	}
	if log := w.log.String(); strings.Count(log, "the private cause") != 1 || !strings.Contains(log, "request_id=trace-plain") || !strings.Contains(log, "serve.go") {
		t.Errorf("the log must have the cause once and the panic's stack:\n%s", log)
	}
}

func TestRequestID(t *testing.T) {
	w := newWorld(t)
	for given, kept := range map[string]bool{"a-b_c.1": true, "x y": false, "a\tb": false, strings.Repeat("a", 129): false, `"><script>`: false} {
		got := w.ask("GET", "/open", "", "X-Request-Id: "+given).header.Get("X-Request-Id")
		if (got == given) != kept || got == "" {
			t.Errorf("%q became %q", given, got)
		}
	}
	if a, b := w.ask("GET", "/open", ""), w.ask("GET", "/open", ""); a.header.Get("X-Request-Id") == b.header.Get("X-Request-Id") {
		t.Error("two requests have one id")
	}
}

func TestLogHoldsNoSecrets(t *testing.T) {
	w := newWorld(t)
	w.ask("GET", "/v1/things?limit=5", "")
	w.ask("POST", "/v1/things", `{"name":"private words"}`, "x-api-key: other-secret", "Idempotency-Key: idem-secret")
	w.ask("GET", "/open", "")
	log := w.log.String()
	for _, private := range []string{secret, "other-secret", "private words", "idem-secret", "limit=5", "path=/open"} {
		if strings.Contains(log, private) {
			t.Errorf("the log holds %q:\n%s", private, log)
		}
	}
	for _, public := range []string{"method=POST", "path=/v1/things", "status=200", "key=key_admin"} {
		if !strings.Contains(log, public) {
			t.Errorf("the log lacks %q:\n%s", public, log)
		}
	}
}

func TestQuery(t *testing.T) {
	w := newWorld(t)
	for query, field := range map[string]string{
		"limit=0": "limit", "limit=101": "limit", "limit=abc": "limit", "limit=2.5": "limit", "limit=": "limit", "limit=1&limit=2": "limit",
		"limt=5": "limt", "status=nope": "status", "all=yes": "all", "since=yesterday": "since",
	} {
		got := w.ask("GET", "/v1/things?"+query, "")
		if errors, _ := got.field("error", "errors").(map[string]any); got.status != 400 || len(errors) != 1 || errors[field] == nil {
			t.Errorf("%s: got %d %s", query, got.status, got.body)
		}
	}
	got := w.ask("GET", "/v1/things?limt=5", "")
	if !strings.Contains(got.body, `did you mean \"limit\"?`) {
		t.Errorf("got %s", got.body)
	}
	got = w.ask("GET", "/v1/things?limit=100&status=done&all=true&since=2026-06-11T09:02:11%2B02:00", "")
	if got.body != `{"all":true,"limit":100,"since":"2026-06-11T07:02:11Z","status":"done"}` {
		t.Errorf("got %s", got.body)
	}
	if got := w.ask("GET", "/v1/things?limit=0&status=nope", ""); got.field("errors", "limit") == nil || got.field("errors", "status") == nil {
		t.Errorf("not all faults are told: %s", got.body)
	}
	if got := w.ask("POST", "/loose/things?whatever=1", `{"name":"x"}`); got.status != 200 {
		t.Errorf("a loose family refuses a parameter: %s", got.body)
	}
	if got := w.ask("GET", "/v1/things?a=%zz", ""); got.status != 400 {
		t.Errorf("got %d", got.status)
	}
}
