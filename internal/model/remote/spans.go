package remote

import "errand/internal/run"

// Spans notes the order in which the parts of a reply come.
type Spans []run.Span

// Add notes that some bytes of a part have come.
func (s *Spans) Add(span run.Span) {
	if last := len(*s) - 1; last >= 0 && (*s)[last].Kind == span.Kind && (*s)[last].Call == span.Call {
		(*s)[last].Bytes += span.Bytes
		return
	}
	*s = append(*s, span)
}

// Told is what a reply says of its order: nothing when the parts came one after
// the other, reasoning, text, then the calls.
func (s Spans) Told() []run.Span {
	rank := -1
	for _, span := range s {
		next := 0
		switch span.Kind {
		case run.TextDelta:
			next = 1
		case run.CallDelta:
			next = 2 + span.Call
		}
		if next < rank {
			return s
		}
		rank = next
	}
	return nil
}
