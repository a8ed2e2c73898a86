package engine

import (
	"testing"

	"errand/internal/run"
)

// Pieces of another node's draft may come late, twice and out of order: what they make
// is the draft, or the beginning of it.
func TestSplice(t *testing.T) {
	piece := func(attempt, offset int, after int64, text string) *word {
		return &word{Step: 1, Attempt: attempt, Offset: offset, After: after, Kind: run.TextDelta, Text: text}
	}
	driven := run.Event{Seq: 4, Type: run.RunDriven, Driven: &run.Driven{Epoch: 2}}
	for name, test := range map[string]struct {
		pieces  []*word
		event   int // before which piece a new driver is heard of
		want    string
		missing int
	}{
		"in order":                      {[]*word{piece(1, 0, 2, "one "), piece(1, 4, 2, "two")}, -1, "one two", 0},
		"twice":                         {[]*word{piece(1, 0, 2, "one "), piece(1, 0, 2, "one "), piece(1, 4, 2, "two")}, -1, "one two", 0},
		"overlapping":                   {[]*word{piece(1, 0, 2, "one "), piece(1, 2, 2, "e two")}, -1, "one two", 0},
		"the beginning is lost":         {[]*word{piece(1, 4, 2, "two"), piece(1, 7, 2, "three")}, -1, "", 1},
		"a gap is asked for once":       {[]*word{piece(1, 0, 2, "one "), piece(1, 8, 2, "x"), piece(1, 9, 2, "y"), piece(1, 4, 2, "two ")}, -1, "one two ", 1},
		"another attempt":               {[]*word{piece(1, 0, 2, "one "), piece(2, 0, 4, "uno ")}, -1, "uno ", 0},
		"a late one of the first":       {[]*word{piece(2, 0, 4, "uno "), piece(1, 0, 2, "one "), piece(1, 4, 2, "two")}, -1, "uno ", 0},
		"a driver takes over":           {[]*word{piece(1, 0, 2, "one ")}, 1, "", 0},
		"a late one of a driver before": {[]*word{piece(1, 0, 2, "one "), piece(1, 4, 2, "two")}, 1, "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			f, missing := &feed{last: 3}, 0
			for i := 0; i <= len(test.pieces); i++ {
				if i == test.event {
					f.publish([]run.Event{driven}, false)
				}
				if i < len(test.pieces) && f.splice(test.pieces[i]) {
					missing++
				}
			}
			got := ""
			if f.draft != nil {
				got = string(f.draft.text)
			}
			if got != test.want || missing != test.missing {
				t.Errorf("the draft is %q, and %d times something was missing; want %q, %d", got, missing, test.want, test.missing)
			}
		})
	}
}
