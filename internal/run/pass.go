package run

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"strings"
)

// A run may be asked for several answers, one after the other, each with those
// before it in view (Spec.Passes). A pass ends with an answer, or, where the
// results of tools are the answer (Spec.RawResults), with those.

// continueRequest asks for the next pass.
const continueRequest = "This was pass %d of %d. Go over what there is so far, carry the task further, and answer with the whole of the improved result."

// returned is what a history says of a call that was handed back to the caller.
const returned = "This call was returned to the caller, who makes it."

// handsBack reports whether calls of the tool are the caller's to make, and the
// run does not wait for what comes of them.
func (s *Spec) handsBack(tool *Tool) bool { return tool.Function && s.HandBack }

// handed reports whether the turn holds calls for the caller to make, which end
// the run.
func (s *State) handed(t *Turn) bool {
	return t.called(func(a *Action) bool { return s.Spec.handsBack(&a.Tool) })
}

// final is the turn's call of the tool that ends the run, if it went well.
func (s *Spec) final(t *Turn) *Action {
	for i := range t.Actions {
		if a := &t.Actions[i]; s.Final != "" && a.Tool.Name == s.Final && a.Outcome == OK {
			return a
		}
	}
	return nil
}

// AnyTool, as the tool that a reply must call, is whichever the model chooses.
const AnyTool = "*"

// Required is the tool that the next reply must call, or "". Only the first reply
// can be told so: a model that must call a tool for ever never answers.
func (s *State) Required() string {
	switch tools := s.Spec.Tools; {
	case len(s.Turns) > 0 || len(tools) == 0:
		return ""
	case s.Spec.Require == AnyTool && len(tools) == 1:
		return tools[0].Name
	case s.Spec.Require != AnyTool && s.Spec.Tool(s.Spec.Require) == nil:
		return ""
	}
	return s.Spec.Require
}

// endsPass reports whether the turn, all of whose calls are done, is the end of a
// pass.
func (s *State) endsPass(t *Turn) bool {
	if len(t.Reply.Calls) == 0 {
		return t.Output == nil || t.Output.Problem == ""
	}
	return s.Spec.RawResults && t.called(func(*Action) bool { return true })
}

// called reports whether the turn has a call of this kind that was not refused.
func (t *Turn) called(kind func(*Action) bool) bool {
	for i := range t.Actions {
		if a := &t.Actions[i]; a.Refused == "" && kind(a) {
			return true
		}
	}
	return false
}

// passes counts the passes that have ended.
func (s *State) passes() int {
	count := 0
	for i := range s.Turns {
		if s.endsPass(&s.Turns[i]) {
			count++
		}
	}
	return count
}

// passEnd is the end of the run, or of a pass that is not the last.
func (s *State) passEnd(last *Turn) Decision {
	if s.Spec.Passes > 1 && s.passes() < s.Spec.Passes {
		return s.nextStep()
	}
	return s.finish(s.answered(last))
}

// raw is what the calls of a turn returned, for a run whose answer that is.
func (t *Turn) raw() string {
	var outputs []string
	for i := range t.Actions {
		if a := &t.Actions[i]; a.Refused == "" {
			outputs = append(outputs, a.Output)
		}
	}
	return strings.Join(outputs, "\n\n")
}

// Sampling is the spec's Params for the model call that comes next. With Vary
// each pass after the first has a temperature of its own between 0 and 1, which
// depends on nothing but the run and the pass, so that a repeated call has it too.
func (s *State) Sampling() Params {
	params := s.Spec.Params
	pass := 0
	if params.Vary {
		pass = s.passes()
	}
	if pass == 0 {
		return params
	}
	hash := fnv.New64a()
	hash.Write(s.ID[:])
	var number [8]byte
	binary.BigEndian.PutUint64(number[:], uint64(pass))
	hash.Write(number[:])
	drawn := float64(hash.Sum64()>>32%101) / 100
	params.Temperature = &drawn
	return params
}

// nextPass is what the model is told behind the turn that ends a pass, or "".
func (s *State) nextPass(done int) string {
	if s.Spec.Passes <= 1 || done >= s.Spec.Passes {
		return ""
	}
	return fmt.Sprintf(continueRequest, done, s.Spec.Passes)
}
