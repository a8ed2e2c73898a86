package robot

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"errand/internal/run"
)

// FuzzPipeline makes calls of the pipeline with whatever a model says: a step is taken
// or refused with a word, the tasks keep their order and their number, at most one is
// under way, nothing is planned behind a delivery, and the same calls make the same course.
func FuzzPipeline(f *testing.F) {
	const plan = `{"tasks":[{"description":"Find the prices","validation_rules":["json","min_length:3"]},{"description":"Mail","executor_type":"mcp","executor_id":"email.send"}]}`
	f.Add(`{"content":"Watch the prices"}`, plan, `{"task":"task-1","output":"[1]","validation":{"passed":true,"score":0.9}}`, `{"summary":"Done","body":"# Prices","attachments":[{"title":"a.csv","content":"a,b"}]}`)
	f.Add(`{"content":" "}`, `{"tasks":[{"description":"x","validation_rules":["matches:(","contains:"]}]}`, `{"task":"task-1","output":"x","success":false}`, `{"summary":"","body":""}`)
	f.Add(`null`, `{"tasks":[{"description":"a"}],"add":true}`, `{"task":"task-1","validation":{"score":1e300,"issues":null}}`, `{"summary":"a","body":"b","attachments":[{"title":"x","file":"f","content":"c"}]}`)
	f.Add(``, `{"tasks":[]}`, `{"task":7}`, `{"summary":"a","body":"b","insights":["x"]}`)
	f.Fuzz(func(t *testing.T, goals, plan, report, deliver string) {
		if len(goals)+len(plan)+len(report)+len(deliver) > 1<<13 {
			t.Skip()
		}
		at := time.Date(2026, 6, 11, 7, 2, 11, 0, time.UTC)
		spec := &run.Spec{Agent: &run.AgentRef{Name: "analyst"}, Tools: append(pipelineTools(true, false), run.Tool{Name: "email.send"})}
		fresh := func() *course {
			return &course{spec: spec, dropped: map[string]bool{}, results: map[string]*Result{}, tries: map[string]int{}}
		}
		c, again := fresh(), fresh()
		for i, st := range []step{
			{tool: GoalsTool, arguments: goals}, {tool: PlanTool, arguments: plan}, {tool: ReportTool, arguments: report}, {tool: ReportTool, arguments: report}, {tool: SkipTool, arguments: report},
			{tool: ReportTool, arguments: strings.ReplaceAll(report, "task-1", "task-2")}, {tool: DeliverTool, arguments: deliver}, {tool: PlanTool, arguments: plan},
		} {
			st.at = at.Add(time.Duration(i) * time.Second)
			tasks, handedIn := len(c.tasks), c.delivered
			answer, err := c.take(st)
			same, failed := again.take(st)
			if answer != same || (err == nil) != (failed == nil) {
				t.Fatalf("%s %q is answered %q (%v), and then %q (%v)", st.tool, st.arguments, answer, err, same, failed)
			}
			if err == nil && (answer == "" || !utf8.ValidString(answer)) || err != nil && (err.Error() == "" || len(c.tasks) != tasks) {
				t.Errorf("%s %q is answered %q, %v", st.tool, st.arguments, answer, err)
			}
			if handedIn != nil && st.tool == PlanTool && err == nil {
				t.Errorf("%q is planned behind the delivery", st.arguments)
			}
			running := 0
			for n := range c.tasks {
				task := &c.tasks[n]
				if task.Order != n || task.Description == "" || task.EndTime != nil && task.StartTime != nil && task.EndTime.Before(*task.StartTime) {
					t.Errorf("task %d is %+v", n, task)
				}
				if task.Status == TaskRunning {
					running++
				}
			}
			if running > 1 || len(c.tasks) > 2*maxTasks || c.delivered != nil && c.current() != nil {
				t.Errorf("%d of %d tasks are under way", running, len(c.tasks))
			}
			for id, result := range c.results {
				if v := result.Validation; v.Score < 0 || v.Score > 1 || v.Passed && !result.Success {
					t.Errorf("%s came to %+v", id, result)
				}
			}
		}
	})
}
