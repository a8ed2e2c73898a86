package webhook

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"errand/internal/egress"
	"errand/internal/run"
)

// Rows keeps endpoints and deliveries. A store has these methods.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// Rows lists rows of one kind and project in order of id.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Log has the runs' events. A store has this method.
type Log interface {
	// Load returns the run's events after the given seq, in order.
	Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error)
}

// Box seals secrets. seal.Box is one.
type Box interface {
	Seal(plain []byte, context string) []byte
	Open(sealed []byte, context string) ([]byte, error)
}

// Poster sends a request. An http.Client is one.
type Poster interface {
	Do(request *http.Request) (*http.Response, error)
}

// Config is what a Hub needs. Rows, Log, Box, Guard, Render and Now must be set.
type Config struct {
	Rows  Rows
	Log   Log
	Box   Box
	Guard *egress.Guard
	// Render returns the body of a notice, JSON, or nil when its API tells nothing
	// of this event.
	Render func(ctx context.Context, n Notice) ([]byte, error)
	Now    func() time.Time
	Agent  string         // User-Agent
	Logger *slog.Logger   // nil = none
	Random func() float64 // from 0 to 1, spreads retries; nil = math/rand
	// Client returns what calls the URLs; open is for http, which leads only to
	// what the operator has allowed. Nil = clients of Guard.
	Client func(open bool) Poster
}

// Hub keeps endpoints and delivers to them. Make one with NewHub, call Start before
// runs are driven, and give its Handlers to the queue.
type Hub struct {
	cfg        Config
	https, own Poster // own is for http

	mu       sync.Mutex // guards what follows
	projects map[string]bool
	lanes    map[string]*lane
}

// NewHub checks the configuration.
func NewHub(cfg Config) (*Hub, error) {
	if cfg.Rows == nil || cfg.Log == nil || cfg.Box == nil || cfg.Guard == nil || cfg.Render == nil || cfg.Now == nil {
		return nil, errors.New("webhook: Rows, Log, Box, Guard, Render and Now must be set")
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Random == nil {
		cfg.Random = rand.Float64
	}
	if cfg.Client == nil {
		cfg.Client = func(open bool) Poster {
			return cfg.Guard.Client(egress.Options{Timeout: attemptTime, MaxBody: 1 << 10, Holes: open})
		}
	}
	return &Hub{
		cfg: cfg, https: cfg.Client(false), own: cfg.Client(true),
		projects: map[string]bool{}, lanes: map[string]*lane{},
	}, nil
}

// Start learns which projects have endpoints.
func (h *Hub) Start(ctx context.Context) error {
	rows, err := h.cfg.Rows.Rows(ctx, run.RowQuery{Kind: projectKind})
	for i := range rows {
		h.listen(rows[i].ID)
	}
	return err
}

func (h *Hub) listen(project string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.projects[project] = true
}

// Listens reports whether a project may have endpoints. It reads no disk: it is
// asked at every event.
func (h *Hub) Listens(project string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.projects[project]
}

// Outbox is Jobs for this hub's endpoints: what the engine writes with events.
func (h *Hub) Outbox(s *run.State, events []run.Event) []run.Job { return Jobs(s, events, h.Listens) }

// Handlers do the hub's jobs, by kind.
func (h *Hub) Handlers() map[string]func(context.Context, run.Job) error {
	return map[string]func(context.Context, run.Job) error{FanJob: h.fan, SendJob: h.send, WakeJob: h.wake}
}

// tries bounds how often a change is made anew because another one was quicker.
const tries = 20

// insist calls do until it meets no conflict.
func insist(do func() error) (err error) {
	for range tries {
		var conflict *run.RowConflict
		if err = do(); !errors.As(err, &conflict) {
			return err
		}
	}
	return err
}
