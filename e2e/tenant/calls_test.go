package tenant

import (
	"strconv"
	"strings"
)

// call is a route of the contract, a body that it takes, and what it answers a key
// that is for another agent alone. $words in bodies are things of the owner's project.
type call struct {
	route string
	body  string
	bound int
}

// calls are all routes that need a key.
func calls() (all []call) {
	for line := range strings.Lines(strings.TrimSpace(table)) {
		words := append(strings.SplitN(strings.TrimSpace(line), " ", 4), "")
		bound, _ := strconv.Atoi(words[0]) // 0 is no status, and fails
		all = append(all, call{route: words[1] + " " + words[2], body: words[3], bound: bound})
	}
	return all
}

// table has a line for each: the status for a key of another agent, which is that of
// the table in docs/security.md, the route, and the body.
const table = `
403 POST /v1/agents {"name":"$new","model":"auto","instructions":"x","tools":[]}
200 GET /v1/agents
404 GET /v1/agents/{id}
403 PATCH /v1/agents/{id} {"instructions":"y"}
403 DELETE /v1/agents/{id}
404 GET /v1/agents/{id}/versions
404 GET /v1/agents/{id}/versions/{version}
403 POST /v1/agents/{id}/versions/{version}/restore
403 POST /v1/agents/validate {"name":"$new","model":"auto","instructions":"x","tools":[]}
404 GET /v1/agents/{id}/runs
404 POST /v1/agents/{id}/run {"prompt":"= Hello."}
404 POST /v1/agents/runs {"agent":"$agent","input":"= Hello.","stream":false}
403 POST /v1/runs {"model":"auto","prompt":"= Hello.","previous_run_id":"$done"}
200 GET /v1/runs
404 GET /v1/runs/{id}
404 DELETE /v1/runs/{id}
404 POST /v1/runs/{id}/approve {"action_ids":["act_01"]}
404 POST /v1/runs/{id}/actions/{action}/check {"arguments":{"n":2}}
404 POST /v1/runs/{id}/actions/{action}/links {}
404 POST /v1/runs/{id}/cancel {}
404 POST /v1/runs/{id}/pause {}
404 POST /v1/runs/{id}/resume {}
404 POST /v1/runs/{id}/messages {"content":"Hurry."}
404 POST /v1/runs/{id}/tool_outputs {"outputs":[{"action_id":"act_01","output":"x"}]}
404 POST /v1/runs/{id}/retry {}
404 GET /v1/runs/{id}/events
404 GET /v1/runs/{id}/stream
404 GET /v1/runs/{id}/explain
404 GET /v1/runs/{id}/trace
404 GET /v1/runs/{id}/steps/{n}/prompt
200 GET /v1/stats
200 GET /v1/stream
200 GET /v1/approvals
200 GET /v1/approvals/decided
200 POST /v1/approvals/decide {"items":[{"run":"$run","action_id":"act_01","reject":true}]}
403 POST /v1/tools {"name":"$new.tool","url":"$owner/x","effect":"once"}
403 GET /v1/tools
403 GET /v1/tools/{name}
403 PATCH /v1/tools/{name} {"description":"Notes."}
403 DELETE /v1/tools/{name}
403 POST /v1/tools/{name}/try {"arguments":{}}
403 POST /v1/mcp/servers {"name":"$new","url":"$mcp"}
403 GET /v1/mcp/servers
403 GET /v1/mcp/servers/{id}
403 DELETE /v1/mcp/servers/{id}
403 POST /v1/mcp/servers/{id}/accept {}
403 POST /v1/keys {"name":"$new","scopes":["runs:read"],"agents":["$agent"]}
403 GET /v1/keys
403 DELETE /v1/keys/{id}
403 POST /v1/keys/{id}/rotate {"overlap_s":60}
200 GET /v1/session
204 DELETE /v1/session
403 POST /v1/session/links
403 POST /v1/projects {"name":"$new"}
403 GET /v1/projects
403 GET /v1/projects/{id}
403 PATCH /v1/projects/{id} {"retention_days":30}
403 DELETE /v1/projects/{id} {"confirm":"$project"}
403 GET /v1/projects/{id}/export
403 GET /v1/system
403 GET /v1/log-level
403 GET /metrics
403 PUT /v1/log-level {"level":"warn"}
403 GET /v1/audit
403 GET /v1/audit/verify
403 POST /v1/index {"name":"$new","documents":[{"path":"a.md","content":"Text."}]}
403 GET /v1/index
403 GET /v1/index/{id}
403 DELETE /v1/index/{id}
403 GET /v1/index/{id}/documents
200 GET /v1/agent/robots
403 POST /v1/agent/robots {"member_id":"$new","display_name":"$new","robot_config":{"identity":{"role":"Clerk"}}}
404 GET /v1/agent/robots/{id}
403 PUT /v1/agent/robots/{id} {"bio":"Does things."}
403 DELETE /v1/agent/robots/{id}
404 GET /v1/agent/robots/{id}/status
404 GET /v1/agent/robots/{id}/host
200 GET /v1/agent/robots/activities
403 POST /v1/agent/robots/integrations/verify {"provider":"telegram","config":{}}
200 GET /v1/agent/robots/stream
404 GET /v1/agent/robots/{id}/stream
404 GET /v1/agent/robots/{id}/executions
404 GET /v1/agent/robots/{id}/executions/{exec}
404 POST /v1/agent/robots/{id}/executions/{exec}/pause
404 POST /v1/agent/robots/{id}/executions/{exec}/resume
404 POST /v1/agent/robots/{id}/executions/{exec}/cancel
404 POST /v1/agent/robots/{id}/executions/{exec}/retry
404 POST /v1/agent/robots/{id}/executions/{exec}/confirm {}
404 POST /v1/agent/robots/{id}/executions/{exec}/tasks/{task}/reply {"message":"The second."}
404 GET /v1/agent/robots/{id}/executions/{exec}/stream
404 GET /v1/agent/robots/{id}/results
404 GET /v1/agent/robots/{id}/results/{exec}
404 POST /v1/agent/robots/{id}/trigger {"type":"human","action":"task.add","messages":[{"role":"user","content":"Look."}]}
403 POST /v1/agent/robots/{id}/events/rotate
404 POST /v1/agent/robots/{id}/intervene {"action":"task.add","messages":[{"role":"user","content":"Look."}]}
404 POST /v1/agent/robots/{id}/interact {"message":"Look."}
404 POST /v1/agent/robots/{id}/completions {"messages":[{"role":"user","content":"Look."}]}
404 POST /v1/agent/robots/{id}/chat/completions {"messages":[{"role":"user","content":"Look."}]}
404 GET /v1/agent/robots/{id}/models
404 GET /v1/agent/robots/{id}/models/{model}
404 POST /v1/agent/robots/{id}/execute {"goals":"Look."}
404 POST /v1/agent/robots/{id}/completions/{context}/append {"type":"graceful","messages":[{"role":"user","content":"More."}]}
403 GET /v1/setting/api-keys
403 POST /v1/setting/api-keys {"name":"$new"}
403 DELETE /v1/setting/api-keys/{key}
403 POST /v1/setting/api-keys/{key}/regenerate
404 POST /v1/chat/completions {"model":"agent:$agent","messages":[{"role":"user","content":"= Hello."}]}
200 GET /v1/models
404 GET /v1/models/{model}
403 POST /v1/models/test {"model":"offline"}
403 POST /v1/agent/completions {"agent_config":{"agent_name":"a","model_name":"openai/mock","max_loops":1},"task":"= x"}
403 POST /v1/agent/batch/completions [{"agent_config":{"agent_name":"a","model_name":"openai/mock","max_loops":1},"task":"= x"}]
403 GET /v1/agents/list
200 GET /v1/models/available
403 GET /v1/tools/available
200 GET /v1/rate/limits
200 GET /v1/account/credits
403 POST /api/runs {"prompt":"Look."}
403 GET /api/runs
403 GET /api/runs/{id}
403 DELETE /api/runs/{id}
403 POST /api/runs/{id}/stop
403 POST /api/runs/{id}/set-as-cached-workflow
403 POST /runs {"prompt":"Look."}
403 GET /runs
403 GET /runs/{id}
403 DELETE /runs/{id}
403 POST /runs/{id}/stop
403 POST /runs/{id}/set-as-cached-workflow
403 GET /api/tasks
403 GET /api/tasks/{id}
403 PUT /api/tasks/{id} {"prompt":"Look again."}
403 GET /api/tasks/{id}/runs
403 POST /api/tasks/{id}/runs {}
403 POST /v1/files $multipart
403 GET /v1/files
403 GET /v1/files/{id}
403 DELETE /v1/files/{id}
403 GET /v1/files/{id}/content
403 POST /v1/webhooks {"url":"$owner/$new","events":"*"}
403 GET /v1/webhooks
403 GET /v1/webhooks/{id}
403 PATCH /v1/webhooks/{id} {"events":"*","status":"enabled"}
403 DELETE /v1/webhooks/{id}
403 POST /v1/webhooks/{id}/rotate
403 GET /v1/webhooks/{id}/deliveries
403 POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver
403 POST /v1/schedules {"agent":"$agent","every":"24h","input":"x"}
403 GET /v1/schedules
403 POST /v1/schedules/preview {"every":"24h"}
403 GET /v1/schedules/{id}
403 PATCH /v1/schedules/{id} {"paused":true}
403 DELETE /v1/schedules/{id}
403 POST /v1/schedules/{id}/run {}
403 POST /v1/budgets {"name":"$new","agent":"$agent","max_runs":1000,"period":"month"}
403 GET /v1/budgets
403 GET /v1/budgets/{id}
403 PATCH /v1/budgets/{id} {"max_runs":2000}
403 DELETE /v1/budgets/{id}
403 GET /v1/usage
403 GET /v1/observability/runs
`
