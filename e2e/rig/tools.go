package rig

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"
)

// Tools is the owner of registered tools, whose name is the path.
type Tools struct {
	*httptest.Server

	mu     sync.Mutex
	pace   time.Duration
	ledger []Call
	gates  map[string]*gate
}

// Paces makes each call take this long, beside what a gate holds it.
func (s *Tools) Paces(pace time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pace = pace
}

// Call is one call as it arrived.
type Call struct {
	Tool   string
	Key    string // Idempotency-Key
	Run    string
	Action string
	Body   string
	At     time.Time
}

func newTools(t testing.TB) *Tools {
	s := &Tools{gates: map[string]*gate{}}
	s.Server = httptest.NewServer(http.HandlerFunc(s.answer))
	t.Cleanup(func() {
		s.mu.Lock()
		for _, g := range s.gates {
			g.open()
		}
		s.mu.Unlock()
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// Ledger are the calls so far, those of the named tools or all.
func (s *Tools) Ledger(tools ...string) []Call {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []Call
	for _, call := range s.ledger {
		for _, name := range tools {
			if call.Tool == name {
				found = append(found, call)
			}
		}
		if len(tools) == 0 {
			found = append(found, call)
		}
	}
	return found
}

// Hold makes calls of a tool wait, after they are in the ledger, until the
// returned function is called.
func (s *Tools) Hold(tool string) (release func()) { return s.gateOf(tool).hold() }

func (s *Tools) gateOf(tool string) *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.gates[tool] == nil {
		s.gates[tool] = &gate{}
	}
	return s.gates[tool]
}

func (s *Tools) answer(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller was killed before it had said everything
	}
	call := Call{
		Tool: r.URL.Path[1:], Key: r.Header.Get("Idempotency-Key"), Run: r.Header.Get("X-Errand-Run"),
		Action: r.Header.Get("X-Errand-Action"), Body: string(body), At: time.Now(),
	}
	s.mu.Lock()
	s.ledger = append(s.ledger, call)
	n, pace := len(s.ledger), s.pace
	s.mu.Unlock()
	if pace > 0 {
		Pause(pace)
	}
	if s.gateOf(call.Tool).pass(r.Context()) {
		fmt.Fprintf(w, `{"booked":%d}`, n)
	}
}
