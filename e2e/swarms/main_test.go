// Package swarms tests the API for Swarms clients from outside: the curl of the
// API's document, plain fetch, the OpenAI SDK on the parts that are shared, a crash
// in the middle of a batch, and the native API beside them.
//
// It promises that each test has a server and a model's endpoint of its own, all on
// 127.0.0.1. What exactly is answered is held, byte for byte, in
// internal/api/swarms/testdata.
//
// To change what the scripts ask, edit e2e/sdk/swarms.
package swarms

import (
	"encoding/json"
	"strings"
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// completion is an answer.
type completion struct {
	JobID   string `json:"job_id"`
	Success bool   `json:"success"`
	Error   string `json:"error"`
	Outputs []struct {
		Role    string          `json:"role"`
		Content json.RawMessage `json:"content"`
	} `json:"outputs"`
}

// answer is the last output's text.
func (c completion) answer() string {
	var text string
	if n := len(c.Outputs); n > 0 && json.Unmarshal(c.Outputs[n-1].Content, &text) != nil {
		text = string(c.Outputs[n-1].Content)
	}
	return text
}

// order is a request of an agent that does what the lines of its task say.
func order(fields map[string]any, lines ...string) map[string]any {
	agent := map[string]any{"agent_name": "Clerk"}
	body := map[string]any{"agent_config": agent, "task": rig.Steps("Do this.", lines...)}
	for name, value := range fields {
		if name == "tools_enabled" || name == "stream" {
			body[name] = value
		} else {
			agent[name] = value
		}
	}
	return body
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in %.2000s", part, text)
		}
	}
}
