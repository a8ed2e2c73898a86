// Package you tests the API for You.com's clients from outside: the vendor's SDK
// with two versions of its validator, an EventSource, curl as the API's document
// has it, and the native API beside them.
//
// It promises that each test has a server, a model's endpoint and a search engine
// of its own, all on 127.0.0.1. What exactly is answered is held, byte for byte,
// in internal/api/you/testdata.
//
// To change what the SDK is made to ask, edit e2e/sdk/you.
package you

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// engine is a search engine of the SearXNG kind that knows one page.
type engine struct {
	*httptest.Server
	mu    sync.Mutex
	asked []string
}

const page = "https://en.wikipedia.org/wiki/Paris"

func newEngine(t *testing.T) *engine {
	e := &engine{}
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e.mu.Lock()
		e.asked = append(e.asked, r.URL.Query().Get("q"))
		e.mu.Unlock()
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(map[string]any{"results": []any{
			map[string]any{"url": page, "title": "Paris", "content": "Paris is the capital of France.", "thumbnail": "https://img.example/paris.jpg"},
		}})
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *engine) searches() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.asked)
}

// newWorld is a world with a search engine.
func newWorld(t *testing.T) (*rig.World, *engine) {
	w, e := rig.New(t), newEngine(t)
	w.Env["ERRAND_SEARXNG_URL"], w.Env["ERRAND_SEARCH"] = e.URL, "searxng"
	w.Model.Plays(playing)
	return w, e
}

// playing is what the model does: the word before the colon of the input says it.
func playing(c rig.Conversation) rig.Turn {
	wish, _, _ := strings.Cut(c.Prompt(), ":")
	call := func(name, arguments string) rig.Turn {
		return rig.Turn{Text: "One moment. ", Calls: []rig.ToolCall{{Name: name, Arguments: arguments}}}
	}
	results := c.Of("tool")
	switch {
	case wish == "search" && c.Step() == 0:
		return call("web.search", `{"query":"capital of France"}`)
	case wish == "compute" && c.Step() == 0:
		return call("compute", `{"expression":"6 * 7"}`)
	case wish == "compute":
		return rig.Turn{Text: "It says " + results[0].Text()}
	case wish == "mail" && c.Step() == 0:
		return call("email.send", `{"to":"ada@example.com","subject":"Hello","body":"Hello Ada"}`)
	case wish == "search":
		return rig.Turn{Text: "The capital is **Paris** [[1]](" + page + "), says Wikipedia, and not Lyon [[2]](https://nowhere.example)."}
	}
	return rig.Turn{Text: "The capital of France is **Paris**."}
}
