package wire

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"strings"
	"testing"

	"errand/internal/engine"
	"errand/internal/problem"
)

// FuzzHead holds the reader of heads to net/http: cut the bytes anywhere, and what
// passes is the same; where it lets two requests pass, net/http finds both where
// the first one's length says.
func FuzzHead(f *testing.F) {
	const get, post = "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\n"
	for _, seed := range []string{
		get + "\r\n", post + "Content-Length: 3\r\n\r\nabc" + get + "\r\n", post + "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + get, post + "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
		get + "A: 1\r\n 2\r\n\r\n", "GET / HTTP/1.1\nHost: a\n\n", post + "content-length:3 \r\n\r\nabc" + get + "\r\n", post + "Content-Length: 3\r\nContent-Length: 3\r\n\r\n", post + "Content-Length: +3\r\n\r\nabc", "\r\n\r\n" + get + "\r\n", "\n", "\r", "",
	} {
		f.Add([]byte(seed), 7)
	}
	f.Fuzz(func(t *testing.T, said []byte, cut int) {
		var whole head
		pass, fault := whole.scan(said)
		if fault == "" && pass != len(said) || fault != "" && pass >= len(said) && len(said) > 0 {
			t.Fatalf("%q: %d pass, %q", said, pass, fault)
		}
		if cut > 0 && cut < len(said) {
			var parts head
			first, wrong := parts.scan(said[:cut])
			if wrong == "" {
				var second int
				second, wrong = parts.scan(said[cut:])
				first += second
			}
			if wrong != fault {
				t.Fatalf("%q in one piece: %q, cut at %d: %q", said, fault, cut, wrong)
			}
		}
		reader := bufio.NewReader(bytes.NewReader(said[:pass]))
		for {
			request, err := http.ReadRequest(reader)
			if err != nil {
				return
			}
			if len(request.TransferEncoding) > 0 {
				return // the last of its connection
			}
			if _, err := io.Copy(io.Discard, request.Body); err != nil {
				return
			}
			if at := pass - reader.Buffered(); at == pass {
				return
			}
			if next, _ := reader.Peek(1); len(next) > 0 && whole.left > int64(len(said)) && fault == "" {
				t.Fatalf("%q: net/http finds a request that is a body here", said)
			}
		}
	})
}

// FuzzQuery reads query strings: what is wrong is a problem that names the
// parameter, and what is right is within its bounds.
func FuzzQuery(f *testing.F) {
	for _, seed := range []string{"limit=5&include_trace=true", "limit=5&limit=6", "limit=%zz", "lmit=1", "limit=99999999999999999999", "limit=-0", "at=2026-06-11T07:02:11Z", "at=1e9", "at=9223372036854775807", ";", "a=b;c=d", "%00=1", "limit=5%", "&&&=", "kind=a", strings.Repeat("x=1&", 50)} {
		f.Add(seed)
	}
	known := []string{"limit", "include_trace", "at", "kind"}
	f.Fuzz(func(t *testing.T, raw string) {
		for _, strict := range []bool{true, false} {
			values, err := readQuery(raw, known, strict)
			if err != nil {
				if e := problem.From(err); e.Code != problem.InvalidRequest || e.Detail == "" {
					t.Fatalf("%q: %v", raw, err)
				}
				continue
			}
			if want, err := url.ParseQuery(raw); raw != "" && (err != nil || len(want) != len(values)) {
				t.Fatalf("%q: %v, want %v, %v", raw, values, want, err)
			}
			q := Query{values: values}
			n := q.Int("limit", 20, 1, 100)
			q.Bool("include_trace", false)
			q.OneOf("kind", "a", "b")
			q.Time("at")
			if err := q.Err(); err == nil && (n < 1 || n > 100) || err != nil && len(problem.From(err).Fields) == 0 {
				t.Fatalf("%q: %d, %v", raw, n, err)
			}
		}
	})
}

// FuzzCursor holds the place in a stream to its text form: what is read is what
// would be written, or says that it is none.
func FuzzCursor(f *testing.F) {
	for _, seed := range []string{"", "7", "7.2.1.120", "0", "7.0.0.0", "-1", "7.2.1", "7.2.1.120.1", "07", "+7", "9007199254740993", "9223372036854775808", "7.", ".7", "1e3", " 7", "7.2.1.-5", "７"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		at, err := engine.ParseCursor(text)
		if err != nil {
			if e := problem.From(err); e.Code != problem.InvalidRequest || e.Fields["after"] == "" {
				t.Errorf("%q: %v", text, err)
			}
			return
		}
		again, err := engine.ParseCursor(at.String())
		if at.Step != 0 && (err != nil || again != at) || at.Seq < 0 || at.Step < 0 || at.Attempt < 0 || at.Offset < 0 {
			t.Errorf("%q is %+v, which is %+v, %v", text, at, again, err)
		}
	})
}

// FuzzSession reads how a browser says who asks: a session counts only when one cookie
// names it and no header names a key, and a request that writes only when its Origin or
// Sec-Fetch-Site says that a page of this very server has made it.
func FuzzSession(f *testing.F) {
	for _, seed := range [][4]string{
		{"errand_session_8420=abc", "", "same-origin", ""}, {"errand_session_8420=abc; errand_session_8420=def", "", "", "http://127.0.0.1:8420"}, {"errand_session=abc", "Bearer sk_live_x", "cross-site", "https://evil.example"}, {"errand_session_8420=\"abc\"; a=b", "Basic YWRhOnh5", "none", ""},
		{"errand_session_8420", "basic", "", "http://evil.example@127.0.0.1:8420x"}, {" errand_session_8420 = x ", "x", "same-site", "null"}, {"errand_session_8420=;;=", "", "", "https://127.0.0.1:8420"}, {"__Host-errand_session_8420=x", "", "", "http://127.0.0.1:8420.evil.example"}, {"\x00=\x00", "\x00", "Same-Origin", "HTTP://127.0.0.1:8420"}, {"", "", "", "http://[::1"},
	} {
		f.Add(seed[0], seed[1], seed[2], seed[3])
	}
	const host = "127.0.0.1:8420"
	ours := regexp.MustCompile(`^(?i)https?://([^/?#\\]*@)?127\.0\.0\.1:8420([/?#]|$)`)
	f.Fuzz(func(t *testing.T, cookies, authorization, site, origin string) {
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			plain := httptest.NewRequestWithContext(t.Context(), method, "/v1/things", nil)
			plain.Host, plain.Header = host, http.Header{"Cookie": {cookies}, "Authorization": {authorization}, "Sec-Fetch-Site": {site}, "Origin": {origin}}
			r := &Request{http: plain, server: &Server{}, family: &Family{Session: true}}
			named := 0
			for _, cookie := range plain.Cookies() {
				if cookie.Name == "errand_session_8420" {
					named++
				}
			}
			token, signed := r.session()
			scheme, _, _ := strings.Cut(authorization, " ")
			if other := authorization != "" && !strings.EqualFold(scheme, "Basic"); signed != (named > 0 && !other) || token != "" && (named != 1 || other) {
				t.Errorf("%q with %q: token %q, %v", cookies, authorization, token, signed)
			}
			want := site == "same-origin" || site == "" && ours.MatchString(origin) || method == http.MethodGet && (site == "none" || site == "" && origin == "")
			if err := r.sameOrigin(); err == nil && !want || err != nil && problem.From(err).Code != problem.CrossOrigin {
				t.Errorf("%s of %q, %q: %v", method, site, origin, err)
			}
		}
	})
}
