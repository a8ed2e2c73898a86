package span

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"errand/internal/run"
)

// piece is a span that is over.
type piece struct {
	about    string
	name     string
	kind     trace.SpanKind
	parent   trace.SpanContext
	from, to time.Time
	failed   string // what kind of failure it ended with; empty = none
	attrs    []attribute.KeyValue
	links    []trace.Link
}

// Stored makes the spans that end with these events, for engine.Config. A step is
// over when the next one is known to have begun, or the run has ended.
func (t *Tracer) Stored(s *run.State, events []run.Event) {
	var at place
	for i := range events {
		e := &events[i]
		if !ends(e) {
			continue
		}
		if !at.own.IsValid() {
			at = t.place(s)
		}
		if !at.own.IsSampled() {
			return
		}
		switch e.Type {
		case run.ModelResponded:
			t.replied(at, s, e)
			t.stepped(at, s, e.Responded.Step-1)
		case run.ModelFailed:
			t.failed(at, s, e)
		case run.ToolFinished:
			t.called(at, s, s.Action(e.Finished.Action), e.At)
		case run.ChildFinished:
			t.called(at, s, s.Action(e.Child.Action), e.At)
		case run.ApprovalDecided:
			t.decided(at, s, e.Decided.Actions, e.At)
		case run.ApprovalExpired:
			t.decided(at, s, e.Expired.Actions, e.At)
		case run.RunFinished:
			t.stepped(at, s, len(s.Turns))
			if s.LastFail != nil && s.LastFail.Step == len(s.Turns)+1 {
				t.stepped(at, s, s.LastFail.Step)
			}
			t.ended(at, s)
		}
	}
}

// ends reports whether a span may end with the event.
func ends(e *run.Event) bool {
	switch e.Type {
	case run.ModelResponded, run.ModelFailed, run.ToolFinished, run.ChildFinished, run.ApprovalDecided, run.ApprovalExpired, run.RunFinished:
		return true
	}
	return false
}

func (t *Tracer) replied(at place, s *run.State, e *run.Event) {
	r := e.Responded
	p := piece{
		about: modelKey(r.Step, r.Attempt), name: chat + " " + s.Spec.Model, kind: trace.SpanKindClient,
		parent: at.within(s.ID, stepKey(r.Step)), from: e.At.Add(-millis(r.Ms)), to: e.At,
		attrs: append(asked(s.Spec.Model, r.Step, r.Attempt), used(r.Reply.Usage)...),
	}
	if r.Reply.Model != "" {
		p.attrs = append(p.attrs, responseModel.String(r.Reply.Model))
		if owner, _, qualified := strings.Cut(r.Reply.Model, "/"); qualified {
			p.attrs = append(p.attrs, provider.String(owner))
		}
	}
	if r.Reply.Finish != "" {
		p.attrs = append(p.attrs, finishReasons.StringSlice([]string{r.Reply.Finish}))
	}
	if r.First > 0 {
		p.attrs = append(p.attrs, firstChunk.Float64(millis(r.First).Seconds()))
	}
	if t.content {
		p.attrs = append(p.attrs, t.say(outputMessages, message("assistant", r.Reply.Text, r.Reply.Calls)))
	}
	t.emit(at, s, p)
}

func (t *Tracer) failed(at place, s *run.State, e *run.Event) {
	f := e.Failed
	t.emit(at, s, piece{
		about: modelKey(f.Step, f.Attempt), name: chat + " " + s.Spec.Model, kind: trace.SpanKindClient,
		parent: at.within(s.ID, stepKey(f.Step)), from: e.At.Add(-millis(f.Ms)), to: e.At, failed: f.Code,
		attrs: append(asked(s.Spec.Model, f.Step, f.Attempt), used(f.Usage)...),
	})
}

// asked are the attributes of every model call.
func asked(model string, number, try int) []attribute.KeyValue {
	return []attribute.KeyValue{operation.String(chat), requestModel.String(model), step.Int(number), attempt.Int(try)}
}

func used(u run.Usage) []attribute.KeyValue {
	attrs := []attribute.KeyValue{inputTokens.Int(u.Input), outputTokens.Int(u.Output)}
	for _, part := range []struct {
		name  attribute.Key
		count int
	}{{cachedTokens, u.Cached}, {writtenTokens, u.Written}, {reasoningTokens, u.Reasoning}} {
		if part.count > 0 {
			attrs = append(attrs, part.name.Int(part.count))
		}
	}
	if !u.Unpriced {
		attrs = append(attrs, cost.Float64(u.Cost.Dollars()))
	}
	return attrs
}

// called is the span of a tool call, of whatever kind the tool is. That of a
// handoff is linked to the run which does the work.
func (t *Tracer) called(at place, s *run.State, a *run.Action, end time.Time) {
	if a == nil || a.Attempt == 0 {
		return // the model was told that it can't be called
	}
	kind := "function"
	if a.Tool.Server != "" {
		kind = "extension"
	}
	p := piece{
		about: toolKey(a.ID, a.Attempt), name: executeTool + " " + a.Tool.Name, kind: trace.SpanKindInternal,
		parent: at.within(s.ID, stepKey(a.Step)), from: end.Add(-millis(a.Ms)), to: end,
		attrs: []attribute.KeyValue{
			operation.String(executeTool), toolName.String(a.Tool.Name), toolType.String(kind), toolCallID.String(a.CallID),
			action.String(a.ID), toolClass.String(string(a.Tool.Class)), outcome.String(string(a.Outcome)), step.Int(a.Step), attempt.Int(a.Attempt),
		},
	}
	if a.Outcome == run.Errored || a.Outcome == run.Unknown {
		p.failed = "tool_" + string(a.Outcome)
	}
	if a.Child != nil {
		p.attrs = append(p.attrs, childRun.String(a.Child.String()))
		p.links = append(p.links, trace.Link{SpanContext: t.child(at, s, a)})
	}
	if t.content {
		p.attrs = append(p.attrs, t.say(toolArguments, a.Arguments), t.say(toolResult, a.Output))
	}
	t.emit(at, s, p)
}

// child is the span of the run that does the work of a call: a detached one has a
// trace of its own.
func (t *Tracer) child(at place, s *run.State, a *run.Action) trace.SpanContext {
	own := at.within(*a.Child, "run")
	if h := s.Spec.Handoff(&a.Tool); h != nil && h.Detached {
		own = own.WithTraceID(trace.TraceID(*a.Child))
	}
	return own.WithRemote(true)
}

// decided is the span of the time that a call waited for people.
func (t *Tracer) decided(at place, s *run.State, actions []string, end time.Time) {
	for _, id := range actions {
		a := s.Action(id)
		if a == nil || a.Waits() || a.Asked.IsZero() {
			continue // one voice of several, or another question now
		}
		yes, _ := a.Word()
		t.emit(at, s, piece{
			about: "approval/" + id + "/" + a.Asked.String(), name: "approval " + a.Tool.Name, kind: trace.SpanKindInternal,
			parent: at.within(s.ID, stepKey(a.Step)), from: a.Asked, to: end,
			attrs: []attribute.KeyValue{toolName.String(a.Tool.Name), action.String(id), approved.Bool(yes)},
		})
	}
}

// stepped is the span of a step: from the end of the one before to its own last
// event.
func (t *Tracer) stepped(at place, s *run.State, number int) {
	if number < 1 {
		return
	}
	p := piece{
		about: stepKey(number), name: "step", kind: trace.SpanKindInternal, parent: at.own,
		from: finish(s, number-1), to: finish(s, number), attrs: []attribute.KeyValue{step.Int(number)},
	}
	if number > len(s.Turns) && s.LastFail != nil { // it brought no reply
		p.failed = s.LastFail.Code
	}
	t.emit(at, s, p)
}

// finish is when a step was over.
func finish(s *run.State, number int) time.Time {
	switch {
	case number < 1:
		return s.CreatedAt
	case number > len(s.Turns):
		return s.EndedAt
	}
	turn := &s.Turns[number-1]
	last := turn.At
	for i := range turn.Actions {
		if since := turn.Actions[i].Since; since.After(last) {
			last = since
		}
	}
	return last
}

func (t *Tracer) ended(at place, s *run.State) {
	p := piece{
		about: "run", name: invokeAgent, kind: trace.SpanKindInternal, parent: at.parent, from: s.CreatedAt, to: s.EndedAt,
		attrs: append(used(s.Usage), operation.String(invokeAgent), runID.String(s.ID.String()), requestModel.String(s.Spec.Model),
			dialect.String(s.Spec.Dialect), project.String(s.Spec.Project),
			runStatus.String(string(s.Status)), stopReason.String(string(s.Ended.Reason))),
	}
	if a := s.Spec.Agent; a != nil {
		p.name += " " + a.Name
		p.attrs = append(p.attrs, agentID.String(a.ID), agentName.String(a.Name), agentVersion.Int(a.Version))
	}
	if from, ok := run.ParseTraceParent(s.Spec.TraceLink); ok {
		p.links = append(p.links, trace.Link{SpanContext: remote(from)})
	}
	if s.Status == run.FailedStatus {
		p.failed = string(s.Ended.Reason)
		if s.Ended.Code != "" {
			p.failed = s.Ended.Code
		}
	}
	if t.content {
		p.attrs = append(p.attrs, t.say(instructions, s.Spec.Instructions),
			t.say(inputMessages, message("user", s.Spec.Input.Text, nil)), t.say(outputMessages, message("assistant", s.Ended.Result.Summary, nil)))
	}
	t.emit(at, s, p)
}

// emit hands a span to OpenTelemetry, which sends it some time, or drops it when
// its queue is full. It does not wait.
func (t *Tracer) emit(at place, s *run.State, p piece) {
	if p.from.After(p.to) {
		p.from = p.to // clocks may be set back
	}
	ctx := trace.ContextWithSpanContext(context.Background(), p.parent)
	_, span := t.tracer.Start(named(ctx, names{at.own.TraceID(), spanOf(s.ID, p.about)}), p.name,
		trace.WithSpanKind(p.kind), trace.WithTimestamp(p.from), trace.WithAttributes(p.attrs...), trace.WithLinks(p.links...))
	if p.failed != "" {
		span.SetAttributes(errorType.String(p.failed))
		span.SetStatus(codes.Error, p.failed)
	}
	span.End(trace.WithTimestamp(p.to))
}

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// maxContent bounds what one attribute says, in bytes: collectors drop spans that
// are too large whole.
const maxContent = 16 << 10

// say is an attribute with what people or models have said.
func (t *Tracer) say(name attribute.Key, text string) attribute.KeyValue {
	text = t.clean(text)
	if len(text) > maxContent {
		text = text[:maxContent] + " [cut]"
	}
	return name.String(strings.ToValidUTF8(text, ""))
}

// message is a message as the conventions write it.
func message(role, text string, calls []run.Call) string {
	type part struct {
		Type      string `json:"type"`
		Content   string `json:"content,omitempty"`
		ID        string `json:"id,omitempty"`
		Name      string `json:"name,omitempty"`
		Arguments string `json:"arguments,omitempty"`
	}
	parts := []part{}
	if text != "" {
		parts = append(parts, part{Type: "text", Content: text})
	}
	for _, call := range calls {
		parts = append(parts, part{Type: "tool_call", ID: call.ID, Name: call.Name, Arguments: call.Arguments})
	}
	written, err := json.Marshal([]any{map[string]any{"role": role, "parts": parts}})
	if err != nil {
		return "" // these are all strings
	}
	return string(written)
}
