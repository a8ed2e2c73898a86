package run

import "slices"

// CauseKind is a kind of reason for which an action waits for a person.
type CauseKind string

const (
	GateCause      CauseKind = "gate"            // its tool needs a person's word, whatever the call
	RuleCause      CauseKind = "rule"            // its arguments satisfy a condition
	UntrustedCause CauseKind = "after_untrusted" // the run has read what comes from outside
	UnknownCause   CauseKind = "outcome_unknown" // it was called, and nobody knows what came of it
	ChangedCause   CauseKind = "changed"         // it is not what was approved
)

// Cause is one reason for which an action waits for a person.
type Cause struct {
	Kind CauseKind
	Gate string // the tool's name or the pattern that covers it
	When string // of a rule: its condition
}

// Causes returns why an action waits: those of its gate are read from the spec anew,
// with the arguments that the model gave it. Holds is a Judge's; nil = all hold.
func (s *State) Causes(a *Action, holds func(when, arguments string) bool) []Cause {
	switch {
	case !a.Waits():
		return nil
	case a.Reason == UnknownReason:
		return []Cause{{Kind: UnknownCause}}
	}
	var all []Cause
	if a.Reason == ChangedReason {
		all = append(all, Cause{Kind: ChangedCause})
	}
	name, arguments := a.Tool.Name, a.Arguments
	if a.Original != "" {
		arguments = a.Original
	}
	if i := slices.IndexFunc(s.Spec.Gates, func(gate string) bool { return GateMatches(gate, name) }); i >= 0 {
		return append(all, Cause{Kind: GateCause, Gate: s.Spec.Gates[i]})
	}
	if s.Spec.Approval == nil {
		return all
	}
	for _, r := range s.Spec.Approval.Rules {
		if GateMatches(r.Tool, name) && (holds == nil || holds(r.When, arguments)) {
			all = append(all, Cause{Kind: RuleCause, Gate: r.Tool, When: r.When})
		}
	}
	for _, gate := range s.Spec.Approval.Untrusted {
		if GateMatches(gate, name) && s.tainted() {
			all = append(all, Cause{Kind: UntrustedCause, Gate: gate})
		}
	}
	return all
}

// OnExpiry is what becomes of an action that waits if nobody decides before its gate's
// time is over; empty = it waits without limit.
func (s *State) OnExpiry(a *Action) OnTimeout {
	if s.Spec.GateTimeout == 0 || !a.Waits() || a.Reason == UnknownReason {
		return ""
	}
	on := RejectOnTimeout
	if s.Spec.Approval != nil && s.Spec.Approval.OnTimeout != "" {
		on = s.Spec.Approval.OnTimeout
	}
	if on == ApproveOnTimeout && a.Reason == ChangedReason {
		return RejectOnTimeout // as lapsed has it
	}
	return on
}
