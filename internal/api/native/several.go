package native

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"time"

	"errand/internal/agent"
	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// Decisions on actions of several runs at once, and what was decided lately: for the
// inbox, in which several people may sit.

// maxSeveral bounds the items of one request: each waits for the disk.
const maxSeveral = 50

type severalIn struct {
	Items []severalItem `json:"items"`
}

// severalItem is a decision on one action.
type severalItem struct {
	Run    *string `json:"run"`
	Action *string `json:"action_id"`
	approveIn
}

// severalBody has a result for each item, in their order.
type severalBody struct {
	Object string         `json:"object"`
	Data   []severalEntry `json:"data"`
}

type severalEntry struct {
	Run      string      `json:"run"`
	Action   string      `json:"action_id"`
	Decision *string     `json:"decision"` // approved, rejected; pending = others have to approve, too; null = it failed
	Status   *run.Status `json:"status"`   // of the run right after it
	Error    *itemError  `json:"error"`
}

type itemError struct {
	Code    problem.Code `json:"code"`
	Message string       `json:"message"`
}

// decideSeveral makes each decision by itself: that one fails says nothing about the
// others. To approve, an item has to name the digest of what was seen.
func (a *API) decideSeveral(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in severalIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	if n := len(in.Items); n == 0 || n > maxSeveral {
		return wire.Response{}, problem.Invalid("items", "must have 1 to %d decisions, each with run, action_id and digest, or reject.", maxSeveral)
	}
	faults := agent.Faults{}
	for i := range in.Items {
		in.Items[i].check(fmt.Sprintf("items[%d].", i), r, faults)
	}
	if err := faults.Problem(); err != nil {
		return wire.Response{}, err
	}
	body := severalBody{Object: "decisions", Data: []severalEntry{}}
	for i := range in.Items {
		entry, err := a.decideItem(ctx, r, &in.Items[i])
		if err != nil {
			return wire.Response{}, err
		}
		body.Data = append(body.Data, entry)
	}
	return wire.OK(body), nil
}

// check finds what is wrong with the words of an item, before any of them counts.
func (in *severalItem) check(field string, r *wire.Request, faults agent.Faults) {
	if id, err := run.ParseID(value(in.Run)); err != nil || id.IsZero() {
		faults.Add(field+"run", "must be the id of a run.")
	}
	if value(in.Action) == "" {
		faults.Add(field+"action_id", `is required: the id of a pending action, for example "act_01".`)
	}
	if in.ActionIDs != nil {
		faults.Add(field+"action_ids", "has no place here: an item decides on the one action of action_id.")
	}
	in.ActionIDs = []string{value(in.Action)}
	if (in.Reject == nil || !*in.Reject) && value(in.Digest) == "" {
		faults.Add(field+"digest", "is required to approve: that of what was seen.")
	}
	own := agent.Faults{}
	in.decision(r, own)
	for name, message := range own {
		faults.Add(field+name, message)
	}
}

// decideItem makes one decision. Only what is wrong with the server is an error.
func (a *API) decideItem(ctx context.Context, r *wire.Request, in *severalItem) (severalEntry, error) {
	id, err := run.ParseID(value(in.Run))
	if err != nil {
		return severalEntry{}, err
	}
	entry := severalEntry{Run: runID(id), Action: value(in.Action)}
	decision := in.decision(r, agent.Faults{})
	state, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	if err == nil && !r.Caller.For(agentOf(&state)) {
		err = problem.New(problem.NotFound, "There is no run %q among those that this key is for.", entry.Run)
	}
	if err == nil {
		state, err = a.cfg.Engine.Decide(ctx, r.Caller.Project, id, decision)
	}
	if told := problem.From(err); err != nil {
		if wire.Status(told.Code) >= http.StatusInternalServerError {
			return entry, err // nothing further would be stored either; what was decided stays so, and can be sent again
		}
		entry.Error = &itemError{told.Code, told.Detail}
		return entry, nil
	}
	said := "pending"
	switch shown := showDecision(&state, &decision); {
	case len(shown.RejectedActions) > 0:
		said = "rejected"
	case len(shown.ApprovedActions) > 0:
		said = "approved"
	}
	entry.Decision, entry.Status = &said, &state.Status
	return entry, nil
}

// decisionBody is a decision that was made: by whom, on what, and when.
type decisionBody struct {
	Object   string        `json:"object"`
	Run      string        `json:"run"`
	At       time.Time     `json:"at"`
	Decision string        `json:"decision"` // approved, rejected, expired
	Reason   *string       `json:"reason"`
	Reach    *run.Reach    `json:"for"`
	Edited   bool          `json:"edited"`
	By       *actorBody    `json:"by"` // null = nobody decided in time
	Actions  []decidedItem `json:"actions"`

	seq int64 // of its line
}

type decidedItem struct {
	ID     string  `json:"id"`
	Tool   *string `json:"tool"`
	Digest *string `json:"digest"`
}

const (
	defaultDecided = time.Hour
	// longestDecided bounds what is read of the log: whoever asks for more reads the log
	// itself.
	longestDecided = 24 * time.Hour
	decidedPage    = 500
)

// listDecided lists what was decided since a time, newest first, from the audit log.
func (a *API) listDecided(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	since, limit := query.Time("since"), query.Int("limit", defaultPage, 1, maxPage)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	if a.cfg.Audit == nil {
		return wire.Response{}, problem.New(problem.NotAvailable, "This server keeps no log of who did what.")
	}
	now := a.cfg.Now()
	switch {
	case since.IsZero():
		since = now.Add(-defaultDecided)
	case since.Before(now.Add(-longestDecided)):
		return wire.Response{}, problem.Invalid("since", "must be a time of the last %d hours: GET /v1/audit?action=approval.decided has what was before.", int(longestDecided.Hours()))
	}
	body := listBody[decisionBody]{Object: "list", Data: []decisionBody{}}
	for _, action := range []run.Type{run.ApprovalDecided, run.ApprovalExpired} {
		found, err := a.decidedSince(ctx, run.AuditQuery{Project: r.Caller.Project, Action: string(action), Since: since, Limit: decidedPage}, limit+1, &r.Caller)
		if err != nil {
			return wire.Response{}, err
		}
		body.Data = append(body.Data, found...)
	}
	slices.SortFunc(body.Data, func(a, b decisionBody) int { return cmp.Compare(b.seq, a.seq) })
	body.HasMore = len(body.Data) > limit
	body.Data = body.Data[:min(len(body.Data), limit)]
	return wire.OK(body), nil
}

// decidedSince returns the latest decisions that a query selects, on runs that the
// caller's key is for, as many as are asked for. The log is read from its older end.
func (a *API) decidedSince(ctx context.Context, q run.AuditQuery, most int, caller *auth.Caller) ([]decisionBody, error) {
	var all []decisionBody
	for {
		lines, err := a.cfg.Audit.Select(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("reading what was decided: %w", err)
		}
		for i := range lines {
			if caller.Agents == nil || caller.For(agentOfLine(&lines[i])) {
				all = append(all, showDecidedLine(&lines[i]))
			}
		}
		all = all[max(len(all)-most, 0):]
		if len(lines) < q.Limit {
			return all, nil
		}
		q.After = lines[len(lines)-1].Seq
	}
}

// agentOfLine is the id of the agent whose run a line is about; empty for a run without one.
func agentOfLine(line *run.Audit) string {
	var said struct{ Agent string }
	if json.Unmarshal(line.Data, &said) != nil {
		return ""
	}
	return said.Agent
}

// showDecidedLine reads a line as run.Audits writes it.
func showDecidedLine(line *run.Audit) decisionBody {
	body := decisionBody{Object: "decision", Run: line.Target, At: line.At.UTC(), Decision: "expired", Actions: []decidedItem{}, seq: line.Seq}
	if line.Action == string(run.ApprovalExpired) {
		var said struct {
			Actions []string `json:"actions"`
		}
		if json.Unmarshal(line.Data, &said) == nil {
			for _, id := range said.Actions {
				body.Actions = append(body.Actions, decidedItem{ID: id})
			}
		}
		return body
	}
	var said struct {
		Approve, Edited bool
		Reason          string
		Reach           run.Reach
		Actions         []struct{ ID, Tool, Digest string }
	}
	if json.Unmarshal(line.Data, &said) != nil {
		return body // a line of a later version: that there was a decision is told all the same
	}
	body.Decision, body.Reason, body.Reach, body.Edited = "rejected", optional(said.Reason), optional(said.Reach), said.Edited
	if said.Approve {
		body.Decision = "approved"
	}
	body.By = &actorBody{ID: line.Actor, Name: line.ActorName}
	for _, action := range said.Actions {
		body.Actions = append(body.Actions, decidedItem{action.ID, optional(action.Tool), optional(action.Digest)})
	}
	return body
}
