package openai

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// encoded is the request that a client of this base URL and kind makes.
func encoded(t *testing.T, base, kind string, req *run.Request) map[string]any {
	t.Helper()
	client, err := New(Config{Name: "test", BaseURL: base, Kind: kind})
	if err != nil {
		t.Fatal(err)
	}
	text := client.encode(req, remote.NewNames(req.Tools), client.memory.Of(req.Model))
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatalf("the request is not JSON: %v\n%s", err, text)
	}
	return body
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("the test's own JSON: %v", err)
	}
	return value
}

func ptr[T any](v T) *T { return &v }

func TestRequest(t *testing.T) {
	req := &run.Request{
		Model: "m", Step: 3,
		Messages: []run.Message{
			{Role: run.System, Text: "Be \"brief\"\n\x01."},
			{Role: run.User, Text: "What is this?", Images: []run.Image{{URL: "https://x/y.png", Detail: "low"}, {URL: "data:image/png;base64,AA=="}}},
			{Role: run.Assistant, Reasoning: "hm", Calls: []run.Call{
				{ID: "a", Name: "email.send", Arguments: `{"to": "x"}`}, {ID: "b", Name: "no such", Arguments: `{"x":`}, {ID: "c", Name: "email.send", Arguments: `[1]`},
			}},
			{Role: run.ToolRole, CallID: "b", Tool: "no such", Text: "unknown tool", Failed: true},
			{Role: run.ToolRole, CallID: "a", Tool: "email.send", Text: "", Images: []run.Image{{URL: "https://x/z.png"}}},
			{Role: run.ToolRole, CallID: "zz", Tool: "lost", Text: "found"},
			{Role: run.Assistant, Text: ""},
			{Role: run.User, Text: "Go on \xff."},
		},
		Tools:  []run.Tool{{Name: "email.send", Description: "Sends.", Parameters: []byte(`{"type":"object","properties":{"to":{"type":"string"}}}`)}, {Name: "now"}},
		Output: []byte(`{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}`),
		Params: run.Params{Temperature: ptr(0.0), TopP: ptr(0.5), MaxTokens: 100, Effort: "low"},
	}
	want := parsed(t, `{
		"model": "m", "stream": true, "stream_options": {"include_usage": true},
		"messages": [
			{"role": "system", "content": "Be \"brief\"\n\u0001."},
			{"role": "user", "content": [{"type": "text", "text": "What is this?"},
				{"type": "image_url", "image_url": {"url": "https://x/y.png", "detail": "low"}},
				{"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}}]},
			{"role": "assistant", "content": null, "tool_calls": [
				{"id": "a", "type": "function", "function": {"name": "email_send", "arguments": "{\"to\": \"x\"}"}},
				{"id": "b", "type": "function", "function": {"name": "no_such", "arguments": "{\"unparsed\":\"{\\\"x\\\":\"}"}},
				{"id": "c", "type": "function", "function": {"name": "email_send", "arguments": "{\"unparsed\":\"[1]\"}"}}]},
			{"role": "tool", "tool_call_id": "a", "content": ""},
			{"role": "tool", "tool_call_id": "b", "content": "Error: unknown tool"},
			{"role": "tool", "tool_call_id": "c", "content": "Error: this call has no result; it was not carried out."},
			{"role": "user", "content": [{"type": "text", "text": "The pictures that these calls returned:"}, {"type": "image_url", "image_url": {"url": "https://x/z.png"}}]},
			{"role": "user", "content": "Result of an earlier call of lost: found"},
			{"role": "assistant", "content": ""},
			{"role": "user", "content": "Go on \ufffd."}],
		"tools": [
			{"type": "function", "function": {"name": "email_send", "description": "Sends.", "parameters": {"type": "object", "properties": {"to": {"type": "string"}}}}},
			{"type": "function", "function": {"name": "now", "parameters": {"type": "object", "properties": {}}}}],
		"temperature": 0, "top_p": 0.5, "max_tokens": 100, "reasoning_effort": "low",
		"response_format": {"type": "json_schema", "json_schema": {"name": "answer", "strict": true,
			"schema": {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false}}}}`)
	if diff := cmp.Diff(want, any(encoded(t, "http://localhost/v1", "", req))); diff != "" {
		t.Errorf("request (-want +got):\n%s", diff)
	}
}

func TestRequestsOfTheKinds(t *testing.T) {
	req := &run.Request{Model: "m", Params: run.Params{MaxTokens: 7}, Messages: []run.Message{
		{Role: run.Assistant, Reasoning: "hm", Calls: []run.Call{{ID: "call_0123456789", Name: "f", Arguments: "{}"}, {ID: "abcDEF123", Name: "f", Arguments: "{}"}}},
		{Role: run.ToolRole, CallID: "call_0123456789", Text: "one"}, {Role: run.ToolRole, CallID: "abcDEF123", Text: "two"},
	}}
	first := func(body map[string]any) map[string]any { return body["messages"].([]any)[0].(map[string]any) }
	call := func(body map[string]any, n int) map[string]any {
		return first(body)["tool_calls"].([]any)[n].(map[string]any)
	}

	plain := encoded(t, "https://api.openai.com/v1", "", req)
	if plain["max_completion_tokens"] != 7.0 || plain["max_tokens"] != nil {
		t.Errorf("api.openai.com wants max_completion_tokens: %v", plain)
	}
	if first(plain)["reasoning_content"] != nil {
		t.Error("reasoning went to a provider that does not take it")
	}
	if first(encoded(t, "http://x", DeepSeek, req))["reasoning_content"] != "hm" {
		t.Error("DeepSeek did not get its reasoning back")
	}
	if call(encoded(t, "http://x", Google, req), 0)["extra_content"] == nil {
		t.Error("Google did not get a signature")
	}
	short := encoded(t, "http://x", Mistral, req)
	id := call(short, 0)["id"].(string)
	if len(id) != 9 || strings.Trim(id, "0123456789abcdef") != "" || call(short, 1)["id"] != "abcDEF123" {
		t.Errorf("ids for Mistral: %q and %q", id, call(short, 1)["id"])
	}
	if got := short["messages"].([]any)[1].(map[string]any)["tool_call_id"]; got != id {
		t.Errorf("the result names call %v, the call is %v", got, id)
	}
}

func TestStrict(t *testing.T) {
	for schema, want := range map[string]bool{
		`{"type":"object","properties":{},"additionalProperties":false}`: true,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object","properties":{"b":{"type":"string"}},"required":["b"],"additionalProperties":false}}},"required":["a"],"additionalProperties":false}`: true,
		`{"type":"object","properties":{"a":{"type":"array","items":{"type":"object"}}},"required":["a"],"additionalProperties":false}`:                                                                                    false,
		`{"type":"object","properties":{"a":{"type":"string"}},"additionalProperties":false}`:                                                                                                                              false,
		`{"type":"object","properties":{"a":{"type":"string"}},"required":["a"]}`:                                                                                                                                          false,
		`{"type":"object","properties":{"a":{"type":"string","format":"x"}},"required":["a"],"additionalProperties":false}`:                                                                                                false,
		`{"type":"string"}`: false,
		`true`:              false,
	} {
		if got := strict([]byte(schema)); got != want {
			t.Errorf("strict(%s) = %v", schema, got)
		}
	}
}
