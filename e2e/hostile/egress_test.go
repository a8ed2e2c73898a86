package hostile

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"errand/e2e/rig"
)

// target is a server that must not be reached, or must be. It counts connections
// by the address at which they arrive, redirects from /to?url=…, and answers
// anything else.
type target struct {
	*httptest.Server
	mu      sync.Mutex
	reached map[string]int
}

func newTarget(t *testing.T, listener net.Listener) *target {
	t.Helper()
	there := &target{reached: map[string]int{}}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if to := r.URL.Query().Get("url"); r.URL.Path == "/to" && to != "" {
			w.Header().Set("Location", to)
			w.WriteHeader(http.StatusTemporaryRedirect)
			return
		}
		fmt.Fprint(w, "inside")
	}))
	if listener != nil {
		server.Listener.Close()
		server.Listener = listener
	}
	server.Config.ConnState = func(conn net.Conn, state http.ConnState) {
		if state == http.StateNew {
			host, _, _ := net.SplitHostPort(conn.LocalAddr().String())
			there.mu.Lock()
			there.reached[host]++
			there.mu.Unlock()
		}
	}
	server.Start()
	t.Cleanup(server.Close)
	there.Server = server
	return there
}

// taken returns what has arrived since it was last asked, by address.
func (t *target) taken() map[string]int {
	t.mu.Lock()
	defer t.mu.Unlock()
	taken := t.reached
	t.reached = map[string]int{}
	return taken
}

func (t *target) port() string {
	_, port, _ := net.SplitHostPort(t.Listener.Addr().String())
	return port
}

// entries are all the ways by which a URL from outside reaches this server. Each
// returns what it was told.
type entries struct {
	t *testing.T
	w *rig.World
	c *rig.Client
	n int
}

type tried struct {
	Outcome       string
	Output, Error *string
}

func (r tried) said() string {
	if r.Error != nil {
		return *r.Error
	}
	return ""
}

// tool registers a tool, tries it, and removes it. Registering calls nobody.
func (e *entries) tool(address string) (said string, worked bool) {
	e.t.Helper()
	e.n++
	name := fmt.Sprintf("tool.%d", e.n)
	made := e.c.Do(http.MethodPost, "/v1/tools", map[string]any{"name": name, "description": "x", "url": address, "effect": "safe"})
	if made.Status == http.StatusBadRequest {
		if made.Fault().Errors["url"] == "" {
			e.t.Errorf("%s is refused without the field url: %s", address, made.Body)
		}
		return "ERRAND_EGRESS_ALLOW", false // it never got so far
	}
	made.Good()
	var r tried
	e.c.Post("/v1/tools/"+name+"/try", `{}`, &r)
	return r.said(), r.Outcome == "ok"
}

// fetch asks for a page, outside of a run.
func (e *entries) fetch(address string) (said string, worked bool) {
	e.t.Helper()
	var r tried
	e.c.Post("/v1/tools/web.fetch/try", map[string]any{"arguments": map[string]any{"url": address}}, &r)
	return r.said(), r.Outcome == "ok"
}

// run lets a model ask for a page, and for a call of a tool, in a run.
func (e *entries) run(address string) (said string) {
	e.t.Helper()
	e.n++
	name := fmt.Sprintf("tool.%d", e.n)
	tools, turns := []string{"web.fetch"}, []string{}
	arguments, err := json.Marshal(map[string]string{"url": address})
	if err != nil {
		e.t.Fatal(err)
	}
	turns = append(turns, "web.fetch "+string(arguments))
	if e.c.Do(http.MethodPost, "/v1/tools", map[string]any{"name": name, "description": "x", "url": address, "effect": "safe"}).Status < 300 {
		tools, turns = append(tools, name), append(turns, name+" {}")
	}
	before := len(e.w.Model.Calls())
	var r rig.Run
	e.c.Post("/v1/runs", map[string]any{"model": "auto", "tools": tools, "prompt": rig.Steps("reach", turns...)}, &r)
	for _, call := range e.w.Model.Calls()[before:] {
		for _, told := range call.Of("tool") {
			said += told.Text()
		}
	}
	return said
}

// mustRefuse tries an address at every entry. Beside a place that redirects, which
// may be called itself, nothing may be reached.
func (e *entries) mustRefuse(address, redirector string) {
	e.t.Helper()
	for entry, try := range map[string]func() (string, bool){
		"tool":  func() (string, bool) { return e.tool(address) },
		"fetch": func() (string, bool) { return e.fetch(address) },
		"redirect": func() (string, bool) {
			if redirector == "" {
				return "ERRAND_EGRESS_ALLOW", false
			}
			return e.fetch(redirector + "/to?url=" + url.QueryEscape(address))
		},
	} {
		said, worked := try()
		if worked {
			e.t.Errorf("%s of %s worked: %s", entry, address, said)
		}
		why := []string{"ERRAND_EGRESS_ALLOW", "not a URL", "user or password", "must begin with http", "does not call", "could not be reached"}
		if !slices.ContainsFunc(why, func(reason string) bool { return strings.Contains(said, reason) }) {
			e.t.Errorf("%s of %s: it does not say why, and what the operator can do: %q", entry, address, said)
		}
	}
}

// spellings are the many ways to write 127.0.0.1, and what is near it.
func spellings() []string {
	return []string{
		"127.0.0.1", "127.0.0.1.", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1", "0X7F.0.0.1", "0177.0.0.1",
		"017700000001", "127.0.0.01", "0", "0.0.0.0", "0x0", "[::]", "[::1]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]",
		"[0:0:0:0:0:ffff:127.0.0.1]", "[::127.0.0.1]", "[64:ff9b::127.0.0.1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
		"[::ffff:0:127.0.0.1]", "[fe80::1%25lo]", "127.0.0.1.0x1", "１２７.０.０.１", "①②⑦.0.0.1", "127。0。0。1", "localhost", "LOCALHOST", "localhost.",
		"user@127.0.0.1", "example.com@127.0.0.1", "127.0.0.1%2f", "%31%32%37.0.0.1", "127.0.0.1%00.example.com",
	}
}

// Nothing on this machine is called without a hole, however it is spelt and
// wherever the URL came in; with a hole only what it names.
func TestEgressToLoopback(t *testing.T) {
	t.Parallel()
	inner, outer := newTarget(t, nil), newTarget(t, nil)
	w := rig.New(t)
	w.Env["ERRAND_EGRESS_ALLOW"] = "127.0.0.1:" + outer.port()
	e := &entries{t: t, w: w, c: w.Start().Client()}
	for _, host := range spellings() {
		e.mustRefuse("http://"+host+":"+inner.port()+"/", outer.URL)
	}
	for _, scheme := range []string{"ftp", "file", "gopher", "ws", "unix", "data", "javascript"} {
		address := scheme + "://127.0.0.1:" + inner.port() + "/"
		e.mustRefuse(address, outer.URL)
	}
	if said := e.run(inner.URL); strings.Count(said, "ERRAND_EGRESS_ALLOW") < 2 {
		t.Errorf("in a run: %q", said)
	}
	if got := inner.taken(); len(got) != 0 {
		t.Errorf("connections arrived: %v", got)
	}
	outer.taken()
	for name, try := range map[string]func(string) (string, bool){"tool": e.tool, "fetch": e.fetch} {
		if said, worked := try(outer.URL); !worked || outer.taken()["127.0.0.1"] != 1 {
			t.Errorf("%s through the hole: %q", name, said)
		}
	}
	// A tool's call follows no redirect, wherever it leads.
	if said, worked := e.tool(outer.URL + "/to?url=" + url.QueryEscape(inner.URL)); worked || !strings.Contains(said, "redirect") || len(inner.taken()) > 0 {
		t.Errorf("a tool that redirects: %q", said)
	}
}
