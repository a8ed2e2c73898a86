package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Budget bounds what runs may use up in a day or a month of the calendar, in UTC.
type Budget struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	Agent     string       `json:"agent"`        // id of the agent whose runs it is for
	Key       string       `json:"key"`          // id of the key whose runs it is for
	Period    string       `json:"period"`       // day or month
	MaxCost   *float64     `json:"max_cost_usd"` // nil = no limit
	MaxTokens *int         `json:"max_tokens"`   // of input and output
	MaxRuns   *int         `json:"max_runs"`     // that begin
	Spent     BudgetAmount `json:"spent"`
	Reserved  BudgetAmount `json:"reserved"` // for model calls under way
	Unpriced  bool         `json:"unpriced"` // some calls had no known price, and are not in Spent.Cost
	ResetsAt  time.Time    `json:"resets_at"`
	CreatedAt time.Time    `json:"created_at"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// BudgetAmount is what a budget counts.
type BudgetAmount struct {
	Cost   float64 `json:"cost_usd"`
	Tokens int     `json:"tokens"`
	Runs   int     `json:"runs"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (b *Budget) UnmarshalJSON(text []byte) error {
	type plain Budget
	if err := json.Unmarshal(text, (*plain)(b)); err != nil {
		return err
	}
	b.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// NewBudget asks for a budget, with at least one limit. Of the names, none is for
// the whole project.
type NewBudget struct {
	Name      string  `json:"name,omitempty"`
	Agent     string  `json:"agent,omitempty"` // id or name
	Key       string  `json:"key,omitempty"`   // id
	Period    string  `json:"period"`
	MaxCost   float64 `json:"max_cost_usd,omitempty"`
	MaxTokens int     `json:"max_tokens,omitempty"`
	MaxRuns   int     `json:"max_runs,omitempty"`
}

// Budgets are the budgets of the key's project.
type Budgets struct{ c *Client }

// Create makes a budget. What its period has seen already counts in it.
func (b *Budgets) Create(ctx context.Context, wanted NewBudget) (made Budget, err error) {
	err = b.c.do(ctx, call{method: http.MethodPost, path: "/v1/budgets", body: wanted, into: &made})
	return made, err
}

// List returns one page of budgets.
func (b *Budgets) List(ctx context.Context, after string, limit int) (Page[Budget], error) {
	return list[Budget](ctx, b.c, call{path: "/v1/budgets"}, after, limit)
}

// Get returns a budget by id or name.
func (b *Budgets) Get(ctx context.Context, id string) (found Budget, err error) {
	err = b.c.do(ctx, call{method: http.MethodGet, path: budgetPath(id), into: &found})
	return found, err
}

// Update changes a budget's name and limits: any value that encodes as a JSON
// object with fields of PATCH /v1/budgets/{id}. Runs that wait for it go on if it
// has more room.
func (b *Budgets) Update(ctx context.Context, id string, changes any) (changed Budget, err error) {
	err = b.c.do(ctx, call{method: http.MethodPatch, path: budgetPath(id), body: changes, into: &changed})
	return changed, err
}

// Delete takes a budget away. Runs that wait for it go on.
func (b *Budgets) Delete(ctx context.Context, id string) error {
	return b.c.do(ctx, call{method: http.MethodDelete, path: budgetPath(id)})
}

func budgetPath(id string) string { return "/v1/budgets/" + url.PathEscape(id) }

// UsageQuery says what a report is about. The zero value is this month, by day.
type UsageQuery struct {
	From, To string   // days such as 2026-06-11, both included
	GroupBy  []string // day, project, agent, key, model
	Project  string   // another one, or * for all; needs the scope admin
}

// UsageReport is what was used up.
type UsageReport struct {
	From    string     `json:"from"`
	To      string     `json:"to"`
	GroupBy []string   `json:"group_by"`
	Data    []UsageRow `json:"data"`
	Total   UsageRow   `json:"total"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (r *UsageReport) UnmarshalJSON(text []byte) error {
	type plain UsageReport
	if err := json.Unmarshal(text, (*plain)(r)); err != nil {
		return err
	}
	r.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// UsageRow is one group of a report, with the names that it is by.
type UsageRow struct {
	Day      string  `json:"day"`
	Project  string  `json:"project"`
	Agent    string  `json:"agent"` // id
	Key      string  `json:"key"`   // id
	Model    string  `json:"model"`
	Runs     int     `json:"runs"`
	Calls    int     `json:"calls"`
	Input    int     `json:"input_tokens"`
	Output   int     `json:"output_tokens"`
	Cost     float64 `json:"cost_usd"`
	Unpriced bool    `json:"unpriced"` // some calls had no known price, and are not in Cost
	// Estimated says that the provider of some calls did not say how many tokens they had.
	Estimated bool `json:"estimated"`
}

// Usage reports what the project has used up.
func (b *Budgets) Usage(ctx context.Context, asked UsageQuery) (report UsageReport, err error) {
	query := url.Values{}
	set(query, "from", asked.From)
	set(query, "to", asked.To)
	set(query, "group_by", strings.Join(asked.GroupBy, ","))
	set(query, "project", asked.Project)
	err = b.c.do(ctx, call{method: http.MethodGet, path: "/v1/usage", query: query, into: &report})
	return report, err
}
