// Package browser tests browser runs from outside: the real program, a real
// Chromium, a shop of the tests' own, and a model that reads the pages as a model
// would and says what its script says.
//
// It promises that each test has a server, a shop and a browser of its own, that
// requests to the model are counted where they arrive, and that no process of a
// browser outlives its test. Without a Chromium the tests skip themselves and say so.
//
// To change the shop, edit shop_test.go; to add a task, task_test.go.
package browser

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

// world is a server with a browser, beside a shop.
type world struct {
	*rig.World
	*rig.Server
	c    *rig.Client
	shop *shop
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := stopped(t)
	w.start()
	return w
}

// stopped is a world whose server is yet to be started.
func stopped(t *testing.T) *world {
	t.Helper()
	chromium(t)
	w := &world{World: rig.New(t), shop: newShop(t)}
	t.Cleanup(func() {
		w.World.Kill()
		w.Eventually("the end of all processes of the browser", func() bool { return len(w.browsers()) == 0 })
	})
	return w
}

// start starts the server, again after a kill.
func (w *world) start() {
	w.T.Helper()
	w.Server = w.Start()
	w.c = w.Server.Client()
}

func chromium(t *testing.T) {
	t.Helper()
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome", "chrome", "headless-shell", "chrome-headless-shell"} {
		if _, err := exec.LookPath(name); err == nil {
			return
		}
	}
	t.Skip("Chromium is not installed")
}

// browsers are the processes that have a profile of this world's server, by their
// command lines: Chromium itself and what it has started.
func (w *world) browsers() map[int]string {
	w.T.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		w.T.Skip("there is no /proc")
	}
	found := map[int]string{}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(line), filepath.Join(w.Data(), "browser", "profile-")) {
			continue // it has ended meanwhile
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			found[pid] = strings.ReplaceAll(string(line), "\x00", " ")
		}
	}
	return found
}

// answer is what POST /api/runs answers, and what a webhook brings.
type answer struct {
	Task    int             `json:"task_id"`
	Run     int             `json:"task_run_id"`
	History []step          `json:"history"`
	Result  json.RawMessage `json:"result"`
	Done    bool            `json:"is_done"`
	Good    bool            `json:"is_successful"`
	Status  string          `json:"status"`
}

// whole is what GET /api/runs/{id} answers.
type whole struct {
	answer
	Steps []step `json:"steps"`
	RunID string `json:"run_id"`
	State string `json:"run_status"`
	Usage struct {
		Input int `json:"input_tokens"`
		Total int `json:"total_tokens"`
	} `json:"usage"`
	Error    *string `json:"error"`
	Sent     *bool   `json:"webhook_result_success"`
	Replayed bool    `json:"replayed"`
}

type step struct {
	Description string   `json:"description"`
	Screenshot  *string  `json:"screenshot"`
	Actions     []action `json:"actions"`
}

type action struct {
	Name      string         `json:"name"`
	Params    map[string]any `json:"params"`
	Success   *bool          `json:"success"`
	Extracted *string        `json:"extracted_content"`
	Error     *string        `json:"error"`
	ByModel   bool           `json:"executed_by_ai"`
	Reason    *string        `json:"fallback_reason"`
	Attempt   *int           `json:"fallback_attempt"`
}

// did lists a run's actions: ! behind one that failed, * behind one of the model in
// place of a recorded one.
func (a answer) did() string {
	var names []string
	for _, s := range a.History {
		for _, done := range s.Actions {
			name := done.Name
			if done.Error != nil {
				name += "!"
			}
			if done.ByModel {
				name += "*"
			}
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

// text is the result if it is one.
func (a answer) text() string {
	var text string
	_ = json.Unmarshal(a.Result, &text) // another value is no text
	return text
}

// run starts a run and waits for its end.
func (w *world) run(path string, body map[string]any) answer {
	w.T.Helper()
	var got answer
	w.c.Post(path, body, &got)
	return got
}

// begin starts a run and does not wait.
func (w *world) begin(path string, body map[string]any) answer {
	w.T.Helper()
	body["wait_for_completion"] = false
	return w.run(path, body)
}

// read reads a run as it stands.
func (w *world) read(number int) whole {
	w.T.Helper()
	var got whole
	w.c.Get(fmt.Sprintf("/api/runs/%d?screenshots=false", number), &got)
	return got
}

// ended waits for a run's end.
func (w *world) ended(number int) whole {
	w.T.Helper()
	var got whole
	w.Eventually("the end of the run", func() bool { got = w.read(number); return got.Done })
	return got
}

// A scene is what the model says when it reads a page.
type scene func(page string) rig.Turn

// plays lets the model play the scenes, one a turn. It reads the result of its last
// call.
func (w *world) plays(scenes ...scene) {
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		if c.Step() >= len(scenes) {
			return rig.Turn{Text: "There is no line for this turn."}
		}
		return scenes[c.Step()](lastPage(c))
	})
}

// lastPage is the result of the conversation's last call.
func lastPage(c rig.Conversation) string {
	if results := c.Of("tool"); len(results) > 0 {
		return results[len(results)-1].Text()
	}
	return ""
}

// act calls an action. In its arguments "index" may be the words by which the model
// finds the element's line in the page.
func act(name string, arguments map[string]any) scene {
	return func(page string) rig.Turn {
		given := map[string]any{}
		for key, value := range arguments {
			if words, is := value.(string); is && key == "index" {
				value = number(page, words)
			}
			given[key] = value
		}
		text, err := json.Marshal(given)
		if err != nil {
			return say(err.Error())(page)
		}
		return rig.Turn{Text: "I do this: " + name + ".", Calls: []rig.ToolCall{{Name: "browser." + name, Arguments: string(text)}}}
	}
}

func say(text string) scene {
	return func(string) rig.Turn { return rig.Turn{Text: text} }
}

// number is the number of the element that a line of the page describes; one that
// is nowhere for a line that is not there.
func number(page, words string) int {
	for line := range strings.SplitSeq(page, "\n") {
		var n int
		if _, err := fmt.Sscanf(strings.TrimPrefix(line, "*"), "[%d]", &n); err == nil && strings.Contains(line, words) {
			return n
		}
	}
	return 9999
}
