package swarms

import (
	"context"
	"time"

	"errand/internal/api/wire"
)

// modelsBody is the answer of GET /v1/models/available.
type modelsBody struct {
	Success bool     `json:"success"`
	Count   int      `json:"count"`
	Models  []string `json:"models"`
}

func (a *API) listModels(ctx context.Context, _ *wire.Request) (wire.Response, error) {
	names := a.cfg.Models.Names(ctx)
	return wire.OK(modelsBody{Success: true, Count: len(names), Models: names}), nil
}

// toolsBody is the answer of GET /v1/tools/available.
type toolsBody struct {
	Status string   `json:"status"`
	Tools  []string `json:"tools"`
}

func (a *API) listTools(ctx context.Context, r *wire.Request) (wire.Response, error) {
	names, err := a.enabling(ctx, r.Caller.Project)
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(toolsBody{Status: "success", Tools: names}), nil
}

// limitBody is one window of a rate limit.
type limitBody struct {
	Count     int    `json:"count"`
	Limit     int    `json:"limit"`
	Remaining int    `json:"remaining"`
	Exceeded  bool   `json:"exceeded"`
	Reset     string `json:"reset_time"`
}

// limitsBody is the answer of GET /v1/rate/limits.
type limitsBody struct {
	Success bool        `json:"success"`
	Tier    string      `json:"tier"`
	Windows windowsBody `json:"rate_limits"`
	Most    mostBody    `json:"limits"`
	At      string      `json:"timestamp"`
}

type windowsBody struct {
	Minute limitBody `json:"minute"`
	Hour   limitBody `json:"hour"`
	Day    limitBody `json:"day"`
}

type mostBody struct {
	Minute int `json:"maximum_requests_per_minute"`
	Hour   int `json:"maximum_requests_per_hour"`
	Day    int `json:"maximum_requests_per_day"`
	Tokens int `json:"tokens_per_agent"`
}

// rateLimits says how the caller's key stands. Requests are counted by the minute
// alone: the other windows have no count, but no more fits into them than their minutes
// let in.
func (a *API) rateLimits(_ context.Context, r *wire.Request) (wire.Response, error) {
	now, s := a.cfg.Now().UTC(), r.Standing()
	window := func(length time.Duration) limitBody {
		return limitBody{Limit: unlimited, Remaining: unlimited, Reset: stamp(now.Truncate(length).Add(length))}
	}
	body := limitsBody{
		Success: true, Tier: tierUnlimited, At: stamp(now),
		Windows: windowsBody{Minute: window(time.Minute), Hour: window(time.Hour), Day: window(24 * time.Hour)},
		Most:    mostBody{Minute: unlimited, Hour: unlimited, Day: unlimited, Tokens: unlimited},
	}
	if s.Limit > 0 {
		body.Tier = tierLimited
		body.Windows.Minute = limitBody{
			Count: s.Limit - s.Remaining, Limit: s.Limit, Remaining: s.Remaining, Exceeded: s.Remaining == 0, Reset: stamp(again(now, s)),
		}
		body.Most.Minute, body.Most.Hour, body.Most.Day = s.Limit, 60*s.Limit, 24*60*s.Limit
	}
	return wire.OK(body), nil
}

// creditsBody is the answer of GET /v1/account/credits. This server sells nothing,
// so credit never runs out.
type creditsBody struct {
	Credit   dollars `json:"credit"`
	Free     dollars `json:"free_credit"`
	Referral dollars `json:"referral_credits"`
	Total    dollars `json:"total_credits"`
}

func (a *API) credits(context.Context, *wire.Request) (wire.Response, error) {
	return wire.OK(creditsBody{Credit: unlimited, Total: unlimited}), nil
}

// healthBody is the answer of GET /health.
type healthBody struct {
	Status string `json:"status"`
}

func health(context.Context, *wire.Request) (wire.Response, error) {
	return wire.OK(healthBody{Status: "ok"}), nil
}
