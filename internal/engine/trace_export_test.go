package engine

import (
	"context"

	"errand/internal/run"
)

// Untraced returns what a server without a tracer does for the traces of one run:
// its caller's place, two effects, and the end of a commit.
func Untraced() func() {
	e := New(Config{})
	s, events, ctx := &run.State{}, []run.Event{{Type: run.ModelResponded}}, context.Background()
	return func() {
		s.Spec.Trace = askedBy(Traced(ctx, ""))
		_ = e.parent(s, run.Effect{Kind: run.CallModel, Step: 1}, 1)
		_ = e.parent(s, run.Effect{Kind: run.CallTool, Action: "act_01"}, 1)
		e.observe(events, s)
	}
}
