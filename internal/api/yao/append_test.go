package yao_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"errand/internal/model/script"
	"errand/internal/run"
)

// slow is a host that begins to answer and goes on when the gate lets it; once told
// otherwise it answers that at once.
func slow(gate chan struct{}) *script.Model {
	return script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		last := req.Messages[len(req.Messages)-1].Text
		if last != "Tell me a story" {
			return script.Say("As you like: " + last), nil
		}
		first := true
		return script.Line{
			Reply:  run.Reply{Text: "Once upon a time."},
			Deltas: []run.Delta{{Kind: run.TextDelta, Text: "Once "}, {Kind: run.TextDelta, Text: "upon a time."}},
			Before: func(ctx context.Context) error {
				if !first {
					return nil
				}
				first = false
				select {
				case <-gate:
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			},
		}, nil
	})
}

// begun starts a turn of the chat c1 on a stream and returns when it is under way.
func (w *world) begun(t *testing.T) io.ReadCloser {
	t.Helper()
	answer, err := w.send(t.Context(), "POST", talkPath, `{"messages":`+said("Tell me a story")+`,"chat_id":"c1","stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { answer.Body.Close() })
	if answer.StatusCode != 200 {
		t.Fatal(answer.Status)
	}
	return answer.Body
}

const appendPath = "/v1/agent/robots/my-robot/completions/c1/append"

// A graceful message is taken up behind the reply under way; a force drops that one.
func TestAppend(t *testing.T) {
	for kind, want := range map[string]string{
		"graceful": "Once upon a time.\n\nAs you like: Shorter",
		"force":    "As you like: Shorter",
	} {
		t.Run(kind, func(t *testing.T) {
			gate := make(chan struct{})
			w := newWorld(t, slow(gate))
			stream := w.begun(t)
			var body struct{ Message, Type string }
			w.want(200, "POST", appendPath, `{"type":"`+kind+`","messages":`+said("Shorter")+`}`).into(&body)
			if body.Type != kind || body.Message == "" {
				t.Errorf("%+v", body)
			}
			if kind == "graceful" {
				close(gate)
			}
			if text := textOf(t, w.frames(stream)); text != want {
				t.Errorf("got %q, want %q", text, want)
			}
			if kind == "force" {
				close(gate)
			}
			if fault := w.want(409, "POST", appendPath, `{"type":"graceful","messages":`+said("Too late")+`}`).fault(); fault != "conflict" {
				t.Error(fault)
			}
		})
	}
}

// A force without messages cuts the turn off; the chat goes on from before it.
func TestForceAlone(t *testing.T) {
	gate := make(chan struct{})
	defer close(gate)
	w := newWorld(t, slow(gate))
	stream := w.begun(t)
	w.want(200, "POST", appendPath, `{"type":"force"}`)
	if frames := strings.Join(w.frames(stream), "\n"); !strings.Contains(frames, `"code":"cancelled"`) || strings.Contains(frames, "[DONE]") {
		t.Error(frames)
	}
	if next := w.talk(said("Hello"), `,"chat_id":"c1"`); next.text() != "As you like: Hello" || len(w.state(next.ID).Spec.History) != 0 {
		t.Errorf("%+v", next)
	}
}

// A chat may be called like a run: 32 hex digits are what many make a name of.
func TestAppendToAChatOfDigits(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, slow(gate))
	const name = "0123456789abcdef0123456789abcdef"
	answer, err := w.send(t.Context(), "POST", talkPath, `{"messages":`+said("Tell me a story")+`,"chat_id":"`+name+`","stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	w.want(200, "POST", "/v1/agent/robots/my-robot/completions/"+name+"/append", `{"type":"graceful","messages":`+said("Shorter")+`}`)
	close(gate)
	if text := textOf(t, w.frames(answer.Body)); text != "Once upon a time.\n\nAs you like: Shorter" {
		t.Errorf("got %q", text)
	}
}

// What cannot be added is refused by name.
func TestAppendRefused(t *testing.T) {
	w := newWorld(t, newHost(nil))
	for body, want := range map[string]string{
		`{"type":"later","messages":` + said("x") + `}`:                          "invalid_request type",
		`{"type":"graceful"}`:                                                    "invalid_request messages",
		`{"type":"graceful","messages":[{"role":"assistant","content":"Yes."}]}`: "invalid_request messages[0].role",
	} {
		if fault := w.want(400, "POST", appendPath, body).fault(); fault != want {
			t.Errorf("%s: %s", body, fault)
		}
	}
	// An execution is steered by its id, and through the chat that has started it.
	w.talk(said(opening), `,"chat_id":"c1"`)
	w.talk(said("yes"), `,"chat_id":"c1"`)
	exec := w.one(t)
	if _, err := w.engine.Wait(t.Context(), "default", w.state(exec).ID); err != nil {
		t.Fatal(err)
	}
	for _, context := range []string{"c1", exec} {
		path := "/v1/agent/robots/my-robot/completions/" + context + "/append"
		if got := w.want(409, "POST", path, `{"type":"graceful","messages":`+said("x")+`}`); !strings.Contains(string(got.Body), "has ended") {
			t.Errorf("%s: %s", context, got.Body)
		}
	}
	w.want(404, "POST", "/v1/agent/robots/my-robot/completions/run_00000000000000000000000000000001/append", `{"type":"force"}`)
}
