package openai

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/model/remote"
	"errand/internal/problem"
	"errand/internal/run"
)

// FuzzStream feeds any bytes as an answer: whatever comes, the reader ends, what
// it emits is whole characters and, when it succeeds, the deltas are the reply.
func FuzzStream(f *testing.F) {
	f.Add([]byte(delta(`{"content":"Hello \ud83e"}`) + delta("{\"content\":\"\\uddd9 \xe2\x82\"}") + ended("stop") + done))
	f.Add([]byte(delta(`{"tool_calls":[{"index":0,"id":"a","function":{"name":"f","arguments":"{\"x"}}]}`) + ended("tool_calls")))
	f.Add([]byte(`{"choices":[{"message":{"content":"Hello"}}],"usage":{"prompt_tokens":1}}`))
	f.Add([]byte("data: {\"choices\":[\ndata: {}]}\r\n\r\n: x\n{\"error\":\"x\"}"))
	client, err := New(Config{Name: "test", BaseURL: "http://test"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, stream []byte) {
		watch := remote.NewWatch(t.Context(), client.cfg.Timeouts)
		defer watch.Stop()
		var said strings.Builder
		emit := func(d run.Delta) {
			if !utf8.ValidString(d.Text) || !utf8.ValidString(d.Name) {
				t.Errorf("emitted half a character: %+v", d)
			}
			said.WriteString(d.Text)
		}
		parts := newAssembler(emit, nil, 1)
		read := newReader()
		read.reset(bytes.NewReader(stream))
		if err := client.read(read, "", watch, parts); err != nil {
			return
		}
		var reply run.Reply
		parts.fill(&reply)
		total := len(reply.Text) + len(reply.Reasoning)
		ids := map[string]bool{}
		for _, c := range reply.Calls {
			total += len(c.Arguments)
			if c.ID == "" || ids[c.ID] {
				t.Errorf("id %q is empty or not unique", c.ID)
			}
			ids[c.ID] = true
		}
		if total != said.Len() {
			t.Errorf("%d bytes were emitted, the reply has %d", said.Len(), total)
		}
	})
}

// FuzzChunk holds the decoder to encoding/json: they agree on what is JSON and,
// where the text is UTF-8, on what it says.
func FuzzChunk(f *testing.F) {
	for _, seed := range []string{
		`{"choices":[{"delta":{"content":"Hé\n\u00e9\ud83e\uddd9\udc00"},"finish_reason":null}],"usage":{"prompt_tokens":12e0}}`,
		` {"a":[1,-0.5e+7,true,false,null,{"b":""}],"choices":[]} `, `{"a":01}`, `{"a":1,}`, `[{"error":1}]`, `{"a":"` + "\x01" + `"}`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		var s scanner
		s.reset(text)
		s.skip()
		if got, want := s.end(), json.Valid(text); got != want && strings.Count(string(text), "[")+strings.Count(string(text), "{") < maxDepth {
			t.Fatalf("valid = %v, encoding/json says %v", got, want)
		}
		var c chunk
		if c.decode(text) != nil || !utf8.Valid(text) || len(text) == 0 || text[0] == '[' {
			return
		}
		var plain struct {
			Choices []struct {
				Delta struct{ Content *string }
			}
		}
		decoder := json.NewDecoder(bytes.NewReader(text))
		if decoder.Decode(&plain) != nil || decoder.Decode(&struct{}{}) != io.EOF || bytes.Contains(bytes.ToLower(text), []byte("message")) {
			return
		}
		if len(plain.Choices) != 1 || plain.Choices[0].Delta.Content == nil || bytes.Count(bytes.ToLower(text), []byte("content")) > 1 || !bytes.Contains(text, []byte(`"content"`)) {
			return
		}
		if !bytes.Contains(text, []byte(`"delta"`)) || !bytes.Contains(text, []byte(`"choices"`)) {
			return
		}
		var whole part
		got := whole.take(c.content) + whole.close()
		if want := *plain.Choices[0].Delta.Content; got != want {
			t.Errorf("content = %q, encoding/json says %q", got, want)
		}
	})
}

// said answers every request with the same bytes.
type said struct{ body []byte }

func (s said) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(s.body)), Request: r}, nil
}

// FuzzList reads a provider's list of models: names that are there, or one of the
// model's errors.
func FuzzList(f *testing.F) {
	for _, seed := range []string{
		`{"object":"list","data":[{"id":"gpt-5","object":"model","created":1686935002,"owned_by":"openai"},{"id":""}]}`,
		`{"data":null}`, `{"data":[null,{}]}`, `{"data":{}}`, `{"models":[{"name":"llama3"}]}`, `[]`, `null`, ``, "<html>", `{"data":[{"id":1}]}`, "{\"data\":[{\"id\":\"\xff\"}]}",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		client, err := New(Config{Name: "test", BaseURL: "http://test/v1", Transport: said{body}})
		if err != nil {
			t.Fatal(err)
		}
		defer client.Close()
		names, err := client.List(t.Context())
		if err != nil {
			if told := problem.From(err); !strings.HasPrefix(string(told.Code), "model_") || json.Valid(body) && bytes.HasPrefix(bytes.TrimSpace(body), []byte(`{"data":[]`)) {
				t.Errorf("%q: %v", body, err)
			}
			return
		}
		for _, name := range names {
			if name == "" || !utf8.ValidString(name) {
				t.Errorf("%q has a model %q", body, name)
			}
		}
	})
}
