package openai

import (
	"net/http"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/modeltest"
	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// wishes are all parameters at once, as a caller sets them.
func wishes() run.Params {
	half, seed := 0.5, int64(7)
	return run.Params{
		Temperature: &half, TopP: &half, MaxTokens: 9, Effort: "low", Thinking: 800, TopK: 40,
		Frequency: &half, Presence: &half, Seed: &seed, Stop: []string{"END", "\"stop\""},
	}
}

// TestParametersByProvider: each provider gets what its documents have, under the
// name that they give it; what they do not have is refused by name if the caller
// set it, and left out if a default did.
func TestParametersByProvider(t *testing.T) {
	const local, home = "http://127.0.0.1:1/v1", "https://api.openai.com/v1"
	for name, c := range map[string]struct {
		base, kind string
		without    []string // names in run.Params
		wire       string   // of what is sent besides the common ones
	}{
		"openai":   {home, "openai", []string{"thinking", "top_k"}, `{"max_completion_tokens":9,"seed":7}`},
		"own":      {local, "", []string{"thinking"}, `{"max_tokens":9,"seed":7,"top_k":40}`},
		"together": {local, "together", []string{"thinking"}, `{"max_tokens":9,"seed":7,"top_k":40}`},
		"google":   {local, Google, []string{"top_k"}, `{"max_tokens":9,"seed":7,"extra_body":{"google":{"thinking_config":{"thinking_budget":800}}}}`},
		"deepseek": {local, DeepSeek, []string{"thinking", "top_k", "seed"}, `{"max_tokens":9}`},
		"groq":     {local, Groq, []string{"thinking", "top_k"}, `{"max_tokens":9,"seed":7}`},
		"mistral":  {local, Mistral, []string{"thinking", "top_k"}, `{"max_tokens":9,"random_seed":7}`},
		"ollama":   {local, Ollama, []string{"thinking", "top_k"}, `{"max_tokens":9,"seed":7}`},
	} {
		t.Run(name, func(t *testing.T) {
			client, err := New(Config{Name: "test", BaseURL: c.base, Kind: c.kind})
			if err != nil {
				t.Fatal(err)
			}
			req := &run.Request{Model: "m", Messages: []run.Message{{Role: run.User, Text: "Hi"}}, Params: wishes()}
			for _, one := range c.without { // each alone: the first that is found is the one that is named
				alone := wishes()
				for _, other := range c.without {
					if other != one {
						alone.Defaults = append(alone.Defaults, other)
					}
				}
				asked := *req
				asked.Params = alone
				_, err := client.Reply(t.Context(), &asked, nil)
				if !problem.Is(err, problem.ModelRefused) || problem.From(err).Fields[one] == "" {
					t.Errorf("%s, set by the caller: %v", one, err)
				}
			}
			req.Params.Defaults = c.without
			if name := remote.Unheard(&req.Params, client.never); name != "" {
				t.Errorf("%s, set by a default, is refused", name)
			}
			text := client.encode(req, remote.NewNames(nil), client.never)
			body := parsed(t, string(text)).(map[string]any)
			for _, common := range []string{"model", "messages", "stream", "stream_options"} {
				delete(body, common)
			}
			want := parsed(t, c.wire).(map[string]any)
			for wire, value := range map[string]any{
				"temperature": 0.5, "top_p": 0.5, "reasoning_effort": "low", "frequency_penalty": 0.5, "presence_penalty": 0.5,
				"stop": []any{"END", "\"stop\""},
			} {
				want[wire] = value
			}
			if diff := cmp.Diff(want, body); diff != "" {
				t.Errorf("parameters (-want +got):\n%s", diff)
			}
		})
	}
}

// TestARefusedParameter is learned when a default had set it, and named when the
// caller had, whatever the provider calls it.
func TestARefusedParameter(t *testing.T) {
	for own, says := range map[string]string{
		"top_k":             `{"error":{"message":"property 'top_k' is unsupported","type":"invalid_request_error"}}`,
		"frequency_penalty": `{"error":{"message":"Unsupported parameter","param":"frequency_penalty"}}`,
		"presence_penalty":  `{"error":{"message":"presence_penalty is not for reasoning models"}}`,
		"seed":              `{"detail":[{"type":"extra_forbidden","loc":["body","random_seed"],"msg":"Extra inputs are not permitted"}]}`,
		"stop":              `{"error":{"message":"Unsupported parameter: 'stop' is not supported with this model.","param":"stop"}}`,
		"effort":            `{"error":{"message":"Unrecognized request argument supplied: reasoning_effort"}}`,
	} {
		t.Run(own, func(t *testing.T) {
			asked := 0
			client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				if asked++; asked == 1 {
					w.WriteHeader(http.StatusBadRequest)
					_, _ = w.Write([]byte(says))
					return
				}
				_, _ = w.Write([]byte(`{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}`))
			}), nil)
			req := modeltest.Request(1)
			req.Params = wishes()
			req.Params.Thinking = 0
			_, err := client.Reply(t.Context(), req, nil)
			if !problem.Is(err, problem.ModelRefused) || problem.From(err).Fields[own] == "" || asked != 1 {
				t.Errorf("set by the caller: %v after %d requests", err, asked)
			}
			asked = 0
			req.Params.Defaults = []string{own}
			if reply, err := client.Reply(t.Context(), req, nil); err != nil || reply.Text != "ok" || asked != 2 {
				t.Errorf("set by a default: %v after %d requests", err, asked)
			}
		})
	}
}
