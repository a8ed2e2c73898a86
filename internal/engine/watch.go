package engine

import (
	"context"
	"iter"

	"errand/internal/problem"
	"errand/internal/run"
)

// Update is one thing that a reader of a run's stream learns: exactly one of
// Event, Delta, Reset and Rest is set. Cursor is the reader's place after it.
type Update struct {
	Cursor Cursor
	Event  *run.Event
	Delta  *run.Delta // a draft: Cursor has its step, attempt and end offset
	Reset  bool       // drop what was shown of Cursor.Step: attempt Cursor.Attempt begins
	Rest   bool       // no frame: nothing more comes until someone else acts (until=rest ends here)
}

// Watch yields the run's updates from the cursor on. It ends after run.finished
// has been yielded, or with ctx (no error), or when the engine drains (no error).
func (e *Engine) Watch(ctx context.Context, project string, id run.ID, from Cursor) iter.Seq2[Update, error] {
	return func(yield func(Update, error) bool) {
		f := e.acquire(id)
		defer e.release(id, f)
		line, err := e.summary(ctx, project, id)
		if err != nil {
			yield(Update{}, err)
			return
		}
		if from.Seq > line.Seq {
			yield(Update{}, problem.Invalid("after", "the run has only %d events", line.Seq))
			return
		}
		if line.Status.Terminal() && from.Seq == line.Seq {
			return // it has read everything
		}
		// From here on the feed is complete: what it misses is on disk by now.
		f.learn(line)
		r := &reader{e: e, f: f, id: id, at: from, live: line.Seq, yield: yield}
		r.read(ctx)
	}
}

// reader is one Watch under way.
type reader struct {
	e     *Engine
	f     *feed
	id    run.ID
	at    Cursor
	live  int64 // events above this came while it was reading
	yield func(Update, error) bool
	said  bool // Rest has been yielded, and nothing since
}

func (r *reader) read(ctx context.Context) {
	for {
		updates, changed, ended := r.next()
		for i := range updates {
			if !r.give(updates[i]) {
				return
			}
		}
		switch {
		case ended:
			return
		case changed == nil && len(updates) == 0:
			if !r.stored(ctx) {
				return
			}
		case changed != nil:
			select {
			case <-changed:
			case <-ctx.Done():
				return
			case <-r.e.draining:
				return
			}
		}
	}
}

// next takes what the feed has behind the reader's place. With no update and no
// channel to wait on, the feed does not have it and the store does.
func (r *reader) next() (updates []Update, changed <-chan struct{}, ended bool) {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.at.Seq < f.last {
		event := f.after(r.at.Seq)
		if event == nil {
			return nil, nil, false
		}
		return r.event(event), nil, event.Type == run.RunFinished
	}
	if d := f.draft; d != nil && d.after <= r.at.Seq {
		if updates = r.draft(d); len(updates) > 0 {
			d.shown = true
			return updates, nil, false
		}
	}
	if f.rest && !f.driven && !r.said {
		r.said = true
		return []Update{{Rest: true, Cursor: r.at}}, nil, false
	}
	return nil, f.wait(), false
}

// draft returns what the reader has not seen of the reply being written.
func (r *reader) draft(d *draft) []Update {
	offset := 0
	var updates []Update
	if r.at.Step == d.step {
		if offset = r.at.Offset; r.at.Attempt != d.attempt {
			offset = 0
			updates = append(updates, Update{Reset: true, Cursor: Cursor{Step: d.step, Attempt: d.attempt}})
		}
	}
	return append(updates, d.from(offset)...)
}

// event returns an event and what belongs before it: the rest of a reply that the
// reader has begun to read or has been waiting for, or the news that the reply it
// reads has come to nothing. An event in the middle of a reply keeps the reader's
// place in it.
func (r *reader) event(event *run.Event) []Update {
	var updates []Update
	at := Cursor{Seq: event.Seq}
	switch reply := event.Responded; {
	case reply != nil && (r.at.Step == reply.Step || event.Seq > r.live):
		updates = r.draft(replay(reply))
	case reply != nil || r.at.Step == 0 || event.Type == run.RunFinished:
	case event.Type == run.RunDriven || event.Type == run.ModelFailed:
		at.Step, at.Attempt = r.at.Step, r.at.Attempt+1
		updates = []Update{{Reset: true, Cursor: Cursor{Step: at.Step, Attempt: at.Attempt}}}
	default:
		at.Step, at.Attempt, at.Offset = r.at.Step, r.at.Attempt, r.at.Offset
	}
	return append(updates, Update{Event: event, Cursor: at})
}

// give yields one update and moves the reader's place.
func (r *reader) give(u Update) bool {
	if u.Event == nil && !u.Rest {
		u.Cursor.Seq = r.at.Seq
	}
	r.at, r.said = u.Cursor, u.Rest
	return r.yield(u, nil)
}

// stored yields a page of the log from the store.
func (r *reader) stored(ctx context.Context) bool {
	const page = 256 // bounds a reader's memory, and the time of one read
	events, err := r.e.cfg.Log.Load(ctx, r.id, r.at.Seq, page)
	if ctx.Err() != nil {
		return false
	}
	if err == nil && len(events) == 0 {
		err = problem.New(problem.NotFound, "The run has been deleted.")
	}
	if err != nil {
		r.yield(Update{}, err)
		return false
	}
	for i := range events {
		for _, u := range r.event(&events[i]) {
			if !r.give(u) {
				return false
			}
		}
		if events[i].Type == run.RunFinished {
			return false
		}
	}
	return true
}
