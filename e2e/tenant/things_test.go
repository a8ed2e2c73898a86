package tenant

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/modelcontextprotocol/go-sdk/mcp"

	"errand/e2e/rig"
	"errand/internal/auth"
)

// things are what the owner's project has, by what calls_test.go names it.
type things map[string]string

// slots says which thing fills which {name} of a path; the first prefix that fits
// counts. A name that is not here fails the test.
func slots() [][3]string {
	return [][3]string{
		{"/v1/agents/", "id", "$agent"}, {"/v1/agents/", "version", "1"},
		{"/v1/runs/", "id", "$run"}, {"/v1/runs/", "action", "act_01"}, {"/v1/runs/", "n", "1"},
		{"/v1/tools/", "name", "$tool"}, {"/v1/mcp/servers/", "id", "$server"},
		{"/v1/keys/", "id", "$key"}, {"/v1/projects/", "id", "$project"}, {"/v1/index/", "id", "$source"},
		{"/v1/agent/robots/", "id", "$robot"}, {"/v1/agent/robots/", "exec", "$execution"}, {"/v1/agent/robots/", "task", "task-1"},
		{"/v1/agent/robots/", "context", "$chat"}, {"/v1/agent/robots/", "model", "$variant"}, {"/v1/setting/api-keys/", "key", "$setting"},
		{"/v1/models/", "model", "agent:$agent"}, {"/api/runs/", "id", "$web"}, {"/runs/", "id", "$web"}, {"/api/tasks/", "id", "$order"},
		{"/v1/files/", "id", "$file"}, {"/v1/webhooks/", "id", "$hook"}, {"/v1/webhooks/", "delivery", "$delivery"},
		{"/v1/schedules/", "id", "$schedule"}, {"/v1/budgets/", "id", "$budget"},
	}
}

var parameter = regexp.MustCompile(`\{(\w+)\}`)

// place fills the names of a route's path with the words for things.
func place(t *testing.T, route string) string {
	_, path, _ := strings.Cut(route, " ")
	return parameter.ReplaceAllStringFunc(path, func(name string) string {
		for _, s := range slots() {
			if strings.HasPrefix(path, s[0]) && name == "{"+s[1]+"}" {
				return s[2]
			}
		}
		t.Errorf("%s: what thing is %s? Say it in things_test.go", path, name)
		return "nothing"
	})
}

var word = regexp.MustCompile(`\$[a-z]+`)

// fill puts the things in the place of their names.
func (x things) fill(t *testing.T, text string) string {
	return word.ReplaceAllStringFunc(text, func(name string) string {
		if value, known := x[name[1:]]; known && value != "" {
			return value
		}
		t.Errorf("there is no %s for %s", name, text)
		return "nothing"
	})
}

// absent are things of the same shapes that are nowhere.
func (x things) absent() things {
	gone := things{}
	for name, id := range x {
		switch {
		case strings.Contains(id, "://"), name == "multipart":
			gone[name] = id
		case name == "web", name == "order":
			gone[name] = "987"
		default:
			kind, _, spelt := strings.Cut(id, "_")
			if !spelt {
				gone[name] = "nosuchthing"
				continue
			}
			gone[name] = kind + "_" + strings.Repeat("0", len(id)-len(kind)-1)
		}
	}
	return gone
}

// mask takes out of an answer what names one thing or one request.
func (x things) mask(body []byte) string {
	var names []string
	for name, id := range x {
		if name != "new" && name != "web" && name != "order" && name != "variant" && name != "multipart" {
			names = append(names, id, bare(id))
		}
	}
	slices.SortFunc(names, func(a, b string) int { return len(b) - len(a) }) // none is taken for the beginning of another
	text := string(body)
	for _, name := range names {
		text = strings.ReplaceAll(text, name, "…")
	}
	text = regexp.MustCompile(`\b(ID|id|run|task) `+x["web"]+`\b`).ReplaceAllString(text, "$1 …")
	return regexp.MustCompile(`req_[0-9a-f]+`).ReplaceAllString(text, "req_…")
}

func bare(id string) string {
	if _, after, cut := strings.Cut(id, "_"); cut {
		return after
	}
	return id
}

// playing plans one task for a robot and reports on it; for all others it does what
// the prompt says.
func playing(c rig.Conversation) rig.Turn {
	for i := range c.Tools {
		if c.Tools[i].Function.Name == "robot_plan" {
			return rig.Turn{Calls: []rig.ToolCall{
				{Name: "robot.plan", Arguments: `{"tasks":[{"description":"Look at it","expected_output":"Something to read"}]}`},
				{Name: "robot.report", Arguments: `{"task":"task-1","output":"It was looked at."}`},
				{Name: "robot.deliver", Arguments: `{"summary":"It is done.","body":"It was looked at."}`},
			}[min(c.Step(), 2):][:1]}
		}
	}
	return rig.FromPrompt(c)
}

const form = "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\ncontext\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n"

// furnish makes one thing of each kind in the owner's project.
func furnish(t *testing.T, w *rig.World, c *rig.Client) things {
	t.Helper()
	sink := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	t.Cleanup(sink.Close)
	x := things{"owner": w.Tools.URL, "mcp": remote(t), "multipart": form, "new": "", "tool": "crm.note", "chat": "our-chat", "project": "garage"}
	put := func(name, path string, body any, header ...string) {
		x[name] = identity(t, c.Do("POST", path, body, header...).Good())
	}
	c.Tool(w, "crm.note", "once")
	c.Post("/v1/webhooks", map[string]any{"url": sink.URL, "events": "*"}, nil)
	put("agent", "/v1/agents", `{"name":"clerk","model":"auto","instructions":"x","tools":[]}`)
	put("done", "/v1/runs", `{"model":"auto","prompt":"= Hello."}`)
	x["run"] = gated(c)
	put("server", "/v1/mcp/servers", map[string]any{"name": "desk", "url": x["mcp"]})
	put("key", "/v1/keys", `{"name":"ci"}`)
	put("setting", "/v1/setting/api-keys", `{"name":"theirs"}`)
	put("source", "/v1/index", `{"name":"handbook","documents":[{"path":"fees.md","content":"# Late fees"}]}`)
	put("file", "/v1/files", form, "Content-Type", "multipart/form-data; boundary=b")
	put("schedule", "/v1/schedules", `{"agent":"clerk","every":"24h","input":"= x"}`)
	put("budget", "/v1/budgets", `{"name":"purse","max_runs":100000,"period":"month"}`)
	c.Post("/v1/projects", `{"name":"garage"}`, nil)
	c.Post("/v1/agent/robots", `{"member_id":"porter","display_name":"Porter","robot_config":{"identity":{"role":"Porter"}}}`, nil)
	x["robot"] = "porter"
	var execution struct {
		ID string `json:"execution_id"`
	}
	c.Post("/v1/agent/robots/porter/execute", `{"goals":"Look at it."}`, &execution)
	x["execution"] = execution.ID
	c.Do("POST", "/v1/agent/robots/porter/completions?chat_id=our-chat", `{"messages":[{"role":"user","content":"Look."}]}`)
	var variants struct{ Data []struct{ ID string } }
	c.Get("/v1/agent/robots/porter/models", &variants)
	x["variant"] = variants.Data[0].ID
	x["web"], x["order"] = "1", "1"
	c.Do("POST", "/api/runs", `{"prompt":"= Looked."}`)
	var hooks, deliveries struct{ Data []struct{ ID string } }
	c.Get("/v1/webhooks", &hooks)
	for _, hook := range hooks.Data {
		w.Eventually("a delivery", func() bool {
			c.Get("/v1/webhooks/"+hook.ID+"/deliveries", &deliveries)
			return hook.ID == "default" || len(deliveries.Data) > 0
		})
		if hook.ID != "default" {
			x["hook"], x["delivery"] = hook.ID, deliveries.Data[0].ID
		}
	}
	return x
}

// gated is a new run that waits for a person.
func gated(c *rig.Client) string {
	var run rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"crm.note"}, "approval": map[string]any{"required_for": []string{"crm.note"}},
		"prompt": rig.Steps("gated", `crm.note {"n":1}`, rig.Say("Noted.")),
	}, &run)
	return run.ID
}

func identity(t *testing.T, answer rig.Answer) string {
	t.Helper()
	var made struct {
		ID   any
		Data struct{ ID any }
	}
	if err := json.Unmarshal(answer.Body, &made); err != nil || made.ID == nil {
		t.Fatalf("no id in %s", answer.Body)
	}
	return fmt.Sprint(made.ID)
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

// expiring makes a key that ends in a moment. On a busy machine that may be over before
// the server has read it: then there is another moment.
func (h *house) expiring(t *testing.T) string {
	t.Helper()
	var made struct{ Secret string }
	h.w.Eventually("a key that ends soon", func() bool {
		soon := time.Now().Add(3 * time.Second).UTC().Format(time.RFC3339Nano)
		answer := h.owner.Do("POST", "/v1/keys", map[string]any{"name": "expired", "scopes": auth.Scopes(), "expires_at": soon})
		if answer.Status >= 400 && strings.Contains(string(answer.Body), "expires_at") {
			return false
		}
		answer.Good().Into(&made)
		return true
	})
	return made.Secret
}
