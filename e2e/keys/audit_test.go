package keys

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/modelcontextprotocol/go-sdk/mcp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/e2e/contract"
	"errand/e2e/rig"
)

// auditLine is a line as the API shows it.
type auditLine struct {
	Seq    int64
	Action string
	Target string
	Actor  *struct{ ID, Name string }
	From   *string
	Hash   string
	Data   map[string]any
	ID     string `json:"request_id"`
}

func lines(c *rig.Client, query string) (all []auditLine) {
	for after := ""; ; {
		var page struct {
			Data []auditLine
			Next *string `json:"next_cursor"`
		}
		c.Get("/v1/audit?limit=100"+query+after, &page)
		all = append(all, page.Data...)
		if page.Next == nil {
			return all
		}
		after = "&starting_after=" + *page.Next
	}
}

// noLine are the routes that change something and leave no line, and why.
var noLine = map[string]string{
	"POST /v1/agents/{id}/run": work, "POST /v1/runs": work, "POST /v1/runs/{id}/retry": work, "POST /v1/schedules/{id}/run": work,
	"POST /v1/runs/{id}/messages": work, "POST /v1/runs/{id}/tool_outputs": work,
	"POST /v1/agents/validate": "it changes nothing", "POST /v1/schedules/preview": "likewise",
	"POST /v1/runs/{id}/actions/{action}/check":              "it decides nothing",
	"POST /v1/models/test":                                   "it changes nothing that this server keeps",
	"POST /v1/webhooks/{id}/deliveries/{delivery}/redeliver": "the delivery log has it",
	"DELETE /v1/session":                                     "it needs a session and not a key: TestSessions",
	"POST /v1/index":                                         "the index is a file of its own, and data", "DELETE /v1/index/{id}": "likewise",
}

const work = "the run's own log has it"

// act is a request and the action of the line that it leaves.
type act struct {
	route  string // as the contract has it
	path   string // empty = the route's
	body   any
	action string
	header []string
}

// TestEveryActLeavesALine makes each change that the native API knows, and looks for
// its line. A new route is in none of the two tables and fails the test.
func TestEveryActLeavesALine(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	done := map[string]bool{}
	ids := map[string]string{}
	for _, a := range acts(w, remote(t)) {
		path := a.path
		if path == "" {
			_, path, _ = strings.Cut(a.route, " ")
		}
		for name, id := range ids {
			path = strings.ReplaceAll(path, "$"+name, id)
		}
		text, _ := a.body.(string)
		if strings.Contains(path+text, "$run") {
			run := waiting(w, c)
			path = strings.ReplaceAll(path, "$run", run.ID)
			if text != "" {
				a.body = strings.ReplaceAll(text, "$run", run.ID)
			}
			ids["paused"] = run.ID // by the act before
		}
		if looked, accepts := strings.CutSuffix(path, "/accept"); accepts {
			c.Get(looked, nil) // what nobody has seen can't be accepted
		}
		method, _, _ := strings.Cut(a.route, " ")
		answer := c.Do(method, path, a.body, a.header...).Good()
		var made struct{ ID, Object string }
		if json.Unmarshal(answer.Body, &made); method == "POST" && made.ID != "" && made.Object != "run" {
			ids[made.Object] = made.ID
		}
		line := lineFor(c, answer.Header.Get("X-Request-Id"), a.action)
		if line == nil {
			t.Errorf("%s leaves no line %s", a.route, a.action)
			continue
		}
		if line.Actor == nil || line.Actor.ID != "key_admin" || line.Actor.Name != "admin" || line.From == nil || *line.From != "127.0.0.1" || line.Target == "" {
			t.Errorf("%s: %+v", a.route, line)
		}
		done[a.route] = true
	}
	agreement, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range agreement.Operations() {
		route := o.Method + " " + o.Path
		native := len(o.Tags) > 0 && slices.Contains(nativeTags, o.Tags[0])
		if native && o.Method != http.MethodGet && !o.Open && !done[route] && noLine[route] == "" {
			t.Errorf("%s is in neither table: does it leave a line?", route)
		}
	}
	var verdict struct{ Valid bool }
	if c.Get("/v1/audit/verify", &verdict); !verdict.Valid {
		t.Error("the log does not verify")
	}
}

var nativeTags = []string{"Agents", "Runs", "Approvals", "Tools", "MCP", "Keys", "Session", "Audit", "Budgets", "Index", "Models", "Files", "Webhooks", "Schedules"}

func lineFor(c *rig.Client, request, action string) *auditLine {
	all := lines(c, "&project=*") // what is done to a project is in that project's
	for i := range all {
		if all[i].ID == request && all[i].Action == action {
			return &all[i]
		}
	}
	return nil
}

// waiting is a new run that waits for a person.
func waiting(w *rig.World, c *rig.Client) (run rig.Run) {
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"crm.note"}, "approval": map[string]any{"required_for": []string{"crm.note"}},
		"prompt": rig.Steps("gated", `crm.note {"n":1}`, rig.Say("Noted.")),
	}, &run)
	return run
}

func acts(w *rig.World, server string) []act {
	hook := map[string]any{"url": w.Tools.URL + "/hook", "events": "*"}
	return []act{
		{"POST /v1/tools", "", map[string]any{"name": "crm.note", "url": w.Tools.URL + "/note", "effect": "once"}, "tool.created", nil},
		{"PATCH /v1/tools/{name}", "/v1/tools/crm.note", `{"description":"Notes."}`, "tool.changed", nil},
		{"POST /v1/tools/{name}/try", "/v1/tools/crm.note/try", `{"arguments":{}}`, "tool.tried", nil},
		{"POST /v1/agents", "", `{"name":"clerk","model":"auto","instructions":"x","tools":[]}`, "agent.created", nil},
		{"PATCH /v1/agents/{id}", "/v1/agents/clerk", `{"instructions":"y"}`, "agent.changed", nil},
		{"POST /v1/agents/{id}/versions/{version}/restore", "/v1/agents/clerk/versions/1/restore", nil, "agent.changed", nil},
		{"POST /v1/runs/{id}/approve", "/v1/runs/$run/approve", `{"action_ids":["act_01"]}`, "approval.decided", nil},
		{"POST /v1/approvals/decide", "", `{"items":[{"run":"$run","action_id":"act_01","reject":true}]}`, "approval.decided", nil},
		{"POST /v1/runs/{id}/actions/{action}/links", "/v1/runs/$run/actions/act_01/links", `{}`, "link.created", nil},
		{"POST /v1/runs/{id}/cancel", "/v1/runs/$run/cancel", nil, "cancel.requested", nil},
		{"POST /v1/runs/{id}/pause", "/v1/runs/$run/pause", nil, "run.paused", nil},
		{"POST /v1/runs/{id}/resume", "/v1/runs/$paused/resume", nil, "run.resumed", nil},
		{"DELETE /v1/runs/{id}", "/v1/runs/$run", nil, "run.deleted", nil},
		{"POST /v1/mcp/servers", "", map[string]any{"name": "desk", "url": server}, "server.created", nil},
		{"POST /v1/mcp/servers/{id}/accept", "/v1/mcp/servers/$mcp_server/accept", nil, "server_tools.changed", nil},
		{"DELETE /v1/mcp/servers/{id}", "/v1/mcp/servers/$mcp_server", nil, "server.deleted", nil},
		{"POST /v1/keys", "", `{"name":"ci"}`, "key.created", nil},
		{"POST /v1/keys/{id}/rotate", "/v1/keys/$key/rotate", `{"overlap_s":60}`, "key.rotated", nil},
		{"DELETE /v1/keys/{id}", "/v1/keys/$key", nil, "key.revoked", nil},
		{"POST /v1/session/links", "", nil, "session_link.created", nil},
		{"POST /v1/projects", "", `{"name":"accounting"}`, "project.created", nil},
		{"PATCH /v1/projects/{id}", "/v1/projects/accounting", `{"retention_days":30}`, "project.changed", nil},
		{"DELETE /v1/projects/{id}", "/v1/projects/accounting", `{"confirm":"accounting"}`, "project.erasing", nil},
		{"POST /v1/files", "", "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\ncontext\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n", "file.created", []string{"Content-Type", "multipart/form-data; boundary=b"}},
		{"DELETE /v1/files/{id}", "/v1/files/$file", nil, "file.deleted", nil},
		{"POST /v1/webhooks", "", hook, "webhook.created", nil},
		{"PATCH /v1/webhooks/{id}", "/v1/webhooks/$webhook", `{"events":["run.failed"],"status":"enabled"}`, "webhook.changed", nil},
		{"POST /v1/webhooks/{id}/rotate", "/v1/webhooks/$webhook/rotate", nil, "webhook.changed", nil},
		{"DELETE /v1/webhooks/{id}", "/v1/webhooks/$webhook", nil, "webhook.deleted", nil},
		{"POST /v1/schedules", "", `{"agent":"clerk","every":"24h","input":"x"}`, "schedule.created", nil},
		{"PATCH /v1/schedules/{id}", "/v1/schedules/$schedule", `{"paused":true}`, "schedule.changed", nil},
		{"DELETE /v1/schedules/{id}", "/v1/schedules/$schedule", nil, "schedule.deleted", nil},
		{"POST /v1/budgets", "", `{"max_runs":1000,"period":"month"}`, "budget.created", nil},
		{"PATCH /v1/budgets/{id}", "/v1/budgets/$budget", `{"max_runs":2000}`, "budget.changed", nil},
		{"DELETE /v1/budgets/{id}", "/v1/budgets/$budget", nil, "budget.deleted", nil},
		{"DELETE /v1/agents/{id}", "/v1/agents/clerk", nil, "agent.deleted", nil},
		{"DELETE /v1/tools/{name}", "/v1/tools/crm.note", nil, "tool.deleted", nil},
		{"PUT /v1/log-level", "", `{"level":"debug"}`, "log_level.changed", nil},
	}
}

// remote is an MCP server.
func remote(t *testing.T) string {
	t.Helper()
	server := mcp.NewServer(&mcp.Implementation{Name: "desk"}, nil)
	mcp.AddTool(server, &mcp.Tool{Name: "look", Description: "Looks."}, func(context.Context, *mcp.CallToolRequest, struct{}) (*mcp.CallToolResult, any, error) {
		return &mcp.CallToolResult{}, nil, nil
	})
	handler := mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server }, &mcp.StreamableHTTPOptions{Stateless: true})
	listening := httptest.NewServer(handler)
	t.Cleanup(func() {
		listening.CloseClientConnections() // the server under test holds a stream open
		listening.Close()
	})
	return listening.URL
}

// TestATamperedLogIsFound changes the file behind the server's back, in three ways.
func TestATamperedLogIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ sql, want string }{
		"changed": {"UPDATE audit SET actor_name = 'nobody' WHERE seq = 3", "line 3 is not what was written"},
		"removed": {"DELETE FROM audit WHERE seq = 2", "line 2 is missing"},
		"swapped": {"UPDATE audit SET seq = -2 WHERE seq = 2; UPDATE audit SET seq = 2 WHERE seq = 3; UPDATE audit SET seq = 3 WHERE seq = -2", "line 2 is not what was written"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := rig.New(t)
			s := w.Start()
			client := s.Client()
			for _, project := range []string{"a", "b", "c", "d"} {
				client.Post("/v1/projects", map[string]string{"name": project}, nil)
			}
			if got := w.Command(t, "audit", "verify", "--url", s.URL, "--key", rig.AdminKey); got.Code != 0 {
				t.Errorf("exit %d of an honest log: %s%s", got.Code, got.Out, got.Err)
			}
			s.Terminate()
			tamper(t, filepath.Join(w.Data(), "errand.db"), c.sql)
			if got := w.Command(t, "audit", "verify", "--data", w.Data()); got.Code != 1 || !strings.Contains(got.Out, c.want) {
				t.Errorf("on disk: exit %d: %s%s", got.Code, got.Out, got.Err)
			}
			s = w.Start()
			if got := w.Command(t, "audit", "verify", "--url", s.URL, "--key", rig.AdminKey); got.Code != 1 || !strings.Contains(got.Out, c.want) {
				t.Errorf("of a server: exit %d: %s%s", got.Code, got.Out, got.Err)
			}
		})
	}
}

func tamper(t *testing.T, path, sql string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteScript(conn, sql+";", nil); err != nil {
		t.Fatal(err)
	}
}
