package robot

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/run"
)

// repairs is how often a result that does not pass may be mended: the first time
// mends most, the second nearly all of the rest.
const repairs = 2

// maxTasks bounds a plan: one of more tasks is better made coarser.
const maxTasks = 50

// course is how far an execution has come: the fold of the calls that it has made
// of the pipeline's tools. It is the same whoever folds it.
type course struct {
	spec        *run.Spec
	inspiration string
	goals       string
	since       time.Time // when the goals were set; zero where they were given
	tasks       []Task
	dropped     map[string]bool // tasks that a later plan has replaced
	results     map[string]*Result
	tries       map[string]int // failed validations, by task
	told        int            // messages that the model had seen when it last planned
	settled     bool           // the tasks have all been done once: one that is added later is done on the way to the delivery
	delivered   *delivered
}

// step is one call of a pipeline tool.
type step struct {
	tool      string
	arguments string
	at        time.Time
	seen      int    // messages that the model had seen
	output    string // what it has answered; empty while it has not
}

// followed folds the steps of a run up to, and without, the action until; with
// "" all of them. A call of the same reply that is still open counts as it will
// end, because what it does depends on nothing but the log before it.
func followed(s *run.State, until string) *course {
	c := &course{spec: &s.Spec, dropped: map[string]bool{}, results: map[string]*Result{}, tries: map[string]int{}}
	for t := range s.Turns {
		for i := range s.Turns[t].Actions {
			a := &s.Turns[t].Actions[i]
			if a.ID == until {
				return c
			}
			if a.Refused != "" || !isPipeline(a.Tool.Name) || a.Tool.Function {
				continue
			}
			if a.Outcome == run.OK || until != "" && !a.Done() {
				c.take(stepOf(&s.Turns[t], a))
			}
		}
		// Calls of one reply may end in any order: only all of them say how it stands.
		all := !slices.ContainsFunc(s.Turns[t].Actions, func(a run.Action) bool { return !a.Done() })
		c.settled = c.settled || all && len(c.tasks) > 0 && c.current() == nil
	}
	return c
}

func stepOf(t *run.Turn, a *run.Action) step {
	st := step{tool: a.Tool.Name, arguments: a.Arguments, at: a.Since, seen: t.Seen}
	if a.Outcome == run.OK {
		st.output = a.Output
	}
	return st
}

// take does a step and returns what it answers. A step that is refused changes
// nothing.
func (c *course) take(st step) (answer string, err error) {
	switch st.tool {
	case GoalsTool:
		answer, err = c.setGoals(st)
	case PlanTool:
		answer, err = c.plan(st)
	case ReportTool:
		answer, err = c.report(st)
	case SkipTool:
		answer, err = c.skip(st)
	case DeliverTool:
		answer, err = c.deliver(st)
	default:
		err = fmt.Errorf("there is no such tool")
	}
	if err == nil {
		c.begin(st.at)
	}
	return answer, err
}

func read[T any](st step) (in T, err error) {
	if err := json.Unmarshal([]byte(st.arguments), &in); err != nil {
		return in, errors.New("the arguments cannot be read")
	}
	return in, nil
}

func (c *course) setGoals(st step) (string, error) {
	in, err := read[struct{ Content, Inspiration string }](st)
	switch {
	case err != nil:
		return "", err
	case strings.TrimSpace(in.Content) == "":
		return "", errors.New("content must say what you set out to reach")
	case len(c.tasks) > 0:
		return "", errors.New("the work has been planned: the goals stay as they are")
	}
	if c.goals == "" {
		c.since = st.at // what was begun since then is work, also after other words for the goals
	}
	c.goals, c.inspiration = in.Content, in.Inspiration
	return "The goals are set. Plan the work with " + PlanTool + ".", nil
}

// planned is a task as a model writes it down.
type planned struct {
	Description string   `json:"description"`
	Type        string   `json:"executor_type"`
	Executor    string   `json:"executor_id"`
	Expected    string   `json:"expected_output"`
	Rules       []string `json:"validation_rules"`
	GoalRef     string   `json:"goal_ref"`
}

// plan sets the tasks. A later plan replaces those that are open, or adds to them.
func (c *course) plan(st step) (string, error) {
	in, err := read[struct {
		Tasks []planned `json:"tasks"`
		Add   bool      `json:"add"`
	}](st)
	switch {
	case err != nil:
		return "", err
	case c.delivered != nil:
		return "", errors.New("the result is delivered: nothing is planned any more")
	case c.inspired() && c.goals == "":
		return "", errors.New("set the goals first, with " + GoalsTool)
	case len(in.Tasks) == 0 || len(in.Tasks) > maxTasks:
		return "", fmt.Errorf("a plan has 1 to %d tasks", maxTasks)
	}
	fresh := make([]Task, len(in.Tasks))
	for i := range in.Tasks {
		if fresh[i], err = c.task(&in.Tasks[i]); err != nil {
			return "", fmt.Errorf("tasks[%d]: %w", i, err)
		}
	}
	if !in.Add {
		c.drop(st.at)
	}
	source := "auto"
	if len(c.tasks) > 0 && st.seen > c.told {
		source = ByHuman
	}
	c.told = st.seen
	for _, t := range fresh {
		t.Order = len(c.tasks)
		t.ID, t.Source = fmt.Sprintf("task-%d", t.Order+1), source
		c.tasks = append(c.tasks, t)
	}
	return c.outline(), nil
}

// drop cancels the tasks that are open: another plan takes their place.
func (c *course) drop(at time.Time) {
	for i := range c.tasks {
		if t := &c.tasks[i]; !t.Done() {
			c.dropped[t.ID] = true
			t.end(TaskCancelled, at)
		}
	}
}

func (t *Task) end(status string, at time.Time) {
	t.Status = status
	if t.StartTime == nil {
		return
	}
	if at.Before(*t.StartTime) { // calls of one reply may be answered in any order
		at = *t.StartTime
	}
	t.EndTime = &at
}

// task reads a task of a plan and holds it against what this run can do.
func (c *course) task(in *planned) (Task, error) {
	t := Task{
		Description: strings.TrimSpace(in.Description), GoalRef: first(in.GoalRef, GoalsPhase), Status: TaskPending,
		ExecutorType: first(in.Type, "assistant"), ExecutorID: in.Executor, Expected: in.Expected, Rules: in.Rules,
	}
	if t.Description == "" {
		return t, errors.New("description must say what is to be done")
	}
	if len(in.Rules) > maxRules {
		return t, fmt.Errorf("has %d validation rules, and at most %d are possible", len(in.Rules), maxRules)
	}
	for _, text := range in.Rules {
		if _, err := parseRule(text); err != nil {
			return t, err
		}
	}
	self := c.spec.Agent.Name
	switch t.ExecutorType {
	case "assistant":
		if t.ExecutorID == "" || t.ExecutorID == "self" {
			t.ExecutorID = self
		}
		known := t.ExecutorID == self || slices.ContainsFunc(c.spec.Handoffs, func(h run.Handoff) bool { return h.Name == t.ExecutorID || AgentTool(h.Name) == t.ExecutorID })
		if !known {
			return t, fmt.Errorf("there is no agent %q to give a task to: leave executor_id out to do it yourself, or name one of %s", t.ExecutorID, c.staff())
		}
	case "mcp":
		tool := c.spec.Tool(t.ExecutorID)
		if tool == nil || isPipeline(tool.Name) {
			return t, fmt.Errorf("there is no tool %q: executor_id of type mcp is the name of one of your tools", t.ExecutorID)
		}
		t.MCPServer, t.MCPTool = home(tool)
	default:
		return t, fmt.Errorf("executor_type %q is not offered: it is assistant or mcp", t.ExecutorType)
	}
	return t, nil
}

// home is the server that a tool lives on, as its name says, and its name there.
func home(t *run.Tool) (server, name string) {
	for _, separator := range []string{"__", "."} {
		if server, name, found := strings.Cut(t.Name, separator); found {
			return server, first(t.Remote, name)
		}
	}
	return "", t.Name
}

func (c *course) staff() string {
	var names []string
	for i := range c.spec.Handoffs {
		names = append(names, c.spec.Handoffs[i].Name)
	}
	if len(names) == 0 {
		return "none, for there are none"
	}
	return strings.Join(names, ", ")
}

// outline is the plan as text: the answer to it, and the whole of a dry run.
func (c *course) outline() string {
	var out strings.Builder
	out.WriteString("The plan:\n")
	for i := range c.tasks {
		t := &c.tasks[i]
		if t.Done() {
			continue
		}
		fmt.Fprintf(&out, "%d. [%s] %s", t.Order+1, t.ID, t.Description)
		if t.ExecutorID != c.spec.Agent.Name {
			fmt.Fprintf(&out, " (%s)", t.ExecutorID)
		}
		if t.Expected != "" {
			fmt.Fprintf(&out, " Expected: %s", t.Expected)
		}
		out.WriteByte('\n')
	}
	if c.spec.Final == PlanTool {
		return strings.TrimSpace(out.String())
	}
	out.WriteString("Do the first one, and report on it with " + ReportTool + ".")
	return out.String()
}

// open finds a task that is not done.
func (c *course) open(id string) (*Task, error) {
	for i := range c.tasks {
		if t := &c.tasks[i]; t.ID == id {
			if t.Done() {
				return nil, fmt.Errorf("%s is %s already; %s", id, t.Status, c.rest())
			}
			return t, nil
		}
	}
	return nil, fmt.Errorf("there is no task %q; %s", id, c.rest())
}

func (c *course) rest() string {
	var ids []string
	for i := range c.tasks {
		if !c.tasks[i].Done() {
			ids = append(ids, c.tasks[i].ID)
		}
	}
	switch {
	case len(c.tasks) == 0:
		return "nothing is planned yet: call " + PlanTool
	case len(ids) == 0:
		return "no task is open: call " + DeliverTool
	}
	return "open are " + strings.Join(ids, ", ")
}

func (c *course) skip(st step) (string, error) {
	in, err := read[struct{ Task, Reason string }](st)
	if err != nil {
		return "", err
	}
	t, err := c.open(in.Task)
	if err != nil {
		return "", err
	}
	t.end(TaskSkipped, st.at)
	c.results[t.ID] = &Result{TaskID: t.ID, Error: in.Reason, Validation: Validation{Issues: []string{}, Suggestions: []string{}}}
	return fmt.Sprintf("%s is skipped. Go on: %s.", t.ID, c.rest()), nil
}

// begin starts the first task that is open, unless one is under way or nothing of
// the plan is done at all.
func (c *course) begin(at time.Time) {
	if c.spec.Final == PlanTool {
		return
	}
	for i := range c.tasks {
		if t := &c.tasks[i]; !t.Done() {
			if t.Status == TaskPending {
				t.Status, t.StartTime = TaskRunning, &at
			}
			return
		}
	}
}

// current is the task under way, or nil.
func (c *course) current() *Task {
	for i := range c.tasks {
		if !c.tasks[i].Done() {
			return &c.tasks[i]
		}
	}
	return nil
}

// inspired reports whether the execution began without goals.
func (c *course) inspired() bool { return c.spec.Tool(GoalsTool) != nil }
