package file

import (
	"bytes"
	"mime"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzKind says what a file is by its bytes, the same however they come in, and holds
// it to net/http: what is text here is nothing that a browser would run as a page.
func FuzzKind(f *testing.F) {
	for _, seed := range []string{
		"%PDF-1.7\n", "\x89PNG\r\n\x1a\n", "\xff\xd8\xff\xe0", "RIFF\x00\x00\x00\x00WAVEfmt ", "\x00\x00\x00\x20ftypM4A ", "RIFFxxxxAVI ", "PK\x03\x04", "MZ", "\x7fELF", "Grüße\n", "\xef\xbb\xbftext", "\xc3", "a\x00b", "\x1b[31m", "", "\xf0\x9f\xa4\x96", "\xed\xa0\x80", "<html>", "GIF89a",
	} {
		f.Add([]byte(seed), uint16(3))
	}
	f.Fuzz(func(t *testing.T, content []byte, at uint16) {
		cut := int(at) % (len(content) + 1)
		var whole, parts sniffer
		_, _ = whole.Write(content)
		_, _ = parts.Write(content[:cut])
		_, _ = parts.Write(content[cut:])
		kind := whole.kind()
		if parts.kind() != kind {
			t.Fatalf("%q is %q, and cut at %d %q", content, kind, cut, parts.kind())
		}
		theirs := http.DetectContentType(content)
		switch kind {
		case Text:
			if !utf8.Valid(content) || bytes.IndexByte(content, 0) >= 0 {
				t.Errorf("%q is text", content)
			}
		case PDF, PNG, JPEG:
			if theirs != kind {
				t.Errorf("%q is %s, and net/http says %s", content, kind, theirs)
			}
		case WAV, M4A:
			if strings.HasPrefix(theirs, "text/") || strings.HasPrefix(theirs, "image/") {
				t.Errorf("%q is %s, and net/http says %s", content, kind, theirs)
			}
		case "":
			if utf8.Valid(content) && strings.HasPrefix(theirs, "text/plain") {
				t.Errorf("%q is nothing, and net/http says %s", content, theirs)
			}
		default:
			t.Errorf("%q is %q", content, kind)
		}
	})
}

// FuzzName makes a name of what a client calls its file: one that can stand in a
// directory and in a header, and is no way out of either.
func FuzzName(f *testing.F) {
	for _, seed := range []string{"report.pdf", "../../etc/passwd", `C:\\x\\y.txt`, "..", ". .", "", "a\r\nSet-Cookie: x", "\u202egpj.exe", strings.Repeat("é", 200), "\xff.txt", "a/", "\x00", "con", `a"b;c=d`, "a\u2028b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, given string) {
		name := clean(given)
		if name == "" || len(name) > maxName || !utf8.ValidString(name) || filepath.Base(name) != name || strings.Trim(name, ". ") == "" || !filepath.IsLocal(name) {
			t.Errorf("%q is called %q", given, name)
		}
		if clean(name) != name {
			t.Errorf("%q is called %q, and then %q", given, name, clean(name))
		}
		header := mime.FormatMediaType("attachment", map[string]string{"filename": name})
		if strings.ContainsAny(header, "\r\n\x00") {
			t.Errorf("%q makes the header %q", given, header)
		}
		if _, params, err := mime.ParseMediaType(header); err != nil || params["filename"] != name {
			t.Errorf("%q makes the header %q, which says %q (%v)", given, header, params["filename"], err)
		}
	})
}
