// Package engine performs what the core decides.
//
// It drives runs, one driver each: a driver asks run.Decide what should be under
// way, starts and cuts effects, and appends what came of them. It waits for the
// disk only where a promise needs it: before an id leaves the server (Create),
// before a call whose class is once or keyed (intend), and before anything but a
// draft is shown (feed.publish). Everyone else appends an event (amend) and
// pokes the driver. A run that rests holds no goroutine and no memory.
//
// engine.go has what it needs and how it starts and stops, crew.go and lane.go who
// drives what; driver.go, journal.go, effect.go, outcome.go and alarm.go are a driver's
// loop, its way to the log, its effects, what comes of them, and its clock;
// cluster.go, glance.go and relay.go are what an engine does that is one of several;
// command.go is what people ask of a run; trace.go says where it stands in a trace
// of others; read.go, watch.go, feed.go and draft.go show it.
//
// To change how a run proceeds, edit run.Decide; to change when the engine waits
// for the disk, edit journal.go and effect.go; what a stream carries, watch.go.
package engine

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
)

// Log is where events are kept. internal/store has the implementations.
type Log interface {
	// Submit queues c and returns; done is called exactly once, when c is on
	// disk or has failed (run.ErrConflict, run.ErrFenced, *run.RowConflict, a
	// problem such as storage_full). done must not block.
	Submit(c run.Commit, done func(error))
	// Load returns the run's events after the given seq, in order; limit 0 = all.
	Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error)
	// Summary returns the run's line, or a not_found problem.
	Summary(ctx context.Context, id run.ID) (run.Summary, error)
	// Live returns the runs that need a driver, oldest first.
	Live(ctx context.Context) ([]run.ID, error)
}

// Models answers model calls. internal/model/router is the implementation.
type Models interface {
	// Reply does not change req, nor keep it when it has returned.
	Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error)
}

// Tools makes tool calls. internal/tool is the implementation.
type Tools interface {
	// Current returns the tool as it is defined now, and for a registered tool
	// the check that holds a commit to exactly this definition.
	Current(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error)
	// Call makes one call. A tool_unknown problem means that the request left
	// and no answer came; any other error is a definite failure whose public
	// detail goes to the model.
	Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error)
}

// Rows reads stored objects. internal/store has the implementations.
type Rows interface {
	// Row returns one row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
}

// Meter counts what the engine does, for metrics.
type Meter interface {
	// failure is empty for a reply.
	ModelCalled(model string, used run.Usage, took time.Duration, failure problem.Code)
	ToolCalled(tool string, outcome run.Outcome, took time.Duration)
	RunEnded(dialect string, status run.Status, reason run.StopReason)
	Active(drivers, waiting int)
}

// Config is what an Engine needs. Log, Models, Tools and Now must be set.
type Config struct {
	Log       Log
	Models    Models
	Tools     Tools
	Now       func() time.Time
	Rows      Rows                                                            // nil = no run claims what it starts
	Retry     func(err error, failures int) (again bool, after time.Duration) // of failed model calls; nil = never
	Logger    *slog.Logger                                                    // nil = none
	Meter     Meter                                                           // nil = none
	Budgets   Budgets                                                         // nil = none
	Bound     func(*run.Request) (tokens int, cost run.Micros)                // what a call can cost at most; set if Budgets is
	Holds     func(when, arguments string) bool                               // whether arguments satisfy a gate's condition; nil = always
	Mask      func(text string) string                                        // takes known secrets out of previews; nil = there are none
	Voice     func(ctx context.Context, key string) (string, error)           // the key whose voice a key has; nil = each has its own
	MaxActive int                                                             // runs driven at once; 0 = 1,000
	// Outbox returns the jobs that events cause outside of their run, such as
	// telling others of it, for the commit of the events; s is the run after them.
	// It must be quick, and must not keep s. Nil = none.
	Outbox func(s *run.State, events []run.Event) []run.Job
	// Witness completes the lines of the audit log in the commit of what somebody has
	// asked of a run: ctx is that of the request. Nil = they stay as they are.
	Witness func(ctx context.Context, c *run.Commit)
	// AtOnce returns how many runs that a key has started may be at work, 0 = any
	// number. It holds for runs without a lane of their own. Nil = any number.
	AtOnce func(ctx context.Context, key string) int
	// Stored hears of events that are on disk; s has them, and may be ahead of them.
	// It must neither block nor keep s. Nil = nobody does.
	Stored func(s *run.State, events []run.Event)
	// Span is the traceparent that an effect of a run hands on; attempt counts the
	// calls of a tool's action. Nil = what the run's caller has sent, as it is.
	Span func(s *run.State, effect run.Effect, attempt int) string
	// Ended hears of each run of this server whose end is on disk, so that what was
	// kept for it can go. Calls of it that were cut off may still be returning. It
	// must not block. Nil = nobody does.
	Ended func(run.ID)
	// Cluster makes the engine one of several over Log. Nil = there is one alone.
	Cluster *Cluster
}

// defaultActive is how many runs are driven at once unless the operator says
// otherwise: each holds a few goroutines and, mostly, an open model call.
const defaultActive = 1000

// queueFactor is how many runs may wait for a driver, as a multiple of MaxActive.
const queueFactor = 10

// Engine drives runs. Make one with New, call Start, and Close at the end.
type Engine struct {
	cfg      Config
	cluster  *Cluster // cfg's
	schemas  schema.Cache
	ctx      context.Context // ends when the drivers must
	cancel   context.CancelFunc
	draining chan struct{} // closed when Close begins
	effects  sync.WaitGroup
	workers  sync.WaitGroup
	outlook  sync.WaitGroup // what an engine of a cluster does beside driving
	term     atomic.Pointer[term]

	mu      sync.Mutex
	glances map[run.ID]*glance
	drivers map[run.ID]*driver
	feeds   map[run.ID]*feed
	waiting queue // runs that need a driver and found no room
	lanes   map[run.LaneID]*lane
	millis  int64  // of the latest id
	count   uint16 // ids made in that millisecond
}

// New returns an engine that drives nothing yet.
func New(cfg Config) *Engine {
	if cfg.MaxActive <= 0 {
		cfg.MaxActive = defaultActive
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Witness == nil {
		cfg.Witness = func(context.Context, *run.Commit) {}
	}
	if cfg.Outbox == nil {
		cfg.Outbox = func(*run.State, []run.Event) []run.Job { return nil }
	}
	if cfg.Retry == nil {
		cfg.Retry = func(error, int) (bool, time.Duration) { return false, 0 }
	}
	e := &Engine{
		cfg: cfg, cluster: cfg.Cluster, draining: make(chan struct{}),
		drivers: map[run.ID]*driver{}, feeds: map[run.ID]*feed{},
		lanes: map[run.LaneID]*lane{},
	}
	e.ctx, e.cancel = context.WithCancel(context.Background())
	if e.cluster == nil {
		e.term.Store(&term{ctx: e.ctx, end: e.cancel})
		return e
	}
	e.glances = map[run.ID]*glance{}
	e.begin(e.cluster.Node)
	return e
}

// Start takes over every run that needs a driver, oldest first. In a cluster it takes
// none over: those that nobody drives have jobs, and others may be about to.
func (e *Engine) Start(ctx context.Context) error {
	if e.cluster != nil {
		e.outlook.Add(1)
		go e.lookout()
		return nil
	}
	ids, err := e.cfg.Log.Live(ctx)
	for _, id := range ids {
		e.wake(id)
	}
	return err
}

// Close drains: it accepts nothing more, ends the streams without an end, lets
// calls under way finish for as long as ctx allows, and stops all drivers. What
// did not finish goes on at the next Start, or on another node: drivers that leave in
// time ask for others; for those that ctx cuts off, the node's own leave has to.
func (e *Engine) Close(ctx context.Context) error {
	e.mu.Lock()
	if !e.isDraining() {
		close(e.draining)
	}
	e.mu.Unlock()
	done := make(chan struct{})
	go func() {
		e.workers.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		e.cancel()
		<-done
	}
	e.mu.Lock()
	e.cancel() // under the lock: whoever is about to look sees that it is too late
	e.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		e.effects.Wait()
		e.outlook.Wait()
		close(gone)
	}()
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-gone:
	case <-timer.C: // a tool that does not listen: its call is cut off with the process
	}
	return nil
}

// Draining is closed when Close begins; streams end then, without an end frame.
func (e *Engine) Draining() <-chan struct{} { return e.draining }

func (e *Engine) isDraining() bool {
	select {
	case <-e.draining:
		return true
	default:
		return false
	}
}

// now is the clock of everything that is stored: UTC, to the millisecond.
func (e *Engine) now() time.Time { return e.cfg.Now().UTC().Truncate(time.Millisecond) }

func (e *Engine) eventID() uint64 { return rand.Uint64() }

// NewID makes a time-ordered id: a later one sorts behind an earlier one.
func (e *Engine) NewID() run.ID {
	e.mu.Lock()
	defer e.mu.Unlock()
	if now := e.now().UnixMilli(); now > e.millis {
		e.millis, e.count = now, 0
	} else if e.count++; e.count == 0 {
		e.millis++ // 65,536 in one millisecond: borrow from the next
	}
	return run.NewID(time.UnixMilli(e.millis), e.count, rand.Uint64())
}
