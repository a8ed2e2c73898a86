package openai

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/model/modeltest"
	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

func answering(status int, body string, headers ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(headers); i += 2 {
			w.Header().Set(headers[i], headers[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestProviderErrors(t *testing.T) {
	for _, c := range []struct {
		name   string
		status int
		body   string
		code   problem.Code
		quotes string // what the public detail must have
	}{
		{"OpenAI", 400, `{"error":{"message":"Invalid 'messages[1].role'.","type":"invalid_request_error","param":"messages[1].role","code":null}}`, problem.ModelRefused, "Invalid 'messages[1].role'."},
		{"OpenAI key", 401, `{"error":{"message":"Incorrect API key provided: sk-secre****6789.","code":"invalid_api_key"}}`, problem.ModelAuth, "API key"},
		{"OpenAI quota", 429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`, problem.ModelRefused, "out of credit"},
		{"OpenAI rate", 429, `{"error":{"message":"Rate limit reached","type":"requests","code":"rate_limit_exceeded"}}`, problem.ModelRateLimited, "Rate limit reached"},
		{"OpenAI context", 400, `{"error":{"message":"maximum context length is 8192 tokens, lower max_tokens","param":"messages","code":"context_length_exceeded"}}`, problem.ModelRefused, "maximum context length"},
		{"Ollama", 404, `{"error":"model 'nope' not found"}`, problem.ModelRefused, "model 'nope' not found"},
		{"vLLM", 400, `{"object":"error","message":"bad request here","type":"BadRequestError","param":null,"code":400}`, problem.ModelRefused, "bad request here"},
		{"FastAPI", 422, `{"detail":[{"loc":["body","messages",0,"role"],"msg":"field required","type":"value_error.missing"}]}`, problem.ModelRefused, "role: field required"},
		{"FastAPI in short", 503, `{"detail":"still loading"}`, problem.ModelUnavailable, "still loading"},
		{"Mistral", 422, `{"object":"error","message":{"detail":[{"loc":["body","n"],"msg":"too many","type":"x"}]},"type":"invalid_request_error"}`, problem.ModelRefused, "n: too many"},
		{"Google", 429, `[{"error":{"code":429,"message":"Quota exceeded","status":"RESOURCE_EXHAUSTED"}}]`, problem.ModelRateLimited, "Quota exceeded"},
		{"plain text", 500, "upstream   went\naway", problem.ModelUnavailable, "upstream went away"},
		{"HTML", 502, "<html><h1>Bad Gateway</h1></html>", problem.ModelUnavailable, "HTTP 502"},
		{"empty", 503, "", problem.ModelUnavailable, "HTTP 503"},
		{"payment", 402, `{"error":{"message":"Insufficient Balance"}}`, problem.ModelRefused, "out of credit"},
		{"forbidden", 403, "", problem.ModelAuth, "HTTP 403"},
		{"timeout", 408, "", problem.ModelUnavailable, "HTTP 408"},
		{"conflict", 409, "", problem.ModelUnavailable, "HTTP 409"},
		{"too large", 413, "", problem.ModelRefused, "HTTP 413"},
		{"overloaded", 529, "", problem.ModelUnavailable, "HTTP 529"},
		{"in a 200", 200, `{"error":{"message":"Provider returned error","code":502}}`, problem.ModelUnavailable, "Provider returned error"},
		{"in a 200, vLLM", 200, `{"object":"error","message":"no such thing","code":404}`, problem.ModelRefused, "no such thing"},
		{"in a stream", 200, delta(`{"content":"a"}`) + `data: {"error":{"message":"slow down","type":"rate_limit_error"}}` + "\n\n", problem.ModelRateLimited, "slow down"},
		{"in a stream, as an event", 200, delta(`{"content":"a"}`) + "event: error\ndata: {\"error\":\"out of memory\"}\n\n", problem.ModelUnavailable, "out of memory"},
		{"in a stream, bare", 200, delta(`{"content":"a"}`) + `{"error":{"message":"crash"}}`, problem.ModelUnavailable, "crash"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := collect(t, serving(t, answering(c.status, c.body), nil), modeltest.Request(1))
			if !problem.Is(err, c.code) {
				t.Fatalf("error = %v, want code %s", err, c.code)
			}
			if detail := problem.From(err).Detail; !strings.Contains(detail, c.quotes) {
				t.Errorf("detail %q lacks %q", detail, c.quotes)
			}
		})
	}
}

// Whatever a provider says, the key is not passed on.
func TestTheKeyStaysPrivate(t *testing.T) {
	const key = "sk-proj/Az09+Qw_erTy=uiOp-0123456789"
	for _, body := range []string{
		`{"error":{"message":"bad header: Authorization: Bearer ` + key + `"}}`,
		"got " + key[:14] + "…", "ends with " + key[len(key)-12:], strings.Repeat("x", 290) + key,
		"basic " + base64.StdEncoding.EncodeToString([]byte("user:"+key)),
		"query ?key=sk-proj%2FAz09%2BQw_erTy%3DuiOp-0123456789",
	} {
		for _, status := range []int{400, 401, 429, 500} {
			client := serving(t, answering(status, body), func(cfg *Config) { cfg.Key = key })
			_, err := collect(t, client, modeltest.Request(1))
			detail := problem.From(err).Detail
			for i := 0; i+remote.ShortestLeak <= len(key); i++ {
				if strings.Contains(detail, key[i:i+remote.ShortestLeak]) {
					t.Errorf("HTTP %d: the detail %q has a piece of the key", status, detail)
					break
				}
			}
		}
	}
}

// A refusal inside an answer is told and not mended: a second call would say
// again what was already shown.
func TestRefusalInsideAnAnswer(t *testing.T) {
	calls := 0
	stream := delta(`{"content":"a"}`) + `data: {"error":{"message":"no temperature","param":"temperature","code":400}}` + "\n\n"
	client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		calls++
		answering(200, stream)(w, r)
	}), nil)
	req := modeltest.Request(1)
	req.Params = run.Params{Temperature: ptr(0.5), Defaults: []string{"temperature"}}
	if _, err := collect(t, client, req); !problem.Is(err, problem.ModelRefused) || calls != 1 {
		t.Errorf("%d calls, error %v", calls, err)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 6, 1, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		header, value string
		want          time.Duration
	}{
		{"Retry-After", "7", 7 * time.Second},
		{"Retry-After", "0.5", 500 * time.Millisecond},
		{"Retry-After", now.Add(90 * time.Second).Format(http.TimeFormat), 90 * time.Second},
		{"Retry-After", now.Add(-time.Hour).Format(http.TimeFormat), 0},
		{"Retry-After", "-3", 0}, {"Retry-After", "soon", 0}, {"Retry-After", "NaN", 0},
		{"Retry-After", "1e300", 365 * 24 * time.Hour},
		{"Retry-After-Ms", "1500", 1500 * time.Millisecond},
	} {
		client := serving(t, answering(429, "{}", c.header, c.value), func(cfg *Config) { cfg.Now = func() time.Time { return now } })
		_, err := collect(t, client, modeltest.Request(1))
		if got := problem.From(err).RetryAfter; got != c.want {
			t.Errorf("%s: %s gave %s, want %s", c.header, c.value, got, c.want)
		}
	}
}

func TestUnreachable(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	server.Close()
	client, err := New(Config{Name: "gone", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	_, err = client.Reply(t.Context(), modeltest.Request(1), nil)
	if !problem.Is(err, problem.ModelUnavailable) || !strings.Contains(problem.From(err).Detail, "gone") {
		t.Errorf("error = %v", err)
	}
}

// A redirect is not followed, so no other origin sees the key or the prompt.
func TestRedirectIsNotFollowed(t *testing.T) {
	reached := make(chan struct{}, 1)
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { reached <- struct{}{} }))
	defer other.Close()
	for _, status := range []int{301, 302, 307, 308} {
		client := serving(t, answering(status, "", "Location", other.URL), nil)
		_, err := collect(t, client, modeltest.Request(1))
		if !problem.Is(err, problem.ModelRefused) || !strings.Contains(problem.From(err).Detail, "redirect") {
			t.Errorf("HTTP %d: error = %v", status, err)
		}
	}
	select {
	case <-reached:
		t.Error("the redirect was followed")
	default:
	}
}

// picky is a provider that refuses parameters, one a time, as OpenAI says it.
type picky struct {
	refuses []string
	say     func(param string) string
	mu      sync.Mutex
	bodies  []map[string]any
}

func (p *picky) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var body map[string]any
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.mu.Lock()
	p.bodies = append(p.bodies, body)
	p.mu.Unlock()
	for _, param := range p.refuses {
		if _, has := body[param]; has {
			answering(400, p.say(param))(w, r)
			return
		}
	}
	_, _ = io.WriteString(w, delta(`{"content":"{}"}`)+ended("stop")+done)
}

func TestRefusedParameters(t *testing.T) {
	openAI := func(param string) string {
		return fmt.Sprintf(`{"error":{"message":"Unsupported value: '%s' does not support 0.2.","param":%q,"code":"unsupported_value"}}`, param, param)
	}
	spelling := func(string) string {
		return `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.","param":"max_tokens"}}`
	}
	fastAPI := func(param string) string {
		return fmt.Sprintf(`{"detail":[{"type":"extra_forbidden","loc":["body",%q],"msg":"Extra inputs are not permitted"}]}`, param)
	}
	words := func(param string) string { return "`" + param + "` is not supported by this model" }
	all := run.Params{Temperature: ptr(0.2), TopP: ptr(0.9), MaxTokens: 50, Effort: "low"}
	defaults := all
	defaults.Defaults = []string{"temperature", "top_p", "max_tokens", "effort"}

	for _, c := range []struct {
		name    string
		refuses []string
		say     func(string) string
		params  run.Params
		calls   int    // that the first Reply takes; every later one takes one
		field   string // that the refusal names; empty = it works
	}{
		{"a default is dropped", []string{"temperature"}, openAI, defaults, 2, ""},
		{"so are all of them", []string{"temperature", "top_p", "reasoning_effort", "max_tokens"}, openAI, defaults, 5, ""},
		{"found by its words", []string{"top_p"}, words, defaults, 2, ""},
		{"found by its place", []string{"temperature"}, fastAPI, defaults, 2, ""},
		{"the caller's is named", []string{"temperature"}, openAI, all, 1, "temperature"},
		{"the caller's effort is named", []string{"reasoning_effort"}, openAI, all, 1, "effort"},
		{"the other spelling is tried", []string{"max_tokens"}, spelling, all, 2, ""},
		{"then it is named", []string{"max_tokens", "max_completion_tokens"}, spelling, all, 2, "max_tokens"},
		{"stream_options is ours", []string{"stream_options"}, fastAPI, all, 2, ""},
		{"a schema is asked for in words", []string{"response_format"}, words, all, 2, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			provider := &picky{refuses: c.refuses, say: c.say}
			client := serving(t, provider, nil)
			req := modeltest.Request(1)
			req.Params, req.Output = c.params, []byte(`{"type":"object"}`)
			for n := range 2 {
				_, err := collect(t, client, req)
				if c.field == "" && err != nil {
					t.Fatal(err)
				}
				if c.field != "" && (!problem.Is(err, problem.ModelRefused) || problem.From(err).Fields[c.field] == "" || !strings.Contains(problem.From(err).Detail, c.field)) {
					t.Fatalf("error = %v, want model_refused that names %s", err, c.field)
				}
				if got := len(provider.bodies); got != c.calls+n {
					t.Errorf("after reply %d the provider was called %d times, want %d", n+1, got, c.calls+n)
				}
			}
			last := provider.bodies[len(provider.bodies)-1]
			if c.name == "a schema is asked for in words" && !strings.Contains(fmt.Sprint(last["messages"]), "JSON schema") {
				t.Errorf("the schema is not in the messages: %v", last["messages"])
			}
			if c.field == "" {
				caller := req
				caller.Params.Defaults = nil
				if _, err := collect(t, client, caller); len(c.params.Defaults) > 0 && !problem.Is(err, problem.ModelRefused) {
					t.Errorf("what was learned from a default was held against a caller: %v", err)
				}
			}
		})
	}
}

// TestErrorsStayApart: an error within a stream is told to its own call, whoever reads
// with the same reader next.
func TestErrorsStayApart(t *testing.T) {
	echo := func(w http.ResponseWriter, r *http.Request) {
		var asked struct {
			Messages []struct{ Content string }
		}
		if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) != 1 {
			t.Errorf("%+v, %v", asked, err)
			return
		}
		w.Header().Set("Content-Type", "text/event-stream")
		fmt.Fprintf(w, "data: {\"error\":{\"message\":%q}}\n\n", asked.Messages[0].Content)
	}
	server := httptest.NewServer(http.HandlerFunc(echo))
	defer server.Close()
	client, err := New(Config{Name: "test", BaseURL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	var all sync.WaitGroup
	for i := range 8 {
		mine := fmt.Sprintf("the error of caller %d", i)
		all.Go(func() {
			for range 100 {
				_, err := client.Reply(t.Context(), &run.Request{Model: "m", Messages: []run.Message{{Role: run.User, Text: mine}}}, nil)
				if err == nil || !strings.Contains(problem.From(err).Detail, mine) {
					t.Errorf("%q was told %v", mine, err)
					return
				}
			}
		})
	}
	all.Wait()
}
