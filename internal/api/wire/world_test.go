package wire_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"iter"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "the admin key of the tests"

// world is a server with a fake API family, a store in memory and a clock.
type world struct {
	t      testing.TB
	cfg    wire.Config
	server *wire.Server
	store  *memory.Store
	book   *auth.Book
	log    *syncBuffer

	mu    sync.Mutex
	now   time.Time
	full  bool // the store refuses every commit
	runs  int  // runs that were made
	notes int  // notes that were made
	hold  chan struct{}
	held  chan struct{} // told when a request waits at hold
}

// syncBuffer is a log that may be read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func (w *world) clock() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) count() (runs, notes int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.runs, w.notes
}

// gate makes requests wait at certain places until it is opened.
func (w *world) gate() (held <-chan struct{}, open func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hold, w.held = make(chan struct{}), make(chan struct{}, 16)
	return w.held, sync.OnceFunc(func() { close(w.hold) })
}

// wait holds a request at the gate; it reports whether the client left meanwhile.
func (w *world) wait(ctx context.Context) {
	w.mu.Lock()
	hold, held := w.hold, w.held
	w.mu.Unlock()
	if hold == nil {
		return
	}
	held <- struct{}{}
	select {
	case <-hold:
	case <-ctx.Done():
	}
}

// thing is a body with one field of each kind.
type thing struct {
	Name     string            `json:"name"`
	Count    int               `json:"count,omitempty"`
	Ratio    float64           `json:"ratio,omitempty"`
	Loud     *bool             `json:"loud,omitempty"`
	Tags     []string          `json:"tags,omitempty"`
	Labels   map[string]string `json:"labels,omitempty"`
	Approval struct {
		RequiredFor []string `json:"required_for,omitempty"`
	} `json:"approval,omitzero"`
	Steps []struct {
		Tool string `json:"tool"`
	} `json:"steps,omitempty"`
	At   *time.Time      `json:"at,omitempty"`
	Free json.RawMessage `json:"free,omitempty"`
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, now: time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC), log: &syncBuffer{}}
	w.store = memory.New(memory.Config{Now: w.clock, Refuse: func(*run.Commit) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.full {
			return problem.New(problem.StorageFull, "The disk is full.")
		}
		return nil
	}})
	w.book = auth.NewBook(w.store, w.clock)
	if _, err := w.book.EnsureAdmin(t.Context(), secret); err != nil {
		t.Fatal(err)
	}
	strict := &wire.Family{Name: "strict", Prefixes: []string{"/v1"}, Strict: true}
	loose := &wire.Family{Name: "loose", Prefixes: []string{"/loose"}, Fault: func(f wire.Fault) (int, any) {
		return wire.Status(f.Code), map[string]string{"detail": f.Detail, "request": f.RequestID}
	}}
	w.cfg = wire.Config{
		Families: []*wire.Family{strict, loose}, Keys: w.book, Rows: w.store, Now: w.clock,
		Logger: slog.New(slog.NewTextHandler(w.log, nil)),
		Routes: []wire.Route{
			{Method: "GET", Path: "/v1/things", Family: strict, Scope: "agents:read", Query: []string{"limit", "status", "since", "all"}, Handle: w.list},
			{Method: "POST", Path: "/v1/things", Family: strict, Scope: "agents:write", Handle: echo},
			{Method: "GET", Path: "/v1/things/{id}", Family: strict, Handle: show},
			{Method: "GET", Path: "/v1/things/all", Family: strict, Handle: show},
			{Method: "POST", Path: "/v1/notes", Family: strict, Query: []string{"dry_run"}, Handle: w.note},
			{Method: "POST", Path: "/v1/secrets", Family: strict, Secret: true, Handle: w.secret},
			{Method: "POST", Path: "/v1/small", Family: strict, Body: 10, Handle: echo},
			{Method: "POST", Path: "/v1/runs", Family: strict, Start: w.start, Answer: w.answer},
			{Method: "GET", Path: "/v1/fail/{how}", Family: strict, Handle: fail},
			{Method: "POST", Path: "/loose/things", Family: loose, Handle: echo},
			{Method: "GET", Path: "/open", Family: strict, Open: true, Quiet: true, Handle: show},
			{Method: "GET", Path: "/pages/{rest...}", Family: strict, Open: true, HTTP: http.HandlerFunc(page)},
		},
	}
	w.restart()
	return w
}

// restart is a new process over the same store.
func (w *world) restart() {
	w.t.Helper()
	server, err := wire.New(w.cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.server = server
}

func (w *world) list(_ context.Context, r *wire.Request) (wire.Response, error) {
	q := r.Query()
	body := map[string]any{"limit": q.Int("limit", 20, 1, 100), "status": q.OneOf("status", "open", "done"), "since": q.Time("since"), "all": q.Bool("all", false)}
	return wire.OK(body), q.Err()
}

func echo(_ context.Context, r *wire.Request) (wire.Response, error) {
	var in thing
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	return wire.OK(in), nil
}

func show(_ context.Context, r *wire.Request) (wire.Response, error) {
	return wire.OK(map[string]string{"id": r.Path("id"), "path": r.Route.Path, "key": r.Caller.KeyName}), nil
}

func fail(_ context.Context, r *wire.Request) (wire.Response, error) {
	switch how := r.Path("how"); how {
	case "panic":
		panic("boom: " + secret)
	case "plain":
		return wire.Response{}, errors.New("the private cause")
	default:
		return wire.Response{}, problem.New(problem.Code(how), "It is so.")
	}
}

func page(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Security-Policy", "default-src 'self'")
	_, _ = io.WriteString(w, "page "+r.URL.Path)
}

// note writes a row and the answer in one commit.
func (w *world) note(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in thing
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	w.wait(ctx)
	if in.Name == "" {
		return wire.Response{}, problem.Invalid("name", "is required")
	}
	answer := wire.Response{Status: http.StatusCreated, Body: map[string]any{"name": in.Name, "at": w.clock()}}
	rows, err := r.Remember(answer)
	if err != nil {
		return wire.Response{}, err
	}
	rows = append(rows, run.RowWrite{Expect: run.AnyVersion, Row: run.Row{Kind: "note", Project: r.Caller.Project, ID: in.Name, Data: []byte("{}")}})
	if err := w.store.Append(ctx, run.Commit{Rows: rows}); err != nil {
		return wire.Response{}, err
	}
	w.mu.Lock()
	w.notes++
	w.mu.Unlock()
	return answer, nil
}

// secret answers what nobody else may read, and leaves remembering to wire.
func (w *world) secret(context.Context, *wire.Request) (wire.Response, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.notes++
	return wire.OK(map[string]any{"secret": "sk_live_topsecret", "n": w.notes}), nil
}

// start makes a run: here a row, and whatever is claimed for it.
func (w *world) start(ctx context.Context, r *wire.Request) (run.ID, error) {
	var in thing
	if err := r.Decode(&in); err != nil {
		return run.ID{}, err
	}
	if ctx.Err() != nil {
		return run.ID{}, ctx.Err()
	}
	w.mu.Lock()
	id := run.NewID(w.now, uint16(w.runs), uint64(w.runs))
	w.mu.Unlock()
	rows := append(r.Claim(id), run.RowWrite{Row: run.Row{Kind: "run", Project: r.Caller.Project, ID: id.String(), Data: []byte("{}")}})
	if err := w.store.Append(ctx, run.Commit{Rows: rows}); err != nil {
		return run.ID{}, err
	}
	w.mu.Lock()
	w.runs++
	w.mu.Unlock()
	r.Value = r.Fingerprint()
	return id, nil
}

// answer waits at the gate, or streams two frames with the gate between them.
func (w *world) answer(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	var in thing
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	print, _ := r.Value.(string)
	if in.Loud == nil {
		w.wait(ctx)
		if in.Name == "unlucky" {
			return wire.Response{}, problem.New(problem.Overloaded, "Not now.")
		}
		return wire.Response{Status: http.StatusCreated, Body: map[string]any{"id": id.String(), "print": print, "at": w.clock()}}, nil
	}
	return wire.Response{Stream: &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] { return w.updates(ctx, in.Name) },
		Emit: func(f *wire.Frames, u engine.Update) (bool, error) {
			f.Frame("1", string(u.Event.Type), []byte("{\"id\":\n\""+id.String()+"\"}"))
			return u.Event.Type == run.RunFinished, nil
		},
	}}, nil
}

func (w *world) updates(ctx context.Context, how string) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		switch how {
		case "gone":
			yield(engine.Update{}, problem.New(problem.NotFound, "No such run."))
			return
		case "nothing":
			return
		}
		if !yield(engine.Update{Event: &run.Event{Type: run.RunCreated}}, nil) {
			return
		}
		w.wait(ctx)
		if how == "breaks" {
			yield(engine.Update{}, errors.New("the log is gone"))
			return
		}
		if ctx.Err() == nil && how != "drains" {
			yield(engine.Update{Event: &run.Event{Type: run.RunFinished}}, nil)
		}
	}
}

// answered is what came back.
type answered struct {
	status int
	header http.Header
	body   string
}

func (a answered) field(path ...string) any {
	var value any
	if json.Unmarshal([]byte(a.body), &value) != nil {
		return nil
	}
	for _, name := range path {
		object, _ := value.(map[string]any)
		value = object[name]
	}
	return value
}

// ask sends a request with the admin key; headers are "Name: value".
func (w *world) ask(method, path, body string, headers ...string) answered {
	w.t.Helper()
	return w.askIn(w.t.Context(), method, path, body, headers...)
}

func (w *world) askIn(ctx context.Context, method, path, body string, headers ...string) answered {
	w.t.Helper()
	r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		r.Header.Del(name)
		if value != "" {
			r.Header.Set(name, value)
		}
	}
	recorder := httptest.NewRecorder()
	w.server.ServeHTTP(recorder, r)
	return answered{recorder.Code, recorder.Header(), recorder.Body.String()}
}
