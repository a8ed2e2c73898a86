package index

import (
	"slices"
	"strings"
	"unicode/utf8"
)

const (
	// passageWords is how many words a passage has: some sentences, as a model reads
	// several of them at once.
	passageWords = 60
	gap          = " … "
	// Where a passage begins with a sentence, that is worth so much; each word of the
	// query is worth newWord when it is new and againWord when it is not.
	atStart, atSentence = 120, 100
	newWord, againWord  = 1000, 1
)

// Passage cuts the part out of a text that has most of the query's words, in one
// line. A text that has none of them gives its beginning. It cuts where SQLite's
// function snippet does.
func (q *Query) Passage(text string) string {
	r := q.scan(text)
	if len(r.places) <= passageWords {
		return oneLine(text)
	}
	start := r.best()
	cut := text[r.places[start].from:r.places[min(start+passageWords, len(r.places))-1].to]
	if start == 0 {
		cut = text[:r.places[passageWords-1].to]
	} else {
		cut = gap + cut
	}
	if start+passageWords < len(r.places) {
		cut += gap
	} else {
		cut += text[r.places[len(r.places)-1].to:]
	}
	return oneLine(cut)
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// place is where a word is in a text.
type place struct{ from, to int32 }

// hit is a term of the query in a text.
type hit struct{ at, term, words int32 }

// reading is what a text has of a query.
type reading struct {
	places    []place
	sentences []int32 // numbers of the words that begin one
	hits      []hit   // in the order of their places
}

// scan reads a text for the query's terms.
func (q *Query) scan(text string) *reading {
	// Words of the query have numbers, so that a word of the text is one number.
	numbers := map[string]int32{}
	terms := make([][]int32, len(q.Terms))
	for i, term := range q.Terms {
		for _, word := range term.Words {
			if _, known := numbers[word]; !known {
				numbers[word] = int32(len(numbers)) + 1
			}
			terms[i] = append(terms[i], numbers[word])
		}
	}
	r := &reading{}
	var read []int32 // the text in numbers; 0 = no word of the query
	for words := Cut(text); words.Next(); {
		if len(r.places) == 0 || begins(text[:words.Start], text[words.Start:]) {
			r.sentences = append(r.sentences, int32(len(r.places)))
		}
		r.places = append(r.places, place{int32(words.Start), int32(words.End)})
		read = append(read, numbers[string(words.Word)])
	}
	for at := range read {
		if read[at] == 0 {
			continue
		}
		for i, term := range terms {
			if len(term) > 0 && at+len(term) <= len(read) && slices.Equal(read[at:at+len(term)], term) {
				r.hits = append(r.hits, hit{int32(at), int32(i), int32(len(term))})
			}
		}
	}
	return r
}

// begins reports whether a sentence begins between two texts: where blanks follow a full
// stop or a colon. Scripts without spaces have neither.
func begins(before, after string) bool {
	left := strings.TrimRight(before, " \t\n\r")
	if len(left) == len(before) || !strings.HasSuffix(left, ".") && !strings.HasSuffix(left, ":") {
		return false
	}
	first, _ := utf8.DecodeRuneInString(after)
	return !Spaceless(first)
}

// best is the number of the word at which the best passage begins: for each hit the
// passages are looked at that have it in the middle, and that begin with its sentence.
func (r *reading) best() int {
	best, start, sentence := 0, 0, 0
	for _, h := range r.hits {
		score, middle := r.score(int(h.at))
		if score > best {
			best, start = score, middle
		}
		for sentence+1 < len(r.sentences) && r.sentences[sentence+1] <= h.at {
			sentence++
		}
		from := int(r.sentences[sentence])
		if from >= int(h.at) {
			continue
		}
		if score, _ = r.score(from); from == 0 {
			score += atStart
		} else {
			score += atSentence
		}
		if score > best {
			best, start = score, from
		}
	}
	return start
}

// score says what the passage is worth that begins at a word, and where it begins
// when its hits are in its middle.
func (r *reading) score(from int) (score, middle int) {
	first, _ := slices.BinarySearchFunc(r.hits, from, func(h hit, at int) int { return int(h.at) - at })
	seen, last := uint64(0), 0 // a query has at most maxTerms
	for _, h := range r.hits[first:] {
		if int(h.at) >= from+passageWords {
			break
		}
		if term := uint64(1) << h.term; seen&term == 0 {
			seen |= term
			score += newWord
		} else {
			score += againWord
		}
		last = int(h.at + h.words)
	}
	if score > 0 {
		at := int(r.hits[first].at)
		middle = at - (passageWords-(last-at))/2
	}
	return score, max(0, min(middle, len(r.places)-passageWords))
}
