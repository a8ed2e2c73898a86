package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// The tool that every run calls. Its name is the same on the wire, so that the
// floor has nothing to map.
const (
	toolName   = "lookup"
	toolSchema = `{"type":"object","properties":{"status":{"type":"string"}},"required":["status"]}`
	toolArgs   = `{"status":"unpaid"}`
	toolWords  = "Finds invoices by their status."
)

// lastWord ends every answer: a run is counted only when its answer has it.
const lastWord = "finis."

// behaviour is what the model does. Its text form is the model's name, so that a
// request says itself how it is to be answered and the mock keeps no state.
type behaviour struct {
	search bool          // what it asks for are searches, and its answer cites one
	turns  int           // replies that ask for a tool call, before the answer
	tokens int           // of the answer
	first  time.Duration // before the first byte of a reply
	gap    time.Duration // between the tokens of an answer
}

// String is the model's name: t1-n20-f50-g0, times in milliseconds; s1-… searches.
func (b behaviour) String() string {
	kind := 't'
	if b.search {
		kind = 's'
	}
	return fmt.Sprintf("%c%d-n%d-f%d-g%d", kind, b.turns, b.tokens, b.first.Milliseconds(), b.gap.Milliseconds())
}

// parseBehaviour reads a model's name.
func parseBehaviour(name string) (behaviour, error) {
	var numbers [4]int
	letters := "tnfg"
	search := strings.HasPrefix(name, "s")
	if search {
		letters = "snfg"
	}
	parts := strings.Split(name, "-")
	if len(parts) != len(numbers) {
		return behaviour{}, fmt.Errorf("%q names no behaviour such as t1-n20-f50-g0", name)
	}
	for i, part := range parts {
		digits, ok := strings.CutPrefix(part, letters[i:i+1])
		n, err := strconv.Atoi(digits)
		if !ok || err != nil || n < 0 {
			return behaviour{}, fmt.Errorf("%q names no behaviour: %q is not %c and a number", name, part, letters[i])
		}
		numbers[i] = n
	}
	milli := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	return behaviour{search, numbers[0], numbers[1], milli(numbers[2]), milli(numbers[3])}, nil
}

// mock is the model, the owner of the tool, and a search engine.
type mock struct {
	url    string
	server *http.Server
	ready  sync.Map // replies that have been made before, by replyKey
}

// replyKey says which reply: all calls are the same, and all answers of a length.
type replyKey struct {
	search bool
	call   bool
	tokens int
	stream bool
}

func startMock() (*mock, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	m := &mock{url: "http://" + listener.Addr().String()}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/chat/completions", m.chat)
	mux.HandleFunc("POST /tool", answerTool)
	mux.HandleFunc("GET /search", answerSearch)
	m.server = &http.Server{Handler: mux}
	go func() { _ = m.server.Serve(listener) }() // ends with close
	return m, nil
}

func (m *mock) close() { _ = m.server.Close() }

// toolOutput is what a lookup finds: a few rows, as tools give.
const toolOutput = `{"invoices":[{"id":"inv_1041","customer":"Harbour Mills","amount":1840.5,"due":"2026-10-02"},` +
	`{"id":"inv_1077","customer":"North Quay Ltd","amount":312,"due":"2026-10-19"}]}`

func answerTool(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // a caller that hangs up gets no answer
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, toolOutput)
}

// chat answers a model call: with a tool call until the conversation has as many
// results as the behaviour has turns, then with the answer.
func (m *mock) chat(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	b, err := parseBehaviour(modelOf(body))
	if err != nil {
		http.Error(w, `{"error":{"message":"`+strconv.Quote(err.Error())+`"}}`, http.StatusNotFound)
		return
	}
	key := replyKey{
		search: b.search,
		call:   bytes.Count(body, []byte(`"role":"tool"`)) < b.turns,
		stream: bytes.Contains(body, []byte(`"stream":true`)),
	}
	if !key.call {
		key.tokens = b.tokens
	}
	if !think(r.Context(), b.first) {
		return
	}
	pieces := m.reply(key)
	if !key.stream {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(pieces[0])
		return
	}
	w.Header().Set("Content-Type", "text/event-stream")
	if b.gap == 0 || key.call {
		_, _ = w.Write(bytes.Join(pieces, nil))
		return
	}
	flush := http.NewResponseController(w)
	for i, piece := range pieces {
		if i > 0 && !wait(r.Context(), b.gap) {
			return
		}
		if _, err := w.Write(piece); err != nil || flush.Flush() != nil {
			return
		}
	}
}

// modelOf finds the model in a request without decoding all of it: the mock has
// to be cheap, because it shares the machine with what is measured. A name may
// have its provider before it.
func modelOf(body []byte) string {
	_, rest, _ := bytes.Cut(body, []byte(`"model":"`))
	name, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(name)
}

// coarse is by how much a timer of the runtime may be late: it sleeps in whole
// milliseconds, and how often depends on what else the process does.
const coarse = 3 * time.Millisecond

// think waits as exactly as the system can: a server that is late by half a
// millisecond must be told from a model that is.
func think(ctx context.Context, d time.Duration) bool {
	until := time.Now().Add(d)
	if !wait(ctx, max(d-coarse, 0)) {
		return false
	}
	for left := time.Until(until); left > 0; left = time.Until(until) {
		rest := syscall.NsecToTimespec(left.Nanoseconds())
		_ = syscall.Nanosleep(&rest, nil) // a signal may end it early: the loop goes on
	}
	return true
}

// wait waits, and reports whether the caller is still there.
func wait(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// reply returns a reply's pieces: the events of a stream, or one JSON text.
func (m *mock) reply(key replyKey) [][]byte {
	if made, ok := m.ready.Load(key); ok {
		return made.([][]byte)
	}
	pieces := key.make()
	m.ready.Store(key, pieces)
	return pieces
}

const usage = `{"prompt_tokens":180,"completion_tokens":24,"total_tokens":204}`

func (k replyKey) make() [][]byte {
	name, arguments := toolName, toolArgs
	if k.search {
		name, arguments = searchName, searchArgs
	}
	id := "chatcmpl-2" // each reply of a run has its own: some clients take two that share one for the same
	if k.call {
		id = "chatcmpl-1"
	}
	call := fmt.Sprintf(`{"index":0,"id":"call_abc123","type":"function","function":{"name":%q,"arguments":%q}}`, name, arguments)
	if !k.stream {
		message, finish := fmt.Sprintf(`{"role":"assistant","content":%q}`, strings.Join(k.words(), "")), "stop"
		if k.call {
			message, finish = `{"role":"assistant","content":null,"tool_calls":[`+call+`]}`, "tool_calls"
		}
		return [][]byte{fmt.Appendf(nil, `{"id":%q,"object":"chat.completion","created":1800000000,"model":"mock","choices":[{"index":0,"message":%s,"finish_reason":%q}],"usage":%s}`, id, message, finish, usage)}
	}
	var pieces [][]byte
	chunk := func(choices, rest string) {
		pieces = append(pieces, fmt.Appendf(nil, "data: {\"id\":%q,\"object\":\"chat.completion.chunk\",\"created\":1800000000,\"model\":\"mock\",\"choices\":[%s]%s}\n\n", id, choices, rest))
	}
	finish := "stop"
	if k.call {
		finish = "tool_calls"
		chunk(`{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[`+call+`]},"finish_reason":null}`, "")
	}
	for i, word := range k.words() {
		role := ""
		if i == 0 {
			role = `"role":"assistant",` // some clients go by what the first piece says
		}
		chunk(fmt.Sprintf(`{"index":0,"delta":{%s"content":%q},"finish_reason":null}`, role, word), "")
	}
	chunk(fmt.Sprintf(`{"index":0,"delta":{},"finish_reason":%q}`, finish), "")
	chunk("", `,"usage":`+usage)
	pieces[len(pieces)-1] = append(pieces[len(pieces)-1], "data: [DONE]\n\n"...)
	return pieces
}

// words are the answer's tokens. The citation of one that has searched takes the
// place of a few, and comes in pieces as models write it.
func (k replyKey) words() []string {
	var words []string
	for i := 1; i < k.tokens; i++ {
		words = append(words, "word ")
	}
	if k.tokens > 0 {
		words = append(words, lastWord)
	}
	if k.search && len(words) > len(citedPieces) {
		copy(words[len(words)-len(citedPieces)-1:], citedPieces[:])
	}
	return words
}

// errWrong says that a run ended in another way than it had to.
var errWrong = errors.New("the answer is not the model's")
