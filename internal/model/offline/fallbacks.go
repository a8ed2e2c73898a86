package offline

import (
	"encoding/json"
	"slices"
	"strings"
	"unicode"
)

// The sources of this file are asked last: they find a value where nothing in
// the task names one.

// members fills an object member by member.
func members(f *filler, p *param) []any {
	if !p.shape.is("object") && p.shape.props == nil {
		return nil
	}
	filled, missing := f.object(p.shape, p.depth)
	if len(missing) > 0 {
		return nil
	}
	return []any{filled}
}

// written asks the letter for a subject or a body.
func written(f *filler, p *param) []any {
	if f.letter == nil || !wantsProse(p) {
		return nil
	}
	if anyOf(p.stems, "subject", "title", "headline", "summary") {
		return []any{f.letter.subject()}
	}
	return []any{f.letter.body(), f.letter.subject()}
}

// listed makes a list: of all addresses, links, choices or quotations of the
// text, or of the one value that fits an item.
func listed(f *filler, p *param) []any {
	if !p.shape.is("array") {
		return nil
	}
	item := p.shape.items
	if item == nil {
		item = &shape{longest: -1}
	}
	one := &param{name: p.name, stems: p.stems, shape: item, required: p.required, depth: p.depth + 1}
	for _, find := range []func(*filler, *param) []any{chosenValue, typedValue, relatedColumn, members, quotedValue, properName} {
		var members []any
		for _, candidate := range find(f, one) {
			value, ok := item.coerce(candidate)
			if ok && !slices.ContainsFunc(members, func(m any) bool { return plain(m) == plain(value) }) {
				members = append(members, value)
			}
		}
		if p.shape.longest >= 0 && len(members) > p.shape.longest {
			members = members[:p.shape.longest]
		}
		if len(members) > 0 {
			return []any{members}
		}
	}
	return nil
}

// chosenItems makes a list of those values of an enum that the text has.
func chosenItems(f *filler, p *param) []any {
	if !p.shape.is("array") || p.shape.items == nil || len(p.shape.items.enum) == 0 {
		return nil
	}
	return listed(f, p)
}

// quotedValue prefers a quotation behind a word of the parameter's name, then one
// that fills nothing yet.
func quotedValue(f *filler, p *param) []any {
	var named, rest []any
	for _, q := range f.wish.quotes {
		switch {
		case wantsAddress(p) && !strings.Contains(q.text, "@"):
		case slices.Contains(p.stems, q.before):
			named = append(named, q.text)
		case !f.used[q.text]:
			rest = append(rest, q.text)
		}
	}
	return append(named, rest...)
}

func defaultValue(_ *filler, p *param) []any {
	if p.shape.hasFallback {
		return []any{p.shape.fallback}
	}
	return nil
}

// eitherValue fills the first of several schemas that can be filled.
func eitherValue(f *filler, p *param) []any {
	if p.depth > maxDepth {
		return nil
	}
	for _, choice := range p.shape.either {
		one := *p
		one.shape, one.depth = choice, p.depth+1
		if value, ok := f.value(&one); ok {
			return []any{value}
		}
	}
	return nil
}

// properName finds "Berlin" in "the weather in Berlin": words with a capital
// behind in, for, at, of, about, to or the parameter's name, then any others.
func properName(f *filler, p *param) []any {
	if wantsAddress(p) || anyOf(p.stems, "id", "url", "query", "question") {
		return nil
	}
	var placed, others []any
	words := f.wish.words
	for i := 0; i < len(words); i++ {
		if !capital(words[i].text) || i == 0 || strings.ContainsAny(f.wish.text[words[i-1].end:words[i].start], ".!?\n") {
			continue
		}
		last := i
		for last+1 < len(words) && capital(words[last+1].text) && f.wish.text[words[last].end:words[last+1].start] == " " {
			last++
		}
		name := f.wish.text[words[i].start:words[last].end]
		before := words[i-1]
		i = last
		switch {
		case contains(f.wish.avoid, words[i].stem) || f.used[name]:
		case slices.Contains(p.stems, before.stem), anyOf([]string{before.stem}, "in", "for", "at", "of", "about", "to", "on"):
			placed = append(placed, name)
		default:
			others = append(others, name)
		}
	}
	return append(placed, others...)
}

func capital(text string) bool {
	for _, r := range text {
		return unicode.IsUpper(r)
	}
	return false
}

// wholeTask gives the task's words to what wants a question or a query.
func wholeTask(f *filler, p *param) []any {
	if !anyOf(p.stems, "query", "q", "question", "prompt", "task", "search", "topic", "goal", "objective", "input", "term", "keyword", "text", "instruction", "request") || anyOf(p.stems, "id") {
		return nil
	}
	text := strings.TrimSpace(f.wish.text)
	if anyOf(p.stems, "query", "q", "search", "term", "keyword", "topic") {
		if short := f.keywords(); short != "" {
			text = short
		}
	}
	if p.shape.longest >= 0 {
		text = string([]rune(text)[:min(p.shape.longest, len([]rune(text)))])
	}
	return []any{text}
}

// keywords leaves out of a task what a search does not need: the words that ask
// for one.
func (f *filler) keywords() string {
	var kept []string
	for i, w := range f.wish.words {
		if i >= maxValues {
			break
		}
		if f.turn.lex.content(w.stem) && !anyOf([]string{w.stem}, "web", "internet", "online") {
			kept = append(kept, w.text)
		}
	}
	return strings.Join(kept, " ")
}

// onlyNumber takes a number that nothing says more about, if there is no other.
func onlyNumber(f *filler, p *param) []any {
	if len(f.wish.numbers) != 1 || !p.shape.is("integer") && !p.shape.is("number") {
		return nil
	}
	return []any{json.Number(f.wish.numbers[0].text)}
}

// flag is true when the text has the parameter's words, else false.
func flag(f *filler, p *param) []any {
	if !p.shape.is("boolean") {
		return nil
	}
	return []any{contains(f.wish.want, p.stems...)}
}
