package openai_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/agent"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

// clerk is a saved agent with a tool of this server.
func clerk(gates ...string) agent.Definition {
	return agent.Definition{
		Name: "clerk", Model: "test/big", Instructions: "File things.", Tools: []string{"web.search", "email.send"}, MaxSteps: 8,
		Approval: agent.Approval{RequiredFor: gates}, OnUnknown: run.AskUnknown,
	}
}

// weather is a tool of the caller's.
var weather = list{object{"type": "function", "function": object{
	"name": "weather", "description": "The weather.", "strict": true,
	"parameters": object{"type": "object", "properties": object{"city": object{"type": "string"}}, "required": list{"city"}},
}}}

// TestPlainModel: the whole conversation reaches the model, and its answer the caller.
func TestPlainModel(t *testing.T) {
	model := script.Steps(script.Say("It is Paris."))
	w := newWorld(t, model)
	got := w.ask(200, `{"model":"test/big","messages":[
		{"role":"system","content":"Be brief."},{"role":"developer","content":[{"type":"text","text":"Be kind."}]},
		{"role":"user","content":"Hello"},{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"look","arguments":"{}"}}]},
		{"role":"tool","tool_call_id":"c1","content":"nothing"},
		{"role":"user","content":[{"type":"text","text":"And France?"},{"type":"image_url","image_url":{"url":"https://a.example/f.png","detail":"low"}}]}],
		"temperature":0.5,"top_p":0.9,"max_completion_tokens":77,"seed":7,"stop":"END","frequency_penalty":0.1,"presence_penalty":-0.1,"reasoning_effort":"low",
		"metadata":{"team":"blue"},"user":"u-1","n":1,"logprobs":false,"unknown_field":{"x":1},"store":true}`)
	if got.text() != "It is Paris." || got.Choices[0].FinishReason != "stop" || got.Model != "test/big" || got.Status != "completed" || got.Created == 0 {
		t.Errorf("%s", got.Body)
	}
	if got.Header.Get("X-Errand-Run") != got.Run || strings.TrimPrefix(got.ID, "chatcmpl-") != strings.TrimPrefix(got.Run, "run_") {
		t.Errorf("ids %s, %s, header %v", got.ID, got.Run, got.Header)
	}
	if fmt.Sprint(got.Usage["prompt_tokens"], got.Usage["completion_tokens"], got.Usage["total_tokens"]) != "10 5 15" {
		t.Errorf("usage %v", got.Usage)
	}
	half, nine, tenth, minus, seven := 0.5, 0.9, 0.1, -0.1, int64(7)
	asked := model.Requests()[0]
	want := []run.Message{
		{Role: run.System, Text: "Be brief.\n\nBe kind."}, {Role: run.User, Text: "Hello"},
		{Role: run.Assistant, Calls: []run.Call{{ID: "c1", Name: "look", Arguments: "{}"}}}, {Role: run.ToolRole, CallID: "c1", Tool: "look", Text: "nothing"},
		{Role: run.User, Text: "And France?", Images: []run.Image{{URL: "https://a.example/f.png", Detail: "low"}}},
	}
	if diff := cmp.Diff(want, asked.Messages); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(run.Params{Temperature: &half, TopP: &nine, MaxTokens: 77, Seed: &seven, Stop: []string{"END"}, Frequency: &tenth, Presence: &minus, Effort: "low"}, asked.Params); diff != "" {
		t.Error(diff)
	}
	s := w.state(got.Run)
	if diff := cmp.Diff(map[string]string{"team": "blue", "user": "u-1"}, s.Spec.Metadata); diff != "" {
		t.Error(diff)
	}
	if s.Spec.Dialect != "openai" || !s.Spec.Tethered || s.Spec.Agent != nil || s.Spec.OnUnknown != run.FailUnknown {
		t.Errorf("%+v", s.Spec)
	}
}

// TestSavedAgent: by any of its names, with its own tools made here, its own
// instructions first, and what the request says of sampling over its own.
func TestSavedAgent(t *testing.T) {
	cool, hot := 0.1, 0.9
	model := script.Steps(script.Call("web.search", `{}`), script.Say("Filed."))
	w := newWorld(t, model)
	d := clerk()
	d.Params = agent.Params{Temperature: &hot, MaxTokens: 50}
	w.save(d)
	for _, name := range []string{"agent:clerk", "clerk"} {
		got := w.ask(200, `{"model":"`+name+`","messages":[{"role":"system","content":"Hurry."},{"role":"user","content":"File it."}],"temperature":0.1}`)
		if got.text() != "Filed." || got.Model != name {
			t.Errorf("%s: %s", name, got.Body)
		}
		s := w.state(got.Run)
		if s.Spec.Agent == nil || s.Spec.Agent.Name != "clerk" || s.Spec.Instructions != "File things.\n\nHurry." || s.Spec.Tethered {
			t.Errorf("%+v", s.Spec)
		}
		if diff := cmp.Diff(run.Params{Temperature: &cool, MaxTokens: 50}, s.Spec.Params); diff != "" {
			t.Error(diff)
		}
	}
	if w.shelf.called() != "web.search web.search" {
		t.Errorf("called %q", w.shelf.called())
	}
	for name, param := range map[string]string{"agent:nobody": "model", "agent:test/big": "model", "other/big": "model"} {
		got := w.ask(404, body(name, "Hello"))
		if got.Error.Code != "model_not_found" || *got.Error.Param != param || got.Error.Type != "not_found_error" {
			t.Errorf("%s: %s", name, got.Body)
		}
	}
	taken := w.ask(400, body("clerk", "Hello", "tools", list{object{"type": "function", "function": object{"name": "web.search"}}}))
	if *taken.Error.Param != "tools[0].function.name" {
		t.Errorf("%s", taken.Body)
	}
}

// TestCallsAreTheCallers: tools of the request come back as calls and are not made;
// with their results the conversation goes on.
func TestCallsAreTheCallers(t *testing.T) {
	model := script.Queue(
		script.Line{Reply: run.Reply{Text: "I look.", Calls: []run.Call{{ID: "a", Name: "weather", Arguments: `{"city": "Rome"}`}, {ID: "b", Name: "weather", Arguments: `{"city":"Oslo"}`}}}},
		script.Call("weather", `{"town":"Rome"}`), script.Call("weather", `{"city":"Rome"}`),
		script.Say("Warm."),
	)
	w := newWorld(t, model)
	got := w.ask(200, body("test/big", "Weather?", "tools", weather))
	want := []toolCall{{ID: "a", Type: "function"}, {ID: "b", Type: "function"}}
	want[0].Function.Name, want[0].Function.Arguments = "weather", `{"city": "Rome"}`
	want[1].Function.Name, want[1].Function.Arguments = "weather", `{"city":"Oslo"}`
	if diff := cmp.Diff(want, got.Choices[0].Message.ToolCalls); diff != "" || got.Choices[0].FinishReason != "tool_calls" || got.text() != "I look." || got.Status != "completed" {
		t.Errorf("%s %s", diff, got.Body)
	}
	// Arguments that fail their schema go back to the model and not to the caller.
	mended := w.ask(200, body("test/big", "Weather?", "tools", weather))
	if calls := mended.Choices[0].Message.ToolCalls; len(calls) != 1 || calls[0].Function.Arguments != `{"city":"Rome"}` || mended.text() != "<null>" {
		t.Errorf("%s", mended.Body)
	}
	last := w.ask(200, body("test/big", "", "tools", weather, "messages", list{
		object{"role": "user", "content": "Weather?"},
		object{"role": "assistant", "content": "", "tool_calls": list{object{"id": "a", "type": "function", "function": object{"name": "weather", "arguments": `{"city":"Rome"}`}}}},
		object{"role": "tool", "tool_call_id": "a", "content": "31 C"},
	}))
	asked := model.Requests()[3].Messages
	if last.text() != "Warm." || asked[len(asked)-1].Text != "31 C" || asked[len(asked)-1].Tool != "weather" {
		t.Errorf("%s %+v", last.Body, asked)
	}
	if w.shelf.called() != "" {
		t.Errorf("made %q", w.shelf.called())
	}
}

// TestToolChoice: what the first reply must do, and what comes of it.
func TestToolChoice(t *testing.T) {
	two := append(list{object{"type": "function", "function": object{"name": "other"}}}, weather...)
	talked := list{object{"role": "user", "content": "Hi"},
		object{"role": "assistant", "content": nil, "tool_calls": list{object{"id": "a", "type": "function", "function": object{"name": "weather", "arguments": "{}"}}}},
		object{"role": "tool", "tool_call_id": "a", "content": "31 C"}}
	for name, test := range map[string]struct {
		fields  []any
		require string
		tools   int
		limited bool
	}{
		"auto":                {[]any{"tools", two, "tool_choice", "auto"}, "", 2, false},
		"nothing":             {[]any{"tools", two}, "", 2, false},
		"any of two":          {[]any{"tools", two, "tool_choice", "required"}, "*", 2, false},
		"the only one":        {[]any{"tools", weather, "tool_choice", "required"}, "weather", 1, false},
		"named":               {[]any{"tools", two, "tool_choice", object{"type": "function", "function": object{"name": "weather"}}}, "weather", 2, false},
		"none":                {[]any{"tools", two, "tool_choice", "none"}, "", 0, false},
		"none after calls":    {[]any{"tools", two, "tool_choice", "none", "messages", talked}, "", 2, true},
		"no tools and null":   {[]any{"tools", nil, "tool_choice", nil, "functions", list{}}, "", 0, false},
		"no parallel calls":   {[]any{"tools", two, "parallel_tool_calls", false}, "", 2, false},
		"a choice of no tool": {[]any{"tool_choice", "none"}, "", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			model := script.Steps(script.Say("Yes."))
			w := newWorld(t, model)
			got := w.ask(200, body("test/big", "Hi", test.fields...))
			asked := model.Requests()[0]
			if asked.Require != test.require || len(asked.Tools) != test.tools {
				t.Errorf("asked for %q of %d tools", asked.Require, len(asked.Tools))
			}
			if limits := w.state(got.Run).Spec.ToolLimits; (len(limits) == 2) != test.limited {
				t.Errorf("limits %v", limits)
			}
		})
	}
}

func TestOneCallAtATime(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("weather", `{"city":"Rome"}`).And("weather", `{"city":"Oslo"}`)))
	request := []any{"tools", weather, "parallel_tool_calls", false}
	if got := w.ask(200, body("test/big", "Hi", request...)); len(got.Choices[0].Message.ToolCalls) != 1 {
		t.Errorf("%s", got.Body)
	}
	if got := w.stream(body("test/big", "Hi", append(request, "stream", true)...)); len(got.Calls) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestFormats: an answer that must be JSON is nothing but JSON, and repaired.
func TestFormats(t *testing.T) {
	schema := object{"type": "json_schema", "json_schema": object{"name": "city", "strict": true, "schema": object{
		"type": "object", "properties": object{"city": object{"type": "string"}}, "required": list{"city"}}}}
	fenced := script.Say("```json\n{\"city\": \"Rome\"}\n```")
	for name, test := range map[string]struct {
		format any
		lines  []script.Line
		want   string
	}{
		"text":     {object{"type": "text"}, []script.Line{script.Say("{not json")}, "{not json"},
		"object":   {object{"type": "json_object"}, []script.Line{script.Say("No."), script.Say(`{"a":1}`)}, `{"a":1}`},
		"schema":   {schema, []script.Line{fenced}, `{"city":"Rome"}`},
		"repaired": {schema, []script.Line{script.Say(`{"town":"Rome"}`), fenced}, `{"city":"Rome"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, script.Steps(test.lines...))
			got := w.ask(200, body("test/big", "Where?", "response_format", test.format))
			told := w.stream(body("test/big", "Where?", "response_format", test.format, "stream", true))
			if got.text() != test.want || told.Text != got.text() {
				t.Errorf("%q, streamed %q", got.text(), told.Text)
			}
		})
	}
	w := newWorld(t, script.Steps(script.Say("No."), script.Say("No."), script.Say("No.")))
	if got := w.ask(502, body("test/big", "Where?", "response_format", schema)); got.Error.Code != "schema_unsatisfied" || !strings.Contains(got.Error.Message, "Run: run_") {
		t.Errorf("%s", got.Body)
	}
}

// TestStream: words come as they are written, the end says what came of it.
func TestStream(t *testing.T) {
	long := "It is Paris" + strings.Repeat(", of course", 30) + "."
	model := script.Queue(
		script.Say(long),
		script.Line{Reply: run.Reply{Text: "I look it up.", Calls: []run.Call{{Name: "web.search", Arguments: "{}"}}}}, script.Say("It is Paris."),
		script.Line{Reply: run.Reply{Text: "Look:", Calls: []run.Call{{ID: "a", Name: "weather", Arguments: `{"city":"Rome"}`}, {ID: "b", Name: "weather", Arguments: `{"city":"Oslo"}`}}}},
		script.Line{Reply: run.Reply{Text: "It is", Finish: "length"}},
	)
	reads := make(chan struct{})
	model.Pace = func(ctx context.Context, req run.Request, d run.Delta) error {
		select {
		case <-reads:
		case <-ctx.Done():
		}
		return slowly(ctx, req, d)
	}
	w := newWorld(t, model)
	w.save(clerk())
	first := body("test/big", "Capital?", "stream", true, "stream_options", object{"include_usage": true})
	begun := w.post(t.Context(), first)
	close(reads)
	got := w.tells(first, begun)
	if got.Text != long || got.Pieces < 3 || got.Finish != "stop" || got.Status != "completed" || !got.Done || got.Usage["total_tokens"] != 15.0 || got.Run != got.Header.Get("X-Errand-Run") {
		t.Errorf("%+v", got)
	}
	got = w.stream(body("clerk", "Capital?", "stream", true))
	if got.Text != "I look it up.\n\nIt is Paris." || got.Usage != nil || !got.Done {
		t.Errorf("%+v", got)
	}
	got = w.stream(body("test/big", "Weather?", "stream", true, "tools", weather))
	if len(got.Calls) != 2 || *got.Calls[1].Index != 1 || got.Calls[1].ID != "b" || got.Calls[0].Function.Arguments != `{"city":"Rome"}` || got.Finish != "tool_calls" || got.Text != "Look:" {
		t.Errorf("%+v", got)
	}
	if got = w.stream(body("test/big", "Capital?", "stream", true)); got.Finish != "length" {
		t.Errorf("%+v", got)
	}
}

// slowly lets a reader see each piece before the next one comes.
func slowly(ctx context.Context, _ run.Request, _ run.Delta) error {
	select {
	case <-time.After(20 * time.Millisecond):
	case <-ctx.Done():
	}
	return ctx.Err()
}

// TestHalt: an agent that waits for a person answers, and says so.
func TestHalt(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprint("stream=", stream), func(t *testing.T) {
			w := newWorld(t, script.Steps(script.Line{Reply: run.Reply{Text: "I write to Ada.", Calls: []run.Call{{Name: "email.send", Arguments: `{"to":"ada@example.com"}`}}}}, script.Say("Sent.")))
			w.save(clerk("email.*"))
			text, finish, status, id := "", "", "", ""
			if stream {
				got := w.stream(body("agent:clerk", "Write.", "stream", true))
				text, finish, status, id = got.Text, got.Finish, got.Status, got.Run
				if !strings.HasPrefix(text, "I write to Ada.\n\nThis run has halted") {
					t.Errorf("%q", text)
				}
			} else {
				got := w.ask(200, body("agent:clerk", "Write."))
				text, finish, status, id = got.text(), got.Choices[0].FinishReason, got.Status, got.Run
			}
			if finish != "stop" || status != "awaiting_approval" || !strings.Contains(text, "act_01, email.send (gate)") || !strings.Contains(text, id) {
				t.Errorf("%s %s: %s", finish, status, text)
			}
			if s := w.state(id); s.Status != run.AwaitingApproval {
				t.Errorf("the run is %s", s.Status)
			}
		})
	}
}

// TestFailures: a run that fails is an error with a status while there is time for
// one, and a frame that clients throw after that.
func TestFailures(t *testing.T) {
	for code, status := range map[problem.Code]int{problem.ModelAuth: 502, problem.ModelRefused: 400, problem.ModelTimeout: 504} {
		w := newWorld(t, script.Steps(script.Fail(code)))
		for _, stream := range []bool{false, true} {
			got := w.ask(status, body("test/big", "Hello", "stream", stream))
			if got.Error.Code != string(code) || !strings.Contains(got.Error.Message, got.Header.Get("X-Errand-Run")) || got.Header.Get("X-Errand-Run") == "" {
				t.Errorf("stream %t: %s %v", stream, got.Body, got.Header)
			}
			if retry := got.Header.Get("X-Should-Retry"); (retry == "false") != (status < 500) {
				t.Errorf("%d: x-should-retry is %q", status, retry)
			}
		}
	}
	var looping []script.Line
	for range 20 {
		looping = append(looping, script.Call("web.search", "{}"))
	}
	w := newWorld(t, script.Steps(looping...))
	w.save(clerk())
	if got := w.ask(400, body("clerk", "Loop.")); got.Error.Code != "step_limit" || !strings.Contains(got.Error.Message, "max_steps") {
		t.Errorf("%s", got.Body)
	}
	said := script.Line{Reply: run.Reply{Text: "All is"}, Err: problem.New(problem.ModelGarbled, "It broke off."), Deltas: []run.Delta{{Kind: run.TextDelta, Text: "All "}, {Kind: run.TextDelta, Text: "is"}}}
	model := script.Queue(said, said, said)
	model.Pace = slowly
	w = newWorld(t, model)
	if got := w.stream(body("test/big", "Hello", "stream", true)); !strings.HasPrefix(got.Text, "All ") || got.Error["code"] != "model_garbled" || got.Done || got.Finish != "" {
		t.Errorf("%+v", got)
	}
}

// TestWhoLeaves: a plain model's run ends with its last reader, a saved agent's goes on.
func TestWhoLeaves(t *testing.T) {
	for name, test := range map[string]struct {
		model string
		want  run.Status
	}{"model": {"test/big", run.CancelledStatus}, "agent": {"clerk", run.Completed}} {
		t.Run(name, func(t *testing.T) {
			asked, release := make(chan struct{}), make(chan struct{})
			w := newWorld(t, script.Func(func(ctx context.Context, _ run.Request) (script.Line, error) {
				close(asked)
				select {
				case <-release:
				case <-ctx.Done():
				}
				return script.Say("Late."), ctx.Err()
			}))
			w.save(clerk())
			ctx, leave := context.WithCancel(t.Context())
			got := w.post(ctx, body(test.model, "Hello", "stream", true))
			id := got.Header.Get("X-Errand-Run")
			<-asked
			leave()
			got.Body.Close()
			if test.want == run.Completed {
				close(release)
			}
			deadline := time.After(time.Minute)
			for s := w.state(id); s.Ended == nil; s = w.state(id) {
				select {
				case <-deadline:
					t.Fatalf("the run is %s", s.Status)
				case <-time.After(10 * time.Millisecond):
				}
			}
			if s := w.state(id); s.Status != test.want {
				t.Errorf("the run is %s", s.Status)
			}
		})
	}
}

// TestRepeated: an SDK's retry, and the same Idempotency-Key, are the same run.
func TestRepeated(t *testing.T) {
	w := newWorld(t, script.Queue(script.Say("One."), script.Say("Two.")))
	first := w.ask(200, body("test/big", "Hello"), "Idempotency-Key", "k")
	again := w.ask(200, body("test/big", "Hello"), "Idempotency-Key", "k")
	if first.Run != again.Run || again.text() != "One." || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%s %v", again.Body, again.Header)
	}
	other := w.ask(409, body("test/big", "Other"), "Idempotency-Key", "k")
	if other.Error.Code != "idempotency_mismatch" || other.Header.Get("X-Should-Retry") != "false" {
		t.Errorf("%s", other.Body)
	}
	second := w.ask(200, body("test/big", "Hello"))
	retry := w.ask(200, body("test/big", "Hello"), "X-Stainless-Retry-Count", "1")
	if second.text() != "Two." || retry.Run != second.Run {
		t.Errorf("%s %s", second.Body, retry.Body)
	}
}

// TestRefused: what is wrong, or can't be honoured, is named.
func TestRefused(t *testing.T) {
	w := newWorld(t, script.Steps(script.Say("Yes.")))
	long := strings.Repeat("x", 1001)
	named := object{"type": "function", "function": object{"name": "nothing"}}
	for want, text := range map[string]string{
		"unsupported_parameter n":                             body("test/big", "Hi", "n", 2),
		"unsupported_parameter logprobs":                      body("test/big", "Hi", "logprobs", true),
		"unsupported_parameter top_logprobs":                  body("test/big", "Hi", "top_logprobs", 3),
		"unsupported_parameter logit_bias":                    body("test/big", "Hi", "logit_bias", object{"50256": -100}),
		"unsupported_parameter modalities":                    body("test/big", "Hi", "modalities", list{"text", "audio"}),
		"unsupported_parameter functions":                     body("test/big", "Hi", "functions", list{object{"name": "f"}}),
		"unsupported_parameter function_call":                 body("test/big", "Hi", "function_call", object{"name": "f"}),
		"invalid_request model":                               `{"messages":[{"role":"user","content":"Hi"}]}`,
		"invalid_request messages":                            body("test/big", "Hi", "messages", list{}),
		"invalid_request messages ":                           body("test/big", "Hi", "messages", list{object{"role": "system", "content": "Be."}}),
		"invalid_request messages[0].content":                 body("test/big", long),
		"invalid_request messages[0].content[0].input_audio":  body("test/big", "", "messages", list{object{"role": "user", "content": list{object{"type": "input_audio", "input_audio": object{"data": "AA==", "format": "wav"}}}}}),
		"invalid_request messages[0].role":                    body("test/big", "Hi", "messages", list{object{"role": "wizard", "content": "Hi"}}),
		"invalid_request temperature":                         body("test/big", "Hi", "temperature", 3),
		"invalid_request tools":                               body("test/big", "Hi", "tools", "weather"),
		"invalid_request tools[0].type":                       body("test/big", "Hi", "tools", list{object{"type": "web_search"}}),
		"invalid_request tools[0].function":                   body("test/big", "Hi", "tools", list{object{"type": "function"}}),
		"invalid_request tools[0].function.name":              body("test/big", "Hi", "tools", list{object{"type": "function", "function": object{"name": "a b"}}}),
		"invalid_request tools[0].function.parameters":        body("test/big", "Hi", "tools", list{object{"type": "function", "function": object{"name": "f", "parameters": object{"type": "string"}}}}),
		"invalid_request tools[1].function.name":              body("test/big", "Hi", "tools", append(weather, weather...)),
		"invalid_request tool_choice":                         body("test/big", "Hi", "tools", weather, "tool_choice", "maybe"),
		"invalid_request tool_choice ":                        body("test/big", "Hi", "tool_choice", "required"),
		"invalid_request tool_choice  ":                       body("test/big", "Hi", "tools", weather, "tool_choice", named),
		"invalid_request response_format.type":                body("test/big", "Hi", "response_format", object{"type": "xml"}),
		"invalid_request response_format.json_schema.schema":  body("test/big", "Hi", "response_format", object{"type": "json_schema", "json_schema": object{"name": "x"}}),
		"invalid_request response_format.json_schema.schema ": body("test/big", "Hi", "response_format", object{"type": "json_schema", "json_schema": object{"name": "x", "schema": object{"type": "nope"}}}),
		"invalid_request metadata.a":                          body("test/big", "Hi", "metadata", object{"a": long}),
		"invalid_request user":                                body("test/big", "Hi", "user", long),
		"invalid_request stream":                              body("test/big", "Hi", "stream", "yes"),
	} {
		got := w.ask(400, text)
		param := "<nil>"
		if got.Error.Param != nil {
			param = *got.Error.Param
		}
		if said := got.Error.Code + " " + param; said != strings.TrimRight(want, " ") || got.Error.Type != "invalid_request_error" || got.Header.Get("X-Request-Id") == "" {
			t.Errorf("want %q: %s", want, got.Body)
		}
	}
	nobody := w.ask(401, body("test/big", "Hi"), "Authorization", "Bearer sk_wrong")
	if nobody.Error.Type != "authentication_error" || nobody.Header.Get("Www-Authenticate") != "Bearer" {
		t.Errorf("%s", nobody.Body)
	}
}

// TestLargeImage: bodies with images may have up to 20 MiB.
func TestLargeImage(t *testing.T) {
	model := script.Steps(script.Say("A cat."))
	w := newWorld(t, model)
	picture := func(size int) string {
		url := "data:image/png;base64," + strings.Repeat("AAAA", size/4)
		return body("test/big", "", "messages", list{object{"role": "user", "content": list{object{"type": "image_url", "image_url": object{"url": url}}}}})
	}
	w.ask(200, picture(19<<20))
	if n := len(model.Requests()[0].Messages[0].Images[0].URL); n < 19<<20 {
		t.Errorf("%d bytes", n)
	}
	if got := w.ask(413, picture(20<<20)); got.Error.Code != "too_large" {
		t.Errorf("%s", got.Body)
	}
}

// TestStreamRepeated: the same Idempotency-Key gets the stream from its start.
func TestStreamRepeated(t *testing.T) {
	w := newWorld(t, script.Queue(script.Say("One and only.")))
	first := w.stream(body("test/big", "Hello", "stream", true), "Idempotency-Key", "k")
	again := w.stream(body("test/big", "Hello", "stream", true), "Idempotency-Key", "k")
	if again.Run != first.Run || again.Text != "One and only." || !again.Done || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%+v", again)
	}
}

// TestShutdown: a server that stops says so, and does not end as if all was told.
func TestShutdown(t *testing.T) {
	for _, stream := range []bool{false, true} {
		t.Run(fmt.Sprint("stream=", stream), func(t *testing.T) {
			asked, begun := make(chan struct{}), make(chan struct{})
			w := newWorld(t, script.Func(func(ctx context.Context, _ run.Request) (script.Line, error) {
				close(asked)
				<-ctx.Done()
				return script.Line{}, ctx.Err()
			}))
			w.save(clerk())
			go func() {
				<-asked
				if stream {
					select {
					case <-begun: // the status line has gone
					case <-t.Context().Done():
					}
				}
				ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
				defer cancel()
				_ = w.engine.Close(ctx) // the call is cut, as it should be
			}()
			if stream {
				question := body("clerk", "Hello", "stream", true)
				answer := w.post(t.Context(), question)
				close(begun)
				if got := w.tells(question, answer); got.Error["code"] != "overloaded" || got.Done {
					t.Errorf("%+v", got)
				}
				return
			}
			if got := w.ask(503, body("clerk", "Hello")); got.Error.Code != "overloaded" || got.Header.Get("Retry-After") == "" {
				t.Errorf("%s", got.Body)
			}
		})
	}
}
