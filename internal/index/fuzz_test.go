package index

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// FuzzText reads files of every kind: what is kept of one is text that any backing can
// hold, and no longer than a file may be; it is found by its words, and a passage of it
// is a part of it in one line.
func FuzzText(f *testing.F) {
	for _, seed := range [][3]string{
		{"a.md", "---\ntitle: \"Late fees\"\n---\n# Late fees\n\nA fee of 2 % is due after 30 days.", "when is a fee due?"}, {"b.html", "<title>Fees &amp; dues</title><nav>x</nav><p>Late<br>fees<script>y</script><svg><svg></svg></p>", "fees"},
		{"c.txt", "請求書の支払期限は30日です。\u200b", "支払"}, {"../d.md", "#", ""}, {"/e.md", "x", "x"}, {"f.exe", "\x00", "f"}, {"g.xhtml", "<!DOCTYPE html><title></title><title>b", "b"}, {"h.rst", "\xff\xfe\ufeff" + strings.Repeat("word ", 100), "word"}, {"i.md", "# #", "\x00"}, {"j\u202e.md", "x", "x"},
	} {
		f.Add(seed[0], seed[1], seed[2])
	}
	f.Fuzz(func(t *testing.T, path, content, query string) {
		if len(content) > 1<<14 {
			t.Skip()
		}
		made, why := read("docs", File{Path: path, Content: content})
		if why != "" {
			if made != (Entry{}) {
				t.Errorf("%q is refused (%s), and is %+v", path, why, made)
			}
			return
		}
		for _, kept := range []string{made.Title, made.Text, made.URL, made.Digest, made.Path} {
			if !utf8.ValidString(kept) || strings.ContainsAny(kept, "\x00"+Seam) {
				t.Errorf("%q %q keeps %q", path, content, kept)
			}
		}
		if made.Title == "" || strings.ContainsAny(made.Title, "\n\r") || len(made.Text) > 3*len(content) || !strings.HasPrefix(made.URL, "index://docs/") {
			t.Errorf("%q %q is %+v", path, content, made)
		}
		for words := Cut(made.Text); words.Next(); {
			if words.Start >= words.End || words.End > len(made.Text) || !utf8.Valid(words.Word) {
				t.Fatalf("%q has the word %q at %d to %d", made.Text, words.Word, words.Start, words.End)
			}
		}
		asked := Ask(query)
		if len(asked.Terms) > maxTerms {
			t.Errorf("%q asks for %d terms", query, len(asked.Terms))
		}
		passage := asked.Passage(made.Text)
		if part := strings.TrimSpace(strings.TrimSuffix(strings.TrimPrefix(passage, strings.TrimLeft(gap, " ")), strings.TrimRight(gap, " "))); !strings.Contains(oneLine(made.Text), part) || strings.Contains(passage, "\n") {
			t.Errorf("%q of %q has the passage %q", query, made.Text, passage)
		}
	})
}
