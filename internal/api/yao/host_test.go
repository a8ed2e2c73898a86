package yao_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/api/wire"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// newHost is a model that does what a host is told to: it sums the goal up and asks,
// takes a change into the summary, and confirms when it hears yes. Executions end at
// once. Whatever begins with "wait" is answered when the gate lets it.
func newHost(gate chan struct{}) *script.Model {
	return script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		for _, tool := range req.Tools {
			if tool.Name == robot.PlanTool {
				return script.Say("Done."), nil
			}
		}
		line := hosts(&req)
		last := req.Messages[len(req.Messages)-1].Text
		if strings.HasPrefix(last, "wait") && gate != nil {
			line.Before = func(ctx context.Context) error {
				select {
				case <-gate:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		}
		return line, nil
	})
}

const (
	goalMark = "The goal: "
	askMark  = ". Shall I start?"
)

func hosts(req *run.Request) script.Line {
	goal, last := "", ""
	for _, m := range req.Messages {
		switch {
		case m.Role == run.User:
			last = m.Text
		case m.Role == run.Assistant && strings.Contains(m.Text, goalMark):
			_, goal, _ = strings.Cut(m.Text, goalMark)
			goal, _, _ = strings.Cut(goal, askMark)
		}
	}
	word := strings.ToLower(strings.Trim(last, " .!"))
	change, changes := strings.CutPrefix(word, "yes, but ")
	said := run.Reply{Usage: run.Usage{Input: 40, Output: 8}}
	switch {
	case strings.HasPrefix(word, "break"):
		return script.Fail(problem.ModelUnavailable)
	case changes:
		said.Text = goalMark + goal + " (" + change + ")" + askMark
	case req.Require != "" && len(req.Tools) > 0:
		said.Calls = []run.Call{{Name: req.Tools[0].Name, Arguments: goalsOf(last)}}
	case (word == "yes" || word == "ja, los" || word == "wait, yes") && len(req.Tools) > 0 && goal != "":
		said.Text = "Gladly."
		said.Calls = []run.Call{{Name: req.Tools[0].Name, Arguments: goalsOf(goal)}}
	default:
		said.Text = goalMark + last + askMark
	}
	return script.Line{Reply: said}
}

func goalsOf(text string) string {
	arguments, _ := json.Marshal(map[string]string{"goals": text})
	return string(arguments)
}

// turnBody is an answer of the conversation.
type turnBody struct {
	ID      string
	Object  string
	Model   string
	Choices []struct {
		Message struct{ Content string }
		Finish  string `json:"finish_reason"`
	}
	ChatID      string `json:"chat_id"`
	ExecutionID string `json:"execution_id"`
	Status      string
}

func (b *turnBody) text() string { return b.Choices[0].Message.Content }

// said are messages as a client keeps them: user and assistant take turns.
func said(texts ...string) string {
	type message struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	all := make([]message, len(texts))
	for i, text := range texts {
		all[i] = message{[]string{"user", "assistant"}[i%2], text}
	}
	encoded, _ := json.Marshal(all)
	return string(encoded)
}

const talkPath = "/v1/agent/robots/my-robot/chat/completions"

// talk sends a conversation and returns the answer; more are further fields.
func (w *world) talk(messages, more string, headers ...string) turnBody {
	w.t.Helper()
	var body turnBody
	got := w.want(200, "POST", talkPath, `{"messages":`+messages+more+`}`, headers...)
	got.into(&body)
	if got.Header.Get("X-Chat-Id") != body.ChatID || got.Header.Get("X-Execution-Id") != body.ExecutionID {
		w.t.Errorf("headers %v, body %s", got.Header, got.Body)
	}
	return body
}

// frames is a whole stream: the data of its frames.
func (w *world) frames(body io.Reader) []string {
	w.t.Helper()
	var all []string
	lines := bufio.NewScanner(body)
	for lines.Scan() {
		text := lines.Text()
		data, isData := strings.CutPrefix(text, "data: ")
		switch {
		case isData:
			all = append(all, data)
		case text != "" && !strings.HasPrefix(text, ":"):
			w.t.Errorf("line %q: only unnamed data frames are understood by all clients", text)
		}
	}
	if err := lines.Err(); err != nil {
		w.t.Fatal(err)
	}
	return all
}

// forgetful is the world behind another server over the same store: one that
// remembers no request.
func (w *world) forgetful() *world {
	w.t.Helper()
	served, err := wire.New(wire.Config{
		Routes: w.api.Routes(), Families: []*wire.Family{w.api.Family()}, Keys: w.keys, Rows: w.store,
		Recent: w.store.Recent, Draining: w.engine.Draining(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(served)
	w.t.Cleanup(server.Close)
	other := *w
	other.url = server.URL
	return &other
}

// await waits for something that comes about by itself. A reader of the run would
// keep it from being cut off.
func (w *world) await(come func() bool) {
	w.t.Helper()
	tick, late := time.NewTicker(10*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for !come() {
		select {
		case <-tick.C:
		case <-late:
			w.t.Fatal("it does not come about")
		}
	}
}

// one fails unless there is just one execution, and returns its id.
func (w *world) one(t *testing.T) string {
	t.Helper()
	all := w.executions("my-robot")
	if len(all) != 1 {
		t.Fatalf("%d executions, want 1", len(all))
	}
	return "exec_" + all[0].ID.String()
}
