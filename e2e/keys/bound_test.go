package keys

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// TestAKeyForOneAgentElsewhere: the other APIs let such a key start its agents where
// they name saved agents, and say no in their own shape where they don't. What it is
// not for, is not there.
func TestAKeyForOneAgentElsewhere(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	admin := s.Client()
	for _, name := range []string{"mine", "other"} {
		admin.Post("/v1/agents", map[string]any{"name": name, "model": "auto", "instructions": "x", "tools": []string{}}, nil)
	}
	admin.Do("POST", "/v1/agent/robots", `{"member_id":"clerk","display_name":"Clerk","robot_config":{"identity":{"role":"Clerk"}}}`).Is(http.StatusCreated)
	var made key
	admin.Post("/v1/keys", `{"name":"narrow","agents":["mine"]}`, &made)
	c := s.Client(made.Secret)

	for _, step := range []struct {
		route, body string
		status      int
		says        string // what the answer has, in its API's own shape
	}{
		{"POST /v1/chat/completions", `{"model":"agent:mine","messages":[{"role":"user","content":"= Hello."}]}`, 200, `"finish_reason":"stop"`},
		{"POST /v1/chat/completions", `{"model":"mine","messages":[{"role":"user","content":"= Hello."}],"stream":true}`, 200, `data: [DONE]`},
		{"POST /v1/chat/completions", `{"model":"agent:other","messages":[{"role":"user","content":"= x"}]}`, 404, `"code":"model_not_found"`},
		{"POST /v1/chat/completions", `{"model":"other","messages":[{"role":"user","content":"= x"}]}`, 404, `"code":"model_not_found"`},
		{"POST /v1/chat/completions", `{"model":"auto","messages":[{"role":"user","content":"= x"}]}`, 403, `"code":"scope_denied"`},
		{"GET /v1/models/agent:mine", "", 200, `"id":"agent:mine"`},
		{"GET /v1/models/agent:other", "", 404, `not_found`},
		{"POST /v1/agents/runs", `{"agent":"mine","input":"= Hello."}`, 200, `message.answer`},
		{"POST /v1/agents/runs", `{"agent":"other","input":"= x"}`, 404, `"code":"agent_not_found"`},
		{"POST /v1/agents/runs", `{"agent":"express","input":"= x"}`, 403, `"code":"forbidden"`},
		{"POST /v1/agents/runs", `{"agent":"advanced","input":"= x"}`, 403, `"title":"Missing required scopes"`},
		{"POST /v1/agent/completions", `{"agent_config":{"agent_name":"mine"},"task":"= x"}`, 403, `"detail"`},
		{"POST /v1/agent/batch/completions", `[{"agent_config":{"agent_name":"mine"},"task":"= x"}]`, 403, `"detail"`},
		{"GET /v1/agents/list", "", 403, `"detail"`},
		{"GET /v1/rate/limits", "", 200, `"success":true`},
		{"POST /api/runs", `{"prompt":"x"}`, 403, `"detail"`},
		{"GET /api/tasks", "", 403, `"detail"`},
		{"GET /v1/agent/robots", "", 200, `"total":0`},
		{"POST /v1/agent/robots", `{"display_name":"x"}`, 403, `scope_denied`},
		{"POST /v1/agent/robots/clerk/execute", `{"goals":"x"}`, 404, `not_found`},
		{"POST /v1/agent/robots/clerk/completions", `{"messages":[{"role":"user","content":"x"}]}`, 404, `not_found`},
	} {
		method, path, _ := strings.Cut(step.route, " ")
		var body any
		if step.body != "" {
			body = step.body
		}
		answer := c.Do(method, path, body)
		if answer.Status != step.status || !strings.Contains(strings.ReplaceAll(string(answer.Body), `": `, `":`), step.says) {
			t.Errorf("%s %s: %d, %s; want %d and %s", step.route, step.body, answer.Status, answer.Body, step.status, step.says)
		}
	}
	var list struct{ Data []struct{ ID string } }
	c.Get("/v1/models", &list)
	for _, one := range list.Data {
		if one.ID == "agent:other" {
			t.Error("the list of models has another agent")
		}
	}
	var runs struct{ Data []rig.Run }
	if c.Get("/v1/runs", &runs); len(runs.Data) != 3 {
		t.Errorf("it sees %d runs; it has started 3", len(runs.Data))
	}
}

// TestDenialsLeaveLines: what a key was denied at the door, and its run at a step, is in
// the audit log, with what was asked for and what was granted; a key that tries it
// again and again does not fill the log.
func TestDenialsLeaveLines(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	admin := s.Client()
	admin.Tool(w, "crm.note", "once")
	var poor key
	admin.Post("/v1/keys", `{"name":"poor","scopes":["runs:read","runs:write"]}`, &poor)
	c := s.Client(poor.Secret)
	for range 20 {
		c.Do("POST", "/v1/agents", `{}`).Refused(http.StatusForbidden, "scope_denied")
		c.Do("GET", "/v1/audit", nil).Refused(http.StatusForbidden, "scope_denied")
	}
	var run rig.Run
	c.Post("/v1/runs", map[string]any{"model": "auto", "tools": []string{"crm.note"}, "prompt": rig.Steps("act", `crm.note {}`)}, &run)
	var got []string
	for _, line := range lines(admin, "&action=scope.denied") {
		if line.Actor == nil || line.Actor.ID != poor.ID {
			t.Errorf("%+v is not the key's", line)
		}
		data, err := json.Marshal(line.Data)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, line.Target+" "+string(data))
	}
	for i, want := range []string{
		poor.ID + ` {"granted":["runs:read","runs:write"],"route":"POST /v1/agents","scope":"agents:write"}`,
		poor.ID + ` {"granted":["runs:read","runs:write"],"route":"GET /v1/audit","scope":"audit:read"}`,
		run.ID + ` {"denied":[{"action":"act_01","scope":"agents:execute","tool":"crm.note"}],"granted":["runs:read","runs:write"]}`,
	} {
		if len(got) != 3 || got[i] != want {
			t.Errorf("line %d of %d: %s, want %s", i, len(got), got, want)
		}
	}
}

// TestTheLogLevelLeavesALine: who turned the log down is known, and from what to what.
func TestTheLogLevelLeavesALine(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Do("PUT", "/v1/log-level", `{"level":"debug"}`).Is(http.StatusOK)
	c.Do("PUT", "/v1/log-level", `{"level":"loud"}`).Refused(http.StatusBadRequest, "invalid_request")
	found := lines(c, "&action=log_level.changed")
	if len(found) != 1 || found[0].Target != "log" || found[0].Actor.ID != "key_admin" || found[0].Data["is"] != "debug" || found[0].Data["was"] == "" {
		t.Errorf("%+v", found)
	}
}

// TestSwarmsTellsTheLimit: the API's own headers and its route say how a key with a
// limit stands, and that one without has none.
func TestSwarmsTellsTheLimit(t *testing.T) {
	t.Parallel()
	s := rig.New(t).Start()
	admin := s.Client()
	type limits struct {
		Tier  string
		Rates struct {
			Minute struct {
				Count, Limit, Remaining int
				Exceeded                bool
			}
			Hour struct{ Limit int }
		} `json:"rate_limits"`
		Most struct {
			Minute int `json:"maximum_requests_per_minute"`
			Day    int `json:"maximum_requests_per_day"`
		} `json:"limits"`
	}
	var got limits
	answer := admin.Get("/v1/rate/limits", &got)
	if got.Tier != "unlimited" || got.Rates.Minute.Limit != 1_000_000_000 || answer.Header.Get("X-RateLimit-Limit-Minute") != "1000000000" {
		t.Errorf("without a limit: %+v, %v", got, answer.Header)
	}
	var made key
	admin.Post("/v1/keys", `{"name":"few","requests_per_minute":3}`, &made)
	c := s.Client(made.Secret)
	c.Get("/v1/models/available", nil)
	answer = c.Get("/v1/rate/limits", &got)
	if got.Tier != "limited" || got.Rates.Minute.Limit != 3 || got.Rates.Minute.Count != 2 || got.Rates.Minute.Remaining != 1 || got.Most.Minute != 3 || got.Most.Day != 4320 || got.Rates.Hour.Limit != 1_000_000_000 {
		t.Errorf("with a limit: %+v", got)
	}
	for name, want := range map[string]string{"X-RateLimit-Limit-Minute": "3", "X-RateLimit-Remaining-Minute": "1", "X-RateLimit-Tier": "limited", "X-RateLimit-Limit-Day": "1000000000"} {
		if answer.Header.Get(name) != want {
			t.Errorf("%s is %q, want %q", name, answer.Header.Get(name), want)
		}
	}
	c.Get("/v1/models/available", nil)
	answer = c.Do("POST", "/v1/agent/completions", `{}`)
	if answer.Status != http.StatusTooManyRequests || answer.Header.Get("Retry-After") == "" || answer.Header.Get("X-RateLimit-Remaining-Minute") != "0" || !strings.HasPrefix(string(answer.Body), `{"detail":"`) {
		t.Errorf("beyond it: %d %v %s", answer.Status, answer.Header, answer.Body)
	}
}
