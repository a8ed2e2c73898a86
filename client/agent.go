package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Agent is a saved definition.
type Agent struct {
	ID        string    `json:"id"`
	Object    string    `json:"object"`
	Name      string    `json:"name"`
	Version   int       `json:"version"`
	Model     string    `json:"model"`
	Tools     []string  `json:"tools"`
	Approval  Approval  `json:"approval"`
	MaxSteps  int       `json:"max_steps"`
	CreatedAt time.Time `json:"created_at"`

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (a *Agent) UnmarshalJSON(text []byte) error {
	type plain Agent
	if err := json.Unmarshal(text, (*plain)(a)); err != nil {
		return err
	}
	a.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// Approval says which calls need a person's word, and whose.
type Approval struct {
	RequiredFor    []Gate   `json:"required_for"`
	AfterUntrusted []string `json:"after_untrusted,omitempty"` // tools that need it once the run has read what others wrote
	Timeout        int      `json:"timeout,omitempty"`         // seconds; 0 = it waits for ever
	OnTimeout      string   `json:"on_timeout,omitempty"`      // reject, continue or approve
	Separate       bool     `json:"separate,omitempty"`        // not of the key that started the run
	Quorum         int      `json:"quorum,omitempty"`          // how many keys; 0 = one
}

// Gate is a tool or pattern (email.*) that needs approval; with When, the calls
// whose arguments satisfy it (amount > 100).
type Gate struct {
	Tool string `json:"tool"`
	When string `json:"when"`
}

// Gates are gates without conditions.
func Gates(tools ...string) []Gate {
	gates := []Gate{}
	for _, tool := range tools {
		gates = append(gates, Gate{Tool: tool})
	}
	return gates
}

// String is the gate in words.
func (g Gate) String() string {
	if g.When == "" {
		return g.Tool
	}
	return g.Tool + " when " + g.When
}

// MarshalJSON writes a gate without a condition as its tool alone.
func (g Gate) MarshalJSON() ([]byte, error) {
	if g.When == "" {
		return json.Marshal(g.Tool)
	}
	type plain Gate
	return json.Marshal(plain(g))
}

// UnmarshalJSON reads both forms.
func (g *Gate) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		*g = Gate{}
		return json.Unmarshal(text, &g.Tool)
	}
	type plain Gate
	return json.Unmarshal(text, (*plain)(g))
}

// Agents are the saved agents of the key's project.
type Agents struct{ c *Client }

// Create saves an agent. The definition is a JSON object with the fields of
// POST /v1/agents: any value that encodes as one.
func (a *Agents) Create(ctx context.Context, definition any) (agent Agent, err error) {
	err = a.c.do(ctx, call{method: http.MethodPost, path: "/v1/agents", body: definition, into: &agent})
	return agent, err
}

// Update makes a new version with the fields that changes names.
func (a *Agents) Update(ctx context.Context, id string, changes any) (agent Agent, err error) {
	err = a.c.do(ctx, call{method: http.MethodPatch, path: agentPath(id), body: changes, into: &agent})
	return agent, err
}

// UpdateSeen is Update for whoever has read the agent as seen: when it has been saved
// since, nothing is changed, and the error's code is precondition_failed. That may have
// been this very change, if the answer to an earlier try was lost: UpdatedBy tells.
func (a *Agents) UpdateSeen(ctx context.Context, seen Agent, changes any) (agent Agent, err error) {
	tag := fmt.Sprintf("%q", seen.ID+"/"+strconv.Itoa(seen.Version))
	err = a.c.do(ctx, call{method: http.MethodPatch, path: agentPath(seen.ID), headers: map[string]string{"If-Match": tag}, body: changes, into: &agent})
	return agent, err
}

// Get returns an agent by id or name.
func (a *Agents) Get(ctx context.Context, id string) (agent Agent, err error) {
	err = a.c.do(ctx, call{method: http.MethodGet, path: agentPath(id), into: &agent})
	return agent, err
}

// Restore makes a new version with the definition of an earlier one.
func (a *Agents) Restore(ctx context.Context, id string, version int) (agent Agent, err error) {
	path := agentPath(id) + "/versions/" + strconv.Itoa(version) + "/restore"
	err = a.c.do(ctx, call{method: http.MethodPost, path: path, into: &agent})
	return agent, err
}

// Validation says what is wrong with a definition.
type Validation struct {
	Valid   bool              `json:"valid"`
	Errors  map[string]string `json:"errors"`  // by field
	Changed bool              `json:"changed"` // saving it would make a version
}

// Validate checks a definition as Create does, or, with the id or name of an agent, as
// Update does. Nothing is saved.
func (a *Agents) Validate(ctx context.Context, id string, definition any) (found Validation, err error) {
	query := url.Values{}
	set(query, "agent", id)
	err = a.c.do(ctx, call{method: http.MethodPost, path: "/v1/agents/validate", query: query, body: definition, into: &found})
	return found, err
}

// List returns one page of agents.
func (a *Agents) List(ctx context.Context, after string, limit int) (Page[Agent], error) {
	return list[Agent](ctx, a.c, call{path: "/v1/agents"}, after, limit)
}

// Delete removes an agent; its runs stay.
func (a *Agents) Delete(ctx context.Context, id string) error {
	return a.c.do(ctx, call{method: http.MethodDelete, path: agentPath(id)})
}

// Run starts a run of the agent with this id or name. Of the task, the model,
// tools and approval are the agent's.
func (a *Agents) Run(ctx context.Context, id string, task Task) (run Run, err error) {
	err = a.c.do(ctx, call{method: http.MethodPost, path: agentPath(id) + "/run", body: task, into: &run})
	return run, err
}

func agentPath(id string) string { return "/v1/agents/" + url.PathEscape(id) }

// Page is one page of a list.
type Page[T any] struct {
	Data    []T    `json:"data"`
	HasMore bool   `json:"has_more"`
	Next    string `json:"next_cursor"` // a value for after

	// Raw is the whole answer, with what T does not name.
	Raw json.RawMessage `json:"-"`
}

// list fetches the page of a list that begins after the item with this cursor.
func list[T any](ctx context.Context, c *Client, from call, after string, limit int) (page Page[T], err error) {
	if from.query == nil {
		from.query = url.Values{}
	}
	set(from.query, "starting_after", after)
	if limit > 0 {
		from.query.Set("limit", strconv.Itoa(limit))
	}
	from.method, from.into = http.MethodGet, &page.Raw
	if err := c.do(ctx, from); err != nil {
		return page, err
	}
	return page, json.Unmarshal(page.Raw, &page)
}

func set(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}
