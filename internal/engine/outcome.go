package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
)

// book turns what an effect reports into a fact.
func (d *driver) book(r *result) {
	key := r.task.effect.Key()
	if d.tasks[key] != r.task || d.term.ctx.Err() != nil {
		return // it was cut off, and the run goes on without it, here or after the next start
	}
	delete(d.tasks, key)
	switch {
	case errors.Is(r.err, errMute): // it was not made, and is when it may be
		if r.task.effect.Kind == run.CallModel {
			d.paid(run.Usage{})
		}
	case r.task.effect.Kind == run.CallModel && errors.Is(r.err, context.Canceled) && d.e.isDraining():
		// The shutdown took it away: it has not failed, and the next start makes it again.
	case r.task.effect.Kind == run.Resolve:
		d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: r.task.effect.Action, Outcome: r.task.effect.Outcome}})
	case r.task.effect.Kind == run.CallTool:
		d.bookTool(r)
	case r.err == nil:
		d.bookReply(r)
	default:
		d.bookFailure(r)
	}
}

func (d *driver) bookTool(r *result) {
	finished := &run.Finished{Action: r.task.effect.Action, Outcome: run.OK, Output: bound(r.output.Output), Images: r.output.Images, Ms: r.took.Milliseconds()}
	unknown := problem.Is(r.err, problem.ToolUnknown)
	switch {
	case r.err == nil:
	case unknown && r.task.effect.Class != run.Safe:
		finished.Outcome, finished.Output = run.Unknown, problem.From(r.err).Detail
	case r.task.cut:
		finished.Outcome = run.Cancelled
	default:
		finished.Outcome, finished.Output = run.Errored, problem.From(r.err).Detail
	}
	d.add(run.Event{Type: run.ToolFinished, Finished: finished})
}

// maxOutput bounds what a tool may tell the model, in bytes. Tools bound their
// own output; this holds for those that don't.
const maxOutput = 64 << 10

func bound(output string) string {
	output = strings.ToValidUTF8(output, "\uFFFD")
	if len(output) <= maxOutput {
		return output
	}
	end := maxOutput
	for !utf8.RuneStart(output[end]) {
		end--
	}
	return fmt.Sprintf("%s\n[Cut: %d of %d bytes shown]", output[:end], end, len(output))
}

func (d *driver) bookReply(r *result) {
	reply := r.reply
	d.paid(reply.Usage)
	responded := &run.Responded{
		Step: r.task.effect.Step, Attempt: r.task.effect.Attempt, Seen: r.seen, Reply: reply,
		Actions: run.Plan(&d.state, &reply, run.Judge{Check: d.e.check, Holds: d.e.cfg.Holds, Mask: d.e.cfg.Mask}), Trimmed: r.trimmed,
		Ms: r.took.Milliseconds(), First: r.first.Milliseconds(),
	}
	if d.state.Spec.Output != nil && len(reply.Calls) == 0 {
		responded.Output = d.e.verdict(d.state.Spec.Output, reply.Text)
	}
	d.add(run.Event{Type: run.ModelResponded, Responded: responded})
}

// bookFailure decides whether another attempt is made. A reply that a reader has
// seen some of, or that asked for a tool, can't be taken back.
func (d *driver) bookFailure(r *result) {
	d.paid(r.reply.Usage)
	failure := problem.From(r.err)
	failed := &run.Failed{
		Step: r.task.effect.Step, Attempt: r.task.effect.Attempt, Usage: r.reply.Usage,
		Code: string(failure.Code), Message: failure.Detail, Ms: r.took.Milliseconds(),
	}
	again, after := d.e.cfg.Retry(r.err, d.state.Failures+1)
	if again && d.feed.retract(failed.Step, failed.Attempt) {
		failed.Retry, failed.AfterMs = true, after.Milliseconds()
	} else {
		failed.Text = r.reply.Text
	}
	if failure.Code == problem.Internal {
		d.e.cfg.Logger.Error("a model call failed in an unforeseen way", "run", d.id.String(), "error", r.err)
	}
	d.add(run.Event{Type: run.ModelFailed, Failed: failed})
}

// check is the core's question whether a call's arguments satisfy their schema.
func (e *Engine) check(tool *run.Tool, arguments string) error {
	if len(tool.Parameters) == 0 {
		return schema.Object([]byte(arguments))
	}
	return e.schemas.Validate(tool.Parameters, []byte(arguments))
}

// verdict checks an answer against the run's output schema.
func (e *Engine) verdict(wanted []byte, text string) *run.Verdict {
	value, ok := schema.Extract(text)
	if !ok {
		return &run.Verdict{Problem: "there is no JSON in it"}
	}
	if err := e.schemas.Validate(wanted, value); err != nil {
		return &run.Verdict{Problem: err.Error()}
	}
	return &run.Verdict{Value: value}
}
