package workflow

import (
	"encoding/json"
	"fmt"

	"errand/internal/run"
)

// Plan is what a replay has to do: a template with values. It is the run's
// Spec.Replay.
type Plan struct {
	Prompt     string        `json:"prompt,omitempty"` // with placeholders, as in the template
	Parameters []Parameter   `json:"parameters"`       // with this replay's values as their examples
	Steps      []PlannedStep `json:"steps"`
	Answer     string        `json:"answer"`
	Wording    string        `json:"wording,omitempty"` // the answer with placeholders, as in the template
}

// PlannedStep is a recorded step, ready to be done.
type PlannedStep struct {
	Goal  string    `json:"goal,omitempty"`
	Calls []Planned `json:"calls"`
}

// Planned is one call of a plan.
type Planned struct {
	Tool      string          `json:"tool"`
	Arguments json.RawMessage `json:"arguments"`
}

// Plan fills the template with values. tool finds the tool for an action's name; a
// name that it does not know is an error that tells it.
func (t *Template) Plan(values map[string]Text, tool func(action string) *run.Tool) (Plan, error) {
	p := Plan{Prompt: t.Prompt, Parameters: []Parameter{}, Answer: Fill(t.Answer(), values), Wording: t.Answer()}
	for _, parameter := range t.Parameters {
		parameter.Example = values[parameter.Name]
		p.Parameters = append(p.Parameters, parameter)
	}
	for s := range t.Steps {
		step := PlannedStep{Goal: Fill(t.Steps[s].Description, values)}
		for i := range t.Steps[s].Actions {
			a := &t.Steps[s].Actions[i]
			if a.Name == Done {
				continue
			}
			known := tool(a.Name)
			if known == nil {
				return p, fmt.Errorf("steps[%d].actions[%d].name: this server has no tool for the action %q", s, i, a.Name)
			}
			arguments, err := mapStrings(a.Params, func(_, text string) string { return Fill(text, values) })
			if err != nil {
				return p, err
			}
			step.Calls = append(step.Calls, Planned{Tool: known.Name, Arguments: fitted(arguments, known)})
		}
		if len(step.Calls) > 0 {
			p.Steps = append(p.Steps, step)
		}
	}
	return p, nil
}

// fitted leaves out of the arguments what is null, and what the tool, which may
// have been changed since, takes no more.
func fitted(arguments json.RawMessage, tool *run.Tool) json.RawMessage {
	var given, schema struct {
		Properties map[string]json.RawMessage `json:"properties"`
		Additional json.RawMessage            `json:"additionalProperties"`
	}
	if json.Unmarshal(arguments, &given.Properties) != nil || json.Unmarshal(tool.Parameters, &schema) != nil {
		return arguments
	}
	closed := string(schema.Additional) == "false"
	left := false
	for name, value := range given.Properties {
		if _, known := schema.Properties[name]; string(value) == "null" || closed && !known {
			delete(given.Properties, name)
			left = true
		}
	}
	if !left {
		return arguments
	}
	kept, err := json.Marshal(given.Properties)
	if err != nil {
		return arguments
	}
	return kept
}

// Turns is how many turns a replay takes at the most.
func (p *Plan) Turns() int {
	turns := 0
	for i := range p.Steps {
		turns += len(p.Steps[i].Calls)
	}
	return turns*(1+mendTurns) + answerTurns
}

// answerTurns are for the answer, and for mending it.
const answerTurns = 4

// Replayed is the template of a replay that has ended, as it went: with what was
// mended in it, and with the parameters that it had.
func Replayed(s *run.State) (Template, bool) {
	var p Plan
	if s.Spec.Replay == nil || json.Unmarshal(s.Spec.Replay, &p) != nil {
		return Template{}, false
	}
	t := FromRun(s)
	if len(t.Steps) == 0 || t.Generalise(p.Parameters) != nil {
		return t, false
	}
	t.finish(p.Wording)
	return t, true
}

// Mark says where in a plan a turn of a replay stands, and whose it is. It is in
// the turn's Carry.
type Mark struct {
	Step    int    `json:"step"`              // from 1; 0 of the answer
	Call    int    `json:"call"`              // from 1, within the step
	By      string `json:"by"`                // ByRecord, ByModel or ByAnswer
	Attempt int    `json:"attempt,omitempty"` // of ByModel: from 1, one more after each that failed
	Turn    int    `json:"turn,omitempty"`    // of ByModel: from 1, its turns for this call
	Reason  string `json:"reason,omitempty"`  // of ByModel: what had failed
}

// Whose turn it is.
const (
	ByRecord = "record" // the recorded call
	ByModel  = "model"  // the model, in place of a call that failed
	ByAnswer = "answer" // all calls are done
)

// carried is the Carry of a replay's turns. What the model's own client wants back
// is inside.
type carried struct {
	Replay *Mark           `json:"replay"`
	Carry  json.RawMessage `json:"carry,omitempty"`
}

// MarkOf reads a turn's mark; nil for a turn that is no replay's.
func MarkOf(carry json.RawMessage) *Mark { return unwrap(carry).Replay }

func unwrap(carry json.RawMessage) carried {
	var c carried
	if len(carry) == 0 || json.Unmarshal(carry, &c) != nil || c.Replay == nil {
		return carried{Carry: carry}
	}
	return c
}

func wrap(mark Mark, carry json.RawMessage) json.RawMessage {
	text, err := json.Marshal(carried{Replay: &mark, Carry: carry})
	if err != nil {
		return carry // which was no JSON; the run goes on as an ordinary one
	}
	return text
}
