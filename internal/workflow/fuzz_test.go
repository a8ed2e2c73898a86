package workflow

import (
	"encoding/json"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// FuzzTemplate reads templates from outside: one that is taken is written and read
// again as it is, and with any value in the place of its parameters each of its calls
// has arguments that are an object of JSON.
func FuzzTemplate(f *testing.F) {
	for _, seed := range []string{
		`{"prompt":"Find {{ query }} on the site","parameters":[{"name":"query","description":"What is looked for","type":"string","exampleValue":"red shoes"}],"steps":[{"step_number":1,"description":"Open {{query}}","actions":[{"step_number":1,"action_number":1,"name":"navigate","params":{"url":"https://shop.example.com/s?q={{ query }}&page=1","new_tab":null},"is_done":false,"success":null,"extracted_content":null,"error":null,"include_in_memory":true}]},{"step_number":2,"description":"Done","actions":[{"name":"done","params":{"text":"{{ result }}","success":true}}]}]}`,
		`{"steps":[{"actions":[{"name":"input","params":{"a":{"b":["{{x}}",1e999,{"{{x}}":"{{ x }}"}]}}}]}],"parameters":[{"name":"x","type":"number","exampleValue":007}]}`,
		`{"steps":[{"actions":[{"name":"a","params":{"a":1,"a":2}}]}]}`, `{"parameters":[{"name":"result"}],"steps":[{"actions":[{"name":"a"}]}]}`, `{"steps":[{"actions":[{"name":"done","params":[]}]}]}`, `{"steps":[]}`, `{"steps":{}}`, `{"steps":[null]}`, `null`, `[]`, ``,
		`{"steps":[{"actions":[{"name":"a","params":{"a":"\ud800"}}]}],"parameters":[{"name":"y","exampleValue":true},{"name":"z","exampleValue":null,"type":"url"}]}`,
	} {
		f.Add(seed, `"}, {"x": "{{ x }}`)
	}
	f.Fuzz(func(t *testing.T, text, value string) {
		if len(text) > 1<<14 || !utf8.ValidString(value) {
			t.Skip()
		}
		made, err := Parse([]byte(text))
		if err != nil || made == nil {
			return
		}
		written, err := json.Marshal(made)
		if err != nil {
			t.Fatalf("%q is a template and can't be written: %v", text, err)
		}
		again, err := Parse(written)
		if err != nil {
			t.Fatalf("%q is a template, and written it is none: %v", text, err)
		}
		if second, err := json.Marshal(again); err != nil || string(second) != string(written) {
			t.Errorf("%q is written %q, and then %q: %v", text, written, second, err)
		}
		values := map[string]Text{}
		for _, p := range made.Parameters {
			values[p.Name] = Text(value)
		}
		if faults := made.CheckValues(values); len(faults) > 0 && !slices.ContainsFunc(made.Parameters, func(p Parameter) bool { return p.Type != "string" }) {
			t.Errorf("%q does not take the value %q: %v", text, value, faults)
		}
		plan, err := made.Plan(values, func(action string) *run.Tool { return &run.Tool{Name: "browser." + action} })
		if err != nil {
			t.Fatalf("%q with %q makes no plan: %v", text, value, err)
		}
		for _, step := range plan.Steps {
			for _, call := range step.Calls {
				if !json.Valid(call.Arguments) || call.Arguments[0] != '{' {
					t.Errorf("%q with %q: %s of %q", text, value, call.Tool, call.Arguments)
				}
			}
		}
	})
}

// FuzzFill puts any value into a URL: it stays that URL, at that host, in that number
// of parameters; and a text that is no URL gets the value as it is.
func FuzzFill(f *testing.F) {
	for _, value := range []string{"red shoes", "a/b?c=d&e#f", "@evil.example", "..", "%2F", "\r\nHost: x", "", "//evil.example/", "é\u202e", "{{ x }}", "8080@evil.example", "?", "\\"} {
		f.Add(value)
	}
	f.Fuzz(func(t *testing.T, value string) {
		values := map[string]Text{"x": Text(value)}
		for _, text := range []string{
			"https://shop.example/a/{{ x }}/b", "https://shop.example/a?q={{x}}&page=2", "https://shop.example/?a=1&{{ x }}=b", "https://shop.example:80{{ nobody }}/{{x}}", "http://shop.example/{{x}}?q={{x}}", "https://{{x}}.shop.example/", "https://shop.example:{{x}}/",
		} {
			got := Fill(text, values)
			u, err := url.Parse(got)
			if err != nil {
				continue // which opens nothing
			}
			plain, err := url.Parse(Fill(text, map[string]Text{"x": "1"}))
			if err != nil {
				continue
			}
			inHost := strings.Contains(text[:strings.Index(text[8:], "/")+8], "{{")
			if u.User != nil || !inHost && u.Host != plain.Host || inHost && !strings.HasSuffix(u.Hostname(), "shop.example") || strings.Count(u.RawQuery, "&") != strings.Count(plain.RawQuery, "&") || u.Fragment != "" || strings.ContainsAny(got, " \r\n") {
				t.Errorf("%q with %q is %q, at %q", text, value, got, u.Host)
			}
		}
		if got := Fill("Look for {{ x }}.", values); got != "Look for "+value+"." {
			t.Errorf("%q is filled in as %q", value, got)
		}
	})
}

// FuzzReadings reads what a model says of a prompt: parameters that stand in it, each
// once; and values off another prompt, which with these values is that prompt.
func FuzzReadings(f *testing.F) {
	f.Add(`{"parameters":[{"name":"query","description":"d","type":"string","exampleValue":"red shoes"},{"name":"n","type":"number","exampleValue":"3"}]}`, "Find 3 red shoes", "Find 4 blue hats")
	f.Add(`{"parameters":[{"name":"a b","exampleValue":"x"},{"name":"x","type":"url","exampleValue":"x"},{"name":"x","exampleValue":"y"}]}`, "x y", "x  z")
	f.Add(`{"parameterValues":{"query":"blue","n":4,"b":true,"o":{}}}`, "{{ x }}", "(.*")
	f.Add(`{"parameters":null}`, "", "")
	f.Fuzz(func(t *testing.T, answer, prompt, next string) {
		if len(prompt)+len(next)+len(answer) > 1<<12 || !utf8.ValidString(prompt) || !utf8.ValidString(next) {
			t.Skip()
		}
		_, _ = ReadValues([]byte(answer)) // what it holds is checked against the parameters
		kept, err := ReadExtraction([]byte(answer), prompt)
		if err != nil || len(kept) == 0 {
			return
		}
		for i, p := range kept {
			twice := slices.ContainsFunc(kept[:i], func(k Parameter) bool { return k.Name == p.Name })
			if !strings.Contains(prompt, string(p.Example)) || !parameterName.MatchString(p.Name) || !fits(p.Type, p.Example) || twice || len(kept) > maxParameters {
				t.Errorf("%q of %q is %+v", answer, prompt, kept)
			}
		}
		made := &Template{Prompt: prompt, Steps: []Step{{Actions: []Action{{Name: "a", Params: json.RawMessage(`{}`)}}}}}
		if err := made.Generalise(kept); err != nil {
			t.Fatal(err)
		}
		values, ok := made.Align(next)
		if !ok {
			return
		}
		if got := Fill(made.Prompt, values); !placeholder.MatchString(prompt) && !isURL(strings.TrimSpace(next)) && !strings.EqualFold(strings.Join(strings.Fields(got), ""), strings.Join(strings.Fields(next), "")) {
			t.Errorf("%q is read with %v, which makes %q", next, values, got)
		}
	})
}

// FuzzSplit parts what a browser's tool has put out from its record, and takes for a
// record nothing but the last line.
func FuzzSplit(f *testing.F) {
	f.Add("The page\n[record] {\"action\":\"click\",\"element\":{\"xpath\":\"/html/a\"}}", `{"index":3}`)
	f.Add("\n[record] {}\n[record] {\"element\":null}", `{"element":{"xpath":"/x"},"index":1}`)
	f.Add("\n[record] {} x", `[]`)
	f.Add("", `{"index":1,"index":2}`)
	f.Fuzz(func(t *testing.T, output, arguments string) {
		a := &run.Action{Tool: run.Tool{Name: "browser.click"}, Output: output, Outcome: run.OK, Arguments: arguments}
		text, record := Split(a)
		if rest, found := strings.CutPrefix(output, text); !found || rest != "" && !strings.HasPrefix(rest, recordMark) || rest == "" && cmp.Diff(record, Record{}) != "" {
			t.Errorf("%q is parted into %q and %+v", output, text, record)
		}
		var shown map[string]json.RawMessage
		if params := Params(a); json.Unmarshal(params, &shown) != nil || shown == nil {
			t.Errorf("%q is recorded as %q", arguments, params)
		}
		a.Tool.Name = "crm.note" // which has no records
		if text, _ := Split(a); text != output {
			t.Errorf("%q of another tool is parted", output)
		}
	})
}
