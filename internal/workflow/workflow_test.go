package workflow

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/run"
)

// template is one call with these arguments.
func template(prompt, arguments string) *Template {
	return &Template{Prompt: prompt, Parameters: []Parameter{}, Steps: []Step{{Actions: []Action{{Name: "input", Params: json.RawMessage(arguments)}}}}}
}

func (t *Template) params() string { return string(t.Steps[0].Actions[0].Params) }

// TestGeneralise is about which strings have a value: all that contain it, the
// longest value first, in URLs what is written escaped.
func TestGeneralise(t *testing.T) {
	text := func(name, value string) Parameter { return Parameter{Name: name, Type: "string", Example: Text(value)} }
	for name, c := range map[string]struct {
		parameters      []Parameter
		arguments, want string
	}{
		"within a text":      {[]Parameter{text("q", "tent")}, `{"text":"a tent, two tents"}`, `{"text":"a {{ q }}, two {{ q }}s"}`},
		"longest first":      {[]Parameter{text("a", "red"), text("b", "red tent")}, `{"text":"red tent, red"}`, `{"text":"{{ b }}, {{ a }}"}`},
		"a URL's query":      {[]Parameter{text("q", "red tent")}, `{"url":"https://x.example/?q=red+tent&r=red%20tent"}`, `{"url":"https://x.example/?q={{ q }}&r={{ q }}"}`},
		"a URL's path":       {[]Parameter{text("q", "a b")}, `{"url":"https://x.example/a%20b/c"}`, `{"url":"https://x.example/{{ q }}/c"}`},
		"a whole URL":        {[]Parameter{{Name: "u", Type: "url", Example: "https://x.example"}}, `{"url":"https://x.example/deep"}`, `{"url":"{{ u }}/deep"}`},
		"deep, and in order": {[]Parameter{text("q", "tent")}, `{"z":[{"b":"tent","a":1.50}],"y":null}`, `{"z":[{"b":"{{ q }}","a":1.50}],"y":null}`},
		"not a name":         {[]Parameter{text("q", "text")}, `{"text":"a text"}`, `{"text":"a {{ q }}"}`},
		"not by chance":      {[]Parameter{{Name: "n", Type: "number", Example: "1"}}, `{"text":"1 of 10","xpath":"//b[1]"}`, `{"text":"{{ n }} of 10","xpath":"//b[1]"}`},
		"where it stands":    {[]Parameter{text("q", "tent")}, `{"xpath":"//b[text()='tent']"}`, `{"xpath":"//b[text()='{{ q }}']"}`},
		"a taken name":       {[]Parameter{text("q", "tent")}, `{"text":"{{ q }} tent"}`, `{"text":"{{ q }} {{ q2 }}"}`},
	} {
		made := template("", c.arguments)
		if err := made.Generalise(c.parameters); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(c.want, made.params()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// awkward are the pieces of values that break what is put together carelessly.
func awkward() []string {
	return []string{`"`, `\`, `\\n`, `{{`, `}}`, `{{ q }}`, "'", "\n", "é", "日本", "&", "?", "#", "%", "/", "+", " ", "$1", "<", "a", "tent", `","x":"`}
}

func anything(random *rand.Rand) string {
	var out strings.Builder
	for range 1 + random.IntN(6) {
		out.WriteString(awkward()[random.IntN(len(awkward()))])
	}
	return out.String()
}

// TestFillIsSafe: whatever a value is, the arguments stay the JSON that they were,
// with the value in its place and nothing else changed.
func TestFillIsSafe(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		value := anything(random)
		made := template("", `{"text":"say {{ q }}!","n":1}`)
		plan, err := (&Template{Parameters: []Parameter{{Name: "q", Type: "string"}}, Steps: made.Steps}).Plan(
			map[string]Text{"q": Text(value)}, func(string) *run.Tool { return &run.Tool{Name: "browser.input"} })
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(plan.Steps[0].Calls[0].Arguments, &got); err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if diff := cmp.Diff(map[string]any{"text": "say " + value + "!", "n": 1.0}, got); diff != "" {
			t.Fatalf("%q: %s", value, diff)
		}
	}
}

// TestFillInURL: a value is one parameter's value, on the same host, whatever it says.
func TestFillInURL(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 5000 {
		value := anything(random)
		got, err := url.Parse(Fill("https://x.example/in/{{ q }}/end?q={{ q }}&r=1", map[string]Text{"q": Text(value)}))
		if err != nil {
			t.Fatalf("%q: %v", value, err)
		}
		if got.Host != "x.example" || got.Path != "/in/"+value+"/end" || got.Query().Get("q") != value || got.Query().Get("r") != "1" || got.Fragment != "" {
			t.Fatalf("%q became %s", value, got)
		}
	}
}

// TestRoundTrip: what was made general and is filled with the same values is what
// was recorded, but for how a URL is escaped.
func TestRoundTrip(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	for range 3000 {
		p := []Parameter{{Name: "q", Type: "string", Example: Text(anything(random))}, {Name: "r", Type: "string", Example: Text(anything(random))}}
		address := "https://x.example/?q=" + url.QueryEscape(string(p[0].Example))
		recorded, err := json.Marshal(map[string]string{"text": anything(random) + string(p[0].Example) + anything(random) + string(p[1].Example), "url": address})
		if err != nil {
			t.Fatal(err)
		}
		made := template(anything(random), string(recorded))
		if err := made.Generalise(p); err != nil {
			t.Fatal(err)
		}
		values := map[string]Text{p[0].Name: p[0].Example, p[1].Name: p[1].Example}
		back, err := mapStrings(made.Steps[0].Actions[0].Params, func(_, text string) string { return Fill(text, values) })
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]string
		if json.Unmarshal(recorded, &want) != nil || json.Unmarshal(back, &got) != nil {
			t.Fatalf("%s became %s", recorded, back)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("%q: %s became %s: %s", p, recorded, made.params(), diff)
		}
	}
}

// TestAlign reads values off prompts that are the recorded one but for them.
func TestAlign(t *testing.T) {
	made := Template{
		Prompt:     `Find the {{ what }} on {{ where }} and say what it costs.`,
		Parameters: []Parameter{{Name: "what", Type: "string"}, {Name: "where", Type: "url"}},
	}
	for prompt, want := range map[string]map[string]Text{
		"Find the blue lamp on https://x.example and say what it costs.":            {"what": "blue lamp", "where": "https://x.example"},
		"find the  \"lamp\" on https://x.example\n and say what it costs.":          {"what": `"lamp"`, "where": "https://x.example"},
		"Find the lamp on the shop and say what it costs.":                          nil, // no URL
		"Find the lamp on https://x.example.":                                       nil,
		"Find the light on a stand on https://x.example and say what it costs.":     nil, // two ways to read it
		"Ignore that. Find the lamp on https://x.example and say what it costs now": nil,
	} {
		got, ok := made.Align(prompt)
		if ok != (want != nil) || ok && !cmp.Equal(want, got) {
			t.Errorf("%s: got %v, %t, want %v", prompt, got, ok, want)
		}
	}
	bare := Template{Prompt: "{{ q }}", Parameters: []Parameter{{Name: "q", Type: "string"}}}
	if got, ok := bare.Align("Delete everything."); ok {
		t.Errorf("a prompt of a parameter alone has been read: %v", got)
	}
}

// TestGuess finds what a prompt handed to tools, without a model.
func TestGuess(t *testing.T) {
	made := template(`Search for "red tent" at https://shop.example and take 2 of them`, `{"text":"red tent","url":"https://shop.example/","count":"2"}`)
	var got []string
	for _, p := range made.Guess() {
		got = append(got, fmt.Sprintf("%s %s %s", p.Name, p.Type, p.Example))
	}
	want := []string{"text string red tent", "url url https://shop.example", "count number 2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if found := template("Open the page", `{"text":"nothing of it"}`).Guess(); len(found) > 0 {
		t.Errorf("guessed %v", found)
	}
}

// TestParse refuses what could not be replayed, by its place.
func TestParse(t *testing.T) {
	for text, want := range map[string]string{
		`{}`: "",
		`{"parameters":[],"steps":[{"actions":[{"name":"click","params":null}]}]}`:             "",
		`{"steps":[{"actions":[{"name":"done","params":{}}]}]}`:                                "no action to replay",
		`{"steps":[{"actions":[{"params":{}}]}]}`:                                              "steps[0].actions[0].name",
		`{"steps":[{"actions":[{"name":"click","params":[]}]}]}`:                               "must be an object",
		`{"steps":[{"actions":[{"name":"click"}]}],"parameters":[{"name":"a b"}]}`:             "parameters[0].name",
		`{"steps":[{"actions":[{"name":"click"}]}],"parameters":[{"name":"a","type":"date"}]}`: "parameters[0].type",
		`{"steps":[{"actions":[{"name":"click"}]}],"parameters":[{"name":"result"}]}`:          "parameters[0].name",
		`{"steps":"all"}`: "steps must be",
		`{"steps":[{"actions":[{"name":"click"}]}],"parameters":[{"name":"a","exampleValue":{"deep":1}}]}`: "must be a string",
	} {
		made, err := Parse([]byte(text))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", text, err, want)
		}
		if text == `{}` && made != nil {
			t.Error("an object without steps is a workflow")
		}
	}
}

// TestAnswer: the words of a recorded run are its own; those that a person has
// written are the answer.
func TestAnswer(t *testing.T) {
	written := template("", `{}`)
	if got := written.Answer(); got != Result {
		t.Errorf("without done: %q", got)
	}
	written.Steps = append(written.Steps, Step{Actions: []Action{{Name: Done, Params: json.RawMessage(`{"text":"Bought {{ q }}."}`)}}})
	if got := written.Answer(); got != "Bought {{ q }}." {
		t.Errorf("got %q", got)
	}
}
