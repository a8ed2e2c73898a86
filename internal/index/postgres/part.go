package postgres

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strconv"
	"strings"

	"errand/internal/index"
)

// A text search vector has room for a megabyte and counts positions up to 16,383.
const (
	partWords = 4000
	partBytes = 256 << 10
	// overlap is how many words of the next part a part is also found by, so that a
	// phrase is found which begins in the one and ends in the other.
	overlap = 50
	// longWord is the length from which on a word is found by its digest: an entry of
	// an index has room for some 2,700 bytes.
	longWord = 200
	// titleGap is between the positions of a title and of the text: no phrase has both.
	titleGap = 2
)

// part is a piece of a document's text, with the vector that finds it.
type part struct{ body, lexemes string }

// divide cuts a document into parts, and counts its words. There is always one.
func divide(mark int64, d *index.Entry) (parts []part, words int) {
	title := vector{mark: mark, words: map[string][]byte{}}
	for cut := index.Cut(d.Title); cut.Next(); {
		title.add(cut.Word, 'A')
	}
	words = title.at
	title.at += titleGap
	now, next, begun := &title, (*vector)(nil), 0 // next: the part to come knows the words that this one shares
	cut, inPart := index.Cut(d.Text), 0
	for cut.Next() {
		words++
		if next != nil { // the words behind the end of now
			now.add(cut.Word, 0)
			next.add(cut.Word, 0)
			if inPart++; inPart == overlap {
				parts[len(parts)-1].lexemes = now.String()
				now, next = next, nil
			}
			continue
		}
		if inPart >= partWords || inPart > overlap && cut.Start-begun >= partBytes {
			parts = append(parts, part{body: d.Text[begun:cut.Start]})
			begun, inPart = cut.Start, 1
			next = &vector{mark: mark, words: map[string][]byte{}}
			now.add(cut.Word, 0)
			next.add(cut.Word, 0)
			continue
		}
		inPart++
		now.add(cut.Word, 0)
	}
	if next != nil {
		parts[len(parts)-1].lexemes = now.String()
		now = next
	}
	return append(parts, part{d.Text[begun:], now.String()}), words
}

// vector collects words with their positions.
type vector struct {
	mark  int64
	at    int
	words map[string][]byte // word -> its positions, as a vector is written
}

func (v *vector) add(word []byte, weight byte) {
	v.at++
	positions := v.words[string(word)]
	if positions != nil {
		positions = append(positions, ',')
	}
	positions = strconv.AppendInt(positions, int64(v.at), 10)
	if weight != 0 {
		positions = append(positions, weight)
	}
	v.words[string(word)] = positions
}

// String is the vector as PostgreSQL reads it.
func (v *vector) String() string {
	var out strings.Builder
	for _, word := range slices.Sorted(maps.Keys(v.words)) {
		out.WriteString(lexeme(v.mark, word))
		out.WriteByte(':')
		out.Write(v.words[word])
		out.WriteByte(' ')
	}
	return out.String()
}

// lexeme is a word of a project, quoted. A word has letters and digits alone: nothing
// in it ends the quotes.
func lexeme(mark int64, word string) string {
	if len(word) > longWord {
		sum := sha256.Sum256([]byte(word))
		word = "#" + hex.EncodeToString(sum[:])
	}
	return "'" + strconv.FormatInt(mark, 36) + "/" + word + "'"
}

// phrase is a term as PostgreSQL asks for it; empty where it has no words.
func phrase(mark int64, t *index.Term) string {
	words := make([]string, len(t.Words))
	for i, word := range t.Words {
		words[i] = lexeme(mark, word)
	}
	return strings.Join(words, " <-> ")
}
