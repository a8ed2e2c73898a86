package node_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"errand/internal/node"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// leases is a store of leases in memory, whose clock can be set.
type leases struct {
	down atomic.Bool

	mu     sync.Mutex
	ahead  time.Duration        // of the clock
	ends   map[string]time.Time // by node
	runs   map[string]int       // by node
	buried map[string]int       // how often, by node
	free   int                  // runs that wait for anybody
}

func newLeases() *leases {
	return &leases{ends: map[string]time.Time{}, runs: map[string]int{}, buried: map[string]int{}}
}

var errDown = errors.New("the database system is starting up")

func (l *leases) open() (now time.Time, err error) {
	if l.down.Load() {
		return now, errDown
	}
	return time.Now().Add(l.ahead), nil
}

func (l *leases) Enter(_ context.Context, name, _, _ string, lease time.Duration) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := l.open()
	if _, there := l.ends[name]; there || l.buried[name] > 0 {
		return errors.New("the name is taken")
	}
	if err == nil {
		l.ends[name] = now.Add(lease)
	}
	return err
}

func (l *leases) Renew(_ context.Context, name string, lease time.Duration) (now, next time.Time, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err = l.open()
	if _, known := l.ends[name]; err != nil || !known {
		return time.Time{}, next, err
	}
	for other, ends := range l.ends {
		if other != name && (next.IsZero() || ends.Before(next)) {
			next = ends
		}
	}
	l.ends[name] = now.Add(lease)
	return now, next, nil
}

func (l *leases) dead(name string, now time.Time, grace time.Duration) bool {
	ends, known := l.ends[name]
	return !known || !ends.After(now.Add(-grace)) || ends.After(now.Add(node.Lease+grace))
}

func (l *leases) Dead(_ context.Context, grace time.Duration) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := l.open()
	var dead []string
	for name := range l.ends {
		if l.dead(name, now, grace) {
			dead = append(dead, name)
		}
	}
	for name, count := range l.runs {
		if _, known := l.ends[name]; count > 0 && !known {
			dead = append(dead, name)
		}
	}
	return dead, err
}

func (l *leases) Bury(_ context.Context, name string, grace time.Duration) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now, err := l.open()
	if err != nil || !l.dead(name, now, grace) {
		return 0, err
	}
	if _, known := l.ends[name]; known {
		l.buried[name]++
	}
	delete(l.ends, name)
	runs := l.runs[name]
	delete(l.runs, name)
	l.free += runs
	return runs, nil
}

func (l *leases) set(ahead time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ahead = ahead
}

// burials is how many nodes have been declared dead.
func (l *leases) burials() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	sum := 0
	for _, times := range l.buried {
		sum += times
	}
	return sum
}

// wire is a node's way to the leases, which can be cut.
type wire struct {
	*leases
	cut  atomic.Bool
	full atomic.Bool  // nobody may enter
	slow atomic.Int64 // how long an answer is on its way
	late atomic.Int64 // and the one to who enters
}

func (w *wire) Enter(ctx context.Context, name, address, version string, lease time.Duration) error {
	if w.cut.Load() || w.full.Load() {
		return errDown
	}
	err := w.leases.Enter(ctx, name, address, version, lease)
	select {
	case <-time.After(time.Duration(w.late.Load())):
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (w *wire) Renew(ctx context.Context, name string, lease time.Duration) (now, next time.Time, err error) {
	if w.cut.Load() {
		<-ctx.Done() // packets are dropped
		return now, next, ctx.Err()
	}
	defer time.Sleep(time.Duration(w.slow.Load()))
	return w.leases.Renew(ctx, name, lease)
}

func (w *wire) Dead(ctx context.Context, grace time.Duration) ([]string, error) {
	if w.cut.Load() {
		return nil, errDown
	}
	return w.leases.Dead(ctx, grace)
}

// member is a keeper and its wire.
type member struct {
	*node.Keeper
	wire  *wire
	names []string     // that it has been given since it began
	freed sync.Map     // nodes of which it was told that they are dead
	stuck atomic.Value // the name of a node that it can't free
}

// among runs a test in virtual time with some nodes that have kept each other company
// for a while.
func among(t *testing.T, count int, test func(t *testing.T, l *leases, nodes []*member)) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		var nodes []*member
		for range count {
			m := &member{wire: &wire{leases: l}}
			m.Keeper = node.New(node.Config{
				Nodes: m.wire, Now: time.Now, Address: "127.0.0.1:1", Version: "test",
				Dead: func(_ context.Context, name string) error {
					if name == m.stuck.Load() {
						return errDown
					}
					m.freed.Store(name, true)
					return nil
				},
				Renamed: func(name string) {
					if m.Alive() {
						t.Error("a node is alive while it is told its new name")
					}
					m.names = append(m.names, name)
				},
			})
			if err := m.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, m)
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		test(t, l, nodes)
		for _, m := range nodes {
			m.wire.cut.Store(false)
			m.Close(t.Context())
		}
	})
}

// alive checks for so long that all these nodes are.
func alive(t *testing.T, long time.Duration, nodes ...*member) {
	t.Helper()
	for range long / (100 * time.Millisecond) {
		for i, m := range nodes {
			if !m.Alive() {
				t.Fatalf("node %d is not alive", i)
			}
		}
		pass(100 * time.Millisecond)
	}
}

// pass lets time pass, and all that happens in it.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// What a node that dies had is with the others when its time is up, once; nobody takes it before
// the node would have known itself that it is dead, if only it could.
func TestDeath(t *testing.T) {
	among(t, 3, func(t *testing.T, l *leases, nodes []*member) {
		victim := nodes[0]
		victim.wire.slow.Store(int64(800 * time.Millisecond))
		pass(5 * time.Second)
		l.mu.Lock()
		l.runs[victim.Name()] = 7
		l.mu.Unlock()
		victim.wire.cut.Store(true)
		l.mu.Lock()
		renewed := l.ends[victim.Name()].Add(-node.Lease)
		l.mu.Unlock()
		began, silent := time.Now(), time.Time{}
		for l.burials() == 0 {
			if silent.IsZero() && !victim.Alive() {
				silent = time.Now()
			}
			if time.Since(began) > 7*time.Second {
				t.Fatal("nobody has taken over")
			}
			time.Sleep(10 * time.Millisecond)
		}
		if took := time.Since(renewed); took > node.Lease+node.Grace+50*time.Millisecond {
			t.Errorf("it took %v from its last renewal", took)
		}
		if silent.IsZero() || time.Since(silent) < 1900*time.Millisecond {
			t.Errorf("it was silent for %v when others took over", time.Since(silent))
		}
		pass(10 * time.Second)
		if l.free != 7 || l.buried[victim.Name()] != 1 || l.burials() != 1 {
			t.Errorf("%d runs are free, burials: %v", l.free, l.buried)
		}
		_, first := nodes[1].freed.Load(victim.Name())
		if _, second := nodes[2].freed.Load(victim.Name()); !first && !second {
			t.Error("nobody was told to free what else it held")
		}
		alive(t, 5*time.Second, nodes[1:]...)
	})
}

// A dead node that can't be given away now, whatever ails it, does not keep the others
// from being given away.
func TestDeathOfSeveral(t *testing.T) {
	among(t, 4, func(t *testing.T, l *leases, nodes []*member) {
		heir, dead := nodes[0], nodes[1:]
		heir.stuck.Store(dead[1].Name())
		l.mu.Lock()
		for _, m := range dead {
			m.wire.cut.Store(true)
			l.runs[m.Name()] = 5
		}
		l.mu.Unlock()
		pass(10 * time.Second)
		l.mu.Lock()
		free := l.free
		l.mu.Unlock()
		if free != 10 || l.burials() != 2 {
			t.Errorf("%d runs are free of two nodes, %d burials", free, l.burials())
		}
		alive(t, 5*time.Second, heir)
	})
}

// A node that comes back after it was declared dead has another name, and what was
// written late under the old one is taken over, too.
func TestReturn(t *testing.T) {
	among(t, 3, func(t *testing.T, l *leases, nodes []*member) {
		lost := nodes[0]
		old := lost.Name()
		lost.wire.cut.Store(true)
		pass(20 * time.Second)
		if lost.Alive() || lost.Name() != old {
			t.Error("a node that is cut off knows better than the others")
		}
		lost.wire.full.Store(true)
		lost.wire.cut.Store(false)
		pass(6 * time.Second)
		if lost.Alive() || len(lost.names) != 1 {
			t.Errorf("before it could enter it is alive: %v, under %v", lost.Alive(), lost.names)
		}
		lost.wire.full.Store(false)
		pass(3 * time.Second)
		if !lost.Alive() || len(lost.names) != 1 || lost.names[0] != lost.Name() || lost.Name() == old {
			t.Errorf("it is alive: %v, under %v after %s", lost.Alive(), lost.names, old)
		}
		l.mu.Lock()
		l.runs[old] = 3 // a commit that was on its way
		l.mu.Unlock()
		pass(7 * time.Second)
		if l.free != 3 {
			t.Errorf("%d runs are free, want 3", l.free)
		}
		alive(t, 10*time.Second, nodes...)
		if l.burials() != 1 {
			t.Errorf("burials: %v", l.buried)
		}
	})
}

// A node that is declared dead while it is well, by somebody's hand, stops at once.
func TestBuriedAlive(t *testing.T) {
	among(t, 2, func(t *testing.T, l *leases, nodes []*member) {
		l.mu.Lock()
		clear(l.ends)
		l.mu.Unlock()
		pass(2 * time.Second)
		alive(t, 5*time.Second, nodes...)
		if len(nodes[0].names) != 1 || len(nodes[1].names) != 1 { // that they stop is checked when they are told
			t.Errorf("they have the names %v and %v", nodes[0].names, nodes[1].names)
		}
	})
}

// A cut that is shorter than a lease costs nothing but silence.
func TestHiccup(t *testing.T) {
	among(t, 2, func(t *testing.T, l *leases, nodes []*member) {
		nodes[0].wire.cut.Store(true)
		time.Sleep(3 * time.Second)
		if nodes[0].Alive() {
			t.Error("it is alive after 3 s without a renewal")
		}
		nodes[0].wire.cut.Store(false)
		pass(2500 * time.Millisecond)
		alive(t, 10*time.Second, nodes...)
		if l.burials() > 0 || len(nodes[0].names) > 0 {
			t.Errorf("burials: %v", l.buried)
		}
	})
}

// When the store comes back after a while, in which all leases have run out, everybody
// goes on; who died in between is found a moment later.
func TestStoreRestarts(t *testing.T) {
	for _, away := range []time.Duration{2 * time.Second, 6 * time.Second, 10 * time.Minute} {
		among(t, 3, func(t *testing.T, l *leases, nodes []*member) {
			l.down.Store(true)
			time.Sleep(away)
			nodes[2].wire.cut.Store(true)
			l.down.Store(false)
			time.Sleep(4500 * time.Millisecond)
			if l.burials() > 0 {
				t.Errorf("after %v away: %v", away, l.buried)
			}
			pass(4 * time.Second)
			if l.burials() != 1 || l.buried[nodes[2].Name()] != 1 {
				t.Errorf("after %v away: %v", away, l.buried)
			}
			alive(t, 10*time.Second, nodes[:2]...)
		})
	}
}

// A node that was frozen for long and wakes up declares nobody dead before the others
// have had time: it may be that all were frozen, with the machine.
func TestAllFrozen(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLeases()
		var frozen atomic.Int64 // how much longer than the keepers know everything took
		now := func() time.Time { return time.Now().Add(time.Duration(frozen.Load())) }
		var nodes []*node.Keeper
		for range 3 {
			k := node.New(node.Config{Nodes: l, Now: now})
			if err := k.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			nodes = append(nodes, k)
			time.Sleep(300 * time.Millisecond)
		}
		time.Sleep(10 * time.Second)
		frozen.Store(int64(time.Hour))
		l.set(time.Hour)
		if nodes[0].Alive() {
			t.Error("it is alive before it has renewed")
		}
		time.Sleep(20 * time.Second)
		if l.burials() > 0 || !nodes[0].Alive() {
			t.Errorf("burials: %v", l.buried)
		}
		for _, k := range nodes {
			k.Close(t.Context())
		}
	})
}

// The store's clock is set: nobody is declared dead who is not, and who is, is found.
func TestClockJumps(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour, 7 * time.Second, -7 * time.Second} {
		among(t, 3, func(t *testing.T, l *leases, nodes []*member) {
			l.set(jump)
			alive(t, 10*time.Second, nodes...)
			if l.burials() > 0 {
				t.Errorf("a jump of %v: %v", jump, l.buried)
			}
			nodes[0].wire.cut.Store(true)
			time.Sleep(500 * time.Millisecond)
			l.set(2 * jump)
			pass(16 * time.Second)
			if l.burials() != 1 || l.buried[nodes[0].Name()] != 1 {
				t.Errorf("a death and a jump of %v: %v", jump, l.buried)
			}
		})
	}
}

// A node that leaves gives away what it still has, at once.
func TestLeave(t *testing.T) {
	among(t, 2, func(t *testing.T, l *leases, nodes []*member) {
		l.mu.Lock()
		l.runs[nodes[0].Name()] = 4
		l.mu.Unlock()
		if err := nodes[0].Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if l.free != 4 || nodes[0].Alive() || len(l.ends) != 1 {
			t.Errorf("%d runs are free; alive: %v; known: %v", l.free, nodes[0].Alive(), slices.Collect(maps.Keys(l.ends)))
		}
	})
}

// A store that can't be reached at the start is an error, and no node.
func TestStartWithoutStore(t *testing.T) {
	l := newLeases()
	l.down.Store(true)
	k := node.New(node.Config{Nodes: l, Now: time.Now})
	if err := k.Start(t.Context()); !errors.Is(err, errDown) || k.Alive() {
		t.Errorf("started: %v, alive: %v", err, k.Alive())
	}
	k.Close(t.Context())
}

// A store that takes long to answer a node that starts is waited for. By then the others
// may have taken it for dead: then it goes on under another name.
func TestSlowStart(t *testing.T) {
	for _, late := range []time.Duration{2 * time.Second, 9 * time.Second} {
		among(t, 2, func(t *testing.T, _ *leases, nodes []*member) {
			m := &member{wire: &wire{leases: nodes[0].wire.leases}}
			m.wire.late.Store(int64(late))
			m.Keeper = node.New(node.Config{Nodes: m.wire, Now: time.Now, Renamed: func(name string) { m.names = append(m.names, name) }})
			if err := m.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			if m.Alive() != (late < 3*time.Second) {
				t.Errorf("after %v it is alive: %v", late, m.Alive())
			}
			m.wire.late.Store(0)
			pass(3 * time.Second)
			if renamed := len(m.names) > 0; !m.Alive() || renamed != (late > node.Lease+node.Grace) {
				t.Errorf("after %v and a while it is alive: %v, renamed: %v", late, m.Alive(), renamed)
			}
			m.Close(t.Context())
		})
	}
}
