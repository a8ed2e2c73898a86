package native_test

import (
	"strings"
	"testing"

	"errand/internal/model/script"
)

// Every way in which approvals can be asked for wrongly is told by its place.
func TestGateFaults(t *testing.T) {
	w := newWorld(t, script.Steps())
	for approval, field := range map[string]string{
		`{"required_for":[7]}`:                                                               "approval.required_for[0]",
		`{"required_for":[null]}`:                                                            "approval.required_for[0]",
		`{"required_for":["email.send",{"when":"to != \"\""}]}`:                              "approval.required_for[1].tool",
		`{"required_for":[{"tool":"email.send"}]}`:                                           "approval.required_for[0].when",
		`{"required_for":[{"tool":"email.send","when":"to !="}]}`:                            "approval.required_for[0].when",
		`{"required_for":[{"tool":"email.send","when":"amount > 1","then":1}]}`:              "approval.required_for[0].then",
		`{"required_for":[{"tool":"finance.read","when":"a > 1"},"email.send"]}`:             "approval.required_for[0].tool",
		`{"required_for":[{"tool":"email.send","when":"to != \"\""},"finance.read"]}`:        "approval.required_for[1]",
		`{"after_untrusted":["finance.read"]}`:                                               "approval.after_untrusted[0]",
		`{"required_for":["email.send"],"quorum":0}`:                                         "approval.quorum",
		`{"required_for":["email.send"],"quorum":11}`:                                        "approval.quorum",
		`{"required_for":["email.send"],"separate":"yes"}`:                                   "approval.separate",
		`{"required_for":["email.send"],"timeout":5,"on_timeout":"approve","quorum":2}`:      "approval.on_timeout",
		`{"required_for":["email.send"],"timeout":5,"on_timeout":"approve","separate":true}`: "approval.on_timeout",
		`{"required_for":["email.send"],"on_timeout":"continue"}`:                            "approval.on_timeout",
	} {
		got := w.want(400, "POST", "/v1/agents", with("approval", approval))
		got.has("error.param", field)
	}
}

// What is said about approvals is shown as it was said, and survives a change of
// something else.
func TestGatesAreShown(t *testing.T) {
	w := newWorld(t, script.Steps())
	said := `{"required_for":["email.*",{"tool":"email.send","when":"len(to) > 100"}],"after_untrusted":["email.send"],"timeout":60,"on_timeout":"continue","separate":true,"quorum":2}`
	shows := func(r reply, want string) reply {
		t.Helper()
		if !strings.Contains(string(r.Body), `"approval":`+want) {
			t.Errorf("got %s, want %s", r.Body, want)
		}
		return r
	}
	id := shows(w.want(200, "POST", "/v1/agents", with("approval", said)), said).text("id")
	shows(w.want(200, "PATCH", "/v1/agents/"+id, `{"max_steps":3}`), said).has("version", 2)
	other := `{"required_for":["email.send"],"timeout":9,"on_timeout":"approve"}`
	shows(w.want(200, "PATCH", "/v1/agents/"+id, `{"approval":`+other+`}`), other)
}
