package auth_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// treasury is budgets over a store in memory, with a clock to turn.
type treasury struct {
	*auth.Budgets
	t      *testing.T
	rows   *failing
	ledger *auth.Ledger
	now    time.Time
}

// failing is a store that can refuse to write.
type failing struct {
	*memory.Store
	fault error
}

func (f *failing) Append(ctx context.Context, c run.Commit) error {
	if f.fault != nil {
		return f.fault
	}
	return f.Store.Append(ctx, c)
}

func newTreasury(t *testing.T) *treasury {
	t.Helper()
	b := &treasury{t: t, now: time.Date(2026, 5, 30, 22, 0, 0, 0, time.UTC)}
	b.rows = &failing{Store: memory.New(memory.Config{Now: func() time.Time { return b.now }})}
	b.start()
	return b
}

// start is what a server does that finds these rows.
func (b *treasury) start() {
	b.t.Helper()
	clock := func() time.Time { return b.now }
	b.ledger = auth.NewLedger(clock)
	b.Budgets = auth.NewBudgets(b.rows, b.rows, b.ledger, clock)
	if err := b.Load(b.t.Context()); err != nil {
		b.t.Fatal(err)
	}
}

func (b *treasury) make(draft auth.Budget) auth.Standing {
	b.t.Helper()
	draft.Project = "default"
	made, err := b.Create(b.t.Context(), draft, nil)
	if err != nil {
		b.t.Fatal(err)
	}
	return made
}

func (b *treasury) get(ref string) auth.Standing {
	b.t.Helper()
	found, err := b.Get(b.t.Context(), "default", ref)
	if err != nil {
		b.t.Fatal(err)
	}
	return found
}

// book books money on the clock's day.
func (b *treasury) book(cost run.Micros, a run.Account) {
	b.t.Helper()
	a.Project, a.Day = "default", run.DayOf(b.now)
	spend := run.Spend{Account: a, Calls: 1, Runs: 1, Usage: run.Usage{Input: int(cost), Cost: cost}}
	if err := b.rows.Append(b.t.Context(), run.Commit{Spend: []run.Spend{spend}}); err != nil {
		b.t.Fatal(err)
	}
}

func (b *treasury) jobs() []run.Job {
	b.t.Helper()
	jobs, err := b.rows.Jobs(b.t.Context(), 100)
	if err != nil {
		b.t.Fatal(err)
	}
	return jobs
}

// A budget counts what its period has seen, whether it is made late or loaded anew,
// and nothing of the period before.
func TestBudgetCountsItsPeriod(t *testing.T) {
	b := newTreasury(t)
	b.book(10, run.Account{Agent: "a"})
	b.now = b.now.AddDate(0, 0, 1)
	b.book(5, run.Account{Agent: "a"})
	b.book(3, run.Account{Agent: "other", Under: "a"})
	b.book(100, run.Account{Agent: "b"})
	day := b.make(auth.Budget{Name: "day", Agent: "a", Period: auth.Daily, MaxCost: 1000})
	month := b.make(auth.Budget{Name: "month", Agent: "a", Period: auth.Monthly, MaxCost: 1000})
	for range 2 {
		if got := b.get("day"); got.Spent != (auth.Amount{Cost: 8, Tokens: 8, Runs: 1}) || got.ID != day.ID || !got.Until.Equal(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)) {
			t.Errorf("the day has seen %+v", got)
		}
		if got := b.get(month.ID); got.Spent != (auth.Amount{Cost: 18, Tokens: 18, Runs: 2}) {
			t.Errorf("the month has seen %+v", got)
		}
		b.start()
	}
	b.now = b.now.Add(3 * time.Hour) // it is June
	for _, name := range []string{"day", "month"} {
		if got := b.get(name); got.Spent != (auth.Amount{}) || !got.Until.After(b.now) {
			t.Errorf("the new %s has seen %+v", name, got)
		}
	}
	b.book(4, run.Account{Agent: "a"})
	b.start()
	if got := b.get("month"); got.Spent.Cost != 4 {
		t.Errorf("June has seen %+v", got)
	}
}

// What a crash has left of calls is charged once, in full, on the day of the call.
func TestHoldsAreCharged(t *testing.T) {
	b := newTreasury(t)
	b.make(auth.Budget{Name: "b", Period: auth.Monthly, MaxCost: 1000})
	var commit run.Commit
	for i := range 450 { // more than a page
		h := run.Hold{ID: time.Duration(i).String(), Tokens: 10, Cost: 2, Account: run.Account{Project: "default", Day: "2026-05-29", Model: "m/x"}}
		data, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		commit.Rows = append(commit.Rows, run.RowWrite{Row: run.Row{Kind: run.HoldKind, Project: "default", ID: h.ID, Data: data}})
	}
	if err := b.rows.Append(t.Context(), commit); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		b.start()
		if got := b.get("b"); got.Spent.Cost != 900 || got.Spent.Tokens != 4500 {
			t.Errorf("charged are %+v", got.Spent)
		}
		spent, err := b.rows.Spent(t.Context(), "default", "2026-05-29", "2026-05-29")
		if err != nil || len(spent) != 1 || spent[0].Usage.Cost != 900 || spent[0].Calls != 450 {
			t.Errorf("booked are %+v %v", spent, err)
		}
	}
}

// More room is told to those who wait, less is not; what the disk refuses has not
// happened.
func TestBudgetChanges(t *testing.T) {
	b := newTreasury(t)
	made := b.make(auth.Budget{Name: "b", Period: auth.Daily, MaxCost: 100, MaxTokens: 50})
	limit := func(cost run.Micros) func(*auth.Budget) error {
		return func(found *auth.Budget) error { found.MaxCost = cost; return nil }
	}
	change := func(cost run.Micros) error {
		_, err := b.Change(t.Context(), "default", "b", "key_1", limit(cost))
		return err
	}
	if err := change(50); err != nil || len(b.jobs()) != 0 {
		t.Errorf("less room: %v, %d jobs", err, len(b.jobs()))
	}
	if err := change(0); err != nil || b.get("b").MaxCost != 0 {
		t.Errorf("no limit: %v", err)
	}
	var told auth.Raised
	if jobs := b.jobs(); len(jobs) != 1 || jobs[0].Kind != auth.RaisedJob || json.Unmarshal(jobs[0].Data, &told) != nil {
		t.Fatalf("the jobs are %+v", jobs)
	}
	if diff := cmp.Diff(auth.Raised{Project: "default", Budget: made.ID, By: "key_1"}, told); diff != "" {
		t.Error(diff)
	}
	b.rows.fault = errors.New("the disk is full")
	if err := change(7); err == nil || b.get("b").MaxCost != 0 || !b.room(60) {
		t.Errorf("a change that the disk refuses: %v, %+v", err, b.get("b"))
	}
	if _, err := b.Remove(t.Context(), "default", "b", "key_1"); err == nil || b.ledger.Reserve(run.Hold{ID: "x", Tokens: 60, Account: run.Account{Project: "default"}}, nil).Granted {
		t.Errorf("a removal that the disk refuses: %v", err)
	}
	b.rows.fault = nil
	if _, err := b.Remove(t.Context(), "default", made.ID, "key_1"); err != nil || b.ledger.Covers(run.Account{Project: "default"}) || len(b.jobs()) != 2 {
		t.Errorf("removing: %v, %d jobs", err, len(b.jobs()))
	}
	if _, err := b.Get(t.Context(), "default", "b"); !problem.Is(err, problem.NotFound) {
		t.Errorf("it is still there: %v", err)
	}
}

// room reports whether a call of this cost would be let through.
func (b *treasury) room(cost run.Micros) bool {
	h := run.Hold{ID: "probe", Cost: cost, Account: run.Account{Project: "default"}}
	defer b.ledger.Settle(h, run.Usage{})
	return b.ledger.Reserve(h, func() {}).Granted
}

func TestBudgetsThatAreRefused(t *testing.T) {
	b := newTreasury(t)
	b.make(auth.Budget{Name: "taken", Period: auth.Daily, MaxRuns: 1})
	for field, draft := range map[string]auth.Budget{
		"period":       {MaxRuns: 1},
		"max_cost_usd": {Period: auth.Daily},
		"name":         {Name: "bud_x", Period: auth.Daily, MaxRuns: 1},
	} {
		draft.Project = "default"
		if _, err := b.Create(t.Context(), draft, nil); err == nil || problem.From(err).Fields[field] == "" {
			t.Errorf("%s: %v", field, err)
		}
	}
	_, err := b.Create(t.Context(), auth.Budget{Project: "default", Name: "taken", Period: auth.Daily, MaxTokens: 1}, nil)
	if !problem.Is(err, problem.Conflict) || !b.ledger.Reserve(run.Hold{ID: "y", Tokens: 9, Account: run.Account{Project: "default"}}, nil).Granted {
		t.Errorf("a second one of the name: %v", err)
	}
	if all, err := b.List(t.Context(), "default"); err != nil || len(all) != 1 {
		t.Errorf("%d budgets, %v", len(all), err)
	}
}

// A call that began before a budget was made counts in it, also if it was held
// against another one.
func TestLateBudgetCountsCallsUnderWay(t *testing.T) {
	b := newTreasury(t)
	b.make(auth.Budget{Name: "early", Period: auth.Daily, MaxCost: 1000})
	h := run.Hold{ID: "h", Cost: 50, Account: run.Account{Project: "default"}}
	if !b.ledger.Reserve(h, nil).Granted {
		t.Fatal("no room")
	}
	b.make(auth.Budget{Name: "late", Period: auth.Daily, MaxCost: 1000})
	b.ledger.Settle(h, run.Usage{Cost: 30})
	for _, name := range []string{"early", "late"} {
		if got := b.get(name); got.Spent.Cost != 30 || got.Kept.Cost != 0 {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
