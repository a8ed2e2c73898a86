package offline

import (
	"encoding/json"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// evidence is the values that a text names.
type evidence struct {
	text    string
	words   []word
	emails  []string
	links   []string
	dates   []dated
	codes   []string // INV-1041, #42
	quotes  []quoted
	numbers []number
	sums    []string // arithmetic: 12 * (3 + 4)
	zones   []string // Europe/Berlin
}

// dated is a day with the word before it: since, until.
type dated struct {
	day    string // 2006-01-02
	before string
}

// quoted is a text in quotation marks with the word before it.
type quoted struct{ text, before string }

// number is a number with its surroundings: "over 30 days".
type number struct {
	text   string
	unit   string   // stem of the word behind it, or ""
	behind []word   // the three words behind it
	before []string // stems of the three words before it, nearest first
}

var (
	emailPattern = regexp.MustCompile(`[\pL\pN._%+\-]+@[\pL\pN\-]+(?:\.[\pL\pN\-]+)+`)
	linkPattern  = regexp.MustCompile(`https?://[^\s<>"'\])]+`)
	isoPattern   = regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}\b`)
	dayPattern   = regexp.MustCompile(`(?i)\b(\d{1,2})(?:st|nd|rd|th)?\.? (jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?,? (\d{4})\b`)
	monthPattern = regexp.MustCompile(`(?i)\b(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]* (\d{1,2})(?:st|nd|rd|th)?,? (\d{4})\b`)
	codePattern  = regexp.MustCompile(`\b[A-Z][A-Za-z]*-?\d[\w-]*\b|#\d+\b`)
	quotePattern = regexp.MustCompile(`"([^"\n]+)"|“([^”\n]+)”|«([^»\n]+)»|(?:^|\s)'([^'\n]+)'(?:[\s.,;!?]|$)|` + "`([^`\n]+)`")
	zonePattern  = regexp.MustCompile(`\b(?:Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific)/[A-Za-z_/-]+\b|\bUTC\b`)
	sumPattern   = regexp.MustCompile(`[\d(][\d\s.+*/^()%-]*[+*/^-][\d\s.+*/^()%-]*[\d)]`)
	wordNumber   = regexp.MustCompile(`-?\d+(?:,\d{3})*(?:\.\d+)?`)
)

// maxValues bounds how many values of a kind are taken from one text: more than a
// person writes, few enough that a pasted book costs nothing.
const maxValues = 64

// newEvidence reads a text once. Each kind of value is taken out before the next
// is looked for, so that the 2026 of a date is not a number too.
func newEvidence(text string) evidence {
	e := evidence{text: text, words: split(text)}
	rest := text
	take := func(pattern *regexp.Regexp) []string {
		found := pattern.FindAllString(rest, maxValues)
		rest = pattern.ReplaceAllStringFunc(rest, func(s string) string { return strings.Repeat(" ", len(s)) })
		return found
	}
	for _, m := range quotePattern.FindAllStringSubmatchIndex(text, maxValues) {
		for g := 2; g < len(m); g += 2 {
			if m[g] >= 0 {
				e.quotes = append(e.quotes, quoted{text[m[g]:m[g+1]], e.wordBefore(m[g])})
			}
		}
	}
	for _, link := range take(linkPattern) {
		e.links = append(e.links, strings.TrimRight(link, ".,;:!?"))
	}
	e.emails, e.zones = take(emailPattern), take(zonePattern)
	e.readDates(rest)
	take(isoPattern)
	take(dayPattern)
	take(monthPattern)
	e.codes = take(codePattern)
	for _, sum := range sumPattern.FindAllString(rest, maxValues) {
		e.sums = append(e.sums, strings.TrimSpace(sum))
	}
	e.readNumbers(rest)
	return e
}

func (e *evidence) wordBefore(at int) string {
	before := ""
	for _, w := range e.words {
		if w.end > at {
			break
		}
		before = w.stem
	}
	return before
}

func (e *evidence) readDates(text string) {
	add := func(at int, layout, value string) {
		if day, err := time.Parse(layout, value); err == nil {
			e.dates = append(e.dates, dated{day.Format(time.DateOnly), e.wordBefore(at)})
		}
	}
	for _, m := range isoPattern.FindAllStringIndex(text, maxValues) {
		add(m[0], time.DateOnly, text[m[0]:m[1]])
	}
	const written = "2 Jan 2006"
	month := func(name string) string { return strings.ToUpper(name[:1]) + strings.ToLower(name[1:]) }
	for _, m := range dayPattern.FindAllStringSubmatchIndex(text, maxValues) {
		add(m[0], written, text[m[2]:m[3]]+" "+month(text[m[4]:m[5]])+" "+text[m[6]:m[7]])
	}
	for _, m := range monthPattern.FindAllStringSubmatchIndex(text, maxValues) {
		add(m[0], written, text[m[4]:m[5]]+" "+month(text[m[2]:m[3]])+" "+text[m[6]:m[7]])
	}
}

// readNumbers finds numbers in figures and in words, in order.
func (e *evidence) readNumbers(text string) {
	for _, m := range wordNumber.FindAllStringIndex(text, maxValues) {
		e.addNumber(m[0], m[1], strings.ReplaceAll(text[m[0]:m[1]], ",", ""))
	}
	for _, w := range e.words {
		if n := spelt(strings.ToLower(w.text)); n > 0 && len(e.numbers) < 2*maxValues {
			e.addNumber(w.start, w.end, strconv.Itoa(n))
		}
	}
}

func (e *evidence) addNumber(start, end int, text string) {
	if !json.Valid([]byte(text)) {
		return // 007 is a code, not a number
	}
	n := number{text: text}
	for _, w := range e.words {
		switch {
		case w.end <= start:
			n.before = append([]string{w.stem}, n.before[:min(len(n.before), 2)]...)
		case w.start >= end && len(n.behind) < 3:
			n.behind = append(n.behind, w)
		}
	}
	if len(n.behind) > 0 {
		n.unit = n.behind[0].stem
	}
	e.numbers = append(e.numbers, n)
}

// spelt returns the number that a word is, or 0.
func spelt(word string) int {
	switch word {
	case "ten":
		return 10
	case "twelve":
		return 12
	case "twenty":
		return 20
	case "thirty":
		return 30
	case "sixty":
		return 60
	case "ninety":
		return 90
	}
	for i, unit := range []string{"two", "three", "four", "five", "six", "seven", "eight", "nine"} {
		if word == unit {
			return i + 2
		}
	}
	return 0
}

// hours is how long a unit of time is, or 0 when the stem is none. A month has
// no fixed length and is none.
func hours(unit string) float64 {
	switch unit {
	case "minut", "min":
		return 1.0 / 60
	case "hour":
		return 1
	case "day":
		return 24
	case "week":
		return 7 * 24
	}
	return 0
}

// stated returns how many things the text speaks of ("the three unpaid
// invoices"), or 0. A measure, as in "over 30 days", is no such number.
func (e *evidence) stated() int {
	for _, n := range e.numbers { // "only three" bounds whatever else is said
		if count, err := strconv.Atoi(n.text); err == nil && count > 0 && len(n.before) > 0 && n.before[0] == "only" && hours(n.unit) == 0 {
			return count
		}
	}
	for _, n := range e.numbers {
		count, err := strconv.Atoi(n.text)
		if err != nil || count < 1 || n.unit == "" || hours(n.unit) > 0 || n.unit == "month" || n.unit == "year" {
			continue
		}
		if len(n.before) > 0 && anyOf(n.before[:1], "over", "than", "under", "above") {
			continue
		}
		for _, w := range n.behind {
			if strings.HasSuffix(w.text, "s") && len(w.text) > 3 {
				return count
			}
			if hours(w.stem) > 0 {
				break
			}
		}
	}
	return 0
}
