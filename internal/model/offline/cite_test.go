package offline_test

import (
	"encoding/json"
	"strings"
	"testing"

	"errand/internal/run"
)

var searching = run.Tool{
	Name: "web.search", Class: run.Safe, Cites: true, Description: "Searches the web.",
	Parameters: json.RawMessage(`{"type":"object","properties":{"query":{"type":"string","minLength":1},"count":{"type":"integer","minimum":1,"maximum":20}},"required":["query"],"additionalProperties":false}`),
}

// A question that fits no other tool is looked up, and the answer cites what was
// found, numbered over all searches.
func TestSearchesAreCited(t *testing.T) {
	k := newTalk(t, "", "What is the fee for an overdue invoice?", searching)
	reply := k.reply()
	if len(reply.Calls) != 1 || reply.Calls[0].Name != "web.search" || !strings.Contains(reply.Calls[0].Arguments, "overdue invoice") {
		t.Fatalf("%+v", reply)
	}
	k.result(reply.Calls[0], `{"query":"fee overdue invoice","provider":"index","results":[
		{"title":"Fees","url":"index://docs/fees.md","snippet":"We like tea. A fee of 40 euro is due for each overdue invoice. So it is."},
		{"title":"Nothing said","url":"https://example.com/a?x=1&y=2"}],"note":"From the index."}`)
	reply = k.reply()
	for _, want := range []string{"A fee of 40 euro is due for each overdue invoice.", "[[1]](index://docs/fees.md)", "- Nothing said [[2]](https://example.com/a?x=1&y=2)", "From the index.", "(index)", "not by a language model"} {
		if !strings.Contains(reply.Text, want) {
			t.Errorf("the answer lacks %q:\n%s", want, reply.Text)
		}
	}
}

func TestNothingFoundIsSaid(t *testing.T) {
	k := newTalk(t, "", "Search for zebras.", searching)
	reply := k.reply()
	k.result(reply.Calls[0], `{"query":"zebras","provider":"index","results":[],"note":"Nothing was found. Only the index was searched."}`)
	if reply = k.reply(); !strings.Contains(reply.Text, `A search for "zebras" found nothing. Only the index was searched.`) || strings.Contains(reply.Text, "[[") {
		t.Error(reply.Text)
	}
}
