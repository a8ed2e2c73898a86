package client

import (
	"errors"
	"net/http"
	"testing"
	"time"
)

// A wait of hours is the caller's to decide about, not the client's to sit out.
func TestAUsedUpBudgetIsToldAtOnce(t *testing.T) {
	s, c := newScript(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "86400")
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = w.Write([]byte(`{"error":{"code":"rate_limited","message":"The budget has no room."}}`))
	})
	begun := time.Now()
	_, err := c.Agents.Run(t.Context(), "a", Task{Prompt: "Go."})
	var told *Error
	if !errors.As(err, &told) || told.Code != "rate_limited" || len(s.seen) != 1 || time.Since(begun) > time.Minute {
		t.Errorf("after %v and %d requests: %v", time.Since(begun), len(s.seen), err)
	}
}

func TestBudgetsAndUsage(t *testing.T) {
	s, c := newScript(t,
		answer(200, `{"id":"bud_1","agent":null,"period":"day","max_cost_usd":2.5,"max_runs":null,"spent":{"cost_usd":1,"tokens":9,"runs":3},"left":{"runs":null}}`),
		answer(200, `{"object":"usage","group_by":["model"],"data":[{"model":null,"runs":2},{"model":"m/x","calls":3,"cost_usd":0.5}],"total":{"runs":2,"unpriced":true}}`),
	)
	made, err := c.Budgets.Create(t.Context(), NewBudget{Period: "day", MaxCost: 2.5})
	if err != nil || *made.MaxCost != 2.5 || made.MaxRuns != nil || made.Spent.Runs != 3 || len(made.Raw) == 0 {
		t.Errorf("%+v %v", made, err)
	}
	report, err := c.Budgets.Usage(t.Context(), UsageQuery{From: "2026-01-01", GroupBy: []string{"model", "day"}})
	if err != nil || len(report.Data) != 2 || report.Data[1].Cost != 0.5 || !report.Total.Unpriced {
		t.Errorf("%+v %v", report, err)
	}
	if got := s.seen[1].URL.RawQuery; got != "from=2026-01-01&group_by=model%2Cday" {
		t.Errorf("asked for %s", got)
	}
}
