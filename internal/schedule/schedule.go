package schedule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/run"
)

// Kinds of rows.
const (
	Kind      = "schedule"
	clockKind = "robot_clock" // the clock of a robot: its id is the robot's
)

// Missed says what becomes of times at which nothing could be started.
type Missed string

// Policies for missed times.
const (
	SkipMissed Missed = "skip" // they are left out
	Once       Missed = "once" // one run makes up for all of them
)

// Overlap says what becomes of a time at which the last run goes on.
type Overlap string

// Policies for overlaps.
const (
	SkipOverlap Overlap = "skip"  // it is left out
	Queue       Overlap = "queue" // it waits for the end of the run
	Allow       Overlap = "allow" // it starts another run
)

// Target is who is started: one of both.
type Target struct {
	Agent string `json:"agent,omitempty"` // id of a saved agent
	Robot string `json:"robot,omitempty"` // its member_id
}

// Definition is what an author says about a schedule.
type Definition struct {
	Target
	Timing
	Input   string  `json:"input,omitempty"` // the prompt, or the goals
	Missed  Missed  `json:"missed"`
	Overlap Overlap `json:"overlap"`
	Paused  bool    `json:"paused,omitempty"`
}

// Schedule is a definition and where it stands.
type Schedule struct {
	ID      string    `json:"-"`
	Project string    `json:"-"`
	Created time.Time `json:"-"`
	Updated time.Time `json:"updated"`
	Definition
	Key  string `json:"key,omitempty"` // id of the API key on whose word runs start
	Turn int64  `json:"turn"`          // grows with each change of Next; a job of an older one is late

	Anchor    time.Time `json:"anchor"`                // from which Every counts
	Next      time.Time `json:"next,omitzero"`         // zero = none: paused, or a daemon at work
	NotBefore time.Time `json:"not_before,omitzero"`   // what failing fast has brought
	Running   []run.ID  `json:"running,omitempty"`     // runs that it has started and whose end is not booked
	Queued    int       `json:"queued,omitempty"`      // times that wait for the end of a run
	Failures  int       `json:"failures,omitempty"`    // in a row, of runs that failed fast or did not start
	Error     string    `json:"error,omitempty"`       // why the last one could not be started
	Last      run.ID    `json:"last,omitzero"`         // the latest run
	LastAt    time.Time `json:"last_at,omitzero"`      // when it was started
	LastEnd   string    `json:"last_status,omitempty"` // what became of it; empty = it goes on, or there is none
	Left      int64     `json:"left,omitempty"`        // times that were missed
	Skipped   int64     `json:"skipped,omitempty"`     // times at which a run went on

	kind    string
	version int64
}

// plan is the stored timing, which was checked when it was stored.
func (s *Schedule) plan() (plan, error) {
	f := faults{}
	p := s.Timing.plan(s.Anchor, f)
	for field, fault := range f {
		return p, fmt.Errorf("reading when %s is due: %s: %s", s.ID, field, fault)
	}
	return p, nil
}

// Zone is the schedule's time zone; UTC if it has none.
func (s *Schedule) Zone() *time.Location { return s.Timing.zone(faults{}) }

// Upcoming are the next times at which it fires as far as they are known now:
// none while it is paused, and for a daemon at most one.
func (s *Schedule) Upcoming(count int) ([]time.Time, error) {
	p, err := s.plan()
	if err != nil || s.Next.IsZero() {
		return nil, err
	}
	times := []time.Time{s.Next}
	for len(times) < count {
		at, ok := p.next(times[len(times)-1])
		if !ok {
			break
		}
		times = append(times, at)
	}
	return times, nil
}

// gone drops a run from those that go on.
func (s *Schedule) gone(id run.ID) {
	s.Running = slices.DeleteFunc(slices.Clone(s.Running), func(other run.ID) bool { return other == id })
}

func readSchedule(row *run.Row) (Schedule, error) {
	s := Schedule{ID: row.ID, Project: row.Project, Created: row.Created, kind: row.Kind, version: row.Version}
	if err := json.Unmarshal(row.Data, &s); err != nil {
		return s, fmt.Errorf("reading %s %s: %w", row.Kind, row.ID, err)
	}
	return s, nil
}

// write is what stores the schedule in place of the version that was read.
func (s *Schedule) write() (run.RowWrite, error) {
	data, err := json.Marshal(s)
	return run.RowWrite{
		Row:    run.Row{Kind: s.kind, Project: s.Project, ID: s.ID, Created: s.Created, Data: data},
		Expect: s.version,
	}, err
}

// Kinds of jobs.
const (
	FireJob  = "schedule"       // its time has come
	EndJob   = "schedule_ended" // a run that it has started has ended
	DrainJob = "schedule_queue" // a time that waits may have its run
	// FollowJob says that a robot was made, changed or removed.
	FollowJob = "robot_clock"
)

// ticket is the data of the jobs.
type ticket struct {
	Kind    string `json:"kind"`
	Project string `json:"project"`
	ID      string `json:"id"`
	Turn    int64  `json:"turn,omitempty"` // of a FireJob
}

func (s *Schedule) job(kind string, due time.Time) (run.Job, error) {
	data, err := json.Marshal(ticket{Kind: s.kind, Project: s.Project, ID: s.ID, Turn: s.Turn})
	return run.Job{Kind: kind, Due: due, Data: data}, err
}

// clockPrefix stands before the robot in what a run says that its clock started.
const clockPrefix = "clock/"

// ref is how a run says that this schedule started it (run.Spec.Schedule).
func (s *Schedule) ref() string {
	if s.kind == clockKind {
		return clockPrefix + s.ID
	}
	return s.ID
}

// Outbox is the job that books the end of a run that a schedule has started: what
// the engine writes with the events.
func Outbox(s *run.State, events []run.Event) []run.Job {
	ended := len(events) > 0 && slices.ContainsFunc(events, func(e run.Event) bool { return e.Type == run.RunFinished })
	if s.Spec.Schedule == "" || !ended {
		return nil
	}
	t := ticket{Kind: Kind, Project: s.Spec.Project, ID: s.Spec.Schedule}
	if robot, ok := strings.CutPrefix(s.Spec.Schedule, clockPrefix); ok {
		t.Kind, t.ID = clockKind, robot
	}
	data, err := json.Marshal(t)
	if err != nil { // texts always have a JSON form
		return nil
	}
	return []run.Job{{Kind: EndJob, Run: s.ID, Due: events[len(events)-1].At, Data: data}}
}
