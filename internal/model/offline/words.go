package offline

import (
	"strings"
	"unicode"
)

// group is a set of words that mean the same to the rules.
type group struct {
	name  string
	words string
}

// actions are the verbs that a tool's name and a task may share. A tool that
// acts is chosen only if the task has a verb of the same group.
func actions() []group {
	return []group{
		{"message", "send email mail message chase remind reminder notify tell inform contact dun write invite forward"},
		{"create", "create add make insert register raise"},
		{"change", "update change edit set modify rename replace patch put"},
		{"delete", "delete remove erase drop purge"},
		{"pay", "pay transfer refund charge order buy purchase"},
		{"plan", "book schedule reserve plan"},
		{"close", "close resolve cancel archive finish"},
		{"publish", "publish post upload deploy release share"},
		{"assign", "assign handoff delegate escalate"},
		{"approve", "approve confirm accept"},
		{"start", "start launch trigger restart"},
		{"halt", "halt disable block suspend"},
		{"browse", "click type press navigate scroll drag select input"},
	}
}

// lookups are the verbs of tools that only read. They say that something is
// read, not what, so they choose no tool by themselves.
func lookups() string {
	return telling() + " read get list show find check count describe view see look give return " +
		"display retrieve load what which who when where how"
}

// telling are the lookups that do say what is wanted, if a tool is named so.
func telling() string { return "search fetch query lookup compute calculate browse" }

// topics are the things that tasks and tools speak of.
func topics() []group {
	return []group{
		{"finance", "finance invoice bill billing payment receivable debt ledger accounting unpaid overdue owe"},
		{"calendar", "calendar meeting appointment event agenda"},
		{"document", "document doc contract pdf paper file note"},
		{"web", "web internet online site website page url link article google browser"},
		{"time", "time date clock now today day"},
		{"weather", "weather temperature forecast rain"},
		{"person", "customer client contact company account buyer"},
		{"math", "compute calculate math arithmetic sum expression calculator"},
		{"ticket", "ticket issue bug case incident"},
	}
}

// fillers carry no meaning of their own.
func fillers() string {
	return "a an the this that these those it its they them their he she his her you your we our us i me my " +
		"and or but nor so then than as at by for from in into of off on onto out over to under up with within " +
		"without about after before between is are was were be been being am do does did done have has had can " +
		"could will would shall should may might must not no yes all any each every some one please just also " +
		"there here if else use using via per let s t re ve ll tool tools which what who when where how why only " +
		"more most less least very too via data value values parameter text string"
}

// lexicon answers what a word means. It never changes after newLexicon.
type lexicon struct {
	action map[string]string // stem -> group
	topic  map[string]string
	lookup map[string]bool
	tells  map[string]bool
	empty  map[string]bool
}

func newLexicon() *lexicon {
	l := &lexicon{action: map[string]string{}, topic: map[string]string{}, lookup: map[string]bool{}, tells: map[string]bool{}, empty: map[string]bool{}}
	for _, g := range actions() {
		for _, word := range strings.Fields(g.words) {
			l.action[stem(word)] = g.name
		}
	}
	for _, g := range topics() {
		for _, word := range strings.Fields(g.words) {
			l.topic[stem(word)] = g.name
		}
	}
	for _, word := range strings.Fields(lookups()) {
		l.lookup[stem(word)] = true
	}
	for _, word := range strings.Fields(telling()) {
		l.tells[stem(word)] = true
	}
	for _, word := range strings.Fields(fillers()) {
		l.empty[stem(word)] = true
	}
	return l
}

// content reports whether a stem says what a text is about.
func (l *lexicon) content(s string) bool { return s != "" && !l.empty[s] && !l.lookup[s] }

// stem brings the forms of a word together: invoices, invoice; chasing, chase.
// It need not be a word, only the same for all of them.
func stem(word string) string {
	word = strings.ToLower(word)
	for _, ending := range []struct{ cut, put string }{
		{"'s", ""}, {"ies", "y"}, {"sses", "ss"}, {"ches", "ch"}, {"shes", "sh"}, {"xes", "x"},
		{"ss", "ss"}, {"us", "us"}, {"is", "is"}, {"s", ""}, {"ing", ""}, {"ied", "y"}, {"ed", ""},
	} {
		if rest, ok := strings.CutSuffix(word, ending.cut); ok && len(rest) >= 3 {
			word = rest + ending.put
			break
		}
	}
	if n := len(word); n > 3 && word[n-1] == word[n-2] && word[n-1] != 's' && word[n-1] != 'l' && word[n-1] != 'e' {
		word = word[:n-1] // planning, plan
	}
	if rest, ok := strings.CutSuffix(word, "e"); ok && len(rest) >= 3 {
		word = rest
	}
	return word
}

// word is one word of a text with its place.
type word struct {
	text       string // as written
	stem       string
	start, end int
}

// split finds the words of a text. An apostrophe inside a word, and the hyphen of
// e-mail, vanish from its stem; every other sign separates.
func split(text string) []word {
	var words []word
	start := -1
	flush := func(end int) {
		if start < 0 {
			return
		}
		raw := strings.TrimRight(text[start:end], "-'’")
		plain := strings.NewReplacer("-", "", "'", "", "’", "").Replace(raw)
		words = append(words, word{raw, stem(plain), start, start + len(raw)})
		start = -1
	}
	for i, r := range text {
		switch {
		case unicode.IsLetter(r) || unicode.IsDigit(r):
			if start < 0 {
				start = i
			}
		case start >= 0 && (r == '\'' || r == '’'):
		case start >= 0 && r == '-' && strings.EqualFold(text[start:i], "e"):
		default:
			flush(i)
		}
	}
	flush(len(text))
	return words
}

// stems returns the stems of an identifier's parts: finance.read, olderThanDays.
func stems(identifier string) []string {
	var found []string
	var part strings.Builder
	flush := func() {
		if part.Len() > 0 {
			found = append(found, stem(part.String()))
			part.Reset()
		}
	}
	lower := false
	for _, r := range identifier {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			lower = false
			continue
		case unicode.IsUpper(r) && lower:
			flush()
		}
		lower = unicode.IsLower(r)
		part.WriteRune(r)
	}
	flush()
	return found
}
