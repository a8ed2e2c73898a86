package engine

import (
	"sync"
	"sync/atomic"

	"errand/internal/run"
)

// recent is how many of a run's latest events its feed keeps: a reader who keeps
// up never reads the store, one who does not reads it there.
const recent = 32

// feed is a run's live side, shared by its driver and its readers. Readers have
// no queues of their own: each has a place, and takes what lies behind it.
type feed struct {
	mu       sync.Mutex
	users    int           // driver, readers and waiters; guarded by Engine.mu
	readers  int           // of them, readers and waiters; guarded by Engine.mu
	watched  atomic.Int32  // readers of the stream, who want each event as it comes
	lingers  atomic.Bool   // its driver holds something back from the disk
	changed  chan struct{} // closed at the next change; nil while nobody waits
	last     int64         // highest seq known to be on disk
	events   []run.Event   // the latest of them, without gaps, up to last
	draft    *draft        // the reply being written
	said     *draft        // the latest whole reply, for readers who have not read all of it
	project  string        // whose run it is, once somebody knows
	tethered bool          // it ends with its last reader
	driven   bool          // a driver is at work here
	rest     bool          // as far as is published, the run needs no driver
	missed   bool          // a piece of another node's draft is missing, and has been asked for
	state    *run.State    // the run at rest, as its driver left it and nobody changes it any more
	relay    *relay        // sends the draft to other nodes; nil = none wants it
	turned   int64         // seq of the latest event with which an attempt at a reply was over
}

// update changes the feed under its lock and wakes whoever waits.
func (f *feed) update(change func()) {
	f.mu.Lock()
	change()
	f.signal()
	f.mu.Unlock()
}

// signal wakes whoever waits. The lock is held.
func (f *feed) signal() {
	if f.changed != nil {
		close(f.changed)
		f.changed = nil
	}
}

// await is wait for those who do not hold the lock.
func (f *feed) await() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.wait()
}

// known is the highest seq that the feed knows to be on disk; 0 = nothing yet.
func (f *feed) known() int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

// wait returns a channel that is closed at the next change. The lock is held.
func (f *feed) wait() <-chan struct{} {
	if f.changed == nil {
		f.changed = make(chan struct{})
	}
	return f.changed
}

// learn takes over what the store knows of the run, if that is news.
func (f *feed) learn(line run.Summary) {
	f.update(func() {
		f.project = line.Project
		switch {
		case line.Seq > f.last:
			f.last, f.rest, f.events, f.state = line.Seq, rests(&line), nil, nil
		case line.Seq == f.last && !f.driven: // a driver that gave up did not know
			f.rest = rests(&line)
		}
	})
}

// publish shows events that are on disk; rest says that they leave the run in no
// need of a driver. Two writers may come in either order: what leaves a gap is
// not kept, and readers find it in the store.
func (f *feed) publish(events []run.Event, rest bool) {
	if len(events) == 0 {
		return
	}
	f.update(func() {
		first, last := events[0].Seq, events[len(events)-1].Seq
		if last <= f.last {
			return
		}
		f.rest, f.state = rest, nil
		if first != f.last+1 {
			f.events = nil
		}
		f.events = append(f.events, events...)
		if over := len(f.events) - recent; over > 0 {
			f.events = append([]run.Event(nil), f.events[over:]...)
		}
		f.last = last
		for i := range events {
			switch event := &events[i]; {
			case event.Responded != nil:
				f.conclude(event.Responded)
			case event.Type == run.RunDriven, event.Failed != nil:
				f.turn(event.Seq)
			}
		}
	})
}

// conclude makes the draft the whole reply that it has become. The lock is held.
func (f *feed) conclude(r *run.Responded) {
	if f.said = f.draft; f.said == nil || !f.said.is(r) {
		f.said = replay(r)
	}
	if f.draft != nil && f.draft.step <= r.Step {
		f.draft = nil
	}
}

// turn ends the attempt at a reply that began before the event with the seq: what
// another node has sent of it is not shown any more. The lock is held.
func (f *feed) turn(seq int64) {
	f.turned = seq
	if f.draft != nil && !f.driven && f.draft.after < seq {
		f.draft = nil
	}
}

// begin starts the draft of an attempt, which nobody sees yet.
func (f *feed) begin(step, attempt int) {
	f.update(func() { f.draft = &draft{step: step, attempt: attempt} })
}

// open shows the draft to readers who have read the log up to the seq after which
// its call began, now that this much is on disk.
func (f *feed) open(after int64) {
	f.update(func() {
		if f.draft != nil {
			f.draft.after = after
		}
	})
}

// write adds to the draft of an attempt, if it is still the current one.
func (f *feed) write(step, attempt int, delta run.Delta) {
	f.update(func() {
		if f.draft != nil && f.draft.step == step && f.draft.attempt == attempt {
			f.draft.write(delta)
		}
	})
}

// retract takes back what there is of the attempt's reply, so that nobody sees it
// from here on, and reports whether that was possible: it is not once a reader has
// seen some of it, or when it asks for a tool.
func (f *feed) retract(step, attempt int) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.draft
	if d == nil || d.step != step || d.attempt != attempt {
		return true
	}
	if d.shown || d.called {
		return false
	}
	f.draft = nil
	return true
}

// start says that a driver has begun; project is empty if it does not know yet.
func (f *feed) start(project string) {
	f.update(func() {
		f.driven, f.rest, f.state = true, false, nil
		if project != "" {
			f.project = project
		}
	})
}

// knows reports whether the feed can tell how the run stands without the store:
// its driver is here, or has just brought it to a rest.
func (f *feed) knows(project string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.project == project && (f.driven || f.state != nil)
}

// stop says that the driver has gone; state is the run at rest, nil when the
// driver left it in need of another.
func (f *feed) stop(state *run.State) {
	f.update(func() {
		f.driven, f.draft = false, nil
		if state != nil && state.Seq < f.last {
			return // others have gone on since, and how the run stands is known from them
		}
		f.rest, f.state = state != nil, state
	})
}

// after returns the kept event that follows seq, or nil.
func (f *feed) after(seq int64) *run.Event {
	if n := len(f.events); n > 0 && f.events[0].Seq <= seq+1 && seq < f.last {
		return &f.events[seq+1-f.events[0].Seq]
	}
	return nil
}
