package schedule_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"errand/internal/problem"
	"errand/internal/queue/local"
	"errand/internal/run"
	"errand/internal/schedule"
	"errand/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const project = "desk"

// world is a keeper over a store and a queue. It is also the engine: its runs are
// in the store, and take and end as the test says.
type world struct {
	t      *testing.T
	store  *memory.Store
	keeper *schedule.Keeper
	queue  *local.Queue
	wait   sync.WaitGroup // runs that go on

	mu     sync.Mutex
	began  []time.Time
	orders []schedule.Order
	made   int
	atWork int
	most   int // runs at work at once
	takes  time.Duration
	ends   run.Status
	clock  *schedule.Clock
	refuse error // of targets: why no run can be started
}

// inWorld runs a test in virtual time, which begins at a given moment.
func inWorld(t *testing.T, begin string, test func(t *testing.T, w *world)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memory.New(memory.Config{Now: time.Now}), ends: run.Completed}
		if begin != "" {
			w.sleepTo(begin)
		}
		w.open()
		defer func() {
			w.close()
			w.wait.Wait()
			w.store.Close()
		}()
		test(t, w)
	})
}

func (w *world) open() {
	w.keeper, w.queue = w.node()
}

// node is a server over the store.
func (w *world) node() (*schedule.Keeper, *local.Queue) {
	w.t.Helper()
	keeper, err := schedule.New(schedule.Config{Rows: w.store, Runs: w, Targets: w, Now: time.Now})
	if err != nil {
		w.t.Fatal(err)
	}
	queue := local.New(local.Config{Store: w.store, Handlers: keeper.Handlers(), Workers: 8})
	queue.Start()
	return keeper, queue
}

func (w *world) close() { w.queue.Close(context.Background()) }

func (w *world) sleepTo(at string) {
	w.t.Helper()
	until := moment(w.t, at)
	if wait := time.Until(until); wait > 0 {
		time.Sleep(wait)
	}
}

func moment(t *testing.T, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

// NewID makes ids in order.
func (w *world) NewID() run.ID {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.made++
	return run.NewID(time.Now(), uint16(w.made), uint64(w.made))
}

// Start is what an engine does: one commit, and a run that ends by itself.
func (w *world) Start(ctx context.Context, b schedule.Beginning) error {
	s := run.State{ID: b.ID}
	created := run.Event{Seq: 1, ID: 1, At: time.Now(), Type: run.RunCreated, Created: &run.Created{Spec: b.Spec}}
	s.Take(&created)
	err := w.store.Append(ctx, run.Commit{Rows: b.Rows, Jobs: b.Jobs, Runs: []run.Append{{ID: b.ID, Events: []run.Event{created}, Summary: s.Summarize()}}})
	if err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.began = append(w.began, time.Now())
	w.atWork++
	w.most = max(w.most, w.atWork)
	takes, status := w.takes, w.ends
	w.wait.Go(func() {
		time.Sleep(takes)
		w.end(s, status)
	})
	return nil
}

func (w *world) end(s run.State, status run.Status) {
	ended := run.Event{Seq: 2, ID: 2, At: time.Now(), Type: run.RunFinished, Ended: &run.Ended{Status: status, Reason: run.Answered}}
	s.Take(&ended)
	w.mu.Lock()
	w.atWork--
	w.mu.Unlock()
	err := w.store.Append(context.Background(), run.Commit{
		Jobs: schedule.Outbox(&s, []run.Event{ended}),
		Runs: []run.Append{{ID: s.ID, Expected: 1, Events: []run.Event{ended}, Summary: s.Summarize()}},
	})
	if err != nil {
		w.t.Error(err)
	}
}

// Summary returns a run's line.
func (w *world) Summary(ctx context.Context, id run.ID) (run.Summary, error) {
	return w.store.Summary(ctx, id)
}

// Resolve knows one agent and one robot.
func (w *world) Resolve(_ context.Context, _ string, t schedule.Target) (schedule.Target, error) {
	switch {
	case t.Agent == "clerk":
		return schedule.Target{Agent: "agt_1"}, nil
	case t.Agent == "agt_1", t.Robot == "rob":
		return t, nil
	case t.Agent != "":
		return t, problem.Invalid("agent", "there is no agent %q.", t.Agent)
	}
	return t, problem.Invalid("robot", "there is no robot %q.", t.Robot)
}

// Clock is the robot's.
func (w *world) Clock(context.Context, string, string) (*schedule.Clock, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.clock, nil
}

// Spec says what is ordered.
func (w *world) Spec(_ context.Context, o schedule.Order) (run.Spec, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.orders = append(w.orders, o)
	return run.Spec{Project: o.Project, Key: o.Key, Input: run.Message{Role: run.User, Text: o.Input}, Limits: run.Limits{MaxSteps: 1}}, w.refuse
}

// ordered are the orders so far.
func (w *world) ordered() []schedule.Order {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.orders)
}

// peak is how many runs were at work at once.
func (w *world) peak() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.most
}

// behave says how runs go from now on.
func (w *world) behave(takes time.Duration, ends run.Status) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.takes, w.ends = takes, ends
}

func (w *world) refuses(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.refuse = err
}

// create adds a schedule and returns its id.
func (w *world) create(d schedule.Definition) string {
	w.t.Helper()
	if d.Agent == "" && d.Robot == "" {
		d.Agent, d.Input = "clerk", "Count."
	}
	s, c, err := w.keeper.Create(w.t.Context(), project, d, "key_1")
	if err == nil {
		err = w.store.Append(w.t.Context(), c)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return s.ID
}

// change changes a schedule while nobody else does.
func (w *world) change(id string, change func(*schedule.Definition)) schedule.Schedule {
	w.t.Helper()
	for {
		d := w.get(id).Definition
		change(&d)
		s, c, err := w.keeper.Change(w.t.Context(), project, id, d, "key_2")
		if err == nil {
			err = w.store.Append(w.t.Context(), c)
		}
		if conflict := new(run.RowConflict); errors.As(err, &conflict) {
			continue
		}
		if err != nil {
			w.t.Fatal(err)
		}
		return s
	}
}

func (w *world) get(id string) schedule.Schedule {
	w.t.Helper()
	s, err := w.keeper.Get(w.t.Context(), project, id)
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// runs are the times at which runs have begun since the last look, to the
// millisecond.
func (w *world) runs() []time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	began := w.began
	w.began = nil
	for i := range began {
		began[i] = began[i].UTC().Truncate(time.Millisecond)
	}
	return began
}

// expect checks when runs have begun since the last look, as seconds behind a
// moment.
func (w *world) expect(from time.Time, seconds ...int) {
	w.t.Helper()
	var got []int
	for _, at := range w.runs() {
		got = append(got, int(at.Sub(from)/time.Second))
	}
	if !slices.Equal(got, seconds) {
		w.t.Fatalf("runs began %v seconds behind %s, want %v", got, from.Format(time.RFC3339), seconds)
	}
}

// jobs are those that are not done, by kind.
func (w *world) jobs(kind string) (found []run.Job) {
	w.t.Helper()
	all, err := w.store.Jobs(context.Background(), 0)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, job := range all {
		if job.Kind == kind {
			found = append(found, job)
		}
	}
	return found
}

// turnOf reads a job's turn.
func turnOf(t *testing.T, job run.Job) (turn int64) {
	t.Helper()
	data := struct {
		Turn *int64 `json:"turn"`
	}{&turn}
	if err := json.Unmarshal(job.Data, &data); err != nil {
		t.Fatal(err)
	}
	return turn
}

// every returns from, from+step … to, to excluded.
func every(from, to, step int) (all []int) {
	for at := from; at < to; at += step {
		all = append(all, at)
	}
	return all
}
