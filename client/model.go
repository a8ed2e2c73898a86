package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"
)

// Model is a name that runs can use for their model, or, with an Agent, that of a
// saved agent, which chat completions can use for theirs.
type Model struct {
	ID       string       `json:"id"`
	Agent    string       `json:"agent"`       // the agent's id; empty for a model
	Resolves string       `json:"resolves_to"` // of an alias: what it stands for
	Provider string       `json:"owned_by"`
	Window   int          `json:"context_window"` // in tokens; 0 = not known
	Price    *ModelPrice  `json:"pricing"`        // nil = not known
	Health   *ModelHealth `json:"health"`         // of its endpoint; nil = it has none
}

// ModelTariff is in US dollars per million tokens. Cached is input that is read
// from the provider's cache, Written input that is kept there.
type ModelTariff struct {
	Input   float64 `json:"input"`
	Cached  float64 `json:"cached_input"`
	Written float64 `json:"cache_write"`
	Output  float64 `json:"output"`
}

// ModelPrice is what a model costs, and how that is known.
type ModelPrice struct {
	ModelTariff
	Above  *ModelAbove `json:"above"`  // for longer requests; nil = the same
	Source string      `json:"source"` // a page, or the name of the operator's file
	AsOf   string      `json:"as_of"`  // the day on which it held, YYYY-MM-DD; empty = not said
}

// ModelAbove is what the whole request costs when its input has more tokens.
type ModelAbove struct {
	Tokens int `json:"input_tokens"`
	ModelTariff
}

// ModelHealth is how an endpoint is, by the calls since the server started.
type ModelHealth struct {
	State     string     `json:"state"` // closed, half_open, open: left alone for now
	LastOK    *time.Time `json:"last_ok_at"`
	LastError *time.Time `json:"last_error_at"`
	Error     string     `json:"last_error"` // its code
	LatencyMs *int64     `json:"latency_ms"` // until the first token, smoothed
	Active    int        `json:"active_calls"`
	Waiting   int        `json:"waiting_calls"` // calls that wait for their turn
}

// ModelTest is what one small call of a model has shown.
type ModelTest struct {
	Model        string `json:"model"`
	OK           bool   `json:"ok"`
	CallsTools   bool   `json:"calls_tools"`
	FirstTokenMs *int64 `json:"first_token_ms"`
	Ms           int64  `json:"ms"`
	Usage        Usage  `json:"usage"`
	Error        string `json:"error"`
}

// Models are the models that the server knows.
type Models struct{ c *Client }

// List returns the saved agents, whose ids begin with agent:, and the models.
func (m *Models) List(ctx context.Context) (Page[Model], error) {
	return list[Model](ctx, m.c, call{path: "/v1/models"}, "", 0)
}

// Test makes one small, real call of a model or, for an empty name, of one model
// at each endpoint.
func (m *Models) Test(ctx context.Context, model string) (page Page[ModelTest], err error) {
	body := map[string]string{}
	if model != "" {
		body["model"] = model
	}
	err = m.c.do(ctx, call{method: http.MethodPost, path: "/v1/models/test", body: body, into: &page.Raw})
	if err != nil {
		return page, err
	}
	return page, json.Unmarshal(page.Raw, &page)
}
