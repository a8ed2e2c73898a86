package webagent

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// Pages of lists. The original lists everything; nobody reads more than this.
const (
	maxPage     = 500
	defaultPage = 100
)

// pathNumber reads a number of the path as the API's framework does.
func pathNumber(text, name string) (int, error) {
	number, err := strconv.Atoi(text)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return number, nil
	}
	var f faults
	f.add("int_parsing", "Input should be a valid integer, unable to parse string as an integer", encoded(text), nil, "path", name)
	return 0, f.problem()
}

// page reads limit and before, the number that the page ends before.
func page(q *wire.Query) (limit, before int, err error) {
	limit, before = q.Int("limit", defaultPage, 1, maxPage), q.Int("before", 0, 1, 1<<31)
	if err := q.Err(); err != nil {
		var f faults
		for name, message := range problem.From(err).Fields {
			f.add("int_parsing", "Input "+message, encoded(q.String(name)), nil, "query", name)
		}
		return 0, 0, f.problem()
	}
	return limit, before, nil
}

func (a *API) getRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	s, err := a.state(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	body, err := a.whole(ctx, r, &s)
	return wire.OK(body), err
}

// whole is a run with everything that is known of it.
func (a *API) whole(ctx context.Context, r *wire.Request, s *run.State) (runBody, error) {
	body := showRun(s)
	project := r.Caller.Project
	if value, is := body.Result.(json.RawMessage); is && r.Caller.KeyID == openKey {
		body.Result = string(value) // the API's own page shows a text, and breaks on an object
	}
	if a.cfg.Webhooks != nil && body.Webhook != nil {
		sent, err := a.cfg.Webhooks.Delivery(ctx, project, s.ID)
		if err != nil {
			return body, fmt.Errorf("looking up a webhook's delivery: %w", err)
		}
		if sent != nil {
			body.Sent, body.SentWhat = &sent.Success, &sent.Message
			if sent.Status != 0 {
				body.SentWith = &sent.Status
			}
		}
	}
	inline := a.cfg.Screenshots != nil && r.Query().String("screenshots") != "false"
	for i := range body.Steps {
		picture := &body.History[i].picture
		if picture.Image != "" {
			body.Steps[i].ScreenshotURL = &picture.Image
		}
		if picture.Screenshot == "" || !inline {
			continue
		}
		png, err := a.cfg.Screenshots.PNG(ctx, project, picture.Screenshot)
		if err != nil {
			return body, fmt.Errorf("reading a screenshot: %w", err)
		}
		if len(png) > 0 {
			text := base64.StdEncoding.EncodeToString(png)
			body.Steps[i].Screenshot = &text
		}
	}
	return body, nil
}

// runsBody is a list of runs.
type runsBody struct {
	Runs []runBody `json:"runs"`
}

// maxWhole bounds a list of whole runs.
const maxWhole = 100

// listRuns lists this API's runs, newest first, each without its steps: they are
// one request away.
func (a *API) listRuns(ctx context.Context, r *wire.Request) (wire.Response, error) {
	limit, before, err := page(r.Query())
	if err != nil {
		return wire.Response{}, err
	}
	limit = min(limit, maxWhole)
	q := run.RunQuery{Project: r.Caller.Project, Dialect: Dialect, Limit: limit}
	if before > 0 {
		row, err := a.cfg.Rows.RowByName(ctx, runKind, r.Caller.Project, itoa(before))
		if problem.Is(err, problem.NotFound) {
			return wire.OK(runsBody{Runs: []runBody{}}), nil
		}
		var at place
		if err != nil || json.Unmarshal(row.Data, &at) != nil {
			return wire.Response{}, fmt.Errorf("listing runs: %w", err)
		}
		q.Before = at.Run
	}
	body := runsBody{Runs: []runBody{}}
	for len(body.Runs) < limit {
		found, err := a.cfg.Lines.Runs(ctx, q)
		if err != nil {
			return wire.Response{}, fmt.Errorf("listing runs: %w", err)
		}
		for i := range found {
			q.Before = found[i].ID
			s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, found[i].ID)
			if problem.Is(err, problem.NotFound) {
				continue // it has just been deleted
			}
			if err != nil {
				return wire.Response{}, err
			}
			if e := echoOf(&s); e.numbered() && len(body.Runs) < limit {
				shown := showRun(&s)
				shown.Steps, shown.History = []stepBody{}, []historyItem{}
				body.Runs = append(body.Runs, shown)
			}
		}
		if len(found) < limit {
			break
		}
	}
	return wire.OK(body), nil
}

// stopRun ends a run. One that has ended stays as it is.
func (a *API) stopRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := a.find(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	s, err := a.cfg.Engine.Cancel(ctx, r.Caller.Project, id, run.Cancel{By: r.Caller.KeyID})
	switch {
	case problem.Is(err, problem.NotFound):
		return wire.Response{}, noRun(r.Path("id"))
	case problem.Is(err, problem.Conflict):
		s, err = a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	}
	if err != nil {
		return wire.Response{}, err
	}
	body, err := a.whole(ctx, r, &s)
	return wire.OK(body), err
}

// deletedBody is the answer of a run that is there no more.
type deletedBody struct {
	Success bool   `json:"success"`
	Task    *int   `json:"task_id"`
	Run     *int   `json:"task_run_id"`
	RunID   string `json:"run_id"`
}

func (a *API) deleteRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	s, err := a.state(ctx, r)
	if err != nil {
		return wire.Response{}, err
	}
	if err := a.cfg.Engine.Delete(ctx, r.Caller.Project, s.ID, r.Caller.KeyID); err != nil {
		if problem.Is(err, problem.NotFound) {
			return wire.Response{}, noRun(r.Path("id"))
		}
		return wire.Response{}, err
	}
	e := echoOf(&s)
	body := deletedBody{Success: true, RunID: "run_" + s.ID.String()}
	if body.Task, body.Run = e.ids(); e.numbered() {
		// Should this get lost, the number leads to nothing, which is 404 as well.
		row := run.RowWrite{Expect: run.AnyVersion, Delete: true, Row: run.Row{Kind: runKind, Project: r.Caller.Project, ID: runRowID(e.Task, e.Run)}}
		if err := a.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{row}}); err != nil {
			return wire.Response{}, fmt.Errorf("forgetting a run's number: %w", err)
		}
	}
	return wire.OK(body), nil
}

// tasksBody is the list of tasks.
type tasksBody struct {
	Tasks []taskBody `json:"tasks"`
}

func (a *API) listTasks(ctx context.Context, r *wire.Request) (wire.Response, error) {
	limit, before, err := page(r.Query())
	if err != nil {
		return wire.Response{}, err
	}
	q := run.RowQuery{Kind: taskKind, Project: r.Caller.Project, Newest: true, Limit: limit}
	if before > 0 {
		q.After = taskID(before)
	}
	rows, err := a.cfg.Rows.Rows(ctx, q)
	if err != nil {
		return wire.Response{}, fmt.Errorf("listing tasks: %w", err)
	}
	body := tasksBody{Tasks: []taskBody{}}
	for i := range rows {
		t, err := taskOf(&rows[i])
		if err != nil {
			return wire.Response{}, err
		}
		body.Tasks = append(body.Tasks, showTask(&t))
	}
	return wire.OK(body), nil
}

func (a *API) getTask(ctx context.Context, r *wire.Request) (wire.Response, error) {
	t, err := a.loadTask(ctx, r.Caller.Project, r.Path("id"))
	return wire.OK(showTask(&t)), err
}

// changeTask changes what the request names; null leaves a thing as it is.
func (a *API) changeTask(ctx context.Context, r *wire.Request) (wire.Response, error) {
	if _, err := a.loadTask(ctx, r.Caller.Project, r.Path("id")); err != nil {
		return wire.Response{}, err
	}
	if len(r.Body) == 0 {
		var f faults
		f.add("missing", "Field required", nil, nil, "body")
		return wire.Response{}, f.problem()
	}
	in, err := a.read(ctx, r, false)
	if err != nil {
		return wire.Response{}, err
	}
	t, err := a.amend(ctx, r.Caller.Project, r.Path("id"), func(t *task) error {
		in.unsay(t)
		t.take(&in)
		if in.Model != nil || in.Provider != nil {
			_, err := a.model(t)
			return err
		}
		return nil
	})
	return wire.OK(showTask(&t)), err
}

func (a *API) listTaskRuns(ctx context.Context, r *wire.Request) (wire.Response, error) {
	t, err := a.loadTask(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	limit, before, err := page(r.Query())
	if err != nil {
		return wire.Response{}, err
	}
	places, err := a.runsOf(ctx, r.Caller.Project, t.Number, before, limit)
	if err != nil {
		return wire.Response{}, err
	}
	runs := []lightBody{}
	for _, at := range places {
		s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, at.Run)
		if problem.Is(err, problem.NotFound) {
			continue // deleted by another API
		}
		if err != nil {
			return wire.Response{}, err
		}
		runs = append(runs, lightBody{ID: echoOf(&s).Run, Description: s.Spec.Input.Text, IsDone: s.Ended != nil, Good: successful(&s)})
	}
	return wire.OK(runs), nil
}

// encode is the stored form of a row.
func encode(value any) ([]byte, error) {
	data, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("keeping a row: %w", err)
	}
	return data, nil
}
