package native

import (
	"context"
	"testing"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/run"
)

// toolless is a catalog of a server that has no tools.
type toolless struct{ agent.Tools }

func (toolless) Current(_ context.Context, _, name string) (run.Tool, *run.RowWrite, error) {
	return run.Tool{}, nil, problem.New(problem.NotFound, "no tool is named %s", name)
}

// What a run brought with it, a retry brings with it again: functions, tools of
// servers that a request named, and handoffs are in no catalog.
func TestRetryKeepsWhatTheRunBrought(t *testing.T) {
	a := &API{cfg: Config{Catalog: agent.Catalog{Tools: toolless{}}}}
	handoff := run.Handoff{Name: "helper"}
	brought := []run.Tool{{Name: "ask", Function: true}, {Name: "a__b", Server: "a"}, handoff.Tool("handoff.helper", "")}
	if got, err := a.sameTools(t.Context(), "p", brought); err != nil || len(got) != len(brought) {
		t.Errorf("%d tools, %v", len(got), err)
	}
	if _, err := a.sameTools(t.Context(), "p", []run.Tool{{Name: "gone"}}); !problem.Is(err, problem.Conflict) {
		t.Errorf("a tool that is gone: %v", err)
	}
}
