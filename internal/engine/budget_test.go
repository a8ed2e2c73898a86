package engine_test

import (
	"context"
	"encoding/json"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// priced is a world whose model calls cost 30 of the 50 that each is held for.
func priced(t *testing.T, model *script.Model, test func(t *testing.T, w *world, ledger *auth.Ledger)) {
	inWorld(t, model, func(t *testing.T, w *world) {
		w.close(time.Second)
		ledger := auth.NewLedger(time.Now)
		w.engine = w.budgeted(ledger)
		test(t, w, ledger)
	})
}

func (w *world) budgeted(ledger *auth.Ledger) *engine.Engine {
	return engine.New(engine.Config{
		Log: w.store, Rows: w.store, Models: w.models, Tools: w.tools, Now: time.Now, MaxActive: 200,
		Budgets: ledger, Bound: func(*run.Request) (int, run.Micros) { return 100, 50 },
	})
}

func paying(calls int) *script.Model {
	return script.Func(func(ctx context.Context, req run.Request) (script.Line, error) {
		sleep(ctx, time.Second)
		line := script.Say("So far so good.")
		if req.Step < calls {
			line = script.Call("read", `{}`)
		}
		line.Reply.Usage = run.Usage{Input: 10, Output: 5, Cost: 30}
		return line, ctx.Err()
	})
}

// holds are those on disk.
func (w *world) holds() []run.Row {
	rows, err := w.store.Rows(context.Background(), run.RowQuery{Kind: run.HoldKind, Project: "p"})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

func (w *world) spent() (sum run.Spend) {
	today := run.DayOf(time.Now())
	all, err := w.store.Spent(context.Background(), "p", "2000-01-01", today)
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range all {
		sum.Add(&all[i])
	}
	return sum
}

// A hundred runs at once never spend more than their budget; each ends honestly.
func TestBudgetHolds(t *testing.T) {
	priced(t, paying(3), func(t *testing.T, w *world, ledger *auth.Ledger) {
		ledger.Set(auth.Budget{ID: "b", Project: "p", Period: auth.Daily, MaxCost: 1000}, auth.Amount{})
		var ids []run.ID
		for range 100 {
			ids = append(ids, w.create(spec()))
		}
		ends := map[run.StopReason]int{}
		for _, id := range ids {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			s, err := w.engine.Wait(ctx, "p", id)
			cancel()
			if err != nil || s.Ended == nil {
				t.Fatalf("a run is %s: %v", s.Status, err)
			}
			ends[s.Ended.Reason]++
		}
		spent, kept, _ := ledger.Drawn("p", "b")
		if spent.Cost > 1000 || spent.Cost <= 950-30 || kept != (auth.Amount{}) {
			t.Errorf("%+v are spent and %+v kept", spent, kept)
		}
		if ends[run.Answered]+ends[run.BudgetExhausted] != 100 || ends[run.BudgetExhausted] == 0 {
			t.Errorf("the runs ended as %v", ends)
		}
		if sum := w.spent(); sum.Usage.Cost != spent.Cost || sum.Runs != 100 || sum.Calls*30 != int(spent.Cost) {
			t.Errorf("booked are %+v, drawn %+v", sum, spent)
		}
		if left := w.holds(); len(left) > 0 {
			t.Errorf("%d holds are left on disk", len(left))
		}
	})
}

// A run that waits for its budget goes on when it is raised, and costs nothing
// meanwhile.
func TestBudgetIsWaitedFor(t *testing.T) {
	priced(t, paying(2), func(t *testing.T, w *world, ledger *auth.Ledger) {
		b := auth.Budget{ID: "b", Project: "p", Period: auth.Daily, MaxCost: 60}
		ledger.Set(b, auth.Amount{})
		s := spec()
		s.OnBudget = run.WaitForBudget
		id := w.create(s)
		if s := w.rest(id, run.PausedStatus); s.Refusal == nil || s.Refusal.Budget != "b" {
			t.Errorf("it rests with %+v", s.Refusal)
		}
		row, err := w.store.Row(t.Context(), engine.StarvedKind, "p", "b/"+id.String())
		if err != nil || row.Expires.IsZero() {
			t.Errorf("nobody would find it: %+v %v", row, err)
		}
		jobs, err := w.store.Jobs(t.Context(), 10)
		if err != nil || len(jobs) != 1 || jobs[0].Kind != engine.BudgetJob || jobs[0].Run != id {
			t.Errorf("the jobs are %+v %v", jobs, err)
		}
		if _, err := w.engine.Raise(t.Context(), "p", id, "me"); err != nil {
			t.Fatal(err)
		}
		w.rest(id, run.PausedStatus) // there is no more room than before
		b.MaxCost = 100
		ledger.Set(b, auth.Amount{})
		if _, err := w.engine.Raise(t.Context(), "p", id, "me"); err != nil {
			t.Fatal(err)
		}
		w.rest(id, run.Completed)
		if _, err := w.engine.Raise(t.Context(), "p", id, "me"); err != nil {
			t.Errorf("raising for a run that has ended: %v", err)
		}
	})
}

// What a crash or a cancel has cut off is charged in full: by a hold on disk, or at
// once.
func TestBudgetOfACutCall(t *testing.T) {
	priced(t, paying(1), func(t *testing.T, w *world, ledger *auth.Ledger) {
		ledger.Set(auth.Budget{ID: "b", Project: "p", Period: auth.Daily, MaxCost: 1000}, auth.Amount{})
		first, second := w.create(spec()), w.create(spec())
		sleep(t.Context(), 500*time.Millisecond)
		if _, err := w.engine.Cancel(t.Context(), "p", first, run.Cancel{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if spent, kept, _ := ledger.Drawn("p", "b"); spent.Cost != 50 || kept.Cost != 50 || w.spent().Usage.Cost != 50 {
			t.Errorf("after a cancel %+v are spent, %+v kept, %+v booked", spent, kept, w.spent())
		}
		if _, err := w.engine.Message(t.Context(), "p", second, run.Added{Text: "x"}); err != nil {
			t.Fatal(err)
		}
		sleep(t.Context(), 100*time.Millisecond)
		w.close(0)
		left := w.holds()
		if len(left) != 1 {
			t.Fatalf("%d holds are left, want the one of the call that the stop cut off", len(left))
		}
		var h run.Hold
		if err := json.Unmarshal(left[0].Data, &h); err != nil || h.Cost != 50 || h.Key != spec().Key || h.Model != "script" {
			t.Errorf("the hold is %+v %v", h, err)
		}
		w.engine = w.budgeted(ledger)
	})
}

// A run that may not begin leaves nothing behind.
func TestBudgetOfRuns(t *testing.T) {
	priced(t, paying(1), func(t *testing.T, w *world, ledger *auth.Ledger) {
		ledger.Set(auth.Budget{ID: "b", Project: "p", Period: auth.Daily, MaxRuns: 1}, auth.Amount{})
		w.rest(w.create(spec()), run.Completed)
		_, err := w.engine.Create(t.Context(), engine.NewRun{Spec: spec()})
		if !problem.Is(err, problem.RateLimited) {
			t.Errorf("the second run: %v", err)
		}
		if lines, _ := w.store.Runs(t.Context(), run.RunQuery{Project: "p"}); len(lines) != 1 {
			t.Errorf("%d runs", len(lines))
		}
	})
}

// Work that an agent hands down draws from its budget.
func TestBudgetOfAFamily(t *testing.T) {
	priced(t, familyModel(), func(t *testing.T, w *world, ledger *auth.Ledger) {
		ledger.Set(auth.Budget{ID: "b", Project: "p", Agent: "boss", Period: auth.Daily, MaxTokens: 250}, auth.Amount{})
		s := family()
		s.Agent = &run.AgentRef{ID: "boss", Name: "boss", Version: 1}
		s.Handoffs[0].Spec.Agent = &run.AgentRef{ID: "helper", Name: "helper", Version: 1}
		id := w.create(s)
		sleep(t.Context(), time.Minute)
		for _, child := range w.children(id) {
			if child.Spec.Under != "boss" {
				t.Errorf("a child is under %q", child.Spec.Under)
			}
		}
		ctx := context.Background()
		all, _ := w.store.Spent(ctx, "p", "2000-01-01", "2999-01-01")
		if len(all) == 0 || all[len(all)-1].Agent != "helper" || all[len(all)-1].Under != "boss" {
			t.Errorf("booked are %+v", all)
		}
	})
}
