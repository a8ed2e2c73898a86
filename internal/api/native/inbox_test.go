package native_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/internal/model/script"
)

// gatedMail is a run that waits with one mail; more are fields of its body.
func (w *world) gatedMail(more string) string {
	w.t.Helper()
	id := w.want(201, "POST", "/v1/runs", `{"model":"default","prompt":"Mail them","tools":["email.send"],"background":true,`+more+`}`).text("id")
	untilStatus(w.t, w, id, "awaiting_approval")
	return id
}

// TestTheInboxSaysAllThatAPersonHasToKnow.
func TestTheInboxSaysAllThatAPersonHasToKnow(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("email.send", `{"to":"аda@corp.com","note":"pay\u200b now\u202e"}`), script.Say("Done.")))
	w.want(200, "POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"x","tools":["email.send"],"approval":{"required_for":["email.*"],"timeout":60,"on_timeout":"continue","separate":true,"quorum":2}}`)
	id := w.want(200, "POST", "/v1/agents/clerk/run", `{"prompt":"Mail\nthem","background":true}`, "Prefer", "wait=0").text("id")
	untilStatus(t, w, id, "awaiting_approval")
	w.want(200, "GET", "/v1/approvals", "").count("data", 1).
		has("data.0.run", id).has("data.0.agent_name", "clerk").has("data.0.agent_version", 1).has("data.0.title", "Mail").has("data.0.effect", "once").
		has("data.0.step", 1).has("data.0.attempts", 0).has("data.0.causes.0.kind", "gate").has("data.0.causes.0.gate", "email.*").has("data.0.on_expiry", "continue").
		has("data.0.approvals.missing", 2).has("data.0.schema.type", "object").
		count("data.0.warnings", 2).has("data.0.warnings.0.kind", "hidden_characters").has("data.0.warnings.0.path", "/note").has("data.0.warnings.0.count", 2).
		has("data.0.warnings.0.characters", "[U+200B U+202E]").has("data.0.warnings.1.kind", "mixed_scripts").has("data.0.warnings.1.path", "/to").
		has("data.0.may.approve", false).has("data.0.may.reject", true).has("data.0.may.edit", false)
	reader := w.key(`{"name":"reader","scopes":["runs:read"]}`)
	reader.want(200, "GET", "/v1/approvals", "").has("data.0.may.approve", false).has("data.0.may.reject", false)
	other := w.key(`{"name":"other","scopes":["runs:read","runs:approve"]}`)
	other.want(200, "GET", "/v1/approvals", "").has("data.0.may.approve", true).has("data.0.may.edit", true).has("data.0.may.why", "<nil>")
	other.want(200, "POST", "/v1/runs/"+id+"/approve", `{"action_ids":["act_01"]}`).count("pending_actions", 1)
	other.want(200, "GET", "/v1/approvals", "").has("data.0.may.approve", false).has("data.0.may.edit", true).has("data.0.approvals.missing", 1)
	third := w.key(`{"name":"third","scopes":["runs:read","runs:approve"]}`)
	third.want(200, "GET", "/v1/approvals", "").has("data.0.may.approve", true)
}

// TestDecidingOnSeveral: each decision has its own end.
func TestDecidingOnSeveral(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("email.send", `{"to":"a"}`), script.Say("Done.")))
	const gate = `"approval":{"required_for":["email.send"]}`
	yes, no, taken, stale := w.gatedMail(gate), w.gatedMail(gate), w.gatedMail(gate), w.gatedMail(gate)
	two := w.gatedMail(`"approval":{"required_for":["email.send"],"quorum":2}`)
	digest := w.want(200, "GET", "/v1/runs/"+yes, "").text("pending_actions.0.digest")
	w.want(200, "POST", "/v1/runs/"+taken+"/approve", `{"action_ids":["act_01"],"reject":true}`)
	item := func(id, more string) string { return fmt.Sprintf(`{"run":%q,"action_id":"act_01",%s}`, id, more) }
	seen := `"digest":"` + digest + `"`
	items := strings.Join([]string{
		item(yes, seen), item(no, `"reject":true,"reason":"no"`), item(taken, seen), item(stale, `"digest":"sha256:00"`), item(two, seen),
		item("run_019eb6ce41d200004f1c9a02e6b7d3a8", seen),
	}, ",")
	for range 2 { // the same again changes nothing
		got := w.want(200, "POST", "/v1/approvals/decide", `{"items":[`+items+`]}`).count("data", 6).
			has("data.0.decision", "approved").has("data.0.error", "<nil>").has("data.1.decision", "rejected").
			has("data.2.decision", "<nil>").has("data.2.error.code", "conflict").has("data.3.error.code", "conflict").
			has("data.4.decision", "pending").has("data.4.status", "awaiting_approval").has("data.5.error.code", "not_found")
		if got.text("data.0.run") != yes {
			t.Errorf("%s", got.Body)
		}
	}
	untilStatus(t, w, yes, "completed")
	if n := w.shelf.called("email.send"); n != 1 {
		t.Errorf("%d mails were sent", n)
	}
	w.want(200, "GET", "/v1/approvals/decided", "").count("data", 4).has("data.0.decision", "approved").has("data.0.by.id", "key_admin").
		has("data.0.run", two).has("data.1.decision", "rejected").has("data.1.run", no).has("data.1.reason", "no").has("data.2.actions.0.digest", digest)
	w.want(200, "GET", "/v1/approvals/decided?limit=1", "").count("data", 1).has("data.0.run", two).has("has_more", true)
	w.want(200, "GET", "/v1/approvals/decided?since="+time.Now().Add(time.Minute).UTC().Format(time.RFC3339), "").count("data", 0)
	w.want(400, "GET", "/v1/approvals/decided?since=2020-01-01T00:00:00Z", "").has("error.param", "since")

	for body, field := range map[string]string{
		`{}`: "items", `{"items":[]}`: "items", `{"items":[` + item(yes, `"reason":"x"`) + `]}`: "items[0].digest",
		`{"items":[{"action_id":"a","reject":true}]}`: "items[0].run", `{"items":[{"run":"` + yes + `","reject":true}]}`: "items[0].action_id",
		`{"items":[` + item(yes, `"reject":true,"action_ids":["act_02"]`) + `]}`:               "items[0].action_ids",
		`{"items":[` + item(yes, `"reject":true,"for":"run"`) + `]}`:                           "items[0].for",
		`{"items":[` + strings.TrimSuffix(strings.Repeat(item(yes, seen)+",", 51), ",") + `]}`: "items",
	} {
		w.want(400, "POST", "/v1/approvals/decide", body).has("error.param", field)
	}
	bound := w.key(`{"name":"bound","agents":["` + w.want(200, "POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"x","tools":[]}`).text("id") + `"]}`)
	bound.want(200, "POST", "/v1/approvals/decide", `{"items":[`+item(stale, seen)+`]}`).has("data.0.error.code", "not_found")
	bound.want(200, "GET", "/v1/approvals/decided", "").count("data", 0)
}

// TestWhatWasDecidedOfOnesOwn: a key for some agents sees what was decided of their
// runs, a full page of it, however much was decided of others since.
func TestWhatWasDecidedOfOnesOwn(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("email.send", `{"to":"a"}`), script.Say("Done.")))
	const gate = `"approval":{"required_for":["email.send"]}`
	w.want(200, "POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"x","tools":["email.send"],`+gate+`}`)
	reject := func(id string) {
		w.want(200, "POST", "/v1/runs/"+id+"/approve", `{"action_ids":["act_01"],"reject":true}`)
	}
	var own []string
	for range 2 {
		id := w.want(200, "POST", "/v1/agents/clerk/run", `{"prompt":"Mail them","background":true}`, "Prefer", "wait=0").text("id")
		untilStatus(t, w, id, "awaiting_approval")
		reject(id)
		own = append(own, id)
	}
	for range 3 {
		reject(w.gatedMail(gate))
	}
	bound := w.key(`{"name":"bound","agents":["clerk"]}`)
	bound.want(200, "GET", "/v1/approvals/decided?limit=2", "").count("data", 2).has("has_more", false).has("data.0.run", own[1]).has("data.1.run", own[0])
	bound.want(200, "GET", "/v1/approvals/decided?limit=1", "").count("data", 1).has("has_more", true).has("data.0.run", own[1])
	w.want(200, "GET", "/v1/approvals/decided", "").count("data", 5)
}
