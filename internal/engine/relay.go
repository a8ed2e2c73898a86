package engine

import (
	"encoding/json"
	"time"

	"errand/internal/run"
)

// The draft of a reply is in the feed of the node that drives the run. A node with
// readers of the stream asks for it, and is sent what there is and what comes, by
// words that may get lost; the stored reply brings whatever they did not.

const (
	// wishRounds is how many polls pass between two times that a node asks for drafts.
	wishRounds = 2
	// wishedFor is how long a draft is sent on after somebody has asked for it.
	wishedFor = 5 * time.Second
	// relayEvery is how long pieces of a draft wait for company.
	relayEvery = 5 * time.Millisecond
	// wordBytes bounds the text of one word, whose JSON may be six times as long.
	wordBytes = 1 << 10
	// wordsAtOnce bounds how fast a draft is sent, with relayEvery: 3 MB/s.
	wordsAtOnce = 16
)

// word is what nodes tell each other: that one wants the draft of a run's reply, and
// has it up to the place; or a piece of it that begins at the place; or that there is
// room in a lane, or who waits for it.
type word struct {
	Run     run.ID        `json:"run"`
	Wanted  bool          `json:"wanted,omitempty"`
	Read    bool          `json:"read,omitempty"` // by readers of the stream; else only by those who wait for the end
	Step    int           `json:"step,omitempty"`
	Attempt int           `json:"attempt,omitempty"`
	Offset  int           `json:"offset,omitempty"`
	After   int64         `json:"after,omitempty"` // the log's seq when the call began
	Kind    run.DeltaKind `json:"kind,omitempty"`
	Call    int           `json:"call,omitempty"`
	Name    string        `json:"name,omitempty"`
	Text    string        `json:"text,omitempty"`
	Project string        `json:"project,omitempty"`
	Lane    string        `json:"lane,omitempty"`     // of the project: a place in it is free, or the run goes first of those that wait
	First   int           `json:"priority,omitempty"` // of that run
}

// relay is the sending of a feed's draft to other nodes. The feed's lock guards it.
type relay struct {
	at    Cursor // step, attempt and offset up to which it is sent
	read  bool   // by somebody
	fresh bool   // somebody has asked since the last look
}

// Hear takes a word that another node has told. One that it does not understand is a
// newer node's, and passed over. It does not block.
func (e *Engine) Hear(said []byte) {
	var w word
	if json.Unmarshal(said, &w) != nil {
		return
	}
	switch {
	case w.Wanted:
		e.lend(&w)
		return
	case w.Lane != "":
		e.hearOfLane(&w)
		return
	}
	e.mu.Lock()
	f := e.feeds[w.Run]
	e.mu.Unlock()
	if f != nil && f.splice(&w) {
		e.ask(w.Run, f)
	}
}

func (e *Engine) say(w word) {
	if said, err := json.Marshal(w); err == nil { // strings and numbers always are
		e.cluster.Tell(said)
	}
}

// ask wants the draft of a run that this node does not drive, for its readers here.
func (e *Engine) ask(id run.ID, f *feed) {
	if e.cluster == nil {
		return
	}
	if w, wanted := f.wish(id); wanted {
		e.say(w)
	}
}

// wish asks for all drafts that readers here want.
func (e *Engine) wish() {
	e.mu.Lock()
	feeds := make(map[run.ID]*feed, len(e.feeds))
	for id, f := range e.feeds {
		if f.readers > 0 {
			feeds[id] = f
		}
	}
	e.mu.Unlock()
	for id, f := range feeds {
		f.mu.Lock()
		f.missed = false
		f.mu.Unlock()
		e.ask(id, f)
	}
}

// wish is the word by which the feed's readers want the draft, from where they have it.
func (f *feed) wish(id run.ID) (w word, wanted bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.driven || f.rest {
		return w, false
	}
	w = word{Run: id, Wanted: true, Read: f.watched.Load() > 0}
	if d := f.draft; d != nil {
		w.Step, w.Attempt, w.Offset = d.step, d.attempt, len(d.text)
	}
	return w, true
}

// splice adds a piece to the draft as if it had been written here. It reports whether
// one before it is missing: for the first time since that was last asked for.
func (f *feed) splice(w *word) (missing bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := f.draft
	same := d != nil && d.step == w.Step && d.attempt == w.Attempt
	have := 0
	if same {
		have = len(d.text)
	}
	switch {
	case f.driven, w.After < f.turned, f.said != nil && w.Step <= f.said.step:
		return false // a late word of a reply that is over
	case d != nil && (d.step > w.Step || d.step == w.Step && d.attempt > w.Attempt):
		return false
	case w.Offset > have:
		first := !f.missed
		f.missed = true
		return first
	case w.Offset+len(w.Text) <= have:
		return false // it has come before
	case !same:
		d = &draft{step: w.Step, attempt: w.Attempt, after: w.After}
		f.draft = d
	}
	delta := run.Delta{Kind: w.Kind, Call: w.Call, Name: w.Name, Text: w.Text[have-w.Offset:]}
	if have > w.Offset {
		delta.Name = "" // it came with the bytes before
	}
	d.write(delta)
	f.signal()
	return false
}

// lend begins to send the draft of a run that this node drives, or goes back to where
// the node that asks has it.
func (e *Engine) lend(w *word) {
	e.mu.Lock()
	defer e.mu.Unlock()
	d := e.drivers[w.Run]
	if d == nil || e.ctx.Err() != nil {
		return
	}
	f := d.feed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.relay == nil {
		f.relay = &relay{}
		f.users++
		e.outlook.Add(1)
		go e.relay(w.Run, f)
	}
	f.relay.ask(w)
	f.signal()
}

func (r *relay) ask(w *word) {
	r.fresh, r.read = true, r.read || w.Read
	switch {
	case !w.Read:
	case w.Step == r.at.Step && w.Attempt == r.at.Attempt:
		r.at.Offset = min(r.at.Offset, w.Offset)
	default:
		r.at.Offset = 0
	}
}

// relay sends the draft as it grows, until nobody has asked for long or the driver has
// left. A tethered run whose last readers were on other nodes ends with them.
func (e *Engine) relay(id run.ID, f *feed) {
	defer e.outlook.Done()
	defer e.release(id, f)
	timer := time.NewTimer(wishedFor)
	defer timer.Stop()
	for e.ctx.Err() == nil {
		words, changed, over := f.unsent(id)
		for _, w := range words {
			e.say(w)
		}
		if over {
			break
		}
		if len(words) == 0 {
			select {
			case <-changed:
			case <-e.ctx.Done():
			case <-timer.C:
				if !f.unwished() {
					timer.Reset(wishedFor)
					continue
				}
				if e.unread(f) {
					e.loose(id, f)
				}
				return
			}
		}
		pause(e.ctx, relayEvery)
	}
	f.mu.Lock()
	f.relay = nil
	f.mu.Unlock()
}

// unsent takes what the relay has not sent yet, and what is shown to nobody here
// before the log is on disk so far is not shown elsewhere either. Over says that there
// is no driver here any more.
func (f *feed) unsent(id run.ID) (words []word, changed <-chan struct{}, over bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, d := f.relay, f.draft
	if d != nil && d.after > 0 && r.read && f.driven {
		if r.at.Step != d.step || r.at.Attempt != d.attempt {
			r.at = Cursor{Step: d.step, Attempt: d.attempt}
		}
		for len(words) < wordsAtOnce {
			u, more := d.piece(r.at.Offset, wordBytes)
			if !more {
				break
			}
			r.at.Offset = u.Cursor.Offset
			words = append(words, word{
				Run: id, Step: d.step, Attempt: d.attempt, After: d.after, Offset: u.Cursor.Offset - len(u.Delta.Text),
				Kind: u.Delta.Kind, Call: u.Delta.Call, Name: u.Delta.Name, Text: u.Delta.Text,
			})
		}
		d.shown = d.shown || len(words) > 0
	}
	return words, f.wait(), !f.driven
}

// unwished ends the relay if nobody has asked for the draft since it last looked.
func (f *feed) unwished() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.relay.fresh {
		f.relay.fresh = false
		return false
	}
	f.relay = nil
	return true
}

// unread reports whether a run has no readers left that it is tethered to.
func (e *Engine) unread(f *feed) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	return f.readers == 0 && f.leashed() && !e.isDraining()
}
