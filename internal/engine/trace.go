package engine

import (
	"context"

	"errand/internal/run"
)

// askedKey is the key of what Traced has put into a context.
type askedKey struct{}

// Traced returns a context whose runs are asked for from this place in a
// distributed trace; what is no traceparent is left out. Like every trace it
// travels in the context: nothing that happens to a run is decided by it.
func Traced(ctx context.Context, traceparent string) context.Context {
	place, ok := run.ParseTraceParent(traceparent)
	if !ok {
		return ctx
	}
	return context.WithValue(ctx, askedKey{}, place.String())
}

func askedBy(ctx context.Context) string {
	place, _ := ctx.Value(askedKey{}).(string)
	return place
}

// parent is the traceparent that an effect hands on. A server that records nothing
// hands on what it was given, so that a trace does not break at it.
func (e *Engine) parent(s *run.State, effect run.Effect, attempt int) string {
	if e.cfg.Span == nil {
		return s.Spec.Trace
	}
	return e.cfg.Span(s, effect, attempt)
}

// descend places a child in its parent's trace, under the call that it does the
// work of. A detached one has a life, and a trace, of its own.
func (e *Engine) descend(s *run.State, a *run.Action, h *run.Handoff, child *run.Spec) {
	place := e.parent(s, run.Effect{Kind: run.CallTool, Action: a.ID}, a.Attempt+1)
	if h.Detached {
		child.Trace, child.TraceLink = "", place
		return
	}
	child.Trace, child.TraceLink = place, ""
}
