package swarms

import (
	"net/http"
	"strconv"
	"time"

	"errand/internal/api/wire"
)

// Bodies may bring images inline; a batch brings ten such bodies.
const (
	maxBody      = 20 << 20
	maxBatchBody = 50 << 20
)

// Routes is the table of this API. api/openapi.yaml says the same in full. Two
// paths of it are the native API's own: GET / and GET /v1/models.
func (a *API) Routes() []wire.Route {
	routes := []wire.Route{
		{Method: "POST", Path: "/v1/agent/completions", Scope: "runs:write", Body: maxBody, Start: a.startCompletion, Answer: a.answerCompletion},
		{Method: "POST", Path: "/v1/agent/batch/completions", Scope: "runs:write", Body: maxBatchBody, Start: a.startBatch, Answer: a.answerBatch},
		{Method: "GET", Path: "/v1/agents/list", Scope: "runs:read", Handle: a.listAgents},
		{Method: "GET", Path: "/v1/models/available", Bound: true, Handle: a.listModels},
		{Method: "GET", Path: "/v1/tools/available", Handle: a.listTools},
		{Method: "GET", Path: "/v1/rate/limits", Bound: true, Handle: a.rateLimits},
		{Method: "GET", Path: "/v1/account/credits", Bound: true, Handle: a.credits},
		{Method: "GET", Path: "/health", Open: true, Quiet: true, Handle: health},
	}
	for i := range routes {
		routes[i].Family = a.family
	}
	return routes
}

// prefixes are the paths whose errors have this API's shape although nothing is
// there: the rest of the vendor's API, which this server does not speak.
func prefixes() []string {
	return []string{
		"/v1/agent/", "/v1/swarm/", "/v1/swarms/", "/v1/reasoning-agent/", "/v1/graph-workflow/", "/v1/batched-grid-workflow/",
		"/v1/advanced-research/", "/v1/auto-swarm-builder/", "/v1/marketplace/", "/v1/usage/", "/v1/metrics/", "/v1/rate/", "/v1/account/",
	}
}

// unlimited is how this API spells that there is no limit.
const unlimited = 1_000_000_000

// The tiers that there are here: a key has a limit, its own or the server's, or none.
const (
	tierUnlimited = "unlimited"
	tierLimited   = "limited"
)

// rateHeaders are on every answer. Requests are counted by the minute alone, and of
// keys that have a limit: all other figures never change, but for the minute at which a
// count would begin anew.
func rateHeaders(now time.Time, s wire.Standing) http.Header {
	limit := []string{strconv.Itoa(unlimited)}
	headers := http.Header{
		"X-Ratelimit-Limit-Minute":     limit,
		"X-Ratelimit-Remaining-Minute": limit,
		"X-Ratelimit-Limit-Day":        limit,
		"X-Ratelimit-Remaining-Day":    limit,
		"X-Ratelimit-Reset":            {strconv.FormatInt(now.Truncate(time.Minute).Add(time.Minute).Unix(), 10)},
		"X-Ratelimit-Tier":             {tierUnlimited},
	}
	if s.Limit > 0 {
		headers["X-Ratelimit-Limit-Minute"] = []string{strconv.Itoa(s.Limit)}
		headers["X-Ratelimit-Remaining-Minute"] = []string{strconv.Itoa(s.Remaining)}
		headers["X-Ratelimit-Reset"] = []string{strconv.FormatInt(again(now, s).Unix(), 10)}
		headers["X-Ratelimit-Tier"] = []string{tierLimited}
	}
	return headers
}

// again is when a key has all its requests again, to the second behind it.
func again(now time.Time, s wire.Standing) time.Time {
	return now.Add(s.Reset).Truncate(time.Second).Add(time.Second)
}
