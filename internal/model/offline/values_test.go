package offline

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFormsOfAWordMeet(t *testing.T) {
	for _, forms := range [][]string{
		{"invoice", "invoices", "Invoice's"}, {"chase", "chasing", "chased", "chases"}, {"e-mail", "email", "E-mails"},
		{"day", "days"}, {"company", "companies"}, {"plan", "planning", "planned"}, {"address", "addresses"}, {"search", "searches", "searching"},
	} {
		want := split(forms[0])[0].stem
		for _, form := range forms {
			if got := split(form); len(got) != 1 || got[0].stem != want {
				t.Errorf("%q is %v, want %q as for %q", form, got, want, forms[0])
			}
		}
	}
	if stem("note") == stem("not") && !negates(split("not"), 0) || negates(split("note"), 0) {
		t.Error("a note negates, or not does not")
	}
}

func TestIdentifiersComeApart(t *testing.T) {
	for _, name := range []string{"older_than_days", "olderThanDays", "older-than.days", "Older than days"} {
		if diff := cmp.Diff([]string{"older", "than", "day"}, stems(name)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestValuesOfAText(t *testing.T) {
	e := newEvidence(`On 3 March 2026 and since 2026-01-31 (not 2026-02-30) bob@example.com paid 1,200.50 EUR for INV-7 at https://shop.example/a?b=1. “Thanks” says he, in Europe/Berlin, for 3 * (4 + 5).`)
	var days, quotes, numbers []string
	for _, d := range e.dates {
		days = append(days, d.before+" "+d.day)
	}
	for _, q := range e.quotes {
		quotes = append(quotes, q.text)
	}
	for _, n := range e.numbers[:1] {
		numbers = append(numbers, n.text+" "+n.unit)
	}
	got := map[string][]string{"days": days, "mails": e.emails, "numbers": numbers, "codes": e.codes, "links": e.links, "quotes": quotes, "zones": e.zones, "sums": e.sums}
	want := map[string][]string{
		"days": {"sinc 2026-01-31", "on 2026-03-03"}, "mails": {"bob@example.com"}, "numbers": {"1200.50 eur"}, "codes": {"INV-7"},
		"links": {"https://shop.example/a?b=1"}, "quotes": {"Thanks"}, "zones": {"Europe/Berlin"}, "sums": {"3 * (4 + 5)"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestHowManyThingsATaskSpeaksOf(t *testing.T) {
	for text, want := range map[string]int{
		"Chase the three unpaid invoices over 30 days.": 3,
		"Close 2 tickets": 2,
		"Remind each of the five customers, but only two": 2,
		"Only three days":                    0,
		"Invoices over 30 days":              0,
		"Refund over 100 orders":             0,
		"Remind them in 12 months":           0,
		"All invoices of the last two weeks": 0,
	} {
		w := newEvidence(text)
		if got := w.stated(); got != want {
			t.Errorf("%q speaks of %d, want %d", text, got, want)
		}
	}
}

func TestTablesInResults(t *testing.T) {
	for text, want := range map[string][]string{
		`{"columns":["b","a"],"rows":[[1,2],[3,4]],"row_count":2}`: {"b: 1; a: 2", "b: 3; a: 4"},
		`{"columns":["b","a"],"rows":[{"a":1,"b":2}]}`:             {"b: 2; a: 1"},
		`[{"x":"1"},{"y":true}]`:                                   {"x: 1", "y: true"},
		`{"took":3,"results":[{"x":1}]}`:                           {"x: 1"},
		`{"time":"noon","zone":"UTC"}`:                             {"time: noon; zone: UTC"},
		"A line of text\n\n  {\"x\":1}\n":                          {"x: 1"},
		"{\"x\":1}\nand more":                                      nil,
		`prose with {"x":1} in it`:                                 nil,
		`[1,2,3]`:                                                  nil,
		`{"x":`:                                                    nil,
		"":                                                         nil,
	} {
		var got []string
		if table := readTable(text); table != nil {
			for i := range table.rows {
				got = append(got, table.rows[i].line())
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", text, diff)
		}
	}
}

func TestSumsAreExact(t *testing.T) {
	table := readTable(`[{"amount":"0.10"},{"amount":0.2},{"amount":"1,000.005"}]`)
	if name, sum, ok := table.sum("amount"); name != "amount" || sum != "1000.305" || !ok {
		t.Errorf("%s %s %v", name, sum, ok)
	}
}
