package swarms

import (
	"context"
	"fmt"
	"net/url"
	"reflect"
	"strings"
	"time"

	"errand/internal/agent"
	"errand/internal/problem"
)

// defaultTimeout is how long an MCP server may take unless the request says
// otherwise; the number is the API document's. maxTimeout is what a caller that
// waits for its answer may ask for.
const (
	defaultTimeout = 10 * time.Second
	maxTimeout     = 300 * time.Second
)

// maxServers bounds how many servers one agent may name.
const maxServers = 16

// bareURL is the field that names a server by its URL alone.
const bareURL = "agent_config.mcp_url"

// named is a server and the field that named it.
type named struct {
	Connection
	field string
}

// connections are the MCP servers that an agent names: all of its three fields
// together, each URL once. A configuration goes before a bare URL, which says less.
func (in *agentIn) connections(faults agent.Faults) []named {
	var all []named
	add := func(field string, c *connectionIn) {
		made := c.connection(field, faults)
		for i := range all {
			if all[i].URL != made.URL {
				continue
			}
			if field != bareURL && !reflect.DeepEqual(all[i].Connection, made) {
				faults.Add(field+".url", "is named twice with different settings: keep one of them.")
			}
			return
		}
		all = append(all, named{Connection: made, field: field})
	}
	if in.MCPConfig != nil {
		add("agent_config.mcp_config", in.MCPConfig)
	}
	if in.MCPConfigs != nil {
		for i := range in.MCPConfigs.Connections {
			add(fmt.Sprintf("agent_config.mcp_configs.connections[%d]", i), &in.MCPConfigs.Connections[i])
		}
	}
	if or(in.MCPURL, "") != "" {
		add(bareURL, &connectionIn{URL: in.MCPURL})
	}
	if len(all) > maxServers {
		faults.Add("agent_config.mcp_configs.connections", fmt.Sprintf("names too many servers: at most %d.", maxServers))
	}
	return all
}

// standardURL is the URL of a connection that names none; the document's.
const standardURL = "http://localhost:8000/mcp"

// connection checks one connection. What could start a program on this server, or
// what nothing here would read, is refused by its name.
func (c *connectionIn) connection(field string, faults agent.Faults) Connection {
	made := Connection{
		Name: or(c.Name, ""), URL: or(c.URL, standardURL), Transport: or(c.Transport, "streamable_http"), Token: or(c.Token, ""),
		Headers: c.Headers, Timeout: defaultTimeout,
	}
	at := field + ".url"
	if field == bareURL {
		at = field
	}
	if where, err := url.Parse(made.URL); err != nil || where.Host == "" || where.Scheme != "https" && where.Scheme != "http" {
		shown, _, _ := strings.Cut(made.URL, "?") // where secrets are
		faults.Add(at, fmt.Sprintf("%q is no URL of an MCP server: it must begin with https:// or http://.", clip(shown)))
	}
	if kind := or(c.Type, "mcp"); kind != "mcp" && kind != "" {
		faults.Add(field+".type", `must be "mcp".`)
	}
	switch made.Transport {
	case "streamable_http", "sse", "auto":
	case "streamable-http", "http", "":
		made.Transport = "streamable_http"
	case "stdio":
		faults.Add(field+".transport", "stdio would start a program on this server: only its operator can configure that. Use streamable_http, sse or auto.")
	default:
		faults.Add(field+".transport", fmt.Sprintf("must be streamable_http, sse or auto, not %q.", clip(made.Transport)))
	}
	if c.Timeout != nil && *c.Timeout != 0 {
		made.Timeout = time.Duration(*c.Timeout * float64(time.Second))
		if made.Timeout <= 0 || made.Timeout > maxTimeout {
			faults.Add(field+".timeout", fmt.Sprintf("must be a number of seconds up to %d.", maxTimeout/time.Second))
		}
	}
	if says(c.APIKey) {
		faults.Add(field+".api_key", "is not read: send the secret as authorization_token, or as one of headers.")
	}
	if says(c.OAuth) {
		faults.Add(field+".oauth", "is not possible here: send the token that it leads to as authorization_token.")
	}
	if says(c.Command) || says(c.Args) || says(c.Env) {
		faults.Add(field+".command", "would start a program on this server: only its operator can configure that.")
	}
	if says(c.Settings) {
		faults.Add(field+".tool_configurations", "is not read by this server: leave it empty.")
	}
	return made
}

// connect brings the tools of the request's servers into the order. Servers that
// do not answer are told in the answer; when none does, there is no run.
func (a *API) connect(ctx context.Context, project string, wanted []named, o *order) error {
	if len(wanted) == 0 {
		return nil
	}
	if a.cfg.Servers == nil {
		return problem.New(problem.InvalidRequest, "agent_config.mcp_url: this server connects to no MCP servers that requests name.")
	}
	asked := make([]Connection, len(wanted))
	for i := range wanted {
		asked[i] = wanted[i].Connection
	}
	found, err := a.cfg.Servers.Connect(ctx, project, asked)
	if err != nil {
		return inRequest(err, wanted)
	}
	o.echo.Notes = append(append(o.echo.Notes, found.Down...), found.Notes...)
	if len(found.Down) == len(wanted) {
		return problem.New(problem.ToolFailed, "None of the agent's MCP servers answers. %s", strings.Join(found.Down, " "))
	}
	o.spec.Servers = append(o.spec.Servers, found.Servers...)
	o.spec.Tools = append(o.spec.Tools, found.Tools...)
	return nil
}

// inRequest words what is wrong with connections by the fields that named them.
func inRequest(err error, wanted []named) error {
	told := problem.From(err)
	if told.Code != problem.InvalidRequest {
		return err
	}
	faults := agent.Faults{}
	for field, message := range told.Fields {
		for i := range wanted {
			if rest, ok := strings.CutPrefix(field, fmt.Sprintf("connections[%d]", i)); ok {
				if field = wanted[i].field + rest; wanted[i].field == bareURL {
					field = bareURL
				}
				break
			}
		}
		faults.Add(field, message+".")
	}
	if len(faults) == 0 {
		return problem.New(problem.InvalidRequest, "%s", told.Detail)
	}
	return refuse(faults)
}

// public is a URL without what may be secret in it: user, password and query.
func public(text string) string {
	where, err := url.Parse(text)
	if err != nil {
		return ""
	}
	where.User, where.RawQuery, where.Fragment = nil, "", ""
	return where.String()
}
