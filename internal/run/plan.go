package run

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"errand/internal/problem"
)

// Plan decides what becomes of each call of a reply to the state's next step. A
// call of a tool that is not there, or with arguments that fail its schema, is
// refused: the model is told, and it is never executed.
func Plan(s *State, reply *Reply, judge Judge) []Planned {
	var planned []Planned
	used := s.used()
	for i := range reply.Calls {
		call := &reply.Calls[i]
		p := Planned{ID: fmt.Sprintf("act_%02d", s.Actions+i+1)}
		tool := s.Spec.Tool(call.Name)
		switch limit, limited := s.Spec.ToolLimits[call.Name]; {
		case tool == nil:
			p.Refused = noSuchTool(&s.Spec, call.Name)
		case limited && used[call.Name] >= limit:
			p.Refused = fmt.Sprintf("The call was not made: this run may call %s %s. Go on with what you have.", tool.Name, times(limit))
		default:
			if err := judge.Check(tool, call.Arguments); err != nil {
				p.Refused = fmt.Sprintf("The call was not made: the arguments of %s do not satisfy its schema: %v. Call it again with corrected arguments.", tool.Name, err)
			} else if limited {
				used[call.Name]++
			}
		}
		if p.Refused == "" {
			p.Denied = s.Spec.lacks(tool)
			p.Gated = s.gated(tool, call.Arguments, &judge)
			if p.Gated || tool.Class != Safe || tool.Function {
				// Nobody is ever asked about any other call.
				p.Preview = Preview(tool, call.Arguments, judge.Mask)
				p.Digest = Digest(&s.Spec, tool, call.Arguments)
			}
		}
		planned = append(planned, p)
	}
	return planned
}

// used counts the calls of each limited tool that were planned and not refused;
// nil when no tool has a limit.
func (s *State) used() map[string]int {
	if len(s.Spec.ToolLimits) == 0 {
		return nil
	}
	used := map[string]int{}
	for t := range s.Turns {
		for i := range s.Turns[t].Actions {
			if a := &s.Turns[t].Actions[i]; a.Refused == "" {
				used[a.Tool.Name]++
			}
		}
	}
	return used
}

// Offered are the tools that the next request shows to the model: without those
// that it may not call any more, unless those are all. (A conversation with calls
// in it and no tools beside it is refused by some providers.)
func (s *State) Offered() []Tool {
	used := s.used()
	spent := func(t *Tool) bool {
		limit, limited := s.Spec.ToolLimits[t.Name]
		return limited && used[t.Name] >= limit
	}
	var left []Tool
	for i := range s.Spec.Tools {
		if used != nil && !spent(&s.Spec.Tools[i]) {
			left = append(left, s.Spec.Tools[i])
		}
	}
	if len(left) == 0 {
		return s.Spec.Tools
	}
	return left
}

func times(n int) string {
	switch n {
	case 0:
		return "not at all"
	case 1:
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}

func noSuchTool(spec *Spec, name string) string {
	names := make([]string, 0, len(spec.Tools))
	for i := range spec.Tools {
		names = append(names, spec.Tools[i].Name)
	}
	if len(names) == 0 {
		return fmt.Sprintf("The call was not made: there is no tool %q, nor any other. Answer without tools.", name)
	}
	text := fmt.Sprintf("The call was not made: there is no tool %q.", name)
	if near := problem.Nearest(name, names); near != "" {
		text += fmt.Sprintf(" Did you mean %q?", near)
	}
	slices.Sort(names)
	return text + " The tools are: " + strings.Join(names, ", ") + "."
}

// ExecuteScope is what a key needs for its runs to call tools at all.
const ExecuteScope = "agents:execute"

// lacks returns the scope that a call of the tool needs and the run's key has
// not, or "". Function tools are the caller's own business.
func (s *Spec) lacks(tool *Tool) string {
	switch {
	case tool.Function:
		return ""
	case !s.Granted(ExecuteScope):
		return ExecuteScope
	case !s.Granted(tool.Scope):
		return tool.Scope
	}
	return ""
}

// Digest is what an approval is for: tool name, tool version, the argument bytes
// as stored, and agent version. If any of them differs, so does the digest.
func Digest(spec *Spec, tool *Tool, arguments string) string {
	agent := ""
	if spec.Agent != nil {
		agent = spec.Agent.ID + "/" + strconv.Itoa(spec.Agent.Version)
	}
	hash := sha256.New()
	for _, part := range []string{tool.Name, tool.Version, arguments, agent} {
		var length [8]byte // before each part: no two lists of parts hash alike
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		hash.Write(length[:])
		hash.Write([]byte(part))
	}
	return "sha256:" + hex.EncodeToString(hash.Sum(nil))
}
