package offline

import (
	"regexp"
	"slices"
	"strings"
)

// steering is what a message asks of an execution that is at work.
type steering int

const (
	changes    steering = iota // of what every task asks for
	changesOne                 // of what one task asks for
	adds                       // tasks
	replaces                   // the tasks that are open
	skips                      // one task
	finishes                   // at once: the open tasks are skipped
)

// steered is a message as it was understood.
type steered struct {
	means steering
	task  string // of changesOne and skips
	text  string
}

// oneTask finds the id of the task that a message is about.
var oneTask = regexp.MustCompile(`\bthe task (task-\d+)\b`)

// readSteering understands a message that came meanwhile. The API for robots puts
// what it was asked for in a first paragraph; people just say what they want.
func (t *turn) readSteering(w *wish) steered {
	head, rest, _ := strings.Cut(w.text, "\n\n")
	s := steered{text: strings.TrimSpace(rest)}
	if id := oneTask.FindStringSubmatch(head); id != nil {
		s.task = id[1]
	}
	says := func(words string) bool { return strings.HasPrefix(head, "A person "+words) }
	switch {
	case says("adds a task"), says("adds to the goals"):
		s.means = adds
	case says("changes the goals"):
		s.means = replaces
	case says("changes the task") && s.task != "":
		s.means = changesOne
	case says("does not want the task") && s.task != "":
		s.means = skips
	case says("regards the goals as reached"), w.stops():
		s.means = finishes
	default:
		if s.text = oneLine(w.text); furthers(s.text) {
			s.means = adds
		}
	}
	return s
}

// steer takes the messages in that came since the execution began.
func (w *work) steer() {
	for i := range w.wishes[1:] {
		s := w.readSteering(&w.wishes[i+1])
		switch k := w.task(s.task); {
		case s.means == finishes:
			w.stopped = true
		case s.means == skips && !k.closed:
			k.unwanted = true
		case s.means == changesOne:
			k.changes = append(k.changes, s.text)
		case s.means == adds:
			w.added = append(w.added, w.unplanned(s.text)...)
		case s.means == replaces:
			w.replaced, w.added = w.unplanned(s.text), nil
		case !w.consents.empty(s.text):
			w.changes = append(w.changes, s.text)
		}
	}
}

// unplanned are the tasks of a text that are not in the plan yet.
func (w *work) unplanned(text string) []string {
	return slices.DeleteFunc(cutTasks(text), func(one string) bool {
		return slices.ContainsFunc(w.tasks, func(k task) bool { return k.text == one })
	})
}
