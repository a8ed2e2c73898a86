package auth_test

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// lands is several nodes over one store, and who of them lives.
type lands struct {
	t     *testing.T
	store *memory.Store
	us    run.Account

	mu     sync.Mutex
	living []string
	held   time.Duration
}

// member is one node: what it has of the budgets.
type member struct {
	*lands
	name    string
	dead    bool
	ledger  *auth.Ledger
	budgets *auth.Budgets
	shares  *auth.Shares
	calls   int
}

func newLands(t *testing.T) *lands {
	return &lands{t: t, store: memory.New(memory.Config{Now: time.Now}), us: run.Account{Project: "default", Agent: "a", Key: "k", Model: "m"}}
}

func (l *lands) join(name string) *member {
	l.t.Helper()
	m := &member{lands: l, name: name, ledger: auth.NewLedger(time.Now)}
	m.budgets = auth.NewBudgets(l.store, l.store, m.ledger, time.Now)
	m.shares = auth.NewShares(auth.SharesConfig{Budgets: m.budgets, Nodes: m, All: l.all, Logger: slog.New(slog.DiscardHandler)})
	l.mu.Lock()
	l.living = append(l.living, name)
	l.mu.Unlock()
	if err := m.budgets.Load(l.t.Context()); err != nil {
		l.t.Fatal(err)
	}
	m.shares.Start(l.t.Context())
	l.t.Cleanup(func() { m.leave() })
	return m
}

func (l *lands) all(ctx context.Context, kind string) (all []run.Row, err error) {
	l.mu.Lock()
	held := l.held
	l.mu.Unlock()
	select {
	case <-time.After(held):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return l.store.Rows(ctx, run.RowQuery{Kind: kind, Project: "default"})
}

func (m *member) Name() string { return m.name }

func (m *member) Alive() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.dead
}

func (l *lands) Living(context.Context) ([]string, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.living), nil
}

// leave ends in good order, which for the dead does nothing.
func (m *member) leave() {
	if err := m.shares.Close(context.Background()); err != nil {
		m.t.Error(err)
	}
	m.die()
}

// die ends without a word: in a moment the others know.
func (m *member) die() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.dead = true
	m.living = slices.DeleteFunc(m.living, func(name string) bool { return name == m.name })
}

func (m *member) make(b auth.Budget) auth.Standing {
	m.t.Helper()
	b.Project = "default"
	made, err := m.budgets.Create(m.t.Context(), b, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return made
}

// asks waits for room for a call, as a driver does, until there is or there never will
// be; longest bounds that.
func (m *member) asks(cost run.Micros, longest time.Duration) (h run.Hold, room run.Room) {
	m.mu.Lock()
	m.calls++
	h = run.Hold{ID: fmt.Sprintf("%s-%d/1/1/%s", m.name, m.calls, m.name), Account: m.us, Tokens: 1, Cost: cost}
	m.mu.Unlock()
	h.Day = run.DayOf(time.Now())
	patience := time.After(longest)
	for {
		freed := make(chan struct{}, 1)
		room = m.ledger.Reserve(h, func() {
			select {
			case freed <- struct{}{}:
			default:
			}
		})
		if room.Granted || room.Refusal != nil {
			return h, room
		}
		select {
		case <-freed:
		case <-patience:
			return h, room
		}
	}
}

// pays ends a call, and books what it has cost.
func (m *member) pays(h run.Hold, cost run.Micros) {
	m.ledger.Settle(h, run.Usage{Cost: cost})
	spent := []run.Spend{{Account: h.Account, Calls: 1, Usage: run.Usage{Cost: cost}}}
	if err := m.store.Append(m.t.Context(), run.Commit{Spend: spent}); err != nil {
		m.t.Error(err)
		return
	}
	m.ledger.Booked(spent)
}

// booked is what all have spent.
func (l *lands) booked() run.Micros {
	l.t.Helper()
	return l.bookedIn("default")
}

func (l *lands) bookedIn(project string) (sum run.Micros) {
	l.t.Helper()
	day := run.DayOf(time.Now())
	spends, err := l.store.Spent(l.t.Context(), project, day, day)
	if err != nil {
		l.t.Fatal(err)
	}
	for i := range spends {
		sum += spends[i].Usage.Cost
	}
	return sum
}

// A hundred runs on two nodes draw from one budget at once. Together they have all of
// it, and never more.
func TestSharesNeverOverspend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLands(t)
		nodes := []*member{l.join("a"), l.join("b")}
		nodes[0].make(auth.Budget{Period: auth.Daily, MaxCost: 1000})
		time.Sleep(2 * time.Second) // the other one has heard of it
		var all sync.WaitGroup
		var mu sync.Mutex
		kept, refused := run.Micros(0), 0
		for i := range 100 {
			all.Go(func() {
				m := nodes[i%2]
				h, room := m.asks(30, time.Minute)
				if room.Refusal != nil {
					mu.Lock()
					refused++
					mu.Unlock()
					return
				}
				if !room.Granted {
					t.Error("it waits for ever")
					return
				}
				mu.Lock()
				if kept += 30; kept > 1000 {
					t.Errorf("%d are kept or spent", kept)
				}
				mu.Unlock()
				time.Sleep(time.Duration(i) * 7 * time.Millisecond)
				mu.Lock()
				kept -= 30 - 20
				mu.Unlock()
				m.pays(h, 20)
			})
		}
		all.Wait()
		if spent := l.booked(); spent > 1000 || spent < 960 || refused == 0 {
			t.Errorf("%d are spent, %d were refused", spent, refused)
		}
		time.Sleep(2 * time.Second)
		for _, m := range nodes {
			list, err := m.budgets.List(t.Context(), "default")
			if err != nil || len(list) != 1 || list[0].Spent.Cost != l.booked() || list[0].Kept.Cost != 0 {
				t.Errorf("%s says %+v, %v", m.name, list, err)
			}
		}
	})
}

// What one node has drawn and does not use, another one gets when it needs it; what is
// kept for a call under way it waits for; what is spent it is refused.
func TestSharesAreGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLands(t)
		a, b := l.join("a"), l.join("b")
		a.make(auth.Budget{Period: auth.Daily, MaxCost: 1000})
		time.Sleep(2 * time.Second)
		h, room := a.asks(500, time.Second)
		if !room.Granted {
			t.Fatalf("%+v", room)
		}
		a.pays(h, 100)
		began := time.Now()
		h, room = b.asks(850, time.Minute)
		if took := time.Since(began); !room.Granted || took > 3*time.Second {
			t.Fatalf("what a does not use comes to b after %v: %+v", took, room)
		}
		if _, room := a.asks(100, 5*time.Second); room.Granted || room.Refusal != nil {
			t.Errorf("beside b's call: %+v", room)
		}
		if _, room := a.asks(901, 5*time.Second); room.Refusal == nil {
			t.Errorf("more than there is without b's call: %+v", room)
		}
		b.pays(h, 800)
		if h, room = a.asks(100, 5*time.Second); !room.Granted {
			t.Errorf("when b's call is over: %+v", room)
		}
		a.pays(h, 50)
		if _, room := b.asks(51, 5*time.Second); room.Refusal == nil {
			t.Errorf("51 of 50: %+v", room)
		}
		a.leave()
		if h, room = b.asks(50, 5*time.Second); !room.Granted {
			t.Errorf("50 of 50, when a has left: %+v", room)
		}
		b.pays(h, 50)
		if l.booked() != 1000 {
			t.Errorf("%d are booked", l.booked())
		}
	})
}

// What a node that died had drawn is nobody's, until it is certain what it has spent:
// what is booked, and in full what it kept for calls under way.
func TestSharesOfTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLands(t)
		a, b := l.join("a"), l.join("b")
		a.make(auth.Budget{Period: auth.Daily, MaxCost: 1000})
		time.Sleep(2 * time.Second)
		h, _ := a.asks(700, time.Second)
		a.pays(h, 200)
		h, _ = b.asks(100, time.Second)
		b.pays(h, 60)
		h, _ = a.asks(300, time.Second)
		l.notes("default", h.ID, 300)
		a.die()
		died := time.Now()
		if _, room := b.asks(441, 5*time.Second); room.Granted {
			t.Errorf("%+v is given of what the dead node may have spent", room)
		}
		h, room := b.asks(440, time.Minute)
		if !room.Granted {
			t.Errorf("when all is known: %+v", room)
		}
		if took := time.Since(died); took > 20*time.Second || took < 10*time.Second {
			t.Errorf("it was known after %v", took)
		}
		b.pays(h, 440)
		if l.booked() != 1000 {
			t.Errorf("%d are booked", l.booked())
		}
		c := l.join("c")
		if _, room := c.asks(1, 5*time.Second); room.Refusal == nil {
			t.Errorf("one more: %+v", room)
		}
	})
}

// A new day is a new sheet; what is kept over midnight is drawn from it.
func TestSharesOverMidnight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLands(t)
		time.Sleep(24*time.Hour - 15*time.Second) // time begins at midnight
		a, b := l.join("a"), l.join("b")
		a.make(auth.Budget{Period: auth.Daily, MaxCost: 1000})
		time.Sleep(2 * time.Second)
		over, room := a.asks(600, time.Second)
		if !room.Granted {
			t.Fatalf("%+v", room)
		}
		h, room := b.asks(400, 3*time.Second)
		if !room.Granted {
			t.Fatalf("%+v", room)
		}
		b.pays(h, 400)
		if _, room := b.asks(1, time.Second); room.Granted {
			t.Error("1001 of 1000")
		}
		time.Sleep(15 * time.Second)
		if h, room = b.asks(400, 5*time.Second); !room.Granted {
			t.Errorf("on the next day: %+v", room)
		}
		if _, room := b.asks(1, 3*time.Second); room.Granted {
			t.Error("beside what is kept since yesterday")
		}
		a.pays(over, 600)
		b.pays(h, 300)
		if _, room = b.asks(100, 5*time.Second); !room.Granted {
			t.Errorf("the rest: %+v", room)
		}
	})
}

// Runs are counted by all nodes together.
func TestSharesOfRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLands(t)
		nodes := []*member{l.join("a"), l.join("b")}
		nodes[0].make(auth.Budget{Period: auth.Daily, MaxRuns: 10})
		time.Sleep(2 * time.Second)
		var all sync.WaitGroup
		var mu sync.Mutex
		begun := 0
		for i := range 30 {
			all.Go(func() {
				_, err := nodes[i%2].ledger.Begin(l.us)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					begun++
				} else if !problem.Is(err, problem.RateLimited) {
					t.Error(err)
				}
			})
		}
		all.Wait()
		if begun != 10 {
			t.Errorf("%d runs have begun, want 10", begun)
		}
	})
}

// What is changed of a budget on one node holds on the others within two seconds.
func TestSharesHearOfChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLands(t)
		a, b := l.join("a"), l.join("b")
		made := a.make(auth.Budget{Name: "x", Period: auth.Daily, MaxCost: 10})
		time.Sleep(2 * time.Second)
		if _, room := b.asks(20, time.Second); room.Refusal == nil {
			t.Errorf("20 of 10: %+v", room)
		}
		if _, err := a.budgets.Change(t.Context(), "default", made.ID, "", func(b *auth.Budget) error { b.MaxCost = 30; return nil }); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if _, room := b.asks(20, 2*time.Second); !room.Granted {
			t.Errorf("20 of 30: %+v", room)
		}
		if _, err := a.budgets.Remove(t.Context(), "default", made.ID, "k"); err != nil {
			t.Fatal(err)
		}
		time.Sleep(2 * time.Second)
		if b.ledger.Covers(l.us) {
			t.Error("a budget that was removed covers")
		}
	})
}

// To be told of a death takes no time, also while the store keeps a round waiting, as it
// does when the dead node has left something locked: who tells has a lease to renew.
func TestSharesHearOfADeathAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLands(t)
		north := l.join("north")
		time.Sleep(1500 * time.Millisecond)
		began := time.Now()
		l.hold(time.Minute)
		time.Sleep(time.Second) // a round has begun
		north.shares.Missing("south")
		if took := time.Since(began); took != time.Second {
			t.Errorf("it took %v", took-time.Second)
		}
		l.hold(0)
	})
}

// A dead node's calls under way are charged in every project, also where no budget is
// or was: once nothing of the node's can be on its way any more, and nobody else's.
func TestSharesChargeTheDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLands(t)
		north := l.join("north")
		l.join("east")
		l.notes("default", "run_1/1/1/south", 300)
		other := run.RowWrite{Row: run.Row{Kind: "project", ID: "other", Data: []byte("{}")}, Expect: run.AnyVersion}
		if err := l.store.Append(t.Context(), run.Commit{Rows: []run.RowWrite{other}}); err != nil {
			t.Fatal(err)
		}
		l.notes("other", "run_2/1/1/south", 50)
		l.notes("default", "run_3/1/1/east", 7)
		l.notes("default", "run_4/1/1/west", 11) // it dies later
		north.shares.Missing("south")
		time.Sleep(9 * time.Second)
		north.shares.Missing("west")
		north.shares.Missing("south") // once more, which begins nothing anew
		if n := l.booked(); n != 0 {
			t.Errorf("%d are booked of what may be on its way", n)
		}
		time.Sleep(3 * time.Second)
		if n := l.booked(); n != 300 {
			t.Errorf("%d are booked, want south's 300", n)
		}
		if n := l.bookedIn("other"); n != 50 {
			t.Errorf("%d are booked in the other project, want 50", n)
		}
		time.Sleep(10 * time.Second)
		if n := l.booked(); n != 311 {
			t.Errorf("%d are booked, want south's and west's 311", n)
		}
		left, err := l.store.Rows(t.Context(), run.RowQuery{Kind: run.HoldKind, Project: "default"})
		if err != nil || len(left) != 1 || left[0].ID != "run_3/1/1/east" {
			t.Errorf("%v is still kept, %v", left, err)
		}
	})
}

// notes writes down what is kept for a call, as its driver does before it.
func (l *lands) notes(project, id string, cost run.Micros) {
	l.t.Helper()
	note := run.RowWrite{Row: run.Row{Kind: run.HoldKind, Project: project, ID: id, Data: fmt.Appendf(nil,
		`{"id":%q,"Project":%q,"Day":%q,"Agent":"a","Key":"k","Model":"m","tokens":1,"cost":%d}`, id, project, run.DayOf(time.Now()), cost)}, Expect: run.AnyVersion}
	if err := l.store.Append(l.t.Context(), run.Commit{Rows: []run.RowWrite{note}}); err != nil {
		l.t.Fatal(err)
	}
}

// hold has reads of all rows of a kind wait for so long, or for as long as they may.
func (l *lands) hold(long time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = long
}
