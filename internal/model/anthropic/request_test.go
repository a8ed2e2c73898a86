package anthropic

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/model/modeltest"
	"errand/internal/model/remote"
	"errand/internal/run"
)

// sent is the request that is made when this much is known of the model.
func sent(t *testing.T, req *run.Request, known remote.Lessons) map[string]any {
	t.Helper()
	text, err := json.Marshal(build(req, remote.NewNames(req.Tools), known))
	if err != nil {
		t.Fatal(err)
	}
	var body map[string]any
	if err := json.Unmarshal(text, &body); err != nil {
		t.Fatal(err)
	}
	return body
}

func parsed(t *testing.T, text string) any {
	t.Helper()
	var value any
	if err := json.Unmarshal([]byte(text), &value); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return value
}

const pixel = "data:image/png;base64,iVBORw0KGgo="

// TestConversation: a history that other models wrote, with everything in it that
// the API would refuse, becomes one that it takes, and is marked for its cache.
func TestConversation(t *testing.T) {
	req := modeltest.Request(3)
	req.Model = "claude-x"
	req.Tools[0].Parameters = []byte(`{"type":"object","properties":{"n":{"type":"number","maximum":12345678901234567890}}}`)
	req.Messages = []run.Message{
		{Role: run.System, Text: "Be kind."}, {Role: run.System, Text: " "}, {Role: run.System, Text: "Be brief."},
		{Role: run.Assistant, Text: "As I said."},
		{Role: run.User, Text: "What is this?", Images: []run.Image{{URL: "https://example.com/a.png"}, {URL: "data:image/jpg;base64,AAAA"}}},
		{Role: run.Assistant, Text: "  ", Calls: []run.Call{
			{ID: "functions.see:0", Name: "weather.read", Arguments: `{"city":"Bergen"}`},
			{ID: "call_1", Name: "invented.tool", Arguments: `{"city":`},
		}},
		{Role: run.ToolRole, CallID: "functions.see:0", Tool: "weather.read", Text: "rain", Images: []run.Image{{URL: pixel}}},
		{Role: run.ToolRole, CallID: "gone", Tool: "lost", Text: "late", Failed: true},
		{Role: run.Assistant, Calls: []run.Call{{ID: "call_1", Name: "weather.read", Arguments: `{}`}}},
		{Role: run.ToolRole, CallID: "call_1", Tool: "weather.read", Text: "no such city", Failed: true},
		{Role: run.User, Text: "And?"},
	}
	body := sent(t, req, never)
	system := body["system"].([]any)
	if len(system) != 2 || system[0].(map[string]any)["cache_control"] != nil || system[1].(map[string]any)["cache_control"] == nil {
		t.Errorf("system = %v; want two texts, the last of them marked", system)
	}
	messages := body["messages"].([]any)
	made := messages[3].(map[string]any)["content"].([]any)[0].(map[string]any)["id"].(string)
	again := messages[5].(map[string]any)["content"].([]any)[0].(map[string]any)["id"].(string)
	if !strings.HasPrefix(made, "toolu_") || !strings.HasPrefix(again, "toolu_") || made == again {
		t.Errorf("an id that is not legal became %q, one that was taken %q", made, again)
	}
	want := parsed(t, `[
		{"role":"user","content":[{"type":"text","text":"[The beginning of this conversation is left out.]"}]},
		{"role":"assistant","content":[{"type":"text","text":"As I said."}]},
		{"role":"user","content":[
			{"type":"image","source":{"type":"url","url":"https://example.com/a.png"}},
			{"type":"image","source":{"type":"base64","media_type":"image/jpeg","data":"AAAA"}},
			{"type":"text","text":"What is this?"}]},
		{"role":"assistant","content":[
			{"type":"tool_use","id":"`+made+`","name":"weather_read","input":{"city":"Bergen"}},
			{"type":"tool_use","id":"call_1","name":"invented_tool","input":{"unparsed":"{\"city\":"}}]},
		{"role":"user","content":[
			{"type":"tool_result","tool_use_id":"`+made+`","content":[{"type":"text","text":"rain"},{"type":"image","source":{"type":"base64","media_type":"image/png","data":"iVBORw0KGgo="}}]},
			{"type":"tool_result","tool_use_id":"call_1","is_error":true,"content":[{"type":"text","text":"Error: this call has no result; it was not carried out."}]},
			{"type":"text","text":"Result of an earlier call of lost: Error: late","cache_control":{"type":"ephemeral"}}]},
		{"role":"assistant","content":[{"type":"tool_use","id":"`+again+`","name":"weather_read","input":{}}]},
		{"role":"user","content":[
			{"type":"tool_result","tool_use_id":"`+again+`","is_error":true,"content":[{"type":"text","text":"no such city"}]},
			{"type":"text","text":"And?","cache_control":{"type":"ephemeral"}}]}
	]`)
	if diff := cmp.Diff(want, body["messages"]); diff != "" {
		t.Errorf("messages (-want +got):\n%s", diff)
	}
	text, err := json.Marshal(build(req, remote.NewNames(req.Tools), never))
	if err != nil || !strings.Contains(string(text), "12345678901234567890") || !strings.Contains(string(text), `"cache_control"`) {
		t.Errorf("the tools have lost digits or their mark: %v\n%s", err, text)
	}
}

func TestOneQuestionIsNotKept(t *testing.T) {
	req := &run.Request{Model: "claude-x", Messages: []run.Message{{Role: run.User, Text: "Hi"}}}
	want := parsed(t, `{"model":"claude-x","max_tokens":32000,"messages":[{"role":"user","content":[{"type":"text","text":"Hi"}]}]}`)
	if diff := cmp.Diff(want, any(sent(t, req, never))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestThinkingIsAskedFor in the form that the model was found to take.
func TestThinkingIsAskedFor(t *testing.T) {
	begun := []run.Message{
		{Role: run.User, Text: "Hi"},
		{Role: run.Assistant, Calls: []run.Call{{ID: "c", Name: "a", Arguments: "{}"}}},
		{Role: run.ToolRole, CallID: "c", Text: "done"},
	}
	thoughtful := append([]run.Message(nil), begun...)
	thoughtful[1].Carry = []byte(`{"by":"anthropic","model":"claude-x","blocks":[{"k":"redacted","d":"x"},{"k":"call"}]}`)
	thoughtful = append(thoughtful, begun[1:]...) // a second call, without a thought of its own
	for name, c := range map[string]struct {
		params   run.Params
		known    remote.Lessons
		messages []run.Message
		want     string // thinking, effort and max_tokens
	}{
		"nothing":                    {run.Params{}, 0, nil, `[null,null,32000]`},
		"a budget":                   {run.Params{Thinking: 2000}, 0, nil, `[{"type":"enabled","budget_tokens":2000},null,34000]`},
		"with a length":              {run.Params{Thinking: 2000, MaxTokens: 500}, 0, nil, `[{"type":"enabled","budget_tokens":2000},null,2500]`},
		"a small model":              {run.Params{Thinking: 2000}, smallMax, nil, `[{"type":"enabled","budget_tokens":2000},null,6096]`},
		"adaptive only":              {run.Params{Thinking: 9000}, noBudget, nil, `[{"type":"adaptive","display":"summarized"},{"effort":"high"},32000]`},
		"a small one, adaptive only": {run.Params{Thinking: 1024}, noBudget, nil, `[{"type":"adaptive","display":"summarized"},{"effort":"low"},32000]`},
		"effort":                     {run.Params{Effort: "medium"}, 0, nil, `[{"type":"adaptive","display":"summarized"},{"effort":"medium"},32000]`},
		"effort and budget":          {run.Params{Effort: "low", Thinking: 2000}, 0, nil, `[{"type":"enabled","budget_tokens":2000},{"effort":"low"},34000]`},
		"effort, not adaptive":       {run.Params{Effort: "medium"}, noAdaptive, nil, `[{"type":"enabled","budget_tokens":8192},{"effort":"medium"},40192]`},
		"no effort":                  {run.Params{Effort: "high"}, noAdaptive | noLevel, nil, `[{"type":"enabled","budget_tokens":24576},null,56576]`},
		"none":                       {run.Params{Effort: "none"}, 0, nil, `[{"type":"disabled"},null,32000]`},
		"dropped":                    {run.Params{Effort: "high", Defaults: []string{"effort"}}, remote.NoEffort, nil, `[null,null,32000]`},
		"in a turn without thoughts": {run.Params{Thinking: 2000}, 0, begun, `[null,null,32000]`},
		"in one with thoughts":       {run.Params{Thinking: 2000}, 0, thoughtful, `[{"type":"enabled","budget_tokens":2000},null,34000]`},
		"that are not taken back":    {run.Params{Thinking: 2000}, forgetful, thoughtful, `[null,null,32000]`},
		"in one of another day":      {run.Params{Thinking: 2000}, 0, append(begun[:3:3], run.Message{Role: run.User, Text: "And now?"}), `[{"type":"enabled","budget_tokens":2000},null,34000]`},
	} {
		t.Run(name, func(t *testing.T) {
			if c.messages == nil {
				c.messages = begun[:1]
			}
			body := sent(t, &run.Request{Model: "claude-x", Messages: c.messages, Params: c.params}, never|c.known)
			got := []any{body["thinking"], body["output_config"], body["max_tokens"]}
			if diff := cmp.Diff(parsed(t, c.want), any(got)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestSampling(t *testing.T) {
	warm, most := 0.3, 0.9
	req := &run.Request{Model: "claude-x", Messages: []run.Message{{Role: run.User, Text: "Hi"}}}
	req.Params = run.Params{Temperature: &warm, TopP: &most, TopK: 40, Stop: []string{"END"}, MaxTokens: 7, Defaults: []string{"top_p", "top_k"}}
	all := func() []any {
		body := sent(t, req, never|remote.NoTopP)
		return []any{body["temperature"], body["top_p"], body["top_k"], body["stop_sequences"], body["max_tokens"]}
	}
	if diff := cmp.Diff(parsed(t, `[0.3,null,40,["END"],7]`), any(all())); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	req.Params.Effort, req.Params.Defaults = "low", []string{"temperature"}
	if diff := cmp.Diff(parsed(t, `[null,0.9,40,["END"],7]`), any(all())); diff != "" {
		t.Errorf("with thinking, which takes no temperature, and one that a default set (-want +got):\n%s", diff)
	}
}

// TestOutput: a schema that the API can hold a model to is sent, any other one is
// asked for in words.
func TestOutput(t *testing.T) {
	for name, c := range map[string]struct {
		schema string
		known  remote.Lessons
		held   bool
	}{
		"closed":      {`{"type":"object","properties":{"a":{"type":"string"},"b":{"type":"array","items":{"type":"object","properties":{},"additionalProperties":false}}},"required":["a"],"additionalProperties":false}`, 0, true},
		"open":        {`{"type":"object","properties":{"a":{"type":"string"}}}`, 0, false},
		"open inside": {`{"type":"object","properties":{"a":{"type":"object"}},"additionalProperties":false}`, 0, false},
		"bounds":      {`{"type":"object","properties":{"a":{"type":"integer","minimum":3}},"additionalProperties":false}`, 0, false},
		"itself":      {`{"type":"object","properties":{"a":{"$ref":"#"}},"additionalProperties":false}`, 0, false},
		"a list":      {`{"type":"array","items":{"type":"string"}}`, 0, false},
		"not taken":   {`{"type":"object","properties":{},"additionalProperties":false}`, remote.NoSchema, false},
	} {
		t.Run(name, func(t *testing.T) {
			req := &run.Request{Model: "claude-x", Messages: []run.Message{{Role: run.User, Text: "Hi"}}, Output: []byte(c.schema)}
			body := sent(t, req, never|c.known)
			_, held := body["output_config"]
			_, asked := body["system"]
			if held != c.held || asked == c.held {
				t.Errorf("held to it: %t, asked in words: %t; want %t and %t", held, asked, c.held, !c.held)
			}
			if held {
				format := body["output_config"].(map[string]any)["format"]
				want := map[string]any{"type": "json_schema", "schema": parsed(t, c.schema)}
				if diff := cmp.Diff(any(want), format); diff != "" {
					t.Errorf("format (-want +got):\n%s", diff)
				}
			}
		})
	}
}

// FuzzKept reads what may stand in a stored turn: it is used only when it fits.
func FuzzKept(f *testing.F) {
	f.Add(`{"by":"anthropic","model":"m","blocks":[{"k":"thinking","n":3,"s":"x"},{"k":"text","n":2},{"k":"call"}]}`)
	f.Add(`{"by":"anthropic","model":"m","blocks":[{"k":"thinking","n":-3},{"k":"thinking","n":6},{"k":"text","n":2},{"k":"call"}]}`)
	f.Add(`{"by":"openai"}`)
	f.Fuzz(func(t *testing.T, text string) {
		m := run.Message{Role: run.Assistant, Text: "ab", Reasoning: "abc", Carry: []byte(text), Calls: []run.Call{{ID: "c", Name: "n", Arguments: "{}"}}}
		c := conversation{model: "m", taken: map[string]bool{}}
		c.add([]run.Message{{Role: run.User, Text: "Hi"}, m})
		if len(c.messages) != 3 {
			t.Errorf("%q became %d messages", text, len(c.messages))
		}
	})
}
