package web

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/tool"
)

// FuzzPage reads pages that are made to be hard to read: whatever they are, what
// the model gets is text within its bounds, in time, or a refusal.
func FuzzPage(f *testing.F) {
	for _, seed := range [][2]string{
		{"text/html; charset=utf-8", article}, {"text/html", "<title>x</title><meta charset=shift_jis><p>\x8f"}, {"text/html; charset=utf-16", "\xff\xfe<\x00p\x00"}, {"text/plain", "\xff\xfe"},
		{"application/json", `{"a":"` + "\u202e" + `"}`}, {"text/html", strings.Repeat("<div>", 500) + "x"}, {"text/html", strings.Repeat("<ul><li>x", 60)}, {"text/html; charset=none", "x"}, {"text/html", "<table><tr><td colspan=999999999>x"},
		{"text/html", "<a href='javascript:x'>y</a><img src=data:x><base href='//evil'>"}, {"text/html", "<svg><title>x<p>y</svg><math><mi>"}, {"text/html", "<!--" + strings.Repeat("-", 300)}, {"text/xml", "<!DOCTYPE x [<!ENTITY a 'b'>]>&a;"}, {"", ""},
	} {
		f.Add(seed[0], []byte(seed[1]))
	}
	final, err := url.Parse("https://example.com/page")
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, kind string, body []byte) {
		media, _, _ := strings.Cut(strings.ToLower(kind), ";")
		begun := time.Now()
		got, err := (&page{final: final, media: strings.TrimSpace(media), kind: kind, body: body}).read(t.Context())
		if err != nil && !problem.Is(err, problem.ToolFailed) || len(got) > tool.MaxOutput || !utf8.ValidString(got) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
		if took := time.Since(begun); took > time.Minute {
			t.Errorf("it took %v", took)
		}
	})
}
