package stream

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// author is a model's endpoint that writes long replies in small pieces, which end
// anywhere, also in the middle of a character.
type author struct {
	*httptest.Server
	// write answers a turn: say sends a piece of the text, and reports whether
	// anybody listens. What it returns is called at the end; nil ends the run.
	write func(c rig.Conversation, attempt int, say func(string) bool) []rig.ToolCall

	mu    sync.Mutex
	asked map[int]int // calls by step
}

// newAuthor makes the world's model an author.
func newAuthor(t *testing.T, w *rig.World) *author {
	t.Helper()
	a := &author{asked: map[int]int{}}
	a.Server = httptest.NewServer(http.HandlerFunc(a.answer))
	w.Env["OPENAI_BASE_URL"] = a.URL + "/v1"
	t.Cleanup(func() {
		w.Kill()
		a.CloseClientConnections()
		a.Close()
	})
	return a
}

// crash makes a turn end as if the provider had fallen over before it said a word.
const crash = "crash"

func (a *author) answer(w http.ResponseWriter, r *http.Request) {
	var c rig.Conversation
	if err := json.NewDecoder(r.Body).Decode(&c); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	a.mu.Lock()
	a.asked[c.Step()]++
	attempt := a.asked[c.Step()]
	a.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	flush := http.NewResponseController(w).Flush
	say := func(piece string) bool {
		fmt.Fprint(w, `data: {"choices":[{"delta":{"content":"`, escape(piece), `"},"finish_reason":null}]}`, "\n\n")
		return flush() == nil && r.Context().Err() == nil
	}
	calls := a.write(c, attempt, say)
	reason := "stop"
	for i, call := range calls {
		if call.Name == crash {
			panic(http.ErrAbortHandler)
		}
		reason = "tool_calls"
		fmt.Fprintf(w, `data: {"choices":[{"delta":{"tool_calls":[{"index":%d,"id":"c%d","function":{"name":%q,"arguments":%q}}]}}]}`+"\n\n",
			i, i, strings.ReplaceAll(call.Name, ".", "_"), call.Arguments)
	}
	fmt.Fprintf(w, `data: {"choices":[{"delta":{},"finish_reason":%q}]}`+"\n\ndata: [DONE]\n\n", reason)
}

// escape writes text into a JSON string without touching bytes that are no
// character by themselves: those are what an author is for.
func escape(piece string) string {
	return strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(piece)
}

// pause waits between two pieces.
func pause(d time.Duration) { <-time.After(d) }

// pieces cuts a text at random bytes, into pieces of up to most.
func pieces(chance *rand.Rand, text string, most int) []string {
	var cut []string
	for text != "" {
		n := min(1+chance.IntN(most), len(text))
		cut = append(cut, text[:n])
		text = text[n:]
	}
	return cut
}

// prose is a text of about so many bytes, of characters of every length.
func prose(chance *rand.Rand, size int) string {
	words := []string{"Grüße", "naïve", "日本語", "🧙‍♂️", "plain", "\"quoted\"", "back\\slash", "line\nbreak", "𝄞", "é", "<&>", "\u2028"}
	var text strings.Builder
	for text.Len() < size {
		text.WriteString(words[chance.IntN(len(words))])
		text.WriteByte(' ')
	}
	return text.String()
}
