package robots

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/e2e/rig"
)

const robots = "/v1/agent/robots"

// execID is how an execution is named.
var execID = regexp.MustCompile(`^exec_[0-9a-f]{32}$`)

// execution is what these tests look at of one.
type execution struct {
	ID, Status, Phase string
	Goals             struct{ Content string }
	Delivery          struct {
		Content struct{ Summary, Body string }
	}
}

// newRobot is a world with a server and the robot of the document.
func newRobot(t *testing.T) (*rig.World, *rig.Server, *rig.Client) {
	t.Helper()
	w := newWorld(t)
	s := w.Start()
	c := s.Client()
	hire(c)
	w.Env["ERRAND_URL"], w.Env["ERRAND_API_KEY"], w.Env["YAO_API_KEY"] = s.URL, rig.AdminKey, rig.AdminKey
	return w, s, c
}

func hire(c *rig.Client) {
	c.T.Helper()
	c.Post(robots, object{"member_id": "my-robot", "display_name": "My Robot", "robot_config": object{
		"identity": object{"role": "You look at things."}, "quota": object{"max": 10, "queue": 100}}}, nil).Is(201)
}

// ended waits for an execution's end.
func ended(w *rig.World, c *rig.Client, id string) execution {
	w.T.Helper()
	var x execution
	w.Eventually("the end of "+id, func() bool {
		c.Get(robots+"/my-robot/executions/"+id, &x)
		return x.Status != "pending" && x.Status != "running"
	})
	return x
}

// TestRobotWithOpenAI: the conversation with OpenAI's own SDK, to the delivery.
func TestRobotWithOpenAI(t *testing.T) {
	t.Parallel()
	w, s, c := newRobot(t)
	got := told(t, w.Node(t, "openai/robots.mjs"), s)
	id, _ := got["execution"].(string)
	delete(got, "execution")
	if !execID.MatchString(id) {
		t.Errorf("the execution is called %q", id)
	}
	failed := func(kind string, status float64, code string, param any) object {
		return object{"kind": kind, "status": status, "code": code, "param": param, "request": "string"}
	}
	if thrown, is := got["broken"].(object); is {
		delete(thrown, "request")
	}
	const goal = "Analyze our top 5 competitors"
	want := object{
		"first":       object{"text": "The goal: " + goal + ". Shall I start?", "status": "clarifying", "execution": nil, "chat": true},
		"changed":     object{"text": "The goal: " + goal + ", only three. Shall I start?", "same": true, "execution": nil},
		"confirmed":   object{"finish": "stop", "status": "pending", "named": true},
		"read":        object{"id": true, "member": "my-robot", "goals": goal + ", only three"},
		"again":       object{"same": true, "header": true},
		"helper":      object{"same": true, "finish": "stop"},
		"at_once":     object{"status": "pending", "execution": true},
		"models":      true,
		"no_robot":    failed("NotFoundError", 404, "robot_not_found", nil),
		"too_many":    failed("BadRequestError", 400, "unsupported_parameter", "n"),
		"no_messages": failed("BadRequestError", 400, "invalid_request", "messages"),
		"no_key":      failed("AuthenticationError", 401, "unauthenticated", nil),
		"broken":      object{"kind": "APIError", "code": "model_garbled", "param": nil},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if x := ended(w, c, id); x.Status != "completed" || x.Delivery.Content.Body != "# Done\n\nIt was looked at." {
		t.Errorf("%+v", x)
	}
	if run := c.Run(id); run.Status != "completed" {
		t.Errorf("the native API has it %s", run.Status)
	}
}

// TestRobotWithOthers: the Vercel AI SDK, LangChain and OpenAI's Agents SDK.
func TestRobotWithOthers(t *testing.T) {
	t.Parallel()
	w, s, _ := newRobot(t)
	want := object{
		"ai":        object{"asked": "The goal: Sweep the floor. Shall I start?", "finish": "stop", "named": true, "same": true},
		"langchain": object{"asked": "The goal: Wash the windows. Shall I start?", "named": true},
		"agents":    object{"asked": "The goal: Water the plants. Shall I start?", "named": true},
	}
	if diff := cmp.Diff(want, told(t, w.Node(t, "openai/robots-others.mjs"), s)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// example is one of the document's, with this server's address in it.
func example(t *testing.T, s *rig.Server, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(string(text), "https://your-server", s.URL)
}

// runs gives a program a text to run, in the world's environment.
func runs(t *testing.T, w *rig.World, text string, program ...string) string {
	t.Helper()
	path, err := exec.LookPath(program[0])
	if err != nil {
		t.Skipf("%s is not installed: scripts/setup.sh curl python", program[0])
	}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	command := exec.CommandContext(ctx, path, program[1:]...)
	command.Dir, command.Stdin = w.Dir, strings.NewReader(text)
	command.Env = []string{"PATH=" + w.Env["PATH"], "HOME=" + w.Dir, "YAO_API_KEY=" + w.Env["YAO_API_KEY"]}
	var errs strings.Builder
	command.Stderr = &errs
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s%s", program, err, out, errs.String())
	}
	return string(out)
}

// python is a Python that has requests.
func python(t *testing.T) string {
	t.Helper()
	for _, path := range []string{"/usr/bin/python3", "python3"} {
		if exec.Command(path, "-c", "import requests").Run() == nil {
			return path
		}
	}
	t.Skip("Python with requests is not installed: scripts/setup.sh python")
	return ""
}

// accepted holds the answer of /execute to the document, and returns the execution,
// which is there at once.
func accepted(t *testing.T, c *rig.Client, text string) string {
	t.Helper()
	var answer map[string]string
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	id := answer["execution_id"]
	delete(answer, "execution_id")
	if diff := cmp.Diff(map[string]string{"status": "pending", "message": "Execution started"}, answer); diff != "" || !execID.MatchString(id) {
		t.Fatalf("%s: %s", text, diff)
	}
	c.Get(robots+"/my-robot/executions/"+id, nil).Is(200)
	return id
}

// TestDocument runs the examples of the robots API's document as they stand there,
// but for the host's name.
func TestDocument(t *testing.T) {
	t.Parallel()
	w, s, c := newRobot(t)
	goal := "The goal: Analyze our top 5 competitors"
	script := func(name string) (status float64, kind, body string) {
		list, _ := told(t, w.Node(t, "openai/document.mjs", name), s)["told"].([]any)
		if len(list) != 1 {
			t.Fatalf("%s made %d requests", name, len(list))
		}
		seen, _ := list[0].(object)
		status, _ = seen["status"].(float64)
		kind, _ = seen["type"].(string)
		body, _ = seen["body"].(string)
		return status, kind, body
	}
	streamed := func(name, body, words string) {
		t.Helper()
		text := ""
		for line := range strings.Lines(body) {
			var chunk struct {
				Choices []struct {
					Delta struct{ Content string }
				}
			}
			if data, is := strings.CutPrefix(strings.TrimSpace(line), "data: {"); is && json.Unmarshal([]byte("{"+data), &chunk) == nil && len(chunk.Choices) > 0 {
				text += chunk.Choices[0].Delta.Content
			}
		}
		if !strings.HasPrefix(text, words) || !strings.HasSuffix(strings.TrimSpace(body), "data: [DONE]") {
			t.Errorf("%s: %q in %s", name, text, body)
		}
	}
	streamed("curl", runs(t, w, example(t, s, "completions.sh"), "bash"), "The goal: Hello")
	streamed("body", runs(t, w, example(t, s, "completions.json"), "curl", "-sS", s.URL+robots+"/my-robot/completions",
		"-H", "Authorization: Bearer "+rig.AdminKey, "-H", "Content-Type: application/json", "-d", "@-"), goal+" and write a report")
	status, kind, body := script("completions")
	if streamed("TypeScript", body, goal); status != 200 || !strings.HasPrefix(kind, "text/event-stream") {
		t.Errorf("%v %s", status, kind)
	}
	first := accepted(t, c, runs(t, w, example(t, s, "execute.sh"), "bash"))
	_, _, body = script("execute")
	second := accepted(t, c, body)
	third := strings.TrimSpace(runs(t, w, example(t, s, "execute.py")+"\nprint(execution_id)\n", python(t), "-"))
	if first == second || second == third || !execID.MatchString(third) {
		t.Errorf("executions %q, %q, %q", first, second, third)
	}
	for _, id := range []string{first, second, third} {
		if x := ended(w, c, id); x.Status != "completed" || x.Goals.Content != "Analyze our top 5 competitors and write a report" {
			t.Errorf("%+v", x)
		}
	}
}

// TestKilledAfterTheHandOff: what was handed over is on disk before anybody hears of
// it, and goes on after kill -9 under the same id, once.
func TestKilledAfterTheHandOff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Env["OPENAI_BASE_URL"] = w.Model.URL + "/v1"
	begun, gate := make(chan struct{}), make(chan struct{})
	first, open := sync.OnceFunc(func() { close(begun) }), sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open)
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		if offered(c, "robot_plan") && c.Step() == 0 {
			first()
			<-gate // the first step has not ended when the server dies
		}
		return playing(c)
	})
	s := w.Start()
	c := s.Client()
	hire(c)
	var answer struct {
		Execution string `json:"execution_id"`
		Choices   []struct {
			Message struct{ Content string }
		}
	}
	talk := list{object{"role": "user", "content": "Sweep the floor"}}
	c.Post(robots+"/my-robot/chat/completions", object{"messages": talk}, &answer).Good()
	talk = append(talk, object{"role": "assistant", "content": answer.Choices[0].Message.Content}, object{"role": "user", "content": "yes"})
	c.Post(robots+"/my-robot/chat/completions", object{"messages": talk}, &answer).Good()
	id := answer.Execution
	if !execID.MatchString(id) {
		t.Fatalf("%+v", answer)
	}
	rig.Await(t, "the first step", begun)
	s.Kill()
	open()
	c = w.Start().Client()
	if x := ended(w, c, id); x.Status != "completed" || x.Goals.Content != "Sweep the floor" {
		t.Errorf("%+v", x)
	}
	c.Post(robots+"/my-robot/chat/completions", object{"messages": talk}, &answer).Good()
	var all struct{ Total int }
	if c.Get(robots+"/my-robot/executions", &all); answer.Execution != id || all.Total != 1 {
		t.Errorf("confirmed again it is %s and not %s; there are %d executions", answer.Execution, id, all.Total)
	}
}
