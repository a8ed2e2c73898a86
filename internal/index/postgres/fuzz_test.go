//go:build unix

package postgres

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"errand/internal/index"
)

// FuzzQuery writes queries and vectors for PostgreSQL: whatever is asked and indexed,
// each is the words of one project in quotes and nothing else, so that no text of
// anybody is syntax; and the parts of a text are the text.
func FuzzQuery(f *testing.F) {
	for _, seed := range [][2]string{
		{"when are late fees due?", "A fee of 2 % is due after 30 days."}, {"a' | 'b", "'x':1A \\"}, {"INV-1041 ann@example.com", "<-> & | ! ( ) :* \x00"}, {"請求書", "請求書の支払期限"}, {"é\u0301 ﬁ ß", "\xff\xfe"}, {strings.Repeat("é", 300), strings.Repeat("x", 300)}, {"\u02bc\u2019", "don't 7/x"},
	} {
		f.Add(seed[0], seed[1])
	}
	asked := regexp.MustCompile(`^'7/[^'\\\s:&|!()<>*\x00]+'( <-> '7/[^'\\\s:&|!()<>*\x00]+')*$`)
	kept := regexp.MustCompile(`^('7/[^'\\\s:\x00]+':[0-9]+A?(,[0-9]+A?)* )*$`)
	f.Fuzz(func(t *testing.T, query, text string) {
		for _, term := range index.Ask(query).Terms {
			if written := phrase(7, &term); written != "" && !asked.MatchString(written) || !utf8.ValidString(written) {
				t.Errorf("%q is asked for as %q", query, written)
			}
		}
		parts, _ := divide(7, &index.Entry{Title: query, Text: text})
		whole := ""
		for _, p := range parts {
			whole += p.body
			if !kept.MatchString(p.lexemes) || len(p.lexemes) > 1<<20 {
				t.Errorf("%q is found by %.300q", text, p.lexemes)
			}
		}
		if whole != text {
			t.Errorf("%q in parts is %q", text, whole)
		}
	})
}
