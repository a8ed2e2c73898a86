package anthropic

import (
	"fmt"
	"math"
	"strings"

	sdk "github.com/anthropics/anthropic-sdk-go"

	"errand/internal/model/remote"
	"errand/internal/run"
)

// assembler puts the events of an answer together, and emits what they bring.
type assembler struct {
	emit      func(run.Delta)
	names     remote.Names
	req       *run.Request
	text      strings.Builder
	reasoning strings.Builder
	calls     []*call
	spans     remote.Spans
	blocks    []block       // in their order, for the carry
	at        map[int64]int // the place in blocks of the provider's block with this index
	usage     run.Usage
	finish    string
	stopped   bool // message_stop has come
	size      int
}

// call is one tool call while it comes.
type call struct {
	block     int // in blocks
	id, name  string
	arguments strings.Builder
	whole     string // the arguments, if they came at once instead of in pieces
}

func newAssembler(emit func(run.Delta), names remote.Names, req *run.Request) *assembler {
	return &assembler{emit: emit, names: names, req: req, at: map[int64]int{}}
}

// add takes one event. Kinds that are not known are passed over, as the API's
// documents ask of every client.
func (a *assembler) add(e *sdk.MessageStreamEventUnion) error {
	switch e.Type {
	case "message_start":
		u := e.Message.Usage
		a.count(u.InputTokens, u.CacheReadInputTokens, u.CacheCreationInputTokens)
		a.usage.Output, a.usage.Reasoning = tokens(u.OutputTokens), tokens(u.OutputTokensDetails.ThinkingTokens)
	case "content_block_start":
		return a.begin(e)
	case "content_block_delta":
		a.piece(e)
	case "message_delta":
		a.delta(e)
	case "message_stop":
		a.stopped = true
	}
	if a.size > remote.MaxReply {
		return remote.Garbled("it is too long")
	}
	return nil
}

// count books the input. The API counts what it read from and wrote to its cache
// apart from the rest.
func (a *assembler) count(fresh, read, written int64) {
	if all := tokens(fresh) + tokens(read) + tokens(written); all > 0 {
		a.usage.Input, a.usage.Cached, a.usage.Written = all, tokens(read), tokens(written)
	}
}

// tokens is a count as the provider says it, or 0 for one that no call can have.
func tokens(count int64) int {
	if count < 0 || count > math.MaxInt32 {
		return 0
	}
	return int(count)
}

func (a *assembler) delta(e *sdk.MessageStreamEventUnion) {
	u := e.Usage // cumulative; what is not said again is zero
	a.count(u.InputTokens, u.CacheReadInputTokens, u.CacheCreationInputTokens)
	a.usage.Output = max(a.usage.Output, tokens(u.OutputTokens))
	a.usage.Reasoning = max(a.usage.Reasoning, tokens(u.OutputTokensDetails.ThinkingTokens))
	if e.Delta.StopReason != "" {
		a.finish = string(e.Delta.StopReason)
	}
}

// begin takes the beginning of a block, which may bring some of it.
func (a *assembler) begin(e *sdk.MessageStreamEventUnion) error {
	a.complete() // whatever came before was not cut
	b := &e.ContentBlock
	var made block
	switch b.Type {
	case "text":
		made.Kind = textBlock
	case "thinking":
		made.Kind = thinkingBlock
	case "redacted_thinking":
		made.Kind, made.Data = redactedBlock, b.Data
		a.size += len(b.Data)
	case "tool_use":
		made.Kind = callBlock
	default:
		return nil
	}
	place := len(a.blocks)
	a.at[e.Index] = place
	a.blocks = append(a.blocks, made)
	switch made.Kind {
	case textBlock:
		a.say(place, run.TextDelta, &a.text, b.Text)
	case thinkingBlock:
		a.say(place, run.ReasoningDelta, &a.reasoning, b.Thinking)
		a.sign(place, b.Signature)
	case callBlock:
		if len(a.calls) == remote.MaxCalls {
			return remote.Garbled("it calls more tools than can be")
		}
		name := strings.ToValidUTF8(b.Name, "\uFFFD")
		a.calls = append(a.calls, &call{block: place, id: a.unique(b.ID), name: name, whole: b.JSON.Input.Raw()})
		a.size += len(name)
		a.emit(run.Delta{Kind: run.CallDelta, Call: len(a.calls) - 1, Name: a.names.Own(name)})
	}
	return nil
}

// piece takes a piece of a block.
func (a *assembler) piece(e *sdk.MessageStreamEventUnion) {
	place, known := a.at[e.Index]
	if !known {
		return
	}
	switch d := &e.Delta; d.Type {
	case "text_delta":
		a.say(place, run.TextDelta, &a.text, d.Text)
	case "thinking_delta":
		a.say(place, run.ReasoningDelta, &a.reasoning, d.Thinking)
	case "signature_delta":
		a.sign(place, d.Signature)
	case "input_json_delta":
		for i, c := range a.calls {
			if c.block == place {
				a.argue(i, d.PartialJSON)
			}
		}
	}
}

// say adds to the text or to the reasoning.
func (a *assembler) say(place int, kind run.DeltaKind, to *strings.Builder, piece string) {
	if piece = strings.ToValidUTF8(piece, "\uFFFD"); piece == "" {
		return
	}
	to.WriteString(piece)
	a.blocks[place].Bytes += len(piece)
	a.account(run.Span{Kind: kind, Bytes: len(piece)})
	a.emit(run.Delta{Kind: kind, Text: piece})
}

func (a *assembler) sign(place int, piece string) {
	a.blocks[place].Signature += piece
	a.size += len(piece)
}

// argue adds to the arguments of a call.
func (a *assembler) argue(position int, piece string) {
	if piece = strings.ToValidUTF8(piece, "\uFFFD"); piece == "" {
		return
	}
	a.calls[position].arguments.WriteString(piece)
	a.account(run.Span{Kind: run.CallDelta, Call: position, Bytes: len(piece)})
	a.emit(run.Delta{Kind: run.CallDelta, Call: position, Text: piece})
}

func (a *assembler) account(span run.Span) {
	a.size += span.Bytes
	a.spans.Add(span)
}

// complete gives the latest call its arguments if none came in pieces: those that
// came with its beginning, or none at all, which is an empty object.
func (a *assembler) complete() {
	last := len(a.calls) - 1
	if last < 0 || a.calls[last].arguments.Len() > 0 {
		return
	}
	whole := a.calls[last].whole
	if whole == "" || whole == "null" {
		whole = "{}"
	}
	a.argue(last, whole)
}

// unique keeps the provider's id unless it is empty or an earlier call has it.
func (a *assembler) unique(id string) string {
	id = strings.ToValidUTF8(id, "\uFFFD")
	for _, c := range a.calls {
		if c.id == id {
			id = ""
		}
	}
	if id == "" {
		return fmt.Sprintf("toolu_%02d_%03d", a.req.Step, len(a.calls)+1)
	}
	return id
}

// end completes the reply, or says that it is not complete. A call that the
// provider cut before its arguments stays without, and so unusable.
func (a *assembler) end() error {
	if a.finish == "" {
		return remote.Garbled("it ended before it was complete")
	}
	if finishOf(a.finish) != "length" && finishOf(a.finish) != "content_filter" {
		a.complete()
	}
	return nil
}

// reply returns what has come.
func (a *assembler) reply() run.Reply {
	reply := run.Reply{
		Text: a.text.String(), Reasoning: a.reasoning.String(), Usage: a.usage,
		Spans: a.spans.Told(), Finish: finishOf(a.finish), Carry: carried(a.req.Model, a.blocks),
	}
	for _, c := range a.calls {
		reply.Calls = append(reply.Calls, run.Call{ID: c.id, Name: a.names.Own(c.name), Arguments: c.arguments.String()})
	}
	if len(reply.Calls) > 0 && reply.Finish == "stop" {
		reply.Finish = "tool_calls"
	}
	return reply
}

// finishOf puts the API's words for why a reply ended into our four.
func finishOf(word string) string {
	switch word {
	case "max_tokens", "model_context_window_exceeded":
		return "length"
	case "refusal":
		return "content_filter"
	case "tool_use":
		return "tool_calls"
	}
	return "stop"
}
