package native_test

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/model/script"
)

// FuzzBodies: whatever a body says, it is understood or refused in this API's shape;
// no answer is a failure of the server. A form is a body, too.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"name":"a","model":"auto","instructions":"x","tools":["time.now"],"approval":{"required_for":[{"tool":"pay.*","when":"amount > 1"}]}}`,
		`{"agent":"a","every":"1h","input":"x"}`, `{"agent":"a","cron":"0 0 31 2 *","tz":"Mars/Base"}`, `{"max_runs":-1,"period":"year"}`, `{"url":"http://u:p@h/","events":"*"}`,
		`{"name":"a.b","url":"https://example.com","parameters":{"$ref":"#"}}`, `{"items":[{"run":"x","action_id":1}]}`, `{"name":"k","scopes":["admin"],"expires_at":"0000-00-00"}`, `null`, `[]`, ``, `{"a":{"a":1},"a":2}`,
		"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"../a\"\r\n\r\nx\r\n--b--", "--b\r\nContent-Disposition: form-data; name=\"metadata\"\r\n\r\n{\r\n--b\r\n\r\n--b",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t, script.Steps())
		for _, path := range []string{"/v1/agents", "/v1/agents/validate", "/v1/tools", "/v1/keys", "/v1/webhooks", "/v1/budgets", "/v1/approvals/decide", "/v1/files"} {
			var headers []string
			if path == "/v1/files" {
				headers = []string{"Content-Type", "multipart/form-data; boundary=b"}
			}
			got := w.do("POST", path, body, headers...)
			var fault struct {
				Error struct{ Code, Message string }
			}
			if got.Status >= 500 && got.Status != 501 || got.Status >= 400 && (json.Unmarshal(got.Body, &fault) != nil || fault.Error.Code == "" || fault.Error.Message == "") {
				t.Errorf("%s %q: %d %s", path, body, got.Status, got.Body)
			}
		}
	})
}

// FuzzDecision sends forms to the page of a link that decides: an action is decided
// only by a form that says approve or reject, as it says, and once; all else is a page
// that says that nothing was decided.
func FuzzDecision(f *testing.F) {
	for _, seed := range []string{
		"decision=approve&reason=Fine.", "decision=reject", "decision=approve&decision=reject", "decision=APPROVE", "decision=approve%00", "decision=%zz", "decision=approve;reason=x", "reason=approve", "", "&&&", "decision=approve&reason=" + strings.Repeat("x", 2001), `{"decision":"approve"}`, "decision=reject&reason=%ff%e2%80%ae",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, form string) {
		w := newWorld(t, mails(script.Say("Sent.")))
		id, _ := w.mailing(`{"required_for":["email.send"]}`)
		link := w.link(id, "")
		got := w.as("").do("POST", link, form, "Content-Type", "application/x-www-form-urlencoded")
		values, err := url.ParseQuery(form)
		said := values.Get("decision")
		decides := err == nil && (said == "approve" || said == "reject") && utf8.RuneCountInString(values.Get("reason")) <= 2000
		status := w.want(200, "GET", "/v1/runs/"+id, "").get("status")
		switch {
		case got.Status >= 500 || !strings.HasPrefix(got.Header.Get("Content-Type"), "text/html"):
			t.Errorf("%q: %d %s", form, got.Status, got.Body)
		case decides != (got.Status == 200), !decides && status != "awaiting_approval", decides && status == "awaiting_approval":
			t.Errorf("%q: %d, and the run is %v", form, got.Status, status)
		case !decides && !strings.Contains(string(got.Body), "Nothing was decided"):
			t.Errorf("%q: %s", form, got.Body)
		}
		if decides {
			w.ends(id, "completed")
		}
		if n, want := w.shelf.called("email.send"), map[bool]int{true: 1}[decides && said == "approve"]; n != want {
			t.Errorf("%q: %d mails, want %d", form, n, want)
		}
	})
}
