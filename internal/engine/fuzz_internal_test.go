package engine

import (
	"encoding/json"
	"testing"
)

// FuzzWords: what another node says of a draft, in whatever order and however damaged,
// makes a draft that only grows, or none.
func FuzzWords(f *testing.F) {
	for _, seed := range [][2]string{
		{`{"step":1,"attempt":1,"after":2,"kind":"text","text":"one "}`, `{"step":1,"attempt":1,"offset":4,"after":2,"kind":"text","text":"two"}`},
		{`{"step":1,"offset":-1,"text":"x"}`, `{"step":1,"offset":9223372036854775807,"text":"x"}`}, {`{"step":-1,"attempt":-1,"after":-1}`, `{"wanted":true}`},
		{`null`, `[]`}, {`{"step":1,"attempt":1,"offset":-9223372036854775808,"text":"abc","call":-5,"kind":"arguments"}`, `{"text":"é","step":1,"attempt":1,"offset":1}`},
	} {
		f.Add([]byte(seed[0]), []byte(seed[1]))
	}
	f.Fuzz(func(t *testing.T, first, second []byte) {
		heard, length, of := &feed{last: 3}, 0, (*draft)(nil)
		for _, said := range [][]byte{first, second, second, first} {
			var w word
			if json.Unmarshal(said, &w) != nil || w.Wanted {
				continue
			}
			heard.splice(&w)
			switch d := heard.draft; {
			case d == nil:
			case d == of && len(d.text) < length:
				t.Fatalf("%q %q: the draft is shorter than it was", first, second)
			default:
				of, length = d, len(d.text)
			}
		}
	})
}
