package you

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// serve stands before the world's model. What mine does not answer goes on to it.
func serve(t *testing.T, mine func(http.ResponseWriter, *http.Request, rig.Conversation) bool, w *rig.World) string {
	t.Helper()
	target, err := url.Parse(w.Model.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	proxy.FlushInterval = -1
	proxy.ErrorHandler = func(http.ResponseWriter, *http.Request, error) {} // a client that has gone
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		var asked rig.Conversation
		if json.Unmarshal(body, &asked) == nil && len(asked.Messages) > 0 && mine(rw, r, asked) {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		proxy.ServeHTTP(rw, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

// answer is what express answers in JSON.
type answer struct {
	ID     string
	Output []struct {
		Type    string
		Text    *string
		Content []object
	}
	Usage struct {
		Cost *float64 `json:"cost_usd"`
	}
}

// TestOneSearch: a model that asks for five searches in an express run gets one.
func TestOneSearch(t *testing.T) {
	for name, turns := range map[string]int{"in one turn": 1, "one a turn": 5} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, e := newWorld(t)
			w.Model.Plays(func(c rig.Conversation) rig.Turn {
				if c.Step() >= turns {
					return rig.Turn{Text: "Paris [[1]](" + page + ")."}
				}
				var turn rig.Turn
				for i := range 5 / turns {
					turn.Calls = append(turn.Calls, rig.ToolCall{Name: "web.search", Arguments: fmt.Sprintf(`{"query":"query %d of step %d"}`, i, c.Step())})
				}
				return turn
			})
			c := w.Start().Client()
			var got answer
			c.Post("/v1/agents/runs", object{"agent": "express", "input": "Capital of France?", "tools": list{object{"type": "web_search"}}}, &got)
			if n := e.searches(); n != 1 {
				t.Errorf("%d searches", n)
			}
			if len(got.Output) != 2 || got.Output[0].Type != "web_search.results" || *got.Output[1].Text != "Paris [[1]]("+page+")." {
				t.Errorf("%+v", got)
			}
			refused := 0
			for _, m := range w.Model.Calls()[turns].Of("tool") {
				if strings.Contains(m.Text(), "may call web.search once") {
					refused++
				}
			}
			if refused != 4 {
				t.Errorf("the model was told of %d refused searches: %+v", refused, w.Model.Calls()[turns].Of("tool"))
			}
		})
	}
}

// TestFirstFrame: it comes while the model still thinks.
func TestFirstFrame(t *testing.T) {
	w, _ := newWorld(t)
	c := w.Start().Client()
	var warm answer
	c.Post("/v1/agents/runs", object{"input": "Capital of France?"}, &warm)
	release := w.Model.Hold()
	begun := time.Now()
	stream := c.Follow("POST", "/v1/agents/runs", object{"input": "Capital of France?", "stream": true})
	first, err := stream.Next()
	took := time.Since(begun)
	if err != nil || first.Event != "response.created" || first.ID != "0" {
		t.Fatalf("%+v, %v", first, err)
	}
	// 50 ms are promised, which bench holds; here it must come by itself, and not with
	// the first heartbeat.
	if t.Logf("the first frame came after %s", took); took > 9*time.Second {
		t.Errorf("the first frame came after %s", took)
	}
	release()
	frames := stream.Rest()
	if last := frames[len(frames)-1]; last.Event != "response.done" || !strings.Contains(last.Data, `"finished":true`) {
		t.Errorf("%+v", last)
	}
}

// TestDisconnect: a client that goes ends its run, and the provider sees the call's
// connection close.
func TestDisconnect(t *testing.T) {
	for _, stream := range []bool{true, false} {
		t.Run(fmt.Sprintf("stream %t", stream), func(t *testing.T) {
			t.Parallel()
			w, _ := newWorld(t)
			asked, cut := make(chan struct{}), make(chan struct{})
			w.Env["OPENAI_BASE_URL"] = serve(t, func(_ http.ResponseWriter, r *http.Request, _ rig.Conversation) bool {
				close(asked)
				select {
				case <-r.Context().Done():
					close(cut)
				case <-time.After(rig.Patience):
				}
				return true
			}, w) + "/v1"
			s := w.Start()
			ctx, leave := context.WithCancel(t.Context())
			gone := make(chan struct{})
			go func() {
				defer close(gone)
				body := strings.NewReader(fmt.Sprintf(`{"input":"Capital of France?","stream":%t}`, stream))
				request, _ := http.NewRequestWithContext(ctx, "POST", s.URL+"/v1/agents/runs", body)
				request.Header.Set("X-API-Key", rig.AdminKey)
				client := &http.Client{Transport: &http.Transport{}}
				defer client.CloseIdleConnections()
				if got, err := client.Do(request); err == nil {
					_, _ = io.Copy(io.Discard, got.Body)
					got.Body.Close()
				}
			}()
			rig.Await(t, "the model's call", asked)
			leave()
			<-gone
			rig.Await(t, "the end of the model's call", cut)
			var runs struct {
				Data []struct{ ID, Status, Dialect string }
			}
			w.Eventually("the run's end", func() bool {
				s.Client().Get("/v1/runs?dialect=you", &runs)
				return len(runs.Data) == 1 && runs.Data[0].Status == "cancelled"
			})
		})
	}
}

// TestNative: the runs are runs: listed, traced, priced, streamed and cancelled.
func TestNative(t *testing.T) {
	w, _ := newWorld(t)
	settings := filepath.Join(w.Dir, "you.yaml")
	if err := os.WriteFile(settings, []byte("prices: {openai/*: {input: 1, output: 2}}\nyou: {answer_type: chat_node.answer}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.Env["ERRAND_CONFIG"] = settings
	c := w.Start().Client()
	var got answer
	made := c.Post("/v1/agents/runs", object{"input": "search: capital of France"}, &got)
	if got.Usage.Cost == nil || *got.Usage.Cost <= 0 || made.Header.Get("X-Errand-Run") != got.ID || got.Output[1].Type != "chat_node.answer" {
		t.Errorf("%s", made.Body)
	}
	var runs struct {
		Data []struct{ ID, Dialect, Status string }
	}
	c.Get("/v1/runs?dialect=you", &runs)
	if len(runs.Data) != 1 || runs.Data[0].ID != got.ID || runs.Data[0].Dialect != "you" {
		t.Errorf("%+v", runs)
	}
	var whole struct {
		Trace []struct{ Type string }
		Usage struct {
			Cost *float64 `json:"cost_usd"`
		}
	}
	c.Get("/v1/runs/"+got.ID, &whole)
	if len(whole.Trace) < 3 || whole.Usage.Cost == nil || *whole.Usage.Cost != *got.Usage.Cost {
		t.Errorf("%+v", whole)
	}
	if frames := c.Stream(got.ID, "").Rest(); !frames[len(frames)-1].Ended() {
		t.Errorf("%+v", frames)
	}

	release := w.Model.Hold()
	defer release()
	stream := c.Follow("POST", "/v1/agents/runs", object{"input": "Capital of France?", "stream": true})
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}
	id := stream.Header.Get("X-Errand-Run")
	c.Post("/v1/runs/"+id+"/cancel", object{"reason": "Enough."}, nil)
	frames := stream.Rest()
	if last := frames[len(frames)-1]; !strings.Contains(last.Data, `"finished":false`) || !strings.Contains(last.Data, `"code":"cancelled"`) {
		t.Errorf("%+v", last)
	}
	c.Until(id, "cancelled")
}

// TestDocument: the document's two commands, verbatim but for address and key, and
// its example of a bad request.
func TestDocument(t *testing.T) {
	w, _ := newWorld(t)
	s := w.Start()
	fits := func(script string, wants ...string) {
		t.Helper()
		script = strings.NewReplacer("https://api.you.com", s.URL, "<token>", rig.AdminKey, "YOUR_API_KEY", rig.AdminKey).Replace(script)
		out, err := exec.CommandContext(t.Context(), "bash", "-c", script).Output()
		if err != nil {
			t.Fatalf("%s: %v", script, err)
		}
		for _, want := range wants {
			if !strings.Contains(string(out), want) {
				t.Errorf("%q is not in %s", want, out)
			}
		}
	}
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is not installed")
	}
	fits(`curl --request POST \
  --url https://api.you.com/v1/agents/runs \
  --header 'Authorization: Bearer <token>' \
  --header 'Content-Type: application/json' \
  --data '{
  "agent": "express",
  "input": "What is the capital of France?"
}'`, `"output":[{"type":"message.answer","text":"The capital of France is **Paris**.","content":null,"agent":"express"}]`)
	fits(`curl -N \
  -H "Authorization: Bearer YOUR_API_KEY" \
  -H "Accept: text/event-stream" \
  -H "Content-Type: application/json" \
  -X POST https://api.you.com/v1/agents/runs \
  -d '{
    "agent": "express",
    "input": "What is the capital of France?",
    "stream": true
  }'`, "id: 0\nevent: response.created\ndata: {\"seq_id\":0,\"type\":\"response.created\"}\n\nid: 1\nevent: response.starting\n",
		"event: response.output_text.delta\n", `"finished":true}}`)
	fits(`curl -s -o /dev/null -w '%{http_code} %{content_type}' -H "X-API-Key: YOUR_API_KEY" https://api.you.com/v1/agents/runs -d '{"input":"a","tools":["web_search"]}'`, "400 application/json")
}

// TestOffline: without a provider, a search engine or a network, each agent answers.
func TestOffline(t *testing.T) {
	w := rig.New(t)
	w.Offline()
	c := w.Start().Client()
	c.Post("/v1/index", object{"name": "facts", "documents": list{object{"path": "france.md", "content": "# France\nThe capital of France is Paris."}}}, nil)
	ask := func(body object, want string, items int) {
		t.Helper()
		var got answer
		a := c.Post("/v1/agents/runs", body, &got)
		if n := len(got.Output); n != items || !strings.Contains(*got.Output[n-1].Text, want) {
			t.Errorf("%v: %s", body, a.Body)
		}
	}
	ask(object{"input": "What is the capital of France?", "tools": list{object{"type": "web_search"}}}, "The capital of France is Paris. [[1]](index://facts/france.md)", 2)
	ask(object{"input": "What is the capital of France?"}, "Paris", 2)
	ask(object{"input": "What is the population of Mars?", "tools": list{object{"type": "web_search"}}}, "not based on sources", 1)
	ask(object{"agent": "advanced", "input": "What is (12 + 3) * 7?", "tools": list{object{"type": "compute"}}}, "105", 1)
	ask(object{"agent": "advanced", "input": "What is the capital of France?", "tools": list{object{"type": "research"}}}, "Paris", 2)
	ask(object{"agent": "advanced", "input": "Hello"}, "offline", 1)
}
