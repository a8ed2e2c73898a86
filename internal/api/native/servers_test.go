package native_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"errand/internal/api/native"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store/memory"
)

// closet keeps MCP servers in a real store. Each has one tool, which has changed
// when its description is not what was accepted.
type closet struct {
	rows *memory.Store
	says string // what the tool's description is now
}

const serverKind = "mcp_server"

func (c *closet) List(ctx context.Context, project string) ([]native.Server, error) {
	rows, err := c.rows.Rows(ctx, run.RowQuery{Kind: serverKind, Project: project, Limit: 100})
	if err != nil {
		return nil, err
	}
	var all []native.Server
	for _, row := range rows {
		s, err := c.shown(row)
		if err != nil {
			return nil, err
		}
		all = append(all, s)
	}
	return all, nil
}

func (c *closet) shown(row run.Row) (native.Server, error) {
	var s native.Server
	if err := json.Unmarshal(row.Data, &s); err != nil {
		return s, err
	}
	s.Version = row.Version
	if accepted := s.Tools[0].Definition.Description; accepted != c.says {
		now := s.Tools[0].Definition
		now.Description = c.says
		s.Tools[0].State, s.Tools[0].Now = "changed", &now
	}
	return s, nil
}

func (c *closet) Get(ctx context.Context, project, name string) (native.Server, error) {
	row, err := c.rows.Row(ctx, serverKind, project, name)
	if problem.Is(err, problem.NotFound) {
		row, err = c.rows.RowByName(ctx, serverKind, project, name)
	}
	if err != nil {
		return native.Server{}, err
	}
	return c.shown(row)
}

func (c *closet) Register(project string, n native.NewServer) (native.Server, []run.RowWrite, error) {
	if !strings.HasPrefix(n.URL, "https://") {
		return native.Server{}, nil, problem.Invalid("url", "the URL must begin with https://")
	}
	made := native.Server{
		ID: "mcp_" + n.Name, Name: n.Name, URL: n.URL, Origin: "registered", Transport: "auto", Timeout: 30 * time.Second,
		Token: n.Token != "", Headers: []string{}, Created: time.Unix(1_760_000_000, 0), Version: 1,
		Tools: []native.ServerTool{{
			Name: n.Name + "__look", Remote: "look", State: "accepted", Effect: run.Once, Accepted: time.Unix(1_760_000_000, 0),
			Definition: native.ServerToolText{Description: c.says, Parameters: json.RawMessage(`{"type":"object"}`), Hints: json.RawMessage(`{}`)},
		}},
	}
	text, err := json.Marshal(made)
	row := run.Row{Kind: serverKind, Project: project, ID: made.ID, Name: made.Name, Data: text}
	return made, []run.RowWrite{{Row: row, Expect: run.MustNotExist}}, err
}

func (c *closet) Change(ctx context.Context, project, name string, change native.ServerChange) (native.Server, []run.RowWrite, error) {
	s, err := c.Get(ctx, project, name)
	if err != nil {
		return s, nil, err
	}
	row, err := c.rows.Row(ctx, serverKind, project, s.ID)
	if err != nil {
		return s, nil, err
	}
	if change.Remove {
		return s, []run.RowWrite{{Row: row, Expect: run.AnyVersion, Delete: true}}, nil
	}
	if change.Version != 0 && change.Version != row.Version {
		return s, nil, problem.New(problem.Conflict, "version: look at it again")
	}
	s.Tools[0].State, s.Tools[0].Now, s.Tools[0].Definition.Description = "accepted", nil, c.says
	if row.Data, err = json.Marshal(s); err != nil {
		return s, nil, err
	}
	return s, []run.RowWrite{{Row: row, Expect: row.Version}}, nil
}

func TestServers(t *testing.T) {
	w := newWorld(t, script.Steps())
	const crm = `{"name":"crm","url":"https://crm.example.com/mcp","token":"its-secret-token"}`
	made := w.want(200, "POST", "/v1/mcp/servers", crm, "Idempotency-Key", "k1")
	made.has("object", "mcp_server").has("name", "crm").has("token", true).has("tools.0.name", "crm__look").has("tools.0.state", "accepted")
	again := w.want(200, "POST", "/v1/mcp/servers", crm, "Idempotency-Key", "k1")
	if string(again.Body) != string(made.Body) || strings.Contains(string(made.Body), "its-secret-token") {
		t.Errorf("first %s, then %s", made.Body, again.Body)
	}
	w.want(409, "POST", "/v1/mcp/servers", crm).has("error.code", "conflict").has("error.param", "url")
	w.want(400, "POST", "/v1/mcp/servers", `{"name":"local","url":"https://x.example","command":"/bin/sh"}`).has("error.param", "command")
	w.want(400, "POST", "/v1/mcp/servers", `{"name":"local","url":"http://x.example"}`).has("error.param", "url")
	w.want(400, "POST", "/v1/mcp/servers", `{"name":"local","url":"https://x.example","timeout_s":0}`).has("error.param", "timeout_s")
	w.want(400, "POST", "/v1/mcp/servers", `{"name":"local","url":"https://x.example","tokn":"x"}`).has("error.code", "invalid_request")

	w.want(200, "POST", "/v1/mcp/servers", `{"name":"docs","url":"https://docs.example.com/mcp"}`)
	page := w.want(200, "GET", "/v1/mcp/servers?limit=1", "").has("data.0.name", "crm").has("has_more", true)
	page.has("next_cursor", "crm/mcp_crm")
	w.want(200, "GET", "/v1/mcp/servers?limit=1&starting_after=crm/mcp_crm", "").has("data.0.name", "docs").has("has_more", false)
	w.want(404, "GET", "/v1/mcp/servers/nothing", "").has("error.code", "not_found")

	w.closet.says = "Does something else."
	w.want(200, "GET", "/v1/mcp/servers/crm", "").has("tools.0.state", "changed").has("tools.0.changed.description", "Does something else.")
	w.want(409, "POST", "/v1/mcp/servers/crm/accept", `{"version":7}`).has("error.code", "conflict")
	w.want(400, "POST", "/v1/mcp/servers/crm/accept", `{"tools":[]}`).has("error.param", "tools")
	w.want(200, "POST", "/v1/mcp/servers/crm/accept", `{"version":1,"tools":["crm__look"]}`).has("tools.0.state", "accepted")
	w.want(200, "GET", "/v1/mcp/servers/crm", "").has("tools.0.description", "Does something else.")

	w.want(200, "DELETE", "/v1/mcp/servers/crm", "").has("id", "mcp_crm").has("deleted", true)
	w.want(404, "DELETE", "/v1/mcp/servers/crm", "")
}
