package engine

import (
	"context"
	"encoding/json"
	"strings"

	"errand/internal/problem"
	"errand/internal/run"
)

// Weigh returns what an approval of one action would be for, without giving it: the
// digest and the preview of the call as it would be made. It fails as Decide would.
func (e *Engine) Weigh(ctx context.Context, project string, id run.ID, d Decision) (digest, preview string, err error) {
	s, err := e.Get(ctx, project, id)
	if err != nil {
		return "", "", err
	}
	if err := e.hear(ctx, &s, &d); err != nil {
		return "", "", err
	}
	open, err := undecided(&s, d.Actions, &d)
	switch {
	case err != nil:
		return "", "", err
	case len(open) != 1:
		return "", "", problem.New(problem.Conflict, "%s does not wait for your decision any more.", strings.Join(d.Actions, ", "))
	}
	a, decided := s.Action(open[0]), run.Decided{Actions: open, Approve: d.Approve}
	if err := e.word(&s, &decided, &d); err != nil {
		return "", "", err
	}
	if d.Arguments == "" {
		return a.Digest, a.Preview, nil
	}
	return decided.Digest, decided.Preview, nil
}

// hear finds out whose voice an approval is, where that matters: several have to agree,
// or somebody else than who started the run.
func (e *Engine) hear(ctx context.Context, s *run.State, d *Decision) error {
	a := s.Spec.Approval
	if a == nil || !d.Approve || !a.Separate && a.Quorum < 2 {
		return nil
	}
	d.own = d.By == s.Spec.Key
	if e.cfg.Voice == nil {
		return nil
	}
	voice, err := e.cfg.Voice(ctx, d.By)
	if err != nil {
		return err
	}
	if voice != d.By {
		d.voice = voice
	}
	if a.Separate && !d.own {
		started, err := e.cfg.Voice(ctx, s.Spec.Key)
		if err != nil {
			return err
		}
		d.own = started == voice
	}
	return nil
}

// word completes a decision with what belongs to an approval, and refuses one that
// this caller may not make, or that is for something else than what is there.
func (e *Engine) word(s *run.State, decided *run.Decided, d *Decision) error {
	if d.Digest != "" || d.Arguments != "" {
		if len(d.Actions) != 1 {
			return problem.Invalid("action_ids", "name one action when digest or arguments are given")
		}
		if a := s.Action(d.Actions[0]); d.Digest != "" && d.Digest != a.Digest {
			return problem.New(problem.Conflict, "%s is not what you saw: its digest is %s now. GET the run, and decide on what it says.", a.ID, a.Digest)
		}
	}
	if !d.Approve {
		if d.Arguments != "" || d.Reach != run.OnceReach {
			return problem.New(problem.InvalidRequest, "A rejection takes neither arguments nor a reach.")
		}
		return nil
	}
	if a := s.Spec.Approval; a != nil && a.Separate && d.own {
		return problem.New(problem.ScopeDenied, "The key that started this run may not approve its actions (approval.separate): ask somebody else.")
	}
	decided.Reach = d.Reach
	if d.Arguments == "" {
		return nil
	}
	return e.edit(s, decided, d.Arguments)
}

// edit puts other arguments in the place of an action's. They are held against the
// tool's schema as the model's were.
func (e *Engine) edit(s *run.State, decided *run.Decided, arguments string) error {
	a := s.Action(decided.Actions[0])
	if a.Reason == run.UnknownReason {
		return problem.New(problem.Conflict, "%s has been called already, and what came of it is unknown: it can be repeated as it was, or not at all.", a.ID)
	}
	if !json.Valid([]byte(arguments)) || !strings.HasPrefix(strings.TrimSpace(arguments), "{") {
		return problem.Invalid("arguments", "must be a JSON object")
	}
	if err := e.check(&a.Tool, arguments); err != nil {
		return problem.Invalid("arguments", "do not satisfy the schema of %s: %v", a.Tool.Name, err)
	}
	decided.Arguments = arguments
	decided.Digest, decided.Preview = run.Digest(&s.Spec, &a.Tool, arguments), run.Preview(&a.Tool, arguments, e.cfg.Mask)
	return nil
}
