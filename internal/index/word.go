package index

import (
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Words cuts a text into the words by which it is found: letters and digits in a
// row, in lower case, Latin letters without their marks, English words by their
// stems, and each character of a script without spaces by itself. It is the rule of
// SQLite's tokenizer "porter unicode61 remove_diacritics 2" on a text with seams, but for
// characters that are younger than its tables (2012: an emoji is part of a word there),
// so that both backings find the same and passages are cut alike. Make one with Cut.
type Words struct {
	text       string
	at         int
	Start, End int    // of the word, in the text
	Word       []byte // as it is looked for; good until the next one
}

// Cut begins with the words of a text.
func Cut(text string) *Words { return &Words{text: text, Word: make([]byte, 0, 64)} }

// Next goes on to the next word, and reports whether there is one.
func (w *Words) Next() bool {
	w.Word = w.Word[:0]
	for w.at < len(w.text) {
		r, size := utf8.DecodeRuneInString(w.text[w.at:])
		at := w.at
		w.at += size
		if !wordly(r) {
			continue
		}
		w.Start, w.End = at, w.at
		w.fold(r)
		if !Spaceless(r) {
			w.rest()
		}
		w.Word = stem(w.Word)
		return true
	}
	return false
}

// rest takes what belongs to the word behind its first letter.
func (w *Words) rest() {
	for w.at < len(w.text) {
		r, size := utf8.DecodeRuneInString(w.text[w.at:])
		if Spaceless(r) || !wordly(r) && !marks(r) {
			return
		}
		w.at += size
		w.End = w.at
		w.fold(r)
	}
}

// wordly reports characters that words are made of.
func wordly(r rune) bool {
	if r < utf8.RuneSelf {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
	}
	return unicode.In(r, unicode.L, unicode.N, unicode.Co)
}

// The marks of Latin letters that stand by themselves, from U+0300 on, one bit each.
const (
	marksLow  = 0x08029FDF
	marksHigh = 0x000361F8
)

// marks reports a mark that stands behind its letter, and does not end a word.
func marks(r rune) bool {
	switch at := r - 0x300; {
	case at < 0 || at >= 50:
		return false
	case at < 32:
		return marksLow>>at&1 == 1
	default:
		return marksHigh>>(at-32)&1 == 1
	}
}

// fold adds a character to the word as it is compared.
func (w *Words) fold(r rune) {
	switch {
	case r < utf8.RuneSelf:
		if 'A' <= r && r <= 'Z' {
			r += 'a' - 'A'
		}
		w.Word = append(w.Word, byte(r))
		return
	case marks(r):
		return
	}
	if r != dotless {
		r = unicode.ToLower(unicode.ToUpper(r)) // letters with one capital are one: σ and ς, μ and µ
	}
	w.Word = utf8.AppendRune(w.Word, plain(r))
}

// dotless has the capital of i, and is another letter.
const dotless = 'ı'

// plain is a Latin letter without its marks. Marks of other scripts make other
// letters.
func plain(r rune) rune {
	if r < 0xc0 {
		return r
	}
	var in [utf8.UTFMax]byte
	apart := norm.NFD.Properties(utf8.AppendRune(in[:0], r)).Decomposition()
	if len(apart) > 1 && 'a' <= apart[0] && apart[0] <= 'z' {
		return rune(apart[0])
	}
	return r
}
