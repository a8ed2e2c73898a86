package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// approvalItem is an action that waits for a person, with all that the person has to
// know about it: a line of the inbox.
type approvalItem struct {
	Object    string    `json:"object"`
	Run       string    `json:"run"`
	Agent     *string   `json:"agent"`
	AgentName *string   `json:"agent_name"`
	Version   *int      `json:"agent_version"`
	Title     string    `json:"title"`
	Model     string    `json:"model"`
	Dialect   string    `json:"dialect"`
	Parent    *string   `json:"parent_run"`
	Since     time.Time `json:"since"`
	actionBody
	Effect   run.Class       `json:"effect"`
	Step     int             `json:"step"`
	Attempts int             `json:"attempts"` // times that it was called already
	Causes   []causeBody     `json:"causes"`
	OnExpiry *run.OnTimeout  `json:"on_expiry"`
	Warnings []warningBody   `json:"warnings"`
	May      mayBody         `json:"may"`
	Schema   json.RawMessage `json:"schema"` // of the arguments; null = any
}

// causeBody is a reason for which it waits.
type causeBody struct {
	Kind run.CauseKind `json:"kind"`
	Gate *string       `json:"gate"`
	When *string       `json:"when"`
}

// mayBody is what the key that asks may do about it.
type mayBody struct {
	Approve bool    `json:"approve"`
	Reject  bool    `json:"reject"`
	Edit    bool    `json:"edit"`
	Why     *string `json:"why"` // in words, where one of them is false
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
		item, err := b.api.showApprovalItem(ctx, &state, state.Action(action.ID), b.caller)
		if err != nil {
			return err
		}
		item.Title, item.actionBody = line.Title, action
		b.items = append(b.items, item)
	}
	return nil
}

// showApprovalItem is all of an item but its title and what a run's body has, too.
func (a *API) showApprovalItem(ctx context.Context, s *run.State, action *run.Action, caller *auth.Caller) (approvalItem, error) {
	may, err := a.mayOf(ctx, s, action, caller)
	item := approvalItem{
		Object: "approval", Run: runID(s.ID), Model: s.Spec.Model, Dialect: s.Spec.Dialect, Since: action.Since.UTC(),
		Effect: action.Tool.Class, Step: action.Step, Attempts: action.Attempt, Causes: []causeBody{}, OnExpiry: optional(s.OnExpiry(action)),
		Warnings: warningsOf(action.Arguments), May: may, Schema: orNull(action.Tool.Parameters),
	}
	if ref := s.Spec.Agent; ref != nil {
		item.Agent, item.AgentName, item.Version = &ref.ID, &ref.Name, &ref.Version
	}
	if parent := s.Spec.Parent; parent != nil {
		item.Parent = optional(runID(parent.Run))
	}
	for _, c := range s.Causes(action, a.cfg.Holds) {
		item.Causes = append(item.Causes, causeBody{Kind: c.Kind, Gate: optional(c.Gate), When: optional(c.When)})
	}
	return item, err
}

// oneVoice reports whether the words of two keys count as one key's.
func (a *API) oneVoice(ctx context.Context, key, other string) (bool, error) {
	if key == other {
		return true, nil
	}
	voice, err := a.cfg.Keys.Voice(ctx, key)
	if err != nil {
		return false, err
	}
	second, err := a.cfg.Keys.Voice(ctx, other)
	return voice == second, err
}

// mayOf says what the caller may do, as the engine would.
func (a *API) mayOf(ctx context.Context, s *run.State, action *run.Action, caller *auth.Caller) (may mayBody, err error) {
	if err := auth.Allow(*caller, "runs:approve"); err != nil {
		return mayBody{Why: optional(problem.From(err).Detail)}, nil
	}
	var own, said bool
	if approval := s.Spec.Approval; approval != nil && approval.Separate {
		if own, err = a.oneVoice(ctx, caller.KeyID, s.Spec.Key); err != nil {
			return may, err
		}
	}
	if len(action.Approvers) > 0 {
		voice, err := a.cfg.Keys.Voice(ctx, caller.KeyID)
		if err != nil {
			return may, err
		}
		said = slices.Contains(action.Approvers, voice)
	}
	may = mayBody{Approve: true, Reject: true, Edit: action.Reason != run.UnknownReason}
	switch {
	case own:
		may.Approve, may.Edit = false, false
		may.Why = optional("The key that started this run may not approve its actions: ask somebody else.")
	case said:
		may.Approve = false // other arguments would be another question
		may.Why = optional("This key has approved it already; others have to approve it, too.")
	case !may.Edit:
		may.Why = optional("It has been called already: it can be repeated as it was, or not at all.")
	}
	return may, nil
}

// laterAction compares action ids: act_99 comes before act_100.
func laterAction(id, after string) bool {
	return len(id) > len(after) || len(id) == len(after) && id > after
}
