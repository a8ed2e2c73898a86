// Package explain answers the questions that people ask of one run: why does it
// wait, since when, and what would move it; what has each step cost; what was tried
// again; what was the model not shown; and what exactly was it asked.
//
// What it promises: everything is read from the log alone, so that the answer is the
// same on any machine and for as long as the log is there; a run that has not ended
// has at least one reason to be where it is, or Stuck is set; a prompt is, to the
// byte, the messages that the driver handed to the model.
//
// A tour: explain.go (what is known of a run), waits.go (why it waits), spans.go (what its
// time was spent on), prompt.go (what a model call was sent).
//
// To change what counts as a reason, edit waits.go, beside run.Decide, whose cases it
// follows.
package explain

import (
	"time"

	"errand/internal/run"
)

// Explanation is what can be said of a run.
type Explanation struct {
	State   run.State
	Waits   []Wait
	Stuck   bool // it has not ended, and nothing is known that would move it
	Steps   []Step
	Retries []Retry
	Drivers int // that have taken the run over: after a restart, or when it went on after a wait
}

// Step is what one model turn and its calls have taken.
type Step struct {
	N        int
	Model    string
	At       time.Time // when the reply was there
	Attempts int       // calls of the model, with those that failed
	Ms       int64
	FirstMs  int64 // until the first piece of the reply
	Usage    run.Usage
	Trimmed  *run.Trimmed // what the model was not shown; nil = it was shown everything
	Calls    []Call
}

// Call is one tool call of a step.
type Call struct {
	Action   string
	Tool     string
	Stage    run.Stage
	Outcome  run.Outcome
	Attempts int // how often it was started
	Ms       int64
	Waited   time.Duration // for a person, as far as that is over
}

// Retry is a model call that brought no reply.
type Retry struct {
	Step, Attempt int
	At            time.Time
	Code          string
	Message       string
	Again         bool // another attempt followed, or will
	AfterMs       int64
	Usage         run.Usage
}

// Of explains a run by its log. Now is for what has a time to wait for.
func Of(id run.ID, events []run.Event, now time.Time) Explanation {
	x := Explanation{State: run.State{ID: id}}
	var failed run.Usage // by the calls of the step under way that brought no reply
	tries := 0
	waited := map[string]time.Duration{}
	for i := range events {
		e := &events[i]
		pending := pendingSince(&x.State)
		x.State.Take(e)
		for action, since := range pending {
			if a := x.State.Action(action); a != nil && !a.Waits() {
				waited[action] += e.At.Sub(since)
			}
		}
		switch {
		case e.Driven != nil:
			x.Drivers++
		case e.Failed != nil:
			x.Retries = append(x.Retries, Retry{
				Step: e.Failed.Step, Attempt: e.Failed.Attempt, At: e.At, Code: e.Failed.Code, Message: e.Failed.Message,
				Again: e.Failed.Retry, AfterMs: e.Failed.AfterMs, Usage: e.Failed.Usage,
			})
			failed, tries = failed.Add(e.Failed.Usage), tries+1
		case e.Responded != nil:
			r := e.Responded
			x.Steps = append(x.Steps, Step{
				N: r.Step, Model: r.Reply.Model, At: e.At, Attempts: max(r.Attempt, tries+1), Ms: r.Ms, FirstMs: r.First,
				Usage: r.Reply.Usage.Add(failed), Trimmed: r.Trimmed,
			})
			failed, tries = run.Usage{}, 0
		}
	}
	for i := range x.Steps {
		if i < len(x.State.Turns) {
			x.Steps[i].Calls = calls(&x.State.Turns[i], waited)
		}
	}
	if tries > 0 { // the step under way has cost something, too
		x.Steps = append(x.Steps, Step{N: x.State.Step(), Attempts: tries, Usage: failed})
	}
	x.Waits = waits(&x.State, now)
	x.Stuck = x.State.Ended == nil && len(x.Waits) == 0
	return x
}

func pendingSince(s *run.State) map[string]time.Time {
	var since map[string]time.Time
	for _, a := range s.Pending() {
		if since == nil {
			since = map[string]time.Time{}
		}
		since[a.ID] = a.Since
	}
	return since
}

func calls(turn *run.Turn, waited map[string]time.Duration) []Call {
	var all []Call
	for i := range turn.Actions {
		a := &turn.Actions[i]
		name := a.Tool.Name
		if name == "" && i < len(turn.Reply.Calls) {
			name = turn.Reply.Calls[i].Name // one that there is not
		}
		all = append(all, Call{
			Action: a.ID, Tool: name, Stage: a.Stage, Outcome: a.Outcome, Attempts: a.Attempt, Ms: a.Ms, Waited: waited[a.ID],
		})
	}
	return all
}

// Why tells in one sentence where the run stands.
func (x *Explanation) Why() string {
	switch {
	case x.State.Ended != nil && x.State.Ended.Error != "":
		return x.State.Ended.Error
	case x.State.Ended != nil:
		return "The run has ended: " + string(x.State.Ended.Reason) + "."
	case x.Stuck:
		return "Nothing is known that would move this run. It should not be: errand doctor tells more."
	}
	return x.Waits[0].Why
}
