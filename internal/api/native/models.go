package native

import (
	"context"
	"time"

	"errand/internal/api/wire"
)

// modelBody is a name that a run or an agent can give as its model.
type modelBody struct {
	ID       string      `json:"id"`
	Object   string      `json:"object"`
	OwnedBy  string      `json:"owned_by"` // the provider
	Resolves *string     `json:"resolves_to"`
	Window   *int        `json:"context_window"`
	Price    *priceBody  `json:"pricing"`
	Health   *healthBody `json:"health"`
}

// priceBody is in US dollars per million tokens.
type priceBody struct {
	Input   float64 `json:"input"`
	Cached  float64 `json:"cached_input"`
	Written float64 `json:"cache_write"`
	Output  float64 `json:"output"`
}

type healthBody struct {
	State     string     `json:"state"`
	LastOK    *time.Time `json:"last_ok_at"`
	LastError *time.Time `json:"last_error_at"`
	Error     *string    `json:"last_error"`
	Latency   *int64     `json:"latency_ms"`
	Active    int        `json:"active_calls"`
	Waiting   int        `json:"waiting_calls"`
}

func showModel(m *Model) modelBody {
	body := modelBody{
		ID: m.ID, Object: "model", OwnedBy: m.Provider, Resolves: optional(m.Resolves), Window: optional(m.Window),
	}
	if p := m.Price; p != nil {
		body.Price = &priceBody{Input: p.Input, Cached: p.Cached, Written: p.Written, Output: p.Output}
	}
	if h := m.Health; h != nil {
		body.Health = &healthBody{
			State: h.State, LastOK: moment(h.LastOK.Truncate(time.Millisecond)), LastError: moment(h.LastFail.Truncate(time.Millisecond)), Error: optional(string(h.Error)),
			Latency: optional(h.Latency.Milliseconds()), Active: h.Active, Waiting: h.Waiting,
		}
	}
	return body
}

// listModels lists all names at once: they are few, and come from settings.
func (a *API) listModels(context.Context, *wire.Request) (wire.Response, error) {
	all := a.cfg.Models.Models()
	return wire.OK(listOf(all, len(all)+1, showModel, func(last *Model) string { return last.ID })), nil
}

type testIn struct {
	Model string `json:"model"`
}

type trialBody struct {
	Object  string    `json:"object"`
	Model   string    `json:"model"`
	Answers bool      `json:"ok"`
	Calls   bool      `json:"calls_tools"`
	First   *int64    `json:"first_token_ms"`
	Ms      int64     `json:"ms"`
	Usage   usageBody `json:"usage"`
	Error   *string   `json:"error"`
}

// testModels makes one small, real call, for whoever sets a server up. It is no
// run: nothing is stored.
func (a *API) testModels(ctx context.Context, r *wire.Request) (wire.Response, error) {
	var in testIn
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	trials, err := a.cfg.Models.Try(ctx, in.Model)
	if err != nil {
		return wire.Response{}, err
	}
	show := func(t *Trial) trialBody {
		return trialBody{
			Object: "model.test", Model: t.Model, Answers: t.Answers, Calls: t.Calls, First: optional(t.First.Milliseconds()),
			Ms: t.Took.Milliseconds(), Usage: showUsage(t.Usage), Error: optional(t.Error),
		}
	}
	return wire.OK(listOf(trials, len(trials)+1, show, func(last *Trial) string { return last.Model })), nil
}
