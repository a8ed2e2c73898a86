package native

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"errand/internal/api/wire"
	"errand/internal/problem"
	"errand/internal/run"
)

// Servers manages the MCP servers whose tools a project can use. internal/app
// adapts internal/tool/mcp to it.
type Servers interface {
	// List returns them by name. None is asked for anything.
	List(ctx context.Context, project string) ([]Server, error)
	// Get returns one by id or name, after it was asked what it has, or not_found.
	Get(ctx context.Context, project, idOrName string) (Server, error)
	// Register checks a new one and returns it with what adds it. Errors:
	// invalid_request by field, conflict when the operator has it.
	Register(project string, n NewServer) (Server, []run.RowWrite, error)
	// Change returns a server as it is after a change, with what changes it.
	Change(ctx context.Context, project, idOrName string, c ServerChange) (Server, []run.RowWrite, error)
}

// Server is an MCP server.
type Server struct {
	ID, Name, URL string
	Origin        string // operator, registered or request
	Transport     string // empty = not known
	Timeout       time.Duration
	Token         bool     // one is stored
	Headers       []string // names
	Created       time.Time
	Version       int64 // of what is accepted; 0 = it was never seen
	Tools         []ServerTool
	LeftOut       []string // tools that can't be used, and why
	Fault         string   // why it did not answer
}

// ServerTool is a tool of a server.
type ServerTool struct {
	Name, Remote string
	State        string // accepted, changed or gone
	Effect       run.Class
	Accepted     time.Time
	Definition   ServerToolText
	Now          *ServerToolText // of a changed one
}

// ServerToolText is what a model reads of a tool, and what the server says of its
// effects.
type ServerToolText struct {
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Hints       json.RawMessage `json:"annotations"`
}

// NewServer is a server to be added.
type NewServer struct {
	Name, URL, Transport, Token string
	Headers                     map[string]string
	TimeoutS                    int
}

// ServerChange accepts changes of tools, or removes the server.
type ServerChange struct {
	Accept  []string // tools; empty = all that have changed
	Version int64    // of the server as it was looked at; 0 = as it is
	Remove  bool
}

type serverIn struct {
	Name      string            `json:"name"`
	URL       string            `json:"url"`
	Transport string            `json:"transport"`
	Token     string            `json:"token"`
	Headers   map[string]string `json:"headers"`
	TimeoutS  *int              `json:"timeout_s"`
	Command   any               `json:"command"`
	Args      any               `json:"args"`
	Env       any               `json:"env"`
}

type serverBody struct {
	ID        string           `json:"id"`
	Object    string           `json:"object"`
	Name      string           `json:"name"`
	URL       string           `json:"url"`
	Origin    string           `json:"origin"`
	Transport *string          `json:"transport"`
	TimeoutS  *float64         `json:"timeout_s"`
	Token     bool             `json:"token"`
	Headers   []string         `json:"headers"`
	CreatedAt *time.Time       `json:"created_at"`
	Version   int64            `json:"version"`
	Tools     []serverToolBody `json:"tools"`
	LeftOut   []string         `json:"left_out"`
	Error     *string          `json:"error"`
}

type serverToolBody struct {
	Name       string    `json:"name"`
	Remote     string    `json:"remote_name"`
	State      string    `json:"state"`
	Effect     run.Class `json:"effect"`
	AcceptedAt time.Time `json:"accepted_at"`
	ServerToolText
	Changed *ServerToolText `json:"changed"`
}

func showServer(s *Server) serverBody {
	body := serverBody{
		ID: s.ID, Object: "mcp_server", Name: s.Name, URL: s.URL, Origin: s.Origin, Transport: optional(s.Transport), Token: s.Token,
		Headers: append([]string{}, s.Headers...), Version: s.Version, Tools: []serverToolBody{}, LeftOut: append([]string{}, s.LeftOut...), Error: optional(s.Fault),
	}
	if s.Timeout > 0 {
		seconds := s.Timeout.Seconds()
		body.TimeoutS = &seconds
	}
	if !s.Created.IsZero() {
		at := s.Created.UTC()
		body.CreatedAt = &at
	}
	for i := range s.Tools {
		t := &s.Tools[i]
		body.Tools = append(body.Tools, serverToolBody{
			Name: t.Name, Remote: t.Remote, State: t.State, Effect: t.Effect, AcceptedAt: t.Accepted.UTC(), ServerToolText: t.Definition, Changed: t.Now,
		})
	}
	return body
}

func (a *API) serverRoutes() []wire.Route {
	return []wire.Route{
		{Method: "POST", Path: "/v1/mcp/servers", Scope: "tools:write", Handle: with(a.servers, a.addServer)},
		{Method: "GET", Path: "/v1/mcp/servers", Scope: "tools:read", Query: filters(), Handle: with(a.servers, a.listServers)},
		{Method: "GET", Path: "/v1/mcp/servers/{id}", Scope: "tools:read", Handle: with(a.servers, a.getServer)},
		{Method: "DELETE", Path: "/v1/mcp/servers/{id}", Scope: "tools:write", Handle: with(a.servers, a.removeServer)},
		{Method: "POST", Path: "/v1/mcp/servers/{id}/accept", Scope: "tools:write", Handle: with(a.servers, a.acceptServer)},
	}
}

// servers returns the servers, or says that this server calls none.
func (a *API) servers() (Servers, error) {
	if a.cfg.Servers == nil {
		return nil, problem.New(problem.NotAvailable, "This server calls no MCP servers.")
	}
	return a.cfg.Servers, nil
}

func (a *API) addServer(ctx context.Context, r *wire.Request, servers Servers) (wire.Response, error) {
	var in serverIn
	if err := r.Decode(&in); err != nil {
		return wire.Response{}, err
	}
	for field, value := range map[string]any{"command": in.Command, "args": in.Args, "env": in.Env} {
		if value != nil {
			return wire.Response{}, problem.Invalid(field, "would start a program on this server: only its operator can configure that, under mcp in errand.yaml.")
		}
	}
	wanted := NewServer{Name: in.Name, URL: in.URL, Transport: in.Transport, Token: in.Token, Headers: in.Headers}
	if in.TimeoutS != nil {
		if wanted.TimeoutS = *in.TimeoutS; *in.TimeoutS < 1 {
			return wire.Response{}, problem.Invalid("timeout_s", "must be a whole number above 0: leave it out for the usual time.")
		}
	}
	made, writes, err := servers.Register(r.Caller.Project, wanted)
	if err != nil {
		return wire.Response{}, err
	}
	return a.saveServer(ctx, r, &made, writes)
}

// saveServer commits the writes and what the request's Idempotency-Key remembers.
func (a *API) saveServer(ctx context.Context, r *wire.Request, made *Server, writes []run.RowWrite) (wire.Response, error) {
	answer := wire.OK(showServer(made))
	remembered, err := r.Remember(answer)
	if err != nil {
		return wire.Response{}, err
	}
	err = a.cfg.Rows.Append(ctx, run.Commit{Rows: append(remembered, writes...)})
	var taken *run.RowConflict
	if errors.As(err, &taken) && taken.Kind == writes[0].Kind {
		if taken.Name {
			return wire.Response{}, problem.Conflicting("name", "there is already a server named %s in this project: choose another name, or remove that one with DELETE /v1/mcp/servers/%[1]s.", made.Name)
		}
		if writes[0].Expect != run.MustNotExist {
			return wire.Response{}, problem.New(problem.Conflict, "What %s offers was changed at the same time: look at it again.", made.Name)
		}
		return wire.Response{}, problem.Conflicting("url", "there is already a server with this URL in this project (%s): remove it first with DELETE /v1/mcp/servers/%s.", made.URL, made.ID)
	}
	if err != nil {
		return wire.Response{}, fmt.Errorf("saving MCP server %s: %w", made.Name, err)
	}
	return answer, nil
}

func (a *API) listServers(ctx context.Context, r *wire.Request, servers Servers) (wire.Response, error) {
	// Names of servers that requests have named may occur twice, so pages go by
	// name and id.
	cursor := func(s *Server) string { return s.Name + "/" + s.ID }
	find := func(after string, limit int) ([]Server, error) {
		all, err := servers.List(ctx, r.Caller.Project)
		var found []Server
		for i := range all {
			if cursor(&all[i]) > after && len(found) < limit {
				found = append(found, all[i])
			}
		}
		return found, err
	}
	return listPage(r.Query(), find, showServer, cursor)
}

func (a *API) getServer(ctx context.Context, r *wire.Request, servers Servers) (wire.Response, error) {
	found, err := servers.Get(ctx, r.Caller.Project, r.Path("id"))
	if err != nil {
		return wire.Response{}, err
	}
	return wire.OK(showServer(&found)), nil
}

func (a *API) removeServer(ctx context.Context, r *wire.Request, servers Servers) (wire.Response, error) {
	gone, writes, err := servers.Change(ctx, r.Caller.Project, r.Path("id"), ServerChange{Remove: true})
	if err != nil {
		return wire.Response{}, err
	}
	if err := a.cfg.Rows.Append(ctx, run.Commit{Rows: writes}); err != nil {
		return wire.Response{}, fmt.Errorf("removing MCP server %s: %w", gone.ID, err)
	}
	return wire.OK(deletedBody{ID: gone.ID, Object: "mcp_server", Deleted: true}), nil
}

// acceptServer makes tools usable that have changed, as they were looked at.
func (a *API) acceptServer(ctx context.Context, r *wire.Request, servers Servers) (wire.Response, error) {
	var in struct {
		Tools   []string `json:"tools"`
		Version *int64   `json:"version"`
	}
	if !r.Empty() {
		if err := r.Decode(&in); err != nil {
			return wire.Response{}, err
		}
	}
	change := ServerChange{Accept: in.Tools}
	if in.Version != nil {
		change.Version = *in.Version
	}
	if in.Tools != nil && len(in.Tools) == 0 {
		return wire.Response{}, problem.Invalid("tools", "must name at least one tool: leave it out to accept all that have changed.")
	}
	accepted, writes, err := servers.Change(ctx, r.Caller.Project, r.Path("id"), change)
	if err != nil {
		return wire.Response{}, err
	}
	return a.saveServer(ctx, r, &accepted, writes)
}
