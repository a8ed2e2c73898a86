package yao

import (
	"context"
	"iter"
	"strings"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
)

// lastChunk is the chunk that ends the answer. Typed clients hand on its fields as
// they are; nothing that comes behind it reaches all of them.
type lastChunk struct {
	chat.Chunk
	extras
}

// follow is a turn as a stream.
func (a *API) follow(r *wire.Request, id run.ID, counts bool) *wire.Stream {
	t := &teller{state: run.State{ID: id}, counts: counts}
	project, request := r.Caller.Project, r.ID
	return &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return a.cfg.Engine.Watch(ctx, project, id, engine.Cursor{})
		},
		Emit: t.emit,
		Broken: func(f *wire.Frames, e *problem.Error) error {
			status := statusOf(e.Code)
			return f.JSON("", "", faultBody{Error: faultOf(e, status, "", request), Description: e.Detail})
		},
	}
}

// teller turns a run's updates into frames.
type teller struct {
	state  run.State
	counts bool // the usage is asked for
	begun  bool
	cut    bool // a message has cut the reply off
	flow   chat.Flow
}

// emit writes the frames of an update; done ends the stream.
func (t *teller) emit(f *wire.Frames, u engine.Update) (done bool, err error) {
	switch {
	case u.Reset && t.cut:
		t.cut = false
		t.flow.Part()
	case u.Reset:
		t.flow.Again()
	case u.Delta != nil && u.Delta.Kind == run.TextDelta:
		send, ok := t.flow.Write(u.Cursor.Step, u.Delta.Text)
		return false, t.say(f, send, ok)
	case u.Rest:
		return true, t.end(f)
	case u.Event != nil:
		t.state.Take(u.Event)
		t.cut = t.cut || u.Event.Message != nil && u.Event.Message.Cut
		if said := u.Event.Responded; said != nil {
			t.cut = false // it had come before it could be cut
			send, ok := t.flow.Whole(said.Step, said.Reply.Text)
			if err := t.say(f, send, ok); err != nil {
				return true, err
			}
		}
		if t.state.Status != run.Queued && t.state.Status != run.Running && !t.state.Live() {
			return true, t.end(f)
		}
	}
	return false, nil
}

// say sends a piece of the text; ok is false when it contradicts what was sent.
func (t *teller) say(f *wire.Frames, text string, ok bool) error {
	if !ok {
		return problem.New(problem.ModelGarbled, "The model's reply broke off and began anew with other words: send the message again. Run: run_%s.", t.state.ID)
	}
	if text == "" {
		return nil
	}
	if err := t.begin(f); err != nil {
		return err
	}
	return f.JSON("", "", headOf(&t.state).Piece(text))
}

func (t *teller) begin(f *wire.Frames) error {
	if t.begun {
		return nil
	}
	t.begun = true
	return f.JSON("", "", headOf(&t.state).First())
}

// end sends what is left to say when the run has ended, or rests.
func (t *teller) end(f *wire.Frames) error {
	if err := turnFailed(&t.state); err != nil {
		return err
	}
	if err := t.begin(f); err != nil {
		return err
	}
	answer, head := reply(&t.state), headOf(&t.state)
	if rest := t.unsaid(&answer); rest != "" {
		if err := f.JSON("", "", head.Piece(t.flow.Aside(rest))); err != nil {
			return err
		}
	}
	if err := f.JSON("", "", lastChunk{head.Last(answer.finish), extrasOf(&t.state, &answer)}); err != nil {
		return err
	}
	if t.counts {
		if err := f.JSON("", "", head.Count(t.state.Usage)); err != nil {
			return err
		}
	}
	f.Frame("", "", []byte(chat.Done))
	return nil
}

// unsaid is what the server has to say beside the host's replies.
func (t *teller) unsaid(answer *replied) string {
	rest := answer.text
	for i := range t.state.Turns {
		said := strings.TrimSpace(t.state.Turns[i].Reply.Text)
		rest = strings.TrimLeft(strings.TrimPrefix(rest, said), "\n")
	}
	return rest
}
