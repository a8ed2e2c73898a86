package run

import (
	"strings"
	"testing"
)

// searched is a run whose searches found the addresses; none = they failed.
func searched(urls ...string) *State {
	s := &State{Spec: Spec{Tools: []Tool{{Name: "web.search", Cites: true}}}}
	output := `{"query":"q","provider":"p","results":[`
	for i, url := range urls {
		if i > 0 {
			output += ","
		}
		output += `{"title":"t","url":"` + url + `"}`
	}
	s.Turns = []Turn{{Actions: []Action{{
		Tool: s.Spec.Tools[0], Stage: FinishedStage, Outcome: OK, Output: output + "]}",
	}}}}
	return s
}

func TestCitations(t *testing.T) {
	const wiki = "https://en.wikipedia.org/wiki/Go_(language)"
	for text, want := range map[string]string{
		"Plain text.":                              "Plain text.",
		"Paris [[1]](https://a.example/x).":        "Paris [[1]](https://a.example/x).",
		"Paris [[2]](https://evil.example/).":      "Paris.",
		"Paris[[2]](https://evil.example/) is.":    "Paris is.",
		"A [[1]](https://a.example/xx) B":          "A B",
		"Go [[3]](" + wiki + ").":                  "Go [[3]](" + wiki + ").",
		"[[[1]](https://evil.example) x":           "[ x",
		"[[1]](https://a.example/x \"title\") x":   "[[1]](https://a.example/x \"title\") x",
		"[[1]](https://evil.example \"title\") x":  " x",
		"[[1]] alone, [[x]](y), [1](z), [[ and [":  "[[1]] alone, [[x]](y), [1](z), [[ and [",
		"ends in [[1]](https://a.exam":             "ends in [[1]](https://a.exam",
		"two [[1]](https://a.example/x)[[2]](b) z": "two [[1]](https://a.example/x) z",
		"line [[1]](https://\nbroken)":             "line [[1]](https://\nbroken)",
		"trailing   ":                              "trailing   ",
		"many   [[2]](https://evil.example/) gaps": "many   gaps",
		"no [[1234567890]](https://evil.example/)": "no",
	} {
		s := searched("https://a.example/x", wiki)
		for size := 1; size <= len(text); size++ {
			c := s.Cited()
			var got strings.Builder
			for rest := text; rest != ""; {
				n := min(size, len(rest))
				got.WriteString(c.Write(rest[:n]))
				rest = rest[n:]
			}
			got.WriteString(c.Close())
			if got.String() != want {
				t.Errorf("%q in pieces of %d becomes %q, want %q", text, size, got.String(), want)
				break
			}
		}
	}
}

// Whatever a model goes on saying, little of it is held back: what is held is
// looked at again with each piece.
func TestCitationsHoldLittle(t *testing.T) {
	for _, endless := range []string{" ", "[", "[[", "1", "[[1]]("} {
		c := searched("https://a.example/x").Cited()
		c.Write("[[")
		for range 20_000 {
			c.Write(endless)
		}
		if held := len(c.held); held > 2*longestCitation {
			t.Errorf("of endless %q %d bytes are held", endless, held)
		}
	}
}

func TestCitationsShowWhatIsCertain(t *testing.T) {
	c := searched("https://a.example/x").Cited()
	if got := c.Write("All of this is certain"); got != "All of this is certain" {
		t.Errorf("held back: only %q is shown", got)
	}
	if got := c.Write(strings.Repeat(" [[1]](", 1) + strings.Repeat("x", 2*longestCitation)); len(got) < longestCitation {
		t.Error("an endless address holds back the rest for ever")
	}
}

func TestNote(t *testing.T) {
	answer, asks := &Reply{Text: "x"}, &Reply{Calls: []Call{{}}}
	barren := searched()
	if c := barren.Cited(); !strings.Contains(c.Note(answer), "found nothing") || c.Note(asks) != "" {
		t.Errorf("after a search that found nothing: %q, %q", c.Note(answer), c.Note(asks))
	}
	if note := searched("https://a.example").Cited().Note(answer); note != "" {
		t.Errorf("after a search that found something: %q", note)
	}
	unsearched := searched()
	unsearched.Turns = nil
	if note := unsearched.Cited().Note(answer); note != "" {
		t.Errorf("without a search: %q", note)
	}
	refused := searched()
	refused.Turns[0].Actions[0].Refused = "no"
	if note := refused.Cited().Note(answer); note != "" {
		t.Errorf("after a refused search: %q", note)
	}
	structured := searched()
	structured.Spec.Output = []byte(`{}`)
	if structured.Cited() != nil {
		t.Error("a JSON answer is sifted")
	}
	if (&State{}).Cited() != nil {
		t.Error("a run without a citing tool is sifted")
	}
}
