package run

import (
	"slices"
	"strconv"
	"time"
)

// EffectKind says what an effect does.
type EffectKind string

const (
	CallModel EffectKind = "model"   // ask the model for the step's reply
	CallTool  EffectKind = "tool"    // call the action's tool
	Resolve   EffectKind = "resolve" // book the end of a call that a dead driver left open
)

// Effect is something that should be under way. It is data; the engine performs it.
type Effect struct {
	Kind    EffectKind
	Step    int       // of a model call
	Attempt int       // of a model call, from 1
	Action  string    // of a tool call, or of what is resolved
	Class   Class     // of a tool call
	Outcome Outcome   // of what is resolved
	After   time.Time // not before this time; zero = at once
}

// Key names the effect among those of its run.
func (e Effect) Key() string {
	if e.Kind == CallModel {
		return "model/" + strconv.Itoa(e.Step)
	}
	return string(e.Kind) + "/" + e.Action
}

// Decision is what should be the case now.
type Decision struct {
	// Effects should be under way: the missing are started, the others left
	// alone, and what runs unnamed is cut off.
	Effects []Effect
	// Hold lets what is under way end, and starts nothing (the run is paused).
	Hold bool
	// Finish is the end, to be written now. It is set only when no call is open.
	Finish *Ended
	// WakeAt is when Wake will have happened if nothing else does; zero = never.
	WakeAt time.Time
	Wake   string // WallTime or GateTime
}

// Waits reports whether there is nothing to do until someone else acts.
func (d Decision) Waits() bool { return d.Finish == nil && len(d.Effects) == 0 }

// Decide says what should be under way in a run. The order of its cases is the
// behaviour of the product.
func Decide(s *State) Decision {
	switch {
	case s.Ended != nil:
		return Decision{}
	case s.Cancel != nil:
		return s.stop(s.cancelled())
	case s.Deadline != "":
		return s.stop(s.timedOut())
	case s.Paused:
		return Decision{Hold: true, Effects: s.resolve(false)}
	case s.Queued:
		return Decision{}
	}
	last := s.Last()
	if last == nil {
		return s.nextStep()
	}
	if denied := last.denied(); denied != nil {
		return s.stop(s.scopeDenied(denied))
	}
	calls := s.calls(last)
	switch {
	case len(calls.effects) > 0:
		return s.awake(Decision{Effects: calls.effects})
	case s.away(): // another run is at work for this one: no end while a call is open
		return s.awake(Decision{})
	case calls.lost != nil:
		return s.finish(s.outcomeLost(calls.lost))
	case calls.over:
		return s.finish(s.overLimit("tool_calls", "tool calls", s.Spec.Limits.MaxToolCalls))
	case calls.waiting:
		return s.awake(Decision{})
	case calls.refusal != nil:
		return s.finish(s.rejected(last))
	case s.handed(last), s.Spec.final(last) != nil:
		return s.finish(s.answered(last))
	case s.Spec.RawResults && len(last.Reply.Calls) > 0 && s.endsPass(last):
		return s.passEnd(last)
	case len(last.Reply.Calls) > 0, s.seen() < len(s.Messages):
		return s.nextStep()
	case last.Output != nil && last.Output.Problem != "":
		return s.repair(last)
	}
	return s.passEnd(last)
}

// nextStep asks the model, unless a limit stands before it.
func (s *State) nextStep() Decision {
	limits := s.Spec.Limits
	spent := s.Usage.Add(s.Handed) // children draw from their parent
	used := spent.Input + spent.Output
	switch fail := s.LastFail; {
	case s.Starved():
		return Decision{}
	case s.Refusal != nil:
		return s.finish(s.budgetRefused())
	case len(s.Turns) >= limits.MaxSteps:
		return s.finish(s.stepLimit())
	case limits.MaxTokens > 0 && used >= limits.MaxTokens:
		return s.finish(s.overLimit("tokens", "tokens", limits.MaxTokens))
	case limits.MaxCost > 0 && spent.Cost >= limits.MaxCost:
		return s.finish(s.overCost())
	case fail != nil && !fail.Retry:
		return s.finish(s.modelFailed(fail))
	}
	call := Effect{Kind: CallModel, Step: s.Step(), Attempt: s.Attempt()}
	if s.LastFail != nil {
		call.After = s.FailedAt.Add(time.Duration(s.LastFail.AfterMs) * time.Millisecond)
	}
	return s.awake(Decision{Effects: []Effect{call}})
}

// repair gives the model another turn to mend an answer that does not satisfy
// the schema, as often as the spec allows.
func (s *State) repair(last *Turn) Decision {
	tries := 0
	for i := range s.Turns {
		if out := s.Turns[i].Output; out != nil && out.Problem != "" {
			tries++
		}
	}
	if tries > s.Spec.Repairs {
		return s.finish(s.unsatisfied(last))
	}
	return s.nextStep()
}

// turnCalls is what the calls of a turn need.
type turnCalls struct {
	effects []Effect
	waiting bool    // for a person, or for the caller's output
	over    bool    // a call may run, but the limit of calls is used up
	refusal *Action // a person's no that ends the run
	lost    *Action // a crash hit it, and the caller can't be asked
}

// calls looks at each action of the turn, in call order. Once calls go one after
// the other unless the spec lets them overlap, and calls that share something
// always do; none waits for a pending one.
func (s *State) calls(turn *Turn) turnCalls {
	var found turnCalls
	busy := inTurn{once: !s.Spec.Parallel}
	for i := range turn.Actions {
		if a := &turn.Actions[i]; a.Stage == StartedStage && a.Epoch == s.Epoch {
			busy.take(&a.Tool)
		}
	}
	started := s.Calls
	for i := range turn.Actions {
		a := &turn.Actions[i]
		switch {
		case a.Away():
		case a.Stage == PendingStage || a.AwaitsOutput():
			found.waiting = true
		case a.Stage == RejectedStage && !a.goesOn() && found.refusal == nil:
			found.refusal = a
		case a.Outcome == Unknown && a.Crash && s.Spec.OnUnknown == FailUnknown:
			found.lost = a
		case a.Done():
			busy.end(a)
		case busy.spoilt(a):
			found.effects = append(found.effects, Effect{Kind: Resolve, Action: a.ID, Outcome: Cancelled})
		case a.Stage == StartedStage && a.Epoch == s.Epoch:
			found.effects = append(found.effects, a.call())
		case a.Stage == StartedStage && a.Tool.Class == Once:
			found.effects = append(found.effects, Effect{Kind: Resolve, Action: a.ID, Outcome: Unknown})
		case busy.with(&a.Tool):
		case a.Stage == ApprovedStage && s.Spec.Limits.MaxToolCalls > 0 && started >= s.Spec.Limits.MaxToolCalls:
			found.over = true
		default:
			found.effects = append(found.effects, a.call())
			busy.take(&a.Tool)
			started++
		}
	}
	return found
}

// inTurn is what calls of a turn have taken that others of it must wait for.
type inTurn struct {
	once   bool // once calls wait for each other
	acting bool // one is under way
	shared []string
	failed []string // what calls shared that have failed
}

func (t *inTurn) end(a *Action) {
	if a.Tool.Serial != "" && (a.Outcome == Errored || a.Outcome == Unknown) {
		t.failed = append(t.failed, a.Tool.Serial)
	}
}

// spoilt reports whether the model asked for the call in the belief that an earlier
// one, of something that both share, would go well: to fill in a form and send it
// off. Unless a person has approved it, it is not made. Looking does no harm.
func (t *inTurn) spoilt(a *Action) bool {
	return a.Stage == ApprovedStage && a.Decision == nil && a.Tool.Class == Once && slices.Contains(t.failed, a.Tool.Serial)
}

func (t *inTurn) take(tool *Tool) {
	t.acting = t.acting || tool.Class == Once
	if tool.Serial != "" {
		t.shared = append(t.shared, tool.Serial)
	}
}

func (t *inTurn) with(tool *Tool) bool {
	return t.once && t.acting && tool.Class == Once || slices.Contains(t.shared, tool.Serial)
}

func (a *Action) call() Effect {
	return Effect{Kind: CallTool, Action: a.ID, Class: a.Tool.Class}
}

// goesOn reports whether the run continues after this rejection.
func (a *Action) goesOn() bool { return a.Decision != nil && a.Decision.Continue }

// denied returns the first action whose scope the run's key lacks.
func (t *Turn) denied() *Action {
	for i := range t.Actions {
		if a := &t.Actions[i]; a.Denied != "" && !a.Done() {
			return a
		}
	}
	return nil
}

// stop ends the run as soon as no call is open: nothing is named, so whatever
// runs is cut off, and what a dead driver left open is booked.
func (s *State) stop(end Ended) Decision {
	if open := s.resolve(true); len(open) > 0 {
		return Decision{Effects: open}
	}
	if last := s.Last(); last != nil {
		for i := range last.Actions {
			if last.Actions[i].Stage == StartedStage {
				return Decision{} // of this driver: it is being cut off
			}
		}
	}
	return s.finish(end)
}

// resolve names the calls that an older driver left open and that are not to be
// made again: the once calls, or when the run stops, all of them.
func (s *State) resolve(all bool) []Effect {
	var open []Effect
	last := s.Last()
	if last == nil {
		return nil
	}
	for i := range last.Actions {
		a := &last.Actions[i]
		switch {
		case a.Away() && all: // whoever does it is told to stop
		case a.Stage != StartedStage, a.Epoch == s.Epoch, !all && a.Tool.Class != Once:
			continue
		}
		outcome := Unknown
		if a.Tool.Class == Safe {
			outcome = Cancelled // reading leaves nothing behind
		}
		open = append(open, Effect{Kind: Resolve, Action: a.ID, Outcome: outcome})
	}
	return open
}

func (s *State) finish(end Ended) Decision { return Decision{Finish: &end} }

// Live reports whether the run needs a driver: a sweep at start finds those that
// have none.
func (s *State) Live() bool {
	switch {
	case s.Ended != nil:
		return false
	case s.Queued && !s.Paused, !Decide(s).Waits():
		return true
	}
	last := s.Last()
	if last == nil {
		return false
	}
	for i := range last.Actions {
		if a := &last.Actions[i]; a.Stage == StartedStage && a.Epoch == s.Epoch && !a.Away() {
			return true
		}
	}
	return false
}
