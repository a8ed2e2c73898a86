package swarms

import (
	"context"
	"iter"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/run"
)

// The data of the frames. Only a chunk has a key content: simple clients print
// whatever has one. The event of each frame is beside its type.
type (
	metadataFrame struct { // without an event, and the first
		JobID       string  `json:"job_id"`
		Success     bool    `json:"success"`
		Name        *string `json:"name"`
		Description *string `json:"description"`
		Temperature float64 `json:"temperature"`
		Timestamp   string  `json:"timestamp"`
		Stream      bool    `json:"stream"`
		Type        string  `json:"type"`
	}
	messageFrame struct { // start, done
		Message string `json:"message"`
	}
	chunkFrame struct { // chunk
		Content   string `json:"content"`
		Timestamp string `json:"timestamp"`
	}
	endFrame struct { // end
		JobID     string    `json:"job_id"`
		Usage     usageBody `json:"usage"`
		Timestamp string    `json:"timestamp"`
		Complete  bool      `json:"complete"`
	}
	errorFrame struct { // error
		Error     string `json:"error"`
		Timestamp string `json:"timestamp"`
	}
)

// stream answers with a run as it comes about.
func (a *API) stream(project string, id run.ID) wire.Response {
	t := &teller{state: run.State{ID: id}, now: a.cfg.Now}
	return wire.Response{Stream: &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return a.cfg.Engine.Watch(ctx, project, id, engine.Cursor{})
		},
		Emit: t.emit,
	}}
}

// teller turns a run's updates into frames. What it has sent cannot be taken back,
// so a reply that is written anew goes on where it agrees with what was sent, and
// ends the stream where it does not.
type teller struct {
	state  run.State
	echo   echo
	now    func() time.Time
	step   int    // whose text is being sent
	shown  []byte // of it
	behind int    // bytes of the attempt under way that were shown in an earlier one
	said   bool   // something was sent before this step
	turn   int    // the first whose calls have not all been told of
	call   int    // of it, the first that has not been
}

// emit writes the frames of an update; done ends the stream.
func (t *teller) emit(f *wire.Frames, u engine.Update) (done bool, err error) {
	switch {
	case u.Reset:
		t.behind = 0
	case u.Delta != nil:
		if u.Delta.Kind == run.TextDelta && t.state.Spec.Output == nil {
			return t.text(f, u.Cursor.Step, u.Delta.Text)
		}
	case u.Rest:
		return true, t.end(f)
	case u.Event != nil:
		return t.event(f, u.Event)
	}
	return false, nil
}

func (t *teller) event(f *wire.Frames, e *run.Event) (done bool, err error) {
	t.state.Take(e)
	switch {
	case e.Created != nil:
		t.echo = echoOf(&t.state)
		if err := f.JSON("", "", metadataFrame{
			JobID: jobID(t.state.ID), Success: true, Name: t.echo.Name, Description: t.echo.Description,
			Temperature: t.echo.Temperature, Timestamp: stamp(t.state.CreatedAt), Stream: true, Type: "metadata",
		}); err != nil {
			return true, err
		}
		return false, f.JSON("", "start", messageFrame{"Starting agent processing..."})
	case e.Responded != nil && t.state.Spec.Output == nil:
		if done, err := t.whole(f, e.Responded); done || err != nil {
			return true, err
		}
	}
	if err := t.results(f, false); err != nil {
		return true, err
	}
	if t.state.Status == run.Queued || t.state.Status == run.Running || t.state.Live() {
		return false, nil
	}
	return true, t.end(f)
}

// results sends what calls have brought to the answer, in call order: what a call
// has brought waits for the calls before it, unless nothing more will come of them.
func (t *teller) results(f *wire.Frames, over bool) error {
	for ; t.turn < len(t.state.Turns); t.turn, t.call = t.turn+1, 0 {
		for calls := t.state.Turns[t.turn].Actions; t.call < len(calls); t.call++ {
			a := &calls[t.call]
			text, told := toldUser(a)
			switch {
			case isHanded(a):
				continue
			case !a.Done() && !over:
				return nil
			case a.Done() && !told && t.state.Spec.RawResults && t.state.Spec.Output == nil:
				text, told = result(a), true
			}
			if !told {
				continue
			}
			if err := t.paragraph(f, text); err != nil {
				return err
			}
		}
	}
	return nil
}

// text sends a piece of a step's text, as far as it was not sent before.
func (t *teller) text(f *wire.Frames, step int, piece string) (done bool, err error) {
	if step != t.step {
		t.said = t.said || len(t.shown) > 0
		t.step, t.shown, t.behind = step, nil, 0
	}
	known := min(len(piece), len(t.shown)-t.behind)
	if string(t.shown[t.behind:t.behind+known]) != piece[:known] {
		return true, t.diverged(f)
	}
	t.behind += known
	if piece = piece[known:]; piece == "" {
		return false, nil
	}
	first := len(t.shown) == 0 && t.said
	t.shown = append(t.shown, piece...)
	t.behind = len(t.shown)
	if first {
		piece = "\n\n" + piece
	}
	return false, t.chunk(f, piece)
}

// whole sends what is left of a reply when all of it is known.
func (t *teller) whole(f *wire.Frames, reply *run.Responded) (done bool, err error) {
	text := reply.Reply.Text
	if reply.Step == t.step {
		if !strings.HasPrefix(text, string(t.shown)) {
			return true, t.diverged(f)
		}
		text, t.behind = text[len(t.shown):], len(t.shown)
	}
	if text == "" {
		return false, nil
	}
	return t.text(f, reply.Step, text)
}

func (t *teller) diverged(f *wire.Frames) error {
	return t.fail(f, "the model's reply broke off and began anew with other words. What the agent does now is at GET /v1/runs/"+jobID(t.state.ID)+".")
}

// paragraph sends something that is no part of a reply.
func (t *teller) paragraph(f *wire.Frames, text string) error {
	if t.said || len(t.shown) > 0 {
		text = "\n\n" + text
	}
	t.said = true
	return t.chunk(f, text)
}

func (t *teller) chunk(f *wire.Frames, text string) error {
	return f.JSON("", "chunk", chunkFrame{Content: text, Timestamp: stamp(t.now())})
}

// end sends what is left to say when the run has ended, or waits for someone.
func (t *teller) end(f *wire.Frames) error {
	if failed(&t.state) {
		return t.fail(f, whyFailed(&t.state))
	}
	if err := t.results(f, true); err != nil {
		return err
	}
	all := outputs(&t.state, &t.echo)
	for _, o := range all {
		if o.streamed || o.aside {
			continue
		}
		text, isText := o.Content.(string)
		if !isText {
			text = string(raw(o.Content))
		}
		if err := t.paragraph(f, text); err != nil {
			return err
		}
	}
	if len(t.echo.Notes) > 0 && all[len(all)-1].streamed { // its text is there, but for these
		if err := t.chunk(f, noted(t.echo.Notes)); err != nil {
			return err
		}
	}
	usage := showUsage(&t.state, &t.echo)
	if err := f.JSON("", "usage", usage); err != nil {
		return err
	}
	if err := f.JSON("", "end", endFrame{JobID: jobID(t.state.ID), Usage: usage, Timestamp: stamp(t.now()), Complete: true}); err != nil {
		return err
	}
	return f.JSON("", "done", messageFrame{"Agent processing complete"})
}

// fail ends the stream with an error instead of an end.
func (t *teller) fail(f *wire.Frames, why string) error {
	return f.JSON("", "error", errorFrame{Error: "AgentCompletionError: " + why, Timestamp: stamp(t.now())})
}
