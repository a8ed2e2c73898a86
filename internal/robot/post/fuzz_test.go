package post

import (
	"net/http"
	"testing"
	"time"
)

// FuzzJudge reads what receivers answer: only a 2xx is a delivery, only a 410 means
// for good, and nobody makes a courier come back before now.
func FuzzJudge(f *testing.F) {
	for _, after := range []string{"", "120", "-1", "1e9", "2147483648", "99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT", "Thu, 01 Jan 1970 00:00:00 GMT", "Fri, 31 Dec 1999 23:59:59 UTC", " 1", "\x00"} {
		for _, code := range []int{200, 302, 410, 429, 503, 0} {
			f.Add(code, after)
		}
	}
	now := time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)
	f.Fuzz(func(t *testing.T, code int, after string) {
		a := judge(&http.Response{StatusCode: code, Header: http.Header{"Retry-After": {after}}}, now)
		fine := code >= 200 && code < 300
		if fine != (a.Fault == "") || a.Gone != (code == http.StatusGone) || a.After < 0 || fine && a.After != 0 {
			t.Errorf("%d %q: %+v", code, after, a)
		}
	})
}
