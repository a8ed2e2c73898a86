package http

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
	"errand/internal/tool/tooltest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func client(t *testing.T, allow string) *Client {
	t.Helper()
	holes, err := egress.ParseAllow(allow)
	if err != nil {
		t.Fatal(err)
	}
	c := New(egress.New(egress.Config{Allow: holes}), "errand/test")
	t.Cleanup(func() { c.Close() })
	return c
}

func definition(url string, effect run.Class) tool.Definition {
	return tool.Definition{
		Name: "crm.note", Description: "Adds a note.", URL: url, Effect: effect,
		Parameters: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}},"required":["text"]}`),
	}.WithDefaults()
}

func toolCall(d tool.Definition) run.ToolCall {
	return run.ToolCall{Run: run.NewID(time.Unix(1, 0), 2, 3), Project: "p", Action: "act_07", Tool: d.Describe(), Arguments: json.RawMessage(`{"text":"hi", "n":1.10}`), Attempt: 1}
}

// registered makes a tool.Tool of a definition, for tooltest.
type registered struct {
	client *Client
	d      tool.Definition
}

func (r registered) Describe() run.Tool { return r.d.Describe() }

func (r registered) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	return r.client.Call(ctx, r.d, call)
}

func TestTooltest(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		switch {
		case strings.Contains(string(body), "slow"):
			<-r.Context().Done()
		case strings.Contains(string(body), "long"):
			_, _ = io.WriteString(w, strings.Repeat("ä", tool.MaxOutput))
		case strings.Contains(string(body), "fail"):
			http.Error(w, "no", http.StatusConflict)
		default:
			_, _ = io.WriteString(w, `{"ok":true}`)
		}
	}))
	defer server.Close()
	for _, effect := range []run.Class{run.Safe, run.Keyed, run.Once} {
		tooltest.Run(t, tooltest.Case{
			Tool:  registered{client(t, "127.0.0.0/8"), definition(server.URL, effect)},
			Works: []string{`{"text":"hi"}`, `{"text":"long"}`}, Fails: []string{`{"text":"fail"}`}, Slow: `{"text":"slow"}`,
		})
	}
}

func TestRequest(t *testing.T) {
	var got *http.Request
	var body string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		text, _ := io.ReadAll(r.Body)
		got, body = r, string(text)
		_, _ = io.WriteString(w, "done")
	}))
	defer server.Close()
	d := definition(server.URL+"/notes?x=1", run.Once)
	d.Method = "PUT"
	d.Headers = map[string]string{"Authorization": "Bearer secret-token", "User-Agent": "mine"}
	call := toolCall(d)
	result, err := client(t, "127.0.0.0/8").Call(t.Context(), d, call)
	if err != nil || result.Output != "done" {
		t.Fatalf("got %q, %v", result.Output, err)
	}
	id := call.Run.String()
	want := map[string]string{
		"Content-Type": "application/json", "Idempotency-Key": "run_" + id + "/act_07", "X-Errand-Run": "run_" + id, "X-Errand-Action": "act_07",
		"Authorization": "Bearer secret-token", "User-Agent": "mine", "Content-Length": "23",
	}
	for name, value := range want {
		if got.Header.Get(name) != value {
			t.Errorf("%s: %q, want %q", name, got.Header.Get(name), value)
		}
	}
	if got.Method != "PUT" || got.URL.RequestURI() != "/notes?x=1" || body != `{"text":"hi", "n":1.10}` || got.TransferEncoding != nil {
		t.Errorf("%s %s with %s (%v)", got.Method, got.URL, body, got.TransferEncoding)
	}
}

func TestAnswers(t *testing.T) {
	page := strings.Repeat("0123456789", 10_000)
	for name, c := range map[string]struct {
		status int
		header http.Header
		body   string
		want   string // of the output, or of the detail, its beginning
		fails  bool
	}{
		"json":           {200, nil, `{"id":7}`, `{"id":7}`, false},
		"created":        {201, nil, `x`, `x`, false},
		"empty":          {204, nil, ``, ``, false},
		"latin1":         {200, http.Header{"Content-Type": {"text/plain; charset=iso-8859-1"}}, "gr\xfc\xdfe", "grüße", false},
		"binary":         {200, http.Header{"Content-Type": {"image/png"}}, "\x89PNG\x00\x01", "(the answer is image/png, which is not text)", false},
		"echoes secrets": {200, nil, `you sent Bearer secret-token`, `you sent [redacted]`, false},
		"bad request":    {400, nil, `{"error":"text is empty"}`, `crm.note answered 400 Bad Request: {"error":"text is empty"}`, true},
		"server error":   {500, nil, ``, `crm.note answered 500 Internal Server Error`, true},
		"error secret":   {401, nil, `bad key secret-token`, `crm.note answered 401 Unauthorized: bad key [redacted]`, true},
		"redirect":       {307, http.Header{"Location": {"http://127.0.0.1:1/"}}, ``, `crm.note answered 307 Temporary Redirect, a redirect, which calls of tools do not follow`, true},
		"odd redirect":   {302, http.Header{"Location": {"http://%zz"}}, ``, `crm.note answered 302 Found, a redirect`, true},
		"odd status":     {299, nil, `x`, `x`, false},
		"long":           {200, http.Header{"Content-Length": {"100000"}}, page, page[:60_000], false},
		"long error":     {502, nil, page, `crm.note answered 502 Bad Gateway: ` + page[:4000], true},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for name, values := range c.header {
					w.Header()[name] = values
				}
				w.WriteHeader(c.status)
				_, _ = io.WriteString(w, c.body)
			}))
			defer server.Close()
			d := definition(server.URL, run.Once)
			d.Headers = map[string]string{"Authorization": "Bearer secret-token"}
			result, err := client(t, "127.0.0.0/8").Call(t.Context(), d, toolCall(d))
			if c.fails != (err != nil) {
				t.Fatalf("got %q, %v", result.Output, err)
			}
			got := result.Output
			if err != nil {
				if !problem.Is(err, problem.ToolFailed) {
					t.Fatalf("an answer is definite, got %v", err)
				}
				got = problem.From(err).Detail
			}
			if !strings.HasPrefix(got, c.want) || len(got) > tool.MaxOutput || !utf8.ValidString(got) {
				t.Errorf("got %.200q, want it to begin with %.200q", got, c.want)
			}
			if name == "long" && !strings.Contains(got, "of 100000 bytes are shown") {
				t.Errorf("the cut is not said: %.100q", got[len(got)-100:])
			}
		})
	}
}

// brittle is a server that reads a request on each connection and then does what
// the test says with the raw connection. It counts requests.
func brittle(t *testing.T, serve func(n int64, conn net.Conn)) (url string, requests *atomic.Int64) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	requests = new(atomic.Int64)
	var serving sync.WaitGroup
	t.Cleanup(func() { listener.Close(); serving.Wait() })
	serving.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer conn.Close()
				reader := bufio.NewReader(conn)
				for {
					req, err := http.ReadRequest(reader)
					if err != nil {
						return
					}
					_, _ = io.Copy(io.Discard, req.Body)
					n := requests.Add(1)
					serve(n, conn)
					if n != 1 || strings.Contains(req.URL.Path, "hangup") {
						return
					}
				}
			})
		}
	})
	return "http://" + listener.Addr().String(), requests
}

// A kept connection that turns out dead is what makes Go's transport repeat a
// request with an Idempotency-Key. The first call is answered; the second reaches
// the server, which hangs up; there must be no third.
func TestNothingIsReplayed(t *testing.T) {
	for _, effect := range []run.Class{run.Safe, run.Keyed, run.Once} {
		url, requests := brittle(t, func(n int64, conn net.Conn) {
			if n == 1 {
				_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
			}
		})
		c, d := client(t, "127.0.0.0/8"), definition(url, effect)
		if _, err := c.Call(t.Context(), d, toolCall(d)); err != nil {
			t.Fatal(err)
		}
		if _, err := c.Call(t.Context(), d, toolCall(d)); !problem.Is(err, problem.ToolUnknown) {
			t.Errorf("%s: got %v, want tool_unknown", effect, err)
		}
		if n := requests.Load(); n != 2 {
			t.Errorf("%s: the server got %d requests for 2 calls", effect, n)
		}
	}
}

// The same request with a body that can be had again is repeated: if this fails,
// Go has changed and the test above proves nothing.
func TestTheTransportWouldReplay(t *testing.T) {
	url, requests := brittle(t, func(n int64, conn net.Conn) {
		if n == 1 || n == 3 {
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
		}
	})
	c, d := client(t, "127.0.0.0/8"), definition(url, run.Keyed)
	for range 2 {
		req, err := http.NewRequestWithContext(t.Context(), "POST", url, strings.NewReader("{}"))
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Idempotency-Key", "k")
		resp, err := c.kept.Do(req)
		if err != nil {
			t.Fatalf("%s: %v", d.Name, err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("the server got %d requests, want 3: two and a replay", n)
	}
}

func TestOnceTakesItsOwnConnection(t *testing.T) {
	for effect, want := range map[run.Class]int64{run.Once: 3, run.Keyed: 1, run.Safe: 1} {
		var connections atomic.Int64
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
		server.Config.ConnState = func(_ net.Conn, state http.ConnState) {
			if state == http.StateNew {
				connections.Add(1)
			}
		}
		server.Start()
		c, d := client(t, "127.0.0.0/8"), definition(server.URL, effect)
		for range 3 {
			if _, err := c.Call(t.Context(), d, toolCall(d)); err != nil {
				t.Fatal(err)
			}
		}
		server.Close()
		if got := connections.Load(); got != want {
			t.Errorf("%s: %d connections for 3 calls, want %d", effect, got, want)
		}
	}
}

func TestWhatIsKnownWhenItBreaks(t *testing.T) {
	for name, c := range map[string]struct {
		answer string // before the server hangs up
		want   problem.Code
	}{
		"no answer":                {"", problem.ToolUnknown},
		"half a status line":       {"HTTP/1.1 20", problem.ToolUnknown},
		"half a header":            {"HTTP/1.1 200 OK\r\nContent-Le", problem.ToolUnknown},
		"half a body":              {"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhal", problem.ToolUnknown},
		"half a chunked body":      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhal\r\n", problem.ToolUnknown},
		"no HTTP":                  {"220 smtp.example\r\n", problem.ToolUnknown},
		"half an error's body":     {"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 10\r\n\r\nhal", problem.ToolFailed},
		"a whole answer by hangup": {"HTTP/1.1 200 OK\r\n\r\nall", ""},
	} {
		url, requests := brittle(t, func(_ int64, conn net.Conn) { _, _ = io.WriteString(conn, c.answer) })
		d := definition(url+"/hangup", run.Once)
		_, err := client(t, "127.0.0.0/8").Call(t.Context(), d, toolCall(d))
		if (c.want == "" && err != nil) || (c.want != "" && !problem.Is(err, c.want)) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
		if n := requests.Load(); n != 1 {
			t.Errorf("%s: %d requests", name, n)
		}
	}
}

func TestNothingWasSent(t *testing.T) {
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	defer plain.Close()
	untrusted := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("called") }))
	untrusted.Config.ErrorLog = log.New(io.Discard, "", 0)
	untrusted.StartTLS()
	defer untrusted.Close()
	for name, c := range map[string]struct {
		url, allow string
		want       problem.Code
	}{
		"refused connection": {"http://127.0.0.1:9", "127.0.0.0/8", problem.ToolFailed},
		"no TLS there":       {strings.Replace(plain.URL, "http:", "https:", 1), "127.0.0.0/8", problem.ToolFailed},
		"unknown issuer":     {untrusted.URL, "127.0.0.0/8", problem.ToolFailed},
		"egress":             {plain.URL, "", problem.EgressDenied},
		"egress spelling":    {"http://2130706433/", "", problem.EgressDenied},
	} {
		d := definition(c.url, run.Once)
		if _, err := client(t, c.allow).Call(t.Context(), d, toolCall(d)); !problem.Is(err, c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	d := definition(plain.URL, run.Once)
	if _, err := client(t, "127.0.0.0/8").Call(ctx, d, toolCall(d)); !problem.Is(err, problem.ToolFailed) {
		t.Errorf("cancelled before: got %v, want tool_failed", err)
	}
}

func TestTimeoutAfterSendingIsUnknown(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer server.Close()
	d := definition(server.URL, run.Once)
	d.TimeoutS = 1
	_, err := client(t, "127.0.0.0/8").Call(t.Context(), d, toolCall(d))
	if !problem.Is(err, problem.ToolUnknown) || !strings.Contains(problem.From(err).Detail, "within 1 second") {
		t.Errorf("got %v, want tool_unknown that names the time", err)
	}
}

func TestEndlessAnswer(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for r.Context().Err() == nil {
			if _, err := fmt.Fprintln(w, strings.Repeat("x", 1000)); err != nil {
				return
			}
		}
	}))
	defer server.Close()
	d := definition(server.URL, run.Safe)
	result, err := client(t, "127.0.0.0/8").Call(t.Context(), d, toolCall(d))
	if err != nil || len(result.Output) > tool.MaxOutput || !strings.HasSuffix(result.Output, "bytes are shown]") {
		t.Errorf("%d bytes, %v", len(result.Output), err)
	}
	if diff := cmp.Diff(strings.Repeat("x", 1000)+"\n", result.Output[:1001]); diff != "" {
		t.Error(diff)
	}
}
