//go:build unix

package cluster

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/e2e/rig"
)

// takeover is how long the runs of a node that has died may stand still.
const takeover = 6 * time.Second

// slack is what a machine that others use too may add. The promises are held to the
// second by the long storm, and in virtual time by internal/node.
const slack = 30 * time.Second

// TestKilled: the node that drives is killed in the middle of a model's reply, of a call
// that may be repeated and of one that may not. Within 6 s others go on; what may not be
// repeated a person decides, on another node.
func TestKilled(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	a, b, c := f.members[0], f.members[1], f.members[2]
	a.c.Tool(f.World, "book.safe", "safe")
	a.c.Tool(f.World, "book.once", "once")
	rig.Pause(steady)
	readsOn, callsOn, books := f.Tools.Hold("book.safe"), f.Tools.Hold("book.once"), f.Model.Hold()
	once := a.order(rig.Steps("once", `book.once {}`, rig.Say("Booked.")), uses("book.once"))
	safe := a.order(rig.Steps("safe", `book.safe {}`, rig.Say("Read.")), uses("book.safe"))
	books()
	f.soon("both calls", rig.Patience, func() bool { return f.called("book.safe", safe.ID)+f.called("book.once", once.ID) == 2 })
	answers := f.Model.Hold()
	model := a.order(rig.Steps("model", rig.Say("Said.")), nil)
	f.soon("the call of the model", rig.Patience, func() bool { return f.asked("model") == 1 })
	a.Kill()
	began := time.Now()
	readsOn()
	callsOn()
	var all sync.WaitGroup
	for what, there := range map[string]func() bool{
		"in a model call": func() bool { return f.asked("model") == 2 },
		"in a safe call":  func() bool { return f.called("book.safe", safe.ID) == 2 },
		"in a once call":  func() bool { return b.c.Run(once.ID).Status == "awaiting_approval" },
	} {
		all.Go(func() {
			for !there() && time.Since(began) < rig.Patience {
				rig.Pause(10 * time.Millisecond)
			}
			took := time.Since(began)
			t.Logf("killed %s: others went on after %v", what, took)
			if took > takeover+slack {
				t.Errorf("killed %s: others went on only after %v", what, took)
			}
		})
	}
	all.Wait()
	answers()
	b.c.Until(model.ID, "completed")
	c.c.Until(safe.ID, "completed")
	if p := c.c.Run(once.ID).Pending; len(p) != 1 || p[0].Reason != "outcome_unknown" {
		t.Fatalf("pending: %+v", p)
	}
	c.approve(once) // a person says: call again
	b.c.Until(once.ID, "completed")
	if n := f.called("book.once", once.ID); n != 2 {
		t.Errorf("%d calls, want one before the death and one that a person allowed", n)
	}
}

// TestHandedOver: a node that is told to end under load hands its runs over, in the
// time in which a job is found, and one that is started in its place serves on.
func TestHandedOver(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 2)
	f.Model.Paces(30 * time.Millisecond)
	f.members[0].c.Tool(f.World, "book.once", "once")
	words := strings.Repeat("on and on ", 12)
	var ids []string
	for i := range 40 {
		ids = append(ids, f.members[i%2].order(rig.Steps(fmt.Sprintf("handed %d", i), `book.once {}`, rig.Say("%s", words), rig.Say("x")), uses("book.once")).ID)
	}
	stopped := make(chan bool)
	var refused, made atomic.Int32
	var clients sync.WaitGroup
	clients.Go(func() { // clients go on meanwhile, on whichever node answers
		for i := 0; ; i++ {
			select {
			case <-stopped:
				return
			default:
			}
			rig.Pause(20 * time.Millisecond)
			answer, err := f.members[1].c.Try(http.MethodPost, "/v1/runs", map[string]any{"model": "auto", "background": true, "prompt": rig.Steps(fmt.Sprintf("meanwhile %d", i), rig.Say("Done."))})
			if err != nil || answer.Status >= 300 {
				refused.Add(1)
				continue
			}
			made.Add(1)
		}
	})
	a := f.members[0]
	began := time.Now()
	if code := a.Terminate(); code != 0 {
		t.Errorf("exit code %d\n%s", code, tail(a.Log()))
	}
	ended := time.Since(began)
	left := ask[int](f, "SELECT count(*) FROM runs WHERE live AND driver = '' OR driver NOT IN (SELECT id FROM nodes) AND driver <> ''")
	took := f.soon("all runs to have a driver again", rig.Patience, func() bool {
		return ask[int](f, "SELECT count(*) FROM runs WHERE live AND (driver = '' OR driver NOT IN (SELECT id FROM nodes))") == 0
	})
	t.Logf("a node ended within %v; %d runs had no driver when it was gone, and none %v later", ended, left, took)
	if took > 2500*time.Millisecond+slack {
		t.Errorf("runs that were handed over had no driver for %v", took)
	}
	a.start()
	close(stopped)
	clients.Wait()
	for _, id := range ids {
		r := a.c.Until(id, "completed")
		if n := f.called("book.once", id); n != 1 {
			t.Errorf("%s: %d calls: %+v", id, n, r)
		}
	}
	if refused.Load() != 0 || made.Load() == 0 {
		t.Errorf("on the other node %d requests failed, %d did not", refused.Load(), made.Load())
	}
}

// away is a way for a node to be dead to the others without being it.
type away struct {
	leave, back func(*member)
}

// TestAway: a node is frozen, or loses its way to the database, for ten seconds. When it
// comes back its runs are others': it appends nothing and starts no tool, and goes on
// under a new name.
func TestAway(t *testing.T) {
	t.Parallel()
	for name, way := range map[string]away{
		"frozen":  {func(m *member) { m.freeze() }, func(m *member) { m.thaw() }},
		"silence": {func(m *member) { m.link.silence() }, func(m *member) { m.link.heal() }},
		"severed": {func(m *member) { m.link.sever() }, func(m *member) { m.link.heal() }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			goAway(newFleet(t, 2), way, 10*time.Second)
		})
	}
}

// goAway has the first of two nodes go away for so long.
func goAway(f *fleet, way away, long time.Duration) {
	t, a, b := f.T, f.members[0], f.members[1]
	a.c.Tool(f.World, "book.once", "once")
	a.c.Tool(f.World, "book.next", "once")
	rig.Pause(steady)
	// One run is in a call that must not be repeated, one in a call of the model after
	// which it would call.
	books := f.Tools.Hold("book.once")
	booking := a.order(rig.Steps("booking", `book.once {}`, rig.Say("Booked.")), uses("book.once"))
	f.soon("the call", rig.Patience, func() bool { return f.called("book.once", booking.ID) == 1 })
	answers := f.Model.Hold()
	asking := a.order(rig.Steps("asking", `book.next {}`, rig.Say("Booked.")), uses("book.next"))
	f.soon("the call of the model", rig.Patience, func() bool { return f.asked("asking") == 1 })
	way.leave(a)
	began := time.Now()
	f.soon("a takeover", rig.Patience, func() bool { return b.c.Run(booking.ID).Status == "awaiting_approval" && f.asked("asking") == 2 })
	took := time.Since(began)
	t.Logf("others went on after %v", took)
	if took > takeover+slack {
		t.Errorf("others went on only after %v", took)
	}
	answers()
	books()
	b.c.Until(asking.ID, "completed")
	rig.Pause(time.Until(began.Add(long)))
	before := ask[int](f, "SELECT count(*) FROM events")
	way.back(a)
	f.soon("its return", rig.Patience, func() bool {
		answer, err := a.c.Try(http.MethodGet, "/readyz", nil)
		return err == nil && answer.Status == http.StatusOK && ask[int](f, "SELECT count(*) FROM nodes") == 2
	})
	rig.Pause(time.Second)
	if after := ask[int](f, "SELECT count(*) FROM events"); after != before {
		t.Errorf("the node that came back has appended %d events", after-before)
	}
	if n, m := f.called("book.once", booking.ID), f.called("book.next", asking.ID); n != 1 || m != 1 {
		t.Errorf("%d and %d calls", n, m)
	}
	if !strings.Contains(a.Log(), "goes on under another name") {
		t.Errorf("it has kept its name:\n%s", tail(a.Log()))
	}
	a.approve(booking)
	r := a.order(rig.Steps("again", `book.once {}`, rig.Say("Booked.")), uses("book.once"))
	a.c.Until(r.ID, "completed")
	a.c.Until(booking.ID, "completed")
}

// TestDatabaseRestarts: PostgreSQL dies under load and comes back. Nobody is declared
// dead, nothing that was acknowledged is lost, and everything goes on.
func TestDatabaseRestarts(t *testing.T) {
	t.Parallel()
	f := newFleet(t, 3)
	f.Model.Paces(20 * time.Millisecond)
	f.members[0].c.Tool(f.World, "book.once", "once")
	rig.Pause(steady)
	var mu sync.Mutex
	var ids []string
	stop := make(chan bool)
	var clients sync.WaitGroup
	for i, m := range f.members {
		clients.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				case <-time.After(40 * time.Millisecond):
				}
				answer, err := m.c.Try(http.MethodPost, "/v1/runs", map[string]any{
					"model": "auto", "background": true, "tools": []string{"book.once"},
					"prompt": rig.Steps(fmt.Sprintf("restart %d %d", i, n), `book.once {}`, rig.Say("Booked.")),
				})
				if err == nil && answer.Status == http.StatusCreated {
					var r rig.Run
					answer.Into(&r)
					mu.Lock()
					ids = append(ids, r.ID)
					mu.Unlock()
				}
			}
		})
	}
	names := func() string { return ask[string](f, "SELECT string_agg(id, ' ' ORDER BY id) FROM nodes") }
	before := names()
	rig.Pause(time.Second)
	f.db.Crash(t)
	rig.Pause(7 * time.Second) // longer than a lease
	f.db.Up(t)
	began := time.Now()
	f.soon("new runs", rig.Patience, func() bool {
		answer, err := f.members[0].c.Try(http.MethodPost, "/v1/runs", map[string]any{"model": "auto", "prompt": "= Back."})
		return err == nil && answer.Status == http.StatusCreated
	})
	t.Logf("runs are taken %v after the database is back", time.Since(began))
	rig.Pause(2 * time.Second)
	close(stop)
	clients.Wait()
	twice := 0
	for _, id := range ids {
		r := f.settle(id)
		if r.Status != "completed" && (len(r.Pending) != 1 || r.Pending[0].Reason != "outcome_unknown") {
			t.Errorf("%s is %s: %+v", id, r.Status, r.Pending)
		}
		if f.called("book.once", id) > 1 {
			twice++
		}
	}
	t.Logf("%d runs, the last at rest %v after the database was back", len(ids), time.Since(began))
	if after := names(); after != before {
		t.Errorf("nodes were declared dead: %s became %s", before, after)
	}
	if twice != 0 {
		t.Errorf("%d calls were repeated", twice)
	}
}

// settle waits until a run has ended or waits for a person.
func (f *fleet) settle(id string) (r rig.Run) {
	f.T.Helper()
	f.soon(id+" to come to rest", rig.Patience, func() bool {
		r = f.members[len(f.members)-1].c.Run(id)
		return r.Over() || r.Status == "awaiting_approval"
	})
	return r
}
