package span

import (
	"context"
	"crypto/sha256"
	"strconv"

	"go.opentelemetry.io/otel/trace"

	"errand/internal/run"
)

// place is where a run stands: its own span, and who asked for it.
type place struct {
	own    trace.SpanContext
	parent trace.SpanContext // invalid = nobody's trace did
}

// place asks the sampler, whose answer for one trace is always the same, whether
// the run is recorded. The span that it takes for this is never ended, and so
// never sent.
func (t *Tracer) place(s *run.State) place {
	p := place{}
	own := names{trace.TraceID(s.ID), spanOf(s.ID, "run")}
	if asked, ok := run.ParseTraceParent(s.Spec.Trace); ok {
		p.parent = remote(asked)
		own.trace = p.parent.TraceID()
	}
	_, probe := t.tracer.Start(named(trace.ContextWithSpanContext(context.Background(), p.parent), own), invokeAgent)
	p.own = probe.SpanContext()
	return p
}

func remote(asked run.TraceParent) trace.SpanContext {
	return trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: asked.Trace, SpanID: asked.Span, TraceFlags: trace.TraceFlags(asked.Flags) & trace.FlagsSampled, Remote: true,
	})
}

// within is another span of the run.
func (p place) within(id run.ID, about string) trace.SpanContext {
	return p.own.WithSpanID(spanOf(id, about))
}

// What spans are about, beside "run".
func stepKey(n int) string { return "step/" + strconv.Itoa(n) }
func modelKey(step, attempt int) string {
	return "model/" + strconv.Itoa(step) + "/" + strconv.Itoa(attempt)
}
func toolKey(action string, attempt int) string {
	return "tool/" + action + "/" + strconv.Itoa(attempt)
}

// spanOf makes the id of the span of a run that is about this.
func spanOf(id run.ID, about string) (span trace.SpanID) {
	sum := sha256.Sum256(append(id[:], about...))
	copy(span[:], sum[:])
	if !span.IsValid() {
		span[0] = 1
	}
	return span
}

// names are the ids that the next span gets.
type names struct {
	trace trace.TraceID
	span  trace.SpanID
}

type namesKey struct{}

func named(ctx context.Context, n names) context.Context {
	return context.WithValue(ctx, namesKey{}, n)
}

// generator gives spans the names that their context has.
type generator struct{}

// NewIDs names the first span of a trace.
func (generator) NewIDs(ctx context.Context) (trace.TraceID, trace.SpanID) {
	n, _ := ctx.Value(namesKey{}).(names)
	return n.trace, n.span
}

// NewSpanID names any other.
func (generator) NewSpanID(ctx context.Context, _ trace.TraceID) trace.SpanID {
	n, _ := ctx.Value(namesKey{}).(names)
	return n.span
}

// Parent is the traceparent that an effect of the run hands on, for engine.Config.
func (t *Tracer) Parent(s *run.State, effect run.Effect, attempt int) string {
	about := toolKey(effect.Action, attempt)
	if effect.Kind == run.CallModel {
		about = modelKey(effect.Step, attempt)
	}
	at := t.place(s).within(s.ID, about)
	return run.TraceParent{Trace: at.TraceID(), Span: at.SpanID(), Flags: byte(at.TraceFlags())}.String()
}
