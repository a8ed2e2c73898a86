//go:build unix

package app

import (
	"context"
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/node"
	"errand/internal/queue/river"
	"errand/internal/run"
	"errand/internal/store/postgres"
	"errand/internal/store/postgres/pgtest"
)

// fellow is one of several nodes over a PostgreSQL: the parts of a cluster, put together
// with nothing else of a server around them.
type fellow struct {
	*postgres.Store
	engine *engine.Engine
	keeper *node.Keeper
	leases *postgres.Leases
	writer *river.Writer
	queue  atomic.Pointer[river.Queue]
	cut    atomic.Bool // from the database, as far as runs and the lease go
}

var errNoRoute = errors.New("no route to host")

func (f *fellow) Submit(c run.Commit, done func(error)) {
	if f.cut.Load() {
		go done(errNoRoute)
		return
	}
	f.Store.Submit(c, done)
}

func (f *fellow) Load(ctx context.Context, id run.ID, after int64, limit int) ([]run.Event, error) {
	if f.cut.Load() {
		return nil, errNoRoute
	}
	return f.Store.Load(ctx, id, after, limit)
}

func (f *fellow) Renew(ctx context.Context, name string, lease time.Duration) (now, next time.Time, err error) {
	if f.cut.Load() {
		return now, next, errNoRoute
	}
	return f.leases.Renew(ctx, name, lease)
}

func (f *fellow) Enter(ctx context.Context, name, address, version string, lease time.Duration) error {
	return f.leases.Enter(ctx, name, address, version, lease)
}

func (f *fellow) Dead(ctx context.Context, grace time.Duration) ([]string, error) {
	return f.leases.Dead(ctx, grace)
}

func (f *fellow) Bury(ctx context.Context, name string, grace time.Duration) (int, error) {
	return f.leases.Bury(ctx, name, grace)
}

// sender is a tool whose calls take long and that writes them down.
type sender struct {
	mu    sync.Mutex
	calls []string
}

func (s *sender) Current(context.Context, string, string) (run.Tool, *run.RowWrite, error) {
	return run.Tool{Name: "send", Class: run.Once, Version: "v1"}, nil, nil
}

func (s *sender) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	s.mu.Lock()
	s.calls = append(s.calls, call.Action)
	s.mu.Unlock()
	<-ctx.Done() // and nobody knows what came of it
	return run.ToolResult{}, ctx.Err()
}

func (s *sender) made() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.calls, " ")
}

// assembleFellow puts a node together and starts it.
func assembleFellow(t *testing.T, dsn string, model engine.Models, tools engine.Tools) *fellow {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := &fellow{}
	var err error
	f.writer, err = river.NewWriter(river.Routes{engine.AdvanceJob: river.Runs, engine.AdvanceKind("browser"): river.Browsers}, nil, nil)
	must(err)
	var ready atomic.Pointer[engine.Engine]
	f.Store, err = postgres.Open(t.Context(), postgres.Config{DSN: dsn, Jobs: f.writer.Insert, Heard: func(id run.ID, seq int64) {
		if e := ready.Load(); e != nil {
			e.Heard(id, seq)
		}
	}, Hear: func(word []byte) {
		if e := ready.Load(); e != nil {
			e.Hear(word)
		}
	}})
	must(err)
	must(river.Migrate(t.Context(), f.Store.Pool(), nil))
	f.leases, err = f.Store.Leases(t.Context(), engine.AdvanceJob)
	must(err)
	f.keeper = node.New(node.Config{
		Nodes: f, Now: time.Now, Version: "test",
		Dead: func(ctx context.Context, name string) error {
			_, err := f.queue.Load().Takeover(ctx, name)
			return err
		},
		Renamed: func(name string) {
			f.engine.Evict(name)
			if err := f.openQueue(name); err != nil {
				t.Error(err)
			}
		},
	})
	f.engine = engine.New(engine.Config{
		Log: f, Rows: f, Models: model, Tools: tools, Now: time.Now, MaxActive: 50,
		Cluster: &engine.Cluster{Node: f.keeper.Name(), Alive: f.keeper.Alive, Tell: f.Store.Tell, Seqs: f.Store.Seqs, Places: f.Store.Places, Waiting: f.Store.Waiting},
	})
	ready.Store(f.engine)
	must(f.keeper.Start(t.Context()))
	must(f.engine.Start(t.Context()))
	must(f.openQueue(f.keeper.Name()))
	t.Cleanup(func() { f.close(t) })
	return f
}

// openQueue begins to work on jobs under a name of the node.
func (f *fellow) openQueue(name string) error {
	queue, err := river.New(river.Config{
		Pool: f.Store.Pool(), Writer: f.writer, Node: name, Workers: map[string]int{river.Runs: 50},
		Handlers: map[string]func(context.Context, run.Job) error{engine.AdvanceJob: f.engine.Advance},
	})
	if err != nil {
		return err
	}
	f.queue.Store(queue)
	f.Store.OnJobs(queue.Poke)
	return queue.Start(context.Background())
}

// closeQueue gives what the node is doing back.
func (f *fellow) closeQueue() {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	f.queue.Load().Close(ended)
}

func (f *fellow) close(t *testing.T) {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	f.cut.Store(false)
	f.closeQueue()
	f.engine.Close(ended)
	if err := f.keeper.Close(context.Background()); err != nil {
		t.Error(err)
	}
	f.leases.Close()
	if err := f.Store.Close(); err != nil {
		t.Error(err)
	}
}

// comes waits for something to be so.
func comes(t *testing.T, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !so(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not after two minutes", what)
		}
	}
}

// sees waits until the run, as the node sees it, is as wanted.
func (f *fellow) sees(t *testing.T, id run.ID, what string, as func(*run.State) bool) (s run.State) {
	t.Helper()
	comes(t, what, func() (so bool) {
		var err error
		s, err = f.engine.Get(t.Context(), "p", id)
		return err == nil && as(&s)
	})
	return s
}

// reads reads the run's stream until it rests: what the model says. It counts the pieces
// as they come.
func (f *fellow) reads(t *testing.T, id run.ID, pieces *atomic.Int64) (said string) {
	t.Helper()
	for u, err := range f.engine.Watch(t.Context(), "p", id, engine.Cursor{}) {
		switch {
		case err != nil:
			t.Fatal(err)
		case u.Rest:
			return said
		case u.Delta != nil && u.Delta.Kind == run.TextDelta:
			said += u.Delta.Text
			pieces.Add(1)
		}
	}
	return said
}

// driving finds the node that drives the run, and one that does not.
func driving(t *testing.T, nodes []*fellow, id run.ID) (driver, other *fellow) {
	t.Helper()
	line, err := nodes[0].Store.Summary(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range nodes {
		if n.keeper.Name() == line.Driver {
			driver = n
		} else {
			other = n
		}
	}
	if driver == nil {
		t.Fatalf("it is driven by %q", line.Driver)
	}
	return driver, other
}

// TestNodes: a run is made on one node, streamed from a second while its reply is being
// written, and approved on a third. The node that drives it then is cut off in the middle
// of a call that must not be repeated: within 6 s the run is another's, and a person is
// asked; the first one comes back, and does it no harm.
func TestNodes(t *testing.T) {
	if testing.Short() {
		t.Skip("takes as long as leases do")
	}
	dsn := pgtest.Start(t, pgtest.Options{NoSync: true}).Database(t)
	opening := script.Call("send", `{}`)
	opening.Reply.Text = strings.Repeat("größer ", 200)
	model := script.Steps(opening, script.Say("Done."))
	var pieces atomic.Int64
	model.Pace = func(context.Context, run.Request, run.Delta) error {
		if pieces.Load() < 4 { // however late the reader comes
			<-time.After(50 * time.Millisecond)
		}
		return nil
	}
	tool := &sender{}
	var nodes []*fellow
	for range 3 {
		nodes = append(nodes, assembleFellow(t, dsn, model, tool))
	}
	made, err := nodes[0].engine.Create(t.Context(), engine.NewRun{Spec: run.Spec{
		Project: "p", Dialect: "native", Model: "script", OnUnknown: run.AskUnknown, Scopes: []string{"admin"}, Gates: []string{"send"},
		Input: run.Message{Role: run.User, Text: "Do it."}, Limits: run.Limits{MaxSteps: 4, WallTime: 600},
		Tools: []run.Tool{{Name: "send", Class: run.Once, Version: "v1", Parameters: []byte(`{"type":"object"}`)}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if said := nodes[1].reads(t, made.ID, &pieces); pieces.Load() < 4 || said != opening.Reply.Text {
		t.Errorf("in %d pieces: %q", pieces.Load(), said)
	}
	if _, err := nodes[2].engine.Decide(t.Context(), "p", made.ID, engine.Decision{Actions: []string{"act_01"}, Approve: true}); err != nil {
		t.Fatal(err)
	}
	comes(t, "the call", func() bool { return tool.made() != "" })
	cutOff(t, nodes, made.ID)
	if got := tool.made(); got != "act_01" {
		t.Errorf("calls: %s", got)
	}
}

// cutOff cuts off the node that drives the run, until others have taken it over, and
// then lets it decide.
func cutOff(t *testing.T, nodes []*fellow, id run.ID) {
	victim, other := driving(t, nodes, id)
	old := victim.keeper.Name()
	time.Sleep(6 * time.Second) // all have renewed without a break for long enough
	victim.closeQueue()
	victim.cut.Store(true)
	began := time.Now()
	s := other.sees(t, id, "a takeover", func(s *run.State) bool { return s.Status == run.AwaitingApproval })
	if took := time.Since(began); took > 30*time.Second || took < 2*time.Second { // 6 s is held in virtual time, by internal/node
		t.Errorf("others took the run over after %v", took)
	}
	if p := s.Pending(); len(p) != 1 || p[0].Reason != run.UnknownReason {
		t.Errorf("pending: %+v", p)
	}
	victim.cut.Store(false)
	comes(t, "its return", func() bool { return victim.keeper.Alive() && victim.keeper.Name() != old })
	if _, err := victim.engine.Decide(t.Context(), "p", id, engine.Decision{Actions: []string{"act_01"}}); err != nil {
		t.Fatal(err) // the call was made, says a person: not again
	}
	if s, err := other.engine.Wait(t.Context(), "p", id); err != nil || s.Status != run.Completed {
		t.Errorf("it ended as %s, %v", s.Status, err)
	}
}

// TestBurialIsPutOff: a node that works on no jobs at this moment, because it is about to
// get another name, buries nobody: the jobs of the dead one would be nobody's. When it
// works again, they are for others at once.
func TestBurialIsPutOff(t *testing.T) {
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s, err := postgres.Open(t.Context(), postgres.Config{DSN: pgtest.Database(t)})
	must(err)
	defer s.Close()
	must(river.Migrate(t.Context(), s.Pool(), nil))
	writer, err := river.NewWriter(nil, nil, nil)
	must(err)
	queue, err := river.New(river.Config{Pool: s.Pool(), Writer: writer, Node: "heir"})
	must(err)
	budgets := auth.NewBudgets(s, s, auth.NewLedger(time.Now), time.Now)
	c := &cluster{store: s, shares: auth.NewShares(auth.SharesConfig{Budgets: budgets})}
	_, err = s.Pool().Exec(t.Context(), `INSERT INTO river_job (kind, args, queue, max_attempts, state, attempted_by, attempted_at)
		VALUES ('errand', '{"kind": "x"}', 'x', 5, 'running', '{gone}', now())`)
	must(err)
	stands := func() (state string) {
		must(s.Pool().QueryRow(t.Context(), "SELECT state::text FROM river_job").Scan(&state))
		return state
	}
	if err := c.dead(t.Context(), "gone"); err == nil || stands() != "running" {
		t.Errorf("without a queue: %v, and its job is %s", err, stands())
	}
	c.queue = queue
	if err := c.dead(t.Context(), "gone"); err != nil || stands() != "available" {
		t.Errorf("with a queue: %v, and its job is %s", err, stands())
	}
}
