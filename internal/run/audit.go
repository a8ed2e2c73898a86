package run

import (
	"encoding/json"
	"time"
)

// Audit is one line of the log of who did what. Lines are only ever added; each
// holds a hash over itself and the line before, so that none can be changed or
// taken out without all later ones showing it. They outlive the runs they tell of.
type Audit struct {
	Seq       int64     // 1, 2, 3 …, over all projects; the store's
	At        time.Time // UTC, to the millisecond
	Project   string
	Actor     string          // id of the key, or of the link, that did it; empty = the server itself
	ActorName string          // what people call it
	From      string          // the address that the request came from
	Request   string          // the request's id
	Action    string          // what was done: approval.decided, key.created, agent.changed …
	Target    string          // to what: run_…/act_01, key_…
	Data      json.RawMessage // more, never secrets
	Hash      [32]byte        // the store's
}

// AuditQuery selects lines. Empty fields select all.
type AuditQuery struct {
	Project string
	Action  string // approval.decided
	Actor   string // id or name of a key
	Target  string // run_…, key_…
	Since   time.Time
	After   int64 // keyset: only lines behind this one
	Limit   int
}

// Takes reports whether the query selects a line.
func (q *AuditQuery) Takes(line *Audit) bool {
	return (q.Project == "" || q.Project == line.Project) &&
		(q.Action == "" || q.Action == line.Action) &&
		(q.Actor == "" || q.Actor == line.Actor || q.Actor == line.ActorName) &&
		(q.Target == "" || q.Target == line.Target) &&
		(q.Since.IsZero() || !line.At.Before(q.Since)) && line.Seq > q.After
}

// Audits returns the lines for what people have asked of a run by these events,
// which the state has taken, and for what it was denied; nil for most events.
func Audits(s *State, events []Event) []Audit {
	var lines []Audit
	for i := range events {
		e := &events[i]
		line := Audit{At: e.At, Project: s.Spec.Project, Action: string(e.Type), Target: "run_" + s.ID.String()}
		var data any
		switch e.Type {
		case ApprovalDecided:
			line.Actor, line.ActorName, line.From, line.Request = e.Decided.By, e.Decided.ByName, e.Decided.From, e.Decided.Request
			data = auditedDecision(s, e.Decided)
		case ApprovalExpired:
			if !e.Expired.Timeout {
				continue
			}
			data = struct {
				Agent   string   `json:"agent,omitempty"`
				Actions []string `json:"actions"`
			}{agentOf(&s.Spec), e.Expired.Actions}
		case ModelResponded:
			denied := auditedDenials(s, e.Responded.Actions)
			if denied == nil {
				continue
			}
			line.Action, line.Actor, data = "scope.denied", s.Spec.Key, denied
		case CancelRequested:
			line.Actor = e.Cancel.By
		case RunPaused, RunResumed, BudgetRaised:
			line.Actor = e.Actor.By
		default:
			continue
		}
		if data != nil {
			line.Data, _ = json.Marshal(data) // structs of strings are always encoded
		}
		lines = append(lines, line)
	}
	return lines
}

// auditedAction is what was decided on: the digest pins tool, version, arguments
// and agent without repeating what may be secret.
type auditedAction struct {
	ID     string `json:"id"`
	Tool   string `json:"tool"`
	Digest string `json:"digest,omitempty"`
}

func auditedDecision(s *State, d *Decided) any {
	said := struct {
		Approve bool            `json:"approve"`
		Agent   string          `json:"agent,omitempty"` // id of the run's
		Reason  string          `json:"reason,omitempty"`
		Reach   Reach           `json:"reach,omitempty"`
		Edited  bool            `json:"edited,omitempty"`
		Actions []auditedAction `json:"actions"`
	}{Approve: d.Approve, Agent: agentOf(&s.Spec), Reason: d.Reason, Reach: d.Reach, Edited: d.Arguments != ""}
	for _, id := range d.Actions {
		if a := s.Action(id); a != nil {
			said.Actions = append(said.Actions, auditedAction{id, a.Tool.Name, a.Digest})
		}
	}
	return said
}

func agentOf(spec *Spec) string {
	if spec.Agent == nil {
		return ""
	}
	return spec.Agent.ID
}

// denial is what a run asked for at a step and its key was not granted.
type denial struct {
	Granted []string `json:"granted"`
	Denied  []denied `json:"denied"`
}

type denied struct {
	Action string `json:"action"`
	Tool   string `json:"tool"`
	Scope  string `json:"scope"`
}

// auditedDenials is nil when nothing was denied.
func auditedDenials(s *State, planned []Planned) any {
	var all []denied
	for i := range planned {
		if p := &planned[i]; p.Denied != "" {
			line := denied{Action: p.ID, Scope: p.Denied}
			if a := s.Action(p.ID); a != nil {
				line.Tool = a.Tool.Name
			}
			all = append(all, line)
		}
	}
	if all == nil {
		return nil
	}
	return denial{Granted: s.Spec.Scopes, Denied: all}
}

// Removal is the line for the deletion of a run, whose last words end with e.
func Removal(s *State, e *Event) Audit {
	line := Audit{At: e.At, Project: s.Spec.Project, Action: "run.deleted", Target: "run_" + s.ID.String()}
	if e.Cancel != nil {
		line.Actor = e.Cancel.By
	} else if e.Decided != nil {
		line.Actor = e.Decided.By
	}
	return line
}
