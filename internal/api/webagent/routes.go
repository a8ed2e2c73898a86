package webagent

import "errand/internal/api/wire"

// maxBody is 8 MiB: a cached workflow may come inline.
const maxBody = 8 << 20

// Routes is the table of this API. api/openapi.yaml says the same in full. What is
// under /api/runs is under /runs, too.
func (a *API) Routes() []wire.Route {
	var routes []wire.Route
	for _, runs := range []string{"/api/runs", "/runs"} {
		routes = append(routes,
			wire.Route{Method: "POST", Path: runs, Scope: "runs:write", Body: maxBody, Start: a.startRun, Answer: a.answerRun},
			wire.Route{Method: "GET", Path: runs, Scope: "runs:read", Query: []string{"limit", "before"}, Handle: a.listRuns},
			wire.Route{Method: "GET", Path: runs + "/{id}", Scope: "runs:read", Query: []string{"screenshots"}, Handle: a.getRun},
			wire.Route{Method: "DELETE", Path: runs + "/{id}", Scope: "runs:write", Handle: a.deleteRun},
			wire.Route{Method: "POST", Path: runs + "/{id}/stop", Scope: "runs:write", Handle: a.stopRun},
			wire.Route{Method: "POST", Path: runs + "/{id}/set-as-cached-workflow", Scope: "runs:write", Handle: a.cacheRun},
		)
	}
	routes = append(routes,
		wire.Route{Method: "GET", Path: "/api/tasks", Scope: "runs:read", Query: []string{"limit", "before"}, Handle: a.listTasks},
		wire.Route{Method: "GET", Path: "/api/tasks/{id}", Scope: "runs:read", Handle: a.getTask},
		wire.Route{Method: "PUT", Path: "/api/tasks/{id}", Scope: "runs:write", Body: maxBody, Handle: a.changeTask},
		wire.Route{Method: "GET", Path: "/api/tasks/{id}/runs", Scope: "runs:read", Query: []string{"limit", "before"}, Handle: a.listTaskRuns},
		wire.Route{Method: "POST", Path: "/api/tasks/{id}/runs", Scope: "runs:write", Body: maxBody, Start: a.startTaskRun, Answer: a.answerRun},
	)
	for i := range routes {
		routes[i].Family = a.family
	}
	return routes
}
