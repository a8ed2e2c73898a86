package offline

import (
	_ "embed"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

//go:embed consent.txt
var consentText string

// consent knows what people say when they want something started, and nothing
// else. The words are in consent.txt.
type consent struct {
	words   map[string]manner // phrases as plain leaves them
	signs   map[rune]bool     // symbols that are phrases
	against []rune
	longest int // of a phrase, in runes
}

// manner is what a phrase does in a message.
type manner int

const (
	beside  manner = iota // says nothing
	agrees                // is a consent
	refuses               // is none
)

// maxConsent bounds how long a message may be that is a consent and nothing else,
// in characters.
const maxConsent = 120

func newConsent() *consent {
	c := &consent{words: map[string]manner{}, signs: map[rune]bool{}}
	section := ""
	for line := range strings.Lines(consentText) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = strings.Trim(line, "[]")
			continue
		}
		_, phrases, ok := strings.Cut(line, ": ")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		for phrase := range strings.SplitSeq(phrases, ", ") {
			c.add(section, phrase)
		}
	}
	return c
}

// add takes a phrase in. One that agrees in any language agrees, wherever else it
// stands.
func (c *consent) add(section, phrase string) {
	runes := []rune(phrase)
	switch symbol := !slices.ContainsFunc(runes, inWord); {
	case section == "against":
		c.against = append(c.against, runes[0])
		return
	case symbol:
		c.signs[runes[0]] = true
		phrase = string(runes[0])
	default:
		phrase = c.plain(phrase)
	}
	means := map[string]manner{"beside": beside, "yes": agrees, "no": refuses}[section]
	if c.words[phrase] != agrees {
		c.words[phrase] = means
	}
	c.longest = max(c.longest, len([]rune(phrase)))
}

// inWord reports whether a rune is part of a word.
func inWord(r rune) bool { return unicode.In(r, unicode.L, unicode.M, unicode.Nd) }

// plain is a text without what does not matter: case, punctuation, and symbols
// that are no phrase; one space stands between words.
func (c *consent) plain(text string) string {
	var out strings.Builder
	for _, r := range strings.ToLower(norm.NFKC.String(text)) {
		switch {
		case unicode.Is(unicode.Variation_Selector, r), unicode.Is(unicode.Cf, r), r == '\'' || r == '’' || r == 'ʻ':
		case inWord(r):
			out.WriteRune(r)
		case c.signs[r]:
			out.WriteString(" " + string(r) + " ")
		default:
			out.WriteByte(' ')
		}
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// given reports whether a message is a consent and nothing else.
func (c *consent) given(text string) bool {
	return !strings.ContainsFunc(text, c.turns) && c.reads(text, agrees)
}

func (c *consent) turns(r rune) bool { return slices.Contains(c.against, r) }

// empty reports whether a message has nothing in it that could be done: it is
// polite, or says yes or no, or asks whether something is agreed.
func (c *consent) empty(text string) bool {
	return c.plain(text) == "" || c.reads(text, beside) || c.reads(text, agrees) || c.reads(text, refuses)
}

// reads reports whether a message is made of phrases of one manner, and of such as
// say nothing: one of the manner's at least.
func (c *consent) reads(text string, wanted manner) bool {
	if len(text) > 4*maxConsent {
		return false
	}
	runes := []rune(c.plain(text))
	if len(runes) == 0 || len(runes) > maxConsent {
		return false
	}
	// reached[i][k]: the first i runes are such phrases, with (1) or without (0)
	// one of the wanted manner among them.
	reached := make([][2]bool, len(runes)+1)
	reached[0][0] = true
	for i := range runes {
		if reached[i] == [2]bool{} {
			continue
		}
		start := i
		if runes[i] == ' ' {
			start++
		}
		for end := start + 1; end <= min(len(runes), start+c.longest); end++ {
			means, known := c.words[string(runes[start:end])]
			if !known || means != beside && means != wanted || !parts(runes, end) {
				continue
			}
			reached[end][1] = reached[end][1] || reached[i][1] || means == wanted
			reached[end][0] = reached[end][0] || reached[i][0] && means != wanted
		}
	}
	return reached[len(runes)][1]
}

// parts reports whether a word may end before runes[end]: at a space, or anywhere
// in a script that is written without.
func parts(runes []rune, end int) bool {
	unspaced := func(r rune) bool {
		return unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar)
	}
	return end == len(runes) || runes[end] == ' ' || unspaced(runes[end]) && unspaced(runes[end-1])
}

// behind is what a message says behind a consent that it begins with: "only
// three" of "Yes, only three".
func (c *consent) behind(text string) string {
	if at := strings.IndexAny(text, ",.;:!–—，。、！；"); at > 0 && c.reads(text[:at], agrees) {
		if rest := strings.TrimLeft(text[at:], ",.;:!–—，。、！； "); !c.empty(rest) {
			return rest
		}
	}
	return text
}
