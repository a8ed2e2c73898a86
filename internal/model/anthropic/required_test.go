package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/modeltest"
	"errand/internal/model/remote"
	"errand/internal/model/script"
	"errand/internal/run"
)

// TestRequiredTool: the API forces a tool, but not on a model that thinks.
func TestRequiredTool(t *testing.T) {
	for name, c := range map[string]struct {
		require string
		params  run.Params
		known   remote.Lessons
		want    string // tool_choice
		words   bool
	}{
		"none":            {"", run.Params{}, 0, `null`, false},
		"one of ours":     {"weather.read", run.Params{}, 0, `{"type":"tool","name":"weather_read"}`, false},
		"any of them":     {run.AnyTool, run.Params{}, 0, `{"type":"any"}`, false},
		"not among these": {"email.send", run.Params{}, 0, `null`, false},
		"not thinking":    {"weather.read", run.Params{Effort: "none"}, 0, `{"type":"tool","name":"weather_read"}`, false},
		"with a budget":   {"weather.read", run.Params{Thinking: 4000}, 0, `null`, true},
		"with an effort":  {"weather.read", run.Params{Effort: "low"}, 0, `null`, true},
		"was refused":     {"weather.read", run.Params{}, remote.NoRequire, `null`, true},
	} {
		t.Run(name, func(t *testing.T) {
			req := modeltest.Request(1)
			req.Require, req.Params = c.require, c.params
			body := sent(t, req, never|c.known)
			if diff := cmp.Diff(parsed(t, c.want), body["tool_choice"]); diff != "" {
				t.Errorf("tool_choice (-want +got):\n%s", diff)
			}
			system, err := json.Marshal(body["system"])
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(string(system), "call of the tool weather_read"); got != c.words {
				t.Errorf("asked for in words: %t, want %t, in %s", got, c.words, system)
			}
		})
	}
}

// TestRequiredToolIsRefused by a model that thinks of itself: it is remembered.
func TestRequiredToolIsRefused(t *testing.T) {
	for _, message := range []string{
		"Thinking may not be enabled when tool_choice forces tool use.",
		"tool_choice: deepseek-reasoner does not support this tool_choice",
	} {
		provider, count := picky(func(body map[string]any) string {
			if body["tool_choice"] != nil {
				return message
			}
			return ""
		})
		client := serving(t, provider, nil)
		req := modeltest.Request(1)
		req.Require, req.Params.Effort, req.Params.Defaults = "weather.read", "none", []string{"effort"}
		for _, want := range []int{2, 3} {
			if reply, err := collect(t, client, req); err != nil || reply.Text != "done" || *count != want {
				t.Errorf("%q: %q, %v after %d requests, want %d", message, reply.Text, err, *count, want)
			}
		}
	}
}

// TestRequiredToolWhileThinking: the thinking server keeps to words too.
func TestRequiredToolWhileThinking(t *testing.T) {
	line := script.Say(`{"city":"Bergen"}`)
	client := serving(t, modeltest.NewMessages(line), nil)
	req := modeltest.Request(1)
	req.Require, req.Params.Thinking = "weather.read", 2000
	reply, err := collect(t, client, req)
	if err != nil || len(reply.Calls) != 1 || reply.Calls[0].Name != "weather.read" {
		t.Errorf("%+v, %v", reply, err)
	}
}
