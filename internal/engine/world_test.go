package engine_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is an engine with everything around it, in memory and in virtual time.
type world struct {
	t      *testing.T
	store  *memory.Store
	engine *engine.Engine
	tools  *ledger
	models engine.Models
}

// inWorld runs a test in virtual time with an engine that is closed at its end.
func inWorld(t *testing.T, models engine.Models, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		w := &world{t: t, store: memory.New(memory.Config{Now: time.Now}), tools: newLedger(), models: models}
		w.open()
		defer func() {
			w.close(10 * time.Second)
			w.store.Close()
			time.Sleep(2 * time.Hour) // tools that do not listen come to their end
		}()
		test(t, w)
	})
}

func (w *world) open() {
	w.engine = w.another(w.store)
	if err := w.engine.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
}

// another makes an engine over the log, with the world's models and tools.
func (w *world) another(log engine.Log) *engine.Engine {
	return engine.New(engine.Config{
		Log: log, Rows: w.store, Models: w.models, Tools: w.tools, Now: time.Now, MaxActive: 20,
		Retry: func(err error, failures int) (bool, time.Duration) {
			return failures < 3 && !problem.Is(err, problem.ModelAuth), time.Second
		},
	})
}

func (w *world) close(patience time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	w.engine.Close(ctx)
}

// spec is a run with a tool of each class; gates are named by the caller.
func spec(gates ...string) run.Spec {
	tool := func(name string, class run.Class) run.Tool {
		return run.Tool{Name: name, Class: class, Version: "v1", Parameters: []byte(`{"type":"object"}`)}
	}
	return run.Spec{
		Project: "p", Dialect: "native", Model: "script", OnUnknown: run.AskUnknown, Scopes: []string{"admin"},
		Input: run.Message{Role: run.User, Text: "Do it."}, Limits: run.Limits{MaxSteps: 8, WallTime: 3600}, Gates: gates,
		Tools: []run.Tool{tool("read", run.Safe), tool("charge", run.Keyed), tool("send", run.Once),
			{Name: "ask", Class: run.Once, Function: true, Version: "v1"}},
	}
}

func (w *world) create(s run.Spec) run.ID {
	w.t.Helper()
	state, err := w.engine.Create(w.t.Context(), engine.NewRun{Spec: s})
	if err != nil {
		w.t.Fatal(err)
	}
	return state.ID
}

// rest waits until the run rests and checks its status.
func (w *world) rest(id run.ID, want run.Status) run.State {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	s, err := w.engine.Wait(ctx, "p", id)
	if err != nil {
		w.t.Fatal(err)
	}
	if s.Status != want {
		w.t.Fatalf("the run is %s (%+v), want %s\n%s", s.Status, s.Ended, want, w.log(id))
	}
	return s
}

func (w *world) approve(id run.ID, actions ...string) run.State {
	w.t.Helper()
	s, err := w.engine.Decide(w.t.Context(), "p", id, engine.Decision{Actions: actions, Approve: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// events is the run's log as it is stored.
func (w *world) events(id run.ID) []run.Event {
	w.t.Helper()
	events, err := w.store.Load(context.Background(), id, 0, 0)
	if err != nil {
		w.t.Fatal(err)
	}
	return events
}

func (w *world) log(id run.ID) string {
	var types []string
	for _, e := range w.events(id) {
		types = append(types, string(e.Type))
	}
	return strings.Join(types, " ")
}

// ledger is a set of tools that writes down each call that reaches it.
type ledger struct {
	mu       sync.Mutex
	calls    []string // "send act_01"
	versions map[string]string
	behave   func(ctx context.Context, call run.ToolCall) (string, error)
}

func newLedger() *ledger { return &ledger{versions: map[string]string{}} }

func (l *ledger) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	version := "v1"
	if v := l.versions[name]; v != "" {
		version = v
	}
	return run.Tool{Name: name, Class: run.Once, Version: version}, nil, nil
}

func (l *ledger) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	l.mu.Lock()
	l.calls = append(l.calls, call.Tool.Name+" "+call.Action)
	behave := l.behave
	l.mu.Unlock()
	if behave == nil {
		return run.ToolResult{Output: "done"}, nil
	}
	output, err := behave(ctx, call)
	return run.ToolResult{Output: output}, err
}

// made lists the calls in alphabetical order.
func (l *ledger) made() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(slices.Sorted(slices.Values(l.calls)), ", ")
}

func TestLife(t *testing.T) {
	model := script.Steps(
		script.Call("read", `{"q":1}`).And("send", `{}`),
		script.Say("All done."),
	)
	inWorld(t, model, func(t *testing.T, w *world) {
		id := w.create(spec("send"))
		s := w.rest(id, run.AwaitingApproval)
		if pending := s.Pending(); len(pending) != 1 || pending[0].ID != "act_02" || pending[0].Digest == "" {
			t.Fatalf("pending: %+v", pending)
		}
		if s := w.approve(id, "act_02"); s.Status != run.Running {
			t.Errorf("right after the approval the run is %s", s.Status)
		}
		s = w.rest(id, run.Completed)
		if s.Ended.Result.Summary != "All done." || s.Ended.Reason != run.Answered {
			t.Errorf("it ended with %+v", s.Ended)
		}
		if got, want := w.tools.made(), "read act_01, send act_02"; got != want {
			t.Errorf("calls: %s, want %s", got, want)
		}
		want := "run.created model.responded tool.started tool.finished approval.decided run.driven tool.started tool.finished model.responded run.finished"
		if got := w.log(id); got != want {
			t.Errorf("the log is\n%s, want\n%s", got, want)
		}
	})
}

// Invented tools and bad arguments are never executed; the model is told.
func TestRefusedCalls(t *testing.T) {
	model := script.Steps(script.Call("sned", `{}`).And("send", `[1]`).And("send", `{"a":`), script.Say("Sorry."))
	inWorld(t, model, func(t *testing.T, w *world) {
		s := w.rest(w.create(spec()), run.Completed)
		if made := w.tools.made(); made != "" {
			t.Errorf("calls: %s", made)
		}
		for i, want := range []string{`Did you mean "send"?`, "got array, want object", "not valid JSON"} {
			if got := s.Turns[0].Actions[i].Output; !strings.Contains(got, want) {
				t.Errorf("action %d tells the model %q, want %q in it", i, got, want)
			}
		}
	})
}

// Runs beyond the limit wait their turn; beyond ten times that they are refused.
func TestQueue(t *testing.T) {
	release := make(chan struct{})
	model := script.Func(func(ctx context.Context, _ run.Request) (script.Line, error) {
		select {
		case <-release:
			return script.Say("ok"), nil
		case <-ctx.Done():
			return script.Line{}, ctx.Err()
		}
	})
	inWorld(t, model, func(t *testing.T, w *world) {
		release = make(chan struct{})
		var ids []run.ID
		for i := range 20 + 200 {
			state, err := w.engine.Create(t.Context(), engine.NewRun{Spec: spec()})
			if err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if want := map[bool]run.Status{true: run.Running, false: run.Queued}[i < 20]; state.Status != want {
				t.Fatalf("run %d is %s, want %s", i, state.Status, want)
			}
			ids = append(ids, state.ID)
		}
		_, err := w.engine.Create(t.Context(), engine.NewRun{Spec: spec()})
		if !problem.Is(err, problem.Overloaded) || problem.From(err).RetryAfter == 0 {
			t.Fatalf("one too many: %v", err)
		}
		// One project has filled the queue: others still find a place in it, up to a bound.
		other := func() (err error) {
			s := spec()
			s.Project = "q"
			_, err = w.engine.Create(t.Context(), engine.NewRun{Spec: s})
			synctest.Wait()
			return err
		}
		for i := range 20 {
			if err := other(); err != nil {
				t.Fatalf("run %d of another project: %v", i, err)
			}
		}
		if err := other(); !problem.Is(err, problem.Overloaded) {
			t.Fatalf("one too many of another project: %v", err)
		}
		if _, err := w.engine.Cancel(t.Context(), "p", ids[100], run.Cancel{}); err != nil {
			t.Fatal(err)
		}
		close(release)
		for i, id := range ids {
			want := run.Completed
			if i == 100 {
				want = run.CancelledStatus
			}
			w.rest(id, want)
		}
	})
}

// Every id is above the one before, however many a millisecond brings.
func TestNewID(t *testing.T) {
	inWorld(t, script.Steps(), func(t *testing.T, w *world) {
		last := ""
		for range 70_000 {
			id := w.engine.NewID().String()
			if id <= last {
				t.Fatalf("%s after %s", id, last)
			}
			last = id
		}
	})
}

func TestLimits(t *testing.T) {
	endless := script.Func(func(context.Context, run.Request) (script.Line, error) { return script.Call("read", `{}`), nil })
	for name, test := range map[string]struct {
		limits run.Limits
		want   run.StopReason
		limit  string
	}{
		"steps":      {run.Limits{MaxSteps: 3}, run.StepLimit, "steps"},
		"tokens":     {run.Limits{MaxSteps: 8, MaxTokens: 1}, run.BudgetExhausted, "tokens"},
		"tool calls": {run.Limits{MaxSteps: 8, MaxToolCalls: 2}, run.BudgetExhausted, "tool_calls"},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, endless, func(t *testing.T, w *world) {
				s := spec()
				s.Limits = test.limits
				state := w.rest(w.create(s), run.FailedStatus)
				if state.Ended.Reason != test.want || state.Ended.Limit != test.limit || state.Ended.Error == "" {
					t.Errorf("it ended with %+v", state.Ended)
				}
			})
		})
	}
}

// Working time counts while a driver works, and not while a person thinks.
func TestWallTime(t *testing.T) {
	model := script.Steps(script.Call("send", `{}`), script.Line{Before: func(ctx context.Context) error {
		<-ctx.Done()
		return ctx.Err()
	}})
	inWorld(t, model, func(t *testing.T, w *world) {
		s := spec("send")
		s.Limits.WallTime = 60
		id := w.create(s)
		w.rest(id, run.AwaitingApproval)
		time.Sleep(time.Hour)
		began := time.Now()
		w.approve(id, "act_01")
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		state, err := w.engine.Wait(ctx, "p", id)
		if err != nil || state.Ended == nil || state.Ended.Reason != run.Timeout {
			t.Fatalf("it ended with %+v, %v", state.Ended, err)
		}
		if took := time.Since(began); took < 59*time.Second || took > 62*time.Second {
			t.Errorf("it worked for %v", took)
		}
	})
}

func ExampleCursor() {
	c, _ := engine.ParseCursor("7.2.1.120")
	fmt.Println(c.Seq, c.Step, c.Attempt, c.Offset, c)
	// Output: 7 2 1 120 7.2.1.120
}
