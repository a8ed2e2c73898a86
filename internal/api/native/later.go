package native

import (
	"context"
	"encoding/json"
	"net/http"

	"errand/internal/api/wire"
	"errand/internal/problem"
)

// laterRoutes are the routes of the documents that this server does not have yet.
// They answer 501 in words, so that nobody takes a missing feature for a wrong
// path.
func (a *API) laterRoutes() []wire.Route {
	return []wire.Route{
		absent("POST", "/v1/webhooks", "webhooks:manage", "Webhooks are"),
		absent("GET", "/v1/webhooks", "webhooks:manage", "Webhooks are"),
		absent("GET", "/v1/webhooks/{id}", "webhooks:manage", "Webhooks are"),
		absent("DELETE", "/v1/webhooks/{id}", "webhooks:manage", "Webhooks are"),
		absent("GET", "/v1/webhooks/{id}/deliveries", "webhooks:manage", "Webhooks are"),
		absentUpload("/v1/files", "files:write", "Files are"),
		absent("GET", "/v1/files", "runs:read", "Files are"),
		absent("GET", "/v1/files/{id}", "runs:read", "Files are"),
		absent("DELETE", "/v1/files/{id}", "files:write", "Files are"),
		absent("GET", "/v1/usage", "runs:read", "Reports on usage are"),
		absent("GET", "/v1/observability/runs", "runs:read", "Reports on runs are"),
		absent("GET", "/v1/audit", "audit:read", "The audit log is"),
		absent("POST", "/v1/schedules", "agents:write", "Schedules are"),
		absent("GET", "/v1/schedules", "agents:read", "Schedules are"),
		absent("GET", "/v1/schedules/{id}", "agents:read", "Schedules are"),
		absent("PATCH", "/v1/schedules/{id}", "agents:write", "Schedules are"),
		absent("DELETE", "/v1/schedules/{id}", "agents:write", "Schedules are"),
	}
}

// absentUpload is a route whose body would be no JSON: it answers before it is
// read, because a complaint about the body would say that another one might do.
func absentUpload(path, scope, what string) wire.Route {
	return wire.Route{Method: "POST", Path: path, Scope: scope, HTTP: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		status, body := wire.NativeFault(wire.Fault{
			Error: missing(what), RequestID: w.Header().Get("X-Request-Id"), DocURL: "/docs#" + string(problem.NotAvailable),
		})
		text, err := json.Marshal(body)
		if err != nil { // texts always have a JSON form
			text = []byte("{}")
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Should-Retry", "false")
		w.WriteHeader(status)
		_, _ = w.Write(text) // the client has gone: nobody is left to tell
	})}
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
