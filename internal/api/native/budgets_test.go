package native_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/internal/model/script"
	"errand/internal/run"
)

func TestBudgetLife(t *testing.T) {
	w := newWorld(t, script.Steps())
	w.want(200, "POST", "/v1/agents", with("", ""))
	made := w.want(200, "POST", "/v1/budgets", `{"name":"b","agent":"a","period":"month","max_cost_usd":2.5,"max_runs":3}`, "Idempotency-Key", "k1").
		has("max_cost_usd", 2.5).has("left.cost_usd", 2.5).has("left.tokens", nil).has("spent.runs", 0).has("key", nil)
	id := made.text("id")
	if !strings.HasPrefix(made.text("agent"), "agt_") {
		t.Errorf("the agent is %s", made.text("agent"))
	}
	w.want(200, "POST", "/v1/budgets", `{"name":"b","agent":"a","period":"month","max_cost_usd":2.5,"max_runs":3}`, "Idempotency-Key", "k1").has("id", id)
	w.want(409, "POST", "/v1/budgets", `{"name":"b","period":"day","max_tokens":1}`).has("error.code", "conflict").has("error.param", "name")
	w.want(200, "GET", "/v1/budgets/b", "").has("id", id)
	w.want(200, "PATCH", "/v1/budgets/b", `{"max_cost_usd":null,"max_tokens":7,"name":"c"}`).
		has("max_cost_usd", nil).has("max_tokens", 7).has("max_runs", 3).has("left.cost_usd", nil)
	w.want(200, "POST", "/v1/budgets", `{"period":"day","max_tokens":1}`)
	w.want(200, "GET", "/v1/budgets", "").count("data", 2)
	w.want(200, "GET", "/v1/budgets?limit=1", "").has("has_more", true).has("next_cursor", id)
	w.want(200, "GET", "/v1/budgets?starting_after="+id, "").count("data", 1)
	w.want(400, "GET", "/v1/budgets?starting_after=bud_nobody", "")
	reader := w.key(`{"name":"reader","scopes":["runs:read","keys:write"]}`)
	reader.want(200, "GET", "/v1/budgets/"+id, "")
	reader.want(403, "PATCH", "/v1/budgets/"+id, `{"max_runs":9}`)
	other := w.key(`{"name":"other","project":"elsewhere","scopes":["admin"]}`)
	other.want(404, "GET", "/v1/budgets/"+id, "").has("error.code", "not_found")
	other.want(200, "GET", "/v1/budgets", "").count("data", 0)
	w.want(200, "DELETE", "/v1/budgets/c", "").has("id", id)
	w.want(404, "DELETE", "/v1/budgets/c", "")
}

func TestBudgetFaults(t *testing.T) {
	w := newWorld(t, script.Steps())
	w.want(200, "POST", "/v1/budgets", `{"name":"b","period":"day","max_tokens":1}`)
	for _, fault := range []struct{ method, body, field string }{
		{"POST", `{"max_runs":1}`, "period"},
		{"POST", `{"period":"week","max_runs":1}`, "period"},
		{"POST", `{"period":"day"}`, "max_cost_usd"},
		{"POST", `{"period":"day","max_cost_usd":0}`, "max_cost_usd"},
		{"POST", `{"period":"day","max_cost_usd":"1"}`, "max_cost_usd"},
		{"POST", `{"period":"day","max_tokens":1.5}`, "max_tokens"},
		{"POST", `{"period":"day","max_tokens":1,"agent":"nobody"}`, "agent"},
		{"POST", `{"period":"day","max_tokens":1,"key":"key_x"}`, "key"},
		{"POST", `{"period":"day","max_tokens":1,"name":"a/b"}`, "name"},
		{"PATCH", `{"period":"month"}`, "period"},
		{"PATCH", `{"key":"key_x"}`, "key"},
		{"PATCH", `{"max_tokens":null}`, "max_cost_usd"},
		{"PATCH", `{"max_runs":-1}`, "max_runs"},
	} {
		path := "/v1/budgets"
		if fault.method == "PATCH" {
			path += "/b"
		}
		if got := w.want(400, fault.method, path, fault.body).get("errors"); got == nil || !strings.Contains(fmt.Sprint(got), fault.field+":") {
			t.Errorf("%s %s: %v", fault.method, fault.body, got)
		}
	}
	w.want(200, "GET", "/v1/budgets/b", "").has("max_tokens", 1)
}

// TestBudgetOfRuns: a run without room is not made, and the next period is told.
func TestBudgetOfRuns(t *testing.T) {
	w := newWorld(t, script.Steps(script.Say("Done.")))
	w.want(200, "POST", "/v1/budgets", `{"period":"day","max_runs":1}`)
	w.want(201, "POST", "/v1/runs", `{"model":"y0-agent","prompt":"Go."}`)
	refused := w.want(429, "POST", "/v1/runs", `{"model":"y0-agent","prompt":"Go."}`).has("error.code", "rate_limited")
	if refused.Header.Get("Retry-After") == "" {
		t.Error("nothing says when to come again")
	}
	w.want(200, "GET", "/v1/runs", "").count("data", 1)
}

// booked is one run's call.
func booked(day run.Day, agent, model string, u run.Usage) run.Spend {
	u.Input, u.Output = 10, 2
	return run.Spend{Account: run.Account{Project: "default", Day: day, Agent: agent, Key: "key_1", Model: model}, Runs: 1, Calls: 1, Usage: u}
}

func TestUsage(t *testing.T) {
	w := newWorld(t, script.Steps())
	for _, b := range []run.Spend{
		booked("2026-02-01", "agt_1", "m/x", run.Usage{Cost: 1_000_000}),
		booked("2026-02-03", "agt_1", "m/y", run.Usage{Cost: 500_000, Unpriced: true}),
		booked("2026-02-03", "", "m/x", run.Usage{Cost: 250_000}),
		booked("2026-03-01", "", "m/x", run.Usage{Cost: 100}),
	} {
		if err := w.store.Append(t.Context(), run.Commit{Spend: []run.Spend{b}}); err != nil {
			t.Fatal(err)
		}
	}
	other := run.Spend{Account: run.Account{Project: "elsewhere", Day: "2026-02-03"}, Runs: 7}
	if err := w.store.Append(t.Context(), run.Commit{Spend: []run.Spend{other}}); err != nil {
		t.Fatal(err)
	}
	february := "/v1/usage?from=2026-02-01&to=2026-02-28T23:00:00Z"
	w.want(200, "GET", february, "").count("data", 2).has("total.cost_usd", 1.75).has("total.unpriced", true).
		has("data.0.day", "2026-02-01").has("data.0.cost_usd", 1).has("data.0.unpriced", false).has("data.1.calls", 2).has("data.1.runs", 2).has("data.0.runs", 1)
	w.want(200, "GET", february+"&group_by=agent", "").count("data", 2).has("data.0.agent", nil).has("data.1.total_tokens", 24)
	byBoth := w.want(200, "GET", february+"&group_by=model,agent", "").count("data", 3).has("data.2.model", "m/y").has("data.1.agent", "agt_1")
	if strings.Contains(string(byBoth.Body), `"day"`) {
		t.Errorf("%s", byBoth.Body)
	}
	w.want(200, "GET", "/v1/usage", "").has("to", run.DayOf(time.Now())).has("total.runs", 0)
	w.key(`{"name":"else","project":"elsewhere","scopes":["runs:read"]}`).want(403, "GET", february+"&project=default", "")
	w.want(200, "GET", february+"&project=*&group_by=project", "").count("data", 2).has("data.1.project", "elsewhere").has("data.1.runs", 7)
	w.want(200, "GET", february+"&project=elsewhere", "").has("total.runs", 7)
	for query, field := range map[string]string{
		"from=x": "from", "to=2026-13-01": "to", "from=2026-02-02&to=2026-02-01": "to", "from=2024-01-01&to=2025-01-01": "from",
		"group_by=week": "group_by", "group_by=day,day": "group_by", "group_by=": "group_by",
	} {
		if got := w.want(400, "GET", "/v1/usage?"+query, "").get("errors"); !strings.Contains(fmt.Sprint(got), field+":") {
			t.Errorf("%s: %v", query, got)
		}
	}
	w.want(200, "GET", "/v1/usage?from=2024-01-01&to=2024-12-31", "")
}
