package tool_test

import (
	"context"
	"testing"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
	"errand/internal/tool"
)

// far is another server's tools: one of the operator's server op, and whatever a
// run brings along.
type far struct{}

func (far) Has(name string) bool { return name[:4] == "op__" }

func (far) Find(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	if name != "op__look" {
		return run.Tool{}, nil, problem.New(problem.NotFound, "no tool is named %q", name)
	}
	return run.Tool{Name: name, Version: "v1", Remote: "look", Class: run.Once}, nil, nil
}

func (f far) Tools(ctx context.Context, project string) ([]run.Tool, error) {
	found, _, err := f.Find(ctx, project, "op__look")
	return []run.Tool{found}, err
}

func (far) Call(_ context.Context, call run.ToolCall) (run.ToolResult, error) {
	return run.ToolResult{Output: "far " + call.Tool.Remote}, nil
}

func TestRemote(t *testing.T) {
	set, err := tool.NewSet(tool.Config{Rows: memory.New(memory.Config{}), Remote: far{}})
	if err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	found, _, err := set.Current(ctx, "p", "op__look")
	if err != nil || found.Remote != "look" {
		t.Errorf("got %+v, %v", found, err)
	}
	for _, name := range []string{"op__other", "other__look", "look"} {
		if _, _, err := set.Current(ctx, "p", name); !problem.Is(err, problem.NotFound) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if entry, err := set.Get(ctx, "p", "op__look"); err != nil || entry.Origin != tool.Served {
		t.Errorf("got %+v, %v", entry, err)
	}
	if listed, err := set.List(ctx, "p"); err != nil || len(listed) != 1 || listed[0].Tool.Name != "op__look" {
		t.Errorf("got %+v, %v", listed, err)
	}
	if err := set.Free("op__mine"); !problem.Is(err, problem.Conflict) {
		t.Errorf("a project may take op__mine: %v", err)
	}
	if err := set.Free("mine__op"); err != nil {
		t.Error(err)
	}
	if result, err := set.Call(ctx, run.ToolCall{Project: "p", Tool: found}); err != nil || result.Output != "far look" {
		t.Errorf("got %q, %v", result.Output, err)
	}
	brought := run.ToolCall{Project: "p", Tool: run.Tool{Name: "its__own", Remote: "own", Server: "its"}, Server: &run.Server{Name: "its"}}
	if result, err := set.Call(ctx, brought); err != nil || result.Output != "far own" {
		t.Errorf("got %q, %v", result.Output, err)
	}
}
