package native

import (
	"context"
	"fmt"
	"time"

	"errand/internal/api/wire"
	"errand/internal/explain"
	"errand/internal/problem"
	"errand/internal/run"
)

// traceBody is what a run's time was spent on.
type traceBody struct {
	Object string     `json:"object"`
	Run    string     `json:"run"`
	Status run.Status `json:"status"`
	Begin  time.Time  `json:"begin"`
	End    *time.Time `json:"end"` // null = the run has not ended
	Now    time.Time  `json:"now"` // by this server's clock: what goes on has come so far
	Seq    int64      `json:"seq"` // of the last event that is told here
	Worked float64    `json:"worked_s"`
	Usage  usageBody  `json:"usage"`
	Spans  []spanBody `json:"spans"`
}

// spanBody is a stretch of a run's time. Every key is always there, null where the
// kind of span has no such thing.
type spanBody struct {
	ID      string           `json:"id"`
	Parent  *string          `json:"parent"`
	Kind    explain.SpanKind `json:"kind"`
	Name    *string          `json:"name"`
	Step    *int             `json:"step"`
	Attempt *int             `json:"attempt"`
	For     *explain.For     `json:"for"`
	Begin   time.Time        `json:"begin"`
	End     *time.Time       `json:"end"`
	Until   *time.Time       `json:"until"`
	Outcome *string          `json:"outcome"`
	FirstMs *int64           `json:"first_ms"`
	Usage   *usageBody       `json:"usage"`
	Code    *string          `json:"code"`
	Message *string          `json:"message"`
	Action  *string          `json:"action_id"`
	Effect  *run.Class       `json:"effect"`
	Run     *string          `json:"run_id"`
	By      *string          `json:"by"`
	Asked   *int64           `json:"asked_seq"`
	Told    *int64           `json:"told_seq"`
}

func (a *API) traceRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	events, _, err := a.cfg.Engine.Events(ctx, r.Caller.Project, id, 0, 0)
	if err != nil {
		return wire.Response{}, err
	}
	now := a.cfg.Now()
	state := run.Fold(id, events)
	body := traceBody{
		Object: "trace", Run: runID(id), Status: state.Status, Begin: state.CreatedAt.UTC(), End: moment(state.EndedAt), Now: now.UTC(),
		Seq: state.Seq, Worked: state.Worked.Seconds(), Usage: showUsage(state.Usage), Spans: []spanBody{},
	}
	for _, s := range explain.Spans(id, events, true, now) {
		body.Spans = append(body.Spans, showSpan(&s))
	}
	return wire.OK(body), nil
}

func showSpan(s *explain.Span) spanBody {
	body := spanBody{
		ID: s.ID, Parent: optional(s.Parent), Kind: s.Kind, Name: optional(s.Name), Step: optional(s.Step), Attempt: optional(s.Attempt),
		For: optional(s.For), Begin: s.Begin.UTC(), End: moment(s.End), Until: moment(s.Until), Outcome: optional(s.Outcome),
		FirstMs: optional(s.First.Milliseconds()), Code: optional(s.Code), Message: optional(s.Message), Action: optional(s.Action),
		Effect: optional(s.Class), By: optional(s.By), Asked: optional(s.Asked), Told: optional(s.Told),
	}
	if s.Child != nil {
		body.Run = optional(runID(*s.Child))
	}
	if s.Kind == explain.StepSpan || s.Kind == explain.ModelSpan || s.Kind == explain.ChildSpan {
		usage := showUsage(s.Usage)
		body.Usage = &usage
	}
	return body
}

const (
	// stripEvents bounds what is read of a run for its strip, and stripSpans what a strip
	// has: it is drawn 200 pixels wide.
	stripEvents = 300
	stripSpans  = 60
)

// stripBody is a run's trace in little, for lists.
type stripBody struct {
	Spans []stripSpan `json:"spans"`
	Cut   bool        `json:"cut"` // these are not all: the run went on
}

// stripSpan is a span in milliseconds since the run was made.
type stripSpan struct {
	Kind    explain.SpanKind `json:"kind"`
	For     *explain.For     `json:"for"`
	At      int64            `json:"at_ms"`
	Ms      *int64           `json:"ms"` // null = it goes on
	Outcome *string          `json:"outcome"`
}

// strips adds their strips to lines. A run that has gone meanwhile has an empty one.
func (a *API) strips(ctx context.Context, project string, lines []run.Summary, bodies []lineBody) error {
	now := a.cfg.Now()
	for i := range bodies {
		events, more, err := a.cfg.Engine.Events(ctx, project, lines[i].ID, 0, stripEvents)
		if err != nil && !problem.Is(err, problem.NotFound) {
			return fmt.Errorf("reading the run %s for its strip: %w", lines[i].ID, err)
		}
		bodies[i].Strip = stripOf(lines[i].ID, events, !more, now)
	}
	return nil
}

func stripOf(id run.ID, events []run.Event, whole bool, now time.Time) *stripBody {
	strip := &stripBody{Spans: []stripSpan{}, Cut: !whole}
	if len(events) == 0 {
		return strip
	}
	begin := events[0].At
	for _, s := range explain.Spans(id, events, whole, now) {
		if s.Kind == explain.StepSpan {
			continue
		}
		if len(strip.Spans) == stripSpans {
			strip.Cut = true
			break
		}
		one := stripSpan{Kind: s.Kind, For: optional(s.For), At: max(s.Begin.Sub(begin).Milliseconds(), 0), Outcome: optional(s.Outcome)}
		if !s.End.IsZero() {
			ms := s.End.Sub(s.Begin).Milliseconds()
			one.Ms = &ms
		}
		strip.Spans = append(strip.Spans, one)
	}
	return strip
}
