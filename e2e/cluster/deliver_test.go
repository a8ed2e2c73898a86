//go:build unix

package cluster

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"errand/e2e/rig"
)

// letter is what a receiver of webhooks was told.
type letter struct {
	ID, Run, Type string
	Came, Taken   time.Time // Taken is zero if the sender did not wait for the answer
}

// mailbox takes webhooks. Letters about one run it can hold back.
type mailbox struct {
	*httptest.Server
	mu      sync.Mutex
	letters []letter
	held    string        // the run
	release chan struct{} // closed = nothing is held
}

func newMailbox(t *testing.T) *mailbox {
	b := &mailbox{release: make(chan struct{})}
	b.Server = httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		var told struct {
			Type string
			Data struct{ Object rig.Run }
		}
		if err := json.NewDecoder(r.Body).Decode(&told); err != nil {
			return // the sender was killed before it had said everything
		}
		b.mu.Lock()
		n, held := len(b.letters), b.held == told.Data.Object.ID
		b.letters = append(b.letters, letter{ID: r.Header.Get("webhook-id"), Run: told.Data.Object.ID, Type: told.Type, Came: time.Now()})
		b.mu.Unlock()
		if held {
			select {
			case <-b.release:
			case <-r.Context().Done():
				return
			}
		}
		b.mu.Lock()
		defer b.mu.Unlock()
		b.letters[n].Taken = time.Now()
	}))
	t.Cleanup(b.Close)
	return b
}

// about are the letters about a run, in the order in which they came.
func (b *mailbox) about(run string) (found []letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.letters {
		if l.Run == run {
			found = append(found, l)
		}
	}
	return found
}

// inOrder holds that each of these was told, under one id however often, and not before
// the one before it was taken.
func (b *mailbox) inOrder(t *testing.T, run string, types ...string) {
	t.Helper()
	var taken time.Time
	all := b.about(run)
	for i, kind := range types {
		var last time.Time
		ids, came := map[string]bool{}, 0
		for _, l := range all {
			if l.Type != kind {
				continue
			}
			if came++; l.Came.Before(taken) {
				t.Errorf("%s: %s came %v before %s was taken", run, kind, taken.Sub(l.Came), types[i-1])
			}
			ids[l.ID] = true
			if !l.Taken.IsZero() && last.IsZero() {
				last = l.Taken
			}
		}
		if taken = last; taken.IsZero() || len(ids) != 1 {
			t.Errorf("%s: %s came %d times under %d ids, taken at %v", run, kind, came, len(ids), taken)
		}
	}
	if slices.ContainsFunc(all, func(l letter) bool { return !slices.Contains(types, l.Type) }) {
		t.Errorf("%s: %+v", run, all)
	}
}

// newest is the name of the node that has joined last.
func (f *fleet) newest() string {
	return ask[string](f, "SELECT id FROM nodes ORDER BY started_at DESC LIMIT 1")
}

// asks orders runs that a person is asked about, and waits until that has been told.
func (f *fleet) asks(box *mailbox, count int) (runs []rig.Run) {
	f.T.Helper()
	for i := range count {
		runs = append(runs, f.members[i%len(f.members)].order(rig.Steps(fmt.Sprint("told ", i), `book.once {}`, rig.Say("Booked.")), gated("book.once")))
	}
	f.soon("all to be told that a person is asked", rig.Patience, func() bool {
		return !slices.ContainsFunc(runs, func(r rig.Run) bool { return len(box.about(r.ID)) == 0 })
	})
	return runs
}

// TestDelivererDies: the node that is telling a webhook's receiver is killed in the
// middle, while a schedule fires each second. What it was telling another one tells
// again, and only then what comes after it; the schedule goes on by
// itself, and fires no more often than it should.
func TestDelivererDies(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 0)
	named := map[string]*member{}
	for range 3 {
		m := f.join(nil)
		named[f.newest()] = m
	}
	first := f.members[0].c
	first.Tool(f.World, "book.once", "once")
	box := newMailbox(t)
	first.Post("/v1/webhooks", map[string]any{"url": box.URL, "events": []string{"run.awaiting_approval", "run.completed"}}, nil)
	first.Post("/v1/agents", `{"name":"ticker","model":"auto","instructions":"Tick.","tools":[]}`, nil)
	made := timetable{f: f}
	first.Post("/v1/schedules", map[string]any{"agent": "ticker", "every": "1s", "overlap": "allow", "input": rig.Steps("tick", rig.Say("Tick."))}, &made)
	rig.Pause(steady)
	runs := f.asks(box, 6)
	// One more run, about which nothing is taken until the node that tells has died.
	box.mu.Lock()
	release := f.Model.Hold()
	held := f.members[2].order(rig.Steps("held", `book.once {}`, rig.Say("Booked.")), gated("book.once"))
	box.held = held.ID
	box.mu.Unlock()
	release()
	f.soon("the delivery that is held", rig.Patience, func() bool { return len(box.about(held.ID)) == 1 })
	teller := ask[string](f, "SELECT attempted_by[cardinality(attempted_by)] FROM river_job WHERE state = 'running' AND args->>'kind' = 'webhook.send' AND args->>'run' = $1", strings.TrimPrefix(held.ID, "run_"))
	victim := named[teller]
	if victim == nil {
		t.Fatalf("%s tells, and is none of %v", teller, named)
	}
	before := len(made.fired())
	survivors := slices.DeleteFunc(slices.Clone(f.members), func(m *member) bool { return m == victim })
	feed := survivors[1].c.Follow(http.MethodGet, "/v1/stream", nil)
	changes := feed.Reading()
	victim.Kill()
	began := time.Now()
	survivors[0].approve(held)
	survivors[1].c.Until(held.ID, "completed")
	rig.Pause(time.Second)
	close(box.release)
	for _, r := range runs {
		survivors[0].approve(r)
	}
	f.soon("what the dead one was telling, and what came after", rig.Patience, func() bool {
		all := box.about(held.ID)
		return len(all) > 2 && all[len(all)-1].Type == "run.completed"
	})
	t.Logf("all was told %v after the death of who was telling", time.Since(began))
	feed.Close()
	if !slices.ContainsFunc(rig.Await(t, "the project's stream", changes), func(f rig.Frame) bool { return f.Event == "resync" && strings.Contains(f.Data, `"gap"`) }) {
		t.Error("who reads the project's stream was not told that the dead one may have left something untold")
	}
	for _, r := range runs {
		survivors[1].c.Until(r.ID, "completed")
		f.soon("its end to be told", rig.Patience, func() bool { return len(box.about(r.ID)) >= 2 })
		box.inOrder(t, r.ID, "run.awaiting_approval", "run.completed")
	}
	box.inOrder(t, held.ID, "run.awaiting_approval", "run.completed")
	f.soon("more firings", rig.Patience, func() bool { return len(made.fired()) > before+2 })
	survivors[0].c.Do("PATCH", "/v1/schedules/"+made.ID, `{"paused":true}`).Is(http.StatusOK)
	made.holds(t)
}

// timetable is a schedule of each second for the agent ticker.
type timetable struct {
	f         *fleet
	ID        string
	CreatedAt time.Time `json:"created_at"`
}

// fired are its runs, as a node that lives says.
func (s *timetable) fired() []rig.Run {
	var page struct{ Data []rig.Run }
	for _, m := range s.f.members {
		answer, err := m.c.Try(http.MethodGet, "/v1/agents/ticker/runs?limit=100", nil)
		if err == nil && answer.Status == http.StatusOK {
			answer.Into(&page)
			break
		}
	}
	return page.Data
}

// holds: it has fired once a second at the most, whoever looks at the clock.
func (s *timetable) holds(t *testing.T) {
	t.Helper()
	most := int(time.Since(s.CreatedAt)/time.Second) + 1
	if n := len(s.fired()); n > most {
		t.Errorf("%d runs in %d seconds", n, most)
	}
}
