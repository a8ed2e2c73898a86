package offline

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
)

// structured builds the answer that the request's output schema asks for. What
// the results do not say becomes null where that is allowed, else the smallest
// value that is; if the rules can't build the value at all, words follow.
func structured(t *turn) (move, bool) {
	if len(t.req.Output) == 0 {
		return move{}, false
	}
	root, ok := readShape(t.req.Output)
	if !ok {
		return move{}, false
	}
	for _, minimal := range []bool{t.repairs > 0, true} {
		f := &filler{turn: t, wish: t.latest(), used: map[string]bool{}, sources: outputSources(minimal)}
		if rows := t.found(); len(rows) > 0 {
			f.row = &rows[0]
		}
		value, ok := f.value(&param{name: "result", stems: stems("result"), shape: root, required: true})
		if !ok {
			continue
		}
		if text, ok := t.fits(t.req.Output, value); ok {
			return move{text: text}, true
		}
	}
	return move{}, false
}

// latest is the wish whose words may fill an answer.
func (t *turn) latest() *wish {
	if len(t.wishes) == 0 {
		return &t.standing
	}
	return &t.wishes[len(t.wishes)-1]
}

// found is the rows of all results of this run that only read, else of all.
func (t *turn) found() []row {
	var read, all []row
	for i := range t.calls {
		f := &t.calls[i]
		if f.table == nil {
			continue
		}
		all = append(all, f.table.rows...)
		if !t.effects(f.call.Name) {
			read = append(read, f.table.rows...)
		}
	}
	if len(read) > 0 {
		return read
	}
	return all
}

// outputSources is where the values of a structured answer come from, in order.
// A minimal answer leaves out what is not required.
func outputSources(minimal bool) []source {
	table := []source{
		{"the only value that the schema allows", true, onlyValue},
		{"what became of the calls", true, outcomeFlag},
		{"how many, or how much in all", true, tally},
		{"the account in words", true, told},
		{"the results' rows", true, rowsListed},
		{"the first row's column of the same name", true, sameColumn},
		{"name: value in the text", true, namedValue},
		{"a value of its enum that the text has", true, chosenValue},
		{"a number with its unit", true, measuredValue},
		{"the first row's column for the same thing", true, relatedColumn},
		{"members of an object", true, members},
		{"an address, link, day or code of the text", false, typedValue},
		{"a text in quotation marks", false, quotedValue},
		{"the schema's default", false, defaultValue},
		{"one of several schemas", false, eitherValue},
		{"the smallest value that the schema allows", false, smallest},
	}
	if minimal {
		for i := range table {
			table[i].optional = false
		}
	}
	return table
}

// outcomeFlag answers sent, done, ok: whether something was done and nothing
// failed.
func outcomeFlag(f *filler, p *param) []any {
	if !p.shape.is("boolean") || !anyOf(p.stems, "sent", "done", "ok", "success", "successful", "complete", "completed", "finished", "found") {
		return nil
	}
	good, acted := true, false
	for i := range f.turn.calls {
		call := &f.turn.calls[i]
		good = good && call.outcome == succeeded
		acted = acted || f.turn.effects(call.call.Name)
	}
	if anyOf(p.stems, "found") {
		return []any{len(f.turn.found()) > 0}
	}
	return []any{good && len(f.turn.calls) > 0 && (acted || !anyOf(p.stems, "sent"))}
}

// tally counts the rows, or the calls that did something, or adds a column up.
func tally(f *filler, p *param) []any {
	if !p.shape.is("integer") && !p.shape.is("number") {
		return nil
	}
	rows := f.turn.found()
	all := table{rows: rows}
	if anyOf(p.stems, "sum", "total", "amount") && !anyOf(p.stems, "count", "number", "row") {
		if _, sum, ok := all.sum(stems("amount total balance price cost")...); ok {
			return []any{json.Number(sum)}
		}
	}
	if anyOf(p.stems, "sent", "done", "acted", "completed") {
		return []any{json.Number(strconv.Itoa(f.turn.succeeded()))}
	}
	if anyOf(p.stems, "count", "number", "total", "row", "found", "n") && len(f.turn.calls) > 0 {
		return []any{json.Number(strconv.Itoa(len(rows)))}
	}
	return nil
}

// succeeded counts the calls with effects that went well.
func (t *turn) succeeded() int {
	count := 0
	for i := range t.calls {
		if t.calls[i].outcome == succeeded && t.effects(t.calls[i].call.Name) {
			count++
		}
	}
	return count
}

// told gives the account in words to what wants a summary.
func told(f *filler, p *param) []any {
	if !p.shape.is("string") || len(p.shape.enum) > 0 ||
		!anyOf(p.stems, "summary", "answer", "result", "report", "message", "text", "explanation", "conclusion", "note", "response", "description") {
		return nil
	}
	text := "No tool was called. " + f.turn.disclaimer()
	if len(f.turn.calls) > 0 {
		text = f.turn.account() + "\n\n" + f.turn.disclaimer()
	}
	if p.shape.longest >= 0 {
		text = string([]rune(text)[:min(p.shape.longest, len([]rune(text)))])
	}
	return []any{text}
}

// rowsListed makes a list's items of the rows: an object of each, or the cell of
// the column that the list is named after.
func rowsListed(f *filler, p *param) []any {
	if !p.shape.is("array") || p.shape.items == nil || p.depth > maxDepth {
		return nil
	}
	rows := f.turn.found()
	items := make([]any, 0, len(rows))
	for i := range rows {
		if p.shape.longest >= 0 && len(items) >= p.shape.longest {
			break
		}
		one := *f
		one.row, one.used = &rows[i], map[string]bool{}
		item := &param{name: p.name, stems: p.stems, shape: p.shape.items, required: true, depth: p.depth + 1}
		one.sources = rowSources(item.shape.is("object"))
		if value, ok := one.value(item); ok && !slices.ContainsFunc(items[max(0, len(items)-maxListed):], func(v any) bool { return plain(v) == plain(value) }) {
			items = append(items, value)
		}
	}
	return []any{items}
}

// rowSources fills what stands for one row, from that row. An object has its
// required members in any case; a bare cell that the row lacks is no item.
func rowSources(object bool) []source {
	table := []source{
		{"the only value that the schema allows", true, onlyValue},
		{"the row's column of the same name", true, sameColumn},
		{"the row's column for the same thing", true, relatedColumn},
		{"members of an object", true, members},
		{"the schema's default", false, defaultValue},
		{"one of several schemas", false, eitherValue},
	}
	if object {
		table = append(table, source{"the smallest value that the schema allows", false, smallest})
	}
	return table
}

// smallest is the least that the schema allows, null before all else.
func smallest(f *filler, p *param) []any {
	s := p.shape
	found := append([]any{}, s.enum...)
	if s.is("null") {
		return []any{nil}
	}
	if s.is("string") || s.loose() {
		found = append(found, fitted("not found", s), "", "not-found", "0", "a", "A", "1970-01-01", "1970-01-01T00:00:00Z", "none@invalid.invalid", "about:blank", "00000000-0000-0000-0000-000000000000")
	}
	if s.is("integer") || s.is("number") {
		found = append(found, json.Number("0"))
		for _, bound := range []*float64{s.least, s.most} {
			if bound != nil && math.Abs(*bound) < 1e15 {
				for _, n := range []float64{*bound, math.Floor(*bound) + 1, math.Ceil(*bound) - 1} {
					found = append(found, json.Number(strconv.FormatFloat(n, 'f', -1, 64)))
				}
			}
		}
	}
	if s.is("boolean") {
		found = append(found, false, true)
	}
	if s.is("array") && p.depth < maxDepth {
		items := []any{}
		item := s.items
		if item == nil {
			item = &shape{longest: -1}
		}
		for range min(s.shortest, maxValues) {
			value, ok := f.value(&param{name: p.name, stems: p.stems, shape: item, required: true, depth: p.depth + 1})
			if !ok {
				return nil
			}
			items = append(items, value)
		}
		found = append(found, items)
	}
	return found
}

// fitted brings a text to the length that the schema wants.
func fitted(text string, s *shape) string {
	if s.longest >= 0 && len(text) > s.longest {
		text = text[:s.longest]
	}
	if s.shortest > len(text) && s.shortest < 4096 {
		text += strings.Repeat(".", s.shortest-len(text))
	}
	return text
}
