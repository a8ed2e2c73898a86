package native_test

import (
	"encoding/json"
	"testing"

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
