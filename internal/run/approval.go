package run

import (
	"cmp"
	"fmt"
	"slices"
)

// When a person's word is needed, whose, and how far it reaches.

// Approval is what an agent says about approvals beside Gates and GateTimeout.
type Approval struct {
	Rules     []Rule    `json:"rules,omitempty"`           // gates that depend on the arguments
	Untrusted []string  `json:"after_untrusted,omitempty"` // gates that hold once the run has read from outside
	Separate  bool      `json:"separate,omitempty"`        // the key that started the run may not approve
	Quorum    int       `json:"quorum,omitempty"`          // keys that must approve; 0 and 1 = one
	OnTimeout OnTimeout `json:"on_timeout,omitempty"`
}

// Rule is a gate with a condition: of calls of the tool (a name or pattern), those
// whose arguments satisfy When.
type Rule struct {
	Tool string `json:"tool"`
	When string `json:"when"`
}

// OnTimeout is the default decision on an action that nobody decided in time.
type OnTimeout string

const (
	RejectOnTimeout   OnTimeout = "reject"   // and the run ends; so does one that says nothing
	ContinueOnTimeout OnTimeout = "continue" // the call is rejected, and the model goes on
	ApproveOnTimeout  OnTimeout = "approve"
)

// Reach is how far an approval reaches beyond the action that it is for.
type Reach string

const (
	OnceReach      Reach = ""          // this action
	RunReach       Reach = "run"       // every later call of the tool by this run
	ArgumentsReach Reach = "arguments" // every later call with the same arguments
)

// Grant is a person's word on calls that a run may yet make.
type Grant struct {
	Tool, Version string
	Arguments     string // the bytes; with Any they do not matter
	Any           bool
}

// Judge knows what the core does not.
type Judge struct {
	// Check reports in what way arguments (JSON text) do not satisfy a tool's schema,
	// in words for the model; nil when they do.
	Check func(tool *Tool, arguments string) error
	// Holds reports whether arguments satisfy a rule's condition. One that can't be
	// evaluated holds: a person sees what it was meant for. Nil = all hold.
	Holds func(when, arguments string) bool
	// Mask takes the secrets that the server knows out of a text for people; nil =
	// it knows none.
	Mask func(text string) string
}

// gated reports whether a call that is about to be planned needs a person's word.
func (s *State) gated(tool *Tool, arguments string, judge *Judge) bool {
	needed := s.Spec.Gated(tool.Name)
	if a := s.Spec.Approval; a != nil && !needed {
		covers := func(pattern string) bool { return GateMatches(pattern, tool.Name) }
		needed = slices.ContainsFunc(a.Rules, func(r Rule) bool {
			return covers(r.Tool) && (judge.Holds == nil || judge.Holds(r.When, arguments))
		}) || slices.ContainsFunc(a.Untrusted, covers) && s.tainted()
	}
	return needed && !s.granted(tool, arguments)
}

// granted reports whether a person's word for more than one call reaches this one.
func (s *State) granted(tool *Tool, arguments string) bool {
	return slices.ContainsFunc(s.Grants, func(g Grant) bool {
		return g.Tool == tool.Name && g.Version == tool.Version && (g.Any || g.Arguments == arguments)
	})
}

// Vouched reports whether the action may be called because a person has said so,
// of it or of calls like it: then it is called as they saw it or not at all.
func (s *State) Vouched(a *Action) bool {
	return a.Decision != nil || s.granted(&a.Tool, a.Arguments)
}

// Intact reports whether the action is still what its digest says: whatever was
// done to the log since it was planned, this shows it. A call that nobody was ever
// to be asked about has none.
func (s *State) Intact(a *Action) bool {
	if a.Digest == "" {
		return a.Decision == nil
	}
	return a.Digest == Digest(&s.Spec, &a.Tool, a.Arguments)
}

// tainted reports whether the model has seen something that came from outside. What
// another run hands back counts: what that one had read is not known here.
func (s *State) tainted() bool {
	for t := range s.Turns {
		for i := range s.Turns[t].Actions {
			if a := &s.Turns[t].Actions[i]; (a.Tool.Outside || a.Tool.Handoff != "") && a.Refused == "" && a.Stage == FinishedStage {
				return true
			}
		}
	}
	return false
}

// quorum is how many keys have to approve an action.
func (s *Spec) quorum() int {
	if s.Approval == nil {
		return 1
	}
	return max(s.Approval.Quorum, 1)
}

// Missing is how many further voices have to approve the action; 0 unless it waits.
func (s *State) Missing(a *Action) int {
	if !a.Waits() {
		return 0
	}
	return s.Spec.quorum() - len(a.Approvers)
}

// approved books one voice's yes, and reports whether it was the last that was
// needed. A yes to changed arguments is none to those before.
func (s *State) approved(a *Action, d *Decided) bool {
	if d.Arguments != "" && d.Arguments != a.Arguments {
		if a.Original == "" {
			a.Original = a.Arguments
		}
		a.Arguments, a.Digest, a.Preview, a.Approvers = d.Arguments, d.Digest, d.Preview, nil
	}
	if voice := cmp.Or(d.Voice, d.By); !slices.Contains(a.Approvers, voice) {
		a.Approvers = append(slices.Clone(a.Approvers), voice)
	}
	if len(a.Approvers) < s.Spec.quorum() {
		return false
	}
	if d.Reach != OnceReach {
		s.Grants = append(s.Grants, Grant{Tool: a.Tool.Name, Version: a.Tool.Version, Arguments: a.Arguments, Any: d.Reach == RunReach})
	}
	return true
}

// lapsed is what becomes of an action that nobody decided in time.
func (s *State) lapsed(a *Action) {
	on := RejectOnTimeout
	if s.Spec.Approval != nil {
		on = s.Spec.Approval.OnTimeout
	}
	a.TimedOut = true
	if on == ApproveOnTimeout && a.Reason == ChangedReason {
		on = RejectOnTimeout // silence is no yes to something that was changed behind it
	}
	switch on {
	case ApproveOnTimeout:
		a.Stage, a.Decision = ApprovedStage, &Decided{Actions: []string{a.ID}, Approve: true, Reason: "Nobody decided in time."}
		return
	case ContinueOnTimeout:
		a.Decision = &Decided{Actions: []string{a.ID}, Continue: true}
	}
	a.Stage, a.Outcome = RejectedStage, Rejected
}

// edited tells the model that what was called is not what it asked for.
func (a *Action) edited(text string) string {
	if a.Original == "" {
		return text
	}
	return fmt.Sprintf("A person changed the arguments of this call to %s before it was made.\n%s", a.Arguments, text)
}
