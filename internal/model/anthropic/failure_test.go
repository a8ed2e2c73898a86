package anthropic

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/internal/model/modeltest"
	"errand/internal/model/remote"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// picky is a provider that refuses some requests, by what is in them, and answers
// the others.
func picky(refuse func(body map[string]any) string) (http.Handler, *int) {
	provider, asked := modeltest.NewMessages(script.Say("done")), 0
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		text, err := io.ReadAll(r.Body)
		var body map[string]any
		if err != nil || json.Unmarshal(text, &body) != nil {
			return
		}
		if message := refuse(body); message != "" {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprintf(w, `{"type":"error","error":{"type":"invalid_request_error","message":%q}}`, message)
			return
		}
		r.Body = io.NopCloser(strings.NewReader(string(text)))
		provider.ServeHTTP(w, r)
	}), &asked
}

// field is what stands at a path of the request.
func field(body map[string]any, path ...string) any {
	var at any = body
	for _, name := range path {
		node, ok := at.(map[string]any)
		if !ok {
			return nil
		}
		at = node[name]
	}
	return at
}

// The generations of models, by what each says to what it does not take.
func fable(body map[string]any) string {
	if field(body, "thinking", "type") == "enabled" {
		return `"thinking.type.enabled" is not supported for this model. Use "thinking.type.adaptive" and "output_config.effort" to control thinking behavior.`
	}
	if body["temperature"] != nil {
		return "temperature is deprecated for this model."
	}
	return ""
}

func haiku(body map[string]any) string {
	switch {
	case field(body, "output_config", "effort") != nil:
		return "This model does not support the effort parameter."
	case field(body, "thinking", "type") == "adaptive":
		return "adaptive thinking is not supported on this model"
	case field(body, "output_config", "format") != nil:
		return "output_config.format: Extra inputs are not permitted"
	}
	return ""
}

func ancient(body map[string]any) string {
	if max, _ := body["max_tokens"].(float64); max > 4096 {
		return fmt.Sprintf("max_tokens: %.0f > 4096, which is the maximum allowed number of output tokens for claude-3", max)
	}
	return ""
}

func TestWhatAModelDoesNotTake(t *testing.T) {
	warm := 0.3
	schema := []byte(`{"type":"object","properties":{},"additionalProperties":false}`)
	for name, c := range map[string]struct {
		model   func(map[string]any) string
		params  run.Params
		output  []byte
		asked   int    // requests of the first call; the second makes one
		refused string // the field that is named instead
	}{
		"a budget, adaptive only":   {fable, run.Params{Thinking: 4000}, nil, 2, ""},
		"effort, adaptive only":     {fable, run.Params{Effort: "high"}, nil, 1, ""},
		"effort, budgets only":      {haiku, run.Params{Effort: "high"}, nil, 2, ""},
		"a default temperature":     {fable, run.Params{Temperature: &warm, Defaults: []string{"temperature"}}, nil, 2, ""},
		"the caller's temperature":  {fable, run.Params{Temperature: &warm}, nil, 1, "temperature"},
		"a schema":                  {haiku, run.Params{}, schema, 2, ""},
		"our own length":            {ancient, run.Params{}, nil, 2, ""},
		"the caller's length":       {ancient, run.Params{MaxTokens: 9000}, nil, 1, "max_tokens"},
		"an effort of no such name": {func(map[string]any) string { return "output_config.effort: Input should be 'low', 'medium' or 'high'" }, run.Params{Effort: "vast"}, nil, 1, "effort"},
		"a budget that is too small": {func(map[string]any) string {
			return "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024"
		}, run.Params{Thinking: 3}, nil, 1, "thinking"},
		"what is never there": {func(map[string]any) string { return "" }, run.Params{Presence: &warm}, nil, 0, "presence_penalty"},
	} {
		t.Run(name, func(t *testing.T) {
			handler, asked := picky(c.model)
			client := serving(t, handler, nil)
			req := modeltest.Request(1)
			req.Params, req.Output = c.params, c.output
			reply, err := collect(t, client, req)
			if *asked != c.asked {
				t.Errorf("%d requests were made, want %d", *asked, c.asked)
			}
			if c.refused != "" {
				if !problem.Is(err, problem.ModelRefused) || problem.From(err).Fields[c.refused] == "" {
					t.Errorf("error = %v, want a refusal of %s", err, c.refused)
				}
				return
			}
			if err != nil || reply.Text != "done" {
				t.Fatalf("%q, %v", reply.Text, err)
			}
			before := *asked
			if _, err := collect(t, client, req); err != nil || *asked != before+1 {
				t.Errorf("the second call took %d requests, %v", *asked-before, err)
			}
		})
	}
}

// TestThoughtsThatAreNotTakenBack are left out, for this call alone: a
// conversation never stands still for them.
func TestThoughtsThatAreNotTakenBack(t *testing.T) {
	handler, asked := picky(func(body map[string]any) string {
		if text, err := json.Marshal(body["messages"]); err == nil && strings.Contains(string(text), `"signature"`) {
			return "messages.1.content.0: Invalid `signature` in `thinking` block"
		}
		return ""
	})
	client := serving(t, handler, nil)
	req := modeltest.Request(2)
	req.Params.Thinking = 2000
	req.Messages = append(req.Messages, run.Message{
		Role: run.Assistant, Reasoning: "Hm.", Text: "Well.",
		Carry: []byte(`{"by":"anthropic","model":"test-model","blocks":[{"k":"thinking","n":3,"s":"old"},{"k":"text","n":5}]}`),
	}, run.Message{Role: run.User, Text: "And?"})
	for want := 2; want <= 4; want += 2 { // it is not remembered: the next conversation is another one
		_, err := client.Reply(t.Context(), req, nil)
		if *asked != want || err == nil || !strings.Contains(err.Error(), "no line for this step") { // the provider's next word
			t.Errorf("after %d requests: %v", *asked, err)
		}
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		status int
		kind   string
		says   string
		code   problem.Code
	}{
		{400, "invalid_request_error", "messages.1.content.0: thinking is not an input", problem.ModelRefused},
		{400, "invalid_request_error", "Your credit balance is too low", problem.ModelRefused},
		{401, "authentication_error", "invalid x-api-key " + secret, problem.ModelAuth},
		{402, "billing_error", "pay", problem.ModelRefused},
		{403, "permission_error", "no", problem.ModelAuth},
		{404, "not_found_error", "model: claude-nope", problem.ModelRefused},
		{413, "request_too_large", "Request exceeds the maximum size", problem.ModelRefused},
		{429, "rate_limit_error", "slow down", problem.ModelRateLimited},
		{500, "api_error", "Internal server error", problem.ModelUnavailable},
		{504, "timeout_error", "late", problem.ModelUnavailable},
		{529, "overloaded_error", "Overloaded " + secret[:12], problem.ModelUnavailable},
		{307, "", "elsewhere", problem.ModelRefused},
	} {
		t.Run(fmt.Sprint(c.status, " ", c.says), func(t *testing.T) {
			asked := 0
			client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				asked++
				w.Header().Set("Content-Type", "application/json")
				w.Header().Set("Retry-After", "3")
				w.Header().Set("X-Should-Retry", "true")
				w.Header().Set("Location", "/elsewhere")
				w.WriteHeader(c.status)
				fmt.Fprintf(w, `{"type":"error","error":{"type":%q,"message":%q},"request_id":"req_1"}`, c.kind, c.says)
			}), nil)
			req := modeltest.Request(1)
			req.Params.Thinking = 2000
			_, err := client.Reply(t.Context(), req, nil)
			failure := problem.From(err)
			if failure.Code != c.code || failure.RetryAfter != 3*time.Second {
				t.Errorf("error = %v, retry after %s; want %s", err, failure.RetryAfter, c.code)
			}
			if strings.Contains(failure.Detail, secret[:remote.ShortestLeak]) {
				t.Errorf("the key is in %q", failure.Detail)
			}
			if asked != 1 {
				t.Errorf("%d requests were made; nothing is to be repeated here", asked)
			}
		})
	}
}

// TestStreamsThatBreak are answers that end, swell or stand still.
func TestStreamsThatBreak(t *testing.T) {
	const begin = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\n" +
		"event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"Hel\"}}\n\n"
	const finish = "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":5}}\n\n"
	limits := remote.Timeouts{First: 200 * time.Millisecond, Silence: 100 * time.Millisecond, Tail: 50 * time.Millisecond, Total: 5 * time.Second}
	for name, c := range map[string]struct {
		send  string
		stall bool
		kind  string
		code  problem.Code // "" = the reply is there
	}{
		"cut":                {begin, false, "", problem.ModelGarbled},
		"nothing":            {"", false, "", problem.ModelGarbled},
		"silent before":      {"", true, "", problem.ModelTimeout},
		"silent in between":  {begin, true, "", problem.ModelTimeout},
		"without its end":    {begin + finish, false, "", ""},
		"silent at its end":  {begin + finish, true, "", ""},
		"not JSON":           {begin + "event: content_block_delta\ndata: {\"type\":\n\n", false, "", problem.ModelGarbled},
		"a line without end": {begin + "data: " + strings.Repeat("x", remote.MaxLine+2), false, "", problem.ModelGarbled},
		"a web page":         {"<html>", false, "text/html", problem.ModelGarbled},
		"JSON":               {"{}", false, "application/json", problem.ModelGarbled},
	} {
		t.Run(name, func(t *testing.T) {
			client := serving(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				if c.kind == "" {
					c.kind = "text/event-stream"
				}
				w.Header().Set("Content-Type", c.kind)
				fmt.Fprint(w, c.send)
				if c.stall && http.NewResponseController(w).Flush() == nil {
					<-r.Context().Done()
				}
			}), func(cfg *Config) {
				if c.stall {
					cfg.Timeouts = limits // with which a busy machine would run out of time for the others
				}
			})
			reply, err := client.Reply(t.Context(), modeltest.Request(1), nil)
			switch {
			case c.code == "" && (err != nil || reply.Text != "Hel" || reply.Usage.Output != 5):
				t.Errorf("%+v, %v", reply, err)
			case c.code != "" && !problem.Is(err, c.code):
				t.Errorf("error = %v, want %s", err, c.code)
			case c.code != "" && strings.HasPrefix(c.send, begin) && (reply.Text != "Hel" || reply.Usage.Input != 9 || reply.Finish != ""):
				t.Errorf("beside the error stands %+v", reply)
			}
		})
	}
}

func TestNobodyIsThere(t *testing.T) {
	client, err := New(Config{Name: "test", BaseURL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Reply(t.Context(), modeltest.Request(1), nil); !problem.Is(err, problem.ModelUnavailable) {
		t.Errorf("Reply: %v", err)
	}
	if _, err := client.List(t.Context()); !problem.Is(err, problem.ModelUnavailable) {
		t.Errorf("List: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := client.List(ctx); err == nil || problem.From(err).Code != problem.Internal {
		t.Errorf("List of a caller who has gone: %v", err)
	}
}
