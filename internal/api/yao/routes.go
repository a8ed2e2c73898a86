package yao

import (
	"net/http"
	"slices"
	"strings"

	"errand/internal/api/wire"
)

// robotsPath is where the robots are, and robotPath one of them.
const (
	robotsPath = "/v1/agent/robots"
	robotPath  = robotsPath + "/{id}"
)

// keysPath is where the settings page's keys are.
const keysPath = "/v1/setting/api-keys"

// prefixes are the paths whose errors have this API's shape.
func prefixes() []string {
	return []string{robotsPath, "/.well-known/yao", "/v1/setting"}
}

// Routes is the table of this API.
func (a *API) Routes() []wire.Route {
	routes := slices.Concat(a.talkRoutes(), a.settingRoutes(), a.robotRoutes(), a.executionRoutes(), a.eventRoutes())
	for i := range routes {
		routes[i].Family = a.family
		routes[i].Bound = bound(&routes[i])
	}
	return routes
}

// bound reports whether a key that is for some robots alone may call a route: find
// answers for every other robot as for one that is not there, and lists and streams
// leave it out. What robots are is for keys that are for all.
func bound(route *wire.Route) bool {
	switch {
	case route.Open, route.Scope == "agents:write", !strings.HasPrefix(route.Path, robotsPath):
		return false
	case strings.HasPrefix(route.Path, robotPath), route.Path == robotsPath, route.Path == robotsPath+"/activities", route.Path == robotsPath+"/stream":
		return true
	}
	return false
}

// talkBody is the limit of a request's body where images may come in it, in bytes.
const talkBody = 20 << 20

// talkRoutes are those of the conversation, and of what it leads to. The document
// has the first path, clients of OpenAI's kind go to the second.
func (a *API) talkRoutes() []wire.Route {
	turn := func(path string) wire.Route {
		return wire.Route{
			Method: "POST", Path: robotPath + path, Scope: "runs:write", Query: []string{"chat_id"}, Body: talkBody, Shared: true,
			Start: a.startTurn, Answer: a.answerTurn,
		}
	}
	return []wire.Route{
		turn("/completions"),
		turn("/chat/completions"),
		{Method: "GET", Path: robotPath + "/models", Scope: "agents:read", Shared: true, Handle: a.listModels},
		{Method: "GET", Path: robotPath + "/models/{model...}", Scope: "agents:read", Shared: true, Handle: a.getModel},
		{Method: "POST", Path: robotPath + "/execute", Scope: "runs:write", Start: a.startExecution, Answer: a.answerExecution},
		{Method: "POST", Path: robotPath + "/completions/{context}/append", Scope: "runs:write", Handle: a.addTo},
	}
}

// settingRoutes are what a client needs before it can talk: where the server is, and
// a key. Whoever may end keys may make them, as far as they have what those get.
func (a *API) settingRoutes() []wire.Route {
	return []wire.Route{
		{Method: "GET", Path: "/.well-known/yao", Open: true, Shared: true, HTTP: http.HandlerFunc(a.discover)},
		{Method: "GET", Path: keysPath, Scope: "keys:write", Handle: a.listKeys},
		{Method: "POST", Path: keysPath, Scope: "keys:write", Secret: true, Handle: a.createKey},
		{Method: "DELETE", Path: keysPath + "/{key}", Scope: "keys:write", Handle: a.deleteKey},
		{Method: "POST", Path: keysPath + "/{key}/regenerate", Scope: "keys:write", Secret: true, Handle: a.renewKey},
	}
}
