package swarms

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// freePort is a port on which nothing listens.
func freePort(t *testing.T) int {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().(*net.TCPAddr).Port
}

// TestServers: an agent with a real MCP server and one that is down. The tools of
// the first work, and the answer names the second, within its timeout.
func TestServers(t *testing.T) {
	w := rig.New(t)
	up, down := freePort(t), 9 // which nobody gets by chance
	w.NodeServer(t, "listening", "swarms/everything.mjs", fmt.Sprintf("PORT=%d", up))
	s := w.Start()
	c := s.Client()
	at := func(port int) string { return fmt.Sprintf("http://127.0.0.1:%d/mcp", port) }
	servers := map[string]any{"connections": []any{
		map[string]any{"url": at(down), "timeout": 2},
		map[string]any{"url": at(up), "name": "every", "authorization_token": "token-of-the-test", "transport": "streamable_http"},
	}}
	begun := time.Now()
	var done completion
	c.Post("/v1/agent/completions", order(map[string]any{"mcp_configs": servers}, `every__echo {"message":"good morning"}`, rig.Say("It echoed.")), &done)
	if took := time.Since(begun); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	if len(done.Outputs) != 2 || !strings.Contains(string(done.Outputs[0].Content), "good morning") {
		t.Fatalf("%+v", done)
	}
	contains(t, done.answer(), "It echoed.", at(down))
	if strings.Contains(done.answer(), at(up)) {
		t.Error(done.answer())
	}
	none := c.Do("POST", "/v1/agent/completions", order(map[string]any{"mcp_url": at(down)}, rig.Say("x"))).Is(424)
	contains(t, string(none.Body), at(down))

	var raw completion
	c.Post("/v1/agent/completions", order(map[string]any{"mcp_configs": servers, "tool_call_summary": false}, `every__echo {"message":"good night"}`), &raw)
	contains(t, string(raw.Outputs[0].Content), "good night")

	agents := string(c.Do("GET", "/v1/agents/list", nil).Is(200).Body)
	contains(t, agents, at(up))
	events := fmt.Sprint(c.Events(done.JobID))
	if strings.Contains(agents+events, "token-of-the-test") {
		t.Error("the server's token is shown")
	}
}
