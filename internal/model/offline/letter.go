package offline

import (
	"strings"
)

// letter is what a message says: about one row, about several, or what the task
// wants said. It is put together from the task, the instructions' tone and the
// cells of results; it adds no fact, no date and no threat of its own.
type letter struct {
	wish   *wish
	orders string // for the tone
	row    *row   // the one that it is about, or nil
	rows   []row  // what it lists, when it is about none
}

// chases reports whether the letter is to remind someone of something owed.
func (l *letter) chases() bool {
	return l.wish.says("chase", "remind", "reminder", "dun", "overdue")
}

func (l *letter) tone(word string) bool {
	text := strings.ToLower(l.orders + " " + l.wish.text)
	return strings.Contains(text, word)
}

// thing is what the task is about, in the singular: invoice.
func (l *letter) thing() string {
	for _, w := range l.wish.want {
		if l.wish.lex.topic[w.stem] != "" && strings.HasSuffix(w.text, "s") && l.wish.lex.topic[w.stem] != "person" && hours(w.stem) == 0 {
			return strings.ToLower(strings.TrimSuffix(w.text, "s"))
		}
	}
	for _, w := range l.wish.want {
		if strings.EqualFold(w.text, "invoice") || strings.EqualFold(w.text, "ticket") || strings.EqualFold(w.text, "order") {
			return strings.ToLower(w.text)
		}
	}
	return ""
}

// subject is one line.
func (l *letter) subject() string {
	if l.row == nil {
		if said := l.said(); said != "" {
			return clip(oneLine(upper(said)), 100)
		}
		if thing := l.thing(); thing != "" && len(l.rows) > 0 {
			return count(len(l.rows), thing)
		}
		return clip(oneLine(l.wish.text), 100)
	}
	about := strings.TrimSpace(l.thing() + " " + l.row.as("id"))
	if about == "" {
		about = l.row.label()
	}
	if money := l.row.money(); money != "" {
		about += " over " + money
	}
	if l.chases() {
		return clip(oneLine("Reminder: "+about), 120)
	}
	return clip(oneLine(upper(about)), 120)
}

// body is the whole text.
func (l *letter) body() string {
	var paragraphs []string
	if l.row == nil {
		if said := l.said(); said != "" {
			if !strings.ContainsAny(said[len(said)-1:], ".!?") {
				said += "."
			}
			paragraphs = append(paragraphs, upper(said))
		} else if len(l.rows) == 0 {
			paragraphs = append(paragraphs, strings.TrimSpace(l.wish.text))
		}
		if len(l.rows) > 0 {
			paragraphs = append(paragraphs, l.listing())
		}
		return strings.Join(paragraphs, "\n\n")
	}
	greeting := "Hello,"
	if name := l.row.as("name"); name != "" {
		greeting = "Dear " + oneLine(name) + ","
	}
	paragraphs = append(paragraphs, greeting, l.opening(), l.details())
	if l.chases() {
		paragraphs = append(paragraphs, l.demand())
	}
	return strings.Join(append(paragraphs, "Kind regards"), "\n\n")
}

// opening says what the message is about.
func (l *letter) opening() string {
	about := strings.TrimSpace(l.thing() + " " + l.row.as("id"))
	if about == "" {
		about = "the following"
	}
	switch {
	case l.chases() && l.tone("polite"):
		return oneLine("This is a friendly reminder that, by our records, " + about + " is still open:")
	case l.chases():
		return oneLine("By our records, " + about + " is still open:")
	}
	return oneLine("We are writing to you about " + about + ":")
}

// details lists the row's cells; the address that the message goes to is left
// out, and so is what is not for reading.
func (l *letter) details() string {
	var lines []string
	address := l.row.address()
	for i, name := range l.row.names {
		text := plain(l.row.cells[i])
		if !scalar(l.row.cells[i]) || text == address {
			continue
		}
		label := upper(strings.NewReplacer("_", " ", "-", " ", ".", " ").Replace(name))
		lines = append(lines, "  "+label+": "+clip(oneLine(text), 200))
		if len(lines) == maxDetails {
			break
		}
	}
	return strings.Join(lines, "\n")
}

// maxDetails is as many lines as a message about one thing should have.
const maxDetails = 20

// demand is the tone that the instructions ask for.
func (l *letter) demand() string {
	settle := "Please settle it."
	switch {
	case l.tone("firm") && l.tone("polite"):
		settle = "We would be grateful if you settled it without further delay, or told us today when we can expect it."
	case l.tone("firm"):
		settle = "Settle it without further delay, or tell us today when we can expect it."
	case l.tone("polite"):
		settle = "We would be grateful if you settled it soon."
	}
	return settle + " If you have done so in the meantime, please disregard this message."
}

// said is what the task wants said: a quotation, or what follows that, saying or
// about.
func (l *letter) said() string {
	longest := ""
	for _, q := range l.wish.quotes {
		if len(q.text) > len(longest) {
			longest = q.text
		}
	}
	if longest != "" {
		return longest
	}
	for _, w := range l.wish.words {
		switch strings.ToLower(w.text) {
		case "that", "saying", "about":
			rest, _, _ := strings.Cut(l.wish.text[w.end:], "\n")
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

// listing is the rows of the results, one line each.
func (l *letter) listing() string {
	var lines []string
	for i := range l.rows {
		if i == maxListed {
			lines = append(lines, more(len(l.rows)-maxListed))
			break
		}
		lines = append(lines, "- "+l.rows[i].line())
	}
	return strings.Join(lines, "\n")
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

func upper(text string) string {
	for i, r := range text {
		return strings.ToUpper(string(r)) + text[i+len(string(r)):]
	}
	return text
}
