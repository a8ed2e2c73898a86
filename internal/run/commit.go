package run

import (
	"errors"
	"fmt"
	"time"

	"errand/internal/problem"
)

// Commit is what a store writes at once: all of it or nothing. Several runs,
// jobs and rows fit in one, because hand-offs, webhooks and idempotency need it.
type Commit struct {
	Runs  []Append
	Jobs  []Job
	Rows  []RowWrite
	Spend []Spend // added to what is booked
	Audit []Audit // appended to the log of who did what
}

// Append adds events to one run's log.
type Append struct {
	ID       ID
	Epoch    int64   // the writing driver's; 0 for anyone else, who needs none
	Expected int64   // the log's last sequence number that the writer has seen; 0 makes the run
	Events   []Event // numbered Expected+1, Expected+2 …; their IDs are the writer's
	Summary  Summary // the run as it stands after Events
	// Orphan is written with the append if the run then needs a driver and no node has
	// one for it: Summary.Live and no Summary.Driver. Nil = there is one node alone.
	Orphan *Job
	// Bound holds the append to what its run's lane has room for, over all nodes. Nil =
	// it needs no room, or there is one node alone.
	Bound *Bound
}

// Bound is how many runs of a lane may have a driver and, while that many have one, how
// many may wait for theirs. The store asks only of an append by which its run gets a
// driver, and then for Most, or by which it begins without one, and then for Queue.
type Bound struct {
	Most  int // with the run's own
	Queue int // 0 = any number
}

// LaneID names a lane: they are a project's own.
type LaneID struct{ Project, Name string }

// Places are how many runs of a lane have a driver, how many wait for theirs, and some
// of those, the oldest.
type Places struct {
	Working, Waiting int
	Next             []ID
}

// ErrLaneFull says that a run can't have a driver, or can't even wait for one, because
// its lane has as many as it may.
var ErrLaneFull = errors.New("the run's lane is full on all nodes together")

// ErrConflict says that the log has moved on: someone else has appended.
var ErrConflict = errors.New("the run's log has moved on")

// ErrFenced says that another driver has taken the run over.
var ErrFenced = errors.New("another driver has taken the run over")

// RowConflict says that a row was not as the writer expected it.
type RowConflict struct {
	Kind string
	ID   string
	Name bool // the row's name is taken by another row
}

func (c *RowConflict) Error() string {
	if c.Name {
		return fmt.Sprintf("the name of %s %s is taken", c.Kind, c.ID)
	}
	return fmt.Sprintf("%s %s is not at the expected version", c.Kind, c.ID)
}

// Summary is a run's line in lists: what can be filtered, sorted and shown
// without reading the log. Its store keeps one per run, replaced by each Append.
type Summary struct {
	ID         ID
	Project    string
	Dialect    string
	Agent      string // id of the saved agent, or empty
	Model      string
	Status     Status
	StopReason StopReason
	Seq        int64
	Epoch      int64
	Steps      int
	MaxSteps   int
	Usage      Usage
	Pending    int  // actions that wait for a person
	Live       bool // needs a driver: a sweep at start finds these
	// Driver is the node whose driver keeps the run moving; empty = nobody's, or there is
	// one node alone. Only drivers change it: what anybody else appends leaves it as it is.
	Driver string
	// Lane is the name of the run's lane, where a store has several nodes that share its
	// bound. It never changes: what is appended without it leaves it as it is.
	Lane        string
	Title       string
	Fingerprint string
	CreatedAt   time.Time
	UpdatedAt   time.Time
	EndedAt     time.Time // zero until terminal
	Deleted     bool      // the log is gone; the line stays, to answer a second delete
}

// Job is work for later or elsewhere, written with the event that causes it.
type Job struct {
	ID   int64 // the store's; 0 before it is written
	Kind string
	Run  ID
	Due  time.Time
	Data []byte // JSON, the kind's own
	// Tries counts the attempts that failed so far; the store's, 0 before it is written.
	Tries int
}

// Early is an error that has a job come again when it is due by this clock, nil if it
// is: whoever keeps the jobs may go by another one, and what the time alone brings about
// would not have come yet.
func (j *Job) Early(now time.Time) error {
	early := j.Due.Sub(now)
	if early <= 0 {
		return nil
	}
	p := problem.New(problem.Overloaded, "It is not time yet, by this server's clock.")
	p.RetryAfter = early
	return p
}

// Row is a stored object that is not a run: an agent, a tool, a key, a
// remembered answer. The store knows nothing of what Data means.
type Row struct {
	Kind    string // agent, agent_version, tool, key, project, answer …
	Project string // empty for what belongs to the server
	ID      string // unique within Kind and Project; lists come in this order
	Name    string // unique within Kind and Project when not empty
	Version int64  // 1 when first written, then one more with each write
	Created time.Time
	Expires time.Time // zero = never; the store may drop the row after it
	Data    []byte
}

// Expectations of a RowWrite beside a positive version.
const (
	MustNotExist int64 = 0
	AnyVersion   int64 = -1 // there or not
)

// RowWrite puts, deletes or only checks a row.
type RowWrite struct {
	Row
	Expect int64 // the version that must be there, MustNotExist or AnyVersion
	Delete bool
	Check  bool // write nothing: only hold the commit to Expect
}

// RunQuery selects runs of one project, newest first.
type RunQuery struct {
	Project  string
	Agent    string // id; empty = any
	Statuses []Status
	Dialect  string
	Pending  bool      // only runs with pending actions
	Before   ID        // keyset: only runs older than this one; zero = from the newest
	After    time.Time // created at or after; zero = any
	Until    time.Time // created before; zero = any
	Limit    int
}

// RunSearch narrows a list of runs by what no index has, and turns it around. Before is
// where the page before has ended, in either order.
type RunSearch struct {
	RunQuery
	Words   []RunWord // all of them have to be there
	MinCost *Micros   // nil = any
	MaxCost *Micros
	Oldest  bool // oldest first
	Look    int  // how many lines to look at, at most; 0 = all
}

// RunWord is a word that a run's line has to have: in its title, its model, its id, or
// the name of its agent, which stores do not know.
type RunWord struct {
	Text   string   // in lower case
	Agents []string // ids of those whose name has it
}

// RunFound is what a search has found so far.
type RunFound struct {
	Lines  []Summary
	Looked int // lines looked at
	// Reached is where the search stands when Look was used up before Limit lines were
	// found: what was made beyond it was not looked at. Zero = all that was asked for is
	// there.
	Reached ID
}

// RowQuery selects rows of one kind and project, in order of ID.
type RowQuery struct {
	Kind, Project string
	After         string // keyset: only IDs above (below, if Newest) this one
	Newest        bool   // descending order of ID
	Limit         int
}
