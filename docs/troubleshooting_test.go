package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/app"
)

// quoted is a block of what the program says.
var quoted = regexp.MustCompile("(?s)```text\n(.*?)\n```")

// TestTroubleshooting provokes every trouble of troubleshooting.md: what the program
// then says is on the page, word for word, and nothing else is quoted there.
func TestTroubleshooting(t *testing.T) {
	page, err := os.ReadFile("troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	unseen := map[string]bool{}
	for _, block := range quoted.FindAllStringSubmatch(string(page), -1) {
		unseen[block[1]] = true
	}
	var mu sync.Mutex
	said := func(t *testing.T, text string) {
		t.Helper()
		if t.Skipped() { // something is not installed here: not all can be provoked
			mu.Lock()
			defer mu.Unlock()
			clear(unseen)
			return
		}
		text = placeless(text)
		if !strings.Contains(string(page), "```text\n"+text+"\n```") {
			t.Errorf("troubleshooting.md does not quote what is said now:\n%s", text)
		}
		mu.Lock()
		defer mu.Unlock()
		delete(unseen, text)
	}
	t.Run("all", func(t *testing.T) {
		for name, provoke := range map[string]func(*testing.T, func(*testing.T, string)){
			"at the start": startTroubles, "of the data": dataTroubles, "of requests": requestTroubles, "of runs": runTroubles,
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				provoke(t, said)
			})
		}
	})
	for text := range unseen {
		if !t.Failed() {
			t.Errorf("troubleshooting.md quotes what nothing here provokes:\n%s", text)
		}
	}
}

// placed are parts of a text that differ each time, and what stands for them.
var placed = []struct {
	pattern *regexp.Regexp
	is      string
}{
	{regexp.MustCompile(`pid \d+`), "pid 4711"},
	{regexp.MustCompile(`(run|req|act|chatcmpl)_[0-9a-f]{8,}`), "${1}_…"},
	{regexp.MustCompile(`/tmp/[\w./-]*/(data|backup\.tar|errand\.yaml)`), "/var/lib/errand/$1"},
	{regexp.MustCompile(`/var/lib/errand/data`), "/var/lib/errand"},
	{regexp.MustCompile(`example --addr 127\.0\.0\.1:8421`), "example --addr :8421"}, // beside the one that is taken
	{regexp.MustCompile(`127\.0\.0\.1:\d{4,5}`), "127.0.0.1:8420"},
	{regexp.MustCompile(`example --addr :8421`), "example --addr 127.0.0.1:8421"},
	{regexp.MustCompile(`\d+h\d+m\d+s ahead`), "2h0m0s ahead"},
	{regexp.MustCompile(`this version knows \d+`), "this version knows 5"},
	{regexp.MustCompile(`\btest\d+\b`), "errand"}, // a database of pgtest
	{regexp.MustCompile(`bud_[0-9a-f]+`), "bud_…"},
	{regexp.MustCompile(`\d{4}-\d\d-01T00:00:00Z`), "2026-12-01T00:00:00Z"},
}

func placeless(text string) string {
	text = strings.TrimSpace(text)
	for _, p := range placed {
		text = p.pattern.ReplaceAllString(text, p.is)
	}
	return text
}

// command runs one command to its end, which must not be success, and returns what
// it says.
func command(t *testing.T, env []string, args ...string) string {
	t.Helper()
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a server that starts all the same
	defer cancel()
	code := app.Main(ctx, args, env, app.Stdio{In: strings.NewReader(""), Out: &out, Err: &out, Self: os.Args[0]})
	if code == 0 {
		t.Errorf("errand %v succeeds: %s", args, &out)
	}
	return out.String()
}

// line returns the line of a text with these words.
func line(t *testing.T, text, words string) string {
	t.Helper()
	for l := range strings.Lines(text) {
		if strings.Contains(l, words) {
			return strings.TrimSpace(l)
		}
	}
	t.Errorf("no line has %q:\n%s", words, text)
	return ""
}

// admin is the key's setting.
const admin = "ERRAND_ADMIN_KEY=" + key

func startTroubles(t *testing.T, said func(*testing.T, string)) {
	data := filepath.Join(t.TempDir(), "data")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	start := func(env []string, args ...string) string {
		t.Helper()
		return command(t, append(env, admin), append([]string{"serve", "--addr", "127.0.0.1:0", "--model", "offline", "--data", data}, args...)...)
	}
	said(t, start(nil, "--addr", taken.Addr().String()))
	said(t, command(t, nil, "serve", "--addr", "0.0.0.0:0", "--data", data))
	said(t, start([]string{"ERRAND_MAX_ACTIV=10"}))
	t.Run("of PostgreSQL", func(t *testing.T) {
		defer func() {
			if t.Skipped() {
				said(t, "")
			}
		}()
		postgresTroubles(t, start, said)
	})
	said(t, line(t, start(nil, "--store", "postgres://errand@127.0.0.1:1/errand"), "can't be used"))
	said(t, line(t, command(t, []string{"ERRAND_CHROMIUM=/opt/chromium"}, "doctor", "--data", data), "chromium"))

	serve(t, nil, "--data", data)
	said(t, start(nil))
}

func dataTroubles(t *testing.T, said func(*testing.T, string)) {
	data := filepath.Join(t.TempDir(), "data")
	t.Run("made", func(t *testing.T) { // and stopped at its end
		base := serve(t, nil, "--data", data)
		ask(t, site{base, key}, "GET /v1/webhooks/default", "")
		ask(t, site{base, key}, "POST /v1/runs", `{"model": "default", "prompt": "Hello"}`)
	})
	start := func() string {
		t.Helper()
		return command(t, []string{admin}, "serve", "--addr", "127.0.0.1:0", "--model", "offline", "--data", data)
	}
	examined := func(what string) {
		t.Helper()
		said(t, line(t, command(t, nil, "doctor", "--data", data), what))
	}
	seal := filepath.Join(data, "seal.key")
	if err := os.Chmod(seal, 0o644); err != nil {
		t.Fatal(err)
	}
	examined("secrets  ")
	if err := os.WriteFile(seal, []byte("short"), 0o600); err != nil {
		t.Fatal(err)
	}
	said(t, start())
	if err := os.Remove(seal); err != nil {
		t.Fatal(err)
	}
	examined("secrets  ")
	t.Run("without its key", func(t *testing.T) {
		base := serve(t, nil, "--data", data)
		said(t, ask(t, site{base, key}, "GET /v1/webhooks/default", ""))
	})
	said(t, command(t, nil, "restore", "--data", data, filepath.Join(data, "backup.tar")))

	database := filepath.Join(data, "errand.db")
	// A clock that was ahead when the run ended, and has been set right since.
	change(t, database, "UPDATE runs SET updated_at = updated_at + 7200000, ended_at = ended_at + 7200000")
	change(t, database, "UPDATE events SET at = at + 7200000")
	examined("clock  ")
	change(t, database, "PRAGMA user_version = 99")
	said(t, start())
}

// change writes to the database of a server that is stopped.
func change(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(sqlitex.ExecuteTransient(db, statement, nil), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// site is a server, and a key to it.
type site struct{ base, secret string }

// ask makes a request and returns, of an error, its status, code and message.
func ask(t *testing.T, at site, route, body string, header ...string) string {
	t.Helper()
	method, path, _ := strings.Cut(route, " ")
	request, err := http.NewRequestWithContext(t.Context(), method, at.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+at.secret)
	request.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	request.Close = true
	got, err := http.DefaultClient.Do(request)
	for again := 0; err != nil && again < 20; again++ { // a refused body may be answered by hanging up, at times
		request.Body, _ = request.GetBody()
		got, err = http.DefaultClient.Do(request)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer got.Body.Close()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got.StatusCode < http.StatusBadRequest {
		return string(text)
	}
	var fault struct {
		Error struct{ Code, Message string }
	}
	if err := json.Unmarshal(text, &fault); err != nil || fault.Error.Code == "" {
		t.Fatalf("%v in %s", err, text)
	}
	return fmt.Sprintf("%d %s\n%s", got.StatusCode, fault.Error.Code, fault.Error.Message)
}

func requestTroubles(t *testing.T, said func(*testing.T, string)) {
	base := serve(t, []string{"ERRAND_CORS_ORIGINS=https://app.example.com"})
	post := func(path, body string, header ...string) string {
		t.Helper()
		return ask(t, site{base, key}, "POST "+path, body, header...)
	}
	said(t, ask(t, site{base, "sk_live_wrong"}, "GET /v1/runs", ""))
	var made struct{ Secret string }
	if err := json.Unmarshal([]byte(post("/v1/keys", `{"name": "reader", "scopes": ["runs:read"]}`)), &made); err != nil {
		t.Fatal(err)
	}
	said(t, ask(t, site{base, made.Secret}, "POST /v1/runs", `{"model": "default", "prompt": "Hello"}`))
	said(t, post("/v1/runs", `{"model": "openai/gpt-5", "prompt": "Hello"}`))
	said(t, post("/v1/runs", `{"model": "default", "promt": "Hello"}`))
	said(t, post("/v1/runs", `{"model": "default", "prompt": "Hello", "tools": ["browser.navigate"]}`))
	post("/v1/runs", `{"model": "default", "prompt": "Hello"}`, "Idempotency-Key", "report")
	said(t, post("/v1/runs", `{"model": "default", "prompt": "Good evening"}`, "Idempotency-Key", "report"))
	post("/v1/tools", `{"name": "crm.note", "description": "Adds a note.", "url": "http://10.0.0.7/notes", "parameters": {"type": "object"}}`)
	said(t, text(t, post("/v1/tools/crm.note/try", `{"arguments": {}}`), "error"))
	said(t, post("/v1/webhooks", `{"url": "http://10.0.0.7/hook", "events": ["*"]}`))
	said(t, post("/v1/runs", `{"model": "default", "prompt": "`+strings.Repeat("x", 1<<20)+`"}`))

	for origin, allowed := range map[string]string{"https://app.example.com": "https://app.example.com", "https://other.example.com": ""} {
		request, err := http.NewRequestWithContext(t.Context(), http.MethodOptions, base+"/v1/chat/completions", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Origin", origin)
		request.Header.Set("Access-Control-Request-Method", http.MethodPost)
		request.Close = true
		got, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		got.Body.Close()
		if is := got.Header.Get("Access-Control-Allow-Origin"); is != allowed {
			t.Errorf("a page of %s is allowed as %q, and troubleshooting.md says otherwise", origin, is)
		}
	}
}

// providers are endpoints that answer with one status each.
func providers(t *testing.T) (config string, hold chan struct{}) {
	hold = make(chan struct{})
	var text strings.Builder
	text.WriteString("endpoints:\n")
	for name, answer := range map[string]http.HandlerFunc{
		"refusing": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(401)
			fmt.Fprint(w, `{"error":{"message":"Incorrect API key provided: sk-…"}}`)
		},
		"failing": func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(503)
			fmt.Fprint(w, `{"error":{"message":"The engine is overloaded"}}`)
		},
		"limiting": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "30")
			w.WriteHeader(429)
			fmt.Fprint(w, `{"error":{"message":"Rate limit reached"}}`)
		},
		"calling": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, `data: {"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"c1","type":"function","function":{"name":"crm_note","arguments":"{}"}}]},"finish_reason":"tool_calls"}]}`+"\n\ndata: [DONE]\n\n")
		},
		"holding": func(http.ResponseWriter, *http.Request) { <-hold },
	} {
		server := httptest.NewServer(answer)
		t.Cleanup(func() { server.CloseClientConnections(); server.Close() })
		fmt.Fprintf(&text, "  %s: {url: %q, key: sk-x, model: m}\n", name, server.URL+"/v1")
	}
	config = filepath.Join(t.TempDir(), "errand.yaml")
	if err := os.WriteFile(config, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return config, hold
}

// hangsUp is a tool's owner who takes a request and gives no answer.
func hangsUp(t *testing.T) string {
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	t.Cleanup(server.Close)
	return server.URL + "/notes"
}

// eventually reads until what is read is as it should be.
func eventually(t *testing.T, read func() string, holds func(string) bool) string {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; <-time.After(20 * time.Millisecond) {
		got := read()
		if holds(got) {
			return got
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain; the last was %q", got)
		}
	}
}

// text reads a text in a JSON object, "" where there is none.
func text(t *testing.T, body string, path ...string) string {
	t.Helper()
	var at any
	if err := json.Unmarshal([]byte(body), &at); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	for _, name := range path {
		object, _ := at.(map[string]any)
		at = object[name]
	}
	found, _ := at.(string)
	return found
}

// explained is what GET /v1/runs/{id}/explain says a run waits for, and what helps;
// "" while it is at work.
func explained(t *testing.T, base, id string) string {
	t.Helper()
	var is struct {
		Status string
		Waits  []struct{ For, Why, Moves string }
	}
	if err := json.Unmarshal([]byte(ask(t, site{base, key}, "GET /v1/runs/"+id+"/explain", "")), &is); err != nil {
		t.Fatal(err)
	}
	if len(is.Waits) == 0 || is.Status == "running" {
		return ""
	}
	return is.Status + "\n" + is.Waits[0].Why + "\n" + is.Waits[0].Moves
}

func runTroubles(t *testing.T, said func(*testing.T, string)) {
	config, hold := providers(t)
	base := serve(t, []string{"ERRAND_EGRESS_ALLOW=127.0.0.0/8", "ERRAND_RATE_LIMIT=0"}, "--config", config)
	start := func(body string) (id string) {
		t.Helper()
		return text(t, ask(t, site{base, key}, "POST /v1/runs", body), "id")
	}
	ended := func(id string) {
		t.Helper()
		fault := eventually(t, func() string {
			body := ask(t, site{base, key}, "GET /v1/runs/"+id, "")
			return text(t, body, "error", "code") + ": " + text(t, body, "error", "message")
		}, func(said string) bool { return said != ": " })
		said(t, fault)
	}
	waits := func(id string) {
		t.Helper()
		said(t, eventually(t, func() string { return explained(t, base, id) }, func(said string) bool { return said != "" }))
	}
	failing := start(`{"model": "failing/m", "prompt": "Hello", "background": true}`) // it is tried for some seconds
	ended(start(`{"model": "refusing/m", "prompt": "Hello"}`))
	said(t, line(t, command(t, nil, "models", "test", "limiting/m", "--url", base, "--key", key), "429"))
	waits(start(`{"model": "offline", "prompt": "What time is it?", "tools": ["time.now"], "approval": {"required_for": ["time.now"]}}`))
	ask(t, site{base, key}, "POST /v1/tools", `{"name": "crm.note", "description": "Adds a note to a customer.", "url": "`+hangsUp(t)+`", "parameters": {"type": "object"}}`)
	waits(start(`{"model": "calling/m", "prompt": "Add a note to the customer.", "tools": ["crm.note"]}`))
	ended(failing) // before the budget, which would end it, too
	ask(t, site{base, key}, "POST /v1/budgets", `{"name": "trial", "period": "month", "max_tokens": 10}`)
	ended(start(`{"model": "offline", "prompt": "Hello"}`))
	ask(t, site{base, key}, "DELETE /v1/budgets/trial", "")
	overload(t, config, said)
	close(hold) // the server's end would wait for it
}

// overload fills a server that drives one run at a time.
func overload(t *testing.T, config string, said func(*testing.T, string)) {
	base := serve(t, []string{"ERRAND_MAX_ACTIVE=1"}, "--config", config)
	for range 11 { // one is driven, ten wait
		ask(t, site{base, key}, "POST /v1/runs", `{"model": "holding/m", "prompt": "Hello", "background": true}`)
	}
	said(t, ask(t, site{base, key}, "POST /v1/runs", `{"model": "holding/m", "prompt": "Hello", "background": true}`))
}
