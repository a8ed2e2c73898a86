package app

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/model/router"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/sqlite"
)

// What is kept for a call is never less than what it costs, and grows with all
// that the model is sent.
func TestBound(t *testing.T) {
	models, err := router.New(router.Config{
		Offline: script.Steps(), Connect: func(router.Endpoint) (router.Model, error) { return script.Steps(), nil },
		Endpoints: []router.Endpoint{{Name: "near", BaseURL: "http://127.0.0.1:1/v1", Default: "m"}},
		Facts:     map[string]router.Facts{"near/m": {Tariff: router.Tariff{Input: 1, Output: 10}}, "near/dear": {Tariff: router.Tariff{Input: 2, Output: 30}}},
		Fallbacks: map[string][]string{"near/m": {"near/dear"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	a := &assembly{models: models}
	small := run.Request{Model: "near/m", Messages: []run.Message{{Role: run.User, Text: "Hi"}}, Params: run.Params{MaxTokens: 100}}
	tokens, cost := a.bound(&small)
	input := tokens - 100
	if input < 50 || int(cost) != 2*input+30*100 {
		t.Errorf("%d tokens for %d", tokens, cost)
	}
	more := map[string]func(*run.Request){
		"text":      func(r *run.Request) { r.Messages[0].Text += strings.Repeat("x", 1000) },
		"reasoning": func(r *run.Request) { r.Messages[0].Reasoning = strings.Repeat("x", 1000) },
		"a call":    func(r *run.Request) { r.Messages[0].Calls = []run.Call{{Arguments: strings.Repeat("x", 1000)}} },
		"a tool":    func(r *run.Request) { r.Tools = []run.Tool{{Parameters: []byte(strings.Repeat("x", 1000))}} },
		"a schema":  func(r *run.Request) { r.Output = []byte(strings.Repeat("x", 1000)) },
		"a picture": func(r *run.Request) { r.Messages[0].Images = []run.Image{{URL: "data:"}} },
		"thoughts":  func(r *run.Request) { r.Params.Thinking = 1000 },
		"no bound":  func(r *run.Request) { r.Params.MaxTokens = 0 },
	}
	for name, grow := range more {
		grown := small
		grown.Messages = append([]run.Message(nil), small.Messages...)
		grow(&grown)
		if now, _ := a.bound(&grown); now < tokens+1000 {
			t.Errorf("%s adds %d tokens", name, now-tokens)
		}
	}
	free := run.Request{Model: "near/unknown", Messages: small.Messages}
	if n, cost := a.bound(&free); n < 8192 || cost != 0 {
		t.Errorf("without a price %d tokens cost %d", n, cost)
	}
}

func TestBudgetCommands(t *testing.T) {
	s := newWorld(t).serve()
	w := newWorld(t).with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	w.terminal = true
	for _, step := range []struct {
		args []string
		want string
	}{
		{[]string{"budgets", "list"}, "None."},
		{[]string{"budgets", "add", "--name", "ours", "--per", "day", "--cost", "2.5", "--runs", "10"}, "$0.00 of $2.50, 0 of 10 runs"},
		{[]string{"budgets", "raise", "ours", "--cost", "5", "--tokens", "1000000"}, "$0.00 of $5.00, 0 of 1,000,000 tokens"},
		{[]string{"budgets", "list"}, "all, per day"},
		{[]string{"usage"}, "None."},
		{[]string{"usage", "--by", "agent,model", "--from", "2026-01-01", "--to", "2026-01-31", "--json"}, `"agent",`},
		{[]string{"budgets", "rm", "ours"}, "Removed ours."},
	} {
		if code, out, errs := w.run(step.args...); code != exitOK || !strings.Contains(out, step.want) {
			t.Errorf("%v: exit %d\n%s%s", step.args, code, out, errs)
		}
	}
	for _, wrong := range [][]string{{"budgets", "add"}, {"budgets", "raise", "x"}, {"budgets", "add", "--cost", "-1"}} {
		if code, _, errs := w.run(wrong...); code != exitUsage {
			t.Errorf("%v: exit %d, %s", wrong, code, errs)
		}
	}
}

// A run that waits for its budget goes on when the next period begins, and nobody
// else has to do anything.
func TestAPeriodBegins(t *testing.T) {
	var passed atomic.Int64
	at := time.Date(2026, 5, 31, 23, 0, 0, 0, time.UTC)
	now := func() time.Time { return at.Add(time.Duration(passed.Load())) }
	kept, err := sqlite.Open(t.Context(), sqlite.Config{Dir: t.TempDir(), Now: now})
	if err != nil {
		t.Fatal(err)
	}
	ledger := auth.NewLedger(now)
	driving := engine.New(engine.Config{
		Log: kept, Rows: kept, Models: script.Steps(script.Say("At last.")), Now: now, Budgets: ledger,
		Bound: func(*run.Request) (int, run.Micros) { return 10, 10 },
	})
	if err := driving.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(driving.Close(context.Background()), kept.Close()); err != nil {
			t.Error(err)
		}
	})
	ledger.Set(auth.Budget{ID: "b", Project: "p", Period: auth.Monthly, MaxCost: 10}, auth.Amount{Cost: 5})
	made, err := driving.Create(t.Context(), engine.NewRun{Spec: run.Spec{
		Project: "p", Model: "m", Input: run.Message{Role: run.User, Text: "Go."}, OnBudget: run.WaitForBudget, Limits: run.Limits{MaxSteps: 2},
	}})
	if err != nil {
		t.Fatal(err)
	}
	until := func(want run.Status) {
		t.Helper()
		for deadline := time.Now().Add(time.Minute); ; <-time.After(5 * time.Millisecond) {
			s, err := driving.Get(t.Context(), "p", made.ID)
			if err != nil || time.Now().After(deadline) {
				t.Fatalf("the run is %s and not %s: %v", s.Status, want, err)
			}
			if s.Status == want {
				return
			}
		}
	}
	until(run.PausedStatus)
	jobs, err := kept.Jobs(t.Context(), 9)
	if err != nil || len(jobs) != 1 || !jobs[0].Due.Equal(at.Add(time.Hour)) {
		t.Fatalf("the jobs are %+v %v", jobs, err)
	}
	a := &assembly{store: recorded{keeper: kept, now: now}, engine: driving, now: now}
	wake := func() {
		t.Helper()
		if err := a.wakeStarved(t.Context(), jobs[0]); err != nil {
			t.Fatal(err)
		}
	}
	if early := problem.From(a.wakeStarved(t.Context(), jobs[0])); early == nil || early.RetryAfter != time.Hour {
		t.Errorf("before its time the job is told %v", early) // by a clock that goes before this one
	}
	until(run.PausedStatus)
	passed.Store(int64(time.Hour))
	wake()
	until(run.Completed)
	wake()
}
