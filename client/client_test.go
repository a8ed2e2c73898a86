package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// script is a server that answers request after request, and remembers them.
type script struct {
	*httptest.Server
	seen   []*http.Request
	bodies []string
}

func newScript(t *testing.T, answers ...http.HandlerFunc) (*script, *Client) {
	s := &script{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		s.seen, s.bodies = append(s.seen, r), append(s.bodies, string(body))
		if len(s.seen) > len(answers) {
			t.Errorf("request %d: %s %s was not expected", len(s.seen), r.Method, r.URL)
			w.WriteHeader(http.StatusTeapot)
			return
		}
		answers[len(s.seen)-1](w, r)
	}))
	transport := &http.Transport{}
	t.Cleanup(func() {
		transport.CloseIdleConnections()
		s.Close()
		if len(s.seen) != len(answers) {
			t.Errorf("%d requests, want %d", len(s.seen), len(answers))
		}
	})
	return s, New(s.URL+"/", "key", WithPause(time.Millisecond), WithHTTPClient(&http.Client{Transport: transport}))
}

func answer(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

// drop sends a piece and breaks the connection.
func drop(piece string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, piece)
		if piece != "" {
			_ = http.NewResponseController(w).Flush()
		}
		panic(http.ErrAbortHandler)
	}
}

const aRun = `{"id":"run_1","status":"running","usage":{"cost_usd":null},"extra":1}`

func TestLostRequestsAreSentAgainWithTheirKey(t *testing.T) {
	s, c := newScript(t, answer(503, ""), drop(""), answer(500, ""), answer(201, aRun))
	run, err := c.Runs.Create(t.Context(), Task{Model: "auto", Prompt: "hello"})
	if err != nil || run.ID != "run_1" || string(run.Raw) != aRun {
		t.Fatalf("%v %+v", err, run)
	}
	key := s.seen[0].Header.Get("Idempotency-Key")
	for _, r := range s.seen {
		if got := r.Header.Get("Idempotency-Key"); got == "" || got != key {
			t.Errorf("Idempotency-Key %q, want %q", got, key)
		}
		if r.Header.Get("Authorization") != "Bearer key" || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("headers %v", r.Header)
		}
	}
}

func TestEachRequestHasItsOwnKey(t *testing.T) {
	s, c := newScript(t, answer(200, aRun), answer(200, aRun))
	for range 2 {
		if _, err := c.Runs.Cancel(t.Context(), "run_1"); err != nil {
			t.Fatal(err)
		}
	}
	if s.seen[0].Header.Get("Idempotency-Key") == s.seen[1].Header.Get("Idempotency-Key") {
		t.Error("two requests share a key")
	}
}

func TestRetryAfterIsKept(t *testing.T) {
	_, c := newScript(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "1")
		w.WriteHeader(http.StatusTooManyRequests)
	}, answer(200, aRun))
	begun := time.Now()
	if _, err := c.Runs.Get(t.Context(), "run_1"); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begun); took < time.Second {
		t.Errorf("tried again after %v", took)
	}
}

func TestWhatCouldBeDoneTwiceIsSentOnce(t *testing.T) {
	_, c := newScript(t, answer(500, ""), drop(""), answer(502, ""))
	if _, err := c.Agents.Update(t.Context(), "a", map[string]any{}); err == nil {
		t.Error("PATCH: no error")
	}
	if err := c.Runs.Delete(t.Context(), "run_1"); err == nil {
		t.Error("DELETE: no error")
	}
	if err := c.Keys.Revoke(t.Context(), "key_1"); err == nil {
		t.Error("DELETE: no error")
	}
}

func TestErrorsOfTheAPI(t *testing.T) {
	_, c := newScript(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Request-Id", "req_1")
		answer(400, `{"error":{"code":"invalid_request","message":"Two fields are wrong.","errors":{"prompt":"is required","model":"is required"}}}`)(w, nil)
	}, answer(404, "<html>a proxy</html>"))
	_, err := c.Runs.Create(t.Context(), Task{})
	var told *Error
	if !errors.As(err, &told) {
		t.Fatal(err)
	}
	want := &Error{Status: 400, Code: "invalid_request", Message: "Two fields are wrong.", RequestID: "req_1",
		Fields: map[string]string{"prompt": "is required", "model": "is required"}}
	if diff := cmp.Diff(want, told); diff != "" {
		t.Error(diff)
	}
	if got := told.Error(); got != "Two fields are wrong.\n  model: is required\n  prompt: is required" {
		t.Errorf("%q", got)
	}
	_, err = c.Runs.Get(t.Context(), "x")
	if !errors.As(err, &told) || told.Status != 404 || told.Code != "" {
		t.Errorf("%#v", err)
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c := New(s.URL, "key", WithPause(time.Hour))
	if _, err := c.Runs.Get(t.Context(), "run_1"); err == nil {
		t.Error("no error")
	}
	for _, err := range c.Runs.Stream(t.Context(), "run_1", Watch{}) {
		if err == nil {
			t.Error("no error")
		}
	}
}

func frame(seq int, kind string) string {
	return fmt.Sprintf("id: %d\nevent: %s\ndata: {\"seq\":%d,\"type\":%q}\n\n", seq, kind, seq, kind)
}

// types reads a stream to its end.
func types(ctx context.Context, t *testing.T, c *Client, watch Watch) []string {
	t.Helper()
	var seen []string
	for f, err := range c.Runs.Stream(ctx, "run_1", watch) {
		if err != nil {
			t.Fatalf("after %v: %v", seen, err)
		}
		if event, ok := f.Event(); !ok || event.Type != f.Type {
			t.Errorf("%+v is no event", f)
		}
		seen = append(seen, f.ID+" "+f.Type)
	}
	return seen
}

func TestABrokenStreamGoesOnWhereItBroke(t *testing.T) {
	s, c := newScript(t,
		drop(": hello\n\n"+frame(1, "run.created")+"id: 2\nevent: model.resp"),
		answer(503, ""),
		answer(200, frame(2, "model.responded")), // a server that drains ends it without an end
		answer(200, frame(3, "run.finished")+frame(4, "never")),
	)
	got := types(t.Context(), t, c, Watch{})
	if diff := cmp.Diff([]string{"1 run.created", "2 model.responded", "3 run.finished"}, got); diff != "" {
		t.Error(diff)
	}
	for i, want := range []string{"", "1", "1", "2"} {
		if got := s.seen[i].Header.Get("Last-Event-ID"); got != want {
			t.Errorf("request %d: Last-Event-ID %q, want %q", i+1, got, want)
		}
	}
}

func TestAnEndedRunHasNothingMore(t *testing.T) {
	_, c := newScript(t, answer(204, ""))
	if got := types(t.Context(), t, c, Watch{After: "7"}); got != nil {
		t.Errorf("%v", got)
	}
}

func TestUntilRest(t *testing.T) {
	s, c := newScript(t,
		answer(200, frame(1, "run.created")),
		answer(200, `{"id":"run_1","status":"running"}`), // a restart, no rest
		answer(200, frame(2, "model.responded")),
		answer(200, `{"id":"run_1","status":"awaiting_approval"}`),
	)
	if got := types(t.Context(), t, c, Watch{UntilRest: true}); len(got) != 2 {
		t.Errorf("%v", got)
	}
	if q := s.seen[2].URL.Query().Get("until"); q != "rest" {
		t.Errorf("until=%s", q)
	}
}

func TestAStreamThatIsRefusedEndsWithTheError(t *testing.T) {
	_, c := newScript(t, answer(404, `{"error":{"code":"not_found","message":"no"}}`))
	var told *Error
	for _, err := range c.Runs.Stream(t.Context(), "run_1", Watch{After: "3"}) {
		if !errors.As(err, &told) || told.Code != "not_found" {
			t.Errorf("%v", err)
		}
	}
	if told == nil {
		t.Error("no error")
	}
}

func TestAReaderCanStop(t *testing.T) {
	_, c := newScript(t, answer(200, frame(1, "run.created")+frame(2, "run.started")))
	for range c.Runs.Stream(t.Context(), "run_1", Watch{}) {
		break
	}
}

func TestDeltas(t *testing.T) {
	f := Frame{Type: "delta", Data: json.RawMessage(`{"type":"delta","step":2,"attempt":1,"offset":5,"text":"hello"}`)}
	if d, ok := f.Delta(); !ok || d.Text != "hello" || d.Offset != 5 {
		t.Errorf("%+v", d)
	}
	if _, ok := f.Event(); ok {
		t.Error("a delta is no event")
	}
	if _, ok := (Frame{Type: "run.created"}).Delta(); ok {
		t.Error("an event is no delta")
	}
}

func TestListsAndLogsAreRead(t *testing.T) {
	s, c := newScript(t,
		answer(200, `{"data":[{"id":"run_2","status":"completed"}],"has_more":true,"next_cursor":"run_2"}`),
		answer(200, `{"data":[{"seq":1},{"seq":2}],"has_more":true}`),
		answer(200, `{"data":[{"seq":3}],"has_more":false}`),
	)
	page, err := c.Runs.List(t.Context(), Query{Agent: "a", Status: "completed", After: "run_3", Limit: 1})
	if err != nil || len(page.Data) != 1 || !page.HasMore || page.Next != "run_2" || !page.Data[0].Ended() {
		t.Errorf("%v %+v", err, page)
	}
	if q := s.seen[0].URL.RawQuery; q != "agent=a&limit=1&starting_after=run_3&status=completed" {
		t.Errorf("query %s", q)
	}
	var seqs []string
	for event, err := range c.Runs.Events(t.Context(), "run_2", 0) {
		if err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, fmt.Sprint(event.Seq))
	}
	if got := strings.Join(seqs, " "); got != "1 2 3" || s.seen[2].URL.Query().Get("after") != "2" {
		t.Errorf("%s, %s", got, s.seen[2].URL)
	}
}

func TestNamesAreEscaped(t *testing.T) {
	s, c := newScript(t, answer(200, `{}`), answer(200, `{"ok":true}`))
	if _, err := c.Agents.Get(t.Context(), "a b/c?d"); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Tools.Try(t.Context(), "x", json.RawMessage(`{"a":1}`)); err != nil {
		t.Fatal(err)
	}
	if path := s.seen[0].URL.EscapedPath(); path != "/v1/agents/a%20b%2Fc%3Fd" {
		t.Error(path)
	}
}
