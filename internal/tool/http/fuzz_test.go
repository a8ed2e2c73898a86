package http

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/tool"
)

// FuzzAnswer reads what a registered tool's server answers: a model gets no more of it
// than a tool may give, as text, and never the tool's own credentials; a status that
// says no is an error, in as few words as there may be.
func FuzzAnswer(f *testing.F) {
	const secret = "bearer-value-of-the-owner"
	for _, seed := range []struct {
		status int
		kind   string
		body   string
	}{
		{200, "application/json", `{"id":"note_1","ok":true}`}, {201, "", ""}, {200, "text/plain; charset=iso-8859-1", "caf\xe9"}, {200, "text/plain; charset=utf-16", "\xff\xfea\x00"},
		{200, "text/html; charset=\"", "<p>" + secret}, {200, "image/png", "\x89PNG\r\n\x1a\n\x00"}, {200, "text/plain; charset=iso-2022-kr", "\x0e\x21"}, {302, "text/html", "moved"}, {422, "application/json", `{"error":"` + secret + `"}`},
		{500, "text/plain; charset=hz-gb-2312", "~{"}, {999, "a/b; charset=x-user-defined", "\xf7"}, {204, "text/plain; charset=replacement", "x"}, {403, "text/plain", strings.Repeat("é", 3000)},
	} {
		f.Add(seed.status, seed.kind, []byte(seed.body), 1)
	}
	d := tool.Definition{Name: "crm.note", URL: "https://crm.example.com/", Headers: map[string]string{"Authorization": secret}}.WithDefaults()
	f.Fuzz(func(t *testing.T, status int, kind string, body []byte, times int) {
		if times > 1 && times < 1<<18/(len(body)+1) {
			body = bytes.Repeat(body, times)
		}
		resp := &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {kind}}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))}
		got, err := answer(t.Context(), d, resp)
		fine := status >= 200 && status <= 299
		if (err == nil) != fine {
			t.Fatalf("%d %q: %v", status, body, err)
		}
		text, most := got.Output, tool.MaxOutput
		if err != nil {
			told := problem.From(err)
			if text, most = told.Detail, 3*maxError; told.Code != problem.ToolFailed {
				t.Errorf("%d %q: %v", status, body, err)
			}
		}
		if len(text) > most || fine && !utf8.ValidString(text) || strings.Contains(text, secret) {
			t.Errorf("%d %q %.100q gives %d bytes: %.300q", status, kind, body, len(text), text)
		}
	})
}
