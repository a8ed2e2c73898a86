package engine

import (
	"unicode/utf8"

	"errand/internal/run"
)

// draft is a reply as it is being written: all its bytes in the order in which
// they came, and what each stretch of them is. Offsets into it are what SSE ids
// of deltas carry.
type draft struct {
	step, attempt int
	after         int64 // the log's seq when the call began; 0 until that is on disk
	text          []byte
	spans         []stretch
	called        bool // the model has asked for a tool
	shown         bool // a reader has seen some of it
}

// stretch is a run of bytes of one part of the reply, up to the offset end.
type stretch struct {
	kind run.DeltaKind
	call int
	name string
	end  int
}

// write adds a delta.
func (d *draft) write(delta run.Delta) {
	d.called = d.called || delta.Kind == run.CallDelta
	if delta.Text == "" && delta.Name == "" {
		return
	}
	d.text = append(d.text, delta.Text...)
	if n := len(d.spans); n > 0 && delta.Name == "" && d.spans[n-1].kind == delta.Kind && d.spans[n-1].call == delta.Call {
		d.spans[n-1].end = len(d.text)
		return
	}
	d.spans = append(d.spans, stretch{kind: delta.Kind, call: delta.Call, name: delta.Name, end: len(d.text)})
}

// replay makes the draft of a reply that is complete, from its stored form.
func replay(r *run.Responded) *draft {
	d := &draft{step: r.Step, attempt: r.Attempt}
	reply := &r.Reply
	if len(reply.Spans) == 0 {
		d.write(run.Delta{Kind: run.ReasoningDelta, Text: reply.Reasoning})
		d.write(run.Delta{Kind: run.TextDelta, Text: reply.Text})
		for i, call := range reply.Calls {
			d.write(run.Delta{Kind: run.CallDelta, Call: i, Name: call.Name, Text: call.Arguments})
		}
		return d
	}
	reasoning, text := reply.Reasoning, reply.Text
	arguments := make([]string, len(reply.Calls))
	named := make([]bool, len(reply.Calls))
	for i := range reply.Calls {
		arguments[i] = reply.Calls[i].Arguments
	}
	take := func(from *string, n int) string {
		n = min(max(n, 0), len(*from))
		piece := (*from)[:n]
		*from = (*from)[n:]
		return piece
	}
	for _, span := range reply.Spans {
		switch {
		case span.Kind == run.ReasoningDelta:
			d.write(run.Delta{Kind: span.Kind, Text: take(&reasoning, span.Bytes)})
		case span.Kind == run.TextDelta:
			d.write(run.Delta{Kind: span.Kind, Text: take(&text, span.Bytes)})
		case span.Call >= 0 && span.Call < len(arguments):
			delta := run.Delta{Kind: run.CallDelta, Call: span.Call, Text: take(&arguments[span.Call], span.Bytes)}
			if !named[span.Call] {
				delta.Name, named[span.Call] = reply.Calls[span.Call].Name, true
			}
			d.write(delta)
		}
	}
	return d
}

// maxPiece is how many bytes of a reply one delta brings at the most, so that a
// reader who does not read holds no more than that.
const maxPiece = 4 << 10

// next returns the delta that lies behind the offset, if there is one. It is of
// one stretch. The name of a call comes with the first byte of its arguments, so
// that an offset says whether it has been told. An offset in the middle of a
// character, which no frame of ours had, moves to its start.
func (d *draft) next(offset int) (Update, bool) { return d.piece(offset, maxPiece) }

// piece is next, of so many bytes at the most.
func (d *draft) piece(offset, most int) (Update, bool) {
	offset = d.boundary(offset)
	begin := 0
	for i := range d.spans {
		span := &d.spans[i]
		if from := max(begin, offset); span.end > from {
			end := d.boundary(min(span.end, from+most))
			delta := &run.Delta{Kind: span.kind, Call: span.call, Text: string(d.text[from:end])}
			if begin >= offset {
				delta.Name = span.name
			}
			return Update{Delta: delta, Cursor: Cursor{Step: d.step, Attempt: d.attempt, Offset: end}}, true
		}
		begin = span.end
	}
	return Update{}, false
}

// boundary moves an offset to the start of the character that it is in.
func (d *draft) boundary(offset int) int {
	offset = min(max(offset, 0), len(d.text))
	for offset > 0 && offset < len(d.text) && !utf8.RuneStart(d.text[offset]) {
		offset--
	}
	return offset
}

// is reports whether this is the whole of a stored reply.
func (d *draft) is(r *run.Responded) bool {
	size := len(r.Reply.Reasoning) + len(r.Reply.Text)
	for i := range r.Reply.Calls {
		size += len(r.Reply.Calls[i].Arguments)
	}
	return d.step == r.Step && d.attempt == r.Attempt && len(d.text) == size
}
