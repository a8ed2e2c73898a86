package webagent_test

import (
	"encoding/json"
	"strings"
	"testing"

	"errand/internal/model/script"
)

// FuzzBodies: whatever a body says, it is understood or refused in this API's shape,
// and an error repeats no password.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"prompt":"x","webhook_url":"http://u:sesame@h/"}`, `{"prompt":"x","webhook_url":"//u:sesame@"}`, `{"prompt":1,"parameters":[],"json_schema":"{"}`, `{"prompt":"{{a}}","parameters":{"a":null},"wait_for_completion":"maybe"}`,
		`{"json_schema":{"type":"object","properties":{"a":{"$ref":"#"}}}}`, `null`, `[]`, ``, `{`, `{"prompt":"\ud800"}`,
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := newWorld(t, script.Steps())
		for _, route := range []string{"PUT /api/tasks/1", "POST /api/tasks/1/runs"} {
			method, path, _ := strings.Cut(route, " ")
			got := w.do(method, path, body)
			var fault struct{ Detail any }
			if got.Status >= 500 || got.Status < 400 || json.Unmarshal(got.Body, &fault) != nil || fault.Detail == nil {
				t.Errorf("%s %q: %d %s", route, body, got.Status, got.Body)
			}
		}
	})
}

// TestErrorsRepeatNoPassword: the URL of a refused webhook is shown without whose it is.
func TestErrorsRepeatNoPassword(t *testing.T) {
	w := newWorld(t, script.Steps())
	for _, address := range []string{"http://clerk:sesame@h.example/", "https://clerk:se%40same@h.example/?a=b@c", "ftp://clerk:sesame@h.example/", `http:\/\/clerk:sesame@h.example\/`} {
		got := w.want(422, "POST", "/api/runs", `{"webhook_url":"`+address+`"}`)
		if text := string(got.Body); strings.Contains(text, "same") || !strings.Contains(text, "[redacted]@h.example") {
			t.Errorf("%s: %s", address, text)
		}
	}
}
