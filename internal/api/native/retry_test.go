package native_test

import (
	"strings"
	"testing"

	"errand/internal/model/script"
)

// TestRetryAsAnother: a retry has the rights of who asks for it, not of who made
// the first run, and calls the tools as they are now.
func TestRetryAsAnother(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("crm.note", `{"text":"hi"}`), script.Say("Done.")))
	w.want(200, "POST", "/v1/tools", `{"name":"crm.note","url":"https://crm.example.com","parameters":{"type":"object"}}`)
	id := w.want(201, "POST", "/v1/runs", `{"model":"y0-fast","prompt":"x","tools":["crm.note"]}`).has("status", "completed").text("id")
	poor := w.key(`{"name":"poor","scopes":["runs:write"]}`)
	poor.want(201, "POST", "/v1/runs/"+id+"/retry", "").has("status", "failed").has("error.code", "scope_denied")

	w.want(200, "PATCH", "/v1/tools/crm.note", `{"parameters":{"type":"object","required":["customer"]}}`)
	again := w.want(201, "POST", "/v1/runs/"+id+"/retry", "").has("status", "completed").text("id")
	w.want(200, "GET", "/v1/runs/"+again, "").has("trace.1.outcome", "refused")

	w.want(200, "DELETE", "/v1/tools/crm.note", "")
	gone := w.want(409, "POST", "/v1/runs/"+id+"/retry", "").has("error.code", "conflict")
	if !strings.Contains(gone.text("error.message"), "crm.note") {
		t.Errorf("the tool is not named: %s", gone.Body)
	}
	if n := w.shelf.called("crm.note"); n != 1 {
		t.Errorf("%d calls", n)
	}
}
