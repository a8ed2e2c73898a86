package offline

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// The one who executes goals says how the work goes with tools of its own: it sets
// goals, plans tasks, reports on each, and delivers. The rules make a task of each
// sentence, do it with the other tools as they would do a run of its own, and
// report what came of it. They judge nothing: a task has succeeded when its calls
// have.

// The tools of the pipeline, of which planTool is always there.
const (
	pipelinePrefix = "robot."
	goalsTool      = pipelinePrefix + "goals"
	planTool       = pipelinePrefix + "plan"
	reportTool     = pipelinePrefix + "report"
	skipTool       = pipelinePrefix + "skip"
	askTool        = pipelinePrefix + "ask"
	deliverTool    = pipelinePrefix + "deliver"
)

// contextMark is what the core puts between the goals and the data that came with
// them.
const contextMark = "\n\nContext, as data:\n"

// work is an execution as far as its calls tell.
type work struct {
	*turn
	goals string
	data  string // that came with the goals, a line "name: value" for each
	tasks []task
	done  []fact // calls of other tools, in order, numbered anew

	// What messages have changed since.
	changes  []string // of what every task asks for
	added    []string // tasks that are not planned yet
	replaced []string // tasks that are to stand in place of those that are open
	stopped  bool     // nothing more is to be done
}

// task is one step of the plan.
type task struct {
	id, text string
	output   string // as reported
	closed   bool   // reported, skipped, or replaced
	dropped  bool   // replaced by a later plan
	unwanted bool   // a person said so
	changes  []string
	good     bool
	tries    int      // reports on it
	asked    bool     // a person was asked
	answers  []string // what came of that
	first    int      // the calls that had been made when it began
}

// pipeline executes goals with the tools that are there for that.
func pipeline(t *turn) (move, bool) {
	if t.tool(planTool) == nil || t.blind || len(t.wishes) == 0 {
		return move{}, false
	}
	if t.failures() >= maxMisses {
		return report(t)
	}
	w := newWork(t)
	if goals := t.tool(goalsTool); goals != nil && w.goals == "" {
		return w.say(goalsTool, map[string]any{"content": t.duties()})
	}
	if len(w.tasks) == 0 {
		return w.say(planTool, map[string]any{"tasks": w.plan(cutTasks(w.goals))})
	}
	switch {
	case w.stopped: // what is open is skipped
	case len(w.replaced) > 0:
		return w.say(planTool, map[string]any{"tasks": w.plan(w.replaced)})
	case len(w.added) > 0:
		return w.say(planTool, map[string]any{"tasks": w.plan(w.added), "add": true})
	}
	for i := range w.tasks {
		if k := &w.tasks[i]; !k.closed {
			return w.advance(k)
		}
	}
	if t.tool(deliverTool) == nil { // a plan is all that was wanted
		return report(t)
	}
	return w.say(deliverTool, w.delivery())
}

// maxMisses is how many calls of the pipeline may fail in a row before the rules
// give up: they do nothing else the second time.
const maxMisses = 3

// failures is how many of the latest calls were of the pipeline, and failed.
func (t *turn) failures() int {
	count := 0
	for i := len(t.calls) - 1; i >= 0 && strings.HasPrefix(t.calls[i].call.Name, pipelinePrefix) && t.calls[i].outcome != succeeded; i-- {
		count++
	}
	return count
}

// say calls one of the pipeline's tools. Without it, there is no pipeline.
func (w *work) say(name string, arguments map[string]any) (move, bool) {
	tool := w.tool(name)
	if tool == nil {
		return move{}, false
	}
	call, ok := w.object(tool, arguments)
	if !ok {
		return move{}, false
	}
	return w.call([]planned{call})
}

// newWork reads the calls of the run in order.
func newWork(t *turn) *work {
	w := &work{turn: t}
	var data string
	w.goals, data, _ = strings.Cut(t.wishes[0].text, contextMark)
	w.data = lines(data)
	if t.tool(goalsTool) != nil {
		w.goals = ""
	}
	for i := range t.calls {
		f := t.calls[i]
		if !strings.HasPrefix(f.call.Name, pipelinePrefix) {
			f.number = len(w.done) + 1
			w.done = append(w.done, f)
			continue
		}
		if f.outcome == succeeded || f.call.Name == askTool {
			w.follow(&f)
		}
	}
	for goal := range strings.Lines(w.goals) {
		if change, ok := strings.CutPrefix(strings.TrimSpace(goal), changeMark); ok && !furthers(change) {
			w.changes = append(w.changes, change)
		}
	}
	w.steer()
	return w
}

// follow takes a call of the pipeline in.
func (w *work) follow(f *fact) {
	var said struct {
		Content, Task, Output, Reason, Question string
		Tasks                                   []struct{ Description string }
		Success                                 *bool
		Add                                     bool
	}
	if json.Unmarshal([]byte(f.call.Arguments), &said) != nil {
		return
	}
	k := w.task(said.Task)
	switch f.call.Name {
	case goalsTool:
		w.goals = said.Content
	case planTool:
		for i := range w.tasks {
			if open := &w.tasks[i]; !said.Add && !open.closed {
				open.closed, open.dropped = true, true
			}
		}
		for _, one := range said.Tasks {
			w.tasks = append(w.tasks, task{id: fmt.Sprintf("task-%d", len(w.tasks)+1), text: one.Description, first: len(w.done)})
		}
	case reportTool:
		k.output, k.good = said.Output, said.Success == nil || *said.Success
		k.tries++
		k.closed = k.tries >= maxMisses || !strings.Contains(f.text, `"status":"running"`)
	case skipTool:
		k.output, k.closed = "Skipped: "+said.Reason, true
	case askTool:
		k.asked = true
		if name := wanting.FindStringSubmatch(said.Question); name != nil && f.outcome == succeeded {
			answer := oneLine(f.text)
			if !strings.Contains(answer, " ") { // one word is the value, and more have it in them
				answer = name[1] + ": " + answer
			}
			k.answers = append(k.answers, answer)
		}
	}
	if k.closed {
		for i := range w.tasks {
			if !w.tasks[i].closed {
				w.tasks[i].first = len(w.done)
			}
		}
	}
}

// task finds a task; without one of that id, what is said of it goes nowhere.
func (w *work) task(id string) *task {
	for i := range w.tasks {
		if w.tasks[i].id == id {
			return &w.tasks[i]
		}
	}
	return &task{}
}

// wanting finds the name of the value that a question asks for.
var wanting = regexp.MustCompile("nothing gives a value for `([^`]+)`")

// lines puts the members of a JSON object that stands in a code block below each
// other, as a person would write them.
func lines(block string) string {
	var object map[string]any
	decoder := json.NewDecoder(strings.NewReader(strings.TrimPrefix(block, "```json")))
	decoder.UseNumber()
	if decoder.Decode(&object) != nil {
		return ""
	}
	var out []string
	for _, name := range sorted(object) {
		if text := plain(object[name]); scalar(object[name]) {
			out = append(out, name+`: "`+strings.ReplaceAll(text, `"`, "'")+`"`)
		}
	}
	return strings.Join(out, "\n")
}
