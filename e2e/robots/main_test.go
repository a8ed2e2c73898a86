// Package robots tests the APIs that speak OpenAI's chat completions from outside:
// /v1/chat/completions and the robots under /v1/agent/robots, with OpenAI's own SDKs,
// the Vercel AI SDK, LangChain, curl and Python, and the native API beside them.
//
// It promises that each test has a server and a model's endpoint of its own, all on
// 127.0.0.1, and that what the SDKs get is what the real program sends.
//
// To change what an SDK is made to ask, edit e2e/sdk/openai.
package robots

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"

	"errand/e2e/rig"
)

func TestMain(m *testing.M) { rig.Main(m) }

type object = map[string]any
type list = []any

// playing is what the model does: the word before the colon of what the user said
// first says it.
func playing(c rig.Conversation) rig.Turn {
	call := func(name, arguments string) rig.Turn {
		return rig.Turn{Calls: []rig.ToolCall{{Name: name, Arguments: arguments}}}
	}
	wish, _, _ := strings.Cut(c.Prompt(), ":")
	results := c.Of("tool")
	switch {
	case offered(c, "robot_plan"):
		return working(c)
	case strings.Contains(c.Messages[0].Text(), "You are the host of the robot"):
		return hosting(c)
	case wish == "weather" && len(results) == 0:
		return call("weather", `{"city":"Rome"}`)
	case wish == "weather":
		return rig.Turn{Text: "It is " + results[0].Text() + "."}
	case wish == "mail" && len(results) == 0:
		return call("email.send", `{"to":"ada@example.com","subject":"Hello","body":"Hello Ada"}`)
	case wish == "mail":
		return rig.Turn{Text: "The letter is on its way."}
	case wish == "tale":
		return rig.Turn{Text: tale}
	case wish == "json":
		return rig.Turn{Text: `{"city":"Rome"}`}
	}
	return rig.Turn{Text: "The capital of France is Paris."}
}

func offered(c rig.Conversation, tool string) bool {
	for i := range c.Tools {
		if c.Tools[i].Function.Name == tool {
			return true
		}
	}
	return false
}

// hosting sums the goal up and asks; it takes a change into the summary, and hands
// over when it hears yes, or must.
func hosting(c rig.Conversation) rig.Turn {
	const mark, question = "The goal: ", ". Shall I start?"
	goal, last := "", ""
	for _, m := range c.Messages {
		_, said, summed := strings.Cut(m.Text(), mark)
		switch {
		case m.Role == "user":
			last = m.Text()
		case m.Role == "assistant" && summed:
			goal, _, _ = strings.Cut(said, question)
		}
	}
	change, changes := strings.CutPrefix(last, "yes, but ")
	confirmed := last == "yes" && goal != ""
	if goal == "" {
		goal = last
	}
	switch {
	case changes:
		return rig.Turn{Text: mark + goal + ", " + change + question}
	case offered(c, "confirm_task") && (confirmed || c.Step() == 0):
		arguments, _ := json.Marshal(object{"goals": goal}) // a text always has a JSON form
		return rig.Turn{Calls: []rig.ToolCall{{Name: "confirm_task", Arguments: string(arguments)}}}
	}
	return rig.Turn{Text: mark + goal + question}
}

// working plans one task, does it, and delivers.
func working(c rig.Conversation) rig.Turn {
	steps := []rig.ToolCall{
		{Name: "robot.plan", Arguments: `{"tasks":[{"description":"Look at it","expected_output":"Something to read"}]}`},
		{Name: "robot.report", Arguments: `{"task":"task-1","output":"It was looked at."}`},
		{Name: "robot.deliver", Arguments: `{"summary":"It is done.","body":"# Done\n\nIt was looked at."}`},
	}
	return rig.Turn{Calls: steps[min(c.Step(), 2):][:1]}
}

// newWorld is a world whose model plays, and breaks where it is asked to.
func newWorld(t *testing.T) *rig.World {
	t.Helper()
	w := rig.New(t)
	w.Model.Plays(playing)
	w.Env["OPENAI_BASE_URL"] = breaking(t, w) + "/v1"
	return w
}

// breaking stands before the world's model: "fail:" is refused, the reply to "break:"
// goes wrong in the middle, anything else is the model's.
func breaking(t *testing.T, w *rig.World) string {
	t.Helper()
	model, err := url.Parse(w.Model.URL)
	if err != nil {
		t.Fatal(err)
	}
	behind := httputil.NewSingleHostReverseProxy(model)
	behind.FlushInterval = -1
	server := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var asked rig.Conversation
		if body := copied(r); json.Unmarshal(body, &asked) != nil {
			asked = rig.Conversation{}
		}
		switch prompt := asked.Prompt(); {
		case strings.HasPrefix(prompt, "fail:"):
			rw.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(rw, `{"error":{"message":"The prompt is too long."}}`)
		case strings.HasPrefix(prompt, "break:"):
			rw.Header().Set("Content-Type", "text/event-stream")
			for range 20 {
				fmt.Fprint(rw, `data: {"choices":[{"index":0,"delta":{"role":"assistant","content":"All good so far. "}}]}`+"\n\n")
				_ = http.NewResponseController(rw).Flush()
			}
			rig.Pause(pieceTime)
			panic(http.ErrAbortHandler)
		default:
			behind.ServeHTTP(rw, r)
		}
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// told is what a script has printed.
func told(t *testing.T, result rig.Result, s *rig.Server) object {
	t.Helper()
	if result.Code != 0 {
		t.Fatalf("%s\n%s", result.Err, s.Log())
	}
	var all object
	if err := json.Unmarshal([]byte(result.Out), &all); err != nil {
		t.Fatalf("%v: %s", err, result.Out)
	}
	return all
}
