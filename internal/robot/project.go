package robot

import (
	"fmt"
	"strings"
	"time"

	"errand/internal/run"
)

// Project is a run of a robot as an execution. It reads the state and nothing
// else: what other runs and the delivery to targets add to it, Desk.Show does.
func Project(s *run.State) Execution {
	order, _ := ReadOrder(&s.Spec)
	c := followed(s, "")
	e := Execution{
		ID: ExecutionID(s.ID), MemberID: MemberOf(&s.Spec), TeamID: s.Spec.Project,
		Trigger: order.Trigger, Status: StatusOf(s.Status), StartTime: s.CreatedAt, ChatID: order.ChatID,
		Input: Input{Goals: s.Spec.Input.Text, Context: s.Spec.Context, Order: order},
		Usage: s.Usage.Add(s.Handed),
	}
	goals := s.Spec.Input.Text
	if c.inspired() {
		goals, e.Input.Goals = c.goals, ""
	}
	if goals != "" {
		e.Goals = &Text{Content: goals}
	}
	if c.inspiration != "" {
		e.Inspiration = &Text{Content: c.inspiration}
	}
	e.Name = title(first(goals, s.Spec.Input.Text))
	e.Phase = c.phase(s, order.Trigger)
	c.asked(s)
	e.Current = c.progress()
	if s.Ended != nil {
		at := s.EndedAt
		e.EndTime, e.Error = &at, s.Ended.Error
		if s.Ended.Status == run.CancelledStatus && s.Cancel != nil {
			e.Error = s.Cancel.Reason
		}
		c.close(s.Ended, at)
		if e.Current != nil {
			e.Current.Task = nil
		}
	}
	e.Tasks, e.Results = c.shown()
	if e.Current != nil && e.Current.Task != nil {
		e.CurrentTask = e.Current.Task.Description
	}
	e.Delivery = c.delivery(s)
	return e
}

// ExecutionID is how the robots API spells a run's id.
func ExecutionID(id run.ID) string { return "exec_" + id.String() }

// StatusOf is a run's status in the words of the robots API.
func StatusOf(status run.Status) string {
	switch status {
	case run.Queued:
		return ExecPending
	case run.AwaitingApproval, run.AwaitingInput:
		return ExecWaiting
	case run.PausedStatus:
		return ExecPaused
	case run.Completed:
		return ExecCompleted
	case run.FailedStatus:
		return ExecFailed
	case run.CancelledStatus:
		return ExecCancelled
	}
	return ExecRunning
}

// Statuses are the run's statuses that are shown as one of the robots API's; none
// for a word that it does not have.
func Statuses(word string) []run.Status {
	var found []run.Status
	for _, status := range run.Statuses() {
		if StatusOf(status) == word {
			found = append(found, status)
		}
	}
	return found
}

// maxTitle is how long a name is: one line of a list, in characters.
const maxTitle = 80

func title(text string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	line = strings.TrimSpace(strings.TrimLeft(line, "#*- "))
	if runes := []rune(line); len(runes) > maxTitle {
		return string(runes[:maxTitle-1]) + "…"
	}
	return line
}

// phase is what the execution is at. It only ever goes forward: a run that ends
// before it has delivered ends in the phase that it was in.
func (c *course) phase(s *run.State, trigger string) string {
	switch {
	case s.Ended != nil && s.Ended.Status == run.Completed && s.Spec.Final != PlanTool, c.delivered != nil:
		return Delivering
	case len(c.tasks) > 0 && s.Spec.Final == PlanTool:
		return TasksPhase
	case c.settled:
		return Delivering
	case len(c.tasks) > 0:
		return RunPhase
	case c.inspired() && c.goals == "" && trigger == ByClock && !asked(s, GoalsTool):
		return Inspiration
	case c.inspired() && c.goals == "":
		return GoalsPhase
	case !c.inspired() && s.Queued:
		return GoalsPhase
	case c.worked(s):
		return RunPhase
	}
	return TasksPhase
}

// asked reports whether the model has called the tool, whatever came of it.
func asked(s *run.State, tool string) bool {
	for t := range s.Turns {
		for i := range s.Turns[t].Actions {
			if s.Turns[t].Actions[i].Tool.Name == tool {
				return true
			}
		}
	}
	return false
}

// worked reports whether the model has used a tool of its own since it has goals:
// it works without a plan then.
func (c *course) worked(s *run.State) bool {
	for t := range s.Turns {
		if !s.Turns[t].At.After(c.since) {
			continue
		}
		for i := range s.Turns[t].Actions {
			if a := &s.Turns[t].Actions[i]; a.Refused == "" && !isPipeline(a.Tool.Name) {
				return true
			}
		}
	}
	return false
}

// asked marks the tasks that wait for a person's answer.
func (c *course) asked(s *run.State) {
	for _, a := range s.PendingCalls() {
		if a.Tool.Name != AskTool {
			continue
		}
		in, err := read[struct{ Task, Question string }](step{arguments: a.Arguments})
		if err != nil {
			continue
		}
		t := c.current()
		if named, err := c.open(in.Task); err == nil {
			t = named
		}
		if t == nil {
			continue
		}
		if t.StartTime == nil {
			since := a.Since
			t.StartTime = &since
		}
		t.Status = TaskWaiting
		r := c.results[t.ID]
		if r == nil {
			r = &Result{TaskID: t.ID, Validation: Validation{Issues: []string{}, Suggestions: []string{}}}
			c.results[t.ID] = r
		}
		r.NeedInput, r.Question = true, in.Question
	}
}

// Question is the open call of robot.ask that a task waits with; an empty task
// stands for any. The output that is sent for the action is the answer.
func Question(s *run.State, task string) (action run.Action, found bool) {
	c := followed(s, "")
	for _, a := range s.PendingCalls() {
		if a.Tool.Name != AskTool {
			continue
		}
		in, err := read[struct{ Task string }](step{arguments: a.Arguments})
		if err != nil {
			continue
		}
		on := ""
		if t, err := c.open(in.Task); err == nil {
			on = t.ID
		} else if t := c.current(); t != nil {
			on = t.ID
		}
		if task == "" || task == on {
			return a, true
		}
	}
	return run.Action{}, false
}

// progress counts the tasks that are done, of those that no later plan has
// replaced.
func (c *course) progress() *Current {
	total, done := 0, 0
	for i := range c.tasks {
		if c.dropped[c.tasks[i].ID] {
			continue
		}
		total++
		if c.tasks[i].Done() {
			done++
		}
	}
	if total == 0 {
		return nil
	}
	current := &Current{Index: len(c.tasks), Progress: fmt.Sprintf("%d/%d tasks", done, total)}
	if t := c.current(); t != nil {
		shown := *t
		current.Task, current.Index = &shown, t.Order
	}
	return current
}

// close ends the tasks of a run that has ended before they were done.
func (c *course) close(end *run.Ended, at time.Time) {
	for i := range c.tasks {
		t := &c.tasks[i]
		switch {
		case t.Done():
		case end.Status == run.FailedStatus && t.Status != TaskPending:
			t.end(TaskFailed, at)
			if c.results[t.ID] == nil {
				c.results[t.ID] = &Result{TaskID: t.ID, Validation: Validation{Issues: []string{}, Suggestions: []string{}}}
			}
			c.results[t.ID].Error = end.Error
		case end.Status == run.Completed && end.Reason != run.RejectedReason:
			t.end(TaskSkipped, at) // the model has answered without it
		default:
			t.end(TaskCancelled, at)
		}
		if r := c.results[t.ID]; r != nil {
			r.NeedInput = false
		}
	}
}

// shown are the tasks, and what came of them, in their order.
func (c *course) shown() ([]Task, []Result) {
	tasks, results := append([]Task{}, c.tasks...), []Result{}
	for i := range tasks {
		if r := c.results[tasks[i].ID]; r != nil {
			results = append(results, *r)
		}
	}
	return tasks, results
}

// delivery is what there is to deliver: what was handed in, or of a run that has
// completed without that, its answer.
func (c *course) delivery(s *run.State) *Delivery {
	d := &Delivery{RequestID: "del_" + s.ID.String(), Results: []TargetResult{}}
	switch {
	case c.delivered != nil:
		d.Content = c.delivered.content()
	case s.Ended != nil && s.Ended.Status == run.Completed:
		text := s.Ended.Result.Summary
		d.Content = Content{Summary: clip(paragraph(text), 300), Body: text, Attachments: []Attachment{}}
	default:
		return nil
	}
	return d
}

// paragraph is the first one of a text that is not a heading.
func paragraph(text string) string {
	for part := range strings.SplitSeq(text, "\n\n") {
		part = strings.TrimSpace(part)
		if part != "" && !strings.HasPrefix(part, "#") {
			return part
		}
	}
	return text
}
