package engine

import (
	"strconv"
	"strings"

	"errand/internal/problem"
)

// Cursor is a reader's place in a run's stream; its text form is the SSE id.
// Step 0: after the event Seq. Else: inside the reply of Step and Attempt, after
// Offset bytes of it.
type Cursor struct {
	Seq     int64
	Step    int
	Attempt int
	Offset  int
}

// ParseCursor reads a Cursor's text form: "seq" or "seq.step.attempt.offset".
// The empty text is the beginning.
func ParseCursor(text string) (Cursor, error) {
	bad := problem.Invalid("after", "%q is no place in a stream; give the id of the last frame you saw, such as 7 or 7.2.1.120", text)
	if text == "" {
		return Cursor{}, nil
	}
	parts := strings.Split(text, ".")
	if len(parts) != 1 && len(parts) != 4 {
		return Cursor{}, bad
	}
	var numbers [4]int64
	for i, part := range parts {
		n, err := strconv.ParseInt(part, 10, 64)
		if err != nil || n < 0 || n > 1<<53 {
			return Cursor{}, bad
		}
		numbers[i] = n
	}
	return Cursor{Seq: numbers[0], Step: int(numbers[1]), Attempt: int(numbers[2]), Offset: int(numbers[3])}, nil
}

// String is the SSE id.
func (c Cursor) String() string {
	text := strconv.AppendInt(make([]byte, 0, 24), c.Seq, 10)
	if c.Step == 0 {
		return string(text)
	}
	for _, n := range []int{c.Step, c.Attempt, c.Offset} {
		text = strconv.AppendInt(append(text, '.'), int64(n), 10)
	}
	return string(text)
}
