package native

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// getRun answers with the run as it stands on disk, and its trace unless that is
// declined.
func (a *API) getRun(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	query := r.Query()
	traced := query.Bool("include_trace", true)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	if !traced {
		state, err := a.cfg.Engine.Get(ctx, r.Caller.Project, id)
		if err != nil {
			return wire.Response{}, err
		}
		return wire.OK(showRun(&state)), nil
	}
	events, _, err := a.cfg.Engine.Events(ctx, r.Caller.Project, id, 0, 0)
	if err != nil {
		return wire.Response{}, err
	}
	entries, state := trace(id, events)
	body := showRun(&state)
	body.Trace = entries
	return wire.OK(body), nil
}

func (a *API) listRuns(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	q, limit := runQuery(query)
	named := query.String("agent")
	q.Project = r.Caller.Project
	if named != "" {
		q.Agent = named
		switch found, err := a.book.Find(ctx, r.Caller.Project, named); {
		case err == nil:
			q.Agent = found.ID
		case !problem.Is(err, problem.NotFound):
			return wire.Response{}, err
		}
	}
	return a.runPage(ctx, r, query, asked{q, limit})
}

// asked is what indexes answer of a list, and how long its page is.
type asked struct {
	plain run.RunQuery
	limit int
}

// listAgentRuns lists the runs of an agent, which may have been deleted since.
func (a *API) listAgentRuns(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	q, limit := runQuery(query)
	var err error
	q.Project = r.Caller.Project
	if q.Agent, err = a.agentID(ctx, r); err != nil {
		return wire.Response{}, err
	}
	return a.runPage(ctx, r, query, asked{q, limit})
}

// runPage answers a list of runs: by an index where the filters have one.
func (a *API) runPage(ctx context.Context, r *wire.Request, query *wire.Query, of asked) (wire.Response, error) {
	limit := of.limit
	stripped := query.OneOf("include", "strip") == "strip"
	q, narrow, err := a.searchOf(ctx, r, query, of.plain)
	if err != nil {
		return wire.Response{}, err
	}
	var found searched
	var list runList
	if narrow {
		if found, err = a.search(ctx, r, q, limit); err != nil {
			return wire.Response{}, err
		}
		list = found.page(limit)
	} else {
		if found.lines, err = a.listed(ctx, r, of.plain, limit); err != nil {
			return wire.Response{}, err
		}
		list.listBody = listOf(found.lines, limit, showLine, func(last *run.Summary) string { return runID(last.ID) })
	}
	if stripped {
		if err := a.strips(ctx, r.Caller.Project, found.lines, list.Data); err != nil {
			return wire.Response{}, err
		}
	}
	return wire.OK(list), nil
}

// listed is up to one line more than a page.
func (a *API) listed(ctx context.Context, r *wire.Request, q run.RunQuery, limit int) ([]run.Summary, error) {
	q.Limit = limit + 1
	page := func() ([]run.Summary, error) {
		lines, err := a.cfg.Runs.Runs(ctx, q)
		if len(lines) > 0 {
			q.Before = lines[len(lines)-1].ID
		}
		return lines, err
	}
	found, err := visible(r, q.Limit, page, func(line *run.Summary) string { return line.Agent })
	if err != nil {
		return nil, fmt.Errorf("listing runs: %w", err)
	}
	return found, nil
}

// runQuery reads the filters and the page of a list of runs.
func runQuery(query *wire.Query) (run.RunQuery, int) {
	q := run.RunQuery{After: query.Time("created_after"), Until: query.Time("created_before")}
	if text := query.String("starting_after"); text != "" {
		var err error
		if q.Before, err = run.ParseID(text); err != nil || q.Before.IsZero() {
			query.Refuse("starting_after", "must be the id of a run, such as next_cursor of the page before.")
		}
	}
	for _, word := range words(query.String("status")) {
		status := run.Status(word)
		if !slices.Contains(run.Statuses(), status) {
			query.Refuse("status", "%q is no status: choose from %s, separated by commas.", word, statuses())
		}
		q.Statuses = append(q.Statuses, status)
	}
	q.Dialect = query.String("dialect")
	if api := query.String("api"); api != "" {
		if q.Dialect != "" {
			query.Refuse("api", "is another name of dialect: give only one of them.")
		}
		q.Dialect = api
	}
	return q, query.Int("limit", defaultPage, 1, maxPage)
}

func words(list string) []string {
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' })
}

func statuses() string {
	var names []string
	for _, s := range run.Statuses() {
		names = append(names, string(s))
	}
	return strings.Join(names, ", ")
}

// Pages of events are larger than others: a log is read whole, not leafed through.
const (
	defaultEvents = 100
	maxEvents     = 1000
)

// eventList is a page of a run's log. The next page is after the last seq.
type eventList struct {
	Object  string      `json:"object"`
	Data    []eventBody `json:"data"`
	HasMore bool        `json:"has_more"`
}

func (a *API) listEvents(ctx context.Context, r *wire.Request) (wire.Response, error) {
	id, err := r.RunID()
	if err != nil {
		return wire.Response{}, err
	}
	query := r.Query()
	after, limit := query.Int("after", 0, 0, maxSeq), query.Int("limit", defaultEvents, 1, maxEvents)
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	events, more, err := a.cfg.Engine.Events(ctx, r.Caller.Project, id, int64(after), limit)
	if err != nil {
		return wire.Response{}, err
	}
	body := eventList{Object: "list", Data: []eventBody{}, HasMore: more}
	for i := range events {
		body.Data = append(body.Data, showEvent(id, &events[i]))
	}
	return wire.OK(body), nil
}

// maxSeq is above the length of any log.
const maxSeq = 1<<31 - 1
