package openai

import (
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"errand/internal/model/modeltest"
	"errand/internal/model/script"
	"errand/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// serving returns a client of a server that runs for the test.
func serving(t testing.TB, h http.Handler, change func(*Config)) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	cfg := Config{Name: "test", BaseURL: server.URL + "/v1", Key: "sk-secret-0123456789"}
	if change != nil {
		change(&cfg)
	}
	client, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestConformance(t *testing.T) {
	streamed := modeltest.Abilities{Scripted: true, Streams: true, Reasoning: true, Calls: true, Errors: true, Stalls: true, Usage: true}
	whole := streamed
	whole.Streams, whole.Stalls = false, false
	signed, signedWhole := streamed, whole
	signed.Carries, signedWhole.Carries = true, true
	for name, c := range map[string]struct {
		can   modeltest.Abilities
		kind  string
		whole bool
	}{
		"streamed": {streamed, "", false}, "whole": {whole, "", true},
		"google streamed": {signed, Google, false}, "google whole": {signedWhole, Google, true},
		"deepseek": {streamed, DeepSeek, false}, "mistral": {streamed, Mistral, false}, "groq": {streamed, Groq, false}, "ollama": {streamed, Ollama, false},
	} {
		t.Run(name, func(t *testing.T) {
			modeltest.Run(t, c.can, func(t *testing.T, lines []script.Line) modeltest.Model {
				provider := modeltest.NewProvider(lines...)
				provider.Signed = c.kind == Google
				return serving(t, provider, func(cfg *Config) { cfg.Whole, cfg.Kind = c.whole, c.kind })
			})
		})
	}
}

var update = flag.Bool("update", false, "write the outcomes into the recordings")

func TestRecordings(t *testing.T) {
	modeltest.Recordings(t, "testdata", *update, func(t *testing.T, name string, server http.Handler) modeltest.Model {
		kind, _, _ := strings.Cut(name, "_")
		return serving(t, server, func(cfg *Config) { cfg.Kind = kind })
	})
}

func TestConnectionIsUsedAgain(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]bool{}
	provider := modeltest.NewProvider(script.Say("one two three"))
	client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		seen[r.RemoteAddr] = true
		mu.Unlock()
		provider.ServeHTTP(w, r)
	}), nil)
	for range 5 {
		if _, err := client.Reply(t.Context(), modeltest.Request(1), nil); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen) != 1 {
		t.Errorf("five calls one after the other took %d connections, want 1", len(seen))
	}
}

func TestRequestsGoToTheEndpointWithItsKey(t *testing.T) {
	seen := make(chan *http.Request, 1)
	provider := modeltest.NewProvider(script.Say("hello"))
	client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.Clone(context.Background())
		provider.ServeHTTP(w, r)
	}), func(cfg *Config) {
		cfg.BaseURL += "/?api-version=3"
		cfg.Headers = map[string]string{"X-Team": "billing"}
	})
	if _, err := client.Reply(t.Context(), modeltest.Request(1), nil); err != nil {
		t.Fatal(err)
	}
	got := <-seen
	want := []string{"POST", "/v1/chat/completions", "api-version=3", "Bearer sk-secret-0123456789", "application/json", "billing"}
	have := []string{got.Method, got.URL.Path, got.URL.RawQuery, got.Header.Get("Authorization"), got.Header.Get("Content-Type"), got.Header.Get("X-Team")}
	if diff := cmp.Diff(want, have); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestList(t *testing.T) {
	client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/v1/models" {
			http.NotFound(w, r)
			return
		}
		_, _ = w.Write([]byte(`{"object":"list","data":[{"id":"b"},{"id":"a/c"},{}]}`))
	}), nil)
	names, err := client.List(t.Context())
	if err != nil || !slices.Equal(names, []string{"b", "a/c"}) {
		t.Errorf("List = %q, %v", names, err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for _, cfg := range []Config{
		{Name: "x"}, {Name: "x", BaseURL: "localhost:11434"}, {Name: "x", BaseURL: "ftp://host/"},
		{Name: "x", BaseURL: "http://host", Key: "a\r\nX-Evil: 1"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("New(%+v) = nil error", cfg)
		}
	}
}

// collect makes a call and checks that deltas and reply agree.
func collect(t *testing.T, client *Client, req *run.Request) (run.Reply, error) {
	t.Helper()
	var deltas []run.Delta
	reply, err := client.Reply(t.Context(), req, func(d run.Delta) { deltas = append(deltas, d) })
	if err == nil {
		modeltest.Consistent(t, reply, deltas)
	}
	return reply, err
}
