package offline

import (
	"fmt"
	"slices"
	"sort"
	"strings"
)

// maxListed bounds a list in an answer.
const maxListed = 10

// maxQuoted bounds how many sentences are quoted from one text.
const maxQuoted = 3

// disclaimer is said once in every answer of words.
func (t *turn) disclaimer() string {
	text := "(Written by offline rules, not by a language model."
	if t.images() > 0 {
		text += " They cannot see pictures."
	}
	return text + ")"
}

func (t *turn) images() int {
	count := 0
	for i := range t.req.Messages {
		count += len(t.req.Messages[i].Images)
	}
	return count
}

// report tells what was read and done, each with the number of its call.
func report(t *turn) (move, bool) {
	if len(t.calls) == 0 {
		return move{}, false
	}
	return move{text: t.account() + "\n\n" + t.disclaimer()}, true
}

// account is the report without the disclaimer.
func (t *turn) account() string {
	p := t.plan()
	var done, undone, known []string
	for i := range t.calls {
		f := &t.calls[i]
		cite := fmt.Sprintf(" [%d]", f.number)
		switch {
		case f.outcome != succeeded:
			undone = append(undone, "- "+t.describe(f)+": "+f.fate()+cite)
		case t.effects(f.call.Name):
			done = append(done, "- "+t.describe(f)+cite)
		default:
			known = append(known, t.learned(f))
		}
	}
	for _, note := range p.notes {
		undone = append(undone, "- "+note)
	}
	for i, call := range t.missing(p.acts) {
		if i == maxListed {
			undone = append(undone, fmt.Sprintf("- and %s that were not made", count(len(t.missing(p.acts))-i, "more call")))
			break
		}
		undone = append(undone, "- "+call.name()+": not called")
	}
	undone = append(undone, t.unheard()...)
	var parts []string
	if len(done) > 0 {
		parts = append(parts, fmt.Sprintf("Done (%d of %d):\n%s", len(done), max(len(done), len(p.acts)), joined(done)))
	}
	if len(undone) > 0 {
		parts = append(parts, "Not done:\n"+joined(undone))
	}
	return strings.Join(append(parts, known...), "\n\n")
}

// effects reports whether the tool does more than read.
func (t *turn) effects(name string) bool {
	for i := range t.tools {
		if t.tools[i].Name == name {
			return !t.tools[i].reads
		}
	}
	return true // a tool that is gone may have done anything
}

// describe says which call it was: by its row, else by its arguments.
func (t *turn) describe(f *fact) string {
	for _, call := range t.plan().acts {
		if call.key == f.key {
			return call.name()
		}
	}
	return f.call.Name + inBrackets(f.call.Arguments)
}

func (p *planned) name() string {
	if p.row == nil {
		return p.tool.Name + inBrackets(p.arguments)
	}
	text := p.tool.Name + " for " + p.row.label()
	if address := p.row.address(); address != "" {
		text += " (" + address + ")"
	}
	return text
}

// inBrackets lists a call's arguments in one line.
func inBrackets(arguments string) string {
	table := readTable(arguments)
	if table == nil || len(table.rows) != 1 || len(table.rows[0].names) == 0 {
		return ""
	}
	return " (" + clip(table.rows[0].line(), 120) + ")"
}

// fate says why a call counts as not done.
func (f *fact) fate() string {
	switch f.outcome {
	case rejected:
		text := "rejected; it was not made and is not tried again"
		if _, why, ok := strings.Cut(f.text, "Reason: "); ok {
			text += " (" + clip(oneLine(why), 120) + ")"
		}
		return text
	case unknown:
		return "its outcome is unknown; it may have happened and is not tried again"
	case cancelled:
		return "cut off before it did anything"
	}
	return "failed: " + clip(oneLine(f.text), 200)
}

// learned tells what one reading call has brought: rows, or the sentences that
// have most of the task's words.
func (t *turn) learned(f *fact) string {
	if found, before := t.searches(f); found != nil {
		return t.cited(found, before)
	}
	cite := fmt.Sprintf(" [%d]", f.number)
	what := f.call.Name + inBrackets(f.call.Arguments)
	if f.table == nil {
		found := t.sentences(f.text)
		if len(found) == 0 {
			return what + " returned no text" + cite + "."
		}
		return "From " + what + cite + ":\n- " + strings.Join(found, "\n- ")
	}
	rows := f.table.rows
	text := what + " returned " + count(len(rows), "row") + cite
	if f.table.cut {
		text += ", and says that there are more"
	}
	if len(t.plan().acts) > 0 || len(rows) == 0 {
		return text + "."
	}
	lines := []string{text + ":"}
	for i := range rows[:min(len(rows), maxListed)] {
		lines = append(lines, "- "+rows[i].line())
	}
	if len(rows) > maxListed {
		lines = append(lines, more(len(rows)-maxListed))
	}
	if t.adds() {
		if name, sum, ok := f.table.sum("amount", "total", "balanc", "price", "sum"); ok {
			lines = append(lines, "Sum of "+name+": "+sum)
		}
	}
	return strings.Join(lines, "\n")
}

// adds reports whether a wish asks for a sum.
func (t *turn) adds() bool {
	return slices.ContainsFunc(t.wishes, func(w wish) bool { return w.says("total", "sum", "altogether", "add", "much") })
}

// unheard lists the later messages that changed nothing.
func (t *turn) unheard() []string {
	var lines []string
	for i := range t.wishes {
		w := &t.wishes[i]
		if i > 0 && len(w.avoid) == 0 && !w.stops() && len(t.reading(w)) == 0 && len(t.acting(w)) == 0 {
			lines = append(lines, "- your message "+`"`+clip(oneLine(w.text), 80)+`"`+" changed nothing: no rule fits it")
		}
	}
	return lines
}

// quote answers a long text with its own sentences.
func quote(t *turn) (move, bool) {
	if len(t.wishes) == 0 {
		return move{}, false
	}
	last := t.wishes[len(t.wishes)-1].text
	const long = 400 // below that a text is a task, not a source
	if len(last) < long {
		return move{}, false
	}
	found := t.sentences(last)
	if len(found) < maxQuoted {
		return move{}, false
	}
	text := "These sentences of your text have most of what it asks about:\n- " + strings.Join(found, "\n- ")
	return move{text: text + "\n\n" + t.disclaimer()}, true
}

// beyond says what can't be answered, why, and how to get a model that can.
func beyond(t *turn) (move, bool) {
	text := "I can't answer this: I am the offline model, rules and not a language model"
	notes := t.plan().notes
	switch {
	case len(notes) > 0:
		text += ".\n- " + strings.Join(notes[:min(len(notes), maxListed)], "\n- ")
	case len(t.req.Tools) == 0:
		text += ", and this run has no tools."
	default:
		var names []string
		for i := range t.req.Tools[:min(len(t.req.Tools), maxListed)] {
			names = append(names, t.req.Tools[i].Name)
		}
		text += ", and no tool here fits the task. The tools are: " + strings.Join(names, ", ") + "."
	}
	if t.images() > 0 {
		text += " Nor can I see pictures."
	}
	return move{text: text + "\nTo have it answered, set OPENAI_API_KEY, point OPENAI_BASE_URL at a compatible server, or start Ollama."}, true
}

// sentences returns those of a text that have most of the wishes' words, in
// their order; without any such word, the first ones.
func (t *turn) sentences(text string) []string {
	wanted := map[string]bool{}
	for i := range t.wishes {
		for _, w := range t.wishes[i].want[:min(len(t.wishes[i].want), maxValues)] {
			if t.lex.content(w.stem) {
				wanted[w.stem] = true
			}
		}
	}
	type scored struct {
		at, score int
		text      string
	}
	var all []scored
	for at, sentence := range cutSentences(text) {
		counted := map[string]bool{}
		for _, w := range split(sentence) {
			if wanted[w.stem] {
				counted[w.stem] = true
			}
		}
		if !strings.HasSuffix(sentence, "?") {
			all = append(all, scored{at, len(counted), sentence})
		}
	}
	sort.SliceStable(all, func(i, j int) bool { return all[i].score > all[j].score })
	all = all[:min(len(all), maxQuoted)]
	sort.Slice(all, func(i, j int) bool { return all[i].at < all[j].at })
	var found []string
	for _, s := range all {
		found = append(found, clip(s.text, 300))
	}
	return found
}

// maxSentences bounds how much of a text is read.
const maxSentences = 2000

// cutSentences splits prose at its full stops and line breaks.
func cutSentences(text string) []string {
	var found []string
	start := 0
	add := func(end int) {
		sentence := oneLine(text[start:end])
		if len(sentence) > 1 {
			found = append(found, sentence)
		}
		start = end
	}
	for i := 0; i < len(text) && len(found) < maxSentences; i++ {
		switch c := text[i]; {
		case c == '\n':
			add(i)
		case (c == '.' || c == '!' || c == '?') && i+1 < len(text) && (text[i+1] == ' ' || text[i+1] == '\n'):
			add(i + 1)
		}
	}
	if len(found) < maxSentences {
		add(len(text))
	}
	return found
}

// joined joins the lines, the first of them if there are many.
func joined(lines []string) string {
	if len(lines) > 2*maxCalls {
		lines = append(slices.Clone(lines[:2*maxCalls]), more(len(lines)-2*maxCalls))
	}
	return strings.Join(lines, "\n")
}

func more(n int) string { return fmt.Sprintf("and %d more", n) }

func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
