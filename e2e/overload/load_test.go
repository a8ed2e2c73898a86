package overload

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"time"

	"errand/e2e/rig"
)

// load asks for runs and notes what becomes of it. Its requests do not go through
// the contract's reader, which would cost as much as the server.
type load struct {
	url    string
	client *http.Client

	mu       sync.Mutex
	accepted []string
	acks     []time.Duration // of what was accepted
	refusals []time.Duration
	strange  []string // what was neither
}

func newLoad(s *rig.Server) *load {
	return &load{url: s.URL, client: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 512, MaxConnsPerHost: 512}, Timeout: rig.Patience}}
}

// ask asks for one run.
func (l *load) ask(body string) {
	begun := time.Now()
	// Waiting for one of this side's own connections is not the server's time.
	sent := httptrace.WithClientTrace(context.Background(), &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { begun = time.Now() }})
	request, err := http.NewRequestWithContext(sent, http.MethodPost, l.url+"/v1/runs", strings.NewReader(body))
	if err != nil {
		panic(err) // only a body that is no reader makes none
	}
	request.Header.Set("Authorization", "Bearer "+rig.AdminKey)
	request.Header.Set("Content-Type", "application/json")
	got, err := l.client.Do(request)
	var said []byte
	if err == nil {
		said, err = io.ReadAll(got.Body)
		got.Body.Close()
	}
	took := time.Since(begun)
	var r rig.Run
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err != nil:
		l.strange = append(l.strange, err.Error())
	case got.StatusCode == http.StatusCreated && json.Unmarshal(said, &r) == nil && r.ID != "":
		l.accepted, l.acks = append(l.accepted, r.ID), append(l.acks, took)
	case (got.StatusCode == 503 || got.StatusCode == 429) && got.Header.Get("Retry-After") != "" && strings.Contains(string(said), `"request_id"`):
		l.refusals = append(l.refusals, took)
	default:
		l.strange = append(l.strange, fmt.Sprintf("%d %v %.300s", got.StatusCode, got.Header, said))
	}
}

// flood asks at a rate, whatever the answers, for a time, and waits for them.
func (l *load) flood(perSecond int, lasts time.Duration, body string) {
	var asking sync.WaitGroup
	for begun, n := time.Now(), 0; time.Since(begun) < lasts; {
		if due := int(time.Since(begun).Seconds() * float64(perSecond)); n < due {
			n++
			asking.Go(func() { l.ask(body) })
			continue
		}
		rig.Pause(time.Millisecond)
	}
	asking.Wait()
}

// steady lets a number of clients ask one run after the other for a time.
func (l *load) steady(clients int, lasts time.Duration, body string) {
	var asking sync.WaitGroup
	for range clients {
		asking.Go(func() {
			for begun := time.Now(); time.Since(begun) < lasts; {
				l.ask(body)
			}
		})
	}
	asking.Wait()
}
