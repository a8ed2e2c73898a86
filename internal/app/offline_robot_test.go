package app_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"errand/internal/agent"
	"errand/internal/engine"
	"errand/internal/model/offline"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/store/memory"
)

// bench is a robot whose model is the offline one, over the real engine and the
// real pipeline, with one tool to work with.
type bench struct {
	t      *testing.T
	engine *engine.Engine
	desk   *robot.Desk
	robot  *robot.Robot
	pipe   *robot.Pipeline
	shown  []run.Message
}

var invoiceTool = run.Tool{
	Name: "finance.read", Class: run.Safe, Version: "1", Description: "Lists invoices with customer, address, amount and age.",
	Parameters: json.RawMessage(`{"type":"object","properties":{"status":{"type":"string","enum":["paid","unpaid"]}},"required":["status"],"additionalProperties":false}`),
}

func newBench(t *testing.T) *bench {
	t.Helper()
	store := memory.New(memory.Config{Now: time.Now})
	b := &bench{t: t, pipe: &robot.Pipeline{Log: store}}
	b.engine = engine.New(engine.Config{
		Log: store, Rows: store, Now: time.Now, Tools: b,
		Models: offline.New(offline.Config{Schemas: &schema.Cache{}}),
	})
	if err := b.engine.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.engine.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	b.desk = &robot.Desk{
		Rows: store, Runs: store, Log: store, Agents: &agent.Book{Rows: store}, Now: time.Now, CheckURL: func(string) error { return nil },
		Catalog: agent.Catalog{Tools: b, Models: b, Schemas: &schema.Cache{}},
	}
	b.robot = &robot.Robot{ID: "filer", Profile: robot.Profile{
		DisplayName: "Filer", Status: robot.Active, LanguageModel: "offline",
		Config: robot.Config{
			Identity:  &robot.Identity{Role: "You look after invoices.", Duties: []string{"List the unpaid invoices."}},
			Resources: &robot.Resources{Tools: []string{"finance.read"}},
		},
	}}
	return b
}

func (b *bench) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	if b.pipe.Owns(call.Tool.Name) {
		return b.pipe.Call(ctx, call)
	}
	return run.ToolResult{Output: `[{"number":"INV-1","customer":"Ann","amount":"12.50"},{"number":"INV-2","customer":"Bob","amount":"7.50"}]`}, nil
}

func (b *bench) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	if name != invoiceTool.Name {
		return run.Tool{}, nil, problem.New(problem.NotFound, "There is no tool %q.", name)
	}
	return invoiceTool, nil, nil
}

func (b *bench) Matching(context.Context, string, string) ([]run.Tool, error) { return nil, nil }
func (b *bench) Check(string) error                                           { return nil }
func (b *bench) Window(string) int                                            { return 0 }
func (b *bench) Priced(string) bool                                           { return true }

// ended waits for a run's end.
func (b *bench) ended(spec run.Spec) run.State {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	begun, err := b.engine.Create(ctx, engine.NewRun{Spec: spec})
	if err != nil {
		b.t.Fatal(err)
	}
	return b.wait(ctx, begun.ID)
}

func (b *bench) wait(ctx context.Context, id run.ID) run.State {
	b.t.Helper()
	s, err := b.engine.Wait(ctx, "default", id)
	if err != nil || s.Status != run.Completed {
		b.t.Fatalf("%s: %+v, %v", s.Status, s.Ended, err)
	}
	return s
}

// turn says something to the robot's host.
func (b *bench) turn(text string) run.State {
	b.t.Helper()
	input := run.Message{Role: run.User, Text: text}
	spec, err := b.desk.Host(b.t.Context(), b.robot, robot.Turn{
		Project: "default", Scopes: []string{run.ExecuteScope}, ChatID: "chat_1", History: b.shown, Input: input, Confirm: len(b.shown) > 0,
	})
	if err != nil {
		b.t.Fatal(err)
	}
	spec.Tethered = false
	s := b.ended(spec)
	b.shown = append(b.shown, input, run.Message{Role: run.Assistant, Text: s.Ended.Result.Summary})
	return s
}

// TestTheOfflineModelIsAHostAndARobot: a goal is settled in conversation, handed
// over, executed and delivered, by the real tools of the pipeline.
func TestTheOfflineModelIsAHostAndARobot(t *testing.T) {
	b := newBench(t)
	first := b.turn("List the unpaid invoices.")
	second := b.turn("Yes, but only one")
	for _, s := range []run.State{first, second} {
		if !strings.Contains(s.Ended.Result.Summary, "Goals:\n- List the unpaid invoices.\n") || len(handed(&s)) > 0 {
			t.Fatalf("answered %q, handed over %v", s.Ended.Result.Summary, handed(&s))
		}
	}
	third := b.turn("はい")
	ids := handed(&third)
	if len(ids) != 1 {
		t.Fatalf("after the consent %v were started: %q", ids, third.Ended.Result.Summary)
	}
	again := b.turn("yes")
	if same := handed(&again); len(same) != 1 || same[0] != ids[0] {
		t.Errorf("confirmed again: %v, want %v", same, ids)
	}
	e := b.executed(ids[0])
	if e.Goals == nil || e.Goals.Content != "List the unpaid invoices.\nChange: but only one" {
		t.Errorf("goals %+v", e.Goals)
	}
	if len(e.Tasks) != 1 || e.Tasks[0].Status != robot.TaskCompleted || e.Tasks[0].ExecutorID != "finance.read" || e.Tasks[0].MCPServer != "finance" {
		t.Errorf("tasks %+v", e.Tasks)
	}
	if e.Delivery == nil || !strings.Contains(e.Delivery.Content.Body, "returned 2 rows") || !strings.Contains(e.Delivery.Content.Summary, "offline rules") {
		t.Errorf("delivery %+v", e.Delivery)
	}
}

// TestTheOfflineModelDoesItsDuties when a clock starts it, and only plans in a dry
// run.
func TestTheOfflineModelDoesItsDuties(t *testing.T) {
	b := newBench(t)
	start := robot.Start{Project: "default", Scopes: []string{run.ExecuteScope}, Order: robot.Order{Trigger: robot.ByClock}}
	spec, err := b.desk.Execution(t.Context(), b.robot, start)
	if err != nil {
		t.Fatal(err)
	}
	e := robot.Project(ptr(b.ended(spec)))
	if e.Goals == nil || e.Goals.Content != "- List the unpaid invoices." || len(e.Tasks) != 1 || e.Tasks[0].Status != robot.TaskCompleted || e.Delivery == nil {
		t.Errorf("%+v, %+v, %+v", e.Goals, e.Tasks, e.Delivery)
	}
	start = robot.Start{Project: "default", Scopes: []string{run.ExecuteScope}, Goals: "List the unpaid invoices.", Order: robot.Order{Trigger: robot.ByHuman, Mode: robot.DryRun}}
	if spec, err = b.desk.Execution(t.Context(), b.robot, start); err != nil {
		t.Fatal(err)
	}
	if s := b.ended(spec); !strings.Contains(s.Ended.Result.Summary, "[task-1] List the unpaid invoices.") {
		t.Errorf("planned %q", s.Ended.Result.Summary)
	}
}

// handed are the runs that a turn has started or referred to.
func handed(s *run.State) (ids []run.ID) {
	for i := range s.Turns {
		for j := range s.Turns[i].Actions {
			if child := s.Turns[i].Actions[j].Child; child != nil {
				ids = append(ids, *child)
			}
		}
	}
	return ids
}

func (b *bench) executed(id run.ID) robot.Execution {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(b.t.Context(), time.Minute)
	defer cancel()
	return robot.Project(ptr(b.wait(ctx, id)))
}

func ptr[T any](v T) *T { return &v }
