package plan

import (
	"strings"
	"testing"

	"errand/internal/problem"
	"errand/internal/tool/tooltest"
)

func named(t *testing.T, name string) *Tool {
	t.Helper()
	for _, made := range All() {
		if made.Describe().Name == Prefix+name {
			return made
		}
	}
	t.Fatalf("there is no tool %s", name)
	return nil
}

func TestTooltest(t *testing.T) {
	for name, c := range map[string]tooltest.Case{
		"create_plan": {
			Works: []string{`{"task_description":"Ship it","steps":[{"step_id":"a","description":"Build"},{"step_id":"b","description":"Test","dependencies":["a"]}]}`},
			Fails: []string{
				`{"task_description":"x","steps":[{"step_id":"a","description":"1"},{"step_id":"a","description":"2"}]}`,
				`{"task_description":"x","steps":[{"step_id":"","description":"1"}]}`,
				`{"task_description":"x","steps":[{"step_id":"a","description":"1","dependencies":["z"]}]}`,
			},
			Bad: []string{`{"task_description":"x","steps":[]}`, `{"steps":7}`, `[]`},
		},
		"think":           {Works: []string{`{"thought":"Hm."}`}, Bad: []string{`{"thought":7}`}},
		"subtask_done":    {Works: []string{`{"task_id":"a","summary":"done"}`, `{"task_id":"a","summary":"no","success":false}`}, Fails: []string{`{"task_id":"","summary":"x"}`}, Bad: []string{`[]`}},
		"complete_task":   {Works: []string{`{"summary":"all"}`, `{"summary":"no","success":false}`}, Bad: []string{`{"summary":{}}`}},
		"respond_to_user": {Works: []string{`{"message":"Half way."}`}, Fails: []string{`{"message":""}`}, Bad: []string{`{"message":[]}`}},
	} {
		t.Run(name, func(t *testing.T) {
			c.Tool = named(t, name)
			tooltest.Run(t, c)
		})
	}
	if n := len(All()); n != 5 {
		t.Errorf("there are %d tools, and 5 are tested", n)
	}
}

// TestPlanReads: a model finds in a long history what it had planned.
func TestPlanReads(t *testing.T) {
	tool := named(t, "create_plan")
	result, err := tool.Call(t.Context(), tooltest.Call(tool, `{"task_description":"Ship it","steps":[{"step_id":"a","description":"Build"},{"step_id":"b","description":"Test","dependencies":["a"]}]}`))
	if err != nil {
		t.Fatal(err)
	}
	const want = "The plan for: Ship it\n1. [a] Build\n2. [b] Test (after a)\nWork through it in order, and call subtask_done for each."
	if result.Output != want {
		t.Errorf("got\n%s\nwant\n%s", result.Output, want)
	}
}

func TestLongTextsAreCut(t *testing.T) {
	tool := named(t, "complete_task")
	result, err := tool.Call(t.Context(), tooltest.Call(tool, `{"summary":"`+strings.Repeat("ä", maxText)+`"}`))
	if err != nil || len(result.Output) > maxText+200 || !strings.Contains(result.Output, "…") {
		t.Errorf("%d bytes, %v", len(result.Output), err)
	}
	if _, err := tool.Call(t.Context(), tooltest.Call(tool, `{`)); !problem.Is(err, problem.ToolFailed) {
		t.Errorf("got %v, want tool_failed", err)
	}
}
