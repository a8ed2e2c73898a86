package modeltest

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// Provider is a server of the chat-completions wire format that reads its lines:
// a conversation with n assistant messages is answered by line n+1. It streams
// when it is asked to.
//
// With Signed it is Google's endpoint: it signs a turn's first call, and refuses a
// conversation in which a call stands without its signature.
type Provider struct {
	Signed bool
	lines  []script.Line

	mu     sync.Mutex
	bodies [][]byte
}

// NewProvider returns the handler; it serves every path.
func NewProvider(lines ...script.Line) *Provider { return &Provider{lines: lines} }

// Bodies returns the requests so far.
func (p *Provider) Bodies() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([][]byte(nil), p.bodies...)
}

func (p *Provider) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	p.mu.Lock()
	p.bodies = append(p.bodies, body)
	p.mu.Unlock()
	var asked struct {
		Stream   bool `json:"stream"`
		Messages []struct {
			Role  string `json:"role"`
			Calls []struct {
				Extra json.RawMessage `json:"extra_content"`
			} `json:"tool_calls"`
		} `json:"messages"`
	}
	if err := json.Unmarshal(body, &asked); err != nil {
		http.Error(w, `{"error":{"message":"not JSON"}}`, http.StatusBadRequest)
		return
	}
	step := 0
	for _, m := range asked.Messages {
		for i, call := range m.Calls {
			if want := extraContent(i); p.Signed && string(call.Extra) != want {
				http.Error(w, `[{"error":{"code":400,"message":"Function call is missing a thought_signature","status":"INVALID_ARGUMENT"}}]`, http.StatusBadRequest)
				return
			}
		}
		if m.Role == "assistant" {
			step++
		}
	}
	if step >= len(p.lines) {
		http.Error(w, `{"error":{"message":"no line for this step"}}`, http.StatusBadRequest)
		return
	}
	line := p.lines[step].Held(required(body))
	switch {
	case line.Err != nil:
		fail(w, problem.From(line.Err))
	case asked.Stream:
		p.stream(w, r, line)
	default:
		p.whole(w, line)
	}
}

// required is the tool that a request's reply must call, in either wire format: by
// the field that says so, or by the words that stand for it. Of any, it is the first.
func required(body []byte) string {
	var asked struct {
		Choice json.RawMessage `json:"tool_choice"`
		Tools  []struct {
			Name     string `json:"name"`
			Function struct {
				Name string `json:"name"`
			} `json:"function"`
		} `json:"tools"`
	}
	if json.Unmarshal(body, &asked) != nil || len(asked.Tools) == 0 {
		return ""
	}
	first := cmp.Or(asked.Tools[0].Name, asked.Tools[0].Function.Name)
	var one struct {
		Type, Name string
		Function   struct{ Name string }
	}
	switch choice := string(asked.Choice); {
	case choice == `"required"`:
		return first
	case choice != "" && json.Unmarshal(asked.Choice, &one) == nil:
		if one.Type == "any" {
			return first
		}
		return cmp.Or(one.Name, one.Function.Name)
	case strings.Contains(string(body), "Begin with a call of one of the tools"):
		return first
	}
	_, rest, _ := strings.Cut(string(body), "Begin with a call of the tool ")
	name, _, _ := strings.Cut(rest, ",")
	return name
}

// fail answers as OpenAI does when it fails in this way.
func fail(w http.ResponseWriter, failure *problem.Error) {
	status := map[problem.Code]int{
		problem.ModelAuth: 401, problem.ModelRefused: 400, problem.ModelRateLimited: 429, problem.ModelUnavailable: 503,
	}[failure.Code]
	if status == 0 {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>It works!</body></html>")
		return
	}
	if failure.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(failure.RetryAfter.Seconds())))
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	write(w, map[string]any{"error": map[string]any{"message": failure.Detail, "type": "scripted", "param": nil, "code": nil}})
}

func (p *Provider) stream(w http.ResponseWriter, r *http.Request, line script.Line) {
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	send := func(delta map[string]any, finish any) {
		fmt.Fprint(w, "data: ")
		write(w, map[string]any{
			"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_780_000_000, "model": "test-model",
			"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": finish}},
		})
		fmt.Fprint(w, "\n\n")
	}
	send(map[string]any{"role": "assistant", "content": ""}, nil)
	deltas := line.Deltas
	if deltas == nil {
		deltas = script.Deltas(line.Reply)
	}
	for _, d := range deltas {
		send(p.wireDelta(d), nil)
	}
	if line.Stall {
		if flush() == nil {
			<-r.Context().Done()
		}
		return
	}
	send(map[string]any{}, finish(line.Reply))
	fmt.Fprint(w, "data: ")
	write(w, map[string]any{"choices": []any{}, "usage": usage(line.Reply)})
	fmt.Fprint(w, "\n\ndata: [DONE]\n\n")
}

func (p *Provider) wireDelta(d run.Delta) map[string]any {
	switch d.Kind {
	case run.TextDelta:
		return map[string]any{"content": d.Text}
	case run.ReasoningDelta:
		return map[string]any{"reasoning_content": d.Text}
	}
	call := map[string]any{"index": d.Call, "function": map[string]any{"arguments": d.Text}}
	if d.Name != "" {
		call["id"], call["type"] = callID(d.Call), "function"
		call["function"] = map[string]any{"name": wireName(d.Name), "arguments": d.Text}
		p.sign(call, d.Call)
	}
	return map[string]any{"tool_calls": []any{call}}
}

func (p *Provider) whole(w http.ResponseWriter, line script.Line) {
	message := map[string]any{"role": "assistant", "content": line.Reply.Text, "refusal": nil}
	if line.Reply.Reasoning != "" {
		message["reasoning_content"] = line.Reply.Reasoning
	}
	var calls []any
	for i, c := range line.Reply.Calls {
		call := map[string]any{
			"id": callID(i), "type": "function",
			"function": map[string]any{"name": wireName(c.Name), "arguments": c.Arguments},
		}
		p.sign(call, i)
		calls = append(calls, call)
	}
	if calls != nil {
		message["tool_calls"] = calls
	}
	w.Header().Set("Content-Type", "application/json")
	write(w, map[string]any{
		"id": "chatcmpl-1", "object": "chat.completion", "created": 1_780_000_000, "model": "test-model",
		"choices": []any{map[string]any{"index": 0, "message": message, "finish_reason": finish(line.Reply)}},
		"usage":   usage(line.Reply),
	})
}

// write sends a value as JSON without a line end. What is written here always
// encodes, and a client that has gone is no concern of a test's provider.
func write(w io.Writer, value any) {
	if text, err := json.Marshal(value); err == nil {
		_, _ = w.Write(text)
	}
}

// extraContent is what the signed provider puts beside a call of a turn; of calls
// that are made together it signs the first.
func extraContent(position int) string {
	if position > 0 {
		return ""
	}
	return `{"google":{"thought_signature":"c2lnbmVk"}}`
}

func (p *Provider) sign(call map[string]any, position int) {
	if extra := extraContent(position); p.Signed && extra != "" {
		call["extra_content"] = json.RawMessage(extra)
	}
}

func callID(position int) string { return fmt.Sprintf("call_%04d", position+1) }

// wireName is how a client that keeps to OpenAI's rules spells a tool's name.
func wireName(own string) string { return strings.ReplaceAll(own, ".", "_") }

func finish(reply run.Reply) string {
	switch {
	case reply.Finish != "":
		return reply.Finish
	case len(reply.Calls) > 0:
		return "tool_calls"
	}
	return "stop"
}

func usage(reply run.Reply) map[string]any {
	u := reply.Usage
	if u == (run.Usage{}) {
		u = run.Usage{Input: 20, Output: 8, Cached: 16, Reasoning: 2}
	}
	return map[string]any{
		"prompt_tokens": u.Input, "completion_tokens": u.Output, "total_tokens": u.Input + u.Output,
		"prompt_tokens_details":     map[string]any{"cached_tokens": u.Cached},
		"completion_tokens_details": map[string]any{"reasoning_tokens": u.Reasoning},
	}
}
