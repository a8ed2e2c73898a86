package yao_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// bench makes the calls of the pipeline's tools as the program does, and has one
// tool beside them.
type bench struct {
	noTools
	pipeline *robot.Pipeline
}

func newBench(kept *memory.Store) *bench {
	return &bench{pipeline: &robot.Pipeline{Log: kept, Files: noFiles{}}}
}

// note is a tool that writes something down.
func note() run.Tool {
	return run.Tool{Name: "note.write", Class: run.Once, Version: "v1", Parameters: json.RawMessage(`{"type":"object","properties":{"text":{"type":"string"}}}`)}
}

func (b *bench) Current(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error) {
	if name == note().Name {
		return note(), nil, nil
	}
	return b.noTools.Current(ctx, project, name)
}

func (b *bench) Matching(_ context.Context, _, prefix string) ([]run.Tool, error) {
	if strings.HasPrefix(note().Name, prefix) {
		return []run.Tool{note()}, nil
	}
	return nil, nil
}

func (b *bench) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	switch {
	case b.pipeline.Owns(call.Tool.Name):
		return b.pipeline.Call(ctx, call)
	case call.Tool.Name == note().Name:
		return run.ToolResult{Output: "written"}, nil
	}
	return b.noTools.Call(ctx, call)
}

// noFiles is a project without files.
type noFiles struct{}

func (noFiles) Has(_ context.Context, _, id string) error {
	return problem.New(problem.NotFound, "There is no file %q.", id)
}

// worker is a model that talks as newHost does, and executes goals by the book: a
// plan of two tasks, a report on each, a delivery. A first word of the goals makes it
// do something beside: "hold" waits at every step until the gate is opened, "fail"
// fails, "ask" asks a person, "note" calls a tool that is gated.
type worker struct {
	once sync.Once
	gate chan struct{}
}

func newWorker() (*worker, *script.Model) {
	w := &worker{gate: make(chan struct{})}
	host := newHost(nil)
	return w, script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		for i := range req.Tools {
			if req.Tools[i].Name == robot.PlanTool {
				return w.step(ctx, &req)
			}
		}
		reply, err := host.Reply(ctx, &req, func(run.Delta) {})
		return script.Line{Reply: reply}, err
	})
}

// open lets what is held go on, for good.
func (w *worker) open() { w.once.Do(func() { close(w.gate) }) }

func (w *worker) step(_ context.Context, req *run.Request) (script.Line, error) {
	goals, done := "", map[string]int{}
	for _, m := range req.Messages {
		if m.Role == run.User && goals == "" {
			goals = m.Text
		}
		for _, call := range m.Calls {
			done[call.Name]++
		}
	}
	line := w.next(goals, done)
	if strings.HasPrefix(goals, "hold") {
		gate := w.gate
		line.Before = func(ctx context.Context) error {
			select {
			case <-gate:
				return nil
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return line, nil
}

func (w *worker) next(goals string, done map[string]int) script.Line {
	switch {
	case strings.HasPrefix(goals, "fail"):
		return script.Fail(problem.ModelRefused)
	case done[robot.PlanTool] == 0:
		return script.Call(robot.PlanTool, `{"tasks":[{"description":"Look","expected_output":"a list"},{"description":"Write"}]}`)
	case strings.HasPrefix(goals, "ask") && done[robot.AskTool] == 0:
		return script.Call(robot.AskTool, `{"task":"task-1","question":"Which one?"}`)
	case strings.HasPrefix(goals, "note") && done[note().Name] == 0:
		return script.Call(note().Name, `{"text":"x"}`)
	case done[robot.ReportTool] == 0:
		return script.Call(robot.ReportTool, `{"task":"task-1","output":"one, two","success":true,"validation":{"passed":true,"score":0.9}}`)
	case done[robot.ReportTool] == 1:
		return script.Call(robot.ReportTool, `{"task":"task-2","output":"a page","success":true}`)
	}
	return script.Call(robot.DeliverTool, `{"summary":"All done.","body":"# Report\n\nOne and two."}`)
}

const robotsPath = "/v1/agent/robots"

// execute starts an execution and returns its id.
func (w *world) execute(member, goals string) string {
	w.t.Helper()
	var body struct {
		ID string `json:"execution_id"`
	}
	text, _ := json.Marshal(map[string]string{"goals": goals})
	w.want(200, "POST", robotsPath+"/"+member+"/execute", string(text)).into(&body)
	return body.ID
}

// look reads an execution.
func (w *world) look(member, id string) robot.Execution {
	w.t.Helper()
	var e robot.Execution
	w.want(200, "GET", robotsPath+"/"+member+"/executions/"+id, "").into(&e)
	return e
}

// until waits until an execution has this status.
func (w *world) until(member, id, status string) robot.Execution {
	w.t.Helper()
	deadline := time.After(time.Minute)
	for {
		e := w.look(member, id)
		if e.Status == status {
			return e
		}
		select {
		case <-deadline:
			w.t.Fatalf("%s is %s and never %s: %+v", id, e.Status, status, e)
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// event is a server-sent event.
type event struct{ ID, Name, Data string }

// events reads a stream to its end, or until enough says so.
func events(t testing.TB, from io.Reader, enough func(event) bool) []event {
	t.Helper()
	var all []event
	var one event
	lines := bufio.NewScanner(from)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			one.ID = value
		case "event":
			one.Name = value
		case "data":
			one.Data = value
			all = append(all, one)
			if enough != nil && enough(one) {
				return all
			}
			one = event{}
		}
	}
	return all
}

func namesOf(all []event) string {
	var found []string
	for _, one := range all {
		found = append(found, one.Name)
	}
	return strings.Join(found, " ")
}
