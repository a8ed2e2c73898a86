package index

import "bytes"

// Stems are those of M. F. Porter's algorithm of 1980, as SQLite has it: on bytes,
// for words of 3 to 64 of them.
const (
	shortest = 3
	longest  = 64
)

// ending is replaced by another one where what is before it is long enough.
type ending struct{ from, to string }

// The endings of the algorithm's steps. Of those that fit the first one holds.
var (
	restored = []ending{{"at", "ate"}, {"bl", "ble"}, {"iz", "ize"}}
	second   = []ending{
		{"ational", "ate"}, {"tional", "tion"}, {"enci", "ence"}, {"anci", "ance"}, {"izer", "ize"}, {"logi", "log"},
		{"bli", "ble"}, {"alli", "al"}, {"entli", "ent"}, {"eli", "e"}, {"ousli", "ous"}, {"ization", "ize"}, {"ation", "ate"}, {"ator", "ate"},
		{"alism", "al"}, {"iveness", "ive"}, {"fulness", "ful"}, {"ousness", "ous"}, {"aliti", "al"}, {"iviti", "ive"}, {"biliti", "ble"},
	}
	third = []ending{
		{"ical", "ic"}, {"ness", ""}, {"icate", "ic"}, {"iciti", "ic"}, {"ful", ""}, {"ative", ""}, {"alize", "al"},
	}
	fourth = []ending{
		{"al", ""}, {"ance", ""}, {"ence", ""}, {"er", ""}, {"ic", ""}, {"able", ""}, {"ible", ""}, {"ant", ""}, {"ement", ""}, {"ment", ""},
		{"ent", ""}, {"ion", ""}, {"ou", ""}, {"ism", ""}, {"ate", ""}, {"iti", ""}, {"ous", ""}, {"ive", ""}, {"ize", ""},
	}
)

// stem returns what words of one stem have in common, in place.
func stem(w []byte) []byte {
	if len(w) < shortest || len(w) > longest {
		return w
	}
	w = participle(plural(w))
	if n := len(w) - 1; w[n] == 'y' && hasVowel(w[:n]) {
		w[n] = 'i'
	}
	w = replace(w, second, 0)
	w = replace(w, third, 0)
	w = replace(w, fourth, 1)
	if n := len(w) - 1; w[n] == 'e' && (measure(w[:n]) > 1 || measure(w[:n]) == 1 && !syllable(w[:n])) {
		w = w[:n]
	}
	if n := len(w) - 1; n > 0 && w[n] == 'l' && w[n-1] == 'l' && measure(w[:n]) > 1 {
		w = w[:n]
	}
	return w
}

func plural(w []byte) []byte {
	n := len(w)
	switch {
	case w[n-1] != 's':
	case n > 4 && bytes.HasSuffix(w, []byte("sses")), n > 3 && bytes.HasSuffix(w, []byte("ies")):
		return w[:n-2]
	case w[n-2] != 's':
		return w[:n-1]
	}
	return w
}

// participle takes -ed and -ing away, and mends what they have left.
func participle(w []byte) []byte {
	n := len(w)
	switch {
	case n > 3 && bytes.HasSuffix(w, []byte("eed")):
		if measure(w[:n-3]) > 0 {
			return w[:n-1]
		}
		return w
	case n > 2 && bytes.HasSuffix(w, []byte("ed")) && hasVowel(w[:n-2]):
		w = w[:n-2]
	case n > 3 && bytes.HasSuffix(w, []byte("ing")) && hasVowel(w[:n-3]):
		w = w[:n-3]
	default:
		return w
	}
	n = len(w)
	for _, e := range restored {
		if n > len(e.from) && bytes.HasSuffix(w, []byte(e.from)) {
			return append(w[:n-len(e.from)], e.to...)
		}
	}
	last := w[n-1]
	switch {
	case n > 1 && !vowel(last, false) && last != 'l' && last != 's' && last != 'z' && last == w[n-2]:
		return w[:n-1]
	case measure(w) == 1 && syllable(w):
		return append(w, 'e')
	}
	return w
}

// replace replaces the first ending that fits, where more than so many measures are
// before it.
func replace(w []byte, endings []ending, above int) []byte {
	if len(w) < 2 {
		return w
	}
	for _, e := range endings {
		n := len(w) - len(e.from)
		if n <= 0 || !bytes.HasSuffix(w, []byte(e.from)) {
			continue
		}
		if before := w[:n]; measure(before) <= above || e.from == "ion" && before[n-1] != 's' && before[n-1] != 't' {
			return w
		}
		return append(w[:n], e.to...)
	}
	return w
}

// vowel reports a vowel; y is one behind a consonant.
func vowel(c byte, consonantBefore bool) bool {
	switch c {
	case 'a', 'e', 'i', 'o', 'u':
		return true
	}
	return c == 'y' && consonantBefore
}

func hasVowel(w []byte) bool {
	for i, c := range w {
		if vowel(c, i > 0) {
			return true
		}
	}
	return false
}

// measure counts how often a vowel is followed by a consonant.
func measure(w []byte) (count int) {
	consonant, seen := false, false // seen: a vowel
	for _, c := range w {
		consonant = !vowel(c, consonant)
		if consonant && seen {
			count++
			seen = false
		} else if !consonant {
			seen = true
		}
	}
	return count
}

// syllable reports an end of consonant, vowel, consonant, which is not w, x or y.
func syllable(w []byte) bool {
	n := len(w)
	if n == 0 || w[n-1] == 'w' || w[n-1] == 'x' || w[n-1] == 'y' {
		return false
	}
	mask, consonant := 0, false
	for _, c := range w {
		consonant = !vowel(c, consonant)
		mask <<= 1
		if consonant {
			mask |= 1
		}
	}
	return mask&7 == 5
}
