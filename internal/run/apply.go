package run

import "time"

// Fold applies a run's events in order. The State it returns is the caller's own.
func Fold(id ID, events []Event) State {
	s := State{ID: id}
	for i := range events {
		s.Take(&events[i])
	}
	return s
}

// Apply folds one event into a state: a logged event happened. It is total: an
// event that makes no sense where it stands changes nothing but Seq. It consumes
// s: the two states share memory, and only the returned one may be used.
func Apply(s State, e Event) State {
	s.Take(&e)
	return s
}

// Take is Apply in place.
func (s *State) Take(e *Event) {
	s.spend(e)
	if e.Seq > s.Seq {
		s.Seq = e.Seq
	}
	if e.At.After(s.UpdatedAt) {
		s.UpdatedAt = e.At
	}
	switch {
	case !e.whole():
	case s.Ended != nil && e.Type == ChildFinished:
		s.Handed = s.Handed.Add(e.Child.Usage)
	case s.Ended != nil:
		s.Usage = s.Usage.Add(lateUsage(e))
	default:
		s.wakes(e)
		s.fold(e)
		s.Status = s.status()
	}
}

// spend counts the time since the last event as work if the run was at work. The
// time before a takeover is not: a parked or dead driver did not work.
func (s *State) spend(e *Event) {
	if s.busy() && e.Type != RunDriven && e.At.After(s.UpdatedAt) {
		s.Worked += e.At.Sub(s.UpdatedAt)
	}
}

// wakes notes that the event finds a run in which nothing was under way: the
// driver that comes for it takes over from nobody.
func (s *State) wakes(e *Event) {
	switch e.Type {
	case ApprovalDecided, ApprovalExpired, MessageAdded, InputReceived, ChildFinished, RunResumed, BudgetRaised:
		going := *s
		going.Paused = false // what was under way when the run was paused goes on
		if Decide(&going).Waits() {
			s.Woken = true
		}
	}
}

// lateUsage is what a fact that arrives after the end still costs.
func lateUsage(e *Event) Usage {
	switch e.Type {
	case ModelResponded:
		return e.Responded.Reply.Usage
	case ModelFailed:
		return e.Failed.Usage
	}
	return Usage{}
}

func (s *State) fold(e *Event) {
	switch e.Type {
	case RunCreated:
		s.created(e)
	case RunStarted:
		s.Queued = false
	case RunDriven:
		s.driven(e.Driven.Epoch)
	case ModelResponded:
		s.responded(e.Responded, e.At)
	case ModelFailed:
		s.failed(e.Failed, e.At)
	case ToolStarted:
		s.started(e.Started, e.At)
	case ToolFinished:
		s.finished(e.Finished, e.At)
	case ApprovalDecided:
		s.decided(e.Decided, e.At)
	case ApprovalExpired:
		s.expired(e.Expired, e.At)
	case MessageAdded:
		s.Messages = append(s.Messages, *e.Message)
		if e.Message.Cut {
			s.Cuts++
		}
	case InputReceived:
		s.received(e.Input, e.At)
	case CancelRequested:
		if s.Cancel == nil {
			s.Cancel = e.Cancel
		}
	case RunPaused:
		s.Paused = true
	case RunResumed:
		s.Paused, s.Refusal = false, nil
	case BudgetRefused:
		s.Refusal = e.Refusal
	case BudgetRaised:
		s.Refusal = nil
	case DeadlinePassed:
		s.Deadline = e.Deadline.Which
	case ChildFinished:
		s.childFinished(e.Child, e.At)
	case RunFinished:
		s.Ended, s.EndedAt = e.Ended, e.At
	}
}

func (s *State) created(e *Event) {
	if s.CreatedAt.IsZero() {
		s.Spec, s.Queued = e.Created.Spec, e.Created.Queued
		s.CreatedAt, s.Epoch = e.At, 1
	}
}

// driven: the new driver makes a new attempt at the model call, if one was under
// way, and finds the tool calls that its predecessor left open.
func (s *State) driven(epoch int64) {
	if epoch > s.Epoch {
		s.Epoch = epoch
		if !s.Woken {
			s.Takeovers++
		}
		s.Woken = false
	}
}

func (s *State) responded(r *Responded, at time.Time) {
	s.Usage = s.Usage.Add(r.Reply.Usage)
	if r.Step != s.Step() {
		return // a second reply to a step that has one: it cost, and that is all
	}
	turn := Turn{
		Step: r.Step, Attempt: r.Attempt, Seen: min(max(r.Seen, s.seen()), len(s.Messages)), Reply: r.Reply,
		Output: r.Output, Trimmed: r.Trimmed, At: at, Ms: r.Ms,
	}
	calls := min(len(r.Actions), len(r.Reply.Calls))
	if calls > 0 {
		turn.Actions = make([]Action, calls)
	}
	for i := range calls {
		turn.Actions[i] = s.newAction(r, i, at)
	}
	s.Actions += calls
	s.Turns = append(s.Turns, turn)
	s.Failures, s.Takeovers, s.Cuts, s.LastFail = 0, 0, 0, nil
}

func (s *State) newAction(r *Responded, i int, at time.Time) Action {
	call, planned := r.Reply.Calls[i], r.Actions[i]
	a := Action{
		Planned: planned, Step: r.Step, CallID: call.ID, Arguments: call.Arguments,
		Tool: Tool{Name: call.Name}, Stage: ApprovedStage, Since: at,
	}
	if tool := s.Spec.Tool(call.Name); tool != nil {
		a.Tool = *tool
	} else if planned.Refused == "" {
		a.Refused = "There is no such tool."
	}
	switch {
	case a.Refused != "":
		a.end(Errored, a.Refused, at)
	case planned.Gated:
		a.Stage, a.Reason, a.Asked = PendingStage, GateReason, at
	case s.Spec.handsBack(&a.Tool):
		a.end(OK, returned, at)
	}
	return a
}

// end is the last thing that happens to an action.
func (a *Action) end(outcome Outcome, output string, at time.Time) {
	a.Stage, a.Outcome, a.Output, a.Since = FinishedStage, outcome, output, at
	a.Reason = ""
}

func (s *State) failed(f *Failed, at time.Time) {
	s.Usage = s.Usage.Add(f.Usage)
	if f.Step == s.Step() {
		s.Failures++
		s.LastFail, s.FailedAt = f, at
	}
}

func (s *State) started(st *Started, at time.Time) {
	a := s.Action(st.Action)
	if a == nil || a.Tool.Function || a.Stage != ApprovedStage && a.Stage != StartedStage {
		return
	}
	a.Stage, a.Epoch, a.Since, a.Child = StartedStage, st.Epoch, at, st.Child
	a.Attempt++
	s.Calls++
}

func (s *State) finished(f *Finished, at time.Time) {
	a := s.Action(f.Action)
	if a == nil || a.Done() {
		return
	}
	a.Ms, a.Crash, a.Images = f.Ms, f.Crash, f.Images
	if f.Outcome == Unknown && s.Spec.OnUnknown == AskUnknown && !s.stopping() {
		a.ask(UnknownReason, at)
		a.Output = f.Output
		return
	}
	a.end(f.Outcome, f.Output, at)
}

// ask makes the action pending again.
func (a *Action) ask(reason string, at time.Time) {
	a.Approvers = nil // it is another question now
	a.Stage, a.Reason, a.Since, a.Asked = PendingStage, reason, at, at
	a.Before, a.Decision = a.Decision, nil
}

// stopping reports whether the run is on its way to its end: nobody is asked
// about anything any more.
func (s *State) stopping() bool { return s.Cancel != nil || s.Deadline != "" }

func (s *State) decided(d *Decided, at time.Time) {
	for _, id := range d.Actions {
		a := s.Action(id)
		if a == nil || !a.Waits() {
			continue
		}
		if d.Approve && !s.approved(a, d) {
			continue // others have to say so, too
		}
		a.Decision, a.DecidedAt, a.Since = d, at, at
		switch {
		case d.Approve && s.Spec.handsBack(&a.Tool):
			a.end(OK, returned, at)
		case d.Approve:
			a.Stage = ApprovedStage
		case a.Attempt > 0:
			a.end(Unknown, a.Output, at) // "it happened, or must not be repeated"
		default:
			a.Stage, a.Outcome = RejectedStage, Rejected
		}
	}
}

func (s *State) expired(x *Expired, at time.Time) {
	for i, id := range x.Actions {
		a := s.Action(id)
		switch {
		case a == nil:
		case x.Tool != nil && (a.Stage == ApprovedStage || a.Stage == StartedStage):
			a.ask(ChangedReason, at)
			a.Tool = *x.Tool
			a.Digest, a.Preview = nth(x.Digests, i), nth(x.Previews, i)
		case x.Timeout && a.Waits() && a.Reason != UnknownReason:
			a.Since = at
			s.lapsed(a)
		}
	}
}

func nth(list []string, i int) string {
	if i < len(list) {
		return list[i]
	}
	return ""
}

func (s *State) received(in *Input, at time.Time) {
	for _, out := range in.Outputs {
		a := s.Action(out.Action)
		if a == nil || !a.AwaitsOutput() {
			continue
		}
		outcome := OK
		if out.Failed {
			outcome = Errored
		}
		a.end(outcome, out.Text, at)
	}
}

// status derives the status from everything else, so that the two cannot differ.
func (s *State) status() Status {
	switch {
	case s.Ended != nil:
		return s.Ended.Status
	case s.stopping():
		return Running // its end is being written
	case s.Paused, s.Starved():
		return PausedStatus
	case s.Queued:
		return Queued
	}
	status := Running
	if last := s.Last(); last != nil {
		for i := range last.Actions {
			if last.Actions[i].Waits() {
				return AwaitingApproval
			}
			if last.Actions[i].AwaitsOutput() {
				status = AwaitingInput
			}
		}
	}
	return status
}

// busy reports whether a driver has something under way: the time until the next
// event counts as work.
func (s *State) busy() bool {
	if s.Status == Running || s.Paused {
		return !s.Paused && !s.AwaitsChild()
	}
	if last := s.Last(); last != nil && s.Ended == nil {
		for i := range last.Actions {
			if a := &last.Actions[i]; a.Stage == StartedStage && !a.Away() {
				return true
			}
		}
	}
	return false
}

// seen is how many added messages the latest reply's request held.
func (s *State) seen() int {
	if last := s.Last(); last != nil {
		return last.Seen
	}
	return 0
}
