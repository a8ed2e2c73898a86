package you_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"errand/internal/agent"
	"errand/internal/api/wire/wiretest"
	"errand/internal/model/script"
	"errand/internal/run"
)

var update = flag.Bool("update", false, "write what is answered into testdata")

// TestStories holds requests and their answers to testdata/request. Each file is a
// story: what it is about; the request; what the model says, a line of JSON for
// each turn; the spec that came of it, in short; and the answer, byte for byte
// once ids and times are masked. An intended change is written with go test
// -update, and read.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/request/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			told := &txtar.Archive{Comment: story.Comment}
			for _, part := range story.Files {
				if part.Name == "request" || part.Name == "model" {
					told.Files = append(told.Files, part)
				}
			}
			told.Files = append(told.Files, tell(t, told.Files)...)
			if *update {
				if err := os.WriteFile(file, txtar.Format(told), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(txtar.Format(story)), string(txtar.Format(told))); diff != "" {
				t.Errorf("go test -update writes what is answered now (-want +got):\n%s", diff)
			}
		})
	}
}

// line is one turn of the model in a story.
type line struct {
	Text  string
	Calls []struct {
		Name      string
		Arguments json.RawMessage
	}
}

func tell(t *testing.T, parts []txtar.File) []txtar.File {
	t.Helper()
	lines := []script.Line{script.Say("The capital of France is **Paris**.")}
	for _, part := range parts {
		if part.Name == "model" {
			lines = lines[:0]
			for text := range strings.Lines(string(part.Data)) {
				var l line
				if err := json.Unmarshal([]byte(text), &l); err != nil {
					t.Fatalf("%s: %v", text, err)
				}
				said := script.Say(l.Text)
				for _, call := range l.Calls {
					said = said.And(call.Name, string(call.Arguments))
				}
				lines = append(lines, said)
			}
		}
	}
	w := newWorld(t, script.Steps(lines...))
	w.saveAgents()
	status, header, body := w.raw(parts[0].Data)
	var files []txtar.File
	if id := header.Get("X-Errand-Run"); id != "" {
		files = append(files, txtar.File{Name: "spec", Data: brief(w.state(id))})
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "%d\n", status)
	for _, name := range []string{"Content-Type", "Allow", "X-Should-Retry", "X-Errand-Run", "Www-Authenticate"} {
		if value := header.Get(name); value != "" {
			fmt.Fprintf(&out, "%s: %s\n", name, masked([]byte(value)))
		}
	}
	fmt.Fprintf(&out, "\n%s\n", bytes.TrimRight(masked(body), "\n"))
	return append(files, txtar.File{Name: "response", Data: out.Bytes()})
}

func (w *world) saveAgents() {
	w.save(agent.Definition{Name: "writer", Model: "y0-agent", Instructions: "Write.", Tools: []string{"email.send", "web.search"},
		Approval: agent.Approval{RequiredFor: []string{"email.*"}}, MaxSteps: 5, OnUnknown: run.AskUnknown})
	w.save(agent.Definition{Name: "stale", Model: "y0-agent", Instructions: "Write.", Tools: []string{"gone.tool"}, MaxSteps: 5})
}

// raw sends a request as it stands in a story: a request line, headers, an empty
// line, a body.
func (w *world) raw(text []byte) (int, http.Header, []byte) {
	w.t.Helper()
	head, body, _ := bytes.Cut(text, []byte("\n\n"))
	reader := bufio.NewReader(bytes.NewReader(append(bytes.ReplaceAll(head, []byte("\n"), []byte("\r\n")), "\r\n\r\n"...)))
	parsed, err := http.ReadRequest(reader)
	if err != nil {
		w.t.Fatal(err)
	}
	sent := bytes.TrimSuffix(body, []byte("\n"))
	request, err := http.NewRequestWithContext(w.t.Context(), parsed.Method, w.URL+parsed.RequestURI, bytes.NewReader(sent))
	if err != nil {
		w.t.Fatal(err)
	}
	for name, values := range parsed.Header {
		request.Header[name] = []string{strings.ReplaceAll(values[0], "KEY", wiretest.AdminSecret)}
	}
	got, err := w.HTTP.Do(request)
	if err != nil {
		w.t.Fatal(err)
	}
	defer got.Body.Close()
	answer, err := io.ReadAll(got.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	return got.StatusCode, got.Header, answer
}

// brief is what matters of a spec.
func brief(s run.State) []byte {
	spec := &s.Spec
	var tools []string
	for i := range spec.Tools {
		tools = append(tools, spec.Tools[i].Name)
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "dialect %s, model %s, on_unknown %s, tethered %t\n", spec.Dialect, spec.Model, spec.OnUnknown, spec.Tethered)
	fmt.Fprintf(&out, "tools %v, limits %v, gates %v, max_steps %d\n", tools, spec.ToolLimits, spec.Gates, spec.Limits.MaxSteps)
	if spec.Require != "" {
		fmt.Fprintf(&out, "require %s\n", spec.Require)
	}
	fmt.Fprintf(&out, "echo %s\n", spec.Echo)
	for text := range strings.Lines(spec.Instructions) {
		out.WriteString(strings.TrimRight("> "+text, " \n") + "\n")
	}
	return out.Bytes()
}

// ids are what differs from one time to the next.
var ids = regexp.MustCompile(`(run_|req_|agt_)[0-9a-f]{22,32}|"run_time_ms":"[0-9.]+"`)

func masked(text []byte) []byte {
	return ids.ReplaceAllFunc(text, func(found []byte) []byte {
		if bytes.HasPrefix(found, []byte(`"`)) {
			return []byte(`"run_time_ms":"MS"`)
		}
		return append(slices.Clone(found[:4]), "ID"...)
	})
}

// TestRefusals is every way in which a body can be wrong, and what is said of it.
func TestRefusals(t *testing.T) {
	w := newWorld(t, says("x"))
	for _, test := range []struct {
		body, code, detail string
	}{
		{``, "bad_request", "The request body is empty: send a JSON object."},
		{`[]`, "bad_request", "The request body must be a JSON object: begin with {."},
		{`{"input":`, "bad_request", "The request body ends too early, at byte 9: send all of it."},
		{`{"agent":"express"}`, "bad_request", "The field 'input' is required: write the question or the task."},
		{`{"input":""}`, "bad_request", "The field 'input' must not be empty: write the question or the task."},
		{`{"input":" \n"}`, "bad_request", "The field 'input' must not be empty: write the question or the task."},
		{`{"input":7}`, "bad_request", "The field 'input' must be a string, not a number."},
		{`{"input":["a"]}`, "bad_request", "The field 'input' must be a string, not an array."},
		{`{"input":"` + strings.Repeat("a", 100_001) + `"}`, "bad_request", "The field 'input' is too long: at most 100000 characters."},
		{`{"input":"a","agent":""}`, "bad_request", "The field 'agent' must not be empty: write express, advanced, or the id or name of a saved agent."},
		{`{"input":"a","agent":1}`, "bad_request", "The field 'agent' must be a string, not a number."},
		{`{"input":"a","stream":"maybe"}`, "bad_request", "The field 'stream' must be true or false."},
		{`{"input":"a","stream":{}}`, "bad_request", "The field 'stream' must be true or false."},
		{`{"input":"a","tools":["web_search"]}`, "bad_request", "The field 'tools' must be an array of objects."},
		{`{"input":"a","tools":"web_search"}`, "bad_request", "The field 'tools' must be an array of objects."},
		{`{"input":"a","tools":{"type":"web_search"}}`, "bad_request", "The field 'tools' must be an array of objects."},
		{`{"input":"a","tools":[null]}`, "bad_request", "The field 'tools' must be an array of objects."},
		{`{"input":"a","tools":[{}]}`, "bad_request", "The field 'tools[0].type' is required: write web_search, compute or research."},
		{`{"input":"a","tools":[{"type":7}]}`, "bad_request", "The field 'tools[0].type' must be a string, not a number."},
		{`{"input":"a","tools":[{"type":"magic"}]}`, "bad_request", `The field 'tools[0].type' must be web_search, compute or research, not "magic".`},
		{`{"input":"a","tools":[{"type":"web_search"},{"type":"web_search"}]}`, "bad_request", `The field 'tools[1].type' is "web_search" a second time: keep one of them.`},
		{`{"input":"a","tools":[{"type":"web_search","trigger":"never"}]}`, "bad_request", "The field 'tools[0].trigger' must be intent or force."},
		{`{"input":"a","agent":"advanced","tools":[{"type":"research","search_effort":"extreme"}]}`, "bad_request", "The field 'tools[0].search_effort' must be auto, low, medium or high."},
		{`{"input":"a","agent":"advanced","tools":[{"type":"research","report_verbosity":"x","search_effort":"y"}]}`, "bad_request", "The field 'tools[0].report_verbosity' must be medium, low or high. The field 'tools[0].search_effort' must be auto, low, medium or high."},
		{`{"input":"a","agent":"advanced","verbosity":"loud"}`, "bad_request", "The field 'verbosity' must be one of low, medium, high."},
		{`{"input":"a","verbosity":"high"}`, "bad_request", "The field 'verbosity' is for the agent advanced: leave it out, or use that agent."},
		{`{"input":"a","workflow_config":{"max_workflow_steps":3}}`, "bad_request", "The field 'workflow_config.max_workflow_steps' is for the agent advanced: leave it out, or use that agent."},
		{`{"input":"a","agent":"advanced","workflow_config":{"max_workflow_steps":0}}`, "bad_request", "The field 'workflow_config.max_workflow_steps' must be a whole number from 1 to 20."},
		{`{"input":"a","agent":"advanced","workflow_config":{"max_workflow_steps":21}}`, "bad_request", "The field 'workflow_config.max_workflow_steps' must be a whole number from 1 to 20."},
		{`{"input":"a","agent":"advanced","workflow_config":{"max_workflow_steps":1.5}}`, "bad_request", "The field 'workflow_config.max_workflow_steps' must be a whole number of usual size, not 1.5."},
		{`{"input":"a","workflow_config":7}`, "bad_request", "The field 'workflow_config' must be an object, not a number."},
		{`{"input":"a","Stream":true}`, "bad_request", "The field 'Stream' is not known in this spelling: write stream."},
		{`{"input":"a","tools":[{"type":"web_search","TRIGGER":"force"}]}`, "bad_request", "The field 'tools[0].TRIGGER' is not known in this spelling: write trigger."},
		{`{"input":"a","input":"b"}`, "bad_request", "The field 'input' is there twice: keep one of them."},
		{`{"input":"","tools":[7]}`, "bad_request", "The field 'input' must not be empty: write the question or the task. The field 'tools' must be an array of objects."},
	} {
		got := w.ask(400, test.body)
		if got.Code != test.code || got.Detail != test.detail {
			t.Errorf("%.80s\ngot  %s %s\nwant %s %s", test.body, got.Code, got.Detail, test.code, test.detail)
		}
	}
	for body, detail := range map[string]string{
		`{"input":"a","tools":[{"type":"compute"}]}`:                        "tools[0]: the agent express has web_search alone.",
		`{"input":"a","tools":[{"type":"web_search"},{"type":"research"}]}`: "tools[1]: the agent express has web_search alone.",
		`{"input":"a","agent":"advanced","tools":[{"type":"web_search"}]}`:  "tools[0]: the agent advanced has compute and research; research searches the web.",
		`{"input":"a","agent":"writer","tools":[{"type":"compute"}]}`:       "tools[0]: the tools of a saved agent are those that it was saved with.",
	} {
		got := w.ask(403, body)
		if want := "You are not allowed to use the requested tool for this agent or tenant. " + detail; got.Code != "tool_not_allowed" || got.Detail != want {
			t.Errorf("%s: %s %s, want %s", body, got.Code, got.Detail, want)
		}
	}
}

// TestLeniency: what is not named, null, empty, or says what holds anyway, is no
// reason to refuse.
func TestLeniency(t *testing.T) {
	w := newWorld(t, says("x"))
	w.saveAgents()
	for _, body := range []string{
		`{"input":"a"}`, `{"input":"a","agent":null}`, `{"input":"a","tools":null}`, `{"input":"a","tools":[]}`,
		`{"input":"a","unknown":{"x":1},"temperature":2}`, `{"input":"a","tools":[{"type":"web_search","unknown":1}]}`,
		`{"input":"a","stream":false}`, `{"input":"a","stream":"False"}`, `{"input":"a","stream":0}`, `{"input":"a","stream":null}`,
		`{"input":"a","verbosity":null,"workflow_config":null}`, `{"input":"a","workflow_config":{}}`, `{"input":"a","workflow_config":{"max_workflow_steps":10}}`,
		`{"input":"a","agent":"writer","tools":[],"verbosity":""}`,
		`{"input":"a","agent":"advanced","tools":[{"type":"compute","trigger":"x"},{"type":"research"}],"verbosity":"low"}`,
	} {
		if got := w.ask(200, body); got.text() != "x" {
			t.Errorf("%s: %s", body, got.Body)
		}
	}
	for _, stream := range []string{`true`, `"true"`, `"TRUE"`, `"True"`, `1`, `"1"`, `"yes"`} {
		if tale := w.stream(t.Context(), `{"input":"a","stream":`+stream+`}`).tale(); tale != `created starting added0 "x" done0 finished:true` {
			t.Errorf("stream %s: %s", stream, tale)
		}
	}
}
