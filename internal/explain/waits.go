package explain

import (
	"fmt"
	"time"

	"errand/internal/run"
)

// For says what a run waits for.
type For string

const (
	Approval For = "approval" // a person's word
	Outcome  For = "outcome"  // a person who knows what came of a call
	Input    For = "input"    // the caller's output of a function
	Resume   For = "resume"   // somebody has paused it
	Budget   For = "budget"   // a budget has no room
	Room     For = "room"     // the server, or the run's lane, is full
	Child    For = "child"    // another run that does part of the work
	Model    For = "model"    // a model call is under way
	Again    For = "retry"    // a model call failed and is made again
	Tool     For = "tool"     // a tool call is under way, or about to be
	Ending   For = "ending"   // calls under way are being cut off
)

// Wait is one reason for which a run is where it is.
type Wait struct {
	For    For
	Since  time.Time
	Until  time.Time // when it is over by itself; zero = no clock ends it
	Action string
	Tool   string
	Run    *run.ID // the child
	Why    string  // for people
	Moves  string  // what would move it, for people
}

// waits follows the cases of run.Decide.
func waits(s *run.State, now time.Time) []Wait {
	switch {
	case s.Ended != nil:
		return nil
	case s.Cancel != nil, s.Deadline != "":
		return []Wait{{For: Ending, Since: s.UpdatedAt, Why: "The run is ending: calls under way are cut off.", Moves: "Nothing is needed: it takes a second."}}
	}
	return append(rests(s), effects(s, now)...)
}

// rests are the reasons for which a run is at rest, or a part of it: what somebody else
// has to do before it goes on.
func rests(s *run.State) []Wait {
	if s.Ended != nil || s.Cancel != nil || s.Deadline != "" {
		return nil
	}
	var all []Wait
	if s.Paused {
		all = append(all, Wait{For: Resume, Since: s.UpdatedAt, Why: "The run is paused.", Moves: "POST …/resume lets it go on."})
	} else if s.Queued {
		all = append(all, Wait{For: Room, Since: s.CreatedAt, Why: room(s), Moves: makesRoom(s)})
	}
	if s.Starved() {
		all = append(all, Wait{
			For: Budget, Since: s.UpdatedAt, Until: s.Refusal.Until, Why: s.Refusal.Message,
			Moves: "Raise the budget, or wait until its period is over.",
		})
	}
	return append(all, actions(s)...)
}

func room(s *run.State) string {
	if lane := s.Spec.Lane; lane != nil {
		return fmt.Sprintf("As many runs of its kind are at work as may be: %d.", lane.Max)
	}
	return "As many runs are at work as this server drives at once."
}

func makesRoom(s *run.State) string {
	if s.Spec.Lane != nil {
		return "Others of its kind have to end first; more at once are taken where this bound was set, such as runs_at_once of the key."
	}
	return "Others have to end first; a higher max_active takes more at once."
}

// actions are what persons, callers and other runs owe.
func actions(s *run.State) []Wait {
	last := s.Last()
	if last == nil {
		return nil
	}
	var all []Wait
	for i := range last.Actions {
		a := &last.Actions[i]
		w := Wait{Since: a.Since, Action: a.ID, Tool: a.Tool.Name}
		switch {
		case a.Waits() && a.Reason == run.UnknownReason:
			w.For, w.Why = Outcome, "The call was made, and nobody knows what came of it."
			w.Moves = "Look at the tool's side. Approve to make the call again; reject if it has happened or must not be repeated."
		case a.Waits():
			w.For, w.Why, w.Moves = Approval, asks(s, a), "POST …/approve, with reject: true for a no."
			if s.Spec.GateTimeout > 0 {
				w.Until = a.Since.Add(s.Spec.GateTimeout.Duration())
			}
		case a.AwaitsOutput():
			w.For, w.Why, w.Moves = Input, "The caller makes this call and owes its output.", "POST …/tool_outputs with the output."
		case a.Away():
			w.For, w.Run, w.Why, w.Moves = Child, a.Child, "Another run does this work.", "The other run has to end: explain that one."
		default:
			continue
		}
		all = append(all, w)
	}
	return all
}

func asks(s *run.State, a *run.Action) string {
	why := "A person has to decide about this call."
	if a.Reason == run.ChangedReason {
		why = "The call is not what was approved any more, because its tool or its arguments were changed: a person has to decide again."
	}
	if n := s.Missing(a); n > 1 || len(a.Approvers) > 0 {
		why += fmt.Sprintf(" %d more have to approve.", n)
	}
	return why
}

// effects are what a driver has under way.
func effects(s *run.State, now time.Time) []Wait {
	var all []Wait
	for _, e := range run.Decide(s).Effects {
		switch {
		case e.Kind == run.CallModel && e.After.After(now):
			all = append(all, Wait{
				For: Again, Since: s.FailedAt, Until: e.After, Why: "A model call failed (" + s.LastFail.Code + ") and will be made again.",
				Moves: "Nothing is needed.",
			})
		case e.Kind == run.CallModel:
			all = append(all, Wait{For: Model, Since: s.UpdatedAt, Why: fmt.Sprintf("The model is asked: step %d, attempt %d.", e.Step, e.Attempt), Moves: "The model has to answer."})
		default:
			a := s.Action(e.Action)
			if a == nil {
				continue
			}
			all = append(all, Wait{For: Tool, Since: a.Since, Action: a.ID, Tool: a.Tool.Name, Why: "The tool is called.", Moves: "The tool has to answer."})
		}
	}
	if len(all) == 0 && s.Live() && !s.Queued {
		return []Wait{{For: Tool, Since: s.UpdatedAt, Why: "Calls under way are ending.", Moves: "Nothing is needed."}}
	}
	return all
}
