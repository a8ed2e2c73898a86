package openai

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"errand/internal/model/modeltest"
	"errand/internal/model/remote"
	"errand/internal/model/script"
	"errand/internal/run"
)

// twenty is a stream of twenty chunks, as long as OpenAI's own.
func twenty() string {
	var b strings.Builder
	for i := range 20 {
		fmt.Fprintf(&b, `data: {"id":"chatcmpl-BXk2mBq3a9","object":"chat.completion.chunk","created":1780000000,"model":"gpt-4o-mini-2024-07-18","service_tier":"default","system_fingerprint":"fp_34a54ae93c","choices":[{"index":0,"delta":{"content":" token%02d"},"logprobs":null,"finish_reason":null}],"usage":null,"obfuscation":"kE2q"}`+"\n\n", i)
	}
	b.WriteString(ended("stop") + `data: {"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":20,"total_tokens":29}}` + "\n\n" + done)
	return b.String()
}

func serveText(text string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, text)
	})
}

// BenchmarkStream is a call with a stream of twenty chunks; BenchmarkFloor is
// the same bytes over bare net/http.
func BenchmarkStream(b *testing.B) {
	client := serving(b, serveText(twenty()), nil)
	req := modeltest.Request(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Reply(b.Context(), req, func(run.Delta) {}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkWhole(b *testing.B) {
	client := serving(b, modeltest.NewProvider(script.Say("hello")), func(cfg *Config) { cfg.Whole = true })
	req := modeltest.Request(1)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := client.Reply(b.Context(), req, func(run.Delta) {}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkFloor(b *testing.B) {
	client := serving(b, serveText(twenty()), nil)
	req := modeltest.Request(1)
	body := client.encode(req, remote.NewNames(req.Tools), 0)
	plain := &http.Client{Transport: client.transport}
	b.ReportAllocs()
	for b.Loop() {
		answer, err := plain.Post(client.template.URL.String(), "application/json", bytes.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			b.Fatal(err)
		}
		answer.Body.Close()
	}
}

// BenchmarkDecode and BenchmarkDecodeStdlib are why there is a scanner.
func BenchmarkDecode(b *testing.B) {
	line := []byte(strings.TrimPrefix(strings.SplitN(twenty(), "\n", 2)[0], "data: "))
	var c chunk
	b.ReportAllocs()
	for b.Loop() {
		if err := c.decode(line); err != nil || len(c.content) == 0 {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeStdlib(b *testing.B) {
	line := []byte(strings.TrimPrefix(strings.SplitN(twenty(), "\n", 2)[0], "data: "))
	b.ReportAllocs()
	for b.Loop() {
		var c struct {
			Choices []struct {
				Delta struct {
					Content string `json:"content"`
				} `json:"delta"`
				Finish string `json:"finish_reason"`
			} `json:"choices"`
			Usage *struct{} `json:"usage"`
		}
		if err := json.Unmarshal(line, &c); err != nil || c.Choices[0].Delta.Content == "" {
			b.Fatal(err)
		}
	}
}

func BenchmarkEncode(b *testing.B) {
	client := serving(b, serveText(""), nil)
	req := modeltest.Request(1)
	b.ReportAllocs()
	for b.Loop() {
		client.encode(req, remote.NewNames(req.Tools), 0)
	}
}
