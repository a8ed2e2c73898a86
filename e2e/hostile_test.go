package e2e

import (
	"net/http"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// hostile are bodies of POST /v1/runs that must be refused: why, and the field
// that the answer must name.
func hostile() map[string]struct{ body, field, says string } {
	task := func(more string) string { return `{"model":"auto","prompt":"x"` + more + `}` }
	return map[string]struct{ body, field, says string }{
		"empty":            {"", "body", "empty"},
		"no object":        {`[]`, "body", "object"},
		"no JSON":          {`{"model"`, "body", "ends too early"},
		"text behind it":   {task("") + `{}`, "body", ""},
		"duplicate key":    {task(`,"prompt":"y"`), "prompt", "twice"},
		"duplicate inside": {task(`,"limits":{"timeout_s":1,"timeout_s":2}`), "limits.timeout_s", "twice"},
		"deep":             {task(`,"metadata":` + strings.Repeat(`{"a":`, 64) + `1` + strings.Repeat(`}`, 64)), "body", "64"},
		"UTF-8":            {task("") + "\xff", "body", "UTF-8"},
		"UTF-8 inside":     {"{\"model\":\"auto\",\"prompt\":\"\xc3\x28\"}", "body", "UTF-8"},
		"unknown field":    {task(`,"promt":"x"`), "promt", `"prompt"`},
		"wrong case":       {task(`,"Tools":[]`), "Tools", `"tools"`},
		"id":               {task(`,"id":"run_1"`), "id", ""},
		"status":           {task(`,"status":"completed"`), "status", ""},
		"project":          {task(`,"project":"other"`), "project", ""},
		"number":           {task(`,"max_steps":"8"`), "max_steps", "whole number"},
		"fraction":         {task(`,"max_steps":2.5`), "max_steps", "whole number"},
		"bool":             {task(`,"max_steps":true`), "max_steps", "whole number"},
		"zero":             {task(`,"max_steps":0`), "max_steps", ""},
		"too many":         {task(`,"max_steps":17`), "max_steps", "16"},
		"string":           {`{"model":1,"prompt":"x"}`, "model", "string"},
		"array":            {task(`,"tools":"time.now"`), "tools", "array"},
		"element":          {task(`,"tools":["time.now",7]`), "tools[1]", "string"},
		"unknown tool":     {task(`,"tools":["time.nwo"]`), "tools[0]", "time.now"},
		"unknown model":    {`{"model":"no/such","prompt":"x"}`, "model", ""},
		"no prompt":        {`{"model":"auto"}`, "prompt", "required"},
		"empty prompt":     {`{"model":"auto","prompt":""}`, "prompt", "required"},
		"long prompt":      {`{"model":"auto","prompt":"` + strings.Repeat("é", 100_001) + `"}`, "prompt", "100000"},
		"both modes":       {task(`,"stream":true,"background":true`), "background", "stream"},
		"gate":             {task(`,"approval":{"required_for":["time.now"]}`), "approval.required_for[0]", ""},
		"context":          {task(`,"context":["weather"]`), "context[0]", "calendar"},
	}
}

func TestHostileBodies(t *testing.T) {
	t.Parallel()
	c := rig.New(t).Start().Client()
	for name, test := range hostile() {
		t.Run(name, func(t *testing.T) {
			answer := c.Do(http.MethodPost, "/v1/runs", test.body)
			fault := answer.Refused(http.StatusBadRequest, "invalid_request")
			said, named := fault.Errors[test.field]
			if !named || !strings.Contains(said, test.says) {
				t.Errorf("want %s: …%s…, got %s", test.field, test.says, answer.Body)
			}
			if answer.Header.Get("X-Request-Id") != fault.RequestID || answer.Header.Get("X-Should-Retry") != "false" {
				t.Errorf("headers %v of %s", answer.Header, answer.Body)
			}
		})
	}
	for name, size := range map[string]int{"just over": 1 << 20, "far over": 2 << 20} {
		t.Run(name, func(t *testing.T) {
			body := `{"model":"auto","prompt":"` + strings.Repeat("x", size) + `"}`
			c.Do(http.MethodPost, "/v1/runs", body).Refused(http.StatusRequestEntityTooLarge, "too_large")
		})
	}
	t.Run("just fits", func(t *testing.T) { // refused for its length in characters, and not for its size
		head, tail := `{"model":"auto","prompt":"`, `"}`
		body := head + strings.Repeat("x", 1<<20-len(head)-len(tail)) + tail
		c.Do(http.MethodPost, "/v1/runs", body).Refused(http.StatusBadRequest, "invalid_request")
	})
	c.Do(http.MethodPut, "/v1/runs", `{}`).Refused(http.StatusMethodNotAllowed, "method_not_allowed")
	if allow := c.Do(http.MethodDelete, "/v1/agents", nil).Header.Get("Allow"); !strings.Contains(allow, "GET") || !strings.Contains(allow, "POST") {
		t.Errorf("Allow: %q", allow)
	}
	c.Do(http.MethodGet, "/v1/nothing", nil).Refused(http.StatusNotFound, "not_found")
	c.Do(http.MethodPost, "/v1/runs", "prompt=x", "Content-Type", "text/plain").Refused(http.StatusBadRequest, "invalid_request")
	c.Do(http.MethodGet, "/v1/runs?limit=101", nil).Refused(http.StatusBadRequest, "invalid_request")
	c.Do(http.MethodGet, "/v1/runs?lmit=1", nil).Refused(http.StatusBadRequest, "invalid_request")
	c.Do(http.MethodPost, "/v1/webhooks", `{}`).Refused(http.StatusBadRequest, "invalid_request")
	c.Do(http.MethodPost, "/v1/schedules", `{}`).Refused(http.StatusBadRequest, "invalid_request")
	if n := created(c); n != 0 {
		t.Errorf("%d runs were made of hostile requests", n)
	}
}

// TestHostileDecisions sends decisions that must change nothing.
func TestHostileDecisions(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "book.once", "once")
	r, other := gated(t, c, "one"), gated(t, c, "two")
	path, valid := "/v1/runs/"+r.ID+"/approve", r.Pending[0].ID
	for name, body := range map[string]string{
		"none":           `{"action_ids":[]}`,
		"unknown":        `{"action_ids":["` + valid + `","act_99"]}`,
		"no id":          `{"action_ids":[""]}`,
		"null":           `{"action_ids":null}`,
		"missing":        `{}`,
		"type":           `{"action_ids":"` + valid + `"}`,
		"reject's type":  `{"action_ids":["` + valid + `"],"reject":"yes"}`,
		"unknown field":  `{"action_ids":["` + valid + `"],"approve":true}`,
		"on_reject":      `{"action_ids":["` + valid + `"],"reject":true,"on_reject":"retry"}`,
		"duplicate keys": `{"action_ids":["` + valid + `"],"action_ids":[]}`,
	} {
		if fault := c.Do(http.MethodPost, path, body).Refused(http.StatusBadRequest, "invalid_request"); len(fault.Errors) == 0 {
			t.Errorf("%s: no field is named: %+v", name, fault)
		}
	}
	c.Do(http.MethodPost, "/v1/runs/run_1/approve", approving(r.Actions())).Refused(http.StatusNotFound, "not_found")
	for _, id := range []string{r.ID, other.ID} {
		if got := c.Run(id); got.Status != "awaiting_approval" {
			t.Errorf("%+v", got)
		}
	}
	c.Post(path, `{"action_ids":["`+valid+`","`+valid+`"]}`, nil) // duplicates are folded
	c.Until(r.ID, "completed")
	c.Do(http.MethodPost, path, `{"action_ids":["`+valid+`"],"reject":true}`).Refused(http.StatusConflict, "conflict")
	if n := len(w.Tools.Ledger()); n != 1 {
		t.Errorf("%d calls", n)
	}
}

// keyed makes a key and returns a client that has it.
func keyed(s *rig.Server, body map[string]any) *rig.Client {
	var key struct{ Secret string }
	s.Client().Post("/v1/keys", body, &key)
	return s.Client(key.Secret)
}

// TestProjectsAreApart tries everything that one project has with another's key.
func TestProjectsAreApart(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	mine := keyed(s, map[string]any{"name": "mine", "project": "mine"})
	other := keyed(s, map[string]any{"name": "other", "project": "other"})
	mine.Tool(w, "book.once", "once")
	r := gated(t, mine, "secret")
	var agent struct{ ID string }
	mine.Post("/v1/agents", `{"name":"a","model":"auto","instructions":"x","tools":["book.once"]}`, &agent)
	for _, request := range []struct{ method, path, body string }{
		{"GET", "/v1/runs/" + r.ID, ""},
		{"GET", "/v1/runs/" + strings.TrimPrefix(r.ID, "run_"), ""},
		{"DELETE", "/v1/runs/" + r.ID, ""},
		{"GET", "/v1/runs/" + r.ID + "/events", ""},
		{"GET", "/v1/runs/" + r.ID + "/stream", ""},
		{"POST", "/v1/runs/" + r.ID + "/approve", approving(r.Actions())},
		{"POST", "/v1/runs/" + r.ID + "/cancel", ""},
		{"POST", "/v1/runs/" + r.ID + "/pause", ""},
		{"POST", "/v1/runs/" + r.ID + "/resume", ""},
		{"POST", "/v1/runs/" + r.ID + "/retry", ""},
		{"POST", "/v1/runs/" + r.ID + "/messages", `{"content":"x"}`},
		{"POST", "/v1/runs/" + r.ID + "/tool_outputs", `{"outputs":[{"action_id":"act_01","output":"x"}]}`},
		{"GET", "/v1/agents/" + agent.ID, ""},
		{"GET", "/v1/agents/a", ""},
		{"PATCH", "/v1/agents/" + agent.ID, `{"max_steps":2}`},
		{"DELETE", "/v1/agents/" + agent.ID, ""},
		{"POST", "/v1/agents/" + agent.ID + "/run", runBody},
		{"GET", "/v1/agents/" + agent.ID + "/runs", ""},
		{"GET", "/v1/agents/" + agent.ID + "/versions", ""},
		{"GET", "/v1/agents/" + agent.ID + "/versions/1", ""},
		{"GET", "/v1/tools/book.once", ""},
		{"PATCH", "/v1/tools/book.once", `{"timeout_s":1}`},
		{"DELETE", "/v1/tools/book.once", ""},
		{"POST", "/v1/tools/book.once/try", ""},
	} {
		var body any
		if request.body != "" {
			body = request.body
		}
		answer := other.Do(request.method, request.path, body)
		if fault := answer.Refused(http.StatusNotFound, "not_found"); strings.Contains(fault.Message, "secret") {
			t.Errorf("%s %s says too much: %s", request.method, request.path, answer.Body)
		}
	}
	for _, path := range []string{"/v1/runs", "/v1/agents", "/v1/approvals", "/v1/tools"} {
		if answer := other.Get(path, nil); strings.Contains(string(answer.Body), r.ID) || strings.Contains(string(answer.Body), "book.once") {
			t.Errorf("%s shows what is another project's: %s", path, answer.Body)
		}
	}
	other.Do("POST", "/v1/runs", `{"model":"auto","prompt":"x","previous_run_id":"`+r.ID+`"}`).Refused(http.StatusBadRequest, "invalid_request")
	if got := mine.Run(r.ID); got.Status != "awaiting_approval" || len(w.Tools.Ledger()) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestScopes(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	s.Client().Tool(w, "book.once", "once")
	r := gated(t, s.Client(), "gate")
	reader := keyed(s, map[string]any{"name": "reader", "scopes": []string{"runs:read"}})
	reader.Get("/v1/runs/"+r.ID, nil)
	for path, scope := range map[string]string{
		"/v1/runs": "runs:write", "/v1/runs/" + r.ID + "/approve": "runs:approve", "/v1/agents": "agents:write",
		"/v1/tools": "tools:write", "/v1/keys": "admin",
	} {
		fault := reader.Do(http.MethodPost, path, `{}`).Refused(http.StatusForbidden, "scope_denied")
		if !strings.Contains(fault.Message, scope) || !strings.Contains(fault.Message, "runs:read") {
			t.Errorf("%s: %q names not both %s and what was granted", path, fault.Message, scope)
		}
	}
	// agents:execute is checked at the step.
	writer := keyed(s, map[string]any{"name": "writer", "scopes": []string{"runs:read", "runs:write"}})
	var failed rig.Run
	writer.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"book.once"}, "prompt": rig.Steps("act", `book.once {}`),
	}, &failed)
	if failed.Status != "failed" || *failed.StopReason != "scope_denied" || !strings.Contains(failed.Error.Message, "agents:execute") {
		t.Errorf("%+v %+v", failed, failed.Error)
	}
	for _, key := range []string{"", "wrong-key-of-some-length", rig.AdminKey[1:]} {
		answer := s.Client(key).Do(http.MethodGet, "/v1/runs", nil)
		answer.Refused(http.StatusUnauthorized, "unauthenticated")
		if answer.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%v", answer.Header)
		}
	}
	s.Client("").Do(http.MethodGet, "/v1/runs", nil, "X-Api-Key", rig.AdminKey).Is(http.StatusOK)
	// A revoked key opens nothing any more.
	var key struct{ ID, Secret string }
	s.Client().Post("/v1/keys", map[string]any{"name": "short-lived"}, &key)
	s.Client(key.Secret).Get("/v1/runs", nil)
	s.Client().Do(http.MethodDelete, "/v1/keys/"+key.ID, nil).Is(http.StatusOK)
	s.Client(key.Secret).Do(http.MethodGet, "/v1/runs", nil).Refused(http.StatusUnauthorized, "unauthenticated")
	if n := len(w.Tools.Ledger()); n != 0 {
		t.Errorf("%d calls", n)
	}
}
