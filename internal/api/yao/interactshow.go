package yao

import (
	"context"
	"iter"

	"errand/internal/api/chat"
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// doneEvent ends the stream of an answer.
const doneEvent = "interact_done"

// answerInteract answers from the run that a message has made, or has reached.
func (a *API) answerInteract(ctx context.Context, r *wire.Request, id run.ID) (wire.Response, error) {
	streams, err := wantsStream(r)
	if err != nil {
		return wire.Response{}, err
	}
	s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	if err != nil {
		return wire.Response{}, err
	}
	if robot.HostOf(&s.Spec) == "" {
		body, known := r.Value.(interactBody)
		if !known {
			body = interactBody{ExecutionID: execID(id), Status: acknowledgedWord, Message: "The execution has been told."}
		}
		if streams {
			return wire.Response{Stream: once(doneEvent, body)}, nil
		}
		return wire.OK(body), nil
	}
	if streams {
		return wire.Response{Stream: a.followTalk(r, id)}, nil
	}
	if s, err = a.cfg.Engine.Wait(ctx, r.Caller.Project, id); err != nil {
		return wire.Response{}, err
	}
	switch err := turnFailed(&s); {
	case err != nil:
		return wire.Response{}, err
	case s.Status != run.Queued && s.Status != run.Running:
	case ctx.Err() != nil:
		return wire.Response{}, ctx.Err()
	default:
		return wire.Response{}, problem.New(problem.Overloaded, "This server is shutting down before the turn has ended: send the request again in a moment.")
	}
	return wire.OK(showTalk(&s)), nil
}

// showTalk is what a turn of a conversation has come to.
func showTalk(s *run.State) interactBody {
	answer := reply(s)
	body := interactBody{ChatID: readEcho(s).ChatID, Reply: answer.text, Status: waitForMoreWord, WaitForMore: true}
	if len(s.Spec.Handoffs) > 0 {
		body.ExecutionID = execID(s.Spec.Handoffs[0].Reserved)
	}
	if answer.started != nil {
		body.ExecutionID, body.Status, body.WaitForMore = execID(*answer.started), confirmedWord, false
		body.Message = nowStarted
	}
	return body
}

// once is a stream of one frame.
func once(event string, body any) *wire.Stream {
	return &wire.Stream{
		Watch: func(context.Context) iter.Seq2[engine.Update, error] {
			return func(yield func(engine.Update, error) bool) { yield(engine.Update{}, nil) }
		},
		Emit: func(f *wire.Frames, _ engine.Update) (bool, error) { return true, f.JSON("", event, body) },
	}
}

// pieceFrame is a piece of the host's words.
type pieceFrame struct {
	Content string `json:"content"`
}

// followTalk is a turn of a conversation as a stream: its words, and what has come
// of it.
func (a *API) followTalk(r *wire.Request, id run.ID) *wire.Stream {
	t := &talker{state: run.State{ID: id}}
	project := r.Caller.Project
	return &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return a.cfg.Engine.Watch(ctx, project, id, engine.Cursor{})
		},
		Emit: t.emit,
	}
}

// talker turns the updates of a turn into frames.
type talker struct {
	state run.State
	flow  chat.Flow
}

func (t *talker) emit(f *wire.Frames, u engine.Update) (done bool, err error) {
	piece, clear := "", true
	switch {
	case u.Reset:
		t.flow.Again()
	case u.Delta != nil && u.Delta.Kind == run.TextDelta:
		piece, clear = t.flow.Write(u.Cursor.Step, u.Delta.Text)
	case u.Rest:
		return true, t.end(f)
	case u.Event != nil:
		t.state.Take(u.Event)
		if said := u.Event.Responded; said != nil {
			piece, clear = t.flow.Whole(said.Step, said.Reply.Text)
		}
		done = t.state.Status != run.Queued && t.state.Status != run.Running && !t.state.Live()
	}
	if piece != "" && clear {
		if err := f.JSON("", "message", pieceFrame{piece}); err != nil {
			return false, err
		}
	}
	if done { // the whole of the reply is in it, also if the pieces were of another attempt
		return true, t.end(f)
	}
	return false, nil
}

func (t *talker) end(f *wire.Frames) error {
	body := showTalk(&t.state)
	if err := turnFailed(&t.state); err != nil {
		body.Status, body.Message, body.WaitForMore = errorWord, problem.From(err).Detail, false
	}
	return f.JSON("", doneEvent, body)
}
