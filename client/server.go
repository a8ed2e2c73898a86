package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// Server is an MCP server, whose tools a project can use.
type Server struct {
	ID        string       `json:"id"`
	Name      string       `json:"name"`
	URL       string       `json:"url"`    // without its query
	Origin    string       `json:"origin"` // operator, registered, request
	Transport string       `json:"transport"`
	TimeoutS  float64      `json:"timeout_s"`
	Token     bool         `json:"token"`   // one is stored
	Headers   []string     `json:"headers"` // names
	CreatedAt *time.Time   `json:"created_at"`
	Version   int64        `json:"version"` // of what is known of its tools
	Tools     []ServerTool `json:"tools"`
	LeftOut   []string     `json:"left_out"` // tools that can't be used, and why
	Error     string       `json:"error"`    // why it did not answer

	// Raw is the whole answer, with what this type does not name.
	Raw json.RawMessage `json:"-"`
}

// UnmarshalJSON keeps the answer's bytes in Raw.
func (s *Server) UnmarshalJSON(text []byte) error {
	type plain Server
	if err := json.Unmarshal(text, (*plain)(s)); err != nil {
		return err
	}
	s.Raw = append(json.RawMessage(nil), text...)
	return nil
}

// ServerTool is a tool of a server.
type ServerTool struct {
	Name       string    `json:"name"`        // that runs use
	Remote     string    `json:"remote_name"` // that the server uses
	State      string    `json:"state"`       // accepted, changed, gone
	Effect     string    `json:"effect"`      // safe, keyed, once
	AcceptedAt time.Time `json:"accepted_at"`
	ServerToolText
	Changed *ServerToolText `json:"changed"` // as it is now, where that is different
}

// ServerToolText is what a model reads of a tool, and what the server says of its
// effects.
type ServerToolText struct {
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
	Annotations json.RawMessage `json:"annotations"`
}

// NewServer asks for a server.
type NewServer struct {
	Name      string            `json:"name"`
	URL       string            `json:"url"`
	Transport string            `json:"transport,omitempty"` // streamable_http, sse; empty = auto
	Token     string            `json:"token,omitempty"`
	Headers   map[string]string `json:"headers,omitempty"`
	TimeoutS  int               `json:"timeout_s,omitempty"`
}

// Servers are the MCP servers of the key's project. They go by id or name.
type Servers struct{ c *Client }

// Add adds a server. Get asks it for its tools.
func (s *Servers) Add(ctx context.Context, wanted NewServer) (server Server, err error) {
	err = s.c.do(ctx, call{method: http.MethodPost, path: "/v1/mcp/servers", body: wanted, into: &server})
	return server, err
}

// List returns one page of servers, as they were seen last.
func (s *Servers) List(ctx context.Context, after string, limit int) (Page[Server], error) {
	return list[Server](ctx, s.c, call{path: "/v1/mcp/servers"}, after, limit)
}

// Get returns a server, after it was asked for its tools.
func (s *Servers) Get(ctx context.Context, id string) (server Server, err error) {
	err = s.c.do(ctx, call{method: http.MethodGet, path: serverPath(id), into: &server})
	return server, err
}

// Accept makes changed tools usable as they were seen last: those that are named,
// or all. A version other than 0 must be the server's, as it was looked at.
func (s *Servers) Accept(ctx context.Context, id string, tools []string, version int64) (server Server, err error) {
	body := map[string]any{}
	if len(tools) > 0 {
		body["tools"] = tools
	}
	if version != 0 {
		body["version"] = version
	}
	err = s.c.do(ctx, call{method: http.MethodPost, path: serverPath(id) + "/accept", body: body, into: &server})
	return server, err
}

// Remove removes a server with what was accepted of it.
func (s *Servers) Remove(ctx context.Context, id string) error {
	return s.c.do(ctx, call{method: http.MethodDelete, path: serverPath(id)})
}

func serverPath(id string) string { return "/v1/mcp/servers/" + url.PathEscape(id) }
