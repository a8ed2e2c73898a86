package offline

import (
	"encoding/json"
	"math/big"
	"slices"
	"strings"
)

// table is the rows that a tool's result holds.
type table struct {
	rows []row
	cut  bool // the tool says that there is more
}

// row is one record: its columns in order, by name.
type row struct {
	names []string
	words [][]string // the stems of each name
	cells []any
}

// readTable finds the records in a result, or returns nil. It knows
// {"columns":[…],"rows":[…]}, a list of objects, an object that holds a list of
// objects, and a single object; the JSON may stand behind lines of text, but
// nothing may follow it: JSON in the middle of a page is a page.
func readTable(text string) *table {
	value, ok := lastJSON(text)
	if !ok {
		return nil
	}
	switch v := value.(type) {
	case []any:
		return tableOf(nil, v)
	case map[string]any:
		cut, _ := v["truncated"].(bool)
		for _, name := range append([]string{"rows", "results", "items", "data", "records"}, sorted(v)...) {
			members, ok := v[name].([]any)
			if !ok || name == "columns" {
				continue
			}
			if found := tableOf(texts(list(v["columns"])), members); found != nil {
				found.cut = cut
				return found
			}
		}
		single := &table{rows: []row{rowOf(v)}}
		single.readNames()
		return single
	}
	return nil
}

// maxStarts bounds how many line beginnings are tried.
const maxStarts = 8

func lastJSON(text string) (any, bool) {
	rest := strings.TrimSpace(text)
	for range maxStarts {
		if rest == "" {
			return nil, false
		}
		if rest[0] == '{' || rest[0] == '[' {
			decoder := json.NewDecoder(strings.NewReader(rest))
			decoder.UseNumber()
			var value any
			if err := decoder.Decode(&value); err == nil && strings.TrimSpace(rest[decoder.InputOffset():]) == "" {
				return value, true
			}
		}
		_, after, found := strings.Cut(rest, "\n")
		if !found {
			return nil, false
		}
		rest = strings.TrimLeft(after, " \t\r\n")
	}
	return nil, false
}

// tableOf makes rows of objects, or of lists with column names; nil for a list of
// anything else. An empty list is a table without rows.
func tableOf(columns []string, members []any) *table {
	t := &table{}
	for _, member := range members {
		switch m := member.(type) {
		case map[string]any:
			t.rows = append(t.rows, rowOf(m, columns...))
		case []any:
			if len(columns) == 0 {
				return nil
			}
			width := min(len(columns), len(m))
			t.rows = append(t.rows, row{names: columns[:width], cells: m[:width]})
		default:
			return nil
		}
	}
	t.readNames()
	return t
}

// readNames takes the columns' names apart, once for rows of the same columns.
func (t *table) readNames() {
	for i := range t.rows {
		r := &t.rows[i]
		if i > 0 && slices.Equal(r.names, t.rows[i-1].names) {
			r.words = t.rows[i-1].words
			continue
		}
		r.words = make([][]string, len(r.names))
		for j, name := range r.names {
			r.words[j] = stems(name)
		}
	}
}

// rowOf makes a row of an object, in the order of columns, else alphabetically.
func rowOf(object map[string]any, columns ...string) row {
	var r row
	for _, name := range append(slices.Clone(columns), sorted(object)...) {
		value, ok := object[name]
		if ok && !slices.Contains(r.names, name) {
			r.names, r.cells = append(r.names, name), append(r.cells, value)
		}
		if len(r.names) == maxColumns {
			break
		}
	}
	return r
}

// maxColumns is more than a table that a person reads has.
const maxColumns = 200

// role is what a column is for, by the words that its name may have, the more
// telling ones first.
type role struct {
	name  string
	words string
}

func roles() []role {
	return []role{
		{"address", "email mail recipient to"},
		{"id", "number reference code sku key id no slug"},
		{"name", "customer client company name buyer contact person user title"},
		{"amount", "amount total balance outstanding price sum cost value"},
		{"currency", "currency"},
		{"age", "days age overdue"},
		{"due", "due deadline"},
		{"link", "url link href uri"},
		{"text", "text body content message summary snippet description"},
	}
}

// related returns the role's words if the stems name one of them.
func related(names []string) []string {
	for _, r := range roles() {
		words := stems(r.words)
		for _, name := range names {
			if slices.Contains(words, name) {
				return words
			}
		}
	}
	return nil
}

// cell returns the first scalar in a column whose name has one of the words; the
// words are tried in order.
func (r *row) cell(words ...string) (name, text string, ok bool) {
	for _, wanted := range words {
		for i, column := range r.names {
			if slices.Contains(r.words[i], wanted) && scalar(r.cells[i]) {
				return column, plain(r.cells[i]), true
			}
		}
	}
	return "", "", false
}

// as returns the text of the column with a role, or "".
func (r *row) as(name string) string {
	for _, role := range roles() {
		if role.name != name {
			continue
		}
		words := stems(role.words)
		if name == "id" { // "invoice" names an invoice where nothing better does
			words = append(words, stem("invoice"), stem("ticket"), stem("order"))
		}
		_, text, _ := r.cell(words...)
		return text
	}
	return ""
}

// address returns the row's first e-mail address.
func (r *row) address() string {
	if text := r.as("address"); emailPattern.FindString(text) == text {
		return text
	}
	for _, cell := range r.cells {
		if text, ok := cell.(string); ok && text != "" && emailPattern.FindString(text) == text {
			return text
		}
	}
	return ""
}

// money is the row's amount with its currency, or "".
func (r *row) money() string {
	return strings.TrimSpace(r.as("amount") + " " + r.as("currency"))
}

// mentions reports whether a cell has the word.
func (r *row) mentions(s string) bool {
	for _, cell := range r.cells {
		if text, ok := cell.(string); ok && slices.Contains(stems(text), s) {
			return true
		}
	}
	return false
}

// label names the row in a few words, for people.
func (r *row) label() string {
	var parts []string
	for _, part := range []string{r.as("name"), r.as("id"), r.money()} {
		if part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	if len(parts) == 0 {
		return r.line()
	}
	return clip(strings.Join(parts, ", "), 120)
}

// line is the whole row in one line.
func (r *row) line() string {
	var parts []string
	for i, name := range r.names {
		if text := plain(r.cells[i]); text != "" {
			parts = append(parts, name+": "+text)
		}
	}
	return clip(strings.Join(strings.Fields(strings.Join(parts, "; ")), " "), 300)
}

func scalar(value any) bool {
	switch v := value.(type) {
	case string:
		return v != ""
	case json.Number, bool:
		return true
	}
	return false
}

// sum adds up the first column that has one of the words, exactly.
func (t *table) sum(words ...string) (name, text string, ok bool) {
	total, places := new(big.Rat), 0
	for i := range t.rows {
		column, cell, found := t.rows[i].cell(words...)
		cell = strings.ReplaceAll(cell, ",", "")
		if !found || len(cell) > 40 || strings.ContainsAny(cell, "eE/_") {
			return "", "", false
		}
		value, good := new(big.Rat).SetString(cell)
		if !good {
			return "", "", false
		}
		if _, decimals, has := strings.Cut(cell, "."); has {
			places = max(places, len(decimals))
		}
		name = column
		total.Add(total, value)
	}
	return name, total.FloatString(places), len(t.rows) > 0
}

// clip shortens a text to at most n characters.
func clip(text string, n int) string {
	count := 0
	for i := range text {
		if count == n {
			return text[:i] + "…"
		}
		count++
	}
	return text
}
