package yao

import (
	"context"
	"iter"
	"time"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// streamExecution tells what an execution does while it does it, from its beginning
// or from the frame that the reader saw last.
func (a *API) streamExecution(ctx context.Context, r *wire.Request) (wire.Response, error) {
	e, err := a.execution(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	from, err := readPlace(r)
	if err != nil {
		return wire.Response{}, err
	}
	if e.reserved != nil {
		return a.streamReserved(r.Caller.Project, e), nil
	}
	return a.streamRun(ctx, r.Caller.Project, e.state.ID, from)
}

// readPlace is the event after which the reader goes on.
func readPlace(r *wire.Request) (int64, error) {
	query := r.Query()
	after := query.String("after")
	if last := r.Header("Last-Event-ID"); last != "" {
		after = last // an EventSource that reconnects sends its first address again
	}
	at, err := engine.ParseCursor(after)
	if err != nil || at.Step != 0 {
		return 0, problem.Invalid("after", "%.80q is no place in this stream: give the id of the last frame you saw.", after)
	}
	return at.Seq, nil
}

func (a *API) streamRun(ctx context.Context, project string, id run.ID, from int64) (wire.Response, error) {
	t := &tale{}
	if from > 0 {
		events, _, err := a.cfg.Engine.Events(ctx, project, id, 0, int(min(from, 1<<30)))
		if err != nil {
			return wire.Response{}, err
		}
		t.skip(id, events)
	} else {
		t.skip(id, nil)
	}
	return wire.Response{Stream: &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return a.cfg.Engine.Watch(ctx, project, id, engine.Cursor{Seq: from})
		},
		Emit: func(f *wire.Frames, u engine.Update) (bool, error) { return t.emit(f, &u) },
	}}, nil
}

// emit writes what an update tells, if anything. Drafts tell nothing: what a reply
// asks for counts when it is whole.
func (t *tale) emit(f *wire.Frames, u *engine.Update) (done bool, err error) {
	if u.Event == nil {
		return false, nil
	}
	err = writeFrames(f, u.Cursor.String(), t.take(u.Event))
	return u.Event.Type == run.RunFinished, err
}

// reservedPoll is how often a reader looks whether a conversation has settled its
// goal: an agreement takes people longer.
const reservedPoll = time.Second

// streamReserved tells of an execution whose goal is being settled, and goes on with
// what it does once it is.
func (a *API) streamReserved(project string, e execution) wire.Response {
	t := &tale{shown: e.shown}
	id, told := e.id, false
	t.skip(id, nil)
	return wire.Response{Stream: &wire.Stream{
		Watch: func(ctx context.Context) iter.Seq2[engine.Update, error] {
			return func(yield func(engine.Update, error) bool) {
				if !yield(engine.Update{}, nil) || e.shown.Status != robot.ExecConfirming || !a.awaitRun(ctx, project, e) {
					return
				}
				for u, err := range a.cfg.Engine.Watch(ctx, project, id, engine.Cursor{}) {
					if !yield(u, err) {
						return
					}
				}
			}
		},
		Emit: func(f *wire.Frames, u engine.Update) (bool, error) {
			if told {
				return t.emit(f, &u)
			}
			told = true
			first := []frame{{"phase", phaseFrame{ExecutionID: e.shown.ID, Phase: e.shown.Phase, Status: e.shown.Status}}}
			over := e.shown.Status != robot.ExecConfirming
			if over {
				first = append(first, endOf(&e.shown))
			}
			return over, writeFrames(f, "", first)
		},
	}}
}

// awaitRun waits until a reserved execution has begun, and reports whether it has.
func (a *API) awaitRun(ctx context.Context, project string, e execution) bool {
	look := time.NewTicker(reservedPoll)
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return false
		case <-a.cfg.Engine.Draining():
			return false
		case <-look.C:
		}
		switch _, _, err := a.cfg.Engine.Events(ctx, project, e.id, 0, 1); {
		case err == nil:
			return true
		case !problem.Is(err, problem.NotFound):
			return false
		}
		if kept, err := a.reservation(ctx, project, e.shown.MemberID, e.id); err != nil || !kept.Cancelled.IsZero() {
			return false
		}
	}
}
