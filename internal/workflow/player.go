package workflow

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
)

// attempts is how often the model may fail to mend one recorded call.
const attempts = 3

// mendTurns is how many turns it may take to do so: to look, to open the page again
// after a restart, to fill in what was filled in before.
const mendTurns = 8

// Models answers model calls. The router is the implementation.
type Models interface {
	Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error)
}

// Player is the model of every run: of a replay it says the recorded calls, one a
// turn, and for all else it asks the model that the run names. Where a replay
// stands it reads off the conversation, so it goes on after a restart as if there
// had been none.
type Player struct{ next Models }

// NewPlayer puts the records before a model.
func NewPlayer(next Models) *Player { return &Player{next: next} }

// Reply answers a model call.
func (p *Player) Reply(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error) {
	if req.Replay == nil {
		return p.next.Reply(ctx, req, emit)
	}
	return p.replay(ctx, req, emit)
}

func (p *Player) replay(ctx context.Context, req *run.Request, emit func(run.Delta)) (run.Reply, error) {
	var plan Plan
	if err := json.Unmarshal(req.Replay, &plan); err != nil {
		return run.Reply{}, fmt.Errorf("reading a replay: %w", err)
	}
	if emit == nil {
		emit = func(run.Delta) {}
	}
	s := &session{next: p.next, plan: &plan, req: req, emit: emit}
	at, failed := s.standing()
	switch {
	case failed != "":
		return s.mend(ctx, at, failed)
	case at.By == ByAnswer:
		return s.answer(ctx)
	}
	return s.speak(s.recorded(at)), nil
}

// session is one model call of a replay.
type session struct {
	next Models
	plan *Plan
	req  *run.Request
	emit func(run.Delta)
}

// standing reads off the conversation what comes next. failed says what went wrong
// with the call before, which then is the one to mend; at has the attempts so far.
func (s *session) standing() (at Mark, failed string) {
	last := -1
	for i := range s.req.Messages {
		if s.req.Messages[i].Role == run.Assistant {
			last = i
		}
	}
	if last < 0 {
		return s.after(Mark{}), ""
	}
	mark := MarkOf(s.req.Messages[last].Carry)
	if mark == nil || mark.By == ByAnswer {
		return Mark{By: ByAnswer}, ""
	}
	at = *mark
	turn, results := &s.req.Messages[last], s.req.Messages[last+1:]
	for i := range results {
		if results[i].Role == run.ToolRole && results[i].Failed {
			text, _, _ := cutLast(bare(results[i].Text), recordMark)
			return at, fmt.Sprintf("%s failed: %s", s.callName(at, results[i].Tool), clip(text))
		}
	}
	if at.By == ByModel && !s.acts(turn.Calls, at) {
		at.Attempt-- // it has not failed, and may not be done either
		return at, at.Reason
	}
	return s.after(at), ""
}

// callName is how a reason begins.
func (s *session) callName(at Mark, tool string) string {
	if at.By == ByRecord {
		return fmt.Sprintf("Cached action '%s'", ActionName(tool))
	}
	return fmt.Sprintf("Action '%s'", ActionName(tool))
}

// acts reports whether a turn of the model has certainly done what the recorded
// call was for: it has called the same tool. Anything else may have been on the way
// there (after a restart the page has to be opened again), which the model is asked.
func (s *session) acts(calls []run.Call, at Mark) bool {
	return slices.ContainsFunc(calls, func(c run.Call) bool { return c.Name == s.call(at).Tool })
}

func (s *session) call(at Mark) *Planned { return &s.plan.Steps[at.Step-1].Calls[at.Call-1] }

// after is the call behind one, or the answer.
func (s *session) after(at Mark) Mark {
	steps := s.plan.Steps
	switch {
	case at.Step > 0 && at.Step <= len(steps) && at.Call < len(steps[at.Step-1].Calls):
		return Mark{Step: at.Step, Call: at.Call + 1, By: ByRecord}
	case at.Step < len(steps):
		return Mark{Step: at.Step + 1, Call: 1, By: ByRecord}
	}
	return Mark{By: ByAnswer}
}

// replayModel is who has answered when a record has.
const replayModel = "replay"

// recorded is the turn that says a recorded call.
func (s *session) recorded(at Mark) run.Reply {
	call := s.call(at)
	reply := run.Reply{
		Model: replayModel, Finish: "tool_calls", Carry: wrap(at, nil),
		Calls: []run.Call{{ID: fmt.Sprintf("replay_%d_%d", at.Step, at.Call), Name: call.Tool, Arguments: string(call.Arguments)}},
	}
	if at.Call == 1 {
		reply.Text = s.plan.Steps[at.Step-1].Goal
	}
	return reply
}

// mend lets the model do what a recorded call could not. It is told to do that and
// no more: what follows is recorded.
func (s *session) mend(ctx context.Context, at Mark, failed string) (run.Reply, error) {
	if at.Attempt >= attempts || at.Turn >= mendTurns {
		return run.Reply{}, problem.New(problem.ToolFailed,
			"The replay stopped at step %d of the cached workflow: %s, and %d attempts of the model in %d turns did not mend it.",
			at.Step, strings.TrimRight(failed, "."), min(at.Attempt+1, attempts), at.Turn)
	}
	reason := failed
	if at.By == ByModel {
		reason = at.Reason // what it all began with
	}
	next := Mark{Step: at.Step, Call: at.Call, By: ByModel, Attempt: at.Attempt + 1, Turn: at.Turn + 1, Reason: reason}
	asked := s.ask(fmt.Sprintf("A recorded workflow is being repeated. Step %d of %d: %s\nIts recorded call %s %s did not succeed. %s.\n"+
		"Do now what this one call was for, with your tools, on what there is now, and nothing beyond it: the steps that follow are done without you. "+
		"If it needs something that is not there any more (an open page, a filled form), bring that back first. "+
		"When it is done, answer with the one word DONE. If it can't be done, answer with CANNOT and the reason. This is attempt %d of %d.",
		at.Step, len(s.plan.Steps), s.plan.Steps[at.Step-1].Goal, s.call(at).Tool, s.call(at).Arguments, strings.TrimRight(failed, "."), next.Attempt, attempts))
	asked.Output = nil
	reply, err := s.next.Reply(ctx, asked, nil)
	switch {
	case err != nil:
		return reply, err
	case len(reply.Calls) > 0:
		reply.Carry = wrap(next, reply.Carry)
		return s.speak(reply), nil
	case !strings.HasPrefix(strings.ToUpper(strings.TrimLeft(reply.Text, " \n\"'*")), "DONE"):
		return run.Reply{Usage: reply.Usage}, problem.New(problem.ToolFailed,
			"The replay stopped at step %d of the cached workflow: %s. The model says: %s", at.Step, strings.TrimRight(failed, "."), clip(reply.Text))
	}
	used := reply.Usage
	if at = s.after(at); at.By != ByAnswer {
		reply = s.recorded(at)
		reply.Usage = used
		return s.speak(reply), nil
	}
	if reply, err = s.answer(ctx); err == nil || reply.Usage != (run.Usage{}) {
		reply.Usage = reply.Usage.Add(used)
	}
	return reply, err
}

// answer ends the run. Without a model, unless the answer has a form, or someone
// has said something meanwhile.
func (s *session) answer(ctx context.Context) (run.Reply, error) {
	last := s.req.Messages[len(s.req.Messages)-1]
	begun := slices.ContainsFunc(s.req.Messages, func(m run.Message) bool {
		mark := MarkOf(m.Carry)
		return mark != nil && mark.By == ByAnswer
	})
	if s.req.Output == nil && last.Role != run.User && !begun {
		text := strings.ReplaceAll(s.plan.Answer, Result, s.result())
		return s.speak(run.Reply{Model: replayModel, Finish: "stop", Text: text, Carry: wrap(Mark{By: ByAnswer}, nil)}), nil
	}
	asked := s.ask("")
	if !begun {
		asked = s.ask("All steps of the recorded workflow have been done. Answer the task now, from what they brought.")
	}
	reply, err := s.next.Reply(ctx, asked, s.emit)
	reply.Carry = wrap(Mark{By: ByAnswer}, reply.Carry)
	return reply, err
}

// maxResult bounds what an answer repeats of what the last call brought, in bytes.
const maxResult = 16 << 10

// result is what the last call that was to bring something has brought. One that
// waited or scrolled was not, unless it shows the page that another one had shown.
func (s *session) result() string {
	var newest *run.Message
	for i := len(s.req.Messages) - 1; i >= 0; i-- {
		m := &s.req.Messages[i]
		passing := slices.Contains([]string{"wait", "screenshot", "scroll"}, ActionName(m.Tool))
		if m.Role != run.ToolRole || m.Failed {
			continue
		}
		if newest == nil && s.shows(m.Tool) {
			newest = m
		}
		if passing {
			continue
		}
		if s.shows(m.Tool) {
			m = newest
		}
		text, _, _ := cutLast(bare(m.Text), recordMark)
		text = only(strings.TrimSpace(text))
		if len(text) > maxResult {
			text = strings.ToValidUTF8(text[:maxResult], "") + "…"
		}
		return text
	}
	return ""
}

// only is the value of an object that has a single one, if that is a text, a number or
// a boolean: the object is then the tool's wrapping. All else is itself.
func only(output string) string {
	var object map[string]*Text
	if !strings.HasPrefix(output, "{") || json.Unmarshal([]byte(output), &object) != nil || len(object) != 1 {
		return output
	}
	for _, value := range object {
		if value != nil && *value != "" {
			return string(*value)
		}
	}
	return output
}

// shows reports whether a tool shows how something is now.
func (s *session) shows(tool string) bool {
	return slices.ContainsFunc(s.req.Tools, func(t run.Tool) bool { return t.Name == tool && t.Snapshot })
}

// bare is a tool's output without the line by which a model is told whose it is.
func bare(text string) string {
	if first, rest, found := strings.Cut(text, "\n"); found && strings.HasPrefix(first, "[Output of ") {
		return rest
	}
	return text
}

// ask is the request as the model gets it: without marks, and with a word of ours
// behind it.
func (s *session) ask(text string) *run.Request {
	asked := *s.req
	asked.Replay = nil
	asked.Messages = slices.Clone(s.req.Messages)
	for i := range asked.Messages {
		asked.Messages[i].Carry = unwrap(asked.Messages[i].Carry).Carry
	}
	if text != "" {
		asked.Messages = append(asked.Messages, run.Message{Role: run.User, Text: text})
	}
	return &asked
}

// speak streams a reply that is there as a whole.
func (s *session) speak(reply run.Reply) run.Reply {
	reply.Spans = nil
	if reply.Reasoning != "" {
		s.emit(run.Delta{Kind: run.ReasoningDelta, Text: reply.Reasoning})
	}
	if reply.Text != "" {
		s.emit(run.Delta{Kind: run.TextDelta, Text: reply.Text})
	}
	for i := range reply.Calls {
		s.emit(run.Delta{Kind: run.CallDelta, Call: i, Name: reply.Calls[i].Name, Text: reply.Calls[i].Arguments})
	}
	return reply
}

// maxReason bounds what a mark keeps of an error, in characters.
const maxReason = 300

func clip(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if utf8.RuneCountInString(text) <= maxReason {
		return text
	}
	return string([]rune(text)[:maxReason-1]) + "…"
}
