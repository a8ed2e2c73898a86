package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Decision is a person's word on pending actions.
type Decision struct {
	Actions  []string
	Approve  bool
	Continue bool // on_reject: continue
	Reason   string
	By       string // id of the key
	ByName   string
	From     string // the address that the request came from, and the request's id
	Request  string
	Retry    bool      // the caller says that it sends an earlier decision again
	Reach    run.Reach // of an approval
	// Arguments take the place of those of the one action; empty = as they are.
	Arguments string
	Digest    string // that the caller has seen of the one action; empty = whatever it is

	voice string // the key whose voice By has, where that is another one: see hear
	own   bool   // whether it is the voice of who started the run
}

// Decide records a decision: all of it or nothing. The same decision again
// changes nothing. It returns the run as it stood right after the decision.
// Errors: invalid_request (errors.action_ids), conflict, not_found.
func (e *Engine) Decide(ctx context.Context, project string, id run.ID, d Decision) (run.State, error) {
	actions := slices.Compact(slices.Sorted(slices.Values(d.Actions)))
	var open []string
	var late bool
	s, err := e.amend(ctx, project, id, func(s *run.State) (_ []run.Event, err error) {
		if lapsed := e.lapse(s); lapsed != nil {
			late = true
			return lapsed, nil
		}
		if err := e.hear(ctx, s, &d); err != nil {
			return nil, err
		}
		open, err = undecided(s, actions, &d)
		if err != nil || len(open) == 0 {
			return nil, err
		}
		decided := &run.Decided{
			Actions: open, Approve: d.Approve, Continue: d.Continue && !d.Approve,
			Reason: d.Reason, By: d.By, ByName: d.ByName, From: d.From, Request: d.Request, Voice: d.voice,
		}
		if err := e.word(s, decided, &d); err != nil {
			return nil, err
		}
		return []run.Event{{Type: run.ApprovalDecided, Decided: decided}}, nil
	})
	switch {
	case err == nil && late:
		return e.Decide(ctx, project, id, d) // now that what nobody decided in time is written
	case err != nil || len(open) > 0:
		return s, err
	}
	return e.asDecided(ctx, id, actions)
}

// asDecided returns the run as it stood right after the actions were decided, so
// that a repeated decision gets the first one's answer.
func (e *Engine) asDecided(ctx context.Context, id run.ID, actions []string) (run.State, error) {
	events, err := e.cfg.Log.Load(ctx, id, 0, 0)
	if err != nil {
		return run.State{}, err
	}
	end := 0
	for i := range events {
		if decided := events[i].Decided; decided != nil && slices.ContainsFunc(decided.Actions, func(id string) bool { return slices.Contains(actions, id) }) {
			end = i + 1
		}
		if expired := events[i].Expired; expired != nil && expired.Timeout && end == 0 {
			end = i + 1
		}
	}
	s := run.Fold(id, events[:end])
	if end < len(events) && run.Decide(&s).Finish != nil {
		s.Take(&events[end]) // the decision brought the end with it
	}
	return s, nil
}

// undecided returns which of the actions this decision decides. It fails if one
// of them is not the run's, or was decided otherwise, and then decides none.
func undecided(s *run.State, actions []string, d *Decision) ([]string, error) {
	if len(actions) == 0 {
		return nil, problem.Invalid("action_ids", "name at least one pending action")
	}
	var open, unknown []string
	for _, id := range actions {
		if s.Action(id) == nil {
			unknown = append(unknown, id)
		}
	}
	if len(unknown) > 0 {
		return nil, problem.Invalid("action_ids", "this run has no action %s; GET the run to see what is pending", strings.Join(unknown, ", "))
	}
	for _, id := range actions {
		a := s.Action(id)
		switch said, decided := a.Word(); {
		case a.Waits() && s.Ended != nil:
			return nil, problem.New(problem.Conflict, "The run has ended (%s); %s can't be decided any more.", s.Status, id)
		case a.Waits() && d.repeats(a.Before):
		case a.Waits() && d.Approve && d.Arguments == "" && slices.Contains(a.Approvers, cmp.Or(d.voice, d.By)) && (d.Digest == "" || d.Digest == a.Digest): // it has said so
		case a.Waits():
			open = append(open, id)
		case !decided:
			return nil, problem.New(problem.Conflict, "%s does not wait for a decision: no gate covers %s.", id, a.Tool.Name)
		case said != d.Approve:
			return nil, problem.New(problem.Conflict, "%s was already %s.", id, map[bool]string{true: "approved", false: "rejected"}[said])
		}
	}
	return open, nil
}

// repeats reports whether d is the earlier decision, sent again because its answer
// got lost. What has become of the call since (its outcome is unknown, its tool
// was changed) is a new question, which nobody has answered by that.
func (d *Decision) repeats(before *run.Decided) bool {
	return d.Retry && before != nil && before.Approve == d.Approve && before.By == d.By
}

// cancelWait is how long Cancel waits for calls under way to end.
const cancelWait = 2 * time.Second

// Cancel ends the run and returns it, waiting up to 2 s for calls under way.
// Repeated it answers the same; a run that ended otherwise is a conflict.
func (e *Engine) Cancel(ctx context.Context, project string, id run.ID, c run.Cancel) (run.State, error) {
	s, err := e.amend(ctx, project, id, cancelBy(c))
	if err != nil || s.Ended != nil {
		return s, err
	}
	waiting, cancel := context.WithTimeout(ctx, cancelWait)
	defer cancel()
	return e.Wait(waiting, project, id)
}

// cancelBy is the change that asks a run to end.
func cancelBy(c run.Cancel) func(*run.State) ([]run.Event, error) {
	return func(s *run.State) ([]run.Event, error) {
		switch {
		case s.Status == run.CancelledStatus, s.Ended == nil && s.Cancel != nil:
			return nil, nil
		case s.Ended != nil:
			return nil, ended(s, "cancelled")
		}
		return []run.Event{{Type: run.CancelRequested, Cancel: &c}}, nil
	}
}

func ended(s *run.State, what string) error {
	return problem.New(problem.Conflict, "The run has ended (%s); it can't be %s.", s.Status, what)
}

// Pause holds the run: what is under way ends, nothing new starts. A paused run
// stays as it is; a terminal one is a conflict.
func (e *Engine) Pause(ctx context.Context, project string, id run.ID, by string) (run.State, error) {
	return e.hold(ctx, project, id, run.Event{Type: run.RunPaused, Actor: &run.Actor{By: by}})
}

// Resume lets a paused run go on. One that is not paused stays as it is; a
// terminal one is a conflict.
func (e *Engine) Resume(ctx context.Context, project string, id run.ID, by string) (run.State, error) {
	return e.hold(ctx, project, id, run.Event{Type: run.RunResumed, Actor: &run.Actor{By: by}})
}

func (e *Engine) hold(ctx context.Context, project string, id run.ID, event run.Event) (run.State, error) {
	pause := event.Type == run.RunPaused
	return e.amend(ctx, project, id, func(s *run.State) ([]run.Event, error) {
		switch {
		case s.Ended != nil:
			return nil, ended(s, map[bool]string{true: "paused", false: "resumed"}[pause])
		case s.Cancel != nil:
			return nil, problem.New(problem.Conflict, "The run is being cancelled.")
		case s.Paused == pause && (pause || !s.Starved()):
			return nil, nil
		}
		return []run.Event{event}, nil
	})
}

// Message adds a steering message; where the run waits for one input, the message
// is that input. A terminal run is a conflict.
func (e *Engine) Message(ctx context.Context, project string, id run.ID, m run.Added) (run.State, error) {
	return e.amend(ctx, project, id, func(s *run.State) ([]run.Event, error) {
		calls := s.PendingCalls()
		switch {
		case s.Ended != nil:
			return nil, problem.New(problem.Conflict, "The run has ended (%s); start another one with previous_run_id to go on from it.", s.Status)
		case len(calls) > 1:
			return nil, problem.New(problem.Conflict, "The run waits for %d outputs; send them to /tool_outputs, each with its action_id.", len(calls))
		case len(calls) == 1:
			in := run.Input{By: m.By, Outputs: []run.Output{{Action: calls[0].ID, Text: m.Text}}}
			return []run.Event{{Type: run.InputReceived, Input: &in}}, nil
		}
		return []run.Event{{Type: run.MessageAdded, Message: &m}}, nil
	})
}

// Outputs brings the outputs of function tools: all of them or nothing. Outputs
// that the run has already are confirmed if they are the same.
func (e *Engine) Outputs(ctx context.Context, project string, id run.ID, in run.Input) (run.State, error) {
	return e.amend(ctx, project, id, func(s *run.State) ([]run.Event, error) {
		fresh := run.Input{By: in.By}
		for i, out := range in.Outputs {
			a := s.Action(out.Action)
			field := fmt.Sprintf("outputs[%d].action_id", i)
			switch {
			case a == nil:
				return nil, problem.Invalid(field, "this run has no action %s", out.Action)
			case a.Tool.Function && a.Stage == run.FinishedStage && a.Output == out.Text && (a.Outcome == run.Errored) == out.Failed:
			case s.Ended != nil:
				return nil, ended(s, "given outputs")
			case !a.AwaitsOutput():
				return nil, problem.New(problem.Conflict, "%s does not wait for an output.", out.Action)
			default:
				fresh.Outputs = append(fresh.Outputs, out)
			}
		}
		if len(fresh.Outputs) == 0 {
			return nil, nil
		}
		return []run.Event{{Type: run.InputReceived, Input: &fresh}}, nil
	})
}

// amend appends what change asks for to a run's log, on the run as it stands on
// disk, again and again while others come first. If the run then has nothing
// left to do, its end goes into the same commit; otherwise its driver is woken.
// It returns the run right after its own events.
func (e *Engine) amend(ctx context.Context, project string, id run.ID, change func(*run.State) ([]run.Event, error)) (run.State, error) {
	for {
		s, err := e.Get(ctx, project, id)
		if err != nil {
			return s, err
		}
		events, err := change(&s)
		if err != nil || len(events) == 0 {
			return s, err
		}
		events = e.extend(&s, events)
		err = e.append(ctx, &s, events, false)
		switch {
		case err == nil:
			e.tell(&s, events)
			return s, nil
		case !errors.Is(err, run.ErrConflict):
			return s, err
		}
	}
}

// extend numbers the events, applies them, and adds what they bring with them:
// the expiry of approvals that a pause has kept, and the end of the run.
func (e *Engine) extend(s *run.State, events []run.Event) []run.Event {
	for i := 0; i < len(events); i++ {
		events[i].Seq, events[i].At, events[i].ID = s.Seq+1, e.now(), e.eventID()
		s.Take(&events[i])
		if i < len(events)-1 || s.Ended != nil {
			continue
		}
		if lapsed := e.lapse(s); lapsed != nil {
			events = append(events, lapsed...)
		} else if end := run.Decide(s).Finish; end != nil {
			events = append(events, run.Event{Type: run.RunFinished, Ended: end})
		}
	}
	return events
}

// append writes events that the state has applied, and waits for the disk. A run
// that goes on after a pause gets a new job for its expiring approvals: the pause
// may have swallowed the old one.
func (e *Engine) append(ctx context.Context, s *run.State, events []run.Event, remove bool) error {
	line := s.Summarize()
	line.Deleted = remove
	commit := run.Commit{Audit: run.Audits(s, events), Runs: []run.Append{{
		ID: s.ID, Expected: events[0].Seq - 1, Events: events, Summary: line, Orphan: e.advanceJob(s.ID, &s.Spec),
	}}}
	if next := run.Decide(s); next.Wake == run.GateTime && events[0].Type == run.RunResumed {
		commit.Jobs = []run.Job{{Kind: DeadlineJob, Run: s.ID, Due: next.WakeAt}}
	}
	if remove {
		// Of a deletion its own line tells: nobody has cancelled a run that had ended.
		commit.Audit = slices.DeleteFunc(commit.Audit, func(line run.Audit) bool { return line.Action == string(run.CancelRequested) })
		commit.Audit = append(commit.Audit, run.Removal(s, &events[len(events)-1]))
	} else { // a run that goes has nothing more to tell
		commit.Jobs = append(commit.Jobs, e.cfg.Outbox(s, events)...)
	}
	e.cfg.Witness(ctx, &commit)
	h, err := e.bequeath(context.Background(), &commit, s)
	if err != nil {
		return err
	}
	switch err = e.commit(commit); {
	case err == nil && h != nil:
		e.tell(&h.state, h.events)
	case err != nil && !overtaken(err): // they may be on disk all the same
		e.wake(s.ID)
		if h != nil {
			e.wake(h.state.ID)
		}
	}
	return err
}

// commit submits c and waits until it is on disk. It waits whatever becomes of the
// caller: what has been submitted is written, and has to be acted on.
func (e *Engine) commit(c run.Commit) error {
	done := make(chan error, 1)
	e.cfg.Log.Submit(c, func(err error) { done <- err })
	return <-done
}

// tell wakes the driver and shows the events to readers, in this order: a driver
// that is about to leave must not do so behind what readers have seen.
func (e *Engine) tell(s *run.State, events []run.Event) {
	live := s.Live()
	e.mu.Lock()
	f := e.feeds[s.ID]
	if live && e.works(&s.Spec) || e.drivers[s.ID] != nil {
		e.wakeLocked(s.ID, s.Spec.Project)
	}
	if s.Ended != nil {
		e.unqueue(s.ID)
		e.unlane(s.ID, &s.Spec)
	}
	e.mu.Unlock()
	if f != nil {
		f.publish(events, !live && !s.AwaitsChild())
	}
	e.observe(events, s)
}

// Delete removes the log of a terminal or waiting run; what is pending is
// rejected first. conflict when the run is neither, or already deleted.
func (e *Engine) Delete(ctx context.Context, project string, id run.ID, by string) error {
	for {
		line, err := e.cfg.Log.Summary(ctx, id)
		switch {
		case err == nil && line.Project == project && line.Deleted:
			return problem.New(problem.Conflict, "The run has already been deleted.")
		case err != nil && !problem.Is(err, problem.NotFound):
			return err
		}
		s, err := e.Get(ctx, project, id)
		if err != nil {
			return err
		}
		if s.Ended == nil && s.Live() || s.Status == run.Running || s.Status == run.Queued {
			return problem.New(problem.Conflict, "The run is under way (%s); cancel it first.", s.Status)
		}
		status := s.Status
		events := e.lastWords(&s, by)
		if s.Ended == nil { // other runs work for it, and would go on for nobody
			return problem.New(problem.Conflict, "The run has work under way (%s); cancel it first.", status)
		}
		if err = e.append(ctx, &s, events, true); !errors.Is(err, run.ErrConflict) {
			if err == nil {
				e.tell(&s, events)
			}
			return err
		}
	}
}

// lastWords are the events by which a deletion ends a run: what is pending is
// rejected, and what does not end by that is cancelled. A run that has ended gets
// a cancel.requested all the same, which changes nothing and holds the log still.
func (e *Engine) lastWords(s *run.State, by string) []run.Event {
	const reason = "The run was deleted."
	var events []run.Event
	if pending := s.Pending(); len(pending) > 0 {
		ids := make([]string, len(pending))
		for i := range pending {
			ids[i] = pending[i].ID
		}
		events = e.extend(s, []run.Event{{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: ids, By: by, Reason: reason}}})
	}
	if s.Ended == nil || len(events) == 0 {
		events = append(events, e.extend(s, []run.Event{{Type: run.CancelRequested, Cancel: &run.Cancel{By: by, Reason: reason}}})...)
	}
	return events
}
