package upstream

import (
	"encoding/json"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// asked is a request that a provider got.
type asked struct {
	rig.Conversation
	n  int // which of its endpoint, from 1
	at time.Time
}

// answer is one way of answering.
type answer func(w http.ResponseWriter, r *http.Request, a asked)

// provider serves each way of answering as an endpoint of its own.
type provider struct {
	*httptest.Server
	answers map[string]answer

	mu   sync.Mutex
	came map[string][]time.Time // requests by endpoint
}

func (p *provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name, _, _ := strings.Cut(r.URL.Path[1:], "/")
	a := asked{at: time.Now()}
	if err := json.NewDecoder(r.Body).Decode(&a.Conversation); err != nil || p.answers[name] == nil {
		http.Error(w, "no such thing", http.StatusTeapot)
		return
	}
	p.mu.Lock()
	p.came[name] = append(p.came[name], a.at)
	a.n = len(p.came[name])
	p.mu.Unlock()
	p.answers[name](w, r, a)
}

// requests are the times at which an endpoint was asked.
func (p *provider) requests(name string) []time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.came[name])
}

// start starts a server that knows an endpoint for each way of answering, and
// those that are elsewhere, by URL.
func start(t *testing.T, answers map[string]answer, elsewhere map[string]string) (*rig.World, *provider, *rig.Client) {
	t.Helper()
	w := rig.New(t)
	p := &provider{answers: answers, came: map[string][]time.Time{}}
	p.Server = httptest.NewServer(p)
	t.Cleanup(func() {
		w.Kill()
		p.CloseClientConnections()
		p.Close()
	})
	settings := "endpoints:\n"
	for _, name := range slices.Sorted(maps.Keys(answers)) {
		settings += fmt.Sprintf("  %s: {url: %q, key: sk-of-the-tests}\n", name, p.URL+"/"+name+"/v1")
	}
	for _, name := range slices.Sorted(maps.Keys(elsewhere)) {
		settings += fmt.Sprintf("  %s: {url: %q, key: sk-of-the-tests}\n", name, elsewhere[name])
	}
	if err := os.WriteFile(filepath.Join(w.Dir, "errand.yaml"), []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"OPENAI_BASE_URL", "OPENAI_API_KEY", "ERRAND_MODEL"} {
		delete(w.Env, name)
	}
	c := w.Start().Client()
	c.Tool(w, "pay.once", "once")
	return w, p, c
}

// background starts a run at an endpoint.
func background(c *rig.Client, endpoint, prompt string) rig.Run {
	c.T.Helper()
	var r rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": endpoint + "/m", "prompt": prompt, "tools": []string{"pay.once"}, "background": true,
	}, &r)
	return r
}

// end waits for a run's end, whichever it is.
func end(c *rig.Client, id string, within time.Duration) rig.Run {
	c.T.Helper()
	deadline := time.Now().Add(within)
	for {
		r := c.Run(id)
		if r.Over() {
			return r
		}
		if time.Now().After(deadline) {
			c.T.Fatalf("%s has not ended within %v: %+v", id, within, r)
		}
		rig.Pause(50 * time.Millisecond)
	}
}

// status answers with an HTTP error.
func status(code int, header ...string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ asked) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(code)
		fmt.Fprintf(w, `{"error":{"message":"this is the HTTP error %d","type":"test","code":null}}`, code)
	}
}

// says answers with a text as it is.
func says(contentType, text string, header ...string) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ asked) {
		w.Header().Set("Content-Type", contentType)
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		_, _ = w.Write([]byte(text)) // the client hangs up on some of them
	}
}

// breaks sends what it has and then ends the connection: with linger 0 by a reset,
// which may overtake what was sent, with -1 behind it.
func breaks(first string, linger int) answer {
	return func(w http.ResponseWriter, _ *http.Request, _ asked) {
		if first != "" {
			w.Header().Set("Content-Type", "text/event-stream")
			fmt.Fprint(w, first)
			_ = http.NewResponseController(w).Flush()
		}
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_ = conn.(*net.TCPConn).SetLinger(linger)
		conn.Close()
	}
}

// chunk is an event of a stream.
func chunk(delta string) string {
	return `data: {"choices":[{"index":0,"delta":` + delta + `,"finish_reason":null}]}` + "\n\n"
}

// finish is the event that says why a stream ends.
func finish(reason string) string {
	return `data: {"choices":[{"index":0,"delta":{},"finish_reason":"` + reason + `"}]}` + "\n\n"
}

const done = "data: [DONE]\n\n"

// text is a stream that says something.
func text(words string) string {
	return chunk(fmt.Sprintf(`{"content":%q}`, words)) + finish("stop") + done
}

// piece is a piece of a call.
func piece(index int, id, name, arguments string) string {
	return chunk(fmt.Sprintf(`{"tool_calls":[{"index":%d,"id":%q,"type":"function","function":{"name":%q,"arguments":%q}}]}`, index, id, name, arguments))
}
