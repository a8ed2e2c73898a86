package offline

import (
	"slices"
	"strings"
)

// plan is every call that the wishes ask for, made or not: it is worked out anew
// in each turn, from the wishes and the results so far, and what has been called
// already is not called again. That is why nothing has to be remembered.
type plan struct {
	reads []planned
	acts  []planned
	notes []string // what will not be done, and why
}

// planned is one call with what it is for.
type planned struct {
	tool      *tool
	arguments string
	key       string
	row       *row // nil when it is for no row in particular
}

// maxCalls bounds the calls of one turn, so that a person who must approve them
// can read them; the rest follow in the next turn.
const maxCalls = 20

// maxFollowed bounds how many rows of a result a reading tool follows up, such as
// the pages of a search.
const maxFollowed = 3

// maxRows bounds how many rows of one result are acted on in a run.
const maxRows = 1000

// plan works the wishes out, once.
func (t *turn) plan() *plan {
	if t.made != nil {
		return t.made
	}
	t.made = &plan{}
	var tables []*table // what the latest wish that read something has read
	for i := range t.wishes {
		before := len(t.made.reads)
		found := t.planReads(&t.wishes[i])
		asked := len(t.made.reads) > before
		if asked {
			tables = found
		} else if i == 0 {
			tables = tablesOf(t.earlier)
		}
		t.planActs(&t.wishes[i], tables, asked)
	}
	return t.made
}

// planReads adds the wish's reading calls and returns the tables that they have
// brought so far.
func (t *turn) planReads(w *wish) []*table {
	var tables []*table
	chosen := t.reading(w)
	if len(chosen) == 0 && len(t.acting(w)) == 0 && goesAhead(w) && t.orders != "" {
		chosen, w = t.reading(&t.standing), &t.standing
	}
	var following []*tool
	for _, tool := range chosen {
		arguments, against := t.arguments(tool, &filler{wish: w, sources: sources()})
		switch {
		case against == "":
			tables = append(tables, t.read(planned{tool: tool, arguments: arguments, key: key(tool.Name, arguments)})...)
		case tool.shape == nil:
			t.note(tool, against)
		default:
			following = append(following, tool)
		}
	}
	for _, tool := range following {
		calls, against := t.forRows(tool, w, tables, maxFollowed)
		if len(calls) == 0 {
			t.note(tool, against)
		}
		for _, call := range calls {
			t.read(call)
		}
	}
	return tables
}

// read plans one reading call and returns its table, if it has been answered.
func (t *turn) read(call planned) []*table {
	if !slices.ContainsFunc(t.made.reads, func(p planned) bool { return p.key == call.key }) {
		t.made.reads = append(t.made.reads, call)
	}
	if done := t.done(call.key); done != nil && done.table != nil {
		return []*table{done.table}
	}
	return nil
}

// planActs adds the wish's calls with effects: one for each row where the row
// gives what the task does not, else one in all.
func (t *turn) planActs(w *wish, tables []*table, asked bool) {
	chosen := t.acting(w)
	if len(chosen) == 0 && goesAhead(w) && t.orders != "" {
		chosen, w = t.acting(&t.standing), &t.standing
	}
	var rows []row
	for _, table := range tables {
		rows = append(rows, table.rows...)
	}
	for _, tool := range chosen {
		each := len(rows) > 0 && w.eachOne()
		single := &letter{wish: w, orders: t.orders, rows: rows}
		arguments, against := t.arguments(tool, &filler{wish: w, letter: single, sources: sources()})
		if against == "" && !each {
			if asked && len(rows) == 0 && !t.readText() {
				t.note(tool, "nothing was found that it could be about")
				continue
			}
			t.act(planned{tool: tool, arguments: arguments, key: key(tool.Name, arguments)})
			continue
		}
		calls, reason := t.forRows(tool, w, tables, 0)
		if len(calls) == 0 && asked && len(rows) == 0 {
			reason = "nothing was found that it could be about"
		}
		if len(calls) == 0 {
			t.note(tool, reason)
		}
		for _, call := range calls {
			t.act(call)
		}
	}
}

func (t *turn) act(call planned) {
	if !slices.ContainsFunc(t.made.acts, func(p planned) bool { return p.key == call.key }) {
		t.made.acts = append(t.made.acts, call)
	}
}

// forRows makes one call for each row that fills the tool's parameters, at most
// limit (0 = as many as the task speaks of, or all). Without any call it says why.
func (t *turn) forRows(tool *tool, w *wish, tables []*table, limit int) (calls []planned, against string) {
	_, against = t.arguments(tool, &filler{wish: w, letter: &letter{wish: w, orders: t.orders}, sources: sources()})
	acting := limit == 0
	if acting {
		limit = w.stated()
	}
	for _, table := range tables {
		only := t.named(w, table.rows[:min(len(table.rows), maxRows)])
		for i := range table.rows {
			r := &table.rows[i]
			if i == maxRows {
				t.remark(tool.Name + " was not called for " + count(len(table.rows)-maxRows, "further row") + ": that is too much for one run")
				break
			}
			if why := t.leftOut(r, only); why != "" {
				t.remark(tool.Name + " was not called for " + r.label() + ": " + why)
				continue
			}
			letter := &letter{wish: w, orders: t.orders, row: r}
			arguments, reason := t.arguments(tool, &filler{wish: w, row: r, letter: letter, sources: sources()})
			if reason != "" {
				if against = reason; acting {
					t.remark(tool.Name + " was not called for " + r.label() + ": " + reason)
				}
				continue
			}
			if limit > 0 && len(calls) == limit {
				if acting {
					t.remark(tool.Name + " was not called for " + r.label() + ": the task speaks of fewer")
				}
				continue
			}
			calls = append(calls, planned{tool: tool, arguments: arguments, key: key(tool.Name, arguments), row: r})
		}
	}
	return calls, against
}

// leftOut says why a row is not to be acted on: a wish names it behind a "not",
// or names others only.
func (t *turn) leftOut(r *row, only []string) string {
	for i := range t.wishes {
		for _, word := range t.wishes[i].avoid {
			if t.names(word) && r.mentions(word.stem) {
				return "the task says not to (" + word.text + ")"
			}
		}
	}
	if len(only) > 0 && !slices.ContainsFunc(only, r.mentions) {
		return "the task names others"
	}
	return ""
}

// named returns the words of the wish that some rows have and others have not:
// "Chase Meridian's invoices" is about Meridian alone.
func (t *turn) named(w *wish, rows []row) []string {
	var only []string
	for _, word := range w.want[:min(len(w.want), maxValues)] {
		if !t.names(word) {
			continue
		}
		has := 0
		for i := range rows {
			if rows[i].mentions(word.stem) {
				has++
			}
		}
		if has > 0 && has < len(rows) {
			only = append(only, word.stem)
		}
	}
	return only
}

// readText reports whether a reading call of this run brought prose.
func (t *turn) readText() bool {
	for i := range t.calls {
		if f := &t.calls[i]; f.outcome == succeeded && f.table == nil && f.text != "" {
			return true
		}
	}
	return false
}

func (t *turn) note(tool *tool, against string) {
	t.remark(tool.Name + " was not called: " + against)
}

// remark adds a note, once.
func (t *turn) remark(text string) {
	if !slices.Contains(t.made.notes, text) {
		t.made.notes = append(t.made.notes, text)
	}
}

// eachOne reports whether the wish wants something done for every row.
func (w *wish) eachOne() bool {
	return slices.ContainsFunc(w.words, func(word word) bool {
		switch strings.ToLower(word.text) {
		case "each", "every", "everyone":
			return true
		}
		return false
	})
}

// goesAhead reports whether the wish says no more than that the standing
// instructions should be carried out.
func goesAhead(w *wish) bool {
	said := false
	for _, word := range w.words {
		switch strings.ToLower(word.text) {
		case "go", "ahead", "start", "run", "begin", "proceed", "continue", "execute", "work", "job", "duty", "instructions", "now":
			said = true
		default:
			if w.lex.content(word.stem) {
				return false
			}
		}
	}
	return said
}

func tablesOf(calls []fact) []*table {
	var tables []*table
	for i := len(calls) - 1; i >= 0; i-- {
		if calls[i].table != nil {
			tables = append(tables, calls[i].table)
			break
		}
	}
	return tables
}

// missing returns the planned calls that nothing has come of yet.
func (t *turn) missing(calls []planned) []planned {
	var open []planned
	for _, call := range calls {
		if t.done(call.key) == nil {
			open = append(open, call)
		}
	}
	return open
}

// hopeless reports whether all calls of the tool in this run, two or more, failed
// in the same way: more of them would fail too.
func (t *turn) hopeless(name string) bool {
	count := 0
	for i := range t.calls {
		f := &t.calls[i]
		if f.call.Name != name {
			continue
		}
		if f.outcome != failed {
			return false
		}
		count++
	}
	return count >= 2
}
