package ui

import (
	"strings"
	"testing"

	"errand/e2e/rig"
)

// TestPlayground: a person talks to an agent and to a model, sees the tools, decides in
// place, stops, comes back by the chat's address; and replays what was recorded, with
// other values, also where the model has to mend it.
func TestPlayground(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	talk := script(plays())
	s.Model.Plays(func(c rig.Conversation) rig.Turn {
		for _, m := range c.Messages { // a replay that asks for help
			if strings.Contains(m.Text(), "A recorded workflow is being repeated") {
				return rig.Turn{Calls: []rig.ToolCall{{Name: "compute", Arguments: `{"expression":"2 + 3"}`}}}
			}
		}
		return talk(c)
	})
	s.seedTools()
	s.seedAgents()
	compute := func(expression string) object {
		return object{"name": "compute", "params": object{"expression": expression}}
	}
	flow := func(prompt, expression string) any {
		var made struct {
			Task int `json:"task_id"`
		}
		s.post("/api/runs", object{"prompt": "What is the sum of 2 and 3?", "use_cached_workflow": true, "parameters": object{"a": 2, "b": 3}, "cached_workflow": object{
			"prompt":     prompt,
			"parameters": []any{object{"name": "a", "type": "number", "description": "The first number", "exampleValue": "2"}, object{"name": "b", "type": "number", "exampleValue": "3"}},
			"steps": []any{
				object{"description": "Add the two numbers.", "actions": []any{compute(expression)}},
				object{"description": "Say it.", "actions": []any{object{"name": "done", "params": object{"text": "The sum of {{ a }} and {{ b }} is {{ result }}"}}}},
			},
		}}, &made)
		return made.Task
	}
	s.knows("sum", flow("What is the sum of {{ a }} and {{ b }}?", "{{ a }} + {{ b }}"))
	s.knows("broken", flow("Add {{ a }} to {{ b }} by the old form", "no_such_function({{ a }}, {{ b }})"))
	s.drives("playground")
}
