package native_test

import (
	"strings"
	"testing"

	"errand/internal/model/script"
)

func TestTools(t *testing.T) {
	w := newWorld(t, script.Steps())
	made := w.want(200, "POST", "/v1/tools", `{"name":"crm.note","url":"https://crm.example.com/notes","headers":{"Authorization":"Bearer secret"},"timeout_s":20,"parameters":{"type":"object","required":["text"]}}`, "Idempotency-Key", "t")
	made.has("name", "crm.note").has("effect", "once").has("origin", "registered").has("timeout_s", 20)
	again := w.want(200, "POST", "/v1/tools", `{"name":"crm.note","url":"https://crm.example.com/notes","headers":{"Authorization":"Bearer secret"},"timeout_s":20,"parameters":{"type":"object","required":["text"]}}`, "Idempotency-Key", "t")
	if string(made.Body) != string(again.Body) {
		t.Errorf("got %s, want %s", again.Body, made.Body)
	}
	w.want(409, "POST", "/v1/tools", `{"name":"crm.note","url":"https://x.example.com"}`).has("error.code", "conflict").has("error.param", "name")
	w.want(409, "POST", "/v1/tools", `{"name":"email.send","url":"https://x.example.com"}`).has("error.code", "conflict").has("error.param", "name")
	w.want(400, "POST", "/v1/tools", `{"name":"x"}`).has("error.param", "url")
	w.want(400, "POST", "/v1/tools", `{"name":"x","url":"https://x.example.com","timeout":5}`).has("error.param", "timeout")
	w.want(400, "POST", "/v1/tools", `{"name":"x","url":7}`).has("error.param", "url")

	page := w.want(200, "GET", "/v1/tools?limit=2", "").count("data", 2).has("data.0.name", "crm.note").has("data.1.name", "email.send").has("has_more", true)
	w.want(200, "GET", "/v1/tools?starting_after="+page.text("next_cursor"), "").count("data", 2).has("data.1.name", "time.now").has("data.1.url", "<nil>")
	got := w.want(200, "GET", "/v1/tools/crm.note", "")
	if strings.Contains(string(got.Body), "secret") {
		t.Errorf("a header's value is shown: %s", got.Body)
	}
	w.want(404, "GET", "/v1/tools/nope", "")

	w.want(200, "POST", "/v1/tools/crm.note/try", `{"arguments":{"text":"hi"}}`).has("outcome", "ok").has("error", "<nil>")
	w.want(400, "POST", "/v1/tools/crm.note/try", `{"arguments":{}}`).has("error.param", "arguments")
	w.want(400, "POST", "/v1/tools/crm.note/try", `{"arguments":[]}`).has("error.param", "arguments")
	w.want(200, "POST", "/v1/tools", `{"name":"broken","url":"https://x.example.com","scope":"crm:write"}`)
	w.want(200, "POST", "/v1/tools/broken/try", "").has("outcome", "error").has("error", "it is broken")
	poor := w.key(`{"name":"poor","scopes":["tools:write","agents:execute"]}`)
	poor.want(403, "POST", "/v1/tools/broken/try", "").has("error.code", "scope_denied")
	w.key(`{"name":"crm","scopes":["tools:write","agents:execute","crm:write"]}`).want(200, "POST", "/v1/tools/broken/try", "")
	w.want(400, "POST", "/v1/keys", `{"name":"x","scopes":["crm:read"]}`)

	w.want(200, "PATCH", "/v1/tools/crm.note", `{"timeout_s":60}`).has("timeout_s", 60).has("url", "https://crm.example.com/notes")
	w.want(409, "PATCH", "/v1/tools/crm.note", `{"name":"broken"}`)
	w.want(409, "PATCH", "/v1/tools/email.send", `{"timeout_s":60}`).has("error.code", "conflict")
	w.want(400, "PATCH", "/v1/tools/crm.note", `{"url":null}`)
	w.want(400, "PATCH", "/v1/tools/crm.note", `{"timeout_s":0}`).has("error.param", "timeout_s")
	w.want(400, "POST", "/v1/tools", `{"name":"n","url":"https://x.example.com","timeout_s":0}`).has("error.param", "timeout_s")
	w.want(409, "DELETE", "/v1/tools/email.send", "")

	w.want(200, "POST", "/v1/agents", `{"name":"noter","model":"y0-agent","instructions":"x","tools":["crm.note"]}`)
	w.want(200, "DELETE", "/v1/tools/crm.note", "").has("deleted", true).has("id", made.text("id"))
	w.want(404, "DELETE", "/v1/tools/crm.note", "")
	gone := w.want(409, "POST", "/v1/agents/noter/run", `{"prompt":"x"}`).has("error.code", "conflict")
	if !strings.Contains(gone.text("error.message"), "crm.note") {
		t.Errorf("the tool is not named: %s", gone.Body)
	}
}

func TestKeys(t *testing.T) {
	w := newWorld(t, script.Steps())
	made := w.want(200, "POST", "/v1/keys", `{"name":"ci","scopes":["runs:read","keys:write"],"expires_at":"2099-01-01T00:00:00Z"}`, "Idempotency-Key", "k")
	made.has("object", "key").has("project", "default").has("expires_at", "2099-01-01T00:00:00Z")
	again := w.want(200, "POST", "/v1/keys", `{"name":"ci","scopes":["runs:read","keys:write"],"expires_at":"2099-01-01T00:00:00Z"}`, "Idempotency-Key", "k")
	if again.text("secret") != made.text("secret") {
		t.Error("a repeated request made another secret")
	}
	for body, fault := range map[string]string{`{}`: "name", `{"name":"x","scopes":["runs:fly"]}`: "scopes[0]", `{"name":"x","expires_at":"soon"}`: "expires_at", `{"name":"x","expires_at":"2001-01-01T00:00:00Z"}`: "expires_at", `{"name":"x","project":""}`: "project", `{"name":"x","project":"A B"}`: "project", `{"name":"x","id":"key_1"}`: "id"} {
		w.want(400, "POST", "/v1/keys", body).has("error.param", fault)
	}
	listed := w.want(200, "GET", "/v1/keys", "").count("data", 2)
	if strings.Contains(string(listed.Body), made.text("secret")) || strings.Contains(string(listed.Body), "secret") {
		t.Errorf("a secret is listed: %s", listed.Body)
	}
	ci := w.as(made.text("secret"))
	ci.want(403, "POST", "/v1/keys", `{"name":"y"}`)
	ci.want(200, "GET", "/v1/keys?limit=1", "").count("data", 1).has("has_more", true)
	ci.want(400, "GET", "/v1/keys?starting_after=key_nobody", "").has("error.param", "starting_after")
	ci.want(403, "GET", "/v1/keys?project=other", "")
	ci.want(404, "DELETE", "/v1/keys/key_nobody", "")

	other := w.want(200, "POST", "/v1/keys", `{"name":"o","project":"other"}`)
	ci.want(404, "DELETE", "/v1/keys/"+other.text("id"), "")
	w.want(200, "GET", "/v1/keys?project=other", "").count("data", 1)
	w.want(200, "DELETE", "/v1/keys/"+other.text("id")+"?project=other", "").has("deleted", true)
	w.as(other.text("secret")).want(401, "GET", "/v1/runs", "")

	w.want(200, "DELETE", "/v1/keys/"+made.text("id"), "")
	ci.want(401, "GET", "/v1/keys", "")
	w.want(409, "DELETE", "/v1/keys/"+made.text("id"), "")
}

func TestModels(t *testing.T) {
	w := newWorld(t, script.Steps())
	w.want(200, "GET", "/v1/models", "").count("data", 2).has("data.0.id", "default").has("data.0.resolves_to", "test/script").has("data.1.context_window", 8000).
		has("data.0.pricing", "<nil>").has("data.0.health", "<nil>").has("data.1.pricing.cache_write", 3.75).has("data.1.health.state", "open").
		has("data.1.health.last_ok_at", "<nil>").has("data.1.health.last_error", "model_unavailable").has("data.1.health.latency_ms", 250).has("data.1.health.waiting_calls", 7)

	made := w.want(200, "POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"File.","tools":[]}`)
	listed := w.want(200, "GET", "/v1/models", "", "Origin", "https://page.example").count("data", 3).has("object", "list").has("data.1.id", "default").has("data.1.agent", "<nil>").has("data.1.created", 0).
		has("data.0.id", "agent:clerk").has("data.0.agent", made.text("id")).has("data.0.owned_by", "default").has("data.0.resolves_to", "default").has("data.0.health", "<nil>")
	if !strings.Contains(string(listed.Body), `"created":17`) && !strings.Contains(string(listed.Body), `"created":18`) {
		t.Errorf("when the agent was made: %s", listed.Body)
	}
	for _, name := range []string{"agent:clerk", "clerk", made.text("id")} {
		w.want(200, "GET", "/v1/models/"+name, "").has("id", "agent:clerk").has("object", "model")
	}
	w.want(200, "GET", "/v1/models/test%2Fscript", "").has("id", "test/script").has("context_window", 8000)
	for _, name := range []string{"agent:nobody", "agent:default", "nobody", "test%2Fother"} {
		w.want(404, "GET", "/v1/models/"+name, "").has("error.code", "not_found")
	}
	blind := w.key(`{"name":"blind","scopes":["runs:read"]}`)
	blind.want(200, "GET", "/v1/models", "").count("data", 2)
	blind.want(404, "GET", "/v1/models/clerk", "")

	w.want(200, "POST", "/v1/models/test", "").count("data", 2).has("data.0.object", "model.test").has("data.0.ok", true).has("data.0.calls_tools", true).
		has("data.0.first_token_ms", 12).has("data.0.ms", 1000).has("data.0.usage.total_tokens", 11).has("data.0.error", "<nil>").
		has("data.1.ok", false).has("data.1.first_token_ms", "<nil>").has("data.1.error", "it is down.")
	w.want(400, "POST", "/v1/models/test", `{"model":"nope"}`).has("error.param", "model")
	w.want(400, "POST", "/v1/models/test", `{"modle":"nope"}`).has("error.param", "modle")
	w.key(`{"name":"reader","scopes":["runs:read"]}`).want(403, "POST", "/v1/models/test", "").has("error.code", "scope_denied")
}

// TestApprovals pages through what waits, also in the middle of a run.
func TestApprovals(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("email.send", `{"to":"a"}`).And("email.send", `{"to":"b"}`).And("email.send", `{"to":"c"}`), script.Say("Done.")))
	body := `{"model":"y0-fast","prompt":"x","tools":["email.send"],"approval":{"required_for":["email.*"],"timeout":3600}}`
	older := w.want(201, "POST", "/v1/runs", body).text("id")
	newer := w.want(201, "POST", "/v1/runs", body).text("id")
	var seen []string
	for cursor, pages := "", 0; pages < 9; pages++ {
		page := w.want(200, "GET", "/v1/approvals?limit=2"+cursor, "").count("data", 2)
		for _, i := range []string{"0", "1"} {
			seen = append(seen, page.text("data."+i+".run")+" "+page.text("data."+i+".preview"))
			if page.get("data."+i+".expires_at") == nil {
				t.Errorf("no expiry: %s", page.Body)
			}
		}
		if page.get("has_more") != true {
			break
		}
		cursor = "&starting_after=" + page.text("next_cursor")
	}
	want := []string{newer + " To: a", newer + " To: b", newer + " To: c", older + " To: a", older + " To: b", older + " To: c"}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("got %v, want %v", seen, want)
	}
	for _, query := range []string{"status=all", "starting_after=run_1", "starting_after=" + newer, "starting_after=run_" + strings.Repeat("0", 32) + "/act_01", "limit=0"} {
		w.want(400, "GET", "/v1/approvals?"+query, "")
	}
	part := w.want(200, "POST", "/v1/runs/"+newer+"/approve", `{"action_ids":["act_01"]}`)
	part.has("status", "awaiting_approval").count("approved_actions", 1).count("pending_actions", 2)
	w.want(200, "POST", "/v1/runs/"+newer+"/approve", `{"action_ids":["act_02","act_03"],"reject":true,"on_reject":"continue"}`).has("status", "running")
	w.want(200, "GET", "/v1/runs/"+newer+"/stream", "")
	w.want(200, "GET", "/v1/runs/"+newer, "").has("result.summary", "Done.")
	w.want(200, "DELETE", "/v1/runs/"+older, "").has("deleted", true) // what is pending is rejected
	w.want(200, "GET", "/v1/approvals", "").count("data", 0)
}
