package native

import (
	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/run"
)

// deltaBody is a piece of a reply while it is being written. Offset is where in
// the attempt's reply the piece ends; exactly one of the last three is set.
type deltaBody struct {
	Type      string        `json:"type"`
	Step      int           `json:"step"`
	Attempt   int           `json:"attempt"`
	Offset    int           `json:"offset"`
	Text      *string       `json:"text,omitzero"`
	Reasoning *string       `json:"reasoning,omitzero"`
	ToolCall  *toolCallBody `json:"tool_call,omitzero"`
}

type toolCallBody struct {
	Index     int    `json:"index"`
	Name      string `json:"name,omitzero"` // on the call's first delta
	Arguments string `json:"arguments"`
}

// resetBody tells a reader to drop what was shown of the step: another attempt
// begins.
type resetBody struct {
	Step    int `json:"step"`
	Attempt int `json:"attempt"`
}

// frame turns an update into this API's form: the event's name and its data.
func frame(id run.ID, u *engine.Update) (event string, data any) {
	switch {
	case u.Reset:
		return "reset", resetBody{Step: u.Cursor.Step, Attempt: u.Cursor.Attempt}
	case u.Delta != nil:
		return "delta", showDelta(u.Cursor, u.Delta)
	}
	return string(u.Event.Type), showEvent(id, u.Event)
}

func showDelta(at engine.Cursor, d *run.Delta) deltaBody {
	body := deltaBody{Type: "delta", Step: at.Step, Attempt: at.Attempt, Offset: at.Offset}
	switch d.Kind {
	case run.ReasoningDelta:
		body.Reasoning = &d.Text
	case run.CallDelta:
		body.ToolCall = &toolCallBody{Index: d.Call, Name: d.Name, Arguments: d.Text}
	default:
		body.Text = &d.Text
	}
	return body
}

// emit writes the update's frame under its cursor. A long event's frame is the
// same bytes for all readers.
func (a *API) emit(f *wire.Frames, id run.ID, u *engine.Update) error {
	if u.Event == nil {
		event, data := frame(id, u)
		return f.JSON(u.Cursor.String(), event, data)
	}
	key := printed{id, u.Event.Seq}
	if kept := a.press.find(key); kept != nil {
		f.Share(kept)
		return nil
	}
	event, data := frame(id, u)
	if err := f.JSON(u.Cursor.String(), event, data); err != nil {
		return err
	}
	if len(f.Bytes()) >= longFrame {
		f.Share(a.press.keep(key, f.Bytes()))
	}
	return nil
}
