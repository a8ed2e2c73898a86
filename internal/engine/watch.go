package engine

import (
	"context"
	"iter"
	"time"

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
		f := e.attend(id)
		defer e.depart(ctx, id, f)
		e.follow(id, f)
		defer f.watched.Add(-1)
		r := &reader{e: e, f: f, id: id, at: from, yield: yield}
		if over, err := r.begin(ctx, project); err != nil {
			yield(Update{}, err)
		} else if !over {
			e.ask(id, f)
			r.read(ctx)
		}
	}
}

// reader is one Watch under way.
type reader struct {
	e     *Engine
	f     *feed
	id    run.ID
	at    Cursor // what was yielded last, with the place in a reply under way
	live  int64  // events above this came while it was reading
	yield func(Update, error) bool
	done  int  // steps whose whole reply it has
	torn  bool // it may have some of the reply under way, nobody knows how much
	said  bool // Rest has been yielded, and nothing since
}

// begin finds the run, and out where a reader that has read before stands. It
// reports whether the reader has read the end already. What it needs much room
// for is gone from the stack before the long wait of read.
func (r *reader) begin(ctx context.Context, project string) (over bool, err error) {
	line, err := r.e.summary(ctx, project, r.id)
	if err != nil {
		return false, err
	}
	if r.at.Seq > line.Seq {
		return false, problem.Invalid("after", "the run has only %d events", line.Seq)
	}
	r.live = line.Seq
	r.f.learn(line) // from here on the feed is complete: what it misses is on disk by now
	if r.at.Seq == 0 {
		return false, nil
	}
	return r.resume(ctx)
}

// resume finds out which replies the reader has, whether it has read the end, and
// whether the event at which it resumes came while a reply was being written. It
// may have some of that reply then, and the event's id does not say how much.
func (r *reader) resume(ctx context.Context) (over bool, err error) {
	events, err := r.e.cfg.Log.Load(ctx, r.id, 0, int(min(r.at.Seq, maxPage)))
	if err != nil || len(events) == 0 {
		return false, err
	}
	last := &events[len(events)-1]
	s := run.Fold(r.id, events[:len(events)-1])
	r.torn = r.at.Step == 0 && last.Responded == nil && callsModel(&s)
	s.Take(last)
	r.done = len(s.Turns)
	return s.Ended != nil, nil
}

// callsModel reports whether a reply is being written in this state. A pause does
// not stop one that has begun.
func callsModel(s *run.State) bool {
	going := *s
	going.Paused, going.Queued = false, false
	for _, effect := range run.Decide(&going).Effects {
		if effect.Kind == run.CallModel {
			return true
		}
	}
	return false
}

func (r *reader) read(ctx context.Context) {
	for {
		n := r.next()
		switch {
		case n.update != nil:
			if !r.give(*n.update) {
				return
			}
		case n.event != nil:
			if !r.tell(n.event, n.said) || n.event.Type == run.RunFinished {
				return
			}
		case n.changed == nil:
			if !r.stored(ctx) {
				return
			}
		default:
			select {
			case <-n.changed:
			case <-ctx.Done():
				return
			case <-r.e.draining:
				return
			}
		}
	}
}

// news is what a feed has for a reader: a draft's next piece, or an event, or
// nothing before the next change; else the store has it.
type news struct {
	update  *Update
	event   *run.Event
	said    *draft // the whole reply of an event that brings one, if the feed has it
	changed <-chan struct{}
}

// next takes what the feed has behind the reader's place.
func (r *reader) next() news {
	f := r.f
	f.mu.Lock()
	defer f.mu.Unlock()
	if r.at.Seq < f.last {
		n := news{event: f.after(r.at.Seq)}
		if n.event != nil && n.event.Responded != nil && f.said != nil && f.said.step == n.event.Responded.Step {
			n.said = f.said
		}
		return n
	}
	if d := f.draft; d != nil && d.after > 0 && d.after <= r.at.Seq && d.step > r.done {
		if u, ok := r.behind(d); ok {
			d.shown = true
			return news{update: &u}
		}
	}
	if f.rest && !f.driven && !r.said {
		return news{update: &Update{Rest: true}}
	}
	return news{changed: f.wait()}
}

// behind returns the next that the reader has not seen of a reply.
func (r *reader) behind(d *draft) (Update, bool) {
	same := r.at.Step == d.step && r.at.Attempt == d.attempt
	if !same && (r.torn || r.at.Step == d.step) {
		return Update{Reset: true, Cursor: Cursor{Step: d.step, Attempt: d.attempt}}, true
	}
	offset := 0
	if same {
		offset = r.at.Offset
	}
	return d.next(offset)
}

// tell yields an event and what belongs to it: before it the rest of a reply that
// the reader has begun to read or has been waiting for; behind it the news that
// the reply it reads will be written anew.
func (r *reader) tell(event *run.Event, said *draft) bool {
	reply := event.Responded
	if reply != nil && (r.torn || r.at.Step == reply.Step || event.Seq > r.live) {
		if said == nil {
			said = replay(reply)
		}
		for u, more := r.behind(said); more; u, more = r.behind(said) {
			if !r.give(u) {
				return false
			}
		}
	}
	if !r.give(Update{Event: event, Cursor: Cursor{Seq: event.Seq}}) {
		return false
	}
	again := event.Type == run.RunDriven || event.Failed != nil && event.Failed.Retry
	return r.at.Step == 0 || !again || r.give(Update{Reset: true, Cursor: Cursor{Step: r.at.Step, Attempt: r.at.Attempt + 1}})
}

// give yields one update and moves the reader's place. An event in the middle of
// a reply leaves the place in the reply as it is.
func (r *reader) give(u Update) bool {
	switch event := u.Event; {
	case event != nil && event.Type != run.ModelResponded && event.Type != run.RunFinished:
		r.at.Seq = event.Seq
	case event != nil:
		r.at, r.torn = u.Cursor, false
		if event.Responded != nil {
			r.done = max(r.done, event.Responded.Step)
		}
	case u.Rest:
		u.Cursor = Cursor{Seq: r.at.Seq}
	default:
		u.Cursor.Seq = r.at.Seq
		r.at, r.torn = u.Cursor, false
	}
	r.said = u.Rest
	return r.yield(u, nil)
}

// stored yields a page of the log from the store.
func (r *reader) stored(ctx context.Context) bool {
	const page = 256 // bounds a reader's memory, and the time of one read
	events, err := r.e.cfg.Log.Load(ctx, r.id, r.at.Seq, page)
	if ctx.Err() != nil {
		return false
	}
	if problem.Is(err, problem.Overloaded) {
		return r.linger(ctx)
	}
	if err == nil && len(events) == 0 {
		err = problem.New(problem.NotFound, "The run has been deleted.")
	}
	if err != nil {
		r.yield(Update{}, err)
		return false
	}
	for i := range events {
		if !r.tell(&events[i], nil) || events[i].Type == run.RunFinished {
			return false
		}
	}
	return true
}

// readAgain is when a reader asks a store again that did not answer: whoever follows a
// run has its place, and nothing that is gained by giving it up.
const readAgain = time.Second

// linger waits until the store may be asked again, and reports false if nobody waits.
func (r *reader) linger(ctx context.Context) bool {
	timer := time.NewTimer(readAgain)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	case <-r.e.draining:
		return false
	}
}
