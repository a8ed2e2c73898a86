package native_test

import (
	"testing"

	"errand/internal/model/script"
)

// What an edit comes to is told before anything is decided: the digest is the one that
// the approval has afterwards, and what the approval would refuse is refused here.
func TestWeigh(t *testing.T) {
	w := newWorld(t, mails(script.Say("Sent.")))
	id, waiting := w.mailing(`{"required_for":["email.send"],"separate":true}`)
	path, digest := "/v1/runs/"+id+"/actions/act_01/check", waiting.text("pending_actions.0.digest")
	w.want(403, "POST", path, `{"arguments":{"to":"one@example.com"}}`).has("error.code", "scope_denied")
	ada := w.key(`{"name":"Ada","scopes":["runs:read","runs:approve"]}`)
	ada.want(200, "POST", path, "").has("digest", digest)
	ada.want(400, "POST", path, `{"arguments":[1]}`).has("error.param", "arguments")
	ada.want(400, "POST", path, `{"arguments":{"to":1}}`).has("error.param", "arguments")
	ada.want(400, "POST", "/v1/runs/"+id+"/actions/act_09/check", "").has("error.param", "action_ids")
	ada.want(404, "POST", "/v1/runs/run_00000000000000000000000000000009/actions/act_01/check", "")

	weighed := ada.want(200, "POST", path, `{"arguments":{"to":"one@example.com"}}`).has("preview", "To: one@example.com")
	if weighed.text("digest") == digest {
		t.Error("other arguments have the same digest")
	}
	w.want(200, "GET", "/v1/runs/"+id, "").has("pending_actions.0.digest", digest) // nothing was decided
	ada.want(200, "POST", "/v1/runs/"+id+"/approve", `{"action_ids":["act_01"],"digest":"`+digest+`","arguments":{"to":"one@example.com"}}`)
	w.ends(id, "completed")
	w.want(200, "GET", "/v1/runs/"+id+"/events", "").has("data.2.data.digest", weighed.text("digest"))
	ada.want(409, "POST", path, "").has("error.code", "conflict")
}
