package yao

import "errand/internal/api/wire"

// robotRoutes are those of saved robots.
func (a *API) robotRoutes() []wire.Route {
	return []wire.Route{
		{Method: "GET", Path: robotsPath, Scope: "agents:read", Query: []string{"page", "pagesize", "status", "keywords", "team_id", "autonomous_mode"}, Handle: a.listRobots},
		{Method: "POST", Path: robotsPath, Scope: "agents:write", Handle: a.createRobot},
		{Method: "GET", Path: robotPath, Scope: "agents:read", Handle: a.getRobot},
		{Method: "PUT", Path: robotPath, Scope: "agents:write", Handle: a.putRobot},
		{Method: "DELETE", Path: robotPath, Scope: "agents:write", Handle: a.deleteRobot},
		{Method: "GET", Path: robotPath + "/status", Scope: "agents:read", Handle: a.robotStatus},
		{Method: "GET", Path: robotPath + "/host", Scope: "agents:read", Handle: a.robotHost},
		{Method: "GET", Path: robotsPath + "/activities", Scope: "runs:read", Query: []string{"limit", "since", "type"}, Handle: a.listActivities},
		{Method: "POST", Path: robotsPath + "/integrations/verify", Scope: "agents:read", Handle: a.verifyIntegration},
		{Method: "GET", Path: robotsPath + "/stream", Scope: "runs:read", Handle: a.streamRobots},
		{Method: "GET", Path: robotPath + "/stream", Scope: "runs:read", Handle: a.streamRobot},
	}
}

// executionPath is one execution of a robot.
const executionPath = robotPath + "/executions/{exec}"

// executionRoutes are those of executions, and of what starts them but for the
// conversation and execute.
func (a *API) executionRoutes() []wire.Route {
	return []wire.Route{
		{Method: "GET", Path: robotPath + "/executions", Scope: "runs:read", Query: []string{"page", "pagesize", "status", "exclude_status", "trigger_type", "keyword"}, Handle: a.listExecutions},
		{Method: "GET", Path: executionPath, Scope: "runs:read", Handle: a.getExecution},
		{Method: "POST", Path: executionPath + "/pause", Scope: "runs:write", Handle: a.pause},
		{Method: "POST", Path: executionPath + "/resume", Scope: "runs:write", Handle: a.resume},
		{Method: "POST", Path: executionPath + "/cancel", Scope: "runs:write", Handle: a.cancel},
		{Method: "POST", Path: executionPath + "/retry", Scope: "runs:write", Start: a.startRetry, Answer: a.answerRetry},
		{Method: "POST", Path: executionPath + "/confirm", Scope: "runs:write", Start: a.startConfirm, Answer: a.answerInteract},
		{Method: "POST", Path: executionPath + "/tasks/{task}/reply", Scope: "runs:write", Handle: a.replyTask},
		{Method: "GET", Path: executionPath + "/stream", Scope: "runs:read", Query: []string{"after"}, Handle: a.streamExecution},
		{Method: "GET", Path: robotPath + "/results", Scope: "runs:read", Query: []string{"page", "pagesize", "trigger_type", "keyword"}, Handle: a.listResults},
		{Method: "GET", Path: robotPath + "/results/{exec}", Scope: "runs:read", Handle: a.getResult},
		{Method: "POST", Path: robotPath + "/trigger", Scope: "runs:write", Start: a.startTrigger, Answer: a.answerTrigger},
		{Method: "POST", Path: robotPath + "/intervene", Scope: "runs:write", Start: a.startIntervene, Answer: a.answerIntervene},
		{Method: "POST", Path: robotPath + "/interact", Scope: "runs:write", Start: a.startInteract, Answer: a.answerInteract},
	}
}
