package auth

import (
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

func ledgerAt(at *time.Time) *Ledger { return NewLedger(func() time.Time { return *at }) }

func call(id string, cost run.Micros, a run.Account) run.Hold {
	return run.Hold{ID: id, Account: a, Tokens: 10, Cost: cost}
}

// What is kept for calls under way counts at once; what they have really cost comes
// in its place.
func TestLedger(t *testing.T) {
	at := time.Date(2026, 5, 31, 23, 59, 0, 0, time.UTC)
	l := ledgerAt(&at)
	us := run.Account{Project: "p", Agent: "a", Key: "k"}
	if l.Covers(us) {
		t.Error("a project without budgets is covered")
	}
	l.Set(Budget{ID: "b", Project: "p", Period: Daily, MaxCost: 100}, Amount{Cost: 20})
	freed := 0
	free := func() { freed++ }
	if !l.Reserve(call("1", 50, us), free).Granted {
		t.Error("50 of 80 is refused")
	}
	if room := l.Reserve(call("2", 40, us), free); room.Granted || room.Refusal != nil {
		t.Errorf("40 beside 50 of 80: %+v", room)
	}
	room := l.Reserve(call("3", 81, us), free)
	if room.Refusal == nil || room.Refusal.Limit != "cost" || !room.Refusal.Until.Equal(time.Date(2026, 6, 1, 0, 0, 0, 0, time.UTC)) ||
		!strings.Contains(room.Refusal.Message, "0.0001 of 0.0001 US dollars are left") {
		t.Errorf("81 of 80: %+v", room.Refusal)
	}
	l.Settle(call("1", 50, us), run.Usage{Cost: 30, Input: 3, Output: 4})
	if freed != 1 {
		t.Errorf("%d were woken, want 1", freed)
	}
	if !l.Reserve(call("2", 40, us), free).Granted {
		t.Error("40 of 50 is refused")
	}
	l.Settle(run.Hold{Account: us}, run.Usage{Cost: 5})
	spent, kept, _ := l.Drawn("p", "b")
	if spent.Cost != 55 || spent.Tokens != 7 || kept.Cost != 40 {
		t.Errorf("spent %+v, kept %+v", spent, kept)
	}
	at = at.Add(2 * time.Minute)
	if spent, kept, _ := l.Drawn("p", "b"); spent.Cost != 0 || kept.Cost != 40 {
		t.Errorf("on the next day %+v are spent and %+v kept", spent, kept)
	}
}

// A raise lets those ask again who wait.
func TestLedgerIsRaised(t *testing.T) {
	at := time.Date(2026, 5, 31, 0, 0, 0, 0, time.UTC)
	l := ledgerAt(&at)
	us := run.Account{Project: "p"}
	b := Budget{ID: "b", Project: "p", Period: Monthly, MaxTokens: 15}
	l.Set(b, Amount{})
	freed := 0
	l.Reserve(call("1", 0, us), nil)
	l.Reserve(call("2", 0, us), func() { freed++ })
	b.MaxTokens = 20
	l.Set(b, Amount{Tokens: 1000})
	if freed != 1 || !l.Reserve(call("2", 0, us), nil).Granted {
		t.Errorf("woken %d", freed)
	}
	l.Remove("p", "b")
	if l.Covers(us) {
		t.Error("a budget that was removed covers")
	}
}

// A budget is drawn from by those whom it names, and by whom they hand work to.
func TestLedgerCovers(t *testing.T) {
	for _, test := range []struct {
		budget Budget
		under  run.Account
		want   bool
	}{
		{Budget{Project: "p"}, run.Account{Project: "p"}, true},
		{Budget{Project: "p"}, run.Account{Project: "q"}, false},
		{Budget{Project: "p", Agent: "a"}, run.Account{Project: "p"}, false},
		{Budget{Project: "p", Agent: "a"}, run.Account{Project: "p", Agent: "a"}, true},
		{Budget{Project: "p", Agent: "a"}, run.Account{Project: "p", Agent: "c", Under: "b a"}, true},
		{Budget{Project: "p", Agent: "a"}, run.Account{Project: "p", Agent: "c", Under: "ab"}, false},
		{Budget{Project: "p", Key: "k"}, run.Account{Project: "p", Key: "k"}, true},
		{Budget{Project: "p", Key: "k", Agent: "a"}, run.Account{Project: "p", Key: "k"}, false},
	} {
		if got := test.budget.Covers(test.under); got != test.want {
			t.Errorf("%+v covers %+v: %v", test.budget, test.under, got)
		}
	}
}

func TestLedgerCountsRuns(t *testing.T) {
	at := time.Date(2026, 5, 31, 12, 0, 0, 0, time.UTC)
	l := ledgerAt(&at)
	l.Set(Budget{ID: "b", Name: "trial", Project: "p", Period: Daily, MaxRuns: 2}, Amount{Runs: 1})
	undo, err := l.Begin(run.Account{Project: "p"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = l.Begin(run.Account{Project: "p"})
	if !problem.Is(err, problem.RateLimited) || problem.From(err).RetryAfter != 12*time.Hour || !strings.Contains(err.Error(), `"trial"`) {
		t.Errorf("the third run: %v", err)
	}
	undo()
	if _, err := l.Begin(run.Account{Project: "p"}); err != nil {
		t.Error(err)
	}
}

// However many ask at once, no more is given than there is.
func TestLedgerUnderLoad(t *testing.T) {
	at := time.Date(2026, 5, 31, 12, 0, 0, 0, time.UTC)
	l := ledgerAt(&at)
	us := run.Account{Project: "p"}
	l.Set(Budget{ID: "b", Project: "p", Period: Daily, MaxCost: 1000}, Amount{})
	// A hundred ask at once, and none has ended: there is room for twenty.
	var all sync.WaitGroup
	var granted atomic.Int64
	for i := range 100 {
		all.Go(func() {
			if l.Reserve(call("first"+string(rune('a'+i)), 50, us), func() {}).Granted {
				granted.Add(1)
			}
		})
	}
	all.Wait()
	if _, kept, _ := l.Drawn("p", "b"); granted.Load() != 20 || kept.Cost != 1000 {
		t.Errorf("%d calls are let in, %+v is kept", granted.Load(), kept)
	}
	for i := range 100 {
		l.Settle(call("first"+string(rune('a'+i)), 50, us), run.Usage{})
	}
	for i := range 100 {
		all.Go(func() {
			for n := range 20 {
				h := call(string(rune('a'+i))+string(rune('a'+n)), 50, us)
				if l.Reserve(h, func() {}).Granted {
					if spent, kept, _ := l.Drawn("p", "b"); spent.Cost+kept.Cost > 1000 {
						t.Errorf("%d are spent and %d kept", spent.Cost, kept.Cost)
					}
					l.Settle(h, run.Usage{Cost: 30})
				}
			}
		})
	}
	all.Wait()
	if spent, kept, _ := l.Drawn("p", "b"); spent.Cost > 1000 || spent.Cost < 950 || kept != (Amount{}) {
		t.Errorf("in the end %+v are spent and %+v kept", spent, kept)
	}
}
