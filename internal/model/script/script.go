// Package script is a model that reads its lines: for tests of everything that
// calls a model.
//
// It promises to answer as told, to call a tool that it must (Held), to fail as told, to stream a reply in several
// deltas that together are the reply, to return promptly when its context ends,
// and to remember every request. It is safe for concurrent use.
//
// To change how a reply is cut into deltas, edit Deltas.
package script

import (
	"context"
	"fmt"
	"strings"
	"sync"

	"errand/internal/problem"
	"errand/internal/run"
)

// Line is what the model says to one request.
type Line struct {
	Reply  run.Reply                       // the answer; Model, Finish and call ids are filled in when empty
	Deltas []run.Delta                     // how it is streamed; nil = cut from Reply
	Fails  []error                         // the errors of the first attempts: attempt 1 fails with Fails[0]
	Err    error                           // fails every attempt, after the deltas; Reply's usage comes beside it
	Before func(ctx context.Context) error // waited for before anything is said; its error ends the call
	Stall  bool                            // says its deltas, then nothing until the context ends
}

// Say is a line that answers with a text.
func Say(text string) Line {
	return Line{Reply: run.Reply{Text: text}}
}

// Call is a line that calls one tool; arguments is a JSON object.
func Call(tool, arguments string) Line { return Line{}.And(tool, arguments) }

// And is the line with one call more.
func (l Line) And(tool, arguments string) Line {
	calls := l.Reply.Calls
	l.Reply.Calls = append(calls[:len(calls):len(calls)], run.Call{Name: tool, Arguments: arguments})
	return l
}

// Held is the line of a model that must call a tool: a JSON object that it would
// say becomes the arguments of that call. Any other line stays as it is.
func (l Line) Held(tool string) Line {
	if tool == "" || len(l.Reply.Calls) > 0 || l.Deltas != nil || !strings.HasPrefix(l.Reply.Text, "{") {
		return l
	}
	arguments := l.Reply.Text
	l.Reply.Text = ""
	return l.And(tool, arguments)
}

// Fail is a line that fails every attempt with a problem of this code.
func Fail(code problem.Code) Line {
	return Line{Err: problem.New(code, "the script says so")}
}

// Model reads lines. Make one with Steps, Queue or Func.
type Model struct {
	// Pace, when set before the first call, is asked before each delta; its error
	// ends the call.
	Pace func(ctx context.Context, req run.Request, d run.Delta) error

	mu       sync.Mutex
	requests []run.Request
	line     func(ctx context.Context, req run.Request, call int) (Line, error)
}

// Steps answers step n with line n, however often it is asked: what a run that
// is recovered from its log expects.
func Steps(lines ...Line) *Model {
	return &Model{line: func(_ context.Context, req run.Request, _ int) (Line, error) {
		return pick(lines, req.Step, "step")
	}}
}

// Queue answers call n with line n, whatever the call is.
func Queue(lines ...Line) *Model {
	return &Model{line: func(_ context.Context, _ run.Request, call int) (Line, error) {
		return pick(lines, call, "call")
	}}
}

// Func answers as f says. Calls of f may overlap.
func Func(f func(ctx context.Context, req run.Request) (Line, error)) *Model {
	return &Model{line: func(ctx context.Context, req run.Request, _ int) (Line, error) { return f(ctx, req) }}
}

func pick(lines []Line, number int, what string) (Line, error) {
	if number < 1 || number > len(lines) {
		return Line{}, problem.New(problem.ModelRefused, "the script has no line for %s %d", what, number)
	}
	return lines[number-1], nil
}

// Requests returns what the model was asked so far, in order of arrival.
func (m *Model) Requests() []run.Request {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]run.Request(nil), m.requests...)
}

// Reply reads the line for the request.
func (m *Model) Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error) {
	kept := *req
	kept.Messages = append([]run.Message(nil), req.Messages...)
	kept.Tools = append([]run.Tool(nil), req.Tools...)
	m.mu.Lock()
	m.requests = append(m.requests, kept)
	call := len(m.requests)
	m.mu.Unlock()

	line, err := m.line(ctx, *req, call)
	if err == nil && req.Attempt >= 1 && req.Attempt <= len(line.Fails) {
		err = line.Fails[req.Attempt-1]
	}
	if err == nil && line.Before != nil {
		err = line.Before(ctx)
	}
	if err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return run.Reply{}, err
	}
	must := req.Require
	if must == run.AnyTool && len(req.Tools) > 0 {
		must = req.Tools[0].Name
	}
	line = line.Held(must)
	reply := completed(line.Reply, *req)
	if err := m.speak(ctx, *req, line, reply, emit); err != nil {
		return run.Reply{Usage: reply.Usage}, err
	}
	return reply, nil
}

func (m *Model) speak(ctx context.Context, req run.Request, line Line, reply run.Reply, emit func(run.Delta)) error {
	deltas := line.Deltas
	if deltas == nil && line.Err == nil {
		deltas = Deltas(reply)
	}
	for _, delta := range deltas {
		if m.Pace != nil {
			if err := m.Pace(ctx, req, delta); err != nil {
				return err
			}
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if emit != nil {
			emit(delta)
		}
	}
	if line.Stall {
		<-ctx.Done()
		return ctx.Err()
	}
	return line.Err
}

// completed fills in what a line left out.
func completed(reply run.Reply, req run.Request) run.Reply {
	if reply.Model == "" {
		reply.Model = "script/" + req.Model
	}
	reply.Calls = append([]run.Call(nil), reply.Calls...)
	for i := range reply.Calls {
		if reply.Calls[i].ID == "" {
			reply.Calls[i].ID = fmt.Sprintf("call_%d_%d", req.Step, i+1)
		}
	}
	if reply.Finish == "" {
		reply.Finish = "stop"
		if len(reply.Calls) > 0 {
			reply.Finish = "tool_calls"
		}
	}
	if reply.Usage == (run.Usage{}) {
		reply.Usage = run.Usage{Input: 10, Output: 5}
	}
	return reply
}

// Deltas cuts a reply into its deltas of a reply, word by word: reasoning, text, then the calls
// in order, or along its spans when it has some.
func Deltas(reply run.Reply) []run.Delta {
	rest := map[run.Span]string{{Kind: run.ReasoningDelta}: reply.Reasoning, {Kind: run.TextDelta}: reply.Text}
	spans := reply.Spans
	if spans == nil {
		spans = []run.Span{{Kind: run.ReasoningDelta, Bytes: len(reply.Reasoning)}, {Kind: run.TextDelta, Bytes: len(reply.Text)}}
	}
	for i, call := range reply.Calls {
		rest[run.Span{Kind: run.CallDelta, Call: i}] = call.Arguments
		if reply.Spans == nil {
			spans = append(spans, run.Span{Kind: run.CallDelta, Call: i, Bytes: len(call.Arguments)})
		}
	}
	var deltas []run.Delta
	named := make([]bool, len(reply.Calls))
	for _, span := range spans {
		key := run.Span{Kind: span.Kind, Call: span.Call}
		text := rest[key][:span.Bytes]
		rest[key] = rest[key][span.Bytes:]
		if span.Kind == run.CallDelta && !named[span.Call] {
			named[span.Call] = true
			deltas = append(deltas, run.Delta{Kind: span.Kind, Call: span.Call, Name: reply.Calls[span.Call].Name})
		}
		for _, word := range strings.SplitAfter(text, " ") {
			if word != "" {
				deltas = append(deltas, run.Delta{Kind: span.Kind, Call: span.Call, Text: word})
			}
		}
	}
	return deltas
}
