package robot

import (
	"encoding/json"
	"fmt"
	"strings"
)

// verdict is the answer to a report, and what a later fold believes.
type verdict struct {
	Task       string     `json:"task"`
	Status     string     `json:"status"`
	Attempt    int        `json:"attempt"`
	Validation Validation `json:"validation"`
	Next       string     `json:"next"`
}

// judged is what a model says of a result.
type judged struct {
	Passed      *bool    `json:"passed"`
	Score       *float64 `json:"score"`
	Issues      []string `json:"issues"`
	Suggestions []string `json:"suggestions"`
}

func (c *course) report(st step) (string, error) {
	in, err := read[struct {
		Task       string `json:"task"`
		Output     string `json:"output"`
		Success    *bool  `json:"success"`
		Validation judged `json:"validation"`
	}](st)
	if err != nil {
		return "", err
	}
	t, err := c.open(in.Task)
	if err != nil {
		return "", err
	}
	success := in.Success == nil || *in.Success
	v := verdict{Task: t.ID, Attempt: c.tries[t.ID] + 1, Validation: in.Validation.judge(t, in.Output, success)}
	v.Status = c.judge(&v, success)
	var known verdict
	if st.output != "" && json.Unmarshal([]byte(st.output), &known) == nil && known.Task == t.ID {
		v = known // what was answered then is what happened
	}
	if !v.Validation.Passed {
		c.tries[t.ID] = v.Attempt
	}
	r := &Result{TaskID: t.ID, Success: v.Status == TaskCompleted, Output: in.Output, Validation: v.Validation}
	if t.StartTime != nil {
		r.DurationMs = max(st.at.Sub(*t.StartTime).Milliseconds(), 0)
	}
	if v.Status == TaskFailed {
		r.Error = first(strings.Join(v.Validation.Issues, " "), "It could not be done.")
	}
	c.results[t.ID] = r
	if v.Status != TaskRunning {
		t.end(v.Status, st.at)
	}
	if v.Next == "" {
		v.Next = c.next(t, &v)
	}
	answer, err := json.Marshal(v)
	return string(answer), err
}

// judge adds to a model's word on a result what the task's rules say.
func (j *judged) judge(t *Task, output string, success bool) Validation {
	v := Validation{Passed: success && (j.Passed == nil || *j.Passed), Issues: append([]string{}, j.Issues...), Suggestions: append([]string{}, j.Suggestions...)}
	if success {
		if found := broken(t.Rules, output); len(found) > 0 {
			v.Passed, v.Issues = false, append(v.Issues, found...)
		}
	}
	if v.Passed {
		v.Score = 1
	}
	if j.Score != nil && success {
		v.Score = min(max(*j.Score, 0), 1)
	}
	return v
}

// judge is the status of a task whose result was judged. One that does not pass is
// mended a bounded number of times: until then the task goes on.
func (c *course) judge(v *verdict, success bool) string {
	switch {
	case v.Validation.Passed:
		return TaskCompleted
	case success && v.Attempt <= repairs:
		return TaskRunning
	}
	return TaskFailed
}

// next is what a model is to do after a report.
func (c *course) next(t *Task, v *verdict) string {
	if v.Status == TaskRunning {
		return fmt.Sprintf("The result of %s does not pass. Mend it and report again; it can be mended %s more.", t.ID, times(repairs+1-v.Attempt))
	}
	return "Go on: " + c.rest() + "."
}

func times(n int) string {
	if n == 1 {
		return "once"
	}
	return fmt.Sprintf("%d times", n)
}
