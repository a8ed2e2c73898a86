package egress

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"

	"errand/internal/problem"
)

// open is a guard that lets tests reach their servers.
func open(t *testing.T) *Guard {
	t.Helper()
	holes, err := ParseAllow("127.0.0.0/8")
	if err != nil {
		t.Fatal(err)
	}
	return New(Config{Allow: holes})
}

func TestNoRedirectUnlessAsked(t *testing.T) {
	server, _ := counting(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/next", http.StatusFound) })
	resp, err := get(t, open(t).Client(Options{}), server.URL)
	if err != nil || resp.StatusCode != http.StatusFound {
		t.Errorf("got %v, %v, want the 302 itself", resp, err)
	}
	_, err = get(t, open(t).Client(Options{Redirects: 3}), server.URL)
	if told, ok := Public(err); !ok || !strings.Contains(told.Detail, "3 times") {
		t.Errorf("got %v, want an end after 3 redirects", err)
	}
}

func TestCredentialsStayAtTheirOrigin(t *testing.T) {
	var seen []http.Header
	other, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		seen = append(seen, r.Header)
		http.Redirect(w, r, r.URL.Query().Get("back"), http.StatusFound)
	})
	var home string
	server, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/same", http.StatusFound)
		case "/same":
			if r.Header.Get("X-Api-Key") != "secret" || r.Header.Get("Cookie") == "" {
				t.Error("a redirect within the origin lost its headers")
			}
			http.Redirect(w, r, strings.Replace(other.URL, "http://", "http://user:pass@", 1)+"/?back="+home+"/end", http.StatusFound)
		case "/end": // back home, and once more within the origin: what was dropped stays dropped
			seen = append(seen, r.Header)
			http.Redirect(w, r, "/last", http.StatusFound)
		case "/last":
			seen = append(seen, r.Header)
		}
	})
	home = server.URL
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	req.Header = http.Header{
		"X-Api-Key": {"secret"}, "Authorization": {"Bearer secret"}, "Cookie": {"a=secret"}, "Proxy-Authorization": {"secret"},
		"User-Agent": {"errand"}, "Accept": {"text/html"},
	}
	resp, err := open(t).Client(Options{Redirects: 5}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if len(seen) != 3 {
		t.Fatalf("%d requests after leaving the origin, want 3", len(seen))
	}
	for _, header := range seen {
		for name, values := range header {
			if strings.Contains(strings.Join(values, " "), "secret") || name == "Authorization" || name == "Referer" {
				t.Errorf("%s: %v crossed origins", name, values)
			}
		}
		if header.Get("User-Agent") != "errand" || header.Get("Accept") != "text/html" {
			t.Errorf("harmless headers were lost: %v", header)
		}
	}
}

func TestBodiesStayAtTheirOrigin(t *testing.T) {
	other, reached := counting(t, func(http.ResponseWriter, *http.Request) {})
	server, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	})
	req, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL, strings.NewReader("secret"))
	resp, err := open(t).Client(Options{Redirects: 5}).Do(req)
	if err == nil {
		resp.Body.Close()
	}
	if _, ok := Public(err); !ok || reached.Load() != 0 {
		t.Errorf("got %v, want a refusal; the other origin had %d connections", err, reached.Load())
	}
}

func TestNoProxyFromTheEnvironment(t *testing.T) {
	proxy, reached := counting(t, func(http.ResponseWriter, *http.Request) {})
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)
	if transport := open(t).Client(Options{}).Transport.(*capped).next; transport.Proxy != nil {
		t.Error("the transport has a proxy function")
	}
	if _, err := get(t, open(t).Client(Options{}), "http://192.0.2.1/"); !problem.Is(err, problem.EgressDenied) {
		t.Errorf("got %v, want egress_denied", err)
	}
	if reached.Load() != 0 {
		t.Error("the proxy was asked")
	}
}

func TestBodyCap(t *testing.T) {
	server, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, strings.Repeat("x", 1000))
	})
	for limit, want := range map[int64]int{999: 999, 1000: 1000, 1001: 1000} {
		resp, err := get(t, open(t).Client(Options{MaxBody: limit}), server.URL)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		if len(body) != want || problem.Is(err, problem.TooLarge) != (limit < 1000) {
			t.Errorf("cap %d: read %d bytes with %v, want %d", limit, len(body), err, want)
		}
	}
}

func TestTimeCapCoversTheBody(t *testing.T) {
	release := make(chan struct{})
	server, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		w.(http.Flusher).Flush()
		<-release
	})
	defer close(release)
	resp, err := get(t, open(t).Client(Options{Timeout: time.Second}), server.URL)
	if err != nil {
		t.Fatal(err)
	}
	var timedOut interface{ Timeout() bool }
	if _, err := io.ReadAll(resp.Body); !errors.As(err, &timedOut) || !timedOut.Timeout() {
		t.Errorf("got %v, want a timeout", err)
	}
}

func TestHeaderCap(t *testing.T) {
	server, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Long", strings.Repeat("x", maxHeader+1))
	})
	if _, err := get(t, open(t).Client(Options{}), server.URL); err == nil {
		t.Error("an endless header was read")
	}
}

func TestOwnServerAlone(t *testing.T) {
	other, _ := counting(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	own, _ := counting(t, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/away" {
			http.Redirect(w, r, other.URL, http.StatusFound)
		}
	})
	at, err := url.Parse(strings.Replace(own.URL, "127.0.0.1", "LOCALHOST", 1))
	if err != nil {
		t.Fatal(err)
	}
	guard := New(Config{})
	client := guard.Client(Options{Own: HostPort(at), Redirects: 1})
	if _, err := get(t, client, strings.ToLower(at.String())); err != nil {
		t.Errorf("the operator's own server: %v", err)
	}
	for name, address := range map[string]string{"another port": other.URL, "another name of it": own.URL, "its redirect": at.String() + "/away"} {
		if _, err := get(t, client, address); !denies(err) {
			t.Errorf("%s: %v, want a refusal", name, err)
		}
	}
	if _, err := get(t, guard.Client(Options{}), at.String()); !denies(err) {
		t.Errorf("by another client: %v, want a refusal", err)
	}
	for address, want := range map[string]string{"http://a": "a:80", "https://[::1]": "[::1]:443", "http://a:8": "a:8"} {
		if at, err = url.Parse(address); err != nil || HostPort(at) != want {
			t.Errorf("HostPort(%s) = %s, want %s", address, HostPort(at), want)
		}
	}
}

func denies(err error) bool {
	told, ok := Public(err)
	return ok && told.Code == problem.EgressDenied
}

// What is told of a call that had no answer names no address and no system's error.
func TestUnreached(t *testing.T) {
	late, cancel := context.WithCancel(t.Context())
	cancel()
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 7), Port: 5432}, Err: errors.New("connection refused")}
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		want string
	}{
		"the guard's word": {t.Context(), &url.Error{Op: "Post", URL: "http://10.0.0.7", Err: &problem.Error{Code: "egress_refused", Detail: "Not there."}}, "Not there."},
		"late":             {late, refused, "It did not answer within 15 seconds."},
		"timed out":        {t.Context(), &url.Error{Op: "Post", URL: "http://10.0.0.7", Err: os.ErrDeadlineExceeded}, "It did not answer within 15 seconds."},
		"untrusted":        {t.Context(), &tls.CertificateVerificationError{Err: errors.New("x509: unknown authority")}, "Its certificate is not trusted here."},
		"refused":          {t.Context(), refused, "It could not be reached."},
	} {
		if got := Unreached(test.ctx, test.err, 15*time.Second); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}
