package yao

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// A conversation through interact has an execution from its first message on: one
// whose goal is being settled. Its id is reserved; the run that the conversation
// starts gets it. Until then a row is all that there is of it.

// reservedKind is the kind of row that holds a reserved id; its own id is the
// robot's, a slash, and the execution's.
const reservedKind = "reserved_execution"

// reservedLife is how long a conversation that settles nothing is listed.
const reservedLife = 30 * 24 * time.Hour

// maxReserved bounds the conversations of one robot that lists show: the newest.
const maxReserved = 200

// reservation is what the row says.
type reservation struct {
	Chat      string    `json:"chat"`
	Key       string    `json:"key"`     // id of the API key that has opened the chat
	Opening   string    `json:"opening"` // the first message
	Created   time.Time `json:"created"`
	Cancelled time.Time `json:"cancelled,omitzero"`
	version   int64
}

func reservedRow(project, member string, id run.ID) run.Row {
	return run.Row{Kind: reservedKind, Project: project, ID: member + "/" + id.String()}
}

// write is the row of a reservation as it stands.
func (v *reservation) write(project, member string, id run.ID) (run.RowWrite, error) {
	row := reservedRow(project, member, id)
	row.Created, row.Expires = v.Created, v.Created.Add(reservedLife)
	var err error
	row.Data, err = json.Marshal(v)
	return run.RowWrite{Row: row, Expect: v.version}, err
}

// reservation reads a row, or returns a not_found problem.
func (a *API) reservation(ctx context.Context, project, member string, id run.ID) (reservation, error) {
	row, err := a.cfg.Rows.Row(ctx, reservedKind, project, reservedRow(project, member, id).ID)
	if err != nil {
		return reservation{}, err
	}
	v := reservation{version: row.Version}
	if err := json.Unmarshal(row.Data, &v); err != nil {
		return v, fmt.Errorf("decoding a reserved execution: %w", err)
	}
	return v, nil
}

// reservedExecution is the execution whose id a conversation holds.
func (a *API) reservedExecution(ctx context.Context, r *wire.Request, member string, id run.ID) (execution, error) {
	kept, err := a.reservation(ctx, r.Caller.Project, member, id)
	if problem.Is(err, problem.NotFound) {
		return execution{}, noExecution(member, execID(id))
	}
	if err != nil {
		return execution{}, err
	}
	return execution{id: id, shown: kept.show(r.Caller.Project, member, id), reserved: &kept}, nil
}

// show is the execution as long as no run is in it.
func (v *reservation) show(project, member string, id run.ID) robot.Execution {
	e := robot.Execution{
		ID: execID(id), MemberID: member, TeamID: project, Trigger: robot.ByHuman,
		Status: robot.ExecConfirming, Phase: robot.GoalsPhase, StartTime: v.Created, Name: firstLine(v.Opening), ChatID: v.Chat,
		Tasks: []robot.Task{}, Results: []robot.Result{},
		Input: robot.Input{Order: robot.Order{Trigger: robot.ByHuman, ChatID: v.Chat}},
	}
	if !v.Cancelled.IsZero() {
		e.Status, e.EndTime = robot.ExecCancelled, &v.Cancelled
	}
	return e
}

// dropReserved gives up a reserved execution: its conversation starts nothing any
// more, and a turn of it that is being answered is cut off. If that turn has confirmed
// meanwhile, what it has started is cancelled.
func (a *API) dropReserved(ctx context.Context, r *wire.Request, e execution) error {
	gone := *e.reserved
	gone.Cancelled = a.cfg.Now().UTC().Truncate(time.Millisecond)
	row, err := gone.write(r.Caller.Project, e.shown.MemberID, e.id)
	if err == nil {
		err = a.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{row}})
	}
	if conflict := new(run.RowConflict); errors.As(err, &conflict) {
		return problem.New(problem.Conflict, "The execution has changed at the same time: read it again, and cancel it if it is still to be cancelled.")
	}
	if err != nil {
		return err
	}
	held, err := a.talkOf(ctx, r.Caller.Project, talkRow(gone.Key, e.shown.MemberID, gone.Chat))
	if err != nil {
		return err
	}
	for _, id := range []run.ID{held.Tip, e.id} {
		_, err := a.cfg.Engine.Cancel(ctx, r.Caller.Project, id, run.Cancel{By: r.Caller.KeyID})
		if err != nil && !problem.Is(err, problem.NotFound) && !problem.Is(err, problem.Conflict) {
			return err
		}
	}
	return nil
}

// reservedIDs are the robot's reserved executions that the filter lets through and
// in which there is no run yet.
func (a *API) reservedIDs(ctx context.Context, project string, f *filter) ([]run.ID, error) {
	if f.trigger != "" && f.trigger != robot.ByHuman || !f.allows(robot.ExecConfirming) && !f.allows(robot.ExecCancelled) {
		return nil, nil
	}
	// '0' is the character behind '/': the list goes down from there.
	rows, err := a.cfg.Rows.Rows(ctx, run.RowQuery{Kind: reservedKind, Project: project, After: f.member + "0", Newest: true, Limit: maxReserved})
	if err != nil {
		return nil, err
	}
	var ids []run.ID
	for i := range rows {
		id, err := run.ParseID(lastPart(rows[i].ID))
		if err != nil || rows[i].ID != reservedRow(project, f.member, id).ID {
			break // another robot's begin here
		}
		var kept reservation
		if err := json.Unmarshal(rows[i].Data, &kept); err != nil {
			return nil, fmt.Errorf("decoding a reserved execution: %w", err)
		}
		shown := kept.show(project, f.member, id)
		if !f.allows(shown.Status) || !f.says(kept.Opening) {
			continue
		}
		switch _, _, err := a.cfg.Engine.Events(ctx, project, id, 0, 1); {
		case problem.Is(err, problem.NotFound):
			ids = append(ids, id)
		case err != nil:
			return nil, err
		}
	}
	return ids, nil
}
