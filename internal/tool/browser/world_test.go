package browser

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// ownerVar makes the test's binary a server that is killed: see TestOwnerKilled.
const ownerVar = "ERRAND_TEST_BROWSER_OWNER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(ownerVar); dir != "" {
		own(dir)
	}
	goleak.VerifyTestMain(m)
}

// site is a web site of the tests' own, on one port of loopback, and what it saw.
type site struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string // method and path, in order
}

func (s *site) saw(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, line := range s.seen {
		if strings.HasPrefix(line, prefix) {
			count++
		}
	}
	return count
}

func newSite(t *testing.T, pages map[string]string) *site {
	t.Helper()
	s := &site{}
	stop := make(chan struct{})
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.seen = append(s.seen, r.Method+" "+r.URL.RequestURI())
		s.mu.Unlock()
		switch r.URL.Path {
		case "/slow":
			select {
			case <-stop:
			case <-r.Context().Done():
			}
			return
		case "/loop":
			http.Redirect(w, r, "/loop?"+r.URL.RawQuery+"x", http.StatusFound)
			return
		case "/to":
			http.Redirect(w, r, r.URL.Query().Get("url"), http.StatusFound)
			return
		case "/file.zip":
			w.Header().Set("Content-Disposition", `attachment; filename="file.zip"`)
			_, _ = w.Write([]byte("PK"))
			return
		case "/find":
			fmt.Fprintf(w, `<title>Found</title><h1>Results for %s</h1><ul><li>Lamp <a href="/item?1">Lamp, 20 €</a></li></ul>`, r.URL.Query().Get("q"))
			return
		case "/login":
			if r.FormValue("user") == "ann" && r.FormValue("password") == "secret" {
				fmt.Fprint(w, `<title>Account</title><p>Welcome, ann</p>`)
			} else {
				fmt.Fprint(w, `<title>Login</title><p>Wrong password</p>`)
			}
			return
		}
		text, ok := pages[r.URL.Path]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, text)
	}))
	t.Cleanup(func() {
		close(stop)
		s.Close()
	})
	return s
}

// hole lets one listener's port through.
func hole(addr net.Addr) egress.Hole {
	return egress.Hole{Prefix: netip.MustParsePrefix("127.0.0.0/8"), Port: uint16(addr.(*net.TCPAddr).Port)}
}

// chromium skips the test where there is none.
func chromium(t *testing.T) {
	t.Helper()
	if Find(os.Getenv("PATH")) == "" {
		t.Skip("Chromium is not installed")
	}
}

// user drives a browser as a model does.
type user struct {
	t       *testing.T
	browser *Browser
	tools   map[string]tool.Tool
	project string
	id      run.ID
	last    run.ToolResult
}

func newUser(t *testing.T, s *site, change func(*Config)) *user {
	t.Helper()
	chromium(t)
	cfg := Config{
		Chromium: Find(os.Getenv("PATH")), Dir: t.TempDir(), Guard: egress.New(egress.Config{Allow: []egress.Hole{hole(s.Listener.Addr())}}),
		Now: time.Now, ActionTime: 30 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	u := &user{t: t, browser: New(cfg), tools: map[string]tool.Tool{}, project: "default", id: run.NewID(time.Unix(1_760_000_000, 0), 1, 42)}
	t.Cleanup(func() { _ = u.browser.Close() })
	for _, made := range u.browser.Tools() {
		u.tools[made.Describe().Name] = made
	}
	return u
}

// session is the user's own.
func (u *user) session() *session { return u.browser.sessions[owner{"default", u.id}] }

// try calls a tool and returns its output, or its error.
func (u *user) try(ctx context.Context, name string, arguments any) (string, error) {
	u.t.Helper()
	text, err := json.Marshal(arguments)
	if err != nil {
		u.t.Fatal(err)
	}
	made := u.tools["browser."+name]
	u.last, err = made.Call(ctx, run.ToolCall{Run: u.id, Project: u.project, Action: "act_01", Tool: made.Describe(), Arguments: text, Attempt: 1})
	return u.last.Output, err
}

type args map[string]any

// do calls a tool that has to succeed.
func (u *user) do(name string, arguments args) (string, Record) {
	u.t.Helper()
	output, err := u.try(u.t.Context(), name, arguments)
	if err != nil {
		u.t.Fatalf("%s(%v): %v", name, arguments, err)
	}
	text, record, ok := Read(output)
	if !ok {
		u.t.Fatalf("%s(%v) left no record: %s", name, arguments, output)
	}
	return text, record
}

// fails calls a tool that has to fail with these words.
func (u *user) fails(name string, arguments args, words string) {
	u.t.Helper()
	output, err := u.try(u.t.Context(), name, arguments)
	if err == nil {
		u.t.Errorf("%s(%v) succeeded: %s", name, arguments, output)
		return
	}
	if told := problem.From(err); told.Code == problem.Internal || !strings.Contains(told.Detail, words) {
		u.t.Errorf("%s(%v): %v; want %q in it", name, arguments, err, words)
	}
}

// number is the number of the element that a line of the page describes.
func number(t *testing.T, text, words string) int {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(line, "*"), "[%d]", &n); err == nil && strings.Contains(line, words) {
			return n
		}
	}
	t.Fatalf("no element %s in\n%s", words, text)
	return 0
}

func has(t *testing.T, text string, words ...string) {
	t.Helper()
	for _, w := range words {
		if !strings.Contains(text, w) {
			t.Errorf("%q is not in\n%s", w, text)
		}
	}
}

// processes counts the processes that have words in their command line.
func processes(t *testing.T, words string) int {
	t.Helper()
	list, err := exec.Command("ps", "-eo", "stat=,args=").Output()
	if err != nil {
		t.Skip("ps is not installed")
	}
	count := 0
	for line := range strings.SplitSeq(string(list), "\n") {
		if strings.Contains(line, words) && !strings.HasPrefix(line, "Z") {
			count++
		}
	}
	return count
}

// soon waits until a condition holds.
func soon(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within a minute: %s", what)
		}
	}
}

// own uses a browser until it is killed.
func own(dir string) {
	b := New(Config{Chromium: Find(os.Getenv("PATH")), Dir: dir, Guard: egress.New(egress.Config{}), Now: time.Now})
	for _, made := range b.Tools() {
		if d := made.Describe(); d.Name == "browser.navigate" {
			_, err := made.Call(context.Background(), run.ToolCall{Tool: d, Arguments: json.RawMessage(`{"url":"about:blank"}`)})
			fmt.Println("ready", err)
		}
	}
	select {}
}
