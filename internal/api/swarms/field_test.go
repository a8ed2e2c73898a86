package swarms_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"errand/internal/api/swarms"
	"errand/internal/model/script"
	"errand/internal/run"
)

// fieldCase is one value of one field of an AgentSpec, and what becomes of it.
type fieldCase struct {
	fields  string                // of agent_config
	refused string                // part of the 400 that names the field; empty = it is honoured
	honours func(s *run.Spec) any // what the run has of it
	want    any
}

// fieldCases has each field of an AgentSpec at least once: what is honoured in the
// Spec, and what is refused by its name. Null is the default of every field.
var fieldCases = []fieldCase{
	{fields: `"agent_name":"Ada"`, honours: instructions, want: "Your name: Ada"},
	{fields: `"description":"Counts."`, honours: instructions, want: "What you are for: Counts."},
	{fields: `"system_prompt":"Be kind."`, honours: instructions, want: "Be kind."},
	{fields: `"system_prompt":"Be kind.","role":"critic"`, honours: instructions, want: "Be kind.\n\nYour role: critic"},
	{fields: `"role":"worker"`, honours: instructions, want: ""},
	{fields: `"model_name":"groq/llama"`, honours: func(s *run.Spec) any { return s.Model }, want: "groq/llama"},
	{fields: `"model_name":null`, honours: func(s *run.Spec) any { return s.Model }, want: "gpt-4.1"},
	{fields: `"model_name":"nobody/x"`, refused: "agent_config.model_name: Model nobody/x is not available"},
	{fields: `"auto_generate_prompt":true`, honours: func(s *run.Spec) any { return s.Previous != nil }, want: true},

	{fields: `"max_tokens":77`, honours: func(s *run.Spec) any { return s.Params.MaxTokens }, want: 77},
	{fields: `"max_tokens":0`, honours: func(s *run.Spec) any { return s.Params.MaxTokens }, want: 8192},
	{fields: `"max_tokens":null`, honours: func(s *run.Spec) any { return s.Params.Defaults }, want: []string{"temperature", "max_tokens"}},
	{fields: `"max_tokens":-1`, refused: "agent_config.max_tokens"},
	{fields: `"temperature":0`, honours: func(s *run.Spec) any { return *s.Params.Temperature }, want: 0.0},
	{fields: `"temperature":0.25,"max_tokens":5`, honours: func(s *run.Spec) any { return s.Params.Defaults }, want: []string(nil)},
	{fields: `"temperature":null`, honours: func(s *run.Spec) any { return *s.Params.Temperature }, want: 0.5},
	{fields: `"temperature":3`, refused: "agent_config.temperature"},
	{fields: `"dynamic_temperature_enabled":true`, honours: func(s *run.Spec) any { return s.Params.Vary }, want: false},
	{fields: `"max_loops":2`, honours: func(s *run.Spec) any { return s.Params.Vary }, want: true},
	{fields: `"max_loops":2,"dynamic_temperature_enabled":false`, honours: func(s *run.Spec) any { return s.Params.Vary }, want: false},
	{fields: `"reasoning_effort":"high"`, honours: func(s *run.Spec) any { return s.Params.Effort }, want: "high"},
	{fields: `"reasoning_effort":"<string>"`, refused: "agent_config.reasoning_effort"},
	{fields: `"reasoning_enabled":true`, honours: func(s *run.Spec) any { return s.Params.Effort }, want: "low"},
	{fields: `"reasoning_enabled":true,"thinking_tokens":2048`, honours: func(s *run.Spec) any { return s.Params.Effort }, want: ""},
	{fields: `"thinking_tokens":123`, honours: func(s *run.Spec) any { return s.Params.Thinking }, want: 123},
	{fields: `"thinking_tokens":123,"reasoning_enabled":false`, honours: func(s *run.Spec) any { return s.Params.Thinking }, want: 0},
	{fields: `"thinking_tokens":-1`, refused: "agent_config.thinking_tokens"},

	{fields: `"max_loops":0`, honours: func(s *run.Spec) any { return s.Passes }, want: 0},
	{fields: `"max_loops":20`, honours: func(s *run.Spec) any { return s.Passes }, want: 20},
	{fields: `"max_loops":21`, refused: "agent_config.max_loops"},
	{fields: `"max_loops":-1`, refused: "agent_config.max_loops"},
	{fields: `"max_loops":"auto"`, honours: func(s *run.Spec) any { return s.Limits.MaxSteps }, want: 50},
	{fields: `"max_loops":"auto"`, honours: toolNames, want: "plan.create_plan plan.think plan.subtask_done plan.complete_task plan.respond_to_user"},
	{fields: `"max_loops":"auto","selected_tools":"all"`, honours: toolNames, want: "plan.create_plan plan.think plan.subtask_done plan.complete_task plan.respond_to_user"},
	{fields: `"max_loops":"auto","selected_tools":["think","create_plan"]`, honours: toolNames, want: "plan.create_plan plan.think"},
	{fields: `"max_loops":"auto","selected_tools":"think"`, honours: toolNames, want: "plan.think"},
	{fields: `"max_loops":"auto","selected_tools":["run_bash"]`, refused: "agent_config.selected_tools[0]: run_bash is not possible"},
	{fields: `"max_loops":"auto","selected_tools":["create_file"]`, refused: "agent_config.selected_tools[0]: create_file is not possible"},
	{fields: `"max_loops":"auto","selected_tools":["create_sub_agent"]`, refused: "agent_config.selected_tools[0]"},
	{fields: `"max_loops":"auto","selected_tools":["tink"]`, refused: "agent_config.selected_tools[0]: there is no tool"},
	{fields: `"selected_tools":["think"]`, refused: "agent_config.selected_tools"},
	{fields: `"max_loops":"auto","tool_call_summary":false`, refused: "agent_config.tool_call_summary"},
	{fields: `"tool_call_summary":false`, honours: func(s *run.Spec) any { return s.RawResults }, want: true},
	{fields: `"tool_call_summary":true`, honours: func(s *run.Spec) any { return s.RawResults }, want: false},
	{fields: `"streaming_on":false`, honours: func(s *run.Spec) any { return s.Tethered }, want: false},

	{fields: `"tools_list_dictionary":[{"type":"function","function":{"name":"f"}}]`, honours: func(s *run.Spec) any { return s.HandBack && s.Tool("f").Function }, want: true},
	{fields: `"tools_list_dictionary":[{"function":{"name":"a b"}}]`, refused: "agent_config.tools_list_dictionary[0].function.name"},
	{fields: `"tools_list_dictionary":[{"function":{"name":"f","parameters":{"type":"string"}}}]`, refused: "agent_config.tools_list_dictionary[0].function.parameters"},
	{fields: `"tools_list_dictionary":[{"function":{"name":"f"}},{"function":{"name":"f"}}]`, refused: "agent_config.tools_list_dictionary[1].function.name"},

	{fields: `"llm_args":{"top_p":0.9,"frequency_penalty":-1,"presence_penalty":2,"seed":7,"top_k":5,"stop":"END"}`, honours: func(s *run.Spec) any {
		return fmt.Sprint(*s.Params.TopP, *s.Params.Frequency, *s.Params.Presence, *s.Params.Seed, s.Params.TopK, s.Params.Stop)
	}, want: "0.9 -1 2 7 5 [END]"},
	{fields: `"llm_args":{"stop":["a","b"]}`, honours: func(s *run.Spec) any { return s.Params.Stop }, want: []string{"a", "b"}},
	{fields: `"llm_args":{"model":"x"}`, refused: "agent_config.llm_args.model: is not taken from here: set agent_config.model_name"},
	{fields: `"llm_args":{"messages":[1]}`, refused: "agent_config.llm_args.messages"},
	{fields: `"llm_args":{"stream":true}`, refused: "agent_config.llm_args.stream"},
	{fields: `"llm_args":{"stream":false,"model":null}`, honours: func(s *run.Spec) any { return s.Model }, want: "gpt-4.1"},
	{fields: `"llm_args":{"api_base":"https://x"}`, refused: "agent_config.llm_args.api_base"},
	{fields: `"llm_args":{"top_p":2}`, refused: "agent_config.llm_args.top_p"},
	{fields: `"llm_args":{"top_p":"x"}`, refused: "agent_config.llm_args.top_p"},
	{fields: `"llm_args":{"response_format":{"type":"text"}}`, honours: func(s *run.Spec) any { return len(s.Output) }, want: 0},
	{fields: `"llm_args":{"response_format":{"type":"xml"}}`, refused: "agent_config.llm_args.response_format.type"},
	{fields: `"llm_args":{"response_format":{"type":"json_schema"}}`, refused: "agent_config.llm_args.response_format.json_schema.schema"},
	{fields: `"llm_args":{"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":{"type":"strng"}}}}`, refused: "agent_config.llm_args.response_format.json_schema.schema"},

	{fields: `"mcp_url":"https://theirs.example/mcp"`, honours: toolNames, want: "theirs__get"},
	{fields: `"mcp_url":"https://theirs.example/mcp","mcp_config":{"url":"https://theirs.example/mcp","authorization_token":"t"}`, honours: toolNames, want: "theirs__get"},
	{fields: `"mcp_configs":{"connections":[{"url":"https://theirs.example/mcp"}]}`, honours: func(s *run.Spec) any { return s.Servers[0].Name }, want: "theirs"},
	{fields: `"mcp_url":"<string>"`, refused: "agent_config.mcp_url: \"<string>\" is no URL"},
	{fields: `"mcp_config":{"url":"ftp://x/y"}`, refused: "agent_config.mcp_config.url"},
	{fields: `"mcp_config":{"url":"https://theirs.example/mcp","transport":"stdio"}`, refused: "agent_config.mcp_config.transport: stdio"},
	{fields: `"mcp_config":{"url":"https://theirs.example/mcp","transport":"pigeon"}`, refused: "agent_config.mcp_config.transport"},
	{fields: `"mcp_config":{"url":"https://theirs.example/mcp","type":"a2a"}`, refused: "agent_config.mcp_config.type"},
	{fields: `"mcp_config":{"url":"https://theirs.example/mcp","timeout":-1}`, refused: "agent_config.mcp_config.timeout"},
	{fields: `"mcp_config":{"url":"https://theirs.example/mcp","command":"sh"}`, refused: "agent_config.mcp_config.command"},
	{fields: `"mcp_config":{"url":"https://theirs.example/mcp","oauth":{"a":1}}`, refused: "agent_config.mcp_config.oauth"},
	{fields: `"mcp_config":{"url":"https://theirs.example/mcp","api_key":"k"}`, refused: "agent_config.mcp_config.api_key"},
	{fields: `"mcp_config":{"url":"https://theirs.example/mcp","tool_configurations":{"a":1}}`, refused: "agent_config.mcp_config.tool_configurations"},
	{fields: `"mcp_configs":{"connections":[{"url":"https://theirs.example/mcp","timeout":1},{"url":"https://theirs.example/mcp","timeout":2}]}`, refused: "agent_config.mcp_configs.connections[1].url: is named twice"},

	{fields: `"mcp_url":"https://theirs.example/mcp","tools_list_dictionary":[{"function":{"name":"theirs__get"}}]`, refused: "two tools together that are named theirs__get"},
	{fields: `"handoffs":[]`, honours: func(s *run.Spec) any { return len(s.Tools) }, want: 0},
	{fields: `"handoffs":[{"agent_name":"B. Cee","description":"Counts."},{"agent_name":"D","mcp_url":"https://theirs.example/mcp"}]`, honours: toolNames, want: "handoff.B_Cee handoff.D"},
	{fields: `"handoffs":[{"agent_name":"研究员"},{"agent_name":"A 研究"},{"agent_name":"A 作家"}]`, honours: toolNames, want: "handoff.agent_1 handoff.A handoff.agent_3"},
	{fields: `"handoffs":[{"agent_name":"研究员","description":"Searches."}]`, honours: func(s *run.Spec) any { return s.Tools[0].Description }, want: "研究员: Searches."},
	{fields: `"handoffs":[{"agent_name":"B","role":"critic","mcp_url":"https://theirs.example/mcp"}]`, honours: func(s *run.Spec) any {
		return s.Handoffs[0].Spec.Instructions + "; " + toolNames(&s.Handoffs[0].Spec).(string) + "; " + s.Handoffs[0].Spec.Model
	}, want: "Your name: B\nYour role: critic; theirs__get; gpt-4.1"},
	{fields: `"handoffs":[{"agent_name":"B","handoffs":[{"agent_name":"C"}]}]`, honours: func(s *run.Spec) any { return toolNames(&s.Handoffs[0].Spec) }, want: "handoff.C"},
	{fields: `"handoffs":[` + strings.Repeat(`{"agent_name":"B"},`, 20) + `{"agent_name":"B"}]`, refused: "agent_config.handoffs: names 21 agents"},
	{fields: `"handoffs":[{}]`, refused: "agent_config.handoffs[0].agent_name: is required"},
	{fields: `"handoffs":[{"agent_name":"B"},{"agent_name":"B"}]`, refused: "agent_config.handoffs[1].agent_name"},
	{fields: `"handoffs":[{"agent_name":"B","model_name":"x/y"}]`, refused: "agent_config.handoffs[0].model_name: Model x/y"},
	{fields: `"handoffs":[{"agent_name":"B","handoffs":[{"agent_name":"C","max_loops":99}]}]`, refused: "agent_config.handoffs[0].handoffs[0].max_loops"},
	{fields: `"handoffs":[{"agent_name":"B","handoffs":[{"agent_name":"C","handoffs":[{"agent_name":"D","handoffs":[{"agent_name":"E"}]}]}]}]`, refused: "agent_config.handoffs[0].handoffs[0].handoffs[0].handoffs: goes deeper"},
	{fields: `"handoffs":[{"agent_name":"B","tools_list_dictionary":[{"function":{"name":"f"}}]}]`, refused: "agent_config.handoffs[0].tools_list_dictionary"},
	{fields: `"handoffs":[{"agent_name":"B","auto_generate_prompt":true}]`, refused: "agent_config.handoffs[0].auto_generate_prompt"},
	{fields: `"marketplace_prompt_id":"p1"`, refused: "agent_config.marketplace_prompt_id"},
	{fields: `"marketplace_prompt_id":null,"publish_to_marketplace":false`, honours: func(s *run.Spec) any { return s.Model }, want: "gpt-4.1"},
	{fields: `"publish_to_marketplace":true`, refused: "agent_config.publish_to_marketplace"},

	{fields: `"use_cases":[{"title":"t"}],"tags":["a"],"capabilities":["b"],"category":"c","is_free":true,"price_usd":1.5`, honours: func(s *run.Spec) any { return s.Model }, want: "gpt-4.1"},
	{fields: `"top_p":null,"no_such_field":7`, honours: func(s *run.Spec) any { return s.Model }, want: "gpt-4.1"},
}

func instructions(s *run.Spec) any { return s.Instructions }

func toolNames(s *run.Spec) any {
	var names []string
	for i := range s.Tools {
		names = append(names, s.Tools[i].Name)
	}
	return strings.Join(names, " ")
}

// TestFields: each field is honoured, or refused by its name.
func TestFields(t *testing.T) {
	answer := script.Say("ok")
	w := newWorld(t, script.Steps(answer))
	for _, c := range fieldCases {
		body := `{"agent_config":{` + c.fields + `},"task":"Go."}`
		if c.refused != "" {
			got := w.do("POST", "/v1/agent/completions", body)
			if got.Status != 400 || !strings.Contains(got.detail(), "Agent validation error: ") || !strings.Contains(got.detail(), c.refused) {
				t.Errorf("%s: %d %s, want a 400 with %q", c.fields, got.Status, got.Body, c.refused)
			}
			continue
		}
		before := len(w.model.Requests())
		got := w.do("POST", "/v1/agent/completions", body)
		requests := w.model.Requests()
		if len(requests) == before {
			t.Errorf("%s: no run: %s", c.fields, got.Body)
			continue
		}
		s := w.state(requests[len(requests)-1].Run.String())
		if is := c.honours(&s.Spec); !reflect.DeepEqual(is, c.want) {
			t.Errorf("%s: the run has %#v, want %#v", c.fields, is, c.want)
		}
	}
}

// TestFieldsAreAllThere: the table above has a line for each field that is decoded.
func TestFieldsAreAllThere(t *testing.T) {
	var all strings.Builder
	for _, c := range fieldCases {
		all.WriteString(c.fields)
	}
	names := swarms.FieldNames()
	if len(names) < 29 {
		t.Errorf("only %d fields: %v", len(names), names)
	}
	for _, name := range names {
		if !strings.Contains(all.String(), `"`+name+`"`) {
			t.Errorf("no line of fieldCases has %s", name)
		}
	}
}

// TestOrderFields are the fields beside agent_config.
func TestOrderFields(t *testing.T) {
	w := newWorld(t, script.Steps(script.Say("ok")))
	const png = "iVBORw0KGgo="
	for body, want := range map[string]string{
		`"img":"https://x.example/a.png","imgs":["data:image/png;base64,` + png + `","` + png + `"]`: "https://x.example/a.png data:image/png;base64," + png + " data:image/png;base64," + png,
		`"img":"/9j/4AAQ"`: "data:image/jpeg;base64,/9j/4AAQ",
		`"img":"AAAA"`:     "data:image/jpeg;base64,AAAA",
	} {
		w.complete(200, `{"agent_config":{},"task":"Look.",`+body+`}`)
		var urls []string
		requests := w.model.Requests()
		for _, image := range requests[len(requests)-1].Messages[0].Images {
			urls = append(urls, image.URL)
		}
		if got := strings.Join(urls, " "); got != want {
			t.Errorf("%s: %s", body, got)
		}
	}
	for body, want := range map[string]string{
		`"task":"x","img":"<string>"`:                              "img: ",
		`"task":"x","img":"img"`:                                   "img: ",
		`"task":"x","imgs":["ftp://x/y"]`:                          "imgs[0]: ",
		`"task":"x","img":"data:text/html;base64,AAAA"`:            "img: ",
		`"task":"x","img":"data:image/png,AAAA"`:                   "img: ",
		`"task":"x","tools_enabled":["google"]`:                    "there are auto_search, web_scraper, ours__add.",
		`"history":[{"role":"system","content":"x"}],"task":"x"`:   "history[0].role: ",
		`"history":[7],"task":"x"`:                                 "history[0]: ",
		`"history":{"a":{"role":"boss","content":"x"}},"task":"x"`: "history.a.role: ",
		`"task":null`: "task: is required",
		`"task":"  "`: "task: is required",
	} {
		if detail := w.complete(400, `{"agent_config":{},`+body+`}`).detail(); !strings.Contains(detail, want) {
			t.Errorf("%s: %s", body, detail)
		}
	}
	for enabled, want := range map[string]string{
		`["auto_search"]`: "web.search web.fetch", `["web_scraper"]`: "web.fetch", `["web_scraper","auto_search"]`: "web.fetch web.search",
		`["ours__add",""]`: "ours__add", `[]`: "", `null`: "",
	} {
		c := w.complete(200, `{"agent_config":{},"task":"x","tools_enabled":`+enabled+`}`).completion()
		s := w.state(c.JobID)
		if got := toolNames(&s.Spec); got != want {
			t.Errorf("%s: %s", enabled, got)
		}
	}
	w.shelf.lacks = "web.search"
	if detail := w.complete(400, `{"agent_config":{},"task":"x","tools_enabled":["auto_search"]}`).detail(); !strings.Contains(detail, "this server has no tool web.search") {
		t.Error(detail)
	}
}

// TestSchema: an answer that must satisfy a schema comes as JSON in a text, whole
// in a stream too, where a reply that has to be mended would be shown twice.
func TestSchema(t *testing.T) {
	const format = `"llm_args":{"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"]}}}}`
	w := newWorld(t, script.Steps(script.Say(`{"n":"x"}`), script.Say("Here: {\"n\": 7}")))
	c := w.complete(200, agentWith(format)).completion()
	if len(c.Outputs) != 1 || string(c.Outputs[0].Content) != `"{\"n\":7}"` {
		t.Errorf("%s", c.texts())
	}
	streamed := w.complete(200, agentWith(format+`,"streaming_on":true`))
	if text := told(string(streamed.Body)); text != `{"n":7}` {
		t.Errorf("%s in %s", text, streamed.Body)
	}
}

// TestPastAgents: the configurations come back, each once, newest first, with what
// was kept for that.
func TestPastAgents(t *testing.T) {
	w := newWorld(t, script.Steps(script.Say("ok")))
	kept := `"use_cases":[{"title":"t"}],"tags":["a"],"capabilities":["b"],"category":"c","is_free":true,"price_usd":1.5,"max_loops":1,"selected_tools":"all"`
	for _, fields := range []string{`"agent_name":"one"`, `"agent_name":"two",` + kept, `"agent_name":"one"`} {
		w.complete(200, `{"agent_config":{`+fields+`},"task":"x"}`)
		time.Sleep(2 * time.Millisecond) // rows are ordered by their millisecond
	}
	w.complete(400, `{"agent_config":{"agent_name":"refused","max_loops":99},"task":"x"}`)
	var list struct {
		Count  int
		Agents []map[string]json.RawMessage
	}
	w.do("GET", "/v1/agents/list", "").Into(&list)
	if list.Count != 2 || len(list.Agents) != 2 || string(list.Agents[0]["agent_name"]) != `"two"` || string(list.Agents[1]["agent_name"]) != `"one"` {
		t.Fatalf("%+v", list)
	}
	for name, want := range map[string]string{
		"use_cases": `[{"title":"t"}]`, "tags": `["a"]`, "capabilities": `["b"]`, "category": `"c"`, "is_free": "true", "price_usd": "1.5", "max_loops": "1", "selected_tools": `["all"]`,
	} {
		if got := string(list.Agents[0][name]); got != want {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}

// TestInformation are the routes that only tell.
func TestInformation(t *testing.T) {
	w := newWorld(t, script.Steps())
	for path, want := range map[string]string{
		"/v1/models/available": `{"success":true,"count":2,"models":["gpt-4.1","groq/llama"]}`,
		"/v1/tools/available":  `{"status":"success","tools":["auto_search","web_scraper","ours__add"]}`,
		"/v1/account/credits":  `{"credit":1000000000.0,"free_credit":0.0,"referral_credits":0.0,"total_credits":1000000000.0}`,
		"/health":              `{"status":"ok"}`,
	} {
		if got := w.do("GET", path, ""); got.Status != 200 || string(got.Body) != want {
			t.Errorf("%s: %d %s", path, got.Status, got.Body)
		}
	}
	limits := string(w.do("GET", "/v1/rate/limits", "").Body)
	for _, want := range []string{`"tier":"unlimited"`, `"minute":{"count":0,"limit":1000000000,"remaining":1000000000,"exceeded":false,"reset_time":"`, `"tokens_per_agent":1000000000`} {
		if !strings.Contains(limits, want) {
			t.Errorf("%s lacks %s", limits, want)
		}
	}
}
