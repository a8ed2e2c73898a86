package engine

import (
	"context"
	"fmt"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
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
		case effect.Kind == run.Resolve && d.state.Action(effect.Action).Child != nil:
			d.recall(ctx, effect)
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
	case a.Tool.Handoff != "":
		d.handOff(ctx, a)
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

// cutUnnamed cuts off whatever runs and is not named. A tool call has its grace to
// say what it has done; anything else is dropped there and then.
func (d *driver) cutUnnamed(decision run.Decision) {
	if decision.Hold {
		return
	}
	for key, t := range d.tasks {
		switch {
		case t.cut || names(decision, key) && !outdated(decision, t.effect):
		case t.effect.Kind != run.CallTool:
			t.cancel()
			delete(d.tasks, key)
			d.forfeit()
		default:
			t.cut = true
			t.cancel()
			d.after(grace, func() { d.giveUp(t) })
		}
	}
	d.dropUnmade(decision)
	for key := range d.held {
		if action := key[len(run.CallTool)+1:]; !names(decision, key) {
			delete(d.held, key)
			d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: action, Outcome: run.Cancelled}})
		}
	}
}

// names reports whether the effect with this key should be under way.
func names(decision run.Decision, key string) bool {
	for i := range decision.Effects {
		if decision.Effects[i].Key() == key {
			return true
		}
	}
	return false
}

// outdated reports whether the reply that a model call would bring is not wanted any
// more: another attempt at it has been asked for.
func outdated(decision run.Decision, call run.Effect) bool {
	if call.Kind != run.CallModel {
		return false
	}
	for i := range decision.Effects {
		if e := &decision.Effects[i]; e.Kind == run.CallModel && e.Attempt > call.Attempt {
			return true
		}
	}
	return false
}

// dropUnmade books the calls of this driver that are begun in the log, are named
// no more, and were never made: their intent had reached the disk although the
// store had said otherwise.
func (d *driver) dropUnmade(decision run.Decision) {
	last := d.state.Last()
	if last == nil || d.state.Ended != nil {
		return
	}
	for i := range last.Actions {
		a := &last.Actions[i]
		if a.Stage != run.StartedStage || a.Epoch != d.epoch || a.Away() {
			continue
		}
		key := (run.Effect{Kind: run.CallTool, Action: a.ID}).Key()
		if d.tasks[key] == nil && d.held[key] == 0 && !names(decision, key) {
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
	if d.created != nil {
		d.created <- overloaded("This server stopped before the run was stored; look whether it is there before you try again.")
	}
	for _, timer := range d.timers {
		timer.Stop()
	}
	for _, t := range d.tasks {
		t.cancel()
	}
	d.closeAccounts()
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
		roomForCall(effect.Attempt)
		r := &result{task: t}
		perform(ctx, r)
		r.took = d.e.now().Sub(began)
		select {
		case d.results <- r:
		case <-d.gone:
		}
	}()
}

func (d *driver) callModel(ctx context.Context, effect run.Effect) {
	messages, trimmed := run.History(&d.state)
	request := &run.Request{
		Run: d.id, Project: d.state.Spec.Project, Step: effect.Step, Attempt: effect.Attempt,
		Model: d.state.Spec.Model, Messages: messages, Tools: d.state.Offered(),
		Output: d.state.Spec.Output, Params: d.state.Sampling(), Require: d.state.Required(), Replay: d.state.Spec.Replay,
		Trace: d.e.parent(&d.state, effect, effect.Attempt),
	}
	if !d.funded(effect, request) {
		return
	}
	seen, cited := len(d.state.Messages), d.state.Cited()
	feed, began, models, now, e, t := d.feed, d.e.now(), d.e.cfg.Models, d.e.now, d.e, d.term
	feed.begin(effect.Step, effect.Attempt)
	d.asking = d.state.Seq
	d.unveil()
	d.launch(ctx, effect, func(ctx context.Context, r *result) {
		r.seen, r.trimmed = seen, trimmed
		emit := func(delta run.Delta) {
			if r.first == 0 {
				r.first = max(now().Sub(began), 1)
			}
			feed.write(effect.Step, effect.Attempt, delta)
		}
		if r.err = e.mute(t); r.err != nil {
			return
		}
		if cited == nil {
			r.reply, r.err = models.Reply(ctx, request, emit)
			return
		}
		sifted := sift{cited: cited, emit: emit}
		r.reply, r.err = models.Reply(ctx, request, sifted.write)
		sifted.close(&r.reply, r.err)
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
		Arguments: []byte(a.Arguments), Attempt: a.Attempt, Server: d.state.Spec.Server(a.Tool.Server),
		Trace: d.e.parent(&d.state, effect, a.Attempt),
	}
	approved, tools, e, t := d.state.Vouched(a), d.e.cfg.Tools, d.e, d.term
	d.launch(ctx, effect, func(ctx context.Context, r *result) {
		for try := 1; ; try++ {
			if r.err = e.mute(t); r.err != nil {
				return
			}
			r.output, r.err = tools.Call(ctx, call)
			if problem.Is(r.err, problem.ToolChanged) && !approved {
				r.output, r.err = e.callCurrent(ctx, t, call, r.err)
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
func (e *Engine) callCurrent(ctx context.Context, t *term, call run.ToolCall, changed error) (run.ToolResult, error) {
	current, _, err := e.cfg.Tools.Current(ctx, call.Project, call.Tool.Name)
	if err != nil || current.Class != call.Tool.Class || e.check(&current, string(call.Arguments)) != nil {
		return run.ToolResult{}, changed
	}
	if err := e.mute(t); err != nil { // the store may have taken long to say so
		return run.ToolResult{}, err
	}
	call.Tool = current
	return e.cfg.Tools.Call(ctx, call)
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

// unchanged reports whether tool and arguments are still what a person approved.
// If they are not, the action is pending again, as it is now. The digest is made
// anew from what is about to be called, which was read from the disk: whatever was
// done to the log since the action was shown, this shows it.
func (d *driver) unchanged(ctx context.Context, a *run.Action) bool {
	if !d.state.Vouched(a) {
		return true
	}
	current, guard, err := d.e.cfg.Tools.Current(ctx, d.state.Spec.Project, a.Tool.Name)
	switch {
	case problem.Is(err, problem.NotFound):
		return true // the call itself will say so
	case err != nil:
		d.after(betweenTries, func() {}) // nobody can tell now; ask again
		return false
	case current.Version == a.Tool.Version && d.state.Intact(a):
		if guard != nil {
			d.rows = append(d.rows, *guard) // it must still be so when the intent is written
		}
		return true
	}
	if fault := d.e.check(&current, a.Arguments); fault != nil {
		d.add(run.Event{Type: run.ToolFinished, Finished: &run.Finished{
			Action: a.ID, Outcome: run.Errored, Output: fmt.Sprintf(
				"%s was changed after this call was planned, and the arguments do not satisfy its schema now: %v. It was not called.", current.Name, fault),
		}})
		return false
	}
	d.add(run.Event{Type: run.ApprovalExpired, Expired: &run.Expired{
		Actions: []string{a.ID}, Tool: &current,
		Digests:  []string{run.Digest(&d.state.Spec, &current, a.Arguments)},
		Previews: []string{run.Preview(&current, a.Arguments, d.e.cfg.Mask)},
	}})
	return false
}
