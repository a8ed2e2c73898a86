package explain

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"errand/internal/run"
)

// SpanKind is what a span is the time of.
type SpanKind string

const (
	StepSpan  SpanKind = "step"  // all of one step
	ModelSpan SpanKind = "model" // one call of the model
	ToolSpan  SpanKind = "tool"  // one call of a tool
	WaitSpan  SpanKind = "wait"  // nothing was done, for the reason that For says
	ChildSpan SpanKind = "child" // another run did the work
)

// Span is a stretch of a run's time, and what it was spent on.
type Span struct {
	Kind    SpanKind
	ID      string // within the run, and the same for ever: model/2/1, tool/act_01/1 …
	Parent  string // the step's; empty = it belongs to none
	Name    string // of the model, the tool, or the agent that does the work
	Step    int
	Attempt int // of a model's or a tool's call
	For     For // of a wait
	Begin   time.Time
	End     time.Time // zero = it goes on
	Until   time.Time // of a wait that goes on: when it ends by itself; zero = no clock ends it
	Outcome string    // ok, error, unknown, rejected, cancelled, refused, denied; of a wait for a person: approved, rejected, expired
	First   time.Duration
	Usage   run.Usage // of a model's call, and of another run
	Code    string    // of an error
	Message string
	Action  string
	Class   run.Class // of a tool
	Child   *run.ID
	By      string // who decided
	Asked   int64  // seq of the event that has what was asked; 0 = none
	Told    int64  // seq of the event that has what came of it
}

// Spans tells a run's log as stretches of time, in the order in which they began.
// Those that go on have no end: what goes on is known for the end of the log alone, so
// whole says that the events are all that there are.
func Spans(id run.ID, events []run.Event, whole bool, now time.Time) []Span {
	w := weaver{state: run.State{ID: id}, open: map[string]int{}, times: map[string]int{}, asked: map[int]int64{}, began: map[string]time.Time{}}
	for i := range events {
		w.state.Take(&events[i])
		w.fact(&events[i])
		w.rest(&events[i])
	}
	if whole {
		w.live(now)
	} else {
		w.spans = slices.DeleteFunc(w.spans, func(s Span) bool { return s.End.IsZero() })
	}
	all := append(steps(w.spans), w.spans...)
	slices.SortStableFunc(all, func(a, b Span) int {
		return cmp.Or(a.Begin.Compare(b.Begin), rank(&a)-rank(&b))
	})
	return all
}

// rank puts a step before its parts, where both begin at once.
func rank(s *Span) int {
	if s.Kind == StepSpan {
		return 0
	}
	return 1
}

// weaver makes spans while it folds the log.
type weaver struct {
	state run.State
	spans []Span
	open  map[string]int       // waits that go on, by what they are for: their place in spans
	times map[string]int       // how often there was a wait for this
	asked map[int]int64        // by step: the seq of its reply
	began map[string]time.Time // by action: when its call was started, where that was written down
}

func (w *weaver) add(s Span) {
	if s.Step > 0 {
		s.Parent = stepID(s.Step)
	}
	w.spans = append(w.spans, s)
}

func stepID(step int) string { return fmt.Sprintf("step/%d", step) }

// fact adds what an event says to be over.
func (w *weaver) fact(e *run.Event) {
	switch {
	case e.Responded != nil:
		r := e.Responded
		w.asked[r.Step] = e.Seq
		w.add(Span{
			Kind: ModelSpan, ID: modelID(r.Step, r.Attempt), Name: r.Reply.Model, Step: r.Step, Attempt: r.Attempt, Outcome: string(run.OK),
			Begin: e.At.Add(-millis(r.Ms)), End: e.At, First: millis(r.First), Usage: r.Reply.Usage, Told: e.Seq,
		})
		w.barred(e)
	case e.Failed != nil:
		f := e.Failed
		w.add(Span{
			Kind: ModelSpan, ID: modelID(f.Step, f.Attempt), Name: w.state.Spec.Model, Step: f.Step, Attempt: f.Attempt, Outcome: string(run.Errored),
			Begin: e.At.Add(-millis(f.Ms)), End: e.At, Usage: f.Usage, Code: f.Code, Message: f.Message, Told: e.Seq,
		})
		if f.Retry && f.AfterMs > 0 {
			w.add(Span{Kind: WaitSpan, ID: fmt.Sprintf("retry/%d/%d", f.Step, f.Attempt), For: Again, Step: f.Step, Begin: e.At, End: e.At.Add(millis(f.AfterMs)), Code: f.Code})
		}
	case e.Started != nil:
		w.began[e.Started.Action] = e.At
	case e.Finished != nil:
		w.called(e)
	}
}

func modelID(step, attempt int) string { return fmt.Sprintf("model/%d/%d", step, attempt) }

func millis(ms int64) time.Duration { return time.Duration(ms) * time.Millisecond }

// barred adds the calls of a reply that were answered without being made.
func (w *weaver) barred(e *run.Event) {
	r := e.Responded
	for i := range min(len(r.Actions), len(r.Reply.Calls)) {
		p, outcome := &r.Actions[i], ""
		switch {
		case p.Refused != "":
			outcome = "refused"
		case p.Denied != "":
			outcome = "denied"
		default:
			continue
		}
		w.add(Span{
			Kind: ToolSpan, ID: toolID(p.ID, 0), Name: r.Reply.Calls[i].Name, Step: r.Step, Action: p.ID, Outcome: outcome,
			Begin: e.At, End: e.At, Message: p.Refused, Asked: e.Seq, Told: e.Seq,
		})
	}
}

func toolID(action string, attempt int) string { return fmt.Sprintf("tool/%s/%d", action, attempt) }

// called adds a tool's call. Of one that a crash has hit nobody knows how long it
// took, but when it was begun.
func (w *weaver) called(e *run.Event) {
	f, s := e.Finished, Span{Kind: ToolSpan, Action: e.Finished.Action, Outcome: string(e.Finished.Outcome), End: e.At, Told: e.Seq}
	s.Begin = e.At.Add(-millis(f.Ms))
	if began, known := w.began[f.Action]; known && f.Ms == 0 {
		s.Begin = began
	}
	delete(w.began, f.Action)
	if f.Crash {
		s.Code = "crash"
	}
	if a := w.state.Action(f.Action); a != nil {
		s.Name, s.Step, s.Attempt, s.Class, s.Asked, s.Child = a.Tool.Name, a.Step, max(a.Attempt, 1), a.Tool.Class, w.asked[a.Step], f.Child
	}
	if f.Outcome == run.Errored || f.Outcome == run.Unknown {
		s.Message = f.Output
	}
	s.ID = toolID(s.Action, s.Attempt)
	w.add(s)
}

// rest opens a span for each reason to be at rest that is new, and ends those that
// are over.
func (w *weaver) rest(e *run.Event) {
	var now map[string]bool
	for _, wait := range rests(&w.state) {
		about := string(wait.For)
		if wait.Action != "" {
			about += "/" + wait.Action
		}
		if now == nil {
			now = map[string]bool{}
		}
		now[about] = true
		if at, goes := w.open[about]; goes {
			w.spans[at].Until = wait.Until
			continue
		}
		w.open[about] = len(w.spans)
		w.times[about]++
		w.add(w.resting(fmt.Sprintf("%s/%d", about, w.times[about]), &wait, e.At))
	}
	for about, at := range w.open {
		if !now[about] {
			w.over(&w.spans[at], e)
			delete(w.open, about)
		}
	}
}

func (w *weaver) resting(id string, wait *Wait, at time.Time) Span {
	s := Span{Kind: WaitSpan, ID: "wait/" + id, For: wait.For, Name: wait.Tool, Action: wait.Action, Begin: at, Until: wait.Until}
	if wait.For == Child {
		s.Kind, s.ID, s.Child = ChildSpan, id, wait.Run
	}
	if a := w.state.Action(wait.Action); a != nil {
		s.Step, s.Class, s.Asked = a.Step, a.Tool.Class, w.asked[a.Step]
		if s.Kind == ChildSpan && a.Tool.Handoff != "" {
			s.Name = a.Tool.Handoff
		}
	}
	return s
}

// over ends a wait by the event that ended it.
func (w *weaver) over(s *Span, e *run.Event) {
	s.End, s.Until = e.At, time.Time{}
	a := w.state.Action(s.Action)
	switch {
	case a == nil:
	case e.Child != nil && s.Kind == ChildSpan:
		s.Outcome, s.Usage, s.Told = string(e.Child.Outcome), e.Child.Usage, e.Seq
	case e.Decided != nil && slices.Contains(e.Decided.Actions, s.Action):
		s.By, s.Told, s.Outcome = cmp.Or(e.Decided.ByName, e.Decided.By), e.Seq, "rejected"
		if e.Decided.Approve {
			s.Outcome = "approved"
		}
	case e.Expired != nil && slices.Contains(e.Expired.Actions, s.Action):
		if s.Told, s.Outcome = e.Seq, "expired"; !e.Expired.Timeout {
			s.Outcome = "changed"
		}
	case e.Input != nil:
		s.Told, s.By = e.Seq, e.Input.By
	case s.For == Approval || s.For == Outcome:
		s.Outcome = "cancelled"
	}
}

// live adds what is under way now.
func (w *weaver) live(now time.Time) {
	for _, effect := range under(&w.state) {
		switch {
		case effect.Kind == run.CallModel && effect.After.After(now):
			// It waits for its next attempt, which fact has said already.
		case effect.Kind == run.CallModel:
			begin := w.state.UpdatedAt
			if effect.After.After(begin) {
				begin = effect.After
			}
			w.add(Span{Kind: ModelSpan, ID: modelID(effect.Step, effect.Attempt), Name: w.state.Spec.Model, Step: effect.Step, Attempt: effect.Attempt, Begin: begin})
		default:
			a := w.state.Action(effect.Action)
			if a == nil {
				continue
			}
			s := Span{Kind: ToolSpan, Name: a.Tool.Name, Step: a.Step, Attempt: max(a.Attempt, 1), Class: a.Tool.Class, Action: a.ID, Begin: a.Since, Asked: w.asked[a.Step]}
			s.ID = toolID(a.ID, s.Attempt)
			w.add(s)
		}
	}
	for i := range w.spans { // the wait for an attempt that is still to come
		if s := &w.spans[i]; s.End.After(now) {
			s.Until, s.End = s.End, time.Time{}
		}
	}
}

// under is what a driver has under way.
func under(s *run.State) []run.Effect {
	if s.Ended != nil || s.Cancel != nil || s.Deadline != "" {
		return nil
	}
	return run.Decide(s).Effects
}

// steps makes the spans of the steps from those of their parts.
func steps(parts []Span) []Span {
	byStep, order := map[int]*Span{}, []int(nil)
	for i := range parts {
		p := &parts[i]
		if p.Step == 0 {
			continue
		}
		s := byStep[p.Step]
		if s == nil {
			s = &Span{Kind: StepSpan, ID: stepID(p.Step), Step: p.Step, Begin: p.Begin, End: p.End}
			byStep[p.Step] = s
			order = append(order, p.Step)
		}
		if p.Begin.Before(s.Begin) {
			s.Begin = p.Begin
		}
		if p.End.IsZero() || s.End.IsZero() {
			s.End = time.Time{}
		} else if p.End.After(s.End) {
			s.End = p.End
		}
		if p.Kind == ModelSpan {
			s.Usage = s.Usage.Add(p.Usage)
		}
	}
	var all []Span
	for _, step := range order {
		all = append(all, *byStep[step])
	}
	return all
}
