package webagent

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"errand/internal/api/wire"
	"errand/internal/engine"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/workflow"
)

// Kinds of rows. A run's row is named by its number and ordered by its task's; a
// task's is ordered by its own.
const (
	counterKind = "webagent_counter"
	taskKind    = "webagent_task"
	runKind     = "webagent_run"
	counterID   = "numbers"
)

// task is what the runs of a prompt share. Nil is for what nobody has said.
type task struct {
	Number  int       `json:"-"`
	created time.Time // of its row
	version int64     // likewise

	Prompt      string             `json:"prompt"`
	Model       *string            `json:"model,omitempty"`
	Provider    *string            `json:"provider,omitempty"`
	Webhook     *string            `json:"webhook_url,omitempty"`
	Format      *string            `json:"response_format,omitempty"`
	Schema      json.RawMessage    `json:"json_schema,omitempty"`
	Workflow    *workflow.Template `json:"cached_workflow,omitempty"`
	UseWorkflow bool               `json:"use_cached_workflow,omitempty"`
}

// take puts what a request says over what the task says.
func (t *task) take(in *request) {
	if in.Prompt != nil {
		t.Prompt = *in.Prompt
	}
	if in.NoWebhook {
		t.Webhook = nil
	}
	if in.NoSchema {
		t.Schema = nil
	}
	over(&t.Model, in.Model)
	over(&t.Provider, in.Provider)
	over(&t.Webhook, in.Webhook)
	over(&t.Format, in.Format)
	if in.Schema != nil {
		t.Schema = in.Schema
	}
	if in.Workflow != nil {
		t.Workflow = in.Workflow
	}
	if in.UseWorkflow != nil {
		t.UseWorkflow = *in.UseWorkflow
	}
}

// unsay forgets what a request says of a task that only repeats how the task is
// shown: the API's page sends back the whole task when one word of it was changed,
// and what nobody has chosen must not become a choice by that.
func (in *request) unsay(t *task) {
	for _, at := range []struct {
		said  **string
		kept  *string
		shown string
	}{{&in.Model, t.Model, defaultModel}, {&in.Provider, t.Provider, defaultProvider}, {&in.Format, t.Format, defaultFormat}} {
		if at.kept == nil && *at.said != nil && **at.said == at.shown {
			*at.said = nil
		}
	}
}

func over(to **string, from *string) {
	if from != nil {
		*to = from
	}
}

// numbers are the last that were given out in a project.
type numbers struct {
	Task int `json:"task"`
	Run  int `json:"run"`
}

// place is where a run's row leads.
type place struct {
	Run  run.ID `json:"run"`
	Task int    `json:"task"`
}

// digits is how many a number has in an id, so that ids have the order of numbers.
const digits = "%012d"

func taskID(number int) string { return fmt.Sprintf(digits, number) }

func runRowID(task, number int) string { return fmt.Sprintf(digits+"/"+digits, task, number) }

// loadTask reads the task that a path names.
func (a *API) loadTask(ctx context.Context, project, text string) (task, error) {
	number, err := pathNumber(text, "task_id")
	if err != nil {
		return task{}, err
	}
	row, err := a.cfg.Rows.Row(ctx, taskKind, project, taskID(number))
	if problem.Is(err, problem.NotFound) {
		return task{}, notFound("Task with ID %d not found", number)
	}
	if err != nil {
		return task{}, fmt.Errorf("reading a task: %w", err)
	}
	return taskOf(&row)
}

func taskOf(row *run.Row) (task, error) {
	t := task{version: row.Version, created: row.Created}
	if _, err := fmt.Sscanf(row.ID, "%d", &t.Number); err != nil {
		return t, fmt.Errorf("reading the number of a task: %w", err)
	}
	if err := json.Unmarshal(row.Data, &t); err != nil {
		return t, fmt.Errorf("reading task %d: %w", t.Number, err)
	}
	return t, nil
}

// write is the row that keeps the task as it is.
func (a *API) write(project string, t *task) (run.RowWrite, error) {
	data, err := json.Marshal(t)
	if err != nil {
		return run.RowWrite{}, fmt.Errorf("keeping a task: %w", err)
	}
	created := t.created
	if created.IsZero() {
		created = a.cfg.Now().UTC()
	}
	return run.RowWrite{Expect: t.version, Row: run.Row{Kind: taskKind, Project: project, ID: taskID(t.Number), Created: created, Data: data}}, nil
}

// tries bounds how often a number is asked for when other servers take it first.
const tries = 50

// lane keeps this server's own requests of a project in a row while a number is
// given out: a run whose number is taken has begun its first model call in vain.
func (a *API) lane(project string) *sync.Mutex {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.lanes[project] == nil {
		a.lanes[project] = &sync.Mutex{}
	}
	return a.lanes[project]
}

// create makes a run with the next number, and its task if that is new, in one
// commit. The counter's row is written with it by compare-and-set, so no number is
// given twice and none is lost.
func (a *API) create(ctx context.Context, r *wire.Request, o *order) (run.ID, error) {
	project := r.Caller.Project
	lane := a.lane(project)
	lane.Lock()
	defer lane.Unlock()
	var err error
	for range tries {
		var id run.ID
		if id, err = a.tryCreate(ctx, r, o); err == nil {
			return id, nil
		}
		var taken *run.RowConflict
		if !errors.As(err, &taken) || taken.Kind != counterKind && taken.Kind != runKind && taken.Kind != taskKind {
			return run.ID{}, err
		}
	}
	return run.ID{}, fmt.Errorf("giving a run its number: %w", err)
}

func (a *API) tryCreate(ctx context.Context, r *wire.Request, o *order) (run.ID, error) {
	project := r.Caller.Project
	last, counter, err := a.lastNumbers(ctx, project)
	if err != nil {
		return run.ID{}, err
	}
	last.Run++
	id, rows := a.cfg.Engine.NewID(), []run.RowWrite(nil)
	t := o.task
	if t.Number == 0 {
		last.Task++
		t.Number = last.Task
		row, err := a.write(project, &t)
		if err != nil {
			return run.ID{}, err
		}
		rows = append(rows, row)
	}
	o.echo.Task, o.echo.Run = t.Number, last.Run
	spec := o.spec
	if spec.Echo, err = json.Marshal(o.echo); err != nil {
		return run.ID{}, fmt.Errorf("keeping what a run was asked: %w", err)
	}
	spec.Fingerprint = r.Fingerprint()
	data, err := json.Marshal(place{Run: id, Task: t.Number})
	if err != nil {
		return run.ID{}, fmt.Errorf("keeping a run's number: %w", err)
	}
	if counter.Data, err = json.Marshal(last); err != nil {
		return run.ID{}, fmt.Errorf("counting runs: %w", err)
	}
	rows = append(rows, counter, run.RowWrite{Expect: run.MustNotExist, Row: run.Row{
		Kind: runKind, Project: project, ID: runRowID(t.Number, last.Run), Name: itoa(last.Run), Created: a.cfg.Now().UTC(), Data: data,
	}})
	_, err = a.cfg.Engine.Create(ctx, engine.NewRun{ID: id, Spec: spec, Rows: append(rows, r.Claim(id)...)})
	return id, err
}

// lastNumbers reads the counter, and the row that will replace it.
func (a *API) lastNumbers(ctx context.Context, project string) (numbers, run.RowWrite, error) {
	var last numbers
	next := run.RowWrite{Expect: run.MustNotExist, Row: run.Row{Kind: counterKind, Project: project, ID: counterID, Created: a.cfg.Now().UTC()}}
	row, err := a.cfg.Rows.Row(ctx, counterKind, project, counterID)
	switch {
	case problem.Is(err, problem.NotFound):
		return last, next, nil
	case err != nil:
		return last, next, fmt.Errorf("counting runs: %w", err)
	}
	next.Expect, next.Created = row.Version, row.Created
	if err := json.Unmarshal(row.Data, &last); err != nil {
		return last, next, fmt.Errorf("counting runs: %w", err)
	}
	return last, next, nil
}

// find returns the run that a path names: by its number, or by any other spelling
// of its id, which may be a run of another API.
func (a *API) find(ctx context.Context, r *wire.Request) (run.ID, error) {
	text := r.Path("id")
	if id, err := run.ParseID(text); err == nil {
		return id, nil
	}
	number, err := pathNumber(text, "run_id")
	if err != nil {
		return run.ID{}, err
	}
	row, err := a.cfg.Rows.RowByName(ctx, runKind, r.Caller.Project, itoa(number))
	if problem.Is(err, problem.NotFound) {
		return run.ID{}, noRun(text)
	}
	if err != nil {
		return run.ID{}, fmt.Errorf("looking a run up: %w", err)
	}
	var at place
	if err := json.Unmarshal(row.Data, &at); err != nil {
		return run.ID{}, fmt.Errorf("looking a run up: %w", err)
	}
	return at.Run, nil
}

func noRun(text string) error { return notFound("Task run with ID %.60s not found", text) }

// state reads the run that a path names.
func (a *API) state(ctx context.Context, r *wire.Request) (run.State, error) {
	id, err := a.find(ctx, r)
	if err != nil {
		return run.State{}, err
	}
	s, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
	if problem.Is(err, problem.NotFound) {
		return s, noRun(r.Path("id"))
	}
	return s, err
}

// runsOf lists where a task's runs are, newest first.
func (a *API) runsOf(ctx context.Context, project string, task, before, limit int) ([]place, error) {
	after := runRowID(task+1, 0)
	if before > 0 {
		after = runRowID(task, before)
	}
	rows, err := a.cfg.Rows.Rows(ctx, run.RowQuery{Kind: runKind, Project: project, After: after, Newest: true, Limit: limit})
	if err != nil {
		return nil, fmt.Errorf("listing the runs of a task: %w", err)
	}
	var places []place
	for i := range rows {
		if !strings.HasPrefix(rows[i].ID, taskID(task)+"/") {
			break
		}
		var at place
		if err := json.Unmarshal(rows[i].Data, &at); err != nil {
			return nil, fmt.Errorf("listing the runs of a task: %w", err)
		}
		places = append(places, at)
	}
	return places, nil
}
