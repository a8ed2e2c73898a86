package webhook_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"errand/internal/egress"
	"errand/internal/queue/local"
	"errand/internal/run"
	"errand/internal/seal"
	"errand/internal/store/memory"
	"errand/internal/webhook"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = "desk"

// world is a hub over a store and a queue, and the receivers that it calls.
type world struct {
	t     *testing.T
	store *memory.Store
	hub   *webhook.Hub
	queue *local.Queue
	runs  int
	real  bool // receivers are called over the network
	key   byte // of the seal
	holes string

	mu     sync.Mutex
	come   []call
	answer map[string]func(r *http.Request) (*http.Response, error) // by host; nil = 200
}

// call is a request that arrived.
type call struct {
	Host, Path string
	At         time.Time
	Header     http.Header
	Body       string
	Code       int
}

// told is what the test's bodies say.
type told struct {
	ID, Type, Run, Status string
	Own                   bool
}

func newWorld(t *testing.T) *world {
	w := &world{t: t, holes: "10.0.0.0/8", store: memory.New(memory.Config{Now: time.Now}), answer: map[string]func(*http.Request) (*http.Response, error){}}
	w.open()
	t.Cleanup(func() {
		w.close()
		w.store.Close()
	})
	return w
}

func (w *world) open() {
	w.t.Helper()
	box, err := seal.New(bytes.Repeat([]byte{w.key}, seal.KeySize))
	if err != nil {
		w.t.Fatal(err)
	}
	holes, err := egress.ParseAllow(w.holes)
	if err != nil {
		w.t.Fatal(err)
	}
	client := func(bool) webhook.Poster { return &http.Client{Transport: w} }
	if w.real {
		client = nil
	}
	w.hub, err = webhook.NewHub(webhook.Config{
		Rows: w.store, Log: w.store, Box: box, Guard: egress.New(egress.Config{Allow: holes}), Now: time.Now, Agent: "errand/test",
		Client: client,
		Render: func(_ context.Context, n webhook.Notice) ([]byte, error) {
			return json.Marshal(told{n.ID, n.Type, n.State.ID.String(), string(n.State.Status), n.Own})
		},
	})
	if err != nil {
		w.t.Fatal(err)
	}
	if err := w.hub.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	w.queue = local.New(local.Config{Store: w.store, Handlers: w.hub.Handlers(), Workers: 16})
	w.queue.Start()
}

func (w *world) close() { w.queue.Close(context.Background()) }

// restart is a server that stops and comes back.
func (w *world) restart() {
	w.close()
	w.open()
}

// RoundTrip is all receivers.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	reply := w.answer[r.URL.Host]
	w.mu.Unlock()
	response, err := with(200)(r)
	if reply != nil {
		response, err = reply(r)
	}
	c := call{Host: r.URL.Host, Path: r.URL.Path, At: time.Now(), Header: r.Header, Body: string(body)}
	if err == nil {
		c.Code = response.StatusCode
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.come = append(w.come, c)
	return response, err
}

func with(code int, header ...string) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		h := http.Header{}
		for i := 0; i < len(header); i += 2 {
			h.Set(header[i], header[i+1])
		}
		return &http.Response{StatusCode: code, Header: h, Body: http.NoBody, Request: r}, nil
	}
}

func refuse(*http.Request) (*http.Response, error) { return nil, errors.New("connection refused") }

func hang(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func (w *world) set(host string, reply func(*http.Request) (*http.Response, error)) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answer[host] = reply
}

// calls returns those that a host got, all or only the answered ones.
func (w *world) calls(host string, answered bool) []call {
	w.mu.Lock()
	defer w.mu.Unlock()
	var found []call
	for _, c := range w.come {
		if c.Host == host && (!answered || c.Code >= 200 && c.Code < 300) {
			found = append(found, c)
		}
	}
	return found
}

// register adds an endpoint and returns its id and its secret.
func (w *world) register(address string, events ...string) (id, secret string) {
	w.t.Helper()
	e, secret, c, err := w.hub.Register(project, webhook.New{URL: address, Events: events})
	if err != nil {
		w.t.Fatal(err)
	}
	w.commit(c)
	return e.ID, secret
}

func (w *world) commit(c run.Commit) {
	w.t.Helper()
	if err := w.store.Append(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) endpoint(id string) webhook.Endpoint {
	w.t.Helper()
	e, err := w.hub.Endpoint(w.t.Context(), project, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return e
}

func (w *world) deliveries(id, status string) []webhook.Delivery {
	w.t.Helper()
	found, err := w.hub.Deliveries(w.t.Context(), project, id, webhook.Page{Status: status, Limit: 1000})
	if err != nil {
		w.t.Fatal(err)
	}
	return found
}

// story is a run that the test writes.
type story struct {
	w     *world
	id    run.ID
	state run.State
}

func (w *world) run(own string) *story {
	w.runs++
	id := run.NewID(time.Now(), uint16(w.runs), uint64(w.runs))
	s := &story{w: w, id: id, state: run.State{ID: id}}
	s.log(run.Event{Type: run.RunCreated, Created: &run.Created{Spec: run.Spec{
		Project: project, Dialect: "native", Webhook: own, Input: run.Message{Role: run.User, Text: "go"},
		Tools: []run.Tool{{Name: "mail", Class: run.Once}}, Gates: []string{"mail"}, Limits: run.Limits{MaxSteps: 4},
	}}})
	return s
}

// log appends events as the engine does: with the jobs that they cause.
func (s *story) log(events ...run.Event) {
	s.w.t.Helper()
	expected := s.state.Seq
	for i := range events {
		events[i].Seq, events[i].ID, events[i].At = s.state.Seq+1, rand.Uint64(), time.Now()
		s.state.Take(&events[i])
	}
	s.w.commit(run.Commit{
		Runs: []run.Append{{ID: s.id, Expected: expected, Events: events, Summary: s.state.Summarize()}},
		Jobs: s.w.hub.Outbox(&s.state, events),
	})
}

func (s *story) asks() {
	s.w.t.Helper()
	s.log(run.Event{Type: run.ModelResponded, Responded: &run.Responded{
		Step: 1, Attempt: 1, Reply: run.Reply{Calls: []run.Call{{ID: "c1", Name: "mail", Arguments: "{}"}}},
		Actions: []run.Planned{{ID: "act_01", Gated: true, Digest: "d"}},
	}})
	if s.state.Status != run.AwaitingApproval {
		s.w.t.Fatalf("the run is %s", s.state.Status)
	}
}

func (s *story) ends(status run.Status, reason run.StopReason) {
	s.w.t.Helper()
	s.log(run.Event{Type: run.RunFinished, Ended: &run.Ended{Status: status, Reason: reason}})
}

func (s *story) completes() { s.w.t.Helper(); s.ends(run.Completed, run.Answered) }

// types returns what calls told, as type or type/status.
func types(calls []call) string {
	var all []string
	for _, c := range calls {
		var body told
		if err := json.Unmarshal([]byte(c.Body), &body); err != nil {
			all = append(all, c.Body)
			continue
		}
		all = append(all, strings.TrimPrefix(body.Type, "run."))
	}
	return strings.Join(all, " ")
}

// bubble runs a test with a clock of its own.
func bubble(t *testing.T, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { test(t, newWorld(t)) })
}
