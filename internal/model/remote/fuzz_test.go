package remote

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/internal/problem"
)

// FuzzFailure reads what providers answer in place of a reply: whatever it is, it is
// one of the model's errors, says no secret, and makes nobody wait for ever or for
// less than no time.
func FuzzFailure(f *testing.F) {
	for _, seed := range []struct {
		status int
		body   string
		header string
	}{
		{400, `{"error":{"message":"Unsupported parameter: 'max_tokens' is not supported with this model.","type":"invalid_request_error","param":"max_tokens","code":"unsupported_parameter"}}`, ""},
		{401, `{"error":{"message":"Incorrect API key provided: sk-secret-of-the-operator.","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`, ""},
		{529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}`, "30"},
		{429, `[{"error":{"code":429,"message":"Resource has been exhausted","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"11s"}]}}]`, "1.5"},
		{422, `{"detail":[{"loc":["body","messages"],"msg":"field required","type":"value_error.missing"}]}`, "Fri, 31 Dec 9999 23:59:59 GMT"},
		{404, `{"error":"model 'llama3' not found, try pulling it first"}`, "-1"}, {200, `{"error":{"code":"1e999","message":"sk-secret-of-the-operator"}}`, "NaN"}, {502, "<html>Bad Gateway</html>", "1e400"},
		{300, `"moved"`, "Inf"}, {0, `{"error":{"error":{"error":[]}}}`, "0"}, {500, "upstream: sk-secret-of-the-operator\x00\xff", " 9223372036854775807 "}, {503, `{"details":[{"retryDelay":"-1h"},{"retryDelay":"9999999h"}]}`, "Thu, 01 Jan 1970 00:00:00 GMT"},
	} {
		f.Add(seed.status, []byte(seed.body), seed.header)
	}
	now := time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)
	place := Place{Name: "peer", Secrets: []string{"sk-secret-of-the-operator"}, Now: func() time.Time { return now }}
	known := []problem.Code{problem.ModelAuth, problem.ModelRefused, problem.ModelRateLimited, problem.ModelUnavailable, problem.ModelGarbled}
	f.Fuzz(func(t *testing.T, status int, body []byte, after string) {
		for _, name := range []string{"Retry-After", "Retry-After-Ms"} {
			told := place.Judge(status, ParseFailure(body), http.Header{name: {after}}, "m")
			ours := false
			for _, code := range known {
				ours = ours || told.Code == code
			}
			if !ours || told.Detail == "" || strings.Contains(told.Detail, place.Secrets[0]) || len(told.Detail) > MaxError {
				t.Errorf("%d %q: %s: %s", status, body, told.Code, told.Detail)
			}
			if told.RetryAfter < 0 {
				t.Errorf("%s %q, %q: wait %s", name, after, body, told.RetryAfter)
			}
		}
	})
}
