package rig

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

// Model is an endpoint of the chat-completions kind. What it answers depends on
// the conversation alone, so it is the same before and after a restart of the
// server: the first user message has a line per turn behind its first line,
//
//	tool.name {"argument": 1} | other.tool {}
//	= an answer
//
// and the turn is the number of replies that the conversation has. Behind the last
// line it answers "Done."
type Model struct {
	*httptest.Server

	gate   gate
	mu     sync.Mutex
	script func(Conversation) Turn
	pace   time.Duration
	mute   bool
	seen   []Conversation
	now    int // calls under way
	top    int // at once, at most
}

// Busiest is how many calls were under way at once, at most. One whose client is gone
// is not, also while calls are held.
func (m *Model) Busiest() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.top
}

// begin counts a call until the returned function is called.
func (m *Model) begin() (end func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.now++
	m.top = max(m.top, m.now)
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		m.now--
	}
}

// Plays replaces the lines of the prompt by a script of the test's own.
func (m *Model) Plays(script func(Conversation) Turn) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.script = script
}

// Paces makes each chunk of a stream take this long, also of one that is under way: a
// test can let the rest come at once when it has seen enough.
func (m *Model) Paces(pace time.Duration) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.pace = pace
}

func (m *Model) pacing() time.Duration {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.pace
}

// Mute makes it say nothing of how many tokens a call had.
func (m *Model) Mute() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mute = true
}

// Turn is one reply: a text, or calls.
type Turn struct {
	Text  string
	Calls []ToolCall
	Until <-chan struct{} // a stream does not end before this is closed; nil: it ends at once
}

// ToolCall is one call that the model asks for.
type ToolCall struct {
	Name      string
	Arguments string
}

// Conversation is a request.
type Conversation struct {
	Model    string    `json:"model"`
	Stream   bool      `json:"stream"`
	Messages []Message `json:"messages"`
	Tools    []struct {
		Function struct {
			Name string `json:"name"`
		} `json:"function"`
	} `json:"tools"`
}

// Message is one message of a conversation.
type Message struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"`
}

// Text is the message's text, of all its parts.
func (m Message) Text() string {
	var text string
	if json.Unmarshal(m.Content, &text) == nil {
		return text
	}
	var parts []struct {
		Text string `json:"text"`
	}
	_ = json.Unmarshal(m.Content, &parts) // null has no text
	for _, part := range parts {
		text += part.Text
	}
	return text
}

// Step is the number of replies so far.
func (c Conversation) Step() int {
	step := 0
	for _, m := range c.Messages {
		if m.Role == "assistant" {
			step++
		}
	}
	return step
}

// Of returns the messages of a role.
func (c Conversation) Of(role string) []Message {
	var found []Message
	for _, m := range c.Messages {
		if m.Role == role {
			found = append(found, m)
		}
	}
	return found
}

// Prompt is the first thing that the user has said.
func (c Conversation) Prompt() string {
	if users := c.Of("user"); len(users) > 0 {
		return users[0].Text()
	}
	return ""
}

func newModel(t testing.TB) *Model {
	m := &Model{script: FromPrompt}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", m.answer)
	mux.HandleFunc("GET /v1/models", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, `{"object":"list","data":[{"id":"mock","object":"model"}]}`)
	})
	m.Server = httptest.NewServer(mux)
	t.Cleanup(func() {
		m.gate.open()
		m.CloseClientConnections()
		m.Close()
	})
	return m
}

// Hold makes calls wait, from now on, until the returned function is called.
func (m *Model) Hold() (release func()) { return m.gate.hold() }

// Calls are all requests so far.
func (m *Model) Calls() []Conversation {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]Conversation(nil), m.seen...)
}

// FromPrompt is the script of the prompt's own lines, to go back to after Plays.
func FromPrompt(c Conversation) Turn {
	_, script, _ := strings.Cut(c.Prompt(), "\n")
	lines := strings.Split(strings.TrimSpace(script), "\n")
	step := c.Step()
	if script == "" || step >= len(lines) {
		return Turn{Text: "Done."}
	}
	line := strings.TrimSpace(lines[step])
	if text, says := strings.CutPrefix(line, "= "); says {
		return Turn{Text: text}
	}
	var turn Turn
	for call := range strings.SplitSeq(line, " | ") {
		name, arguments, _ := strings.Cut(strings.TrimSpace(call), " ")
		turn.Calls = append(turn.Calls, ToolCall{Name: name, Arguments: arguments})
	}
	return turn
}

func (m *Model) answer(w http.ResponseWriter, r *http.Request) {
	var asked Conversation
	if err := json.NewDecoder(r.Body).Decode(&asked); err != nil || len(asked.Messages) == 0 {
		http.Error(w, `{"error":{"message":"no conversation"}}`, http.StatusBadRequest)
		return
	}
	defer m.begin()()
	m.mu.Lock()
	m.seen = append(m.seen, asked)
	script, used := m.script, usage()
	if m.mute {
		used = nil
	}
	m.mu.Unlock()
	if !m.gate.pass(r.Context()) {
		return
	}
	turn := script(asked)
	if asked.Stream {
		s := stream{w: w, r: r, pace: m.pacing, usage: used}
		s.reply(turn, asked.Step())
		return
	}
	message := map[string]any{"role": "assistant", "content": nil}
	reason := "stop"
	if turn.Text != "" {
		message["content"] = turn.Text
	}
	if len(turn.Calls) > 0 {
		reason = "tool_calls"
		message["tool_calls"] = calls(turn, asked.Step(), false)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{ // a client that is gone needs no answer
		"id": "chatcmpl-1", "object": "chat.completion", "model": asked.Model, "usage": used,
		"choices": []any{map[string]any{"index": 0, "finish_reason": reason, "message": message}},
	})
}

func usage() map[string]any {
	return map[string]any{"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}
}

// calls are the calls in the wire's form, where a name has no dots.
func calls(turn Turn, step int, stream bool) []any {
	var all []any
	for i, call := range turn.Calls {
		made := map[string]any{
			"id": fmt.Sprintf("call_%d_%d", step, i), "type": "function",
			"function": map[string]any{"name": strings.ReplaceAll(call.Name, ".", "_"), "arguments": call.Arguments},
		}
		if stream {
			made["index"] = i
		}
		all = append(all, made)
	}
	return all
}

// stream is a reply in chunks.
type stream struct {
	w    http.ResponseWriter
	r    *http.Request
	pace func() time.Duration

	usage map[string]any
}

func (s stream) reply(turn Turn, step int) {
	s.w.Header().Set("Content-Type", "text/event-stream")
	reason := "stop"
	for _, word := range strings.SplitAfter(turn.Text, " ") {
		if word != "" && !s.chunk(map[string]any{"role": "assistant", "content": word}, nil) {
			return
		}
	}
	for _, call := range calls(turn, step, true) {
		reason = "tool_calls"
		if !s.chunk(map[string]any{"tool_calls": []any{call}}, nil) {
			return
		}
	}
	if turn.Until != nil {
		select {
		case <-turn.Until:
		case <-s.r.Context().Done():
			return
		}
	}
	if s.chunk(map[string]any{}, reason) {
		s.send(map[string]any{"choices": []any{}, "usage": s.usage})
		fmt.Fprint(s.w, "data: [DONE]\n\n")
	}
}

// chunk reports whether the client is still there.
func (s stream) chunk(delta map[string]any, reason any) bool {
	if pace := s.pace(); pace > 0 {
		select {
		case <-time.After(pace):
		case <-s.r.Context().Done():
			return false
		}
	}
	return s.send(map[string]any{"choices": []any{map[string]any{"index": 0, "delta": delta, "finish_reason": reason}}})
}

func (s stream) send(body map[string]any) bool {
	body["id"], body["object"] = "chatcmpl-1", "chat.completion.chunk"
	text, err := json.Marshal(body)
	if err != nil {
		return false
	}
	fmt.Fprintf(s.w, "data: %s\n\n", text)
	return http.NewResponseController(s.w).Flush() == nil
}
