package span

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"go.uber.org/goleak"

	"errand/internal/run"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// traced is a tracer whose spans are kept.
func traced(t testing.TB, content bool, options ...sdk.TracerProviderOption) (*Tracer, *tracetest.InMemoryExporter) {
	kept := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(append(options, sdk.WithSyncer(kept), sdk.WithIDGenerator(generator{}))...)
	t.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	return &Tracer{provider: provider, tracer: provider.Tracer("test"), content: content,
		clean: func(text string) string { return strings.ReplaceAll(text, "hunter2", "[redacted]") }}, kept
}

var (
	parentID = run.NewID(begin, 1, 11)
	childID  = run.NewID(begin.Add(2*time.Second), 2, 22)
	begin    = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
)

const caller = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

// life is a run that fails once, calls a tool that a person approves and a handoff,
// and answers: each event a second after the one before.
func life(spec run.Spec) []run.Event {
	spec.Project, spec.Dialect, spec.Model, spec.Limits.MaxSteps = "p", "native", "auto", 8
	spec.Input = run.Message{Role: run.User, Text: "The password is hunter2."}
	spec.Tools = []run.Tool{{Name: "send", Class: run.Once}, {Name: "ask", Class: run.Keyed, Handoff: "helper"}}
	calls := []run.Call{{ID: "c1", Name: "send", Arguments: `{"to":"ann"}`}, {ID: "c2", Name: "ask", Arguments: `{"task":"x"}`}}
	child := childID
	events := []run.Event{
		{Type: run.RunCreated, Created: &run.Created{Spec: spec}},
		{Type: run.ModelFailed, Failed: &run.Failed{Step: 1, Attempt: 1, Code: "model_unavailable", Message: "secret words", Retry: true, Ms: 500}},
		{Type: run.ModelResponded, Responded: &run.Responded{Step: 1, Attempt: 2, Ms: 800, First: 200,
			Reply:   run.Reply{Model: "acme/large", Calls: calls, Finish: "tool_calls", Usage: run.Usage{Input: 10, Output: 5, Cached: 4, Cost: 2500}},
			Actions: []run.Planned{{ID: "act_01", Gated: true}, {ID: "act_02"}}}},
		{Type: run.ToolStarted, Started: &run.Started{Action: "act_02", Epoch: 1, Attempt: 1, Child: &child}},
		{Type: run.ChildFinished, Child: &run.Child{Action: "act_02", Run: child, Outcome: run.OK, Output: "done"}},
		{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: []string{"act_01"}, Approve: true}},
		{Type: run.ToolStarted, Started: &run.Started{Action: "act_01", Epoch: 1, Attempt: 1}},
		{Type: run.ToolFinished, Finished: &run.Finished{Action: "act_01", Outcome: run.Errored, Output: "no such ann", Ms: 300}},
		{Type: run.ModelResponded, Responded: &run.Responded{Step: 2, Attempt: 1, Ms: 400, Reply: run.Reply{Model: "acme/large", Text: "It failed.", Finish: "stop"}}},
		{Type: run.RunFinished, Ended: &run.Ended{Status: run.Completed, Reason: run.Answered, Result: run.Result{Summary: "It failed."}}},
	}
	for i := range events {
		events[i].Seq, events[i].At = int64(i+1), begin.Add(time.Duration(i)*time.Second)
	}
	return events
}

// tell gives the tracer each event as the engine does: once it is in the state.
func tell(t *Tracer, id run.ID, events []run.Event) run.State {
	s := run.Fold(id, nil)
	for i := range events {
		s.Take(&events[i])
		t.Stored(&s, events[i:i+1])
	}
	return s
}

// line is a span on one line: its name, its parent's, when and how long, its fault.
func line(all tracetest.SpanStubs, stub tracetest.SpanStub) string {
	parent := "-"
	for _, other := range all {
		if other.SpanContext.SpanID() == stub.Parent.SpanID() {
			parent = other.Name
		}
	}
	if stub.Parent.IsRemote() {
		parent = "caller " + stub.Parent.SpanID().String()
	}
	text := stub.Name + " < " + parent + " " + stub.StartTime.Sub(begin).String() + " +" + stub.EndTime.Sub(stub.StartTime).String()
	return strings.TrimSpace(text + " " + stub.Status.Description)
}

func TestALifeIsATreeOfSpans(t *testing.T) {
	tracer, kept := traced(t, false)
	tell(tracer, parentID, life(run.Spec{Trace: caller, Agent: &run.AgentRef{ID: "agt_1", Name: "clerk", Version: 3},
		Handoffs: []run.Handoff{{Name: "helper"}}}))
	stubs := kept.GetSpans()
	var got []string
	for _, stub := range stubs {
		got = append(got, line(stubs, stub))
		if stub.SpanContext.TraceID().String() != caller[3:35] {
			t.Errorf("%s is of another trace: %s", stub.Name, stub.SpanContext.TraceID())
		}
		for _, a := range stub.Attributes {
			if text := a.Value.String(); strings.Contains(text, "hunter2") || strings.Contains(text, "secret words") || strings.Contains(text, "ann") {
				t.Errorf("%s tells what was said: %s=%s", stub.Name, a.Key, text)
			}
		}
	}
	want := []string{
		"chat auto < step 500ms +500ms model_unavailable",
		"chat auto < step 1.2s +800ms",
		"execute_tool ask < step 3s +1s",
		"approval send < step 2s +3s",
		"execute_tool send < step 6.7s +300ms tool_error",
		"chat auto < step 7.6s +400ms",
		"step < invoke_agent clerk 0s +7s",
		"step < invoke_agent clerk 7s +1s",
		"invoke_agent clerk < caller 00f067aa0ba902b7 0s +9s",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	first := stubs[1].Attributes
	for name, value := range map[string]string{
		"gen_ai.operation.name": "chat", "gen_ai.provider.name": "acme", "gen_ai.response.model": "acme/large", "gen_ai.usage.input_tokens": "10",
		"gen_ai.usage.cache_read.input_tokens": "4", "gen_ai.response.finish_reasons": `["tool_calls"]`, "errand.usage.cost": "0.0025",
	} {
		found := ""
		for _, a := range first {
			if string(a.Key) == name {
				found = a.Value.String()
			}
		}
		if found != value {
			t.Errorf("%s is %q, not %q", name, found, value)
		}
	}
}

// What is said before a call is what its span is called afterwards.
func TestCallsSayTheNamesThatTheirSpansGet(t *testing.T) {
	tracer, kept := traced(t, false)
	s := tell(tracer, parentID, life(run.Spec{Trace: caller}))
	said := []string{
		tracer.Parent(&s, run.Effect{Kind: run.CallModel, Step: 1}, 2),
		tracer.Parent(&s, run.Effect{Kind: run.CallTool, Action: "act_01"}, 1),
	}
	for i, name := range []int{1, 4} {
		place, ok := run.ParseTraceParent(said[i])
		if stub := kept.GetSpans()[name]; !ok || place.Flags != 1 || trace.SpanID(place.Span) != stub.SpanContext.SpanID() {
			t.Errorf("%s was told %s, and is %s", stub.Name, said[i], stub.SpanContext.SpanID())
		}
	}
}

func TestAChildIsUnderItsCallAndADetachedOneIsLinkedToIt(t *testing.T) {
	for _, detached := range []bool{false, true} {
		tracer, kept := traced(t, false)
		s := tell(tracer, parentID, life(run.Spec{Handoffs: []run.Handoff{{Name: "helper", Detached: detached}}}))
		call := kept.GetSpans()[2]
		if call.SpanContext.TraceID() != trace.TraceID(parentID) {
			t.Error("a run that nobody's trace asked for has its own id as its trace")
		}
		place := tracer.Parent(&s, run.Effect{Kind: run.CallTool, Action: "act_02"}, 1)
		kept.Reset()
		spec := run.Spec{Trace: place}
		if detached {
			spec = run.Spec{TraceLink: place}
		}
		tell(tracer, childID, life(spec))
		child := kept.GetSpans()[8]
		if len(call.Links) != 1 || call.Links[0].SpanContext.SpanID() != child.SpanContext.SpanID() || call.Links[0].SpanContext.TraceID() != child.SpanContext.TraceID() {
			t.Errorf("detached %v: the call links to %v, the child is %v", detached, call.Links, child.SpanContext)
		}
		if under := child.Parent.SpanID() == call.SpanContext.SpanID(); under == detached {
			t.Errorf("detached %v, and under the call: %v", detached, under)
		}
		if back := len(child.Links) == 1 && child.Links[0].SpanContext.SpanID() == call.SpanContext.SpanID(); back != detached {
			t.Errorf("detached %v, and linked back: %v", detached, back)
		}
	}
}

func TestWhatWasSaidIsTracedOnlyIfAskedFor(t *testing.T) {
	tracer, kept := traced(t, true)
	tell(tracer, parentID, life(run.Spec{}))
	var all []string
	for _, stub := range kept.GetSpans() {
		for _, a := range stub.Attributes {
			all = append(all, string(a.Key)+"="+a.Value.String())
		}
	}
	text := strings.Join(all, "\n")
	for _, want := range []string{`gen_ai.tool.call.arguments={"to":"ann"}`, "gen_ai.tool.call.result=no such ann", "The password is [redacted]."} {
		if !strings.Contains(text, want) {
			t.Errorf("no %s in\n%s", want, text)
		}
	}
	if strings.Contains(text, "hunter2") {
		t.Error("a secret is shown")
	}
}

// A caller who does not record decides for what it has asked for.
func TestTheCallersWordOnRecordingHolds(t *testing.T) {
	tracer, kept := traced(t, false)
	s := tell(tracer, parentID, life(run.Spec{Trace: caller[:53] + "00"}))
	if spans := kept.GetSpans(); len(spans) > 0 {
		t.Errorf("%d spans of a trace that is not recorded", len(spans))
	}
	if said := tracer.Parent(&s, run.Effect{Kind: run.CallModel, Step: 1}, 1); !strings.HasPrefix(said, caller[:36]) || !strings.HasSuffix(said, "-00") {
		t.Errorf("handed on as %s", said)
	}
}

func TestAnEnvironmentThatNamesNoCollectorMakesNoTracer(t *testing.T) {
	with := func(pairs ...string) map[string]string {
		env := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			env[pairs[i]] = pairs[i+1]
		}
		return env
	}
	for _, env := range []map[string]string{
		nil, with("OTEL_SERVICE_NAME", "x"),
		with(endpointVariable, "http://127.0.0.1:4318", "OTEL_SDK_DISABLED", "true"),
		with(endpointVariable, "http://127.0.0.1:4318", "OTEL_TRACES_EXPORTER", "none"),
	} {
		if tracer, err := New(t.Context(), Config{Env: env}); tracer != nil || err != nil {
			t.Errorf("%v: %v, %v", env, tracer, err)
		}
	}
	for want, env := range map[string]map[string]string{
		"4318":                 with(endpointVariable, "127.0.0.1:4317"),
		"http/protobuf":        with(endpointVariable, "http://127.0.0.1:4317", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc"),
		"OTEL_TRACES_EXPORTER": with(endpointVariable, "http://127.0.0.1:4317", "OTEL_TRACES_EXPORTER", "zipkin"),
	} {
		if _, err := New(t.Context(), Config{Env: env}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: %v", env, err)
		}
	}
	if got, _ := endpoint(with(endpointVariable, "http://c:1/base/")); got != "http://c:1/base/v1/traces" {
		t.Error(got)
	}
	if got, _ := endpoint(with(endpointVariable, "http://c:1", tracesVariable, "http://d:2/own")); got != "http://d:2/own" {
		t.Error(got)
	}
	if slices.ContainsFunc([]string{"", "false", "no_content", "event_only"}, captures) || !captures("SPAN_ONLY") || !captures("true") {
		t.Error("the setting for content is misread")
	}
}

// What a whole run of two steps and two calls costs where a collector is told of it.
func BenchmarkLife(b *testing.B) {
	provider := sdk.NewTracerProvider(sdk.WithIDGenerator(generator{}), sdk.WithSpanProcessor(sdk.NewBatchSpanProcessor(tracetest.NewNoopExporter())))
	b.Cleanup(func() { _ = provider.Shutdown(context.Background()) })
	tracer := &Tracer{provider: provider, tracer: provider.Tracer("test"), clean: func(text string) string { return text }}
	events := life(run.Spec{Trace: caller})
	s := run.Fold(parentID, events)
	b.ReportAllocs()
	for b.Loop() {
		for i := range events {
			tracer.Stored(&s, events[i:i+1])
		}
	}
}
