package oracle

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"

	ours "errand/internal/model/openai"
	"errand/internal/run"
)

// server answers every request with the same text and keeps what it was sent.
type server struct {
	contentType string
	answer      string
	mu          sync.Mutex
	bodies      [][]byte
}

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	s.mu.Lock()
	s.bodies = append(s.bodies, body)
	s.mu.Unlock()
	w.Header().Set("Content-Type", s.contentType)
	_, _ = io.WriteString(w, s.answer)
}

func (s *server) start(t *testing.T) string {
	t.Helper()
	listening := httptest.NewServer(s)
	t.Cleanup(listening.Close)
	return listening.URL + "/v1"
}

func client(t *testing.T, base string, whole bool) *ours.Client {
	t.Helper()
	made, err := ours.New(ours.Config{Name: "test", BaseURL: base, Key: "k", Whole: whole})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(made.Close)
	return made
}

func ptr[T any](v T) *T { return &v }

// full is a request with everything in it that a request can have.
func full() *run.Request {
	return &run.Request{
		Model: "gpt-4o", Step: 2, Attempt: 1,
		Messages: []run.Message{
			{Role: run.System, Text: "Be brief."},
			{Role: run.User, Text: "Look \"here\" 🧙\n", Images: []run.Image{{URL: "https://x.test/y.png", Detail: "low"}}},
			{Role: run.Assistant, Text: "I will.", Calls: []run.Call{
				{ID: "call_1", Name: "email.send", Arguments: `{"to": "a@b.test", "n": 12345678901234567890}`},
				{ID: "call_2", Name: "now", Arguments: `{}`},
			}},
			{Role: run.ToolRole, CallID: "call_1", Tool: "email.send", Text: "no such mailbox", Failed: true},
			{Role: run.User, Text: "Go on."},
		},
		Tools: []run.Tool{
			{Name: "email.send", Description: "Sends <mail>.", Parameters: []byte(`{"type":"object","properties":{"to":{"type":"string"}},"required":["to"]}`)},
			{Name: "now"},
		},
		Output: []byte(`{"type":"object","properties":{"ok":{"type":"boolean"}},"required":["ok"],"additionalProperties":false}`),
		Params: run.Params{Temperature: ptr(0.2), TopP: ptr(0.9), MaxTokens: 100, Effort: "low"},
	}
}

// Our requests go through the SDK's request type and come out the same.
func TestRequestsAreTheSDKs(t *testing.T) {
	for _, whole := range []bool{false, true} {
		s := &server{contentType: "application/json", answer: `{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}`}
		if _, err := client(t, s.start(t), whole).Reply(t.Context(), full(), nil); err != nil {
			t.Fatal(err)
		}
		var params openai.ChatCompletionNewParams
		if err := json.Unmarshal(s.bodies[0], &params); err != nil {
			t.Fatalf("the SDK can't read our request: %v\n%s", err, s.bodies[0])
		}
		again, err := json.Marshal(params)
		if err != nil {
			t.Fatal(err)
		}
		want, got := tree(t, s.bodies[0]), tree(t, again)
		if _, streams := want["stream"]; streams == whole {
			t.Errorf("whole %v, stream %v", whole, want["stream"])
		}
		delete(want, "stream") // the SDK adds it outside its type
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the SDK's type loses something of ours (-ours +the SDK's):\n%s", diff)
		}
		calls := params.Messages[2].GetToolCalls()
		if len(calls) != 2 || *calls[0].GetID() != "call_1" || calls[0].GetFunction().Name != "email_send" {
			t.Errorf("the SDK reads other calls: %+v", calls)
		}
		if id := params.Messages[4].GetToolCallID(); id == nil || *id != "call_2" {
			t.Errorf("message 4 answers %v, want call_2", id)
		}
	}
}

func tree(t *testing.T, text []byte) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value map[string]any
	if err := decoder.Decode(&value); err != nil {
		t.Fatal(err)
	}
	return value
}

// The SDK's own request for the same conversation is, field by field, ours.
func TestTheSDKAsksTheSame(t *testing.T) {
	s := &server{contentType: "application/json", answer: `{"choices":[{"message":{"content":"ok"},"finish_reason":"stop"}]}`}
	base := s.start(t)
	req := &run.Request{
		Model: "gpt-4o", Messages: []run.Message{{Role: run.System, Text: "Be brief."}, {Role: run.User, Text: "Hello"}},
		Params: run.Params{Temperature: ptr(0.2)},
	}
	if _, err := client(t, base, true).Reply(t.Context(), req, nil); err != nil {
		t.Fatal(err)
	}
	_, err := sdk(base).Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{
		Model: "gpt-4o", Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage("Be brief."), openai.UserMessage("Hello")},
		Temperature: openai.Float(0.2),
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(tree(t, s.bodies[1]), tree(t, s.bodies[0])); diff != "" {
		t.Errorf("request (-the SDK's +ours):\n%s", diff)
	}
}

func sdk(base string) *openai.Client {
	made := openai.NewClient(option.WithBaseURL(base+"/"), option.WithAPIKey("k"), option.WithMaxRetries(0))
	return &made
}

// stories are answers, each in one piece and as a stream.
var stories = []struct{ name, whole, stream string }{
	{
		"text",
		`{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Hello 🧙 \"you\"","refusal":null},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}`,
		event(`{"role":"assistant","content":""}`, "") + event(`{"content":"Hello \ud83e\uddd9"}`, "") + event(`{"content":" \"you\""}`, "") + event(`{}`, "stop") + usage,
	},
	{
		"cut by length",
		`{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"Hel"},"finish_reason":"length"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		event(`{"content":"Hel"}`, "") + event(`{}`, "length") + usage,
	},
	{
		"parallel calls",
		`{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":null,"tool_calls":[{"id":"a","type":"function","function":{"name":"email_send","arguments":"{\"to\": \"ä\"}"}},{"id":"b","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		event(`{"role":"assistant","content":null}`, "") + event(`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"email_send","arguments":""}}]}`, "") +
			event(`{"tool_calls":[{"index":0,"function":{"arguments":"{\"to\""}}]}`, "") + event(`{"tool_calls":[{"index":0,"function":{"arguments":": \"\u00e4\"}"}}]}`, "") +
			event(`{"tool_calls":[{"index":1,"id":"b","type":"function","function":{"name":"now","arguments":"{}"}}]}`, "") + event(`{}`, "tool_calls") + usage,
	},
	{
		"text and a call",
		`{"id":"c","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"One moment.","tool_calls":[{"id":"a","type":"function","function":{"name":"now","arguments":"{}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":1,"completion_tokens":2,"total_tokens":3}}`,
		event(`{"content":"One "}`, "") + event(`{"content":"moment."}`, "") + event(`{"tool_calls":[{"index":0,"id":"a","type":"function","function":{"name":"now","arguments":"{}"}}]}`, "") + event(`{}`, "tool_calls") + usage,
	},
}

const usage = `data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"gpt-4o","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14,"prompt_tokens_details":{"cached_tokens":4},"completion_tokens_details":{"reasoning_tokens":3}}}` + "\n\ndata: [DONE]\n\n"

func event(delta, finish string) string {
	reason := "null"
	if finish != "" {
		reason = `"` + finish + `"`
	}
	return fmt.Sprintf("data: {\"id\":\"c\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"gpt-4o\",\"choices\":[{\"index\":0,\"delta\":%s,\"finish_reason\":%s}]}\n\n", delta, reason)
}

// Both clients call the same server and read the same: text, calls, usage.
func TestAnswersAreReadAlike(t *testing.T) {
	for _, story := range stories {
		t.Run(story.name+", whole", func(t *testing.T) {
			base := (&server{contentType: "application/json", answer: story.whole}).start(t)
			theirs, err := sdk(base).Chat.Completions.New(t.Context(), openai.ChatCompletionNewParams{Model: "gpt-4o"})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, base, true, *theirs)
		})
		t.Run(story.name+", streamed", func(t *testing.T) {
			base := (&server{contentType: "text/event-stream", answer: story.stream}).start(t)
			compare(t, base, false, accumulate(t, base))
		})
	}
}

// What the SDK's own types write is read like what they were read from.
func TestTheSDKsEncodingIsRead(t *testing.T) {
	for _, story := range stories {
		t.Run(story.name, func(t *testing.T) {
			var completion openai.ChatCompletion
			if err := json.Unmarshal([]byte(story.whole), &completion); err != nil {
				t.Fatal(err)
			}
			// The SDK's response types are for reading; Go's encoder writes all of
			// their fields, empty ones too, which no server does.
			text, err := json.Marshal(completion)
			if err != nil {
				t.Fatal(err)
			}
			base := (&server{contentType: "application/json", answer: string(text)}).start(t)
			compare(t, base, true, completion)

			var stream strings.Builder
			for line := range strings.SplitSeq(story.stream, "\n\n") {
				data := strings.TrimPrefix(line, "data: ")
				if data == "" || data == "[DONE]" {
					continue
				}
				var chunk openai.ChatCompletionChunk
				if err := json.Unmarshal([]byte(data), &chunk); err != nil {
					t.Fatal(err)
				}
				text, err := json.Marshal(chunk)
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&stream, "data: %s\n\n", text)
			}
			base = (&server{contentType: "text/event-stream", answer: stream.String() + "data: [DONE]\n\n"}).start(t)
			compare(t, base, false, accumulate(t, base))
		})
	}
}

func accumulate(t *testing.T, base string) openai.ChatCompletion {
	t.Helper()
	stream := sdk(base).Chat.Completions.NewStreaming(t.Context(), openai.ChatCompletionNewParams{Model: "gpt-4o"})
	var all openai.ChatCompletionAccumulator
	for stream.Next() {
		if !all.AddChunk(stream.Current()) {
			t.Fatal("the SDK can't accumulate its own chunk")
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	return all.ChatCompletion
}

// compare makes our call and holds it to what the SDK has read.
func compare(t *testing.T, base string, whole bool, theirs openai.ChatCompletion) {
	t.Helper()
	got, err := client(t, base, whole).Reply(context.WithoutCancel(t.Context()), &run.Request{Model: "gpt-4o", Step: 1}, nil)
	if err != nil {
		t.Fatal(err)
	}
	choice := theirs.Choices[0]
	want := run.Reply{
		Model: "test/gpt-4o", Text: choice.Message.Content, Finish: string(choice.FinishReason),
		Usage: run.Usage{
			Input: int(theirs.Usage.PromptTokens), Output: int(theirs.Usage.CompletionTokens),
			Cached:    int(theirs.Usage.PromptTokensDetails.CachedTokens),
			Reasoning: int(theirs.Usage.CompletionTokensDetails.ReasoningTokens),
		},
	}
	for _, call := range choice.Message.ToolCalls {
		want.Calls = append(want.Calls, run.Call{ID: call.ID, Name: call.Function.Name, Arguments: call.Function.Arguments})
	}
	if want.Text == "" && want.Calls == nil || want.Usage.Input == 0 {
		t.Fatalf("the SDK has read nothing: %+v", theirs)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("reply (-the SDK's +ours):\n%s", diff)
	}
}
