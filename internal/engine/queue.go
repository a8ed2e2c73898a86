package engine

import (
	"slices"

	"errand/internal/run"
)

// queue holds the runs that need a driver and found no room. Projects take turns, and
// the runs of each go oldest first: one that asks for ten thousand runs delays those of
// the others by one each. Runs of which only the id is known, as after a restart, take
// turns as if they were one project's.
type queue struct {
	lines map[string][]run.ID // by project, oldest first
	turns []string            // projects of which some wait, the next one first
	of    map[run.ID]string   // the project of each run
}

func (q *queue) size() int { return len(q.of) }

func (q *queue) has(id run.ID) bool {
	_, waits := q.of[id]
	return waits
}

func (q *queue) add(id run.ID, project string) {
	if q.of == nil {
		q.of, q.lines = map[run.ID]string{}, map[string][]run.ID{}
	}
	if len(q.lines[project]) == 0 {
		q.turns = append(q.turns, project)
	}
	q.lines[project] = append(q.lines[project], id)
	q.of[id] = project
}

// next takes out the run whose turn it is; some must wait.
func (q *queue) next() run.ID {
	project := q.turns[0]
	id := q.lines[project][0]
	q.turns = q.turns[1:]
	q.leave(id, project, 0)
	if len(q.lines[project]) > 0 {
		q.turns = append(q.turns, project)
	}
	return id
}

// drop takes out a run that waits.
func (q *queue) drop(id run.ID) {
	project := q.of[id]
	q.leave(id, project, slices.Index(q.lines[project], id))
	if len(q.lines[project]) == 0 {
		q.turns = slices.DeleteFunc(q.turns, func(other string) bool { return other == project })
	}
}

func (q *queue) leave(id run.ID, project string, at int) {
	delete(q.of, id)
	if at == 0 {
		q.lines[project] = q.lines[project][1:]
	} else {
		q.lines[project] = slices.Delete(q.lines[project], at, at+1)
	}
	if len(q.lines[project]) == 0 {
		delete(q.lines, project)
	}
}
