package modeltest

import (
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

// Messages is a server of Anthropic's wire format that reads its lines as Provider
// does. It signs what the model thought, and as the real one refuses a conversation
// in which a thought comes back changed or without its signature.
type Messages struct {
	lines []script.Line

	mu     sync.Mutex
	bodies [][]byte
}

// NewMessages returns the handler; it serves every path.
func NewMessages(lines ...script.Line) *Messages { return &Messages{lines: lines} }

// Bodies returns the requests so far.
func (p *Messages) Bodies() [][]byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([][]byte(nil), p.bodies...)
}

// heard is what the server reads of a request.
type heard struct {
	Stream    bool `json:"stream"`
	MaxTokens int  `json:"max_tokens"`
	Messages  []struct {
		Role    string `json:"role"`
		Content []struct {
			Type, Thinking, Signature string
		} `json:"content"`
	} `json:"messages"`
}

func (p *Messages) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the client has gone
	}
	p.mu.Lock()
	p.bodies = append(p.bodies, body)
	p.mu.Unlock()
	var asked heard
	if err := json.Unmarshal(body, &asked); err != nil || !asked.Stream || asked.MaxTokens == 0 {
		failMessages(w, http.StatusBadRequest, "max_tokens: Field required")
		return
	}
	step := 0
	for i, m := range asked.Messages {
		if (i%2 == 0) != (m.Role == "user") || len(m.Content) == 0 {
			failMessages(w, http.StatusBadRequest, fmt.Sprintf("messages.%d: roles must take turns", i))
			return
		}
		if m.Role != "assistant" {
			continue
		}
		if step < len(p.lines) && p.lines[step].Reply.Reasoning != "" {
			if b := m.Content[0]; b.Type != "thinking" || b.Signature != signatureOf(b.Thinking) || b.Thinking != p.lines[step].Reply.Reasoning {
				failMessages(w, http.StatusBadRequest, fmt.Sprintf("messages.%d.content.0: Invalid `signature` in `thinking` block", i))
				return
			}
		}
		step++
	}
	if step >= len(p.lines) {
		failMessages(w, http.StatusBadRequest, "no line for this step")
		return
	}
	line := p.lines[step].Held(required(body))
	if line.Err != nil {
		p.fail(w, problem.From(line.Err))
		return
	}
	streamMessages(w, r, line)
}

func signatureOf(thought string) string { return fmt.Sprintf("signed-%d", len(thought)) }

func failMessages(w http.ResponseWriter, status int, message string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	write(w, map[string]any{"type": "error", "request_id": "req_1", "error": map[string]any{"type": "invalid_request_error", "message": message}})
}

// fail answers as Anthropic does when it fails in this way.
func (p *Messages) fail(w http.ResponseWriter, failure *problem.Error) {
	status := map[problem.Code]int{
		problem.ModelAuth: 401, problem.ModelRefused: 400, problem.ModelRateLimited: 429, problem.ModelUnavailable: 529,
	}[failure.Code]
	if status == 0 {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, "<html><body>It works!</body></html>")
		return
	}
	if failure.RetryAfter > 0 {
		w.Header().Set("Retry-After", fmt.Sprint(int(failure.RetryAfter.Seconds())))
	}
	failMessages(w, status, failure.Detail)
}

// streamMessages tells the line in blocks: each stretch of one part is a block,
// but for a call, which stays one however its pieces come.
func streamMessages(w http.ResponseWriter, r *http.Request, line script.Line) {
	w.Header().Set("Content-Type", "text/event-stream; charset=utf-8")
	send := func(kind string, event map[string]any) {
		event["type"] = kind
		fmt.Fprintf(w, "event: %s\ndata: ", kind)
		write(w, event)
		fmt.Fprint(w, "\n\n")
	}
	u := line.Reply.Usage
	if u == (run.Usage{}) {
		u = run.Usage{Input: 20, Output: 8, Cached: 16}
	}
	send("message_start", map[string]any{"message": map[string]any{
		"id": "msg_1", "type": "message", "role": "assistant", "model": "test-model", "content": []any{}, "stop_reason": nil, "stop_sequence": nil,
		"usage": map[string]any{"input_tokens": u.Input - u.Cached - u.Written, "cache_read_input_tokens": u.Cached, "cache_creation_input_tokens": u.Written, "output_tokens": 1},
	}})
	send("ping", map[string]any{})
	deltas := line.Deltas
	if deltas == nil {
		deltas = script.Deltas(line.Reply)
	}
	told := blocksOf(line.Reply, deltas)
	open := -1
	for i, d := range deltas {
		index := told.at[i]
		if told.first[i] {
			if open >= 0 && told.closes[i] {
				send("content_block_stop", map[string]any{"index": open})
			}
			send("content_block_start", map[string]any{"index": index, "content_block": begun(d)})
		}
		open = index
		for _, piece := range pieces(d, told.last[i], line.Reply.Reasoning) {
			send("content_block_delta", map[string]any{"index": index, "delta": piece})
		}
	}
	if line.Stall {
		if http.NewResponseController(w).Flush() == nil {
			<-r.Context().Done()
		}
		return
	}
	if open >= 0 {
		send("content_block_stop", map[string]any{"index": open})
	}
	send("message_delta", map[string]any{
		"delta": map[string]any{"stop_reason": stopReason(line.Reply), "stop_sequence": nil},
		"usage": map[string]any{"output_tokens": u.Output},
	})
	send("message_stop", map[string]any{})
}

// told says which block each delta is of.
type told struct {
	at                  []int
	first, last, closes []bool
}

func blocksOf(reply run.Reply, deltas []run.Delta) told {
	t := told{at: make([]int, len(deltas)), first: make([]bool, len(deltas)), last: make([]bool, len(deltas)), closes: make([]bool, len(deltas))}
	calls := map[int]int{}
	blocks := 0
	for i, d := range deltas {
		same := i > 0 && deltas[i-1].Kind == d.Kind && deltas[i-1].Call == d.Call
		index, begun := calls[d.Call]
		switch {
		case d.Kind == run.CallDelta && begun:
			t.at[i] = index
		case same:
			t.at[i] = t.at[i-1]
		default:
			t.at[i], t.first[i], t.closes[i] = blocks, true, true
			if d.Kind == run.CallDelta {
				calls[d.Call] = blocks
			}
			blocks++
		}
		t.last[i] = i+1 == len(deltas) || deltas[i+1].Kind != d.Kind
	}
	return t
}

func begun(d run.Delta) map[string]any {
	switch d.Kind {
	case run.TextDelta:
		return map[string]any{"type": "text", "text": ""}
	case run.ReasoningDelta:
		return map[string]any{"type": "thinking", "thinking": "", "signature": ""}
	}
	return map[string]any{"type": "tool_use", "id": fmt.Sprintf("toolu_%04d", d.Call+1), "name": wireName(d.Name), "input": map[string]any{}}
}

func pieces(d run.Delta, last bool, thought string) []map[string]any {
	switch d.Kind {
	case run.TextDelta:
		return []map[string]any{{"type": "text_delta", "text": d.Text}}
	case run.CallDelta:
		return []map[string]any{{"type": "input_json_delta", "partial_json": d.Text}}
	}
	all := []map[string]any{{"type": "thinking_delta", "thinking": d.Text}}
	if last {
		all = append(all, map[string]any{"type": "signature_delta", "signature": signatureOf(thought)})
	}
	return all
}

func stopReason(reply run.Reply) string {
	switch {
	case reply.Finish == "length":
		return "max_tokens"
	case len(reply.Calls) > 0:
		return "tool_use"
	case strings.HasPrefix(reply.Finish, "content"):
		return "refusal"
	}
	return "end_turn"
}
