package river

import "strings"

// Names of the queues that hold more than one kind of job. Each has its own workers,
// so that what is slow in one does not hold up the others, and a node can have some
// and not others.
const (
	Runs     = "run"     // runs to be driven
	Browsers = "browser" // those that need a browser, which not every node has
	Webhooks = "webhook" // calls of other people's servers
	Timers   = "timer"   // what is due at a time and done in a moment
)

// Routes says which queue a kind of job goes to. A kind that is not in it has a
// queue of its own, named after it.
//
// So a new kind needs no care: nodes of older releases don't work on a queue whose
// only kind they don't know. For the same reason a released kind must never get
// another queue, and no new kind one of these: jobs that wait would be where nobody
// looks, or taken by a node that can't do them and puts them back for minutes.
type Routes map[string]string

// Queue names the queue of a kind.
func (r Routes) Queue(kind string) string {
	if name, ok := r[kind]; ok {
		return name
	}
	return "kind-" + strings.ReplaceAll(kind, ".", "-") // River allows no dots
}
