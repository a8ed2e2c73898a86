package browser

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// thinking is how long the model takes for a turn: what a fast hosted model takes for
// a call of a tool.
const thinking = 1500 * time.Millisecond

// scale stands before the model and weighs what it is sent.
type scale struct {
	*httptest.Server
	mu    sync.Mutex
	calls int
	bytes int      // of all requests
	whole int      // what the messages would have had with every page in full
	pages []string // results of calls as they were first sent
}

func newScale(t *testing.T, model string) *scale {
	s := &scale{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		if r.Method == http.MethodPost {
			s.weigh(body)
			rig.Pause(thinking)
		}
		passed, err := http.NewRequestWithContext(r.Context(), r.Method, model+r.URL.Path, bytes.NewReader(body))
		if err != nil {
			t.Error(err)
			return
		}
		got, err := http.DefaultClient.Do(passed)
		if err != nil {
			return // the server is gone
		}
		defer got.Body.Close()
		w.Header().Set("Content-Type", got.Header.Get("Content-Type"))
		_, _ = io.Copy(w, got.Body)
	}))
	t.Cleanup(s.Close)
	return s
}

func (s *scale) weigh(body []byte) {
	var asked rig.Conversation
	_ = json.Unmarshal(body, &asked) // the model's endpoint says what is wrong with it
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls++
	s.bytes += len(body)
	s.whole += len(body)
	for i, m := range asked.Of("tool") {
		text := m.Text()
		if i >= len(s.pages) {
			s.pages = append(s.pages, text)
		}
		s.whole += len(s.pages[i]) - len(text)
	}
}

// taken returns what was weighed since the last time.
func (s *scale) taken() (calls, bytes, whole int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	calls, bytes, whole = s.calls, s.bytes, s.whole
	s.calls, s.bytes, s.whole, s.pages = 0, 0, 0, nil
	return calls, bytes, whole
}

// TestCost measures what a task costs with a model and as a replay, and what it would
// cost to send the model every page again and again. The figures are those of
// docs/webagent.md: go test -run Cost -v ./e2e/browser
func TestCost(t *testing.T) {
	w := stopped(t)
	s := newScale(t, w.Model.URL)
	w.Env["OPENAI_BASE_URL"] = s.URL + "/v1"
	w.start()
	next := act("click", map[string]any{"index": `"Next page"`})
	scenes := []scene{w.open("/orders"), next, next, act("extract", map[string]any{"query": "order 1219"}), quote("1536 €", "1536 €")}
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		if strings.Contains(c.Prompt(), "Find its parameters") {
			return rig.Turn{Text: `{"parameters":[]}`}
		}
		return scenes[min(c.Step(), len(scenes)-1)](lastPage(c))
	})
	measure := func(name, path string, body map[string]any) (calls, bytes, whole int) {
		t.Helper()
		began := time.Now()
		got := w.run(path, body)
		took := time.Since(began)
		if got.Status != "success" || !strings.Contains(got.text(), "1536 €") {
			t.Fatalf("%s: %s %s %+v", name, got.Status, got.Result, got.History)
		}
		calls, bytes, whole = s.taken()
		t.Logf("%s: %d calls of the model, %d bytes sent to it (some %d tokens), %d with every page in full (some %d), %.1f s", name, calls, bytes, bytes/4, whole, whole/4, took.Seconds())
		return calls, bytes, whole
	}
	calls, sent, whole := measure("with the model", "/api/runs", map[string]any{"prompt": "What did order 1219 cost?"})
	if calls != 5 || whole < sent*5/4 {
		t.Errorf("%d calls, %d bytes: pages that are outdated make no difference to %d", calls, sent, whole)
	}
	w.keep(1, 0)
	calls, sent, _ = s.taken()
	t.Logf("making the workflow: %d calls of the model, %d bytes", calls, sent)
	if calls, sent, _ = measure("as a replay", "/api/tasks/1/runs", map[string]any{}); calls != 0 || sent != 0 {
		t.Errorf("the replay has called the model %d times with %d bytes", calls, sent)
	}
	if used := w.read(2).Usage; fmt.Sprint(used) != "{0 0}" {
		t.Errorf("the replay says that it used %+v", used)
	}
}
