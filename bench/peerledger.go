package main

import (
	"io"
	"net"
	"net/http"
	"sync"
)

// ledger is the owner of the tool in the stories about crashes and approvals: it counts
// the calls of each story, and can keep them waiting.
type ledger struct {
	url     string
	server  *http.Server
	mu      sync.Mutex
	tallies map[string]*tally
}

// tally is a story's.
type tally struct {
	mu    sync.Mutex
	calls int
	keys  map[string]bool // Idempotency-Keys that came
	held  chan struct{}   // calls wait until it is closed; nil = they do not
}

func openLedger() (*ledger, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &ledger{url: "http://" + listener.Addr().String(), tallies: map[string]*tally{}}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /{story}", func(w http.ResponseWriter, r *http.Request) {
		l.tally(r.PathValue("story")).answer(w, r)
	})
	l.server = &http.Server{Handler: mux}
	go func() { _ = l.server.Serve(listener) }() // ends with close
	return l, nil
}

func (l *ledger) close() { _ = l.server.Close() }

func (l *ledger) tally(story string) *tally {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.tallies[story] == nil {
		l.tallies[story] = &tally{keys: map[string]bool{}}
	}
	return l.tallies[story]
}

func (t *tally) answer(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body) // a caller that hangs up has called all the same
	t.mu.Lock()
	t.calls++
	if key := r.Header.Get("Idempotency-Key"); key != "" {
		t.keys[key] = true
	}
	held := t.held
	t.mu.Unlock()
	if held != nil {
		select {
		case <-held:
		case <-r.Context().Done():
			return
		}
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, toolOutput)
}

// hold keeps the calls that come from now on waiting, until let is called.
func (t *tally) hold() (let func()) {
	held := make(chan struct{})
	t.mu.Lock()
	t.held = held
	t.mu.Unlock()
	return sync.OnceFunc(func() {
		t.mu.Lock()
		t.held = nil
		t.mu.Unlock()
		close(held)
	})
}

// count is how many calls came, and with how many keys.
func (t *tally) count() (calls, keys int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.calls, len(t.keys)
}
