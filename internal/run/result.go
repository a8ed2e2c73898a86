package run

import (
	"fmt"
	"strings"
)

// How each end reads. The codes are public; limit names which limit was hit.

func (s *State) answered(last *Turn) Ended {
	cut := last.Reply.Finish == "length" || last.Reply.Finish == "content_filter"
	result := Result{Summary: last.Reply.Text, Partial: cut}
	if s.Spec.RawResults && !s.handed(last) && len(last.Reply.Calls) > 0 {
		result.Summary = last.raw()
	}
	if final := s.Spec.final(last); final != nil {
		result = Result{Summary: final.Output}
	}
	if last.Output != nil {
		result.Output = last.Output.Value
	}
	return Ended{Status: Completed, Reason: Answered, Result: result}
}

// rejected: the run completes without acting further. The summary says what a
// person refused, before whatever the model had to say.
func (s *State) rejected(last *Turn) Ended {
	var refused, done []string
	why := ""
	for i := range last.Actions {
		a := &last.Actions[i]
		switch {
		case a.Stage == RejectedStage:
			refused = append(refused, a.Tool.Name+" ("+a.ID+")")
			if a.Decision != nil && a.Decision.Reason != "" {
				why = " Reason: " + a.Decision.Reason
			}
			if a.TimedOut {
				why = " Nobody decided in time."
			}
		case a.Outcome == OK:
			done = append(done, a.Tool.Name+" ("+a.ID+")")
		}
	}
	summary := fmt.Sprintf("Rejected: %s. The run ended without acting on it.%s", strings.Join(refused, ", "), why)
	if len(done) > 0 {
		summary += " Done before that: " + strings.Join(done, ", ") + "."
	}
	return Ended{Status: Completed, Reason: RejectedReason, Result: Result{Summary: summary}}
}

func (s *State) cancelled() Ended {
	return Ended{Status: CancelledStatus, Reason: CancelledReason, Result: s.partial()}
}

func (s *State) timedOut() Ended {
	return s.failure(Timeout, "wall_time", fmt.Sprintf(
		"The run used up its working time of %d s. Raise limits.timeout_s to give it more.", s.Spec.Limits.WallTime))
}

func (s *State) stepLimit() Ended {
	return s.failure(StepLimit, "steps", fmt.Sprintf(
		"The run reached its ceiling of %d steps before it had an answer. Raise max_steps, or ask for less.", s.Spec.Limits.MaxSteps))
}

func (s *State) overLimit(limit, what string, most int) Ended {
	return s.failure(BudgetExhausted, limit, fmt.Sprintf(
		"The run used up its limit of %d %s. Raise limits.max_%s to give it more.", most, what, limit))
}

func (s *State) overCost() Ended {
	return s.failure(BudgetExhausted, "cost", fmt.Sprintf(
		"The run used up its limit of %.4f US dollars. Raise limits.max_cost_usd to give it more.", s.Spec.Limits.MaxCost.Dollars()))
}

func (s *State) budgetRefused() Ended {
	return s.failure(BudgetExhausted, "budget", s.Refusal.Message)
}

func (s *State) modelFailed(fail *Failed) Ended {
	end := s.failure(ModelError, "", fail.Message)
	end.Code = fail.Code
	return end
}

func (s *State) outcomeLost(a *Action) Ended {
	return s.failure(ToolError, "", fmt.Sprintf(
		"This server stopped in the middle of %s (%s), and nobody knows whether it happened. It was not repeated: look at the tool's side before you start another run.",
		a.Tool.Name, a.ID))
}

func (s *State) unsatisfied(last *Turn) Ended {
	return s.failure(SchemaUnsatisfied, "", fmt.Sprintf(
		"The answer does not satisfy the output schema after %d repairs: %s", s.Spec.Repairs, last.Output.Problem))
}

func (s *State) scopeDenied(a *Action) Ended {
	granted := strings.Join(s.Spec.Scopes, ", ")
	if granted == "" {
		granted = "none"
	}
	return s.failure(ScopeDenied, "", fmt.Sprintf(
		"%s (%s) needs the scope %s; the key that started this run was granted: %s.", a.Tool.Name, a.ID, a.Denied, granted))
}

func (s *State) failure(reason StopReason, limit, message string) Ended {
	return Ended{
		Status: FailedStatus, Reason: reason, Limit: limit,
		Code: string(reason), Error: message, Result: s.partial(),
	}
}

// partial is what the run has to show when it ends before an answer: the last
// thing that the model said.
func (s *State) partial() Result {
	if s.LastFail != nil && s.LastFail.Text != "" {
		return Result{Summary: s.LastFail.Text, Partial: true}
	}
	for i := len(s.Turns) - 1; i >= 0; i-- {
		if text := s.Turns[i].Reply.Text; text != "" {
			return Result{Summary: text, Partial: true}
		}
	}
	return Result{Partial: true}
}
