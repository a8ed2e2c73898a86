package e2e

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// TestEveryRoute walks through the whole API once, and checks that no route was
// left out.
func TestEveryRoute(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	for name, part := range map[string]func(*testing.T, *rig.World, *rig.Client){
		"agents": tourAgents, "tools": tourTools, "steering": tourSteering, "links": tourLinks, "functions": tourFunctions,
		"threads": tourThreads, "keys": tourKeys, "session": tourSession, "models": tourModels, "budgets": tourBudgets, "server": tourServer, "index": tourIndex, "schedules": tourSchedules, "pages": tourPages, "feed": tourFeed,
	} {
		t.Run(name, func(t *testing.T) {
			at := *c
			at.T = t
			part(t, w, &at)
		})
	}
	if missing := w.Missing("Agents", "Runs", "Approvals", "Tools", "Keys", "Session", "Audit", "Budgets", "Models", "Index", "Schedules", "Server", "Pages", "UI"); len(missing) != 0 {
		t.Errorf("these routes have not succeeded once: %s", strings.Join(missing, ", "))
	}
}

func tourAgents(t *testing.T, _ *rig.World, c *rig.Client) {
	definition := `{"name":"clock","model":"auto","instructions":"Tell the time.","tools":["time.now"]}`
	var agent struct {
		ID       string
		Version  int
		MaxSteps int `json:"max_steps"`
	}
	c.Post("/v1/agents?dry_run=true", definition, nil)
	c.Do("GET", "/v1/agents/clock", nil).Refused(http.StatusNotFound, "not_found")
	c.Post("/v1/agents", definition, &agent)
	if agent.MaxSteps != 8 || agent.Version != 1 {
		t.Errorf("%+v", agent)
	}
	c.Do("POST", "/v1/agents", definition).Refused(http.StatusConflict, "conflict")
	c.Do("PATCH", "/v1/agents/clock", `{"max_steps":3}`).Is(http.StatusOK).Into(&agent)
	if agent.MaxSteps != 3 || agent.Version != 2 {
		t.Errorf("%+v", agent)
	}
	c.Post("/v1/agents/validate?agent=clock", `{"max_steps":4}`, nil)
	c.Do("POST", "/v1/agents/clock/versions/1/restore", nil).Is(http.StatusOK)
	c.Do("PATCH", "/v1/agents/clock", `{"max_steps":3}`).Is(http.StatusOK)
	var run rig.Run
	c.Post("/v1/agents/clock/run", map[string]any{"prompt": rig.Steps("time", `time.now {}`, rig.Say("It is late."))}, &run)
	if run.Status != "completed" || run.Summary() != "It is late." || run.StepsUsed != 2 {
		t.Errorf("%+v %+v", run, run.Error)
	}
	var stopped rig.Run
	endless := rig.Steps("endless", `time.now {}`, `time.now {}`, `time.now {}`, `time.now {}`)
	c.Post("/v1/agents/clock/run", map[string]any{"prompt": endless, "max_steps": 2}, &stopped)
	if stopped.Status != "failed" || stopped.Error.Code != "step_limit" || stopped.StepsUsed != 2 {
		t.Errorf("%+v %+v", stopped, stopped.Error)
	}
	for _, path := range []string{"/v1/agents", "/v1/agents/clock", "/v1/agents/clock/runs", "/v1/agents/clock/versions", "/v1/agents/clock/versions/1"} {
		c.Get(path, nil)
	}
	c.Do("DELETE", "/v1/agents/clock", nil).Is(http.StatusOK)
	c.Do("GET", "/v1/agents/clock", nil).Refused(http.StatusNotFound, "not_found")
	c.Get("/v1/agents/"+agent.ID+"/runs", nil) // its history stays
}

func tourTools(t *testing.T, w *rig.World, c *rig.Client) {
	c.Tool(w, "shelf.read", "safe")
	c.Do("POST", "/v1/tools", `{"name":"time.now","url":"https://example.com"}`).Refused(http.StatusConflict, "conflict")
	var got struct{ Outcome, Output string }
	c.Post("/v1/tools/shelf.read/try", `{"arguments":{"n":1}}`, &got)
	if got.Outcome != "ok" || !strings.Contains(got.Output, "booked") {
		t.Errorf("%+v", got)
	}
	for _, path := range []string{"/v1/tools", "/v1/tools/shelf.read", "/v1/models", "/v1/models/default", "/v1/approvals", "/v1/approvals/decided"} {
		c.Get(path, nil)
	}
	// What was approved is what runs: a changed tool asks again.
	c.Tool(w, "shelf.write", "once")
	var run rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"shelf.write"}, "approval": map[string]any{"required_for": []string{"shelf.write"}},
		"prompt": rig.Steps("changed", `shelf.write {"n":1}`, rig.Say("Written.")),
	}, &run)
	var seen struct{ Digest, Preview string }
	c.Post("/v1/runs/"+run.ID+"/actions/"+run.Pending[0].ID+"/check", `{"arguments":{"n":2}}`, &seen)
	if seen.Digest == "" || seen.Digest == run.Pending[0].Digest || seen.Preview != "n: 2" {
		t.Errorf("other arguments come to %+v, the action is %+v", seen, run.Pending[0])
	}
	c.Do("PATCH", "/v1/tools/shelf.write", map[string]any{"url": w.Tools.URL + "/elsewhere"}).Is(http.StatusOK)
	c.Post("/v1/runs/"+run.ID+"/approve", approving(run.Actions()), nil)
	w.Eventually("the question anew", func() bool {
		run = c.Run(run.ID)
		return len(run.Pending) == 1 && run.Pending[0].Reason == "changed"
	})
	if n := len(w.Tools.Ledger("shelf.write", "elsewhere")); n != 0 {
		t.Errorf("%d calls of a tool that nobody has approved as it is", n)
	}
	c.Post("/v1/runs/"+run.ID+"/approve", approving(run.Actions()), nil)
	c.Until(run.ID, "completed")
	if n := len(w.Tools.Ledger("elsewhere")); n != 1 {
		t.Errorf("%d calls", n)
	}
	var undecided rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"shelf.write"}, "approval": map[string]any{"required_for": []string{"shelf.write"}},
		"prompt": rig.Steps("several", `shelf.write {"n":2}`, rig.Say("Written.")),
	}, &undecided)
	item := map[string]any{"run": undecided.ID, "action_id": undecided.Actions()[0], "reject": true}
	c.Post("/v1/approvals/decide", map[string]any{"items": []any{item}}, nil)
	c.Do("DELETE", "/v1/tools/shelf.read", nil).Is(http.StatusOK)
	c.Do("GET", "/v1/tools/shelf.read", nil).Refused(http.StatusNotFound, "not_found")
}

func tourSteering(t *testing.T, w *rig.World, c *rig.Client) {
	c.Tool(w, "slow.once", "once")
	release := w.Tools.Hold("slow.once")
	run := background(c, "steered", []string{"slow.once"}, `slow.once {"n":1}`, rig.Say("Done as you said."))
	w.Eventually("the call", func() bool { return len(w.Tools.Ledger("slow.once")) == 1 })
	path := "/v1/runs/" + run.ID
	c.Do("DELETE", path, nil).Refused(http.StatusConflict, "conflict")
	c.Post(path+"/messages", `{"content":"Hurry up."}`, nil)
	c.Post(path+"/pause", nil, &run)
	if run.Status != "paused" {
		t.Errorf("%+v", run)
	}
	release()
	asked := func() (times int) {
		for _, call := range w.Model.Calls() {
			if strings.HasPrefix(call.Prompt(), "steered") {
				times++
			}
		}
		return times
	}
	rig.Pause(100 * time.Millisecond)
	if n := asked(); n != 1 {
		t.Errorf("%d model calls of a paused run", n)
	}
	c.Post(path+"/resume", nil, nil)
	c.Until(run.ID, "completed")
	calls := w.Model.Calls()
	if users := calls[len(calls)-1].Of("user"); len(users) != 2 || users[1].Text() != "Hurry up." {
		t.Errorf("the model was told %+v", users)
	}
	c.Do("POST", path+"/cancel", nil).Refused(http.StatusConflict, "conflict")

	w.Tools.Hold("slow.once")
	cut := background(c, "cancelled", []string{"slow.once"}, `slow.once {"n":2}`)
	w.Eventually("the call", func() bool { return len(w.Tools.Ledger("slow.once")) == 2 })
	begun := time.Now()
	first := c.Post("/v1/runs/"+cut.ID+"/cancel", `{"reason":"enough"}`, &cut)
	if cut.Status != "cancelled" || time.Since(begun) > 20*time.Second {
		t.Errorf("%s after %v", cut.Status, time.Since(begun))
	}
	if again := c.Post("/v1/runs/"+cut.ID+"/cancel", nil, nil); string(again.Body) != string(first.Body) {
		t.Errorf("cancelled again: %s, at first %s", again.Body, first.Body)
	}
	var anew rig.Run
	c.Post(path+"/retry", map[string]any{"changes": map[string]any{"prompt": rig.Steps("anew", rig.Say("Anew."))}}, &anew)
	if anew.ID == run.ID || anew.Summary() != "Anew." {
		t.Errorf("%+v", anew)
	}
	c.Do("DELETE", path, nil).Is(http.StatusOK)
	c.Do("DELETE", path, nil).Refused(http.StatusConflict, "conflict")
	c.Do("GET", path, nil).Refused(http.StatusNotFound, "not_found")
}

func tourFunctions(t *testing.T, _ *rig.World, c *rig.Client) {
	var run struct {
		rig.Run
		Calls []struct{ ID, Tool string } `json:"pending_calls"`
	}
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "functions": []any{map[string]any{"type": "function", "function": map[string]any{"name": "ask_me"}}},
		"prompt": rig.Steps("function", `ask_me {"what":"colour"}`, rig.Say("Blue, then.")),
	}, &run)
	if run.Status != "awaiting_input" || len(run.Calls) != 1 || run.Calls[0].Tool != "ask_me" {
		t.Fatalf("%+v", run)
	}
	path := "/v1/runs/" + run.ID + "/tool_outputs"
	c.Do("POST", path, `{"outputs":[{"action_id":"act_77","output":"x"}]}`).Refused(http.StatusBadRequest, "invalid_request")
	c.Post(path, map[string]any{"outputs": []any{map[string]any{"action_id": run.Calls[0].ID, "output": "blue"}}}, nil)
	if done := c.Until(run.ID, "completed"); done.Summary() != "Blue, then." {
		t.Errorf("%+v", done)
	}
	if events, frames := c.Events(run.ID), c.Stream(run.ID, "").Rest(); len(stored(frames)) != len(events) {
		t.Errorf("%d events, %v", len(events), stored(frames))
	}
}

func tourThreads(t *testing.T, w *rig.World, c *rig.Client) {
	var first, second rig.Run
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "My name is Ada."}, &first)
	answer := c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "Who am I?", "previous_run_id": first.ID}, &second, "Prefer", "wait=5")
	if answer.Header.Get("Preference-Applied") != "wait=5" {
		t.Errorf("Preference-Applied: %q", answer.Header.Get("Preference-Applied"))
	}
	calls := w.Model.Calls()
	if users := calls[len(calls)-1].Of("user"); len(users) != 2 || users[0].Text() != "My name is Ada." {
		t.Errorf("the model was told %+v", users)
	}
	// Structured output: prose is repaired, and the result is the value.
	var shaped struct {
		rig.Run
		Result struct{ Output map[string]any } `json:"result"`
	}
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "output_schema": map[string]any{"type": "object", "required": []string{"n"}},
		"prompt": rig.Steps("shape", rig.Say("Five."), rig.Say("%s", `{"n":5}`)),
	}, &shaped)
	if shaped.Status != "completed" || shaped.Result.Output["n"] != 5.0 {
		t.Errorf("%+v", shaped)
	}
	// Pages of a list are complete and have nothing twice.
	seen, cursor := map[string]bool{}, ""
	for {
		var page struct {
			Data []rig.Run
			More bool   `json:"has_more"`
			Next string `json:"next_cursor"`
		}
		c.Get("/v1/runs?limit=1&status=completed"+cursor, &page)
		for _, r := range page.Data {
			if seen[r.ID] {
				t.Errorf("%s is listed twice", r.ID)
			}
			seen[r.ID] = true
		}
		if !page.More {
			break
		}
		cursor = "&starting_after=" + page.Next
	}
	for _, id := range []string{first.ID, second.ID, shaped.ID} {
		if !seen[id] {
			t.Errorf("%s is in no page", id)
		}
	}
}

func tourKeys(t *testing.T, _ *rig.World, c *rig.Client) {
	var key struct{ ID, Secret, Prefix string }
	c.Post("/v1/keys", map[string]any{"name": "tour", "expires_at": time.Now().Add(time.Hour).UTC().Format(time.RFC3339)}, &key)
	if listed := c.Get("/v1/keys", nil); strings.Contains(string(listed.Body), key.Secret) || !strings.Contains(string(listed.Body), key.ID) {
		t.Errorf("%s", listed.Body)
	}
	c.Post("/v1/keys/"+key.ID+"/rotate", `{"overlap_s":60}`, nil)
	c.Post("/v1/projects", `{"name":"tour"}`, nil)
	c.Do("PATCH", "/v1/projects/tour", `{"retention_days":30}`).Is(http.StatusOK)
	if whole := c.Get("/v1/projects/tour/export", nil); !strings.Contains(string(whole.Body), `"object":"export.end"`) {
		t.Errorf("%s", whole.Body)
	}
	c.Do("DELETE", "/v1/projects/tour", `{"confirm":"tours"}`).Refused(http.StatusBadRequest, "invalid_request")
	c.Do("DELETE", "/v1/projects/default", `{"confirm":"default"}`).Refused(http.StatusConflict, "conflict")
	c.Do("DELETE", "/v1/projects/tour", `{"confirm":"tour"}`).Is(http.StatusAccepted)
	for _, path := range []string{"/v1/projects", "/v1/projects/default", "/v1/audit", "/v1/audit/verify"} {
		c.Get(path, nil)
	}
	c.Do("DELETE", "/v1/keys/"+key.ID, nil).Is(http.StatusOK)
	c.Do("DELETE", "/v1/keys/"+key.ID, nil).Refused(http.StatusConflict, "conflict")
}

func tourSession(t *testing.T, _ *rig.World, c *rig.Client) {
	var link struct{ URL string }
	c.Post("/v1/session/links", nil, &link)
	_, token, _ := strings.Cut(link.URL, "/ui/#link=")
	page := *c
	page.Key = ""
	signed := page.Do("POST", "/v1/session", map[string]string{"link": token}, "Origin", c.URL).Is(http.StatusCreated)
	cookie, _, _ := strings.Cut(signed.Header.Get("Set-Cookie"), ";")
	var who struct{ Key struct{ Name string } }
	page.Do("GET", "/v1/session", nil, "Cookie", cookie).Is(http.StatusOK).Into(&who)
	if who.Key.Name != "admin" {
		t.Errorf("%+v", who)
	}
	page.Do("DELETE", "/v1/session", nil, "Cookie", cookie).Refused(http.StatusForbidden, "cross_origin")
	page.Do("DELETE", "/v1/session", nil, "Cookie", cookie, "Origin", c.URL).Is(http.StatusNoContent)
	page.Do("GET", "/v1/session", nil, "Cookie", cookie).Refused(http.StatusUnauthorized, "unauthenticated")
}

func tourPages(t *testing.T, _ *rig.World, c *rig.Client) {
	open := *c
	open.Key = ""
	for _, path := range []string{"/", "/docs", "/openapi.yaml", "/openapi.json", "/ui/", "/ui/approvals", "/healthz", "/readyz", "/metrics"} {
		open.Do("GET", path, nil).Is(http.StatusOK)
	}
	for _, later := range []struct{ method, path string }{
		{"GET", "/v1/observability/runs"},
	} {
		if fault := c.Do(later.method, later.path, nil).Refused(http.StatusNotImplemented, "not_available"); fault.Message == "" {
			t.Error(fmt.Sprint(later, " says nothing"))
		}
	}
}

func tourServer(t *testing.T, _ *rig.World, c *rig.Client) {
	var log struct{ Level string }
	c.Get("/v1/log-level", &log)
	c.Do("PUT", "/v1/log-level", `{"level":"`+log.Level+`"}`).Is(http.StatusOK)
	var system struct {
		Uptime int `json:"uptime_s"`
		Store  struct {
			Kind    string
			Commits int
			Free    int64 `json:"disk_free_bytes"`
		}
		Providers []struct{ Name string }
		Doctor    struct {
			Checks []struct{ Check, Level, Found string }
		}
	}
	c.Get("/v1/system", &system)
	if system.Store.Kind == "" || system.Store.Commits == 0 || system.Store.Free == 0 || len(system.Providers) == 0 {
		t.Errorf("%+v", system)
	}
	if c.Get("/v1/system?doctor=true", &system); len(system.Doctor.Checks) < 8 {
		t.Errorf("%+v", system.Doctor)
	}
	for _, check := range system.Doctor.Checks {
		if check.Level == "fail" {
			t.Errorf("%+v", check)
		}
	}
	c.Do("PUT", "/v1/log-level", `{"level":"loud"}`).Refused(http.StatusBadRequest, "invalid_request")
}

func tourBudgets(t *testing.T, _ *rig.World, c *rig.Client) {
	var made budget
	c.Post("/v1/budgets", `{"name":"tour","period":"day","max_tokens":1000000000}`, &made)
	c.Do("PATCH", "/v1/budgets/tour", `{"max_cost_usd":5}`).Is(http.StatusOK).Into(&made)
	c.Do("POST", "/v1/budgets", `{"name":"tour","period":"day","max_tokens":1}`).Refused(http.StatusConflict, "conflict")
	for _, path := range []string{"/v1/budgets", "/v1/budgets/" + made.ID, "/v1/usage", "/v1/usage?group_by=day,project,agent,key,model&project=*"} {
		c.Get(path, nil)
	}
	c.Do("DELETE", "/v1/budgets/"+made.ID, nil).Is(http.StatusOK)
	c.Do("GET", "/v1/budgets/"+made.ID, nil).Refused(http.StatusNotFound, "not_found")
}

// tourFeed reads what is said about runs beside their own pages.
func tourFeed(t *testing.T, _ *rig.World, c *rig.Client) {
	feed := c.Follow("GET", "/v1/stream", nil)
	if first, err := feed.Next(); err != nil || first.Event != "resync" {
		t.Fatalf("%+v, %v", first, err)
	}
	var run rig.Run
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "told"}, &run)
	for {
		f, err := feed.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f.Event == "run.changed" && strings.Contains(f.Data, run.ID) {
			break
		}
	}
	for _, path := range []string{"/v1/runs/" + run.ID + "/explain", "/v1/runs/" + run.ID + "/trace", "/v1/runs?q=told&include=strip&cost_min=0&order=oldest", "/v1/runs/" + run.ID + "/steps/1/prompt", "/v1/stats", "/v1/stats?bucket=day"} {
		c.Get(path, nil)
	}
}

func tourModels(t *testing.T, _ *rig.World, c *rig.Client) {
	var tested struct {
		Data []struct {
			Model string
			OK    bool
		}
	}
	c.Post("/v1/models/test", `{"model":"offline"}`, &tested)
	if len(tested.Data) != 1 || !tested.Data[0].OK {
		t.Errorf("%+v", tested)
	}
}

// tourIndex adds a document, lets a run with the search find it, and removes it.
func tourIndex(t *testing.T, _ *rig.World, c *rig.Client) {
	var source struct{ ID string }
	c.Post("/v1/index", `{"name":"handbook","documents":[{"path":"fees.md","content":"# Late fees\nFive percent a month."}]}`, &source)
	for _, path := range []string{"/v1/index", "/v1/index/" + source.ID, "/v1/index/" + source.ID + "/documents"} {
		c.Get(path, nil)
	}
	var run rig.Run
	c.Post("/v1/runs", `{"model":"offline","prompt":"How much are late fees a month?","tools":["web.search"]}`, &run)
	if run.Status != "completed" || !strings.Contains(run.Summary(), "(index://handbook/fees.md)") {
		t.Errorf("%s: %q", run.Status, run.Summary())
	}
	c.Do("DELETE", "/v1/index/"+source.ID, nil).Is(http.StatusOK)
}
