// Package offline is a model that needs no key, no network and no weights. It is
// not a language model and says so in its answers: an ordered table of rules
// chooses tools by matching words, fills their arguments by their JSON schema,
// and answers with what the results say, citing them. It is there so that every
// feature of the product can be tried, tested and demonstrated anywhere.
//
// What the package promises:
//   - The same request gets the same reply.
//   - A call is made only with arguments that satisfy its tool's schema (its
//     Checker has the last word), and never twice in a run, whatever became of
//     the first.
//   - The output of a tool is data. It fills declared parameters and is quoted;
//     words in it never choose a tool.
//   - What it could not do, it says, with the reason.
//   - It hands a goal over only after a consent that is nothing else, to a summary
//     that the person has seen whole.
//
// A tour: rules.go (what it does, in order), host.go and consent.go (settling a
// goal), pipeline.go, tasks.go and steer.go (executing one), required.go (a tool that
// must be called), turn.go (what a request says so far), intent.go (which tools),
// words.go (what counts as the same word), plan.go (one call, or one for each row),
// shape.go, arguments.go, sources.go and fallbacks.go (filling a schema), facts.go
// (values in a text), cite.go (searches), rows.go (tables in results), letter.go
// (subjects and bodies), answer.go and output.go (the end).
//
// To change when something is done, edit the table in rules.go; to teach it a word,
// edit words.go, or consent.txt for ways to say yes; to teach it where a value comes
// from, edit sources.go.
package offline

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/run"
)

// Name is the model's name and its provider's.
const Name = "offline"

// Checker checks a JSON text against a JSON schema.
type Checker interface {
	Validate(schema, value []byte) error
}

// Config has nothing that must be set.
type Config struct {
	// Schemas has the last word on arguments and structured answers. Nil leaves
	// that to whoever makes the calls.
	Schemas Checker
	// Pace is the time between two words of a streamed reply; zero is as fast as
	// they can be sent.
	Pace time.Duration
}

// Model answers by rules. It is safe for concurrent use.
type Model struct {
	cfg   Config
	mind  mind
	rules []rule
}

// mind is what the model knows of words. It never changes after New.
type mind struct {
	lex      *lexicon
	consents *consent
	schemas  Checker
}

// New returns a model that is ready to answer.
func New(cfg Config) *Model {
	return &Model{cfg: cfg, mind: mind{newLexicon(), newConsent(), cfg.Schemas}, rules: rules()}
}

// Reply answers the request and emits the answer word by word; emit may be nil.
// Sampling parameters change nothing, for nothing is sampled; MaxTokens is kept.
// The only error is that of ctx.
func (m *Model) Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error) {
	if err := ctx.Err(); err != nil {
		return run.Reply{}, fmt.Errorf("writing an offline reply: %w", err)
	}
	move := m.decide(newTurn(req, m.mind))
	reply := run.Reply{Model: Name, Text: move.text, Calls: move.calls, Finish: "stop"}
	if len(move.calls) > 0 {
		reply.Finish = "tool_calls"
	}
	shorten(&reply, req.Params.MaxTokens)
	reply.Usage = usage(req, &reply)
	if emit == nil {
		return reply, nil
	}
	if err := m.stream(ctx, &reply, emit); err != nil {
		return run.Reply{}, fmt.Errorf("writing an offline reply: %w", err)
	}
	return reply, nil
}

// decide makes the first rule's move that has one; the last rule always has.
func (m *Model) decide(t *turn) move {
	for _, rule := range m.rules {
		if move, ok := rule.move(t); ok {
			return move
		}
	}
	return move{text: t.disclaimer()}
}

// bytesPerToken is the whole of the counting rule: a token is four bytes, the
// usual length of one in English prose. Nothing is billed by it.
const bytesPerToken = 4

func tokens(bytes int) int { return (bytes + bytesPerToken - 1) / bytesPerToken }

// usage counts what was read and written; it costs nothing.
func usage(req *run.Request, reply *run.Reply) run.Usage {
	in := len(req.Output)
	for i := range req.Messages {
		m := &req.Messages[i]
		in += len(m.Text) + len(m.Reasoning)
		for j := range m.Calls {
			in += len(m.Calls[j].Name) + len(m.Calls[j].Arguments)
		}
	}
	for i := range req.Tools {
		in += len(req.Tools[i].Name) + len(req.Tools[i].Description) + len(req.Tools[i].Parameters)
	}
	out := len(reply.Text)
	for i := range reply.Calls {
		out += callBytes(&reply.Calls[i])
	}
	return run.Usage{Input: tokens(in), Output: tokens(out)}
}

func callBytes(c *run.Call) int { return len(c.Name) + len(c.Arguments) }

// shorten keeps the reply within limit tokens: whole calls as long as they fit,
// and text up to a character boundary. What was cut ends with finish length.
func shorten(reply *run.Reply, limit int) {
	if limit <= 0 || limit > (1<<30)/bytesPerToken {
		return
	}
	room := limit * bytesPerToken
	if len(reply.Text) > room {
		cut := room
		for cut > 0 && !utf8.RuneStart(reply.Text[cut]) {
			cut--
		}
		reply.Text, reply.Finish = reply.Text[:cut], "length"
	}
	for i := range reply.Calls {
		if room -= callBytes(&reply.Calls[i]); room < 0 {
			reply.Calls = reply.Calls[:i:i]
			reply.Finish = "tool_calls"
			if i == 0 {
				reply.Calls, reply.Finish = nil, "length"
			}
			return
		}
	}
}

// stream emits the reply in its own order: text, then each call.
func (m *Model) stream(ctx context.Context, reply *run.Reply, emit func(run.Delta)) error {
	for _, word := range strings.SplitAfter(reply.Text, " ") {
		if word == "" {
			continue
		}
		if err := m.wait(ctx); err != nil {
			return err
		}
		emit(run.Delta{Kind: run.TextDelta, Text: word})
	}
	for i := range reply.Calls {
		name := reply.Calls[i].Name
		for _, word := range strings.SplitAfter(reply.Calls[i].Arguments, " ") {
			if err := m.wait(ctx); err != nil {
				return err
			}
			emit(run.Delta{Kind: run.CallDelta, Call: i, Name: name, Text: word})
			name = ""
		}
	}
	return nil
}

// wait lets the pace pass, unless the reader has gone.
func (m *Model) wait(ctx context.Context) error {
	if m.cfg.Pace <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(m.cfg.Pace)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
