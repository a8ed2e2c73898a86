package chat

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/problem"
	"errand/internal/run"
)

func read(t *testing.T, body string) *Request {
	t.Helper()
	var q Request
	if err := json.Unmarshal([]byte(body), &q); err != nil {
		t.Fatal(err)
	}
	return &q
}

// Content comes as a string, as parts or as null, in every role.
func TestThread(t *testing.T) {
	notes := base64.StdEncoding.EncodeToString([]byte("Q1: up"))
	q := read(t, `{"messages":[
		{"role":"system","content":"Be kind."},
		{"role":"user","content":[{"type":"text","text":"Look:"},{"type":"image_url","image_url":{"url":"https://a.example/p.png","detail":"low"}},{"type":"file","file":{"filename":"q.txt","file_data":"data:text/plain;base64,`+notes+`"}}]},
		{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"c1","content":"42"},
		{"role":"developer","content":[{"type":"text","text":"Be brief."}]},
		{"role":"user","content":"And?"}]}`)
	got, err := q.Thread()
	if err != nil {
		t.Fatal(err)
	}
	want := Thread{System: "Be kind.\n\nBe brief.", Messages: []run.Message{
		{Role: run.User, Text: "Look:\n[File q.txt]\nQ1: up\n[End of file]", Images: []run.Image{{URL: "https://a.example/p.png", Detail: "low"}}},
		{Role: run.Assistant, Calls: []run.Call{{ID: "c1", Name: "f", Arguments: "{}"}}},
		{Role: run.ToolRole, CallID: "c1", Tool: "f", Text: "42"},
		{Role: run.User, Text: "And?"},
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// What can't be honoured is refused by the place where it stands.
func TestThreadRefused(t *testing.T) {
	for message, place := range map[string]string{
		`{"role":"user","content":[{"type":"input_audio","input_audio":{}}]}`:                                                    "messages[0].content[0].input_audio",
		`{"role":"user","content":[{"type":"hologram"}]}`:                                                                        "messages[0].content[0].type",
		`{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://a.example/p.png"}}]}`:                          "messages[0].content[0].image_url.url",
		`{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/bmp;base64,AAAA"}}]}`:                      "messages[0].content[0].image_url.url",
		`{"role":"user","content":[{"type":"file","file":{"file_id":"file_1"}}]}`:                                                "messages[0].content[0].file",
		`{"role":"user","content":[{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,AAAA"}}]}`: "messages[0].content[0].file.file_data",
		`{"role":"assistant","content":[{"type":"image_url","image_url":"https://a.example/p.png"}]}`:                            "messages[0].content[0]",
		`{"role":"user","content":""}`:                      "messages[0].content",
		`{"role":"user","content":7}`:                       "messages[0].content",
		`{"role":"tool","content":"42"}`:                    "messages[0].tool_call_id",
		`{"role":"function","content":"42"}`:                "messages[0].role",
		`{"content":"42"}`:                                  "messages[0].role",
		`{"role":"assistant","function_call":{"name":"f"}}`: "messages[0].function_call",
	} {
		_, err := read(t, `{"messages":[`+message+`]}`).Thread()
		var told *problem.Error
		if !errors.As(err, &told) || told.Fields[place] == "" {
			t.Errorf("%s: %v, want a fault at %s", message, err, place)
		}
	}
	if _, err := read(t, `{"messages":[]}`).Thread(); !problem.Is(err, problem.InvalidRequest) {
		t.Errorf("no messages: %v", err)
	}
}

// What a caller sets goes before what a saved agent has, and is no default any more.
func TestParams(t *testing.T) {
	warm := 1.0
	base := run.Params{Temperature: &warm, MaxTokens: 10, Effort: "low", Defaults: []string{"temperature", "top_k"}}
	got, err := read(t, `{"temperature":0.5,"max_completion_tokens":20,"max_tokens":20,"stop":["a","b"],"seed":3,"reasoning_effort":"high"}`).Params(base)
	if err != nil {
		t.Fatal(err)
	}
	cool, seed := 0.5, int64(3)
	want := run.Params{Temperature: &cool, MaxTokens: 20, Effort: "high", Seed: &seed, Stop: []string{"a", "b"}, Defaults: []string{"top_k"}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if same, err := read(t, `{"temperature":null,"stop":null}`).Params(base); err != nil || cmp.Diff(base, same) != "" {
		t.Errorf("%+v, %v", same, err)
	}
	_, err = read(t, `{"temperature":-1,"top_p":2,"max_tokens":0,"max_completion_tokens":5,"stop":["1","2","3","4","5"],"presence_penalty":9,"reasoning_effort":"huge"}`).Params(base)
	var told *problem.Error
	if !errors.As(err, &told) || len(told.Fields) != 6 {
		t.Errorf("%v", err)
	}
}

// A parameter that says nothing is fine; one that can't be honoured is named.
func TestRefused(t *testing.T) {
	quiet := read(t, `{"n":1,"logprobs":false,"top_logprobs":0,"logit_bias":{},"modalities":["text"],"audio":null,"tools":[],"tool_choice":"auto","functions":null}`)
	if err := errors.Join(quiet.Refused(), quiet.RefusedTools()); err != nil {
		t.Error(err)
	}
	for body, param := range map[string]string{
		`{"n":2}`: "n", `{"logprobs":true}`: "logprobs", `{"logit_bias":{"1":2}}`: "logit_bias", `{"modalities":["text","audio"]}`: "modalities",
		`{"web_search_options":{"a":1}}`: "web_search_options", `{"top_logprobs":2}`: "top_logprobs",
		`{"tools":[{}]}`: "tools", `{"tool_choice":"required"}`: "tool_choice", `{"functions":[1]}`: "functions", `{"function_call":{"name":"f"}}`: "function_call",
	} {
		q := read(t, body)
		err := q.Refused()
		if err == nil {
			err = q.RefusedTools()
		}
		if told := problem.From(err); told == nil || told.Code != Unsupported || told.Fields[param] == "" {
			t.Errorf("%s: %v", body, err)
		}
	}
	if err := read(t, `{"n":0}`).Refused(); !problem.Is(err, problem.InvalidRequest) {
		t.Error(err)
	}
}

// Labels are texts, whatever JSON they come as.
func TestLabels(t *testing.T) {
	got := read(t, `{"metadata":{"a":"b","c":true,"d":3}}`).Labels()
	if diff := cmp.Diff(map[string]string{"a": "b", "c": "true", "d": "3"}, got); diff != "" {
		t.Error(diff)
	}
}

// An answer has every key that typed clients look for.
func TestAnswer(t *testing.T) {
	head := Head{ID: "chatcmpl-1", Created: 5, Model: "default"}
	for want, value := range map[string]any{
		`{"id":"chatcmpl-1","object":"chat.completion","created":5,"model":"default","choices":[{"index":0,"message":{"role":"assistant","content":"Hi","refusal":null},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}`: head.Whole("Hi", "stop", run.Usage{Input: 3, Output: 2}),
		`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"default","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null,"logprobs":null}]}`:                                                                                   head.First(),
		`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"default","choices":[{"index":0,"delta":{},"finish_reason":"length","logprobs":null}]}`:                                                                                                              head.Last("length"),
		`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":5,"model":"default","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1}}}`:                                                              head.Count(run.Usage{Input: 3, Output: 2, Cached: 1}),
	} {
		got, err := json.Marshal(value)
		if err != nil || string(got) != want {
			t.Errorf("got  %s\nwant %s (%v)", got, want, err)
		}
	}
}

// What was sent can't be taken back: a new attempt goes on where it agrees.
func TestFlow(t *testing.T) {
	var f Flow
	var sent strings.Builder
	write := func(step int, piece string) bool {
		text, ok := f.Write(step, piece)
		sent.WriteString(text)
		return ok
	}
	write(1, "Once ")
	f.Again()
	write(1, "On")
	write(1, "ce upon")
	if text, ok := f.Whole(1, "Once upon a time."); !ok {
		t.Error("the whole reply is not taken for its pieces")
	} else {
		sent.WriteString(text)
	}
	write(2, "The")
	f.Part()
	write(2, "No: ")
	sent.WriteString(f.Aside("Stop."))
	if want := "Once upon a time.\n\nThe\n\nNo: \n\nStop."; sent.String() != want {
		t.Errorf("got %q, want %q", sent.String(), want)
	}
	f.Again()
	if write(2, "Yes") {
		t.Error("other words are taken for the same reply")
	}
}
