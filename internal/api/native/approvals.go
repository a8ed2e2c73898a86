package native

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// approvalItem is an action that waits for a person, with the run that it
// belongs to: a line of the inbox.
type approvalItem struct {
	Object    string    `json:"object"`
	Run       string    `json:"run"`
	Agent     *string   `json:"agent"`
	AgentName *string   `json:"agent_name"`
	Title     string    `json:"title"`
	Since     time.Time `json:"since"`
	actionBody
}

// listApprovals lists what waits for a person, the newest run first and the
// actions of a run in call order. Its cursor is run_<id>/<action>, because a page
// may end inside a run.
func (a *API) listApprovals(ctx context.Context, r *wire.Request) (wire.Response, error) {
	query := r.Query()
	query.OneOf("status", "pending")
	limit := query.Int("limit", defaultPage, 1, maxPage)
	inbox := inbox{api: a, caller: &r.Caller, project: r.Caller.Project, limit: limit + 1}
	after := query.String("starting_after")
	if err := inbox.begin(after); err != nil {
		query.Refuse("starting_after", "must be next_cursor of the page before.")
	}
	if err := query.Err(); err != nil {
		return wire.Response{}, err
	}
	items, err := inbox.collect(ctx)
	if err != nil {
		return wire.Response{}, err
	}
	same := func(item *approvalItem) approvalItem { return *item }
	return wire.OK(listOf(items, limit, same, func(last *approvalItem) string { return last.Run + "/" + last.ID })), nil
}

// inbox collects pending actions over the runs that have some.
type inbox struct {
	api     *API
	caller  *auth.Caller
	project string
	limit   int
	within  run.ID // the run in which the page before ended
	last    string // its last action on that page
	items   []approvalItem
}

func (b *inbox) begin(cursor string) (err error) {
	if cursor == "" {
		return nil
	}
	text, action, ok := strings.Cut(cursor, "/")
	if !ok || action == "" {
		return errors.New("no action in the cursor")
	}
	b.last = action
	if b.within, err = run.ParseID(text); err == nil && b.within.IsZero() {
		err = errors.New("no run has this id")
	}
	return err
}

func (b *inbox) collect(ctx context.Context) ([]approvalItem, error) {
	if !b.within.IsZero() {
		if err := b.add(ctx, b.within, b.last); err != nil {
			return nil, err
		}
	}
	q := run.RunQuery{Project: b.project, Pending: true, Before: b.within, Limit: b.limit}
	for len(b.items) < b.limit {
		lines, err := b.api.cfg.Runs.Runs(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("listing runs with pending actions: %w", err)
		}
		for i := range lines {
			if err := b.add(ctx, lines[i].ID, ""); err != nil {
				return nil, err
			}
			q.Before = lines[i].ID
		}
		if len(lines) < q.Limit {
			break
		}
	}
	return b.items, nil
}

// add appends the pending actions of a run that come after the given one; ids of
// actions are in order. A run that has gone meanwhile has none.
func (b *inbox) add(ctx context.Context, id run.ID, after string) error {
	state, err := b.api.cfg.Engine.Get(ctx, b.project, id)
	if problem.Is(err, problem.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !b.caller.For(agentOf(&state)) {
		return nil
	}
	line := state.Summarize()
	for _, action := range showPending(&state) {
		if !laterAction(action.ID, after) {
			continue
		}
		item := approvalItem{Object: "approval", Run: runID(id), Title: line.Title, actionBody: action}
		if ref := state.Spec.Agent; ref != nil {
			item.Agent, item.AgentName = &ref.ID, &ref.Name
		}
		item.Since = state.Action(action.ID).Since.UTC()
		b.items = append(b.items, item)
	}
	return nil
}

// laterAction compares action ids: act_99 comes before act_100.
func laterAction(id, after string) bool {
	return len(id) > len(after) || len(id) == len(after) && id > after
}
