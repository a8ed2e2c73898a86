package you

import (
	"context"
	"iter"
	"math"
	"strconv"
	"strings"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// The frames of a stream. There is no other: the vendor's SDK dies of a type that
// it does not know.
const (
	createdFrame  = "response.created"
	startingFrame = "response.starting"
	addedFrame    = "response.output_item.added"
	fullFrame     = "response.output_content.full"
	deltaFrame    = "response.output_text.delta"
	itemDoneFrame = "response.output_item.done"
	doneFrame     = "response.done"
)

// maxHeld is how much of a reply is held back while the model may still call a
// tool, in bytes: two or three sentences. Words before a call are no answer, and
// models that write some write a line; an answer is longer than that, and goes out
// from there on.
const maxHeld = 240

// follow streams a run from its first event to its first rest.
func (a *API) follow(project string, id run.ID) *wire.Stream {
	t := &teller{state: run.State{ID: id}}
	return &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return t.whole(ctx, a.cfg.Engine.Watch(ctx, project, id, engine.Cursor{}))
		},
		Emit: func(f *wire.Frames, u engine.Update) (bool, error) { return t.tell(f, u) },
	}
}

// teller tells a run as frames. Each update goes through it once, in order; what
// it writes depends on the updates alone.
//
// The text of a turn that calls tools is not the answer. Whether a turn calls is
// known for certain only when it has ended, which is too late for a stream. So
// text is held back as long as it is short and a call is possible; where express
// was asked to search, until it has, so that its results are item 0 whatever the
// model writes. What is shown elsewhere, and followed by a call, ends as an item of
// its own before the results; it is never taken back and never told twice.
type teller struct {
	state run.State // as of the last event
	next  int       // seq_id of the next frame
	items int       // output items that have been added
	shown int       // turns whose results have been told

	open bool   // the last item is an answer that goes on
	said []byte // its text so far

	step   int    // of the reply under way
	at     int    // how much of said this attempt at it has covered
	held   []byte // its text that is not shown yet
	most   int    // how much of that there may be
	called bool   // it has asked for a tool

	broken *problem.Error // why the stream ends before the run has told its end
}

// whole adds to a run's updates what a reader must hear when they break off: that
// this server stops, or can't go on reading.
func (t *teller) whole(ctx context.Context, updates iter.Seq2[engine.Update, error]) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		for update, err := range updates {
			if err != nil && t.next == 0 {
				yield(update, err) // there is still time for a status
				return
			}
			if err != nil {
				t.broken = problem.From(err)
				yield(engine.Update{Rest: true}, nil)
				return
			}
			if !yield(update, nil) {
				return
			}
		}
		if ctx.Err() == nil && t.next > 0 && t.state.Ended == nil {
			t.broken = unfinished()
			yield(engine.Update{Rest: true}, nil)
		}
	}
}

// tell writes the frames of one update; done ends the stream.
func (t *teller) tell(to writer, u engine.Update) (done bool, err error) {
	out := &frames{to: to, seq: &t.next}
	switch {
	case t.broken != nil:
		return true, out.done(t.elapsed(), t.broken)
	case u.Reset:
		t.begin(u.Cursor.Step)
		return false, nil
	case u.Delta != nil:
		return t.draft(out, &u)
	case u.Event != nil:
		return t.event(out, u.Event)
	}
	return false, nil
}

// begin begins a reply, or another attempt at it.
func (t *teller) begin(step int) {
	t.step, t.at, t.called = step, 0, false
	t.held = t.held[:0]
}

// draft takes a piece of a reply.
func (t *teller) draft(out *frames, u *engine.Update) (bool, error) {
	if u.Cursor.Step != t.step {
		t.close(out) // words of a turn that was not the last
		t.begin(u.Cursor.Step)
	}
	switch {
	case u.Delta.Kind == run.CallDelta:
		t.called = true
		t.held = t.held[:0]
	case u.Delta.Kind != run.TextDelta || t.called || len(t.state.Spec.Output) > 0:
		// Reasoning is the model's own, and an answer in a schema is one when it
		// satisfies it.
	case t.open:
		return t.say(out, u.Delta.Text)
	default:
		t.held = append(t.held, u.Delta.Text...)
		if len(t.held) >= t.most || !t.mayCall() {
			return t.release(out)
		}
	}
	return false, out.err
}

// release shows what was held back.
func (t *teller) release(out *frames) (bool, error) {
	text := string(t.held)
	t.held = t.held[:0]
	return t.say(out, text)
}

// mayCall reports whether the reply under way can still ask for a tool that it
// would be given.
func (t *teller) mayCall() bool {
	spec := &t.state.Spec
	for i := range spec.Tools {
		most, limited := spec.ToolLimits[spec.Tools[i].Name]
		if !limited || t.calls(spec.Tools[i].Name) < most {
			return true
		}
	}
	return false
}

func (t *teller) calls(tool string) int {
	n := 0
	for i := range t.state.Turns {
		for j := range t.state.Turns[i].Actions {
			if a := &t.state.Turns[i].Actions[j]; a.Tool.Name == tool && a.Refused == "" {
				n++
			}
		}
	}
	return n
}

// say shows text of the answer, once: what an earlier attempt at the reply has
// shown is passed over as long as this one says the same, and if it does not, the
// answer can't be put right any more and the stream ends.
func (t *teller) say(out *frames, text string) (bool, error) {
	if text == "" {
		return false, out.err
	}
	if !t.open {
		out.item(addedFrame, t.items)
		t.items++
		t.open, t.said, t.at = true, t.said[:0], 0
	}
	again := min(len(text), len(t.said)-t.at)
	if string(t.said[t.at:t.at+again]) != text[:again] {
		return t.diverge(out)
	}
	t.at += again
	if rest := text[again:]; rest != "" {
		t.said = append(t.said, rest...)
		t.at = len(t.said)
		out.delta(t.items-1, rest)
	}
	return false, out.err
}

// diverge ends a stream whose answer is another one than it has told.
func (t *teller) diverge(out *frames) (bool, error) {
	return true, out.done(t.elapsed(), problem.New(problem.ModelUnavailable,
		"The model's reply broke off and began anew with other words, after some of it had been shown: send the request again."))
}

// close ends the item that is open.
func (t *teller) close(out *frames) {
	if t.open {
		out.item(itemDoneFrame, t.items-1)
		t.open = false
	}
}

// event takes a stored event.
func (t *teller) event(out *frames, e *run.Event) (bool, error) {
	t.state.Take(e)
	if t.next == 0 {
		if t.most = maxHeld; echoOf(&t.state).Search {
			t.most = math.MaxInt
		}
		out.plain(createdFrame)
		out.plain(startingFrame)
	}
	if e.Responded != nil && len(e.Responded.Reply.Calls) > 0 {
		t.close(out)
		t.begin(t.step)
	}
	t.results(out)
	switch {
	case t.state.Ended != nil:
		return t.end(out)
	case t.rests():
		return t.halt(out)
	}
	return false, out.err
}

// rests reports whether the run waits for someone, by what the log says, so that a
// repeated request gets the answer that the first one got.
func (t *teller) rests() bool {
	s := &t.state
	return s.Ended == nil && s.Status != run.Queued && s.Status != run.Running && !s.Live()
}

// results tells what the searches of the turns behind it have found, once all
// calls of the turn have ended or the run rests, in call order.
func (t *teller) results(out *frames) {
	for t.shown < len(t.state.Turns) && (settled(&t.state.Turns[t.shown]) || t.rests()) {
		lists := resultsOf(&t.state.Turns[t.shown])
		t.shown++
		for _, list := range lists {
			t.close(out)
			out.item(addedFrame, t.items)
			out.full(t.items, list)
			out.item(itemDoneFrame, t.items)
			t.items++
		}
	}
}

// end tells the end of the run.
func (t *teller) end(out *frames) (bool, error) {
	if t.state.Ended.Status != run.Completed {
		return true, out.done(t.elapsed(), failure(&t.state))
	}
	return t.conclude(out, t.state.Ended.Result.Summary, true)
}

// halt tells that the run waits for a person: in words, because this API has no
// other way.
func (t *teller) halt(out *frames) (bool, error) {
	return t.conclude(out, wire.Halted(&t.state), false)
}

// conclude tells what of the last words has not been told, and ends the stream.
func (t *teller) conclude(out *frames, text string, finished bool) (bool, error) {
	if t.open && !strings.HasPrefix(text, string(t.said)) {
		if finished && t.state.Ended.Reason == run.Answered {
			return t.diverge(out)
		}
		t.close(out) // other words than the model's
	}
	if t.at = 0; !t.open {
		t.said = t.said[:0]
		out.item(addedFrame, t.items)
		t.items++
		t.open = true
	}
	if broken, err := t.say(out, text); broken {
		return broken, err
	}
	t.close(out)
	return true, out.end(t.elapsed(), finished)
}

// elapsed is the run's time so far, in milliseconds as the log has it.
func (t *teller) elapsed() string {
	took := t.state.UpdatedAt.Sub(t.state.CreatedAt)
	return strconv.FormatFloat(float64(took.Microseconds())/1000, 'f', 1, 64)
}
