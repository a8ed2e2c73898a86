package native

import "errand/internal/api/wire"

// Routes is the table of this API. api/openapi.yaml says the same in full.
func (a *API) Routes() []wire.Route {
	routes := []wire.Route{
		{Method: "POST", Path: "/v1/agents", Scope: "agents:write", Query: []string{"dry_run"}, Handle: a.createAgent},
		{Method: "GET", Path: "/v1/agents", Scope: "agents:read", Query: filters(), Handle: a.listAgents},
		{Method: "GET", Path: "/v1/agents/{id}", Scope: "agents:read", Handle: a.getAgent},
		{Method: "PATCH", Path: "/v1/agents/{id}", Scope: "agents:write", Handle: a.patchAgent},
		{Method: "DELETE", Path: "/v1/agents/{id}", Scope: "agents:write", Handle: a.deleteAgent},
		{Method: "GET", Path: "/v1/agents/{id}/versions", Scope: "agents:read", Query: filters(), Handle: a.listVersions},
		{Method: "GET", Path: "/v1/agents/{id}/versions/{version}", Scope: "agents:read", Handle: a.getVersion},
		{Method: "GET", Path: "/v1/agents/{id}/runs", Scope: "runs:read", Query: append(filters("status", "dialect", "api", "created_after", "created_before"), searchFilters()...), Handle: a.listAgentRuns},
		{Method: "POST", Path: "/v1/agents/{id}/versions/{version}/restore", Scope: "agents:write", Handle: a.restoreVersion},
		{Method: "POST", Path: "/v1/agents/validate", Scope: "agents:write", Query: []string{"agent"}, Handle: a.validateAgent},
		{Method: "POST", Path: "/v1/agents/{id}/run", Scope: "runs:write", Query: []string{"wait"}, Start: a.startAgentRun, Answer: a.answerAgentRun},

		{Method: "POST", Path: "/v1/runs", Scope: "runs:write", Query: []string{"wait"}, Start: a.startRun, Answer: a.answerRun},
		{Method: "GET", Path: "/v1/runs", Scope: "runs:read", Query: append(filters("status", "agent", "dialect", "api", "created_after", "created_before"), searchFilters()...), Handle: a.listRuns},
		{Method: "GET", Path: "/v1/runs/{id}", Scope: "runs:read", Query: []string{"include_trace"}, Handle: a.getRun},
		{Method: "DELETE", Path: "/v1/runs/{id}", Scope: "runs:write", Handle: a.deleteRun},
		{Method: "POST", Path: "/v1/runs/{id}/approve", Scope: "runs:approve", Handle: a.approve},
		{Method: "POST", Path: "/v1/runs/{id}/actions/{action}/check", Scope: "runs:approve", Handle: a.weigh},
		{Method: "POST", Path: "/v1/runs/{id}/cancel", Scope: "runs:write", Handle: a.cancel},
		{Method: "POST", Path: "/v1/runs/{id}/pause", Scope: "runs:write", Handle: a.pause},
		{Method: "POST", Path: "/v1/runs/{id}/resume", Scope: "runs:write", Handle: a.resume},
		{Method: "POST", Path: "/v1/runs/{id}/messages", Scope: "runs:write", Handle: a.addMessage},
		{Method: "POST", Path: "/v1/runs/{id}/tool_outputs", Scope: "runs:write", Handle: a.addOutputs},
		{Method: "POST", Path: "/v1/runs/{id}/retry", Scope: "runs:write", Query: []string{"wait"}, Start: a.startRetry, Answer: a.answerRetry},
		{Method: "GET", Path: "/v1/runs/{id}/events", Scope: "runs:read", Query: []string{"after", "limit"}, Handle: a.listEvents},
		{Method: "GET", Path: "/v1/runs/{id}/stream", Scope: "runs:read", Query: []string{"after", "until"}, Handle: a.streamRun},

		{Method: "GET", Path: "/v1/approvals", Scope: "runs:read", Query: filters("status"), Handle: a.listApprovals},
		{Method: "GET", Path: "/v1/approvals/decided", Scope: "runs:read", Query: []string{"since", "limit"}, Handle: a.listDecided},
		{Method: "POST", Path: "/v1/approvals/decide", Scope: "runs:approve", Handle: a.decideSeveral},

		{Method: "POST", Path: "/v1/tools", Scope: "tools:write", Handle: a.createTool},
		{Method: "GET", Path: "/v1/tools", Scope: "tools:read", Query: filters(), Handle: a.listTools},
		{Method: "GET", Path: "/v1/tools/{name}", Scope: "tools:read", Handle: a.getTool},
		{Method: "PATCH", Path: "/v1/tools/{name}", Scope: "tools:write", Handle: a.patchTool},
		{Method: "DELETE", Path: "/v1/tools/{name}", Scope: "tools:write", Handle: a.deleteTool},
		{Method: "POST", Path: "/v1/tools/{name}/try", Scope: "tools:write", Handle: a.tryTool},

		{Method: "POST", Path: "/v1/keys", Scope: "admin", Secret: true, Handle: a.createKey},
		{Method: "GET", Path: "/v1/keys", Scope: "keys:write", Query: filters("project"), Handle: a.listKeys},
		{Method: "DELETE", Path: "/v1/keys/{id}", Scope: "keys:write", Query: []string{"project"}, Handle: a.revokeKey},
		{Method: "POST", Path: "/v1/keys/{id}/rotate", Scope: "keys:write", Secret: true, Handle: a.rotateKey},

		{Method: "GET", Path: "/v1/models", Shared: true, Handle: a.listModels},
		{Method: "GET", Path: "/v1/models/{model...}", Shared: true, Handle: a.getModel},
		{Method: "POST", Path: "/v1/models/test", Scope: "runs:write", Handle: a.testModels},
	}
	routes = append(routes, a.serverRoutes()...)
	routes = append(routes, a.indexRoutes()...)
	routes = append(routes, a.fileRoutes()...)
	routes = append(routes, a.webhookRoutes()...)
	routes = append(routes, a.scheduleRoutes()...)
	routes = append(routes, a.budgetRoutes()...)
	routes = append(routes, a.auditRoutes()...)
	routes = append(routes, a.linkRoutes()...)
	routes = append(routes, a.explainRoutes()...)
	routes = append(routes, a.levelRoutes()...)
	routes = append(routes, a.projectRoutes()...)
	routes = append(routes, a.sessionRoutes()...)
	routes = append(routes, a.laterRoutes()...)
	routes = append(routes, a.pageRoutes()...)
	for i := range routes {
		routes[i].Family = a.family
		a.bind(&routes[i])
	}
	return routes
}

// filters are the query parameters of a list: its own, and those of every page.
func filters(names ...string) []string { return append(names, "limit", "starting_after") }
