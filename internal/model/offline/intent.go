package offline

import (
	"slices"
	"strings"

	"errand/internal/run"
)

// tool is a tool with what its definition says to the rules.
type tool struct {
	*run.Tool
	shape *shape   // nil when its parameters are no readable schema
	verbs []string // groups of the acting verbs in its name
	looks []string // stems of the telling lookups in its name
	nouns []string // stems of the rest of its name
	reads bool     // it only reads, by its class or its name
}

func newTool(definition *run.Tool, lex *lexicon) tool {
	t := tool{Tool: definition}
	if shape, ok := readShape(definition.Parameters); ok {
		t.shape = shape
	}
	looks := false
	for _, s := range stems(definition.Name) {
		group, acts := lex.action[s]
		if acts {
			t.verbs = append(t.verbs, group)
		}
		if lex.tells[s] {
			t.looks = append(t.looks, s)
		}
		switch {
		case lex.lookup[s]:
			looks = true
		case !acts || group == "message" && s != "send": // email is a thing as well
			t.nouns = append(t.nouns, s)
		}
	}
	t.reads = definition.Class == run.Safe || looks && !slices.ContainsFunc(t.verbs, func(v string) bool { return v != "message" })
	return t
}

// How much each kind of match says that a tool is meant. A reading tool is used
// from enough on.
const (
	byFullName = 100 // the task names the tool
	byNoun     = 3   // a word of its name
	byTopic    = 2   // a word of the same topic as one of its name
	byValue    = 2   // a value that only one of its parameters takes
	byProse    = 1   // a word of its description, or of a parameter's name
	enough     = 2
)

// reading returns the reading tools that the wish calls for, in the order of the
// request.
func (t *turn) reading(w *wish) []*tool {
	var chosen []*tool
	var best *tool
	most, ties := 0, 0
	for i := range t.tools {
		tool := &t.tools[i]
		if !tool.reads {
			continue
		}
		score := t.score(tool, w)
		switch {
		case score >= enough:
			chosen = append(chosen, tool)
		case score > most:
			best, most, ties = tool, score, 1
		case score == most:
			ties++
		}
	}
	if len(chosen) == 0 && most > 0 && ties == 1 && len(t.acting(w)) == 0 {
		chosen = append(chosen, best) // little speaks for it, but nothing for anything else
	}
	if len(chosen) == 0 && len(t.acting(w)) == 0 {
		if searcher := t.searcher(w); searcher != nil {
			chosen = append(chosen, searcher)
		}
	}
	return chosen
}

// acting returns the tools with effects that the wish asks for: those with a verb
// of the task's in their name and whose object is the task's too, the best one
// for each verb, in the order of the verbs in the task.
func (t *turn) acting(w *wish) []*tool {
	best := map[string]*tool{}
	most := map[string]int{}
	var order []string
	for _, word := range w.want {
		if verb := t.lex.action[word.stem]; verb != "" && !slices.Contains(order, verb) {
			order = append(order, verb)
		}
	}
	const unnamed = "a tool whose name has no verb that the rules know"
	order = append(order, unnamed)
	for i := range t.tools {
		tool := &t.tools[i]
		if tool.reads || t.forbidden(tool, w) {
			continue
		}
		verb := unnamed
		for _, known := range order {
			if slices.Contains(tool.verbs, known) {
				verb = known
				break
			}
		}
		named := strings.Contains(strings.ToLower(w.text), strings.ToLower(tool.Name))
		if !named && !t.asked(tool, w, verb != unnamed) {
			continue
		}
		if score := 1 + t.score(tool, w); score > most[verb] { // 1: the verb itself
			best[verb], most[verb] = tool, score
		}
	}
	var chosen []*tool
	for _, verb := range order {
		if tool := best[verb]; tool != nil && !slices.Contains(chosen, tool) {
			chosen = append(chosen, tool)
		}
	}
	return chosen
}

// asked reports whether the task speaks of what the tool acts on. A tool without
// a known verb in its name must be named by all its words.
func (t *turn) asked(tool *tool, w *wish, verb bool) bool {
	if !verb && len(tool.verbs) > 0 {
		return false
	}
	matched := 0
	for _, noun := range tool.nouns {
		if contains(w.want, noun) || verb && t.sameTopic(noun, w) {
			matched++
		}
	}
	if !verb {
		return matched > 0 && matched == len(tool.nouns)
	}
	return matched > 0 || len(tool.nouns) == 0
}

// sameTopic reports whether the wish has a word of the stem's topic, or a verb of
// its kind: a reminder is an e-mail.
func (t *turn) sameTopic(s string, w *wish) bool {
	topic, action := t.lex.topic[s], t.lex.action[s]
	return slices.ContainsFunc(w.want, func(word word) bool {
		return topic != "" && t.lex.topic[word.stem] == topic || action != "" && t.lex.action[word.stem] == action
	})
}

// forbidden reports whether the wish says that such a thing must not be done. If
// it says so of something that the results name, that is left out and the rest
// is done.
func (t *turn) forbidden(tool *tool, w *wish) bool {
	if contains(w.want, tool.nouns...) || slices.ContainsFunc(w.avoid, func(word word) bool { return t.names(word) && t.known(word) }) {
		return false
	}
	return slices.ContainsFunc(w.avoid, func(word word) bool {
		verb := t.lex.action[word.stem]
		return verb != "" && slices.Contains(tool.verbs, verb)
	})
}

// names reports whether a word may be the name of something: it is none that the
// rules know.
func (t *turn) names(w word) bool {
	return len(w.stem) > 2 && t.lex.content(w.stem) && t.lex.action[w.stem] == "" && t.lex.topic[w.stem] == "" && hours(w.stem) == 0
}

// known reports whether a row of the results so far has the word.
func (t *turn) known(w word) bool {
	for _, calls := range [][]fact{t.calls, t.earlier} {
		for i := range calls {
			if calls[i].table != nil && slices.ContainsFunc(calls[i].table.rows, func(r row) bool { return r.mentions(w.stem) }) {
				return true
			}
		}
	}
	return false
}

// score says how much speaks for a tool. Only words of people count.
func (t *turn) score(tool *tool, w *wish) int {
	score := 0
	if strings.Contains(strings.ToLower(w.text), strings.ToLower(tool.Name)) && !contains(w.avoid, stems(tool.Name)...) {
		score += byFullName
	}
	for _, noun := range tool.nouns {
		switch {
		case contains(w.want, noun):
			score += byNoun
		case t.lex.topic[noun] != "" && t.topical(t.lex.topic[noun], w):
			score += byTopic
		}
	}
	if contains(w.want, tool.looks...) {
		score += byTopic
	}
	prose := map[string]bool{}
	for _, word := range split(clip(tool.Description, maxProse)) {
		prose[word.stem] = true
	}
	if tool.shape != nil {
		for _, name := range sorted(tool.shape.props) {
			for _, s := range stems(name) {
				prose[s] = true
			}
			if child := tool.shape.props[name]; namesChoice(child, w) || namesFormat(child, name, w) {
				score += byValue
			}
		}
	}
	counted := map[string]bool{}
	for _, word := range w.want {
		if prose[word.stem] && t.lex.content(word.stem) && !counted[word.stem] {
			counted[word.stem] = true
			score += byProse
		}
	}
	return score
}

// maxProse is how many characters of a description are read: its summary comes
// first.
const maxProse = 600

func (t *turn) topical(topic string, w *wish) bool {
	return slices.ContainsFunc(w.want, func(word word) bool { return t.lex.topic[word.stem] == topic })
}

// namesChoice reports whether the wish has one of an enum's values.
func namesChoice(s *shape, w *wish) bool {
	for _, value := range s.enum {
		if text, ok := value.(string); ok && says(w.want, text) {
			return true
		}
	}
	return false
}

// namesFormat reports whether the wish has a value of a kind that few parameters
// take: a link for a url, arithmetic for an expression.
func namesFormat(s *shape, name string, w *wish) bool {
	named := stems(name)
	switch {
	case s.format == "uri", anyOf(named, "url", "uri", "link"):
		return len(w.links) > 0
	case anyOf(named, "expression", "expr", "formula"):
		return len(w.sums) > 0
	case anyOf(named, "timezone", "tz", "zone"):
		return len(w.zones) > 0
	}
	return false
}

// says reports whether the words of a value follow each other in the wish.
func says(words []word, value string) bool {
	parts := stems(value)
	if len(parts) == 0 {
		return false
	}
	for i := 0; i+len(parts) <= len(words); i++ {
		match := true
		for j, part := range parts {
			match = match && words[i+j].stem == part
		}
		if match {
			return true
		}
	}
	return false
}

// anyOf reports whether one of the words is among the stems.
func anyOf(names []string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return slices.Contains(names, stem(w)) })
}

// shares reports whether two lists of stems have one in common.
func shares(a, b []string) bool {
	return slices.ContainsFunc(a, func(s string) bool { return slices.Contains(b, s) })
}
