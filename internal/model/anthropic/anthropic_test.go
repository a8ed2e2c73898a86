package anthropic

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"

	"go.uber.org/goleak"

	"errand/internal/model/modeltest"
	"errand/internal/model/script"
	"errand/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "sk-ant-secret-0123456789"

// serving returns a client of a server that runs for the test.
func serving(t testing.TB, h http.Handler, change func(*Config)) *Client {
	t.Helper()
	server := httptest.NewServer(h)
	t.Cleanup(server.Close)
	cfg := Config{Name: "test", BaseURL: server.URL + "/v1", Key: secret}
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

func TestConformance(t *testing.T) {
	can := modeltest.Abilities{Scripted: true, Streams: true, Reasoning: true, Calls: true, Errors: true, Stalls: true, Usage: true, Carries: true}
	modeltest.Run(t, can, func(t *testing.T, lines []script.Line) modeltest.Model {
		return serving(t, modeltest.NewMessages(lines...), nil)
	})
}

func TestConnectionIsUsedAgain(t *testing.T) {
	seen := make(chan string, 5)
	provider := modeltest.NewMessages(script.Say("one two three"))
	client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen <- r.RemoteAddr
		provider.ServeHTTP(w, r)
	}), nil)
	var all []string
	for range 5 {
		if _, err := client.Reply(t.Context(), modeltest.Request(1), nil); err != nil {
			t.Fatal(err)
		}
		all = append(all, <-seen)
	}
	if len(slices.Compact(all)) != 1 {
		t.Errorf("five calls one after the other took the connections %v, want one", all)
	}
}

func TestRequestsGoToTheEndpointWithItsKey(t *testing.T) {
	t.Setenv("ANTHROPIC_API_KEY", "sk-ant-of-someone-else")
	t.Setenv("ANTHROPIC_BASE_URL", "http://127.0.0.1:1")
	seen := make(chan http.Header, 1)
	provider := modeltest.NewMessages(script.Say("hello"))
	client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/proxy/v1/messages" || r.URL.RawQuery != "team=a" {
			t.Errorf("the call went to %s", r.URL)
		}
		seen <- r.Header.Clone()
		provider.ServeHTTP(w, r)
	}), func(cfg *Config) {
		cfg.BaseURL = cfg.BaseURL[:len(cfg.BaseURL)-len("/v1")] + "/proxy/v1/?team=a"
		cfg.Headers = map[string]string{"X-Team": "billing"}
	})
	request := modeltest.Request(1)
	request.Trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	if _, err := client.Reply(t.Context(), request, nil); err != nil {
		t.Fatal(err)
	}
	got := <-seen
	for name, want := range map[string]string{"Traceparent": request.Trace, "X-Api-Key": secret, "X-Team": "billing", "Authorization": "", "User-Agent": "errand"} {
		if got.Get(name) != want {
			t.Errorf("header %s = %q, want %q", name, got.Get(name), want)
		}
	}
}

func TestList(t *testing.T) {
	client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet || r.URL.Path != "/v1/models" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		if r.URL.Query().Get("after_id") == "" {
			_, _ = w.Write([]byte(`{"data":[{"id":"claude-b","type":"model","display_name":"B"}],"has_more":true,"last_id":"claude-b"}`))
			return
		}
		_, _ = w.Write([]byte(`{"data":[{"id":"claude-a","type":"model","display_name":"A"}],"has_more":false,"last_id":"claude-a"}`))
	}), nil)
	names, err := client.List(t.Context())
	if err != nil || !slices.Equal(names, []string{"claude-b", "claude-a"}) {
		t.Errorf("List = %q, %v", names, err)
	}
}

func TestNewRefusesWhatCannotWork(t *testing.T) {
	for _, cfg := range []Config{
		{Name: "x"}, {Name: "x", BaseURL: "localhost:1"}, {Name: "x", BaseURL: "ftp://host/"}, {Name: "x", BaseURL: "http://a:b@host/"},
		{Name: "x", BaseURL: "http://host", Key: "a\r\nX-Evil: 1"},
	} {
		if _, err := New(cfg); err == nil {
			t.Errorf("New(%+v) = nil error", cfg)
		}
	}
}
