package fault

import (
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"errand/e2e/rig"
)

// journal is what clients were told, and what they have tried.
type journal struct {
	mu        sync.Mutex
	runs      map[string]string // title by id, of acknowledged runs
	latest    string            // of them
	decisions []word            // acknowledged
	tried     []word            // sent, whether or not an answer came
	shown     map[shown]string  // types of the events that readers were shown
}

// shown is an event's place.
type shown struct {
	run string
	seq int64
}

// word is a person's word on an action.
type word struct {
	run, action, reason string
	approve             bool
}

// house is the server of now, which clients find again after each restart.
type house struct {
	journal
	w      *rig.World
	opened sync.RWMutex
	now    *rig.Client
}

func (h *house) open(s *rig.Server) {
	h.opened.Lock()
	defer h.opened.Unlock()
	h.now = s.Client()
}

func (h *house) client() *rig.Client {
	h.opened.RLock()
	defer h.opened.RUnlock()
	return h.now
}

func over(stop <-chan struct{}) bool {
	select {
	case <-stop:
		return true
	default:
		return false
	}
}

// The kinds of run that clients ask for: each effect class, alone and together,
// with a gate and without.
func kinds() [][]string {
	return [][]string{
		{`book.safe {"n":1} | book.keyed {"n":2}`, `book.once {"n":3}`, `= booked`},
		{`book.keyed {"n":1} | book.keyed {"n":2}`, `= booked`},
		{`pay.once {"n":1}`, `= paid`},
		{`pay.once {"n":1} | book.once {"n":2} | book.keyed {"n":3}`, `book.once {"n":4}`, `= paid and booked`},
		{`book.safe {"n":1}`, `pay.once {"n":2} | pay.once {"n":3}`, `= paid twice`},
	}
}

// create asks for runs, one after the other, each under a key of its own, and
// repeats a request whose answer did not come.
func (h *house) create(client int, chance *rand.Rand, stop <-chan struct{}) {
	for n := 0; !over(stop); n++ {
		title := fmt.Sprintf("client %02d run %04d", client, n)
		script := kinds()[chance.IntN(len(kinds()))]
		body := map[string]any{
			"model": "auto", "tools": []string{"book.safe", "book.keyed", "book.once", "pay.once"}, "max_steps": 8,
			"approval": map[string]any{"required_for": []string{"pay.once"}}, "prompt": rig.Steps(title, script...),
		}
		if chance.IntN(2) == 0 {
			body["background"] = true
		}
		for !over(stop) {
			if h.createOnce(title, body) {
				break
			}
			rig.Pause(20 * time.Millisecond)
		}
	}
}

// createOnce reports whether there is nothing to repeat.
func (h *house) createOnce(title string, body map[string]any) bool {
	c := h.client()
	answer, err := c.Try(http.MethodPost, "/v1/runs?wait=2", body, "Idempotency-Key", title)
	if err != nil {
		return false
	}
	if answer.Status != http.StatusCreated {
		if answer.Status != http.StatusServiceUnavailable {
			c.T.Errorf("%s: %d %s", title, answer.Status, answer.Body)
		}
		return false
	}
	var r rig.Run
	answer.Into(&r)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.runs[r.ID], h.latest = title, r.ID
	return true
}

// decide is a person: it reads the inbox and decides most of its part of it.
func (h *house) decide(person uint32, stop <-chan struct{}) {
	for !over(stop) {
		c := h.client()
		answer, err := c.Try(http.MethodGet, "/v1/approvals?limit=100", nil)
		if err != nil || answer.Status != http.StatusOK {
			rig.Pause(20 * time.Millisecond)
			continue
		}
		var inbox struct{ Data []rig.Action }
		answer.Into(&inbox)
		for _, a := range inbox.Data {
			if over(stop) {
				return
			}
			if mind := mindOf(a); mind%people == person {
				h.decideOne(c, a, mind/people%10)
			}
		}
		rig.Pause(20 * time.Millisecond)
	}
}

// mindOf makes a person think of the same action always the same.
func mindOf(a rig.Action) uint32 {
	mind := fnv.New32a()
	fmt.Fprint(mind, a.Run, a.ID, a.Reason)
	return mind.Sum32()
}

// decideOne says yes, no or nothing.
func (h *house) decideOne(c *rig.Client, a rig.Action, choice uint32) {
	if choice == 9 {
		return // left for later
	}
	said := word{run: a.Run, action: a.ID, reason: a.Reason, approve: choice < 6}
	h.mu.Lock()
	h.tried = append(h.tried, said)
	h.mu.Unlock()
	answer, err := c.Try(http.MethodPost, "/v1/runs/"+a.Run+"/approve", map[string]any{"action_ids": []string{a.ID}, "reject": !said.approve})
	switch {
	case err != nil: // it may have been heard; the inbox tells
	case answer.Status == http.StatusOK:
		h.mu.Lock()
		h.decisions = append(h.decisions, said)
		h.mu.Unlock()
	case answer.Status == http.StatusConflict: // the same was heard before a kill, and the inbox is old
	default:
		c.T.Errorf("deciding %+v: %d %s", said, answer.Status, answer.Body)
	}
}

// read follows the latest run to where it rests, over as many servers as that
// takes, and then the next one.
func (h *house) read(stop <-chan struct{}) {
	for !over(stop) {
		h.mu.Lock()
		id := h.latest
		h.mu.Unlock()
		last, seq := "", int64(0)
		for again := id != ""; again && !over(stop); {
			s, err := h.client().TryFollow(http.MethodGet, "/v1/runs/"+id+"/stream?until=rest", nil, "Last-Event-ID", last)
			if err == nil {
				last, seq, again = h.note(id, s, last, seq)
				s.Close()
			}
			rig.Pause(20 * time.Millisecond)
		}
		rig.Pause(20 * time.Millisecond)
	}
}

// note writes down what a stream shows behind last and seq, and reports whether it
// broke off.
func (h *house) note(id string, s *rig.Stream, last string, seq int64) (string, int64, bool) {
	t := h.w.T
	switch s.Status {
	case http.StatusOK:
	case http.StatusNoContent:
		return last, seq, false
	default:
		t.Errorf("the stream of %s: %d %s", id, s.Status, s.Body)
		return last, seq, false
	}
	for {
		f, err := s.Next()
		if err != nil {
			return last, seq, !errors.Is(err, io.EOF)
		}
		if f.Comment {
			continue
		}
		last = f.ID
		if f.Event == "delta" || f.Event == "reset" {
			continue
		}
		var event rig.Event
		if err := json.Unmarshal([]byte(f.Data), &event); err != nil || event.Seq != seq+1 || event.Type != f.Event {
			t.Errorf("%s: behind seq %d comes %+v (%v)", id, seq, f, err)
		}
		seq = event.Seq
		h.mu.Lock()
		h.shown[shown{id, seq}] = event.Type
		h.mu.Unlock()
	}
}
