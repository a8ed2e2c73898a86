package native_test

import (
	"encoding/json"
	"strings"
	"testing"

	"errand/internal/model/script"
)

// chaser are the lines of a model that reads, mails and answers.
func chaser() *script.Model {
	return script.Steps(
		script.Call("finance.read", `{"status":"unpaid"}`),
		script.Call("email.send", `{"to":"meridian@example.com","amount":1042.10}`),
		script.Say("Done."),
	)
}

// invoiceChaser is the document's first request, verbatim.
const invoiceChaser = `{
  "name": "invoice-chaser",
  "model": "y0-agent",
  "instructions": "Chase unpaid invoices politely but firmly.",
  "tools": ["email.send", "finance.read"],
  "approval": { "required_for": ["email.send"] },
  "max_steps": 8
}`

// TestDocument sends the document's requests as they are written there, and finds
// every key of its answers where the document has it.
func TestDocument(t *testing.T) {
	w := newWorld(t, chaser())
	made := w.want(200, "POST", "/v1/agents", invoiceChaser)
	made.superset(`{"object":"agent","name":"invoice-chaser","model":"y0-agent","tools":["email.send","finance.read"],"approval":{"required_for":["email.send"]}}`)
	id := made.text("id")
	if !strings.HasPrefix(id, "agt_") || !strings.HasSuffix(made.text("created_at"), "Z") {
		t.Errorf("id and created_at: %s", made.Body)
	}

	waiting := w.want(200, "POST", "/v1/agents/"+id+"/run", `{"prompt": "Chase the three unpaid invoices over 30 days."}`)
	waiting.superset(`{"object":"run","agent":"` + id + `","status":"awaiting_approval"}`)
	waiting.has("pending_actions.0.tool", "email.send").has("pending_actions.0.preview", "To: meridian@example.com")
	if !strings.Contains(string(waiting.Body), `"arguments":{"to":"meridian@example.com","amount":1042.10}`) {
		t.Errorf("the arguments have lost their digits: %s", waiting.Body)
	}
	run, action := waiting.text("id"), waiting.text("pending_actions.0.id")

	decided := w.want(200, "POST", "/v1/runs/"+run+"/approve", `{"action_ids": ["`+action+`"]}`)
	decided.superset(`{"id":"` + run + `","object":"run","status":"running","approved_actions":["` + action + `"]}`)

	w.want(200, "GET", "/v1/runs/"+run+"/stream", "") // to its end
	w.want(200, "GET", "/v1/runs/"+run, "").has("status", "completed").has("result.summary", "Done.")
	again := w.want(200, "POST", "/v1/runs/"+run+"/approve", `{"action_ids": ["`+action+`"]}`)
	if string(again.Body) != string(decided.Body) {
		t.Errorf("the same decision again: got %s, want %s", again.Body, decided.Body)
	}
	if n := w.shelf.called("email.send"); n != 1 {
		t.Errorf("%d e-mails", n)
	}
	listed := w.want(200, "GET", "/v1/agents/"+id+"/runs", "")
	listed.superset(`{"object":"list","has_more":false}`).has("data.0.id", run).has("data.0.status", "completed").has("data.0.steps_used", 3)
}

// superset checks that the answer has all that want has.
func (r reply) superset(want string) reply {
	r.T.Helper()
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		r.T.Fatal(err)
	}
	for key, value := range wanted {
		r.has(key, value)
	}
	return r
}

// TestReject follows the document: the run completes without acting.
func TestReject(t *testing.T) {
	w := newWorld(t, chaser())
	w.want(200, "POST", "/v1/agents", invoiceChaser)
	waiting := w.want(200, "POST", "/v1/agents/invoice-chaser/run", `{"prompt":"Chase."}`)
	run, action := waiting.text("id"), waiting.text("pending_actions.0.id")
	path := "/v1/runs/" + run + "/approve"
	for _, body := range []string{`{}`, `{"action_ids":[]}`, `{"action_ids":["act_77"]}`, `{"action_ids":["` + action + `","act_77"]}`} {
		w.want(400, "POST", path, body).has("error.code", "invalid_request").has("error.param", "action_ids")
	}
	for _, body := range []string{`{"action_ids":["` + action + `"],"on_reject":"stop"}`, `{"action_ids":["` + action + `"],"on_reject":"continue"}`, `{"action_ids":["` + action + `"],"reject":false,"on_reject":"continue"}`} {
		w.want(400, "POST", path, body).has("error.param", "on_reject")
	}
	w.want(200, "GET", "/v1/approvals?status=pending", "").count("data", 1).has("data.0.run", run).has("data.0.id", action)
	body := `{"action_ids":["` + action + `","` + action + `"],"reject":true,"reason":"Not today."}`
	rejected := w.want(200, "POST", path, body).has("status", "completed").count("approved_actions", 0).count("rejected_actions", 1)
	w.want(409, "POST", path, `{"action_ids":["`+action+`"]}`).has("error.code", "conflict")
	if again := w.want(200, "POST", path, body); string(again.Body) != string(rejected.Body) {
		t.Errorf("got %s, want %s", again.Body, rejected.Body)
	}
	w.want(200, "GET", "/v1/runs/"+run+"?include_trace=false", "").has("stop_reason", "rejected").has("trace", nil)
	w.want(200, "GET", "/v1/approvals", "").count("data", 0)
	if n := w.shelf.called("email.send"); n != 0 {
		t.Errorf("%d e-mails", n)
	}
}
