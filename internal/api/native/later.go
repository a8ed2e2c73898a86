package native

import (
	"context"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

// laterRoutes are the routes of the documents that this server does not have yet.
// They answer 501 in words, so that nobody takes a missing feature for a wrong
// path.
func (a *API) laterRoutes() []wire.Route {
	return []wire.Route{
		absent("GET", "/v1/observability/runs", "runs:read", "Reports on runs are"),
	}
}

func missing(what string) *problem.Error {
	return problem.New(problem.NotAvailable, "%s not part of this version of the server yet: the changelog says when they come.", what)
}

// anyBody is above what any of these routes will take: the answer is the same for
// all of them.
const anyBody = 100 << 20

func absent(method, path, scope, what string) wire.Route {
	err := missing(what)
	return wire.Route{
		Method: method, Path: path, Scope: scope, Body: anyBody,
		Handle: func(context.Context, *wire.Request) (wire.Response, error) { return wire.Response{}, err },
	}
}
