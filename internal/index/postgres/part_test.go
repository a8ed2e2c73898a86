//go:build unix

package postgres

import (
	"fmt"
	"strings"
	"testing"

	"errand/internal/index"
)

// TestDivide: parts make the text again, none has more than a vector can hold, and the
// first words of one are in the vector before it.
func TestDivide(t *testing.T) {
	numbers := func(n int) string {
		var text strings.Builder
		for i := range n {
			fmt.Fprintf(&text, "n%d, ", i)
		}
		return text.String()
	}
	for name, c := range map[string]struct {
		text         string
		parts, words int
	}{
		"nothing": {"", 1, 1}, "no words": {" … ", 1, 1}, "one": {numbers(partWords), 1, partWords + 1},
		"a word more": {numbers(partWords + 1), 2, partWords + 2}, "within the overlap": {numbers(partWords + overlap - 1), 2, partWords + overlap},
		"many": {numbers(3*partWords + 7), 4, 3*partWords + 8}, "long words": {strings.Repeat(strings.Repeat("x", 3000)+" ", 300), 4, 301},
		"one long word": {strings.Repeat("é", 1<<20), 1, 2},
	} {
		parts, words := divide(7, &index.Entry{Title: "Title", Text: c.text})
		if len(parts) != c.parts || words != c.words {
			t.Errorf("%s: %d parts of %d words, want %d of %d", name, len(parts), words, c.parts, c.words)
		}
		whole := ""
		for i, p := range parts {
			whole += p.body
			if len(p.lexemes) > 1<<20 {
				t.Errorf("%s: part %d has %d bytes", name, i, len(p.lexemes))
			}
			if title := strings.Contains(p.lexemes, "'7/titl':1A"); title != (i == 0) {
				t.Errorf("%s: the title is in the vector of part %d: %v", name, i, title)
			}
		}
		if whole != c.text {
			t.Errorf("%s: the parts are another text", name)
		}
	}
	parts, _ := divide(35, &index.Entry{Text: numbers(2 * partWords)})
	for word, want := range map[string][2]bool{"n3999": {true, false}, "n4000": {true, true}, "n4049": {true, true}, "n4050": {false, true}} {
		for i := range parts {
			if has := strings.Contains(parts[i].lexemes, "'z/"+word+"':"); has != want[i] {
				t.Errorf("%s is in vector %d: %v", word, i, has)
			}
		}
	}
}
