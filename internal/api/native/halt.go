package native

import (
	"context"

	"errand/internal/engine"
	"errand/internal/run"
)

// halt finds the first place in a log at which a run rests. Most runs do so only
// at their end, and there may be thousands of readers: the run is folded from the
// first event on that could bring a rest before that.
type halt struct {
	events  func(ctx context.Context, project string, id run.ID, after int64, limit int) ([]run.Event, bool, error)
	project string
	id      run.ID
	due     bool       // something could have brought a rest
	state   *run.State // folded from then on
}

// reached takes the next update and reports whether the run rests after it. A log
// that can't be read now is read at the next event; the last one is certain.
func (h *halt) reached(u *engine.Update) bool {
	e := u.Event
	switch {
	case e == nil:
		return false
	case e.Type == run.RunFinished:
		return true
	case h.state != nil:
		h.state.Take(e)
	default:
		h.due = h.due || mayRest(e)
		if !h.due || !h.fold(e.Seq) {
			return false
		}
	}
	waits := h.state.Status != run.Queued && h.state.Status != run.Running
	return waits && !h.state.Live()
}

// fold begins to keep the run's state, as it was after the event seq.
func (h *halt) fold(seq int64) bool {
	events, _, err := h.events(context.Background(), h.project, h.id, 0, int(seq))
	if err != nil || len(events) == 0 {
		return false
	}
	state := run.Fold(h.id, events)
	h.state = &state
	return true
}

// mayRest reports whether the run may rest, now or later, because of this event:
// somebody is asked, or has to send something, or has said stop.
func mayRest(e *run.Event) bool {
	switch {
	case e.Responded != nil:
		for i := range e.Responded.Actions {
			if e.Responded.Actions[i].Digest != "" {
				return true
			}
		}
		return false
	case e.Finished != nil:
		return e.Finished.Outcome == run.Unknown
	}
	return e.Expired != nil || e.Type == run.RunPaused
}
