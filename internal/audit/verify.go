package audit

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"errand/internal/problem"
	"errand/internal/run"
)

// Head names a line by its number and its hash, which stands for all lines up to it.
type Head struct {
	Seq  int64
	Hash [32]byte
}

// String is the head's written form, 41:9f86d0….
func (h Head) String() string { return fmt.Sprintf("%d:%x", h.Seq, h.Hash) }

// ParseHead reads what String writes; empty text is the zero Head.
func ParseHead(text string) (h Head, err error) {
	if text == "" {
		return h, nil
	}
	seq, hash, _ := strings.Cut(text, ":")
	h.Seq, err = strconv.ParseInt(seq, 10, 64)
	raw, bad := hex.DecodeString(hash)
	if err != nil || bad != nil || h.Seq < 1 || len(raw) != len(h.Hash) {
		return Head{}, problem.Invalid("head", "must be the head that an earlier verification told, such as 41:9f86d081….")
	}
	copy(h.Hash[:], raw)
	return h, nil
}

// Verdict is what looking through the log has shown.
type Verdict struct {
	Lines int64  // that are right, from the first on
	Head  Head   // the last of them
	Wrong *Wrong // the first that is not; nil = all are
}

// Wrong is a line that is not what was written.
type Wrong struct {
	Seq int64
	Why string
}

// Chain is the hash of a line whose predecessor's hash is given: zeros for the first.
type Chain func(before [32]byte, line *run.Audit) [32]byte

// Verifier looks through a log, line by line from the first.
//
// The chain shows every change in the middle. That lines are missing at the end, or
// that someone has written the whole log anew, shows only against a head that was
// noted elsewhere: that is what Known is for.
type Verifier struct {
	Chain   Chain
	Known   Head // zero = none
	verdict Verdict
}

// Take looks at the next line and reports whether going on makes sense.
func (v *Verifier) Take(line *run.Audit) bool {
	if v.verdict.Wrong != nil {
		return false
	}
	last := &v.verdict.Head
	switch expect := last.Seq + 1; {
	case line.Seq != expect:
		v.wrong(expect, "line %d is missing: the next one is %d", expect, line.Seq)
		return false
	case line.Hash != v.Chain(last.Hash, line):
		v.wrong(line.Seq, "line %d is not what was written: its hash does not fit it and the line before", line.Seq)
		return false
	case line.Seq == v.Known.Seq && line.Hash != v.Known.Hash:
		v.wrong(line.Seq, "line %d is not the one that was noted: the log has been written anew", line.Seq)
		return false
	}
	*last = Head{line.Seq, line.Hash}
	v.verdict.Lines++
	return true
}

// Verdict is for after the last line.
func (v *Verifier) Verdict() Verdict {
	if end := v.verdict.Head.Seq; v.verdict.Wrong == nil && end < v.Known.Seq {
		v.wrong(end+1, "the log ends at line %d, and line %d was noted: what came after is missing", end, v.Known.Seq)
	}
	return v.verdict
}

func (v *Verifier) wrong(seq int64, why string, args ...any) {
	v.verdict.Wrong = &Wrong{seq, fmt.Sprintf(why, args...)}
}
