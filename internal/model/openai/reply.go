package openai

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// assembler puts the pieces of an answer together, and emits them.
type assembler struct {
	emit      func(run.Delta)
	names     remote.Names
	step      int
	text      part
	reasoning part
	calls     []*call
	spans     remote.Spans
	usage     run.Usage
	finish    string
	size      int // bytes of all parts
}

// call is one tool call while it comes.
type call struct {
	index     int    // the provider's
	wireID    string // the provider's, which may not be unique
	id, name  string
	arguments part
	announced bool   // its name is complete and was emitted
	extra     []byte // see carry.go
}

func newAssembler(emit func(run.Delta), names remote.Names, step int) *assembler {
	return &assembler{emit: emit, names: names, step: step}
}

// add takes one chunk.
func (a *assembler) add(c *chunk) error {
	if c.failure != nil {
		return failedWith(c.failure)
	}
	if c.hasUsage {
		a.usage = c.usage // the latest counts: some servers send them with every chunk
	}
	if len(c.reasoning) > 0 {
		a.put(run.ReasoningDelta, &a.reasoning, c.reasoning)
	}
	if len(c.content) > 0 {
		a.put(run.TextDelta, &a.text, c.content)
	}
	if len(c.refusal) > 0 { // the model's own words for no
		a.put(run.TextDelta, &a.text, c.refusal)
	}
	for i := range c.calls {
		if err := a.piece(&c.calls[i]); err != nil {
			return err
		}
	}
	if len(c.finish) > 0 && a.finish == "" {
		a.finish = string(c.finish)
	}
	if a.size > remote.MaxReply {
		return remote.Garbled("it is too long")
	}
	return nil
}

// put adds bytes to the text or to the reasoning.
func (a *assembler) put(kind run.DeltaKind, to *part, piece []byte) {
	a.announceAll()
	if added := to.take(piece); added != "" {
		a.account(run.Span{Kind: kind, Bytes: len(added)})
		a.emit(run.Delta{Kind: kind, Text: added})
	}
}

func (a *assembler) account(span run.Span) {
	a.size += span.Bytes
	a.spans.Add(span)
}

// piece adds a piece of a call.
func (a *assembler) piece(p *callPiece) error {
	position := a.find(p)
	if position == len(a.calls) {
		if position == remote.MaxCalls {
			return remote.Garbled("it calls more tools than can be")
		}
		a.calls = append(a.calls, &call{index: p.index})
	}
	to := a.calls[position]
	if to.wireID == "" && len(p.id) > 0 {
		to.wireID = valid(p.id)
		to.id = a.unique(to.wireID)
	}
	if name := valid(p.name); !to.announced && name != to.name { // some repeat the name, some send it in pieces
		to.name += name
		a.size += len(name)
	}
	if len(p.extra) > 0 {
		a.size += len(p.extra) - len(to.extra)
		to.extra = append(to.extra[:0], p.extra...)
	}
	if len(p.arguments) > 0 {
		a.argue(position, p.arguments)
	}
	return nil
}

// find tells which call a piece belongs to: its position, or the number of calls
// for a new one. Usually the index says it. Some servers give every call index 0
// but a name and an id of its own, some give no index at all, and some make up a
// new id for each piece of one call.
func (a *assembler) find(p *callPiece) int {
	for i := len(a.calls) - 1; i >= 0; i-- {
		known := a.calls[i]
		if p.hasIndex && known.index != p.index {
			continue
		}
		other := valid(p.id) != known.wireID
		if p.hasIndex {
			other = other && len(p.id) > 0 && known.wireID != ""
		} else {
			other = other || len(p.id) == 0
		}
		if len(p.name) > 0 && other {
			break
		}
		return i
	}
	return len(a.calls)
}

// argue adds bytes to a call's arguments.
func (a *assembler) argue(position int, piece []byte) {
	to := a.calls[position]
	for i, other := range a.calls {
		if i != position {
			a.announce(i, other)
		}
	}
	delta := run.Delta{Kind: run.CallDelta, Call: position, Text: to.arguments.take(piece)}
	if !to.announced {
		to.announced, delta.Name = true, a.names.Own(to.name)
	}
	if delta.Text == "" && delta.Name == "" {
		return
	}
	if delta.Text != "" {
		a.account(run.Span{Kind: run.CallDelta, Call: position, Bytes: len(delta.Text)})
	}
	a.emit(delta)
}

// announceAll emits the names of calls whose arguments have not begun, when
// something else comes.
func (a *assembler) announceAll() {
	for i, c := range a.calls {
		a.announce(i, c)
	}
}

func (a *assembler) announce(position int, c *call) {
	if !c.announced {
		c.announced = true
		a.emit(run.Delta{Kind: run.CallDelta, Call: position, Name: a.names.Own(c.name)})
	}
}

// unique keeps the provider's id unless an earlier call has it. A call that ends
// without an id gets one in end.
func (a *assembler) unique(id string) string {
	for _, c := range a.calls {
		if c.id == id {
			return ""
		}
	}
	return id
}

// end completes the reply, or says that it is not complete: a stream must have
// told why it finished, a whole answer need not.
func (a *assembler) end(whole bool) error {
	if a.finish == "" && !whole {
		return remote.Garbled("it ended before it was complete")
	}
	switch a.finish {
	case "error", "abort", "aborted":
		return remote.Garbled("the provider gave up in the middle of it")
	}
	a.flush(run.ReasoningDelta, &a.reasoning)
	a.flush(run.TextDelta, &a.text)
	for i, c := range a.calls {
		if rest := c.arguments.close(); rest != "" {
			a.account(run.Span{Kind: run.CallDelta, Call: i, Bytes: len(rest)})
			a.emit(run.Delta{Kind: run.CallDelta, Call: i, Text: rest})
		}
		if len(c.arguments.bytes) == 0 && !a.cut() { // how a call without parameters often comes
			a.argue(i, []byte("{}"))
		}
	}
	a.announceAll()
	a.identify()
	return nil
}

// cut reports whether the provider stopped the model in the middle: a call whose
// arguments have not begun then is not one without arguments, and stays unusable.
func (a *assembler) cut() bool {
	word := finishOf(a.finish, 0)
	return word == "length" || word == "content_filter"
}

func (a *assembler) flush(kind run.DeltaKind, p *part) {
	if rest := p.close(); rest != "" {
		a.account(run.Span{Kind: kind, Bytes: len(rest)})
		a.emit(run.Delta{Kind: kind, Text: rest})
	}
}

// identify makes the ids that the provider did not send: nine letters and
// digits, because Mistral takes no others back.
func (a *assembler) identify() {
	for i, c := range a.calls {
		for n := i + 1; c.id == ""; n++ {
			c.id = a.unique(fmt.Sprintf("call%02d%03d", a.step%100, n))
		}
	}
}

// fill puts what has come into a reply.
func (a *assembler) fill(reply *run.Reply) {
	a.identify()
	reply.Text, reply.Reasoning = string(a.text.bytes), string(a.reasoning.bytes)
	reply.Finish, reply.Usage = finishOf(a.finish, len(a.calls)), a.usage
	for _, c := range a.calls {
		reply.Calls = append(reply.Calls, run.Call{ID: c.id, Name: a.names.Own(c.name), Arguments: string(c.arguments.bytes)})
	}
	reply.Spans = a.spans.Told()
	reply.Carry = carried(a.calls)
}

// valid is a text of which no part comes later.
func valid(text []byte) string { return strings.ToValidUTF8(string(text), "\uFFFD") }

// finishOf puts the servers' many words for why a reply ended into our four.
func finishOf(word string, calls int) string {
	switch strings.ToLower(word) {
	case "length", "max_tokens", "model_length":
		return "length"
	case "content_filter", "safety":
		return "content_filter"
	}
	if calls > 0 { // some say stop all the same
		return "tool_calls"
	}
	return "stop"
}

// part is one part of a reply. Its bytes are always whole characters.
type part struct {
	bytes []byte
	held  []byte // the beginning of a character whose rest has not come
}

// take appends the characters that piece completes and returns them.
func (p *part) take(piece []byte) string {
	start := len(p.bytes)
	if len(p.held) == 0 && utf8.Valid(piece) {
		p.bytes = append(p.bytes, piece...)
		return string(p.bytes[start:])
	}
	rest := append(p.held, piece...)
	for len(rest) > 0 {
		r, size := utf8.DecodeRune(rest)
		if r == utf8.RuneError && size == 1 {
			if incomplete(rest) {
				break
			}
			r, size = surrogates(rest)
		}
		p.bytes = utf8.AppendRune(p.bytes, r)
		rest = rest[size:]
	}
	p.held = append([]byte(nil), rest...)
	return string(p.bytes[start:])
}

// close ends the part: the beginning of a character whose rest never came is
// told as the replacement character.
func (p *part) close() string {
	if len(p.held) == 0 {
		return ""
	}
	p.held = nil
	p.bytes = utf8.AppendRune(p.bytes, utf8.RuneError)
	return string(utf8.RuneError)
}

// incomplete reports whether b is only the beginning of a character, be it in
// UTF-8 or as the first half of a surrogate pair.
func incomplete(b []byte) bool {
	return !utf8.FullRune(b) || len(b) == 3 && half(b, 0xA0)
}

// surrogates decodes the pair at the beginning of b, or one byte or half of it
// as the replacement character.
func surrogates(b []byte) (rune, int) {
	switch {
	case half(b, 0xA0) && len(b) >= 6 && half(b[3:], 0xB0):
		high := rune(b[1]&0x0F)<<6 | rune(b[2]&0x3F)
		low := rune(b[4]&0x0F)<<6 | rune(b[5]&0x3F)
		return 0x10000 + high<<10 + low, 6
	case half(b, 0xA0), half(b, 0xB0):
		return utf8.RuneError, 3
	}
	return utf8.RuneError, 1
}

// half reports whether b begins with half of a surrogate pair in three bytes:
// the first half for kind 0xA0, the second for 0xB0.
func half(b []byte, kind byte) bool {
	return len(b) >= 3 && b[0] == 0xED && b[1]&0xF0 == kind && b[2]&0xC0 == 0x80
}
