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

	coming map[string]int // by project, runs whose first event is on its way to the disk
	come   int            // all of them

	// Where several nodes share the bound: who waited on any of them at the latest look,
	// with those that came here since. Nil = nobody looks, for there is room here.
	known  map[string]int
	knowns int // all of them
}

func (q *queue) size() int { return len(q.of) }

// full reports whether no run of the project may come any more, where active ones are
// driven at once. Behind the places that are for all there are some for projects of
// which few wait: one that fills the queue does not keep the others out.
func (q *queue) full(project string, active int) bool {
	all := max(q.size()+q.come, q.knowns)
	its := max(len(q.lines[project])+q.coming[project], q.known[project])
	if its < active {
		return all >= (queueFactor+1)*active
	}
	return all >= queueFactor*active
}

// expect counts a run that is on its way to the disk.
func (q *queue) expect(project string) {
	if q.coming == nil {
		q.coming = map[string]int{}
	}
	q.coming[project]++
	q.come++
	if q.known != nil {
		q.known[project]++
		q.knowns++
	}
}

// learn takes in who waits on any node; those on their way to the disk may be missing.
func (q *queue) learn(waiting map[string]int) {
	q.known, q.knowns = waiting, 0
	for _, some := range q.known {
		q.knowns += some
	}
}

// expected takes that back.
func (q *queue) expected(project string) {
	if q.coming[project]--; q.coming[project] <= 0 {
		delete(q.coming, project)
	}
	q.come--
}

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
