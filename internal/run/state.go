package run

import "time"

// Status is where a run stands.
type Status string

const (
	Queued           Status = "queued"
	Running          Status = "running"
	AwaitingApproval Status = "awaiting_approval"
	AwaitingInput    Status = "awaiting_input"
	PausedStatus     Status = "paused"
	Completed        Status = "completed"
	FailedStatus     Status = "failed"
	CancelledStatus  Status = "cancelled"
)

// Statuses lists all of them, in the order of a run's life.
func Statuses() []Status {
	return []Status{Queued, Running, AwaitingApproval, AwaitingInput, PausedStatus, Completed, FailedStatus, CancelledStatus}
}

// Terminal reports whether a status never changes again.
func (s Status) Terminal() bool {
	return s == Completed || s == FailedStatus || s == CancelledStatus
}

// StopReason is why a run ended.
type StopReason string

const (
	Answered          StopReason = "answered"
	RejectedReason    StopReason = "rejected"
	StepLimit         StopReason = "step_limit"
	BudgetExhausted   StopReason = "budget_exhausted"
	Timeout           StopReason = "timeout"
	CancelledReason   StopReason = "cancelled"
	ModelError        StopReason = "model_error"
	ToolError         StopReason = "tool_error"
	SchemaUnsatisfied StopReason = "schema_unsatisfied"
	ScopeDenied       StopReason = "scope_denied"
)

// State is what has happened to a run so far: the fold of its log.
type State struct {
	ID     ID
	Seq    int64
	Epoch  int64
	Spec   Spec
	Status Status

	Turns    []Turn  // one per model reply
	Messages []Added // steering messages, in order of arrival
	Usage    Usage
	Handed   Usage // of the runs that it has handed work to, as far as they have ended
	Calls    int   // tool calls started
	Actions  int   // calls that have an action id: the last id is act_<Actions>

	Failures  int     // failed model calls of the step under way
	Takeovers int     // drivers that came during the step under way
	Cuts      int     // replies of the step under way that a message has cut off
	Woken     bool    // it was at rest, and no driver has come for it yet
	LastFail  *Failed // the latest of them
	FailedAt  time.Time

	Grants []Grant // what a person has allowed for calls to come

	Queued   bool // no room yet: run.started has not come
	Paused   bool
	Refusal  *Refusal // the budget that had no room for the next model call
	Cancel   *Cancel
	Deadline string // the deadline that ends the run, if it has passed

	Ended     *Ended
	CreatedAt time.Time
	UpdatedAt time.Time
	EndedAt   time.Time
	Worked    time.Duration // time in which the run did not wait for anyone
}

// Turn is one step: a model's reply and the actions that it asked for.
type Turn struct {
	Step    int
	Attempt int
	Seen    int // messages that its request held
	Reply   Reply
	Actions []Action
	Output  *Verdict
	Trimmed *Trimmed
	At      time.Time
	Ms      int64
}

// Stage is how far an action has come.
type Stage string

const (
	PendingStage  Stage = "pending"  // waits for a person
	ApprovedStage Stage = "approved" // may be called: by its decision, or because no gate covers it
	RejectedStage Stage = "rejected"
	StartedStage  Stage = "started"
	FinishedStage Stage = "finished"
)

// Why an action is pending.
const (
	GateReason    = "gate"            // the agent wants a person's word
	UnknownReason = "outcome_unknown" // a call was made and nobody knows what came of it
	ChangedReason = "changed"         // the tool is no longer what was approved
)

// Action is one tool call with its stage.
type Action struct {
	Planned
	Step      int
	CallID    string
	Tool      Tool     // as the call would be made
	Arguments string   // what runs: the model's bytes, or those that a person put in their place
	Original  string   // the model's, if a person has changed them
	Approvers []string // keys whose voices have approved it while it waits for more
	Stage     Stage
	Reason    string    // of a pending action: GateReason, UnknownReason, ChangedReason
	Since     time.Time // when it came to this stage
	Asked     time.Time // when people were last asked about it; zero = never
	Epoch     int64     // of the driver that started it
	Attempt   int       // how often it was started
	Outcome   Outcome
	Crash     bool
	Output    string
	Images    []Image // beside the output
	Child     *ID     // of a started handoff: the run that does it
	Ms        int64
	Decision  *Decided // the last word on it
	Before    *Decided // the word before that, when it is pending again
	DecidedAt time.Time
	TimedOut  bool // rejected because nobody decided in time
}

// Waits reports whether the action waits for a person.
func (a *Action) Waits() bool { return a.Stage == PendingStage }

// AwaitsOutput reports whether the action waits for the caller's output.
func (a *Action) AwaitsOutput() bool { return a.Stage == ApprovedStage && a.Tool.Function }

// Word is the last decision on the action: whether it was approved, and whether
// there was one at all. An action that lapsed counts as rejected.
func (a *Action) Word() (approved, decided bool) {
	if a.Decision != nil {
		return a.Decision.Approve, true
	}
	return false, a.TimedOut
}

// Done reports whether nothing more will come of the action.
func (a *Action) Done() bool { return a.Stage == FinishedStage || a.Stage == RejectedStage }

// Terminal reports whether the run has ended.
func (s *State) Terminal() bool { return s.Ended != nil }

// Last returns the turn under way, or nil before the first reply.
func (s *State) Last() *Turn {
	if len(s.Turns) == 0 {
		return nil
	}
	return &s.Turns[len(s.Turns)-1]
}

// Action finds an action by its id, newest turn first, or returns nil.
func (s *State) Action(id string) *Action {
	for t := len(s.Turns) - 1; t >= 0; t-- {
		for i := range s.Turns[t].Actions {
			if s.Turns[t].Actions[i].ID == id {
				return &s.Turns[t].Actions[i]
			}
		}
	}
	return nil
}

// Pending returns the actions of the last turn that wait for a person.
func (s *State) Pending() []Action { return s.waiting((*Action).Waits) }

// PendingCalls returns the actions of the last turn whose output the caller owes.
func (s *State) PendingCalls() []Action { return s.waiting((*Action).AwaitsOutput) }

func (s *State) waiting(which func(*Action) bool) []Action {
	var found []Action
	if last := s.Last(); last != nil && s.Ended == nil {
		for i := range last.Actions {
			if which(&last.Actions[i]) {
				found = append(found, last.Actions[i])
			}
		}
	}
	return found
}

// Starved reports whether the run waits for a budget to be raised.
func (s *State) Starved() bool {
	return s.Refusal != nil && s.Spec.OnBudget == WaitForBudget && s.Ended == nil
}

// Step is the number of the model call that is under way or comes next.
func (s *State) Step() int { return len(s.Turns) + 1 }

// Attempt numbers the calls made for the step under way, from 1. A driver that
// takes over makes a new one, and so does a message that cuts the reply off.
func (s *State) Attempt() int { return 1 + s.Failures + s.Takeovers + s.Cuts }

// Summarize returns the run's line in lists.
func (s *State) Summarize() Summary {
	pending := 0
	if last := s.Last(); last != nil && s.Ended == nil {
		for i := range last.Actions {
			if last.Actions[i].Waits() {
				pending++
			}
		}
	}
	line := Summary{
		ID: s.ID, Project: s.Spec.Project, Dialect: s.Spec.Dialect, Model: s.Spec.Model,
		Status: s.Status, Seq: s.Seq, Epoch: s.Epoch,
		Steps: len(s.Turns), MaxSteps: s.Spec.Limits.MaxSteps, Usage: s.Usage,
		Pending: pending, Live: s.Live(), Title: title(s.Spec.Input.Text),
		Fingerprint: s.Spec.Fingerprint,
		CreatedAt:   s.CreatedAt, UpdatedAt: s.UpdatedAt, EndedAt: s.EndedAt,
	}
	if s.Spec.Agent != nil {
		line.Agent = s.Spec.Agent.ID
	}
	if s.Ended != nil {
		line.StopReason = s.Ended.Reason
	}
	return line
}

// titleRunes bounds a title: one line of a list.
const titleRunes = 80

func title(text string) string {
	count := 0
	for i, r := range text {
		if count == titleRunes || r == '\n' {
			return text[:i]
		}
		count++
	}
	return text
}
