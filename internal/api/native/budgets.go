package native

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"time"

	"errand/internal/api/wire"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/run"
)

// budgetIn is the body that makes a budget, or changes its name and its limits.
type budgetIn struct {
	Name      *string         `json:"name"`
	Agent     *string         `json:"agent"`
	Key       *string         `json:"key"`
	Period    *string         `json:"period"`
	MaxCost   json.RawMessage `json:"max_cost_usd"`
	MaxTokens json.RawMessage `json:"max_tokens"`
	MaxRuns   json.RawMessage `json:"max_runs"`
}

// budgetBody is a budget as this API shows it. Of a limit that it does not have,
// nothing is left to say: null.
type budgetBody struct {
	ID        string      `json:"id"`
	Object    string      `json:"object"`
	Name      string      `json:"name"`
	Agent     *string     `json:"agent"`
	Key       *string     `json:"key"`
	Period    auth.Period `json:"period"`
	MaxCost   *float64    `json:"max_cost_usd"`
	MaxTokens *int        `json:"max_tokens"`
	MaxRuns   *int        `json:"max_runs"`
	Spent     amountBody  `json:"spent"`
	Reserved  amountBody  `json:"reserved"`
	Left      leftBody    `json:"left"`
	Unpriced  bool        `json:"unpriced"`
	ResetsAt  time.Time   `json:"resets_at"`
	CreatedAt time.Time   `json:"created_at"`
}

type amountBody struct {
	Cost   float64 `json:"cost_usd"`
	Tokens int     `json:"tokens"`
	Runs   int     `json:"runs"`
}

type leftBody struct {
	Cost   *float64 `json:"cost_usd"`
	Tokens *int     `json:"tokens"`
	Runs   *int     `json:"runs"`
}

func showBudget(s *auth.Standing) budgetBody {
	body := budgetBody{
		ID: s.ID, Object: "budget", Name: s.Name, Agent: optional(s.Agent), Key: optional(s.Key), Period: s.Period,
		MaxCost: optional(s.MaxCost.Dollars()), MaxTokens: optional(s.MaxTokens), MaxRuns: optional(s.MaxRuns),
		Spent: showAmount(s.Spent), Reserved: showAmount(s.Kept), Unpriced: s.Unpriced,
		ResetsAt: s.Until.UTC(), CreatedAt: s.Created,
	}
	if s.MaxCost > 0 {
		left := max(s.MaxCost-s.Spent.Cost-s.Kept.Cost, 0).Dollars()
		body.Left.Cost = &left
	}
	if s.MaxTokens > 0 {
		left := max(s.MaxTokens-s.Spent.Tokens-s.Kept.Tokens, 0)
		body.Left.Tokens = &left
	}
	if s.MaxRuns > 0 {
		left := max(s.MaxRuns-s.Spent.Runs, 0)
		body.Left.Runs = &left
	}
	return body
}

func showAmount(a auth.Amount) amountBody {
	return amountBody{Cost: a.Cost.Dollars(), Tokens: a.Tokens, Runs: a.Runs}
}

// budgetRoutes are those of budgets and of usage. Whoever may raise a budget may
// spend what they like, so changing one needs admin; that a budget has run out, and
// when it begins anew, is for everyone to see whose runs wait for it.
func (a *API) budgetRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/budgets", Scope: "admin", Handle: with(a.budgets, a.createBudget)},
		{Method: "GET", Path: "/v1/budgets", Scope: "runs:read", Query: filters(), Handle: with(a.budgets, a.listBudgets)},
		{Method: "GET", Path: "/v1/budgets/{id}", Scope: "runs:read", Handle: with(a.budgets, a.getBudget)},
		{Method: "PATCH", Path: "/v1/budgets/{id}", Scope: "admin", Handle: with(a.budgets, a.patchBudget)},
		{Method: "DELETE", Path: "/v1/budgets/{id}", Scope: "admin", Handle: with(a.budgets, a.deleteBudget)},
		{Method: "GET", Path: "/v1/usage", Scope: "runs:read", Query: []string{"from", "to", "group_by", "project"}, Handle: with(a.budgets, a.usage)},
	}
}

// budgets returns them, or says that this server has none.
func (a *API) budgets() (*auth.Budgets, error) {
	if a.cfg.Budgets == nil || a.cfg.Spending == nil {
		return nil, problem.New(problem.NotAvailable, "This server keeps no budgets.")
	}
	return a.cfg.Budgets, nil
}

func (a *API) createBudget(ctx context.Context, r *wire.Request, book *auth.Budgets) (wire.Response, error) {
	var in budgetIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	draft := auth.Budget{Project: r.Caller.Project, Period: auth.Period(value(in.Period))}
	faults := map[string]string{}
	in.apply(&draft, faults)
	if err := a.nameWho(ctx, &in, &draft, faults); err != nil {
		return wire.Response{}, err
	}
	if err := merged(faults, draft.Check()); err != nil {
		return wire.Response{}, err
	}
	var answer wire.Response
	_, err := book.Create(ctx, draft, func(made auth.Standing) ([]run.RowWrite, error) {
		answer = wire.OK(showBudget(&made))
		return r.Remember(answer)
	})
	return answer, err
}

// merged adds the faults of one check to those of another.
func merged(faults map[string]string, err error) error {
	if err != nil {
		for field, message := range problem.From(err).Fields {
			if faults[field] == "" {
				faults[field] = message
			}
		}
	}
	if invalid := problem.InvalidFields(faults); invalid != nil {
		return invalid
	}
	return nil
}

// apply puts the fields of the body that a change may have into the budget; null
// takes a limit away.
func (in *budgetIn) apply(b *auth.Budget, faults map[string]string) {
	if in.Name != nil {
		b.Name = *in.Name
	}
	if in.MaxCost != nil {
		b.MaxCost = limitOf(in.MaxCost, "max_cost_usd", faults, func(dollars float64) run.Micros {
			if micros := math.Round(dollars * 1e6); micros >= 1 && dollars <= highestCost {
				return run.Micros(micros)
			}
			return 0
		})
	}
	whole := func(n float64) int {
		if n == math.Trunc(n) && n >= 1 && n <= highestCount {
			return int(n)
		}
		return 0
	}
	if in.MaxTokens != nil {
		b.MaxTokens = limitOf(in.MaxTokens, "max_tokens", faults, whole)
	}
	if in.MaxRuns != nil {
		b.MaxRuns = limitOf(in.MaxRuns, "max_runs", faults, whole)
	}
}

// highestCount keeps sums of tokens and runs far from where integers end.
const highestCount = 1e15

// limitOf reads a limit: null is none, and what read takes for 0 is a fault.
func limitOf[N run.Micros | int](text json.RawMessage, field string, faults map[string]string, read func(float64) N) N {
	if present(text) == nil {
		return 0
	}
	var number float64
	if json.Unmarshal(text, &number) == nil {
		if limit := read(number); limit > 0 {
			return limit
		}
	}
	faults[field] = "must be a whole number above 0: leave it out for no limit"
	if field == "max_cost_usd" {
		faults[field] = "must be from 0.000001 to 1000000000 US dollars: leave it out for no limit"
	}
	return 0
}

// nameWho finds the agent and the key that a budget is for.
func (a *API) nameWho(ctx context.Context, in *budgetIn, b *auth.Budget, faults map[string]string) error {
	if in.Agent != nil {
		found, err := a.book.Find(ctx, b.Project, *in.Agent)
		if err != nil && !problem.Is(err, problem.NotFound) {
			return err
		}
		if b.Agent = found.ID; err != nil {
			faults["agent"] = fmt.Sprintf("there is no agent %.100q in this project: GET /v1/agents lists them", *in.Agent)
		}
	}
	if in.Key == nil {
		return nil
	}
	keys, err := a.cfg.Keys.List(ctx, b.Project)
	if err != nil {
		return err
	}
	if b.Key = *in.Key; !slices.ContainsFunc(keys, func(k auth.Key) bool { return k.ID == *in.Key && k.Revoked.IsZero() }) {
		faults["key"] = fmt.Sprintf("there is no key %.100q in force in this project: GET /v1/keys lists them", *in.Key)
	}
	return nil
}

func (a *API) listBudgets(ctx context.Context, r *wire.Request, book *auth.Budgets) (wire.Response, error) {
	query := r.Query()
	find := func(after string, limit int) ([]auth.Standing, error) {
		all, err := book.List(ctx, r.Caller.Project)
		if err != nil || after == "" {
			return all, err
		}
		at := slices.IndexFunc(all, func(s auth.Standing) bool { return s.ID == after })
		if at < 0 {
			return nil, problem.Invalid("starting_after", "must be the id of a budget of this project, such as next_cursor of the page before.")
		}
		return all[at+1:], nil
	}
	return listPage(query, find, showBudget, func(s *auth.Standing) string { return s.ID })
}

func (a *API) getBudget(ctx context.Context, r *wire.Request, book *auth.Budgets) (wire.Response, error) {
	found, err := book.Get(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showBudget(&found)), nil
}

// patchBudget changes the name and the limits. Whom a budget is for, and how long,
// stay as they are: what it has counted so far would mean something else.
func (a *API) patchBudget(ctx context.Context, r *wire.Request, book *auth.Budgets) (wire.Response, error) {
	var in budgetIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	faults := map[string]string{}
	for field, given := range map[string]*string{"agent": in.Agent, "key": in.Key, "period": in.Period} {
		if given != nil {
			faults[field] = "cannot be changed: make another budget, and delete this one"
		}
	}
	changed, err := book.Change(ctx, r.Caller.Project, r.Path("id"), r.Caller.KeyID, func(b *auth.Budget) error {
		in.apply(b, faults)
		return merged(faults, b.Check())
	})
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showBudget(&changed)), nil
}

func (a *API) deleteBudget(ctx context.Context, r *wire.Request, book *auth.Budgets) (wire.Response, error) {
	removed, err := book.Remove(ctx, r.Caller.Project, r.Path("id"), r.Caller.KeyID)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(deletedBody{ID: removed.ID, Object: "budget", Deleted: true}), nil
}
