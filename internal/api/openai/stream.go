package openai

import (
	"context"
	"iter"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// follow streams a run from its first event to its first rest.
func (a *API) follow(project string, id run.ID, usage bool) *wire.Stream {
	t := &teller{state: run.State{ID: id}, usage: usage}
	return &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return t.whole(ctx, a.cfg.Engine.Watch(ctx, project, id, engine.Cursor{}))
		},
		Emit:   func(f *wire.Frames, u engine.Update) (bool, error) { return t.tell(f, u) },
		Broken: broken,
	}
}

// writer takes frames. *wire.Frames is one.
type writer interface {
	JSON(id, event string, value any) error
	Frame(id, event string, data []byte)
}

// teller tells a run as chunks. Each update goes through it once, in order; what it
// writes depends on the updates alone.
//
// The text of all turns is told as it comes, each in a paragraph of its own, because
// nobody knows while a reply is written whether it is the last. What must satisfy a
// schema, and calls, are told when they are known to be good: at the end.
type teller struct {
	state run.State // as of the last event
	head  chat.Head
	flow  chat.Flow
	usage bool
	begun bool // a chunk has been written
	over  bool // nothing more will come
}

// whole adds to a run's updates what a reader must hear when they break off: that
// this server stops.
func (t *teller) whole(ctx context.Context, updates iter.Seq2[engine.Update, error]) iter.Seq2[engine.Update, error] {
	return func(yield func(engine.Update, error) bool) {
		for update, err := range updates {
			if !yield(update, err) || err != nil {
				return
			}
		}
		if ctx.Err() == nil && !t.over {
			yield(engine.Update{}, unfinished())
		}
	}
}

// tell writes the chunks of one update; done ends the stream.
func (t *teller) tell(f writer, u engine.Update) (done bool, err error) {
	switch {
	case u.Reset:
		t.flow.Again()
	case u.Delta != nil && u.Delta.Kind == run.TextDelta && !t.checked():
		send, agrees := t.flow.Write(u.Cursor.Step, u.Delta.Text)
		return false, t.say(f, send, agrees)
	case u.Event != nil:
		return t.event(f, u.Event)
	}
	return false, nil
}

// checked reports whether text is shown only when it has satisfied a schema.
func (t *teller) checked() bool { return len(t.state.Spec.Output) > 0 }

// event takes a stored event.
func (t *teller) event(f writer, e *run.Event) (done bool, err error) {
	t.state.Take(e)
	if t.head.ID == "" {
		t.head = headOf(&t.state)
	}
	if r := e.Responded; r != nil && !t.checked() {
		send, agrees := t.flow.Whole(r.Step, r.Reply.Text)
		if err := t.say(f, send, agrees); err != nil {
			return false, err
		}
	}
	// What rests is told by what the log says, so that a repeated request gets the
	// answer that the first one got.
	s := &t.state
	if s.Ended == nil && (s.Status == run.Queued || s.Status == run.Running || s.Live()) {
		return false, nil
	}
	t.over = true
	return true, t.end(f)
}

// say writes a piece of the text.
func (t *teller) say(f writer, text string, agrees bool) error {
	if !agrees {
		return problem.New(problem.ModelUnavailable,
			"The model's reply broke off and began anew with other words, after some of it had been shown: send the request again.")
	}
	if text == "" {
		return nil
	}
	if err := t.begin(f); err != nil {
		return err
	}
	return f.JSON("", "", t.head.Piece(text))
}

// begin writes the first chunk. It waits for the first words, so that a run which
// fails before them is an error with a status.
func (t *teller) begin(f writer) error {
	if t.begun {
		return nil
	}
	t.begun = true
	return f.JSON("", "", t.head.First())
}

// end writes what has not been told, the chunk that finishes the answer, the usage
// if it is wanted, and the mark that nothing follows.
func (t *teller) end(f writer) error {
	said, err := sayingOf(&t.state)
	if err != nil {
		return err
	}
	if err := t.begin(f); err != nil {
		return err
	}
	if !said.model && said.text != "" {
		if err := f.JSON("", "", t.head.Piece(t.flow.Aside(said.text))); err != nil {
			return err
		}
	}
	if len(said.calls) > 0 {
		for i := range said.calls {
			said.calls[i].Index = &i
		}
		if err := f.JSON("", "", t.head.Calls(said.calls)); err != nil {
			return err
		}
	}
	last := lastBody{Chunk: t.head.Last(said.finish), Run: runName(t.state.ID), Status: t.state.Status}
	if err := f.JSON("", "", last); err != nil {
		return err
	}
	if t.usage {
		if err := f.JSON("", "", t.head.Count(t.state.Usage.Add(t.state.Handed))); err != nil {
			return err
		}
	}
	f.Frame("", "", []byte(chat.Done))
	return nil
}
