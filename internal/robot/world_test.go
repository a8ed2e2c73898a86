package robot_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/seal"
	"errand/internal/store/memory"
)

const project = "desk"

var epoch = time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)

// world is a desk over a store, with one saved agent, some tools and a model whose
// price is known.
type world struct {
	t     *testing.T
	store *memory.Store
	book  *robot.Book
	desk  *robot.Desk
	at    time.Time
	runs  int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	box, err := seal.New(make([]byte, seal.KeySize))
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, at: epoch, store: memory.New(memory.Config{})}
	t.Cleanup(func() { w.store.Close() })
	w.book = &robot.Book{Rows: w.store, Box: box}
	w.desk = &robot.Desk{
		Rows: w.store, Runs: w.store, Log: w.store, Agents: &agent.Book{Rows: w.store}, Mail: true,
		Catalog:  agent.Catalog{Tools: shelf{}, Models: prices{}, Schemas: &schema.Cache{}, WallTime: 3600},
		CheckURL: checkURL, Now: func() time.Time { return w.at },
	}
	_, rows, err := agent.Create(project, "agt_000000000001aa", "", agent.Definition{
		Name: "Mailer", Description: "Writes mails.", Model: "default", Instructions: "Write.", Tools: []string{"email.send"},
		Approval: agent.Approval{RequiredFor: []string{"email.*"}}, MaxSteps: 4, OnUnknown: run.AskUnknown,
	}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	w.commit(run.Commit{Rows: rows})
	return w
}

func (w *world) commit(c run.Commit) {
	w.t.Helper()
	if err := w.store.Append(w.t.Context(), c); err != nil {
		w.t.Fatal(err)
	}
}

// robot saves one, after the desk has checked it.
func (w *world) robot(p robot.Profile) robot.Robot {
	w.t.Helper()
	if p.DisplayName == "" {
		p.DisplayName = "Analyst"
	}
	p = (&robot.Draft{}).Apply(p)
	if err := w.desk.Check(w.t.Context(), project, &p); err != nil {
		w.t.Fatal(err)
	}
	r, rows, err := w.book.Create(project, "my-robot", "key_1", p, w.at)
	if err != nil {
		w.t.Fatal(err)
	}
	w.commit(run.Commit{Rows: rows})
	return r
}

func checkURL(text string) error {
	if !strings.HasPrefix(text, "https://") {
		return problem.Invalid("url", "must be https.")
	}
	return nil
}

// shelf has the tools.
type shelf struct{}

func (shelf) all() []run.Tool {
	return []run.Tool{
		{Name: "email.send", Class: run.Once, Version: "1"},
		{Name: "github__issues", Class: run.Once, Version: "1"},
		{Name: "github__pulls", Class: run.Once, Version: "1"},
		{Name: "robot.arm", Class: run.Once, Version: "1"},
		{Name: "robot.plan", Class: run.Once, Version: "1"},
		{Name: "web.search", Class: run.Safe, Version: "1"},
	}
}

func (s shelf) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	for _, t := range s.all() {
		if t.Name == name {
			return t, nil, nil
		}
	}
	return run.Tool{}, nil, problem.New(problem.NotFound, "There is no tool %q.", name)
}

func (s shelf) Matching(_ context.Context, _, prefix string) (found []run.Tool, _ error) {
	for _, t := range s.all() {
		if strings.HasPrefix(t.Name, prefix) {
			found = append(found, t)
		}
	}
	return found, nil
}

// prices knows the models.
type prices struct{}

func (prices) Check(model string) error {
	if model != "default" && model != "free" {
		return problem.Invalid("model", "there is no model %q.", model)
	}
	return nil
}
func (prices) Window(string) int        { return 1000 }
func (prices) Priced(model string) bool { return model == "default" }

// files has one.
type files struct{}

func (files) Has(_ context.Context, _, id string) error {
	if id != "file_1" {
		return problem.New(problem.NotFound, "There is no file %q.", id)
	}
	return nil
}

// life is a run that the test writes, event by event. After each of them the
// execution is looked at: nothing in it may go backwards.
type life struct {
	w      *world
	id     run.ID
	state  run.State
	shown  robot.Execution
	events []run.Event
}

// execute begins an execution of the robot.
func (w *world) execute(r *robot.Robot, s robot.Start) *life {
	w.t.Helper()
	s.Project, s.Key, s.Scopes = project, "key_1", []string{"admin"}
	spec, err := w.desk.Execution(w.t.Context(), r, s)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.begin(spec)
}

func (w *world) begin(spec run.Spec) *life {
	w.runs++
	l := &life{w: w, id: run.NewID(w.at, uint16(w.runs), uint64(w.runs))}
	l.state = run.State{ID: l.id}
	l.log(run.Event{Type: run.RunCreated, Created: &run.Created{Spec: spec, Queued: true}})
	return l
}

func (l *life) log(e run.Event) {
	l.w.t.Helper()
	l.w.at = l.w.at.Add(time.Second)
	e.Seq, e.ID, e.At = l.state.Seq+1, uint64(l.state.Seq)+77, l.w.at
	expected := l.state.Seq
	l.state.Take(&e)
	l.events = append(l.events, e)
	l.w.commit(run.Commit{Runs: []run.Append{{ID: l.id, Expected: expected, Events: []run.Event{e}, Summary: l.state.Summarize()}}})
	before := l.shown
	l.shown = robot.Project(&l.state)
	l.onward(&before)
}

// ranks is how far a word stands on its way.
var ranks = []string{
	robot.Inspiration, robot.GoalsPhase, robot.TasksPhase, robot.RunPhase, robot.Delivering, robot.Learning,
}

func (l *life) onward(before *robot.Execution) {
	l.w.t.Helper()
	if slices.Index(ranks, l.shown.Phase) < slices.Index(ranks, before.Phase) {
		l.w.t.Errorf("the phase went from %s back to %s", before.Phase, l.shown.Phase)
	}
	for i, was := range before.Tasks {
		now := l.shown.Tasks[i]
		if was.Done() && was.Status != now.Status || was.Status != robot.TaskPending && now.Status == robot.TaskPending {
			l.w.t.Errorf("%s went from %s to %s", was.ID, was.Status, now.Status)
		}
		if now.EndTime != nil && now.StartTime != nil && now.EndTime.Before(*now.StartTime) {
			l.w.t.Errorf("%s ended before it began", now.ID)
		}
	}
	if _, err := json.Marshal(l.shown); err != nil {
		l.w.t.Error(err)
	}
}

// call is what a model asks for: a tool's name and its arguments.
type call struct{ name, arguments string }

// asks is a reply of the model. It returns the actions.
func (l *life) asks(calls ...call) []string {
	l.w.t.Helper()
	reply := run.Reply{Usage: run.Usage{Input: 6, Output: 4, Cost: 10}}
	for i, c := range calls {
		reply.Calls = append(reply.Calls, run.Call{ID: fmt.Sprint("c", i), Name: c.name, Arguments: c.arguments})
	}
	plan := run.Plan(&l.state, &reply, run.Judge{Check: func(*run.Tool, string) error { return nil }})
	l.log(run.Event{Type: run.ModelResponded, Responded: &run.Responded{
		Step: l.state.Step(), Attempt: 1, Seen: len(l.state.Messages), Reply: reply, Actions: plan,
	}})
	ids := make([]string, len(plan))
	for i := range plan {
		ids[i] = plan[i].ID
	}
	return ids
}

// does is a reply that calls pipeline tools, and their answers in this order.
func (l *life) does(calls ...call) []string {
	l.w.t.Helper()
	ids := l.asks(calls...)
	outputs := make([]string, len(ids))
	for i, id := range ids {
		outputs[i] = l.answers(id)
	}
	return outputs
}

// answers makes the call of a pipeline tool and writes what came of it.
func (l *life) answers(id string) string {
	l.w.t.Helper()
	l.log(run.Event{Type: run.ToolStarted, Started: &run.Started{Action: id, Epoch: 1, Attempt: 1}})
	pipeline := &robot.Pipeline{Log: l.w.store, Files: files{}}
	a := l.state.Action(id)
	if !pipeline.Owns(a.Tool.Name) {
		l.w.t.Fatalf("%s is no pipeline tool", a.Tool.Name)
	}
	result, err := pipeline.Call(l.w.t.Context(), run.ToolCall{Run: l.id, Project: project, Action: id, Tool: a.Tool, Arguments: json.RawMessage(a.Arguments), Attempt: 1})
	finished := run.Finished{Action: id, Outcome: run.OK, Output: result.Output}
	if err != nil {
		finished.Outcome, finished.Output = run.Errored, problem.From(err).Detail
	}
	l.log(run.Event{Type: run.ToolFinished, Finished: &finished})
	return finished.Output
}

func (l *life) begins() { l.w.t.Helper(); l.log(run.Event{Type: run.RunStarted}) }

// says is a reply without calls.
func (l *life) says(text string) {
	l.w.t.Helper()
	l.log(run.Event{Type: run.ModelResponded, Responded: &run.Responded{Step: l.state.Step(), Attempt: 1, Seen: len(l.state.Messages), Reply: run.Reply{Text: text}}})
}

// ends writes the end that the core decides.
func (l *life) ends() {
	l.w.t.Helper()
	d := run.Decide(&l.state)
	if d.Finish == nil {
		l.w.t.Fatalf("the run does not end: it is %s and wants %+v", l.state.Status, d)
	}
	l.log(run.Event{Type: run.RunFinished, Ended: d.Finish})
}

// looks is the execution in one line: status, phase, progress, and each task.
func (l *life) looks() string {
	e := &l.shown
	words := []string{e.Status, e.Phase}
	if e.Current != nil {
		words = append(words, e.Current.Progress)
	}
	for _, t := range e.Tasks {
		words = append(words, strings.TrimPrefix(t.ID, "task-")+"="+t.Status)
	}
	return strings.Join(words, " ")
}

func (l *life) want(line string) {
	l.w.t.Helper()
	if got := l.looks(); got != line {
		l.w.t.Errorf("the execution looks like\n  %s\nand not like\n  %s", got, line)
	}
}
