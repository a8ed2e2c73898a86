package openai

import (
	"strings"
	"testing"
	"time"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/run"
)

// TestReplyBegunAnew: a driver that takes over asks the model again. What the new
// reply repeats is not told twice, and one with other words ends the stream with an
// error: what was told can't be taken back.
func TestReplyBegunAnew(t *testing.T) {
	delta := func(text string) engine.Update {
		return engine.Update{Delta: &run.Delta{Kind: run.TextDelta, Text: text}, Cursor: engine.Cursor{Step: 1}}
	}
	for name, test := range map[string]struct {
		again []string
		whole string
		want  string // what is told in all
		fails bool
	}{
		"the same words":       {[]string{"It ", "is Paris."}, "It is Paris.", "It is Paris.", false},
		"in other pieces":      {[]string{"It is P", "aris."}, "It is Paris.", "It is Paris.", false},
		"only the whole reply": {nil, "It is Paris.", "It is Paris.", false},
		"other words":          {[]string{"Paris it is."}, "Paris it is.", "It is ", true},
		"other words, whole":   {nil, "Paris it is.", "It is ", true},
	} {
		t.Run(name, func(t *testing.T) {
			teller := &teller{}
			var out wire.Frames
			created := run.Event{Seq: 1, At: time.Now(), Type: run.RunCreated, Created: &run.Created{Spec: run.Spec{Model: "test/big"}}}
			updates := []engine.Update{{Event: &created}, delta("It is "), {Reset: true, Cursor: engine.Cursor{Step: 1}}}
			for _, piece := range test.again {
				updates = append(updates, delta(piece))
			}
			updates = append(updates, engine.Update{Event: &run.Event{Seq: 2, At: time.Now(), Type: run.ModelResponded, Responded: &run.Responded{Step: 1, Reply: run.Reply{Text: test.whole}}}})
			failed := false
			for _, u := range updates {
				if _, err := teller.tell(&out, u); err != nil {
					failed = true
					break
				}
			}
			told := ""
			for line := range strings.Lines(string(out.Bytes())) {
				if _, rest, is := strings.Cut(line, `"content":"`); is {
					piece, _, _ := strings.Cut(rest, `"`)
					told += piece
				}
			}
			if told != test.want || failed != test.fails {
				t.Errorf("told %q, failed %t", told, failed)
			}
		})
	}
}
