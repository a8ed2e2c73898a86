package openai

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/modeltest"
	"errand/internal/problem"
	"errand/internal/run"
)

// TestRequiredTool is a field of its own, or words where the provider has none.
func TestRequiredTool(t *testing.T) {
	named := parsed(t, `{"type":"function","function":{"name":"weather_read"}}`)
	for name, c := range map[string]struct {
		kind, require string
		want          any
		words         bool
	}{
		"none":            {"", "", nil, false},
		"one of ours":     {"", "weather.read", named, false},
		"any of them":     {"", run.AnyTool, "required", false},
		"not among these": {"", "email.send", nil, false},
		"in words":        {Ollama, "weather.read", nil, true},
	} {
		t.Run(name, func(t *testing.T) {
			provider := &picky{}
			client := serving(t, provider, func(cfg *Config) { cfg.Kind = c.kind })
			req := modeltest.Request(1)
			req.Require = c.require
			if _, err := collect(t, client, req); err != nil {
				t.Fatal(err)
			}
			body := provider.bodies[0]
			if diff := cmp.Diff(c.want, body["tool_choice"]); diff != "" {
				t.Errorf("tool_choice (-want +got):\n%s", diff)
			}
			if got := strings.Contains(fmt.Sprint(body["messages"]), "call of the tool weather_read"); got != c.words {
				t.Errorf("asked for in words: %t, want %t", got, c.words)
			}
		})
	}
}

// TestRefusedInWordsToo: nothing is left to drop, and nobody set the parameter.
func TestRefusedInWordsToo(t *testing.T) {
	provider := &picky{refuses: []string{"tools"}, say: func(string) string {
		return `{"error":{"message":"Failed to call a function.","code":"tool_use_failed"}}`
	}}
	client := serving(t, provider, nil)
	req := modeltest.Request(1)
	req.Require = "weather.read"
	_, err := collect(t, client, req)
	if !problem.Is(err, problem.ModelRefused) || problem.From(err).Fields != nil || !strings.Contains(problem.From(err).Detail, "Failed to call a function") {
		t.Errorf("error = %v", err)
	}
	if got := len(provider.bodies); got != 2 {
		t.Errorf("the provider was called %d times, want 2", got)
	}
}

// TestRequiredToolIsRefused, as providers say it: it is asked for in words from
// then on, and only of that model.
func TestRequiredToolIsRefused(t *testing.T) {
	for name, says := range map[string]string{
		"deepseek":  `{"error":{"message":"deepseek-reasoner does not support this tool_choice","type":"invalid_request_error","param":null,"code":"invalid_request_error"}}`,
		"qwen":      `{"error":{"message":"<400> InternalError.Algo.InvalidParameter: The tool_choice parameter does not support being set to required or object in thinking mode","type":"invalid_request_error","param":null}}`,
		"groq":      `{"error":{"message":"Tool choice is required, but model did not call a tool","type":"invalid_request_error","code":"tool_use_failed","failed_generation":"Hello"}}`,
		"by a name": `{"error":{"message":"Unsupported value.","param":"tool_choice"}}`,
		"fastapi":   `{"detail":[{"type":"extra_forbidden","loc":["body","tool_choice"],"msg":"Extra inputs are not permitted"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			provider := &picky{refuses: []string{"tool_choice"}, say: func(string) string { return says }}
			client := serving(t, provider, nil)
			req := modeltest.Request(1)
			req.Require = "weather.read"
			for _, want := range []int{2, 3} {
				if _, err := collect(t, client, req); err != nil {
					t.Fatal(err)
				}
				if got := len(provider.bodies); got != want {
					t.Errorf("the provider was called %d times by now, want %d", got, want)
				}
				last := provider.bodies[len(provider.bodies)-1]
				if last["tool_choice"] != nil || !strings.Contains(fmt.Sprint(last["messages"]), "call of the tool weather_read") {
					t.Errorf("the last request: %v", last)
				}
			}
			req.Model = "another"
			if _, err := collect(t, client, req); err != nil || len(provider.bodies) != 5 {
				t.Errorf("another model was asked %d times, %v; it had refused nothing yet", len(provider.bodies)-3, err)
			}
		})
	}
}
