package audit

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"errand/internal/problem"
	"errand/internal/run"
)

// FuzzHead holds a noted head to its written form: what is read is what would be
// written, or the problem names the field.
func FuzzHead(f *testing.F) {
	for _, seed := range []string{
		"", "41:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "0:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "-1:", "+41:9F86D081884C7D659A2FEAA0C55AD015A3BF4F1B2B0B822CD15D6C15B0F00A08",
		"41", "41:", "41:9f86", "9223372036854775808:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", "041:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08", ":", "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		head, err := ParseHead(text)
		var told *problem.Error
		switch {
		case err != nil:
			if !errors.As(err, &told) || told.Code != problem.InvalidRequest || told.Fields["head"] == "" || head != (Head{}) {
				t.Errorf("%q: %+v, %v", text, head, err)
			}
		case text == "":
			if head != (Head{}) {
				t.Errorf("nothing is %v", head)
			}
		default:
			if again, err := ParseHead(head.String()); err != nil || again != head || head.Seq < 1 {
				t.Errorf("%q is %v, which is %v, %v", text, head, again, err)
			}
		}
	})
}

// FuzzChain gives the verifier logs that were tampered with: what was changed, taken
// out, swapped or cut off is found, and what is as it was written is not complained of.
func FuzzChain(f *testing.F) {
	f.Add(uint8(5), []byte{0, 0, 0}, "")
	f.Add(uint8(5), []byte{1, 2, 0}, "run.approved")
	f.Add(uint8(9), []byte{2, 8, 0}, "")
	f.Add(uint8(9), []byte{3, 3, 7}, "")
	f.Add(uint8(200), []byte{4, 100, 0}, "x")
	chain := func(before [32]byte, line *run.Audit) [32]byte {
		return sha256.Sum256(fmt.Appendf(nil, "%x %d %s %s", before, line.Seq, line.Action, line.Target))
	}
	f.Fuzz(func(t *testing.T, size uint8, what []byte, text string) {
		if len(what) != 3 {
			t.Skip()
		}
		how, at, with := what[0], what[1], what[2]
		lines := make([]run.Audit, int(size)+1)
		var before [32]byte
		for i := range lines {
			lines[i] = run.Audit{Seq: int64(i + 1), Action: "key.created", Target: fmt.Sprint("key_", i)}
			before = chain(before, &lines[i])
			lines[i].Hash = before
		}
		known := Head{lines[len(lines)-1].Seq, before}
		place, other := int(at)%len(lines), int(with)%len(lines)
		right := false
		switch how % 6 {
		case 1: // a line says something else
			right = lines[place].Action == text
			lines[place].Action = text
		case 2: // a line is gone
			lines = append(lines[:place], lines[place+1:]...)
		case 3: // two have changed places
			lines[place], lines[other] = lines[other], lines[place]
			right = place == other
		case 4: // a line and all behind it were written anew
			lines[place].Target = "key_other"
			for i := place; i < len(lines); i++ {
				last := [32]byte{}
				if i > 0 {
					last = lines[i-1].Hash
				}
				lines[i].Hash = chain(last, &lines[i])
			}
		case 5: // the end was cut off
			lines = lines[:place]
		default:
			right = true
		}
		v := Verifier{Chain: chain, Known: known}
		for i := range lines {
			if !v.Take(&lines[i]) {
				break
			}
		}
		verdict := v.Verdict()
		if (verdict.Wrong == nil) != right || right && verdict.Head != known || verdict.Lines > known.Seq {
			t.Errorf("%d lines, %d at %d with %d: %+v", int(size)+1, how%6, place, other, verdict)
		}
	})
}
