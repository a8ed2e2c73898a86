package webhook

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
)

// FuzzNew checks what may be registered: an endpoint has a URL that requests may go to
// and events that are sent, or each fault names its field and repeats no password.
func FuzzNew(f *testing.F) {
	for _, seed := range []string{
		`{"URL":"https://hooks.example.com/errand","Events":["run.completed","approval.requested"],"Description":"Ops"}`, `{"URL":"https://clerk:sesame@h.example/","Events":["*"]}`, `{"URL":"http://10.0.0.1/","Events":["run.complete"]}`,
		`{"URL":"https://169.254.169.254/latest","Events":[""]}`, `{"URL":"ftp://h/","Events":null}`, `{"URL":"https://[::ffff:127.0.0.1]/","Events":["*","*"]}`, `{"URL":"//sesame@h"}`, `{"URL":"https://h\u0000/"}`, `{}`,
	} {
		f.Add([]byte(seed))
	}
	h := &Hub{cfg: Config{Guard: egress.New(egress.Config{})}}
	f.Fuzz(func(t *testing.T, text []byte) {
		var n New
		if len(text) > 1<<13 || json.Unmarshal(text, &n) != nil {
			return
		}
		if err := h.check(&n, ""); err != nil {
			told := problem.From(err)
			if told.Code != problem.InvalidRequest || told.Detail == "" || len(told.Fields) == 0 {
				t.Errorf("%q: %v", text, err)
			}
			for field, fault := range told.Fields {
				if field == "" || fault == "" {
					t.Errorf("%q: the field %q %s", text, field, fault)
				}
			}
			return
		}
		if u, err := h.cfg.Guard.CheckSecure(n.URL); err != nil || u.Scheme != "https" || u.User != nil || len(n.Events) == 0 || len(n.URL) > maxURL {
			t.Errorf("%q is taken: %+v, %v", text, n, err)
		}
	})
}

// FuzzRetryAfter reads when a receiver wants to be asked again: never before now, and a
// date as net/http has it.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "120", "-1", "+1", "1e3", "2147483648", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Friday, 31-Dec-99 23:59:59 GMT", " 1", "\x00"} {
		f.Add(seed)
	}
	now := time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)
	f.Fuzz(func(t *testing.T, text string) {
		got := retryAfter(text, now)
		if at, err := http.ParseTime(text); got < 0 || err == nil && at.After(now) && got != at.Sub(now) || got > 0 && got%time.Second != 0 && err != nil {
			t.Errorf("%q: %s", text, got)
		}
	})
}
