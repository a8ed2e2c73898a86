package native_test

import (
	"fmt"
	"strings"
	"testing"

	"errand/internal/model/script"
)

// TestValidateAgent: all that is wrong at once, with nothing saved.
func TestValidateAgent(t *testing.T) {
	w := newWorld(t, script.Steps())
	const good = `{"name":"clerk","model":"default","instructions":"x","tools":["time.now"]}`
	w.want(200, "POST", "/v1/agents/validate", good).has("valid", true).has("agent.max_steps", 8).has("agent.id", "<nil>").count("agent.tools", 1)
	w.want(404, "GET", "/v1/agents/clerk", "")
	w.want(200, "POST", "/v1/agents/validate", `{"name":"","model":"gone","tools":["time.no"],"limits":{"max_tokens":-1}}`).
		has("valid", false).has("agent", "<nil>").has("errors.model", `there is no model "gone": there are default, y0-agent, y0-fast.`).
		has("errors.limits.max_tokens", "<nil>") // its name has a dot
	w.want(200, "POST", "/v1/agents/validate", `{"modl":"default"}`).has("valid", false)
	w.want(200, "POST", "/v1/agents/validate", `{"tools":5}`).has("valid", false)
	w.want(400, "POST", "/v1/agents/validate", `{"name":`).has("error.code", "invalid_request")

	id := w.want(200, "POST", "/v1/agents", good).text("id")
	taken := "is the name of another agent of this project: choose another one."
	w.want(200, "POST", "/v1/agents/validate", good).has("valid", false).has("errors.name", taken)
	w.want(200, "POST", "/v1/agents/validate?agent=clerk", `{}`).has("valid", true).has("changed", false).has("agent.id", id)
	w.want(200, "POST", "/v1/agents/validate?agent="+id, `{"instructions":"y"}`).has("valid", true).has("changed", true).has("agent.instructions", "y").count("agent.tools", 1)
	w.want(200, "POST", "/v1/agents", `{"name":"other","model":"default","instructions":"x","tools":[]}`)
	w.want(200, "POST", "/v1/agents/validate?agent=other", `{"name":"clerk"}`).has("errors.name", taken)
	w.want(404, "POST", "/v1/agents/validate?agent=nobody", `{}`)
	w.want(200, "GET", "/v1/agents/clerk", "").has("version", 1)
}

// TestIfMatch: who names the version that they have read saves over nobody.
func TestIfMatch(t *testing.T) {
	w := newWorld(t, script.Steps())
	made := w.want(200, "POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"one","tools":[]}`)
	const path, change, code = "/v1/agents/clerk", `{"instructions":"mine"}`, "precondition_failed"
	read := w.want(200, "GET", path, "")
	tag := read.Header.Get("Etag")
	if tag != `"`+made.text("id")+`/1"` || made.Header.Get("Etag") != tag {
		t.Fatalf("the tag is %s", tag)
	}
	if now := w.want(200, "PATCH", path, `{"instructions":"theirs"}`, "If-Match", tag).Header.Get("Etag"); now != `"`+made.text("id")+`/2"` {
		t.Errorf("after a change it is %s", now)
	}
	stale := w.want(412, "PATCH", path, change, "If-Match", tag).has("error.code", code)
	for _, said := range []string{"version 2", "key_admin", "If-Match"} {
		if !strings.Contains(stale.text("error.message"), said) {
			t.Errorf("%q is not in %s", said, stale.Body)
		}
	}
	w.want(412, "DELETE", path, "", "If-Match", tag).has("error.code", code)
	w.want(412, "POST", path+"/versions/1/restore", "", "If-Match", tag).has("error.code", code)
	w.want(412, "PATCH", path, change, "If-Match", `"agt_other/2"`).has("error.code", code)
	for _, none := range []string{"2", "", " "} { // a variable that was empty is no consent to save over anything
		w.want(400, "PATCH", path, change, "If-Match", none).has("error.param", "If-Match")
	}
	w.want(200, "GET", path, "").has("version", 2).has("instructions", "theirs")
	w.want(200, "PATCH", path, change, "If-Match", `"x", W/"`+made.text("id")+`/2"`).has("version", 3)
	w.want(200, "PATCH", path, `{"instructions":"any"}`, "If-Match", "*").has("version", 4)
	w.want(200, "PATCH", path, `{"instructions":"none named"}`).has("version", 5)
	w.want(200, "DELETE", path, "", "If-Match", `"`+made.text("id")+`/5"`)
}

// TestSavingAtOnce: of those who have all read the same version, one saves.
func TestSavingAtOnce(t *testing.T) {
	w := newWorld(t, script.Steps())
	w.want(200, "POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"one","tools":[]}`)
	tag := w.want(200, "GET", "/v1/agents/clerk", "").Header.Get("Etag")
	answers := make(chan int, 8)
	for i := range cap(answers) {
		go func() {
			answers <- w.do("PATCH", "/v1/agents/clerk", fmt.Sprintf(`{"instructions":"of %d"}`, i), "If-Match", tag).Status
		}()
	}
	saved := 0
	for range cap(answers) {
		switch status := <-answers; status {
		case 200:
			saved++
		case 412:
		default:
			t.Errorf("answered %d", status)
		}
	}
	if saved != 1 {
		t.Errorf("%d have saved", saved)
	}
	w.want(200, "GET", "/v1/agents/clerk", "").has("version", 2)
}

// TestRestoreVersion: an earlier definition becomes the next version.
func TestRestoreVersion(t *testing.T) {
	w := newWorld(t, script.Steps())
	w.want(200, "POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"one","tools":[]}`).has("updated_by", "key_admin")
	w.want(200, "PATCH", "/v1/agents/clerk", `{"instructions":"two","tools":["time.now"]}`).has("version", 2)
	const restore = "/v1/agents/clerk/versions/1/restore"
	w.want(200, "POST", restore, "", "Idempotency-Key", "a").has("version", 3).has("instructions", "one").count("tools", 0)
	w.want(200, "POST", restore, "", "Idempotency-Key", "a").has("version", 3)
	w.want(200, "POST", restore, "").has("version", 3) // it is so already
	w.want(404, "POST", "/v1/agents/clerk/versions/9/restore", "")
	w.want(404, "POST", "/v1/agents/clerk/versions/x/restore", "")
	w.want(200, "GET", "/v1/agents/clerk/versions", "").count("data", 3).has("data.0.instructions", "one").has("data.1.instructions", "two")

	w.want(200, "POST", "/v1/tools", `{"name":"crm.note","url":"https://example.com"}`)
	w.want(200, "PATCH", "/v1/agents/clerk", `{"tools":["crm.note"]}`).has("version", 4)
	w.want(200, "PATCH", "/v1/agents/clerk", `{"tools":[]}`).has("version", 5)
	w.want(200, "DELETE", "/v1/tools/crm.note", "")
	w.want(400, "POST", "/v1/agents/clerk/versions/4/restore", "").has("error.code", "invalid_request")
}
