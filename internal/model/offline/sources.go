package offline

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// sources is where values of tool arguments come from, in order.
func sources() []source {
	return []source{
		{"the only value that the schema allows", false, onlyValue},
		{"name: value in the text", true, namedValue},
		{"a value of its enum that the text has", true, chosenValue},
		{"the values of its items' enum that the text has", true, chosenItems},
		{"a number with its unit", true, measuredValue},
		{"the row's column of the same name", true, sameColumn},
		{"a word of the text that its pattern describes", true, patternedValue},
		{"an address, link, day, zone, code or sum of the text", false, typedValue},
		{"a link, day, zone or code that only it can take", true, tellingValue},
		{"the row's column for the same thing", false, relatedColumn},
		{"members of an object", false, members},
		{"a subject or body", false, written},
		{"a list of one or more of the above", false, listed},
		{"a text in quotation marks", false, quotedValue},
		{"the schema's default", false, defaultValue},
		{"one of several schemas", false, eitherValue},
		{"a name in the text", false, properName},
		{"the task itself, as a query", false, wholeTask},
		{"the only number of the text", false, onlyNumber},
		{"a flag that the text does not raise", false, flag},
	}
}

func onlyValue(_ *filler, p *param) []any {
	if len(p.shape.enum) == 1 {
		return p.shape.enum
	}
	return nil
}

// namedValue finds "status: open", "limit = 5", "limit of 5", `titled "x"`.
func namedValue(f *filler, p *param) []any {
	if len(p.name) < 2 || len(p.name) > 64 || !says(f.wish.words, p.name) {
		return nil
	}
	name := strings.NewReplacer("_", "[_ -]", `\.`, "[. ]").Replace(regexp.QuoteMeta(p.name))
	pattern, err := regexp.Compile(`(?i)(?:^|[^\pL\pN_])` + name + `(?:\s*[:=]\s*|\s+(?:is |of )?)("[^"\n]*"|“[^”\n]*”|'[^'\n]*'|[^\s,;"']+)`)
	if err != nil {
		return nil
	}
	var found []any
	for _, m := range pattern.FindAllStringSubmatchIndex(f.wish.text, maxValues) {
		value := f.wish.text[m[2]:m[3]]
		bare := strings.Trim(value, `"“”'`)
		marked := strings.ContainsAny(f.wish.text[m[0]:m[2]], ":=") || bare != value
		if bare = strings.TrimRight(bare, ".!?"); marked || strings.Contains(bare, "@") || bare != "" && bare[0] < 'A' && json.Valid([]byte(bare)) {
			found = append(found, bare)
		}
	}
	return found
}

// chosenValue prefers the longest value, so that "in progress" is not "progress".
func chosenValue(f *filler, p *param) []any {
	choices := p.shape.enum
	if len(choices) == 0 && p.shape.is("string") {
		choices = offered(p.shape.description)
	}
	var found []any
	for _, choice := range choices {
		if text, ok := choice.(string); ok && says(f.wish.want, text) {
			found = append(found, choice)
		}
	}
	slices.SortStableFunc(found, func(a, b any) int { return len(plain(b)) - len(plain(a)) })
	return found
}

// offered is the values that a description puts in quotation marks: status,
// "paid" or "unpaid".
func offered(description string) []any {
	var found []any
	for _, m := range quotePattern.FindAllStringSubmatch(clip(description, maxProse), maxValues) {
		if value := strings.Join(m[1:], ""); len(stems(value)) <= 3 {
			found = append(found, value)
		}
	}
	return found
}

// measuredValue takes the number whose surroundings say what the parameter's name
// says: "over 30 days" is older_than_days, "top 5" is limit.
func measuredValue(f *filler, p *param) []any {
	if !p.shape.is("integer") && !p.shape.is("number") && !(p.shape.loose() && len(p.shape.enum) == 0) {
		return nil
	}
	var found []any
	for _, n := range f.wish.numbers {
		switch {
		case !sameDirection(p.stems, n.before):
		case n.unit != "" && slices.Contains(p.stems, n.unit) && f.turn.lex.content(n.unit):
			found = append(found, json.Number(n.text))
		case converted(n, p.stems) != "":
			found = append(found, json.Number(converted(n, p.stems)))
		case len(n.before) > 0 && slices.Contains(p.stems, n.before[0]),
			len(n.before) > 1 && n.before[0] == "of" && slices.Contains(p.stems, n.before[1]):
			found = append(found, json.Number(n.text))
		case anyOf(p.stems, "limit", "count", "top", "n") && asksForSome(n):
			found = append(found, json.Number(n.text))
		case anyOf(p.stems, "amount", "price", "total", "balance") && anyOf([]string{n.unit}, "euro", "eur", "dollar", "usd", "pound", "gbp"):
			found = append(found, json.Number(n.text))
		}
	}
	return found
}

// asksForSome: "the top 5", "first 10", "5 results".
func asksForSome(n number) bool {
	return len(n.before) > 0 && anyOf(n.before[:1], "top", "first", "last", "latest", "newest", "oldest", "limit") ||
		anyOf([]string{n.unit}, "result", "row", "item", "entry", "hit")
}

// sameDirection keeps "over 30" out of max_days.
func sameDirection(name, before []string) bool {
	upward := anyOf(before, "over", "above", "older", "least", "exceed", "min") || len(before) > 1 && before[0] == "than" && anyOf(before[1:2], "more", "greater", "longer")
	downward := anyOf(before, "under", "below", "most", "within", "max") || len(before) > 1 && before[0] == "than" && anyOf(before[1:2], "less", "fewer", "younger")
	return !(upward && anyOf(name, "max", "before", "under", "younger", "most")) &&
		!(downward && anyOf(name, "min", "over", "older", "greater", "least"))
}

// converted brings a length of time to the unit in a parameter's name, if that
// gives a whole number, or returns "".
func converted(n number, name []string) string {
	have := hours(n.unit)
	if have == 0 {
		return ""
	}
	count, err := strconv.ParseFloat(n.text, 64)
	if err != nil {
		return ""
	}
	for _, s := range name {
		if want := hours(s); want > 0 {
			if scaled := count * have / want; scaled == math.Trunc(scaled) && math.Abs(scaled) < 1e9 {
				return strconv.FormatFloat(scaled, 'f', -1, 64)
			}
		}
	}
	return ""
}

func sameColumn(f *filler, p *param) []any {
	if f.row == nil {
		return nil
	}
	for i, words := range f.row.words {
		if slices.Equal(words, p.stems) && f.row.cells[i] != nil {
			return []any{f.row.cells[i]}
		}
	}
	return nil
}

// relatedColumn finds the column that is for the same thing: to in
// contact_email, invoice_id in number.
func relatedColumn(f *filler, p *param) []any {
	if f.row == nil {
		return nil
	}
	if wantsAddress(p) {
		if address := f.row.address(); address != "" {
			return []any{address}
		}
		return nil
	}
	if wantsProse(p) {
		return nil // a letter says more than a cell
	}
	var found []any
	for i, words := range f.row.words {
		if shares(words, p.stems) && scalar(f.row.cells[i]) {
			found = append(found, f.row.cells[i])
		}
	}
	if _, text, ok := f.row.cell(related(p.stems)...); ok {
		found = append(found, text)
	}
	return found
}

func patternedValue(f *filler, p *param) []any {
	if p.shape.pattern == nil {
		return nil
	}
	var found []any
	for _, field := range strings.Fields(clip(f.wish.text, 1<<14)) {
		field = strings.Trim(field, `"'“”.,;:!?()`)
		if m := p.shape.pattern.FindString(field); m == field && len(field) > 1 {
			found = append(found, field)
		}
	}
	return found
}

func wantsAddress(p *param) bool {
	return p.shape.format == "email" || anyOf(p.stems, "to", "email", "mail", "recipient", "cc", "bcc") && !anyOf(p.stems, "subject", "body", "text", "id", "at")
}

func wantsProse(p *param) bool {
	return len(p.stems) > 0 && anyOf(p.stems[len(p.stems)-1:], "subject", "title", "headlin", "body", "text", "message", "content", "html", "markdown", "comment", "note", "description", "summary", "reason")
}

// typedValue takes the values of the kind that the parameter's format or name
// asks for, those not yet used first.
func typedValue(f *filler, p *param) []any {
	var found []string
	switch {
	case wantsAddress(p):
		found = f.wish.emails
	case p.shape.format == "uri", anyOf(p.stems, "url", "uri", "link", "href", "website"):
		found = f.wish.links
	case p.shape.format == "date", p.shape.format == "date-time", anyOf(p.stems, "date", "since", "until", "from", "before", "after", "day"):
		found = f.days(p)
	case anyOf(p.stems, "timezone", "tz", "zone"):
		found = append(slices.Clone(f.wish.zones), f.zones(p)...)
	case anyOf(p.stems, "expression", "expr", "formula"):
		found = f.wish.sums
	case anyOf(p.stems, "id", "number", "key", "code", "reference", "invoice", "ticket", "order", "issue"):
		found = f.wish.codes
		for _, c := range found {
			found = append(found[:len(found):len(found)], strings.TrimPrefix(c, "#"))
		}
	}
	if wantsAddress(p) && len(found) > 1 { // a mail to all, if the schema takes several
		all := make([]any, len(found))
		for i := range found {
			all[i] = found[i]
		}
		return append([]any{all}, f.unusedFirst(found)...)
	}
	return f.unusedFirst(found)
}

// tellingValue is typedValue for what need not be filled: an address would be a
// second recipient, and is left out.
func tellingValue(f *filler, p *param) []any {
	if wantsAddress(p) || anyOf(p.stems, "expression", "expr", "formula") {
		return nil
	}
	found := typedValue(f, p)
	return slices.DeleteFunc(found, func(v any) bool { return f.used[plain(v)] })
}

// maxCities bounds how many names of a text are looked up as time zones.
const maxCities = 4

// zones finds the time zones of the cities in a text: Asia/Tokyo for Tokyo.
func (f *filler) zones(p *param) []string {
	var found []string
	names := properName(f, &param{name: p.name, stems: p.stems, shape: &shape{longest: -1}})
	for _, name := range names[:min(len(names), maxCities)] {
		city := strings.ReplaceAll(plain(name), " ", "_")
		for _, region := range []string{"Europe", "Asia", "America", "Africa", "Australia", "Pacific", "Atlantic"} {
			if zone, err := time.LoadLocation(region + "/" + city); err == nil {
				found = append(found, zone.String())
				break
			}
		}
	}
	return found
}

// days chooses among the text's dates by the word before them.
func (f *filler) days(p *param) []string {
	var sure, rest []string
	for _, d := range f.wish.dates {
		day := d.day
		if p.shape.format == "date-time" {
			day += "T00:00:00Z"
		}
		starts := anyOf(p.stems, "from", "since", "start", "after", "begin")
		ends := anyOf(p.stems, "until", "to", "end", "before", "by", "due")
		switch {
		case starts && anyOf([]string{d.before}, "from", "since", "after", "between"), ends && anyOf([]string{d.before}, "until", "to", "before", "by", "and"):
			sure = append(sure, day)
		case !starts && !ends || !anyOf([]string{d.before}, "from", "since", "after", "between", "until", "to", "before", "by", "and"):
			rest = append(rest, day)
		}
	}
	return append(sure, rest...)
}

func (f *filler) unusedFirst(values []string) []any {
	var fresh, used []any
	for _, v := range values {
		if f.used[v] {
			used = append(used, v)
		} else {
			fresh = append(fresh, v)
		}
	}
	return append(fresh, used...)
}
