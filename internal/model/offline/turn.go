package offline

import (
	"encoding/json"
	"slices"
	"strings"

	"errand/internal/run"
)

// turn is what one request says: who wants what, and what has come of it so far.
type turn struct {
	mind
	req      *run.Request
	orders   string // the standing instructions
	standing wish   // the same, as a wish, without the addresses in it: whom to write to is for the task to say
	wishes   []wish // the run's input, then each message that came meanwhile
	calls    []fact // calls of this run, in order
	earlier  []fact // calls of the thread's earlier runs
	blind    bool   // the run's beginning was left out of the request
	repairs  int    // answers of this run that did not satisfy the output schema
	tools    []tool
	made     *plan // what plan returned, once it has been asked
	filled   int   // values looked for, against maxFilled
}

// outcome is how a call ended, as far as its message tells.
type outcome int

const (
	succeeded outcome = iota
	failed
	rejected
	unknown
	cancelled
)

// fact is a tool call with what came of it.
type fact struct {
	number  int // its citation
	call    run.Call
	key     string
	outcome outcome
	text    string // without the line that marks it as data
	table   *table // nil when the text has none
}

func newTurn(req *run.Request, knows mind) *turn {
	t := &turn{mind: knows, req: req}
	start, whole := begin(req)
	t.blind = !whole
	var orders []string
	for i := range req.Messages {
		m := &req.Messages[i]
		switch {
		case m.Role == run.System:
			orders = append(orders, m.Text)
		case m.Role == run.User && i >= start:
			t.hear(m)
		case m.Role == run.Assistant && i < start:
			t.earlier = append(t.earlier, facts(req.Messages[i:], len(t.earlier))...)
		case m.Role == run.Assistant:
			t.calls = append(t.calls, facts(req.Messages[i:], len(t.calls))...)
		}
	}
	t.orders = strings.Join(orders, "\n")
	t.standing = newWish(t.orders, t.lex)
	t.standing.emails = nil
	for i := range req.Tools {
		t.tools = append(t.tools, newTool(&req.Tools[i], t.lex))
	}
	return t
}

// tool returns an offered tool with a schema that the rules can read, or nil.
func (t *turn) tool(name string) *tool {
	for i := range t.tools {
		if t.tools[i].Name == name && t.tools[i].shape != nil {
			return &t.tools[i]
		}
	}
	return nil
}

// begin finds the first message of this run: each step before this one left one
// reply, and the input stands before the first of them. It reports false when the
// request no longer reaches back that far.
func begin(req *run.Request) (start int, whole bool) {
	i, missing := len(req.Messages), req.Step-1
	for i > 0 && missing > 0 {
		if i--; req.Messages[i].Role == run.Assistant {
			missing--
		}
	}
	for req.Step <= 0 && i > 0 && !answer(&req.Messages[i-1]) {
		i-- // a request without a step goes back to the last answer
	}
	for i > 0 && handedBack(&req.Messages[i-1]) {
		i-- // a caller who made the calls itself goes on with the same task
	}
	for i > 0 && req.Messages[i-1].Role == run.User {
		i--
	}
	return i, missing <= 0
}

// answer reports whether a message is a reply that called nothing.
func answer(m *run.Message) bool { return m.Role == run.Assistant && len(m.Calls) == 0 }

// handedBack reports whether a message is a reply that called something, or a result.
func handedBack(m *run.Message) bool {
	return m.Role == run.ToolRole || m.Role == run.Assistant && len(m.Calls) > 0
}

// repairRequest is how the core asks for an answer that satisfies its schema.
const repairRequest = "Your answer does not satisfy"

func (t *turn) hear(m *run.Message) {
	if t.req.Output != nil && len(t.wishes) > 0 && strings.HasPrefix(m.Text, repairRequest) {
		t.repairs++
		return
	}
	t.wishes = append(t.wishes, newWish(m.Text, t.lex))
}

// facts reads the calls of messages[0] and the results behind it.
func facts(messages []run.Message, before int) []fact {
	var found []fact
	for i, call := range messages[0].Calls {
		f := fact{number: before + i + 1, call: call, key: key(call.Name, call.Arguments), outcome: unknown}
		for j := 1; j < len(messages) && messages[j].Role == run.ToolRole; j++ {
			if messages[j].CallID == call.ID {
				f.read(&messages[j])
				break
			}
		}
		found = append(found, f)
	}
	return found
}

// dataMark begins the line that marks a text as coming from outside.
const dataMark = "[Output of "

func (f *fact) read(m *run.Message) {
	body, outside := strings.CutPrefix(m.Text, dataMark)
	if outside {
		_, f.text, _ = strings.Cut(body, "\n")
	} else {
		f.text = m.Text
	}
	f.outcome = succeeded
	if m.Failed {
		f.outcome = failed
		if !outside { // only the core's own words say more; an output may claim anything
			f.outcome = ending(m.Text)
		}
		return
	}
	f.table = readTable(f.text)
}

// ending reads how a call ended from the core's words to the model.
func ending(text string) outcome {
	text = strings.ToLower(text)
	for _, sign := range []struct {
		words string
		means outcome
	}{
		{"outcome of this call is unknown", unknown},
		{"there is no result", unknown},
		{"rejected", rejected},
		{"approved this call in time", rejected},
		{"cut off before", cancelled},
	} {
		if strings.Contains(text, sign.words) {
			return sign.means
		}
	}
	return failed
}

// key is the same for two calls of a tool with equal arguments.
func key(tool, arguments string) string {
	decoder := json.NewDecoder(strings.NewReader(arguments))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return tool + " " + arguments
	}
	text, err := encode(value)
	if err != nil {
		return tool + " " + arguments
	}
	return tool + " " + text
}

// done returns the call of this run with the key, or nil.
func (t *turn) done(key string) *fact {
	for i := range t.calls {
		if t.calls[i].key == key {
			return &t.calls[i]
		}
	}
	return nil
}

// wish is one message of a person.
type wish struct {
	evidence
	lex   *lexicon
	want  []word // what it asks for
	avoid []word // what it says must not be
}

func newWish(text string, lex *lexicon) wish {
	w := wish{evidence: newEvidence(text), lex: lex}
	negated, last := false, 0
	for i, word := range w.words {
		if i > 0 && (strings.ContainsAny(text[last:word.start], ".!?;,\n") || strings.EqualFold(word.text, "but")) {
			negated = false
		}
		last = word.end
		switch {
		case negates(w.words, i):
			negated = true
		case negated:
			w.avoid = append(w.avoid, word)
		default:
			w.want = append(w.want, word)
		}
	}
	return w
}

// negates reports whether the word turns what follows it in its clause around.
func negates(words []word, i int) bool {
	before := ""
	if i > 0 {
		before = strings.ToLower(words[i-1].text)
	}
	switch strings.NewReplacer("'", "", "’", "").Replace(strings.ToLower(words[i].text)) {
	case "not", "dont", "never", "without", "except", "skip", "exclude", "omit", "avoid", "stop", "nor":
		return before != "why" && before != "if" && before != "or"
	case "out":
		return before == "leave"
	case "but":
		return before == "all" || before == "everyone" || before == "anyone"
	}
	return false
}

// stops reports whether the wish says nothing but to stop.
func (w *wish) stops() bool {
	halt := false
	for _, word := range w.words {
		switch strings.ToLower(word.text) {
		case "stop", "halt", "cancel", "abort", "quit":
			halt = true
		case "now", "everything", "work", "working":
		default:
			if w.lex.content(word.stem) {
				return false
			}
		}
	}
	return halt
}

// says reports whether the wish asks for any of the words.
func (w *wish) says(words ...string) bool {
	return slices.ContainsFunc(words, func(one string) bool { return contains(w.want, stem(one)) })
}

// contains reports whether any of the stems is among the words.
func contains(words []word, stems ...string) bool {
	for _, word := range words {
		for _, s := range stems {
			if word.stem == s {
				return true
			}
		}
	}
	return false
}
