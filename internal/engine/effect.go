package engine

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
)

// grace is how long a tool call that was cut off has to say what came of it.
const grace = 500 * time.Millisecond

// result is what an effect reports.
type result struct {
	task *task
	took time.Duration

	reply   run.Reply     // of a model call
	first   time.Duration // until its first delta
	seen    int           // messages that its request held
	trimmed *run.Trimmed

	output run.ToolResult // of a tool call
	err    error
}

// startMissing starts what the core names and what is not under way.
func (d *driver) startMissing(ctx context.Context, decision run.Decision) {
	for _, effect := range decision.Effects {
		key := effect.Key()
		switch {
		case effect.Kind == run.Resolve:
			d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: effect.Action, Outcome: effect.Outcome, Crash: true}})
		case d.held[key] != 0:
		case effect.Kind == run.CallTool && !d.begun(effect):
			d.intend(ctx, effect)
		case d.tasks[key] != nil:
		case effect.Kind == run.CallModel && d.rests(effect):
		case effect.Kind == run.CallModel:
			d.callModel(ctx, effect)
		default: // its intent is on disk although the store had said otherwise
			d.callTool(ctx, effect)
		}
	}
}

// begun reports whether the log, or what is on its way there, says that this
// driver has started the call.
func (d *driver) begun(effect run.Effect) bool {
	a := d.state.Action(effect.Action)
	return a.Stage == run.StartedStage && a.Epoch == d.epoch
}

// intend writes that a call is about to be made. A safe call that nobody had to
// approve begins at once; any other waits until the intent is on disk, with the
// check that the tool is still what was approved. That makes a crash in the
// middle of it visible afterwards.
func (d *driver) intend(ctx context.Context, effect run.Effect) {
	a := d.state.Action(effect.Action)
	started := run.Event{Type: run.ToolStarted, Started: &run.Started{Action: a.ID, Epoch: d.epoch, Attempt: a.Attempt + 1}}
	key := effect.Key()
	switch {
	case d.tasks[key] != nil: // it runs; only its intent was lost in a conflict
		d.add(started)
	case effect.Class == run.Safe && a.Decision == nil:
		d.add(started)
		d.callTool(ctx, effect)
	case d.unchanged(ctx, a):
		d.add(started)
		d.held[key] = d.state.Seq
	}
}

// release makes the calls whose intent has reached the disk.
func (d *driver) release(ctx context.Context) {
	for key, seq := range d.held {
		if seq > d.stored {
			continue
		}
		delete(d.held, key)
		if a := d.state.Action(key[len(run.CallTool)+1:]); a != nil && a.Stage == run.StartedStage {
			d.callTool(ctx, run.Effect{Kind: run.CallTool, Action: a.ID, Class: a.Tool.Class})
		}
	}
}

// cutUnnamed cuts off whatever runs and is not named. A model call is dropped
// there and then; a tool call has its grace to say what it has done.
func (d *driver) cutUnnamed(decision run.Decision) {
	if decision.Hold {
		return
	}
	named := make(map[string]bool, len(decision.Effects))
	for _, effect := range decision.Effects {
		named[effect.Key()] = true
	}
	for key, t := range d.tasks {
		switch {
		case named[key] || t.cut:
		case t.effect.Kind == run.CallModel:
			t.cancel()
			delete(d.tasks, key)
		default:
			t.cut = true
			t.cancel()
			d.after(grace, func() { d.giveUp(t) })
		}
	}
	d.dropUnmade(named)
	for key := range d.held {
		if action := key[len(run.CallTool)+1:]; !named[key] {
			delete(d.held, key)
			d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: action, Outcome: run.Cancelled}})
		}
	}
}

// dropUnmade books the calls of this driver that are begun in the log, are named
// no more, and were never made: their intent had reached the disk although the
// store had said otherwise.
func (d *driver) dropUnmade(named map[string]bool) {
	last := d.state.Last()
	if last == nil || d.state.Ended != nil {
		return
	}
	for i := range last.Actions {
		a := &last.Actions[i]
		key := (run.Effect{Kind: run.CallTool, Action: a.ID}).Key()
		if a.Stage == run.StartedStage && a.Epoch == d.epoch && !named[key] && d.tasks[key] == nil && d.held[key] == 0 {
			d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: a.ID, Outcome: run.Cancelled}})
		}
	}
}

// giveUp books a call that was cut off and has not come back in time.
func (d *driver) giveUp(t *task) {
	if key := t.effect.Key(); d.tasks[key] == t {
		delete(d.tasks, key)
		d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{
			Action: t.effect.Action, Outcome: cutOutcome(t.effect.Class), Ms: grace.Milliseconds(),
		}})
	}
}

// cutOutcome is what a call of the class has come to when it was cut off and has
// said nothing: reading leaves nothing behind, of anything else nobody knows.
func cutOutcome(class run.Class) run.Outcome {
	if class == run.Safe {
		return run.Cancelled
	}
	return run.Unknown
}

// abandon cuts everything off without booking it: the next driver will.
func (d *driver) abandon() {
	close(d.gone)
	for _, timer := range d.timers {
		timer.Stop()
	}
	for _, t := range d.tasks {
		t.cancel()
	}
}

// launch runs an effect in a goroutine of its own, which ends when the effect
// does; what it reports is dropped if the driver has gone.
func (d *driver) launch(ctx context.Context, effect run.Effect, perform func(context.Context, *result)) {
	ctx, cancel := context.WithCancel(ctx)
	t := &task{effect: effect, cancel: cancel}
	d.tasks[effect.Key()] = t
	began := d.e.now()
	d.e.effects.Add(1)
	go func() {
		defer d.e.effects.Done()
		defer cancel()
		r := result{task: t}
		perform(ctx, &r)
		r.took = d.e.now().Sub(began)
		select {
		case d.results <- r:
		case <-d.gone:
		}
	}()
}

func (d *driver) callModel(ctx context.Context, effect run.Effect) {
	messages, trimmed := run.History(&d.state)
	request := run.Request{
		Run: d.id, Project: d.state.Spec.Project, Step: effect.Step, Attempt: effect.Attempt,
		Model: d.state.Spec.Model, Messages: messages, Tools: d.state.Spec.Tools,
		Output: d.state.Spec.Output, Params: d.state.Spec.Params,
	}
	seen := len(d.state.Messages)
	feed, began, models, now := d.feed, d.e.now(), d.e.cfg.Models, d.e.now
	feed.begin(effect.Step, effect.Attempt)
	d.asking = d.state.Seq
	d.unveil()
	d.launch(ctx, effect, func(ctx context.Context, r *result) {
		r.seen, r.trimmed = seen, trimmed
		r.reply, r.err = models.Reply(ctx, request, func(delta run.Delta) {
			if r.first == 0 {
				r.first = max(now().Sub(began), 1)
			}
			feed.write(effect.Step, effect.Attempt, delta)
		})
	})
}

// unveil shows the reply that is being written once everything before it is on
// disk: from then on no conflict can move it to another place in the log.
func (d *driver) unveil() {
	if d.asking > 0 && d.stored >= d.asking {
		d.feed.open(d.asking)
		d.asking = 0
	}
}

// tries is how often a safe or keyed call is made when its answer gets lost: the
// tool's owner has said that repeating it does no harm.
const tries = 3

// betweenTries is the wait before the second try; it doubles for the third.
const betweenTries = 200 * time.Millisecond

func (d *driver) callTool(ctx context.Context, effect run.Effect) {
	a := d.state.Action(effect.Action)
	call := run.ToolCall{
		Run: d.id, Project: d.state.Spec.Project, Action: a.ID, Tool: a.Tool,
		Arguments: []byte(a.Arguments), Attempt: a.Attempt,
	}
	approved, tools := a.Decision != nil, d.e.cfg.Tools
	d.launch(ctx, effect, func(ctx context.Context, r *result) {
		for try := 1; ; try++ {
			r.output, r.err = tools.Call(ctx, call)
			if problem.Is(r.err, problem.ToolChanged) && !approved {
				r.output, r.err = callCurrent(ctx, tools, call, r.err)
			}
			lost := problem.Is(r.err, problem.ToolUnknown) && call.Tool.Class != run.Once
			if !lost || try == tries || !pause(ctx, betweenTries<<(try-1)) {
				return
			}
		}
	})
}

// callCurrent makes a call by the tool's definition of now. Nobody has approved
// the one that the run was made with, so nobody is deceived; but a tool that has
// become more dangerous than the intent on disk says is not called.
func callCurrent(ctx context.Context, tools Tools, call run.ToolCall, changed error) (run.ToolResult, error) {
	current, _, err := tools.Current(ctx, call.Project, call.Tool.Name)
	if err != nil || current.Class != call.Tool.Class {
		return run.ToolResult{}, changed
	}
	call.Tool = current
	return tools.Call(ctx, call)
}

// pause waits, and reports whether ctx allowed it.
func pause(ctx context.Context, wait time.Duration) bool {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// book turns what an effect reports into a fact.
func (d *driver) book(r result) {
	key := r.task.effect.Key()
	if d.tasks[key] != r.task || d.e.ctx.Err() != nil {
		return // it was cut off, and the run goes on without it, here or after the next start
	}
	delete(d.tasks, key)
	switch {
	case r.task.effect.Kind == run.CallTool:
		d.bookTool(r)
	case r.err == nil:
		d.bookReply(r)
	default:
		d.bookFailure(r)
	}
}

func (d *driver) bookTool(r result) {
	finished := &run.Finished{Action: r.task.effect.Action, Outcome: run.OK, Output: bound(r.output.Output), Ms: r.took.Milliseconds()}
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

func (d *driver) bookReply(r result) {
	reply := r.reply
	responded := &run.Responded{
		Step: r.task.effect.Step, Attempt: r.task.effect.Attempt, Seen: r.seen, Reply: reply,
		Actions: run.Plan(&d.state, &reply, d.e.check), Trimmed: r.trimmed,
		Ms: r.took.Milliseconds(), First: r.first.Milliseconds(),
	}
	if d.state.Spec.Output != nil && len(reply.Calls) == 0 {
		responded.Output = d.e.verdict(d.state.Spec.Output, reply.Text)
	}
	d.add(run.Event{Type: run.ModelResponded, Responded: responded})
}

// bookFailure decides whether another attempt is made. A reply that a reader has
// seen some of, or that asked for a tool, can't be taken back.
func (d *driver) bookFailure(r result) {
	failure := problem.From(r.err)
	failed := &run.Failed{
		Step: r.task.effect.Step, Attempt: r.task.effect.Attempt, Usage: r.reply.Usage,
		Code: string(failure.Code), Message: failure.Detail,
	}
	again, after := d.e.cfg.Retry(r.err, d.state.Failures+1)
	if again && !d.feed.exposed(failed.Step, failed.Attempt) {
		failed.Retry, failed.AfterMs = true, after.Milliseconds()
	}
	if failure.Code == problem.Internal {
		d.e.cfg.Logger.Error("a model call failed in an unforeseen way", "run", d.id.String(), "error", r.err)
	}
	d.add(run.Event{Type: run.ModelFailed, Failed: failed})
}

// unchanged reports whether the tool is still what a person approved. If it is
// not, the action is pending again, under the definition of now.
func (d *driver) unchanged(ctx context.Context, a *run.Action) bool {
	if a.Decision == nil {
		return true
	}
	current, guard, err := d.e.cfg.Tools.Current(ctx, d.state.Spec.Project, a.Tool.Name)
	if err != nil {
		return true // of a tool that has gone, the call itself will say so
	}
	if current.Version == a.Tool.Version {
		if guard != nil {
			d.rows = append(d.rows, *guard) // it must still be so when the intent is written
		}
		return true
	}
	d.add(run.Event{Type: run.ApprovalExpired, Expired: &run.Expired{
		Actions: []string{a.ID}, Tool: &current,
		Digests:  []string{run.Digest(&d.state.Spec, &current, a.Arguments)},
		Previews: []string{run.Preview(&current, a.Arguments)},
	}})
	return false
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
