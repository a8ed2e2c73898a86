package wire_test

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/api/wire"
)

// browser sends requests as a browser does that has signed in.
type browser struct {
	*world
	host   string
	secure bool
	cookie string // its Cookie header
}

// signIn is a browser at 127.0.0.1:8420 that has just signed in.
func (w *world) signIn() *browser {
	w.t.Helper()
	w.cfg.Families[0].Session = true
	w.cfg.Routes = append(w.cfg.Routes, wire.Route{Method: "POST", Path: "/v1/session", Family: w.cfg.Families[0], Open: true, Handle: w.beginSession})
	w.restart()
	b := &browser{world: w, host: "127.0.0.1:8420"}
	b.renew()
	return b
}

func (b *browser) renew() {
	b.t.Helper()
	got := b.send("POST", "/v1/session", "Origin: "+b.origin())
	if got.status != http.StatusCreated {
		b.t.Fatalf("signing in: %d %s", got.status, got.body)
	}
	b.cookie, _, _ = strings.Cut(got.header.Get("Set-Cookie"), ";")
}

func (b *browser) origin() string {
	if b.secure {
		return "https://" + b.host
	}
	return "http://" + b.host
}

func (w *world) beginSession(ctx context.Context, r *wire.Request) (wire.Response, error) {
	former, err := r.Signing(ctx)
	if err != nil {
		return wire.Response{}, err
	}
	opened, err := w.book.SignIn(ctx, secret, former)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.Response{Status: http.StatusCreated, Body: struct{}{}, Header: r.SessionCookie(opened.Token, opened.Caller.Session.Until)}, nil
}

func (b *browser) send(method, path string, headers ...string) answered {
	b.t.Helper()
	return b.sendIn(b.t.Context(), method, path, headers...)
}

func (b *browser) sendIn(ctx context.Context, method, path string, headers ...string) answered {
	b.t.Helper()
	body := ""
	if method == http.MethodPost {
		body = `{"name":"x"}`
	}
	if path == "/v1/runs" {
		body = `{"name":"x","loud":true}`
	}
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	r.Host = b.host
	if b.secure {
		r.TLS = &tls.ConnectionState{}
	}
	if b.cookie != "" {
		r.Header.Set("Cookie", b.cookie)
	}
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Set(name, value)
	}
	recorder := httptest.NewRecorder()
	b.server.ServeHTTP(recorder, r)
	return answered{recorder.Code, recorder.Header(), recorder.Body.String()}
}

// TestWhoseRequestsACookieCountsFor: those of this server's own pages.
func TestWhoseRequestsACookieCountsFor(t *testing.T) {
	const here = "Origin: http://127.0.0.1:8420"
	for name, test := range map[string]struct {
		method  string
		headers []string
		secure  bool
		want    int
	}{
		"our page reads":                         {"GET", []string{"Sec-Fetch-Site: same-origin"}, false, 200},
		"our page writes":                        {"POST", []string{"Sec-Fetch-Site: same-origin", here}, false, 200},
		"our page reads without fetch metadata":  {"GET", nil, false, 200},
		"our page writes without fetch metadata": {"POST", []string{here}, false, 200},
		"an address that was typed":              {"GET", []string{"Sec-Fetch-Site: none"}, false, 200},
		"a browser that asks for a proxy":        {"GET", []string{"Authorization: Basic YWRhOnh5"}, false, 200},
		"a writing address that was typed":       {"POST", []string{"Sec-Fetch-Site: none"}, false, 403},
		"another site writes":                    {"POST", []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example"}, false, 403},
		"another site reads":                     {"GET", []string{"Sec-Fetch-Site: cross-site"}, false, 403},
		"a neighbour writes":                     {"POST", []string{"Sec-Fetch-Site: same-site", "Origin: http://127.0.0.1:3000"}, false, 403},
		"a neighbour reads":                      {"GET", []string{"Sec-Fetch-Site: same-site"}, false, 403},
		"another port":                           {"POST", []string{"Origin: http://127.0.0.1:3000"}, false, 403},
		"another host reads":                     {"GET", []string{"Origin: http://evil.example"}, false, 403},
		"another name of it":                     {"POST", []string{"Origin: http://localhost:8420"}, false, 403},
		"a longer name":                          {"POST", []string{"Origin: http://127.0.0.1:8420.evil.example"}, false, 403},
		"a name before it":                       {"POST", []string{"Origin: http://evil.example@127.0.0.1:8420x"}, false, 403},
		"a sandboxed page":                       {"POST", []string{"Origin: null"}, false, 403},
		"a file":                                 {"POST", []string{"Origin: file://127.0.0.1:8420"}, false, 403},
		"nobody says whose":                      {"POST", nil, false, 403},
		"a plain page on a TLS server":           {"POST", []string{here}, true, 403},
		"our page on a TLS server":               {"POST", []string{"Origin: https://127.0.0.1:8420"}, true, 200},
	} {
		t.Run(name, func(t *testing.T) {
			b := newWorld(t).signIn()
			if b.secure = test.secure; b.secure {
				b.renew()
			}
			got := b.send(test.method, "/v1/things", test.headers...)
			if got.status != test.want {
				t.Errorf("got %d %s", got.status, got.body)
			}
			if test.want == 403 && got.field("error", "code") != "cross_origin" {
				t.Errorf("got %s", got.body)
			}
			// Nor does such a page sign a browser in.
			if signed := b.send("POST", "/v1/session", test.headers...); test.method == "POST" && (signed.status == 201) != (test.want == 200) {
				t.Errorf("signing in: %d %s", signed.status, signed.body)
			}
		})
	}
}

// TestWhereACookieCounts: not beside a key, nor where the family is for programs.
func TestWhereACookieCounts(t *testing.T) {
	b := newWorld(t).signIn()
	const ours = "Sec-Fetch-Site: same-origin"
	for name, headers := range map[string][]string{
		"a wrong key":   {ours, "Authorization: Bearer sk_live_nobody"},
		"an empty key":  {ours, "Authorization: Bearer "},
		"another way":   {ours, "Authorization: Digest x"},
		"another field": {ours, "X-Api-Key: sk_live_nobody"},
		"its field":     {ours, "X-Mynd-Key: sk_live_nobody"},
	} {
		if got := b.send("GET", "/v1/things", headers...); got.status != 401 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if got := b.send("POST", "/loose/things", ours); got.status != 401 {
		t.Errorf("another family: %d %s", got.status, got.body)
	}
	if got := b.send("POST", "/v1/things", "Authorization: Bearer "+secret); got.status != 200 {
		t.Errorf("a key, whose request may come from anywhere: %d %s", got.status, got.body)
	}
	token := b.cookie[strings.Index(b.cookie, "=")+1:]
	for name, cookie := range map[string]string{
		"none": "", "another name": "errand_session=" + token, "another port": "errand_session_8421=" + token,
		"twice": b.cookie + "; errand_session_8420=x", "twice, the other first": "errand_session_8420=x; " + b.cookie,
		"no token": "errand_session_8420=", "the key": "errand_session_8420=" + strings.ReplaceAll(secret, " ", "_"),
	} {
		b.cookie = cookie
		if got := b.send("GET", "/v1/things", ours); got.status != 401 {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if log := b.log.String(); strings.Contains(log, token) {
		t.Error("the token is in the log")
	}
	b.secure, b.cookie = true, "errand_session_8420="+token
	if got := b.send("GET", "/v1/things", ours); got.status != 401 {
		t.Errorf("a cookie that a plain page could have set, under TLS: %d", got.status)
	}
}

// TestTheCookie: no script can read it, no other server gets it, and whoever has
// planted one before is not signed in with it.
func TestTheCookie(t *testing.T) {
	for name, test := range map[string]struct {
		host, base string
		secure     bool
		want       string
	}{
		"public":       {"public.example", "", false, "__Host-errand_session=*; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		"not public":   {"public.example.evil", "", false, "errand_session=*; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"},
		"plain":        {"127.0.0.1:8420", "", false, "errand_session_8420=*; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"},
		"address six":  {"[::1]:8420", "", false, "errand_session_8420=*; Path=/; Max-Age=604800; HttpOnly; SameSite=Strict"},
		"TLS":          {"errand.example", "", true, "__Host-errand_session=*; Path=/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		"TLS and base": {"errand.example", "/desk", true, "__Secure-errand_session=*; Path=/desk/; Max-Age=604800; HttpOnly; Secure; SameSite=Strict"},
		"base":         {"errand.example", "/desk", false, "errand_session=*; Path=/desk/; Max-Age=604800; HttpOnly; SameSite=Strict"},
	} {
		w := newWorld(t)
		w.cfg.BasePath, w.cfg.PublicURL = test.base, "https://public.example"
		b := w.signIn()
		b.host, b.secure = test.host, test.secure
		planted, _, _ := strings.Cut(test.want, "=")
		b.cookie = planted + "=planted"
		got := b.send("POST", "/v1/session", "Sec-Fetch-Site: same-origin").header.Get("Set-Cookie")
		_, rest, _ := strings.Cut(got, "=")
		token, _, _ := strings.Cut(rest, ";")
		if strings.Replace(got, token, "*", 1) != test.want || len(token) != 43 {
			t.Errorf("%s: %s", name, got)
		}
		if answer := b.send("GET", "/v1/things"); answer.status != 401 {
			t.Errorf("%s: who has planted a token is signed in with it", name)
		}
		b.cookie = planted + "=" + token
		if answer := b.send("GET", "/v1/things"); answer.status != 200 {
			t.Errorf("%s: %d %s", name, answer.status, answer.body)
		}
	}
}

// TestAStreamEndsWithItsSession: at the next event after its key was revoked.
func TestAStreamEndsWithItsSession(t *testing.T) {
	for name, end := range map[string]func(*browser){
		"key revoked": func(b *browser) {
			if _, err := b.book.Revoke(b.t.Context(), "default", "key_admin"); err != nil {
				b.t.Error(err)
			}
		},
		"signed in anew": func(b *browser) { b.renew() },
		"expired":        func(b *browser) { b.pass(13 * time.Hour) },
		"nothing":        func(*browser) {},
	} {
		b := newWorld(t).signIn()
		held, open := b.gate()
		streamed := make(chan answered, 1)
		other := *b
		go func() {
			streamed <- other.sendIn(t.Context(), "POST", "/v1/runs", "Sec-Fetch-Site: same-origin")
		}()
		<-held
		end(b)
		open()
		got := <-streamed
		if got.status != 200 || strings.Contains(got.body, "run.finished") != (name == "nothing") {
			t.Errorf("%s: %d %q", name, got.status, got.body)
		}
	}
}
