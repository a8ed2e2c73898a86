package yao

import (
	"context"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/robot"
)

// resultBody is what an execution has to show, as a row of a list.
type resultBody struct {
	ID             string     `json:"id"` // the execution's
	MemberID       string     `json:"member_id"`
	Trigger        string     `json:"trigger_type"`
	Status         string     `json:"status"`
	Name           string     `json:"name"`
	Summary        string     `json:"summary"`
	StartTime      time.Time  `json:"start_time"`
	EndTime        *time.Time `json:"end_time,omitempty"`
	HasAttachments bool       `json:"has_attachments"`
}

// resultDetail is one result, whole.
type resultDetail struct {
	resultBody
	Delivery *robot.Delivery `json:"delivery"`
}

// showResult is the result of an execution that has delivered.
func showResult(e *robot.Execution) resultBody {
	return resultBody{
		ID: e.ID, MemberID: e.MemberID, Trigger: e.Trigger, Status: e.Status, Name: e.Name,
		Summary: e.Delivery.Content.Summary, StartTime: e.StartTime, EndTime: e.EndTime,
		HasAttachments: len(e.Delivery.Content.Attachments) > 0,
	}
}

// listResults lists what executions have delivered: those that have completed.
func (a *API) listResults(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	query := r.Query()
	page := readPaging(query)
	f := readFilter(query, found.ID)
	f.statuses = []string{robot.ExecCompleted}
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	ids, total, err := a.choose(ctx, r.Caller.Project, f, page)
	if err != nil {
		return wire.Response{}, err
	}
	body := listBody[resultBody]{Data: []resultBody{}, Total: total, Page: page.Page, PageSize: page.Size}
	for _, id := range ids {
		e, err := a.executionOf(ctx, r, found.ID, id.String())
		switch {
		case problem.Is(err, problem.NotFound): // deleted since it was listed
		case err != nil:
			return wire.Response{}, err
		case e.shown.Delivery != nil:
			body.Data = append(body.Data, showResult(&e.shown))
		}
	}
	return wire.OK(body), nil
}

func (a *API) getResult(ctx context.Context, r *wire.Request) (wire.Response, error) {
	found, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	e, err := a.executionOf(ctx, r, found.ID, r.Path("exec"))
	if err != nil {
		return wire.Response{}, err
	}
	if e.shown.Delivery == nil {
		return wire.Response{}, problem.New(problem.NotFound, "Execution %s has no result: it is %s, and has delivered nothing.", e.shown.ID, e.shown.Status)
	}
	return wire.OK(resultDetail{showResult(&e.shown), e.shown.Delivery}), nil
}
