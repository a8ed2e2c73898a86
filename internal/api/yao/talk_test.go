package yao_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"

	"errand/e2e/contract"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

// textOf is the text of a stream's chunks, each of which has one choice but for that
// of the usage.
func textOf(t *testing.T, frames []string) string {
	t.Helper()
	text := ""
	for i, frame := range frames {
		var chunk struct {
			Choices []struct{ Delta struct{ Content string } }
			Usage   *struct{}
		}
		switch {
		case frame == "[DONE]" && i == len(frames)-1:
			return text
		case json.Unmarshal([]byte(frame), &chunk) != nil || len(chunk.Choices) != 1 && chunk.Usage == nil:
			t.Fatalf("frame %s", frame)
		case len(chunk.Choices) == 1:
			text += chunk.Choices[0].Delta.Content
		}
	}
	t.Fatalf("the stream has no end: %q", frames)
	return ""
}

// The tool by which a host confirms is its own: no answer shows it, and a first
// message does not have it. What the caller wishes reaches the model.
func TestWhatTheHostSees(t *testing.T) {
	model := newHost(nil)
	w := newWorld(t, model)
	w.talk(said(opening), `,"temperature":0.2,"max_completion_tokens":99,"stop":"END","seed":7,"user":"u1","metadata":{"team":"blue"}`)
	first := model.Requests()[0]
	p := first.Params
	if len(first.Tools) != 0 || p.Temperature == nil || *p.Temperature != 0.2 || p.MaxTokens != 99 || len(p.Stop) != 1 || *p.Seed != 7 {
		t.Errorf("%+v, tools %v", p, first.Tools)
	}
	system := `[{"role":"system","content":"Speak German."},{"role":"user","content":"` + opening + `"},{"role":"assistant","content":"` + summary + `"},{"role":"developer","content":[{"type":"text","text":"Be brief."}]},{"role":"user","content":"yes"}]`
	done := w.want(200, "POST", talkPath, `{"messages":`+system+`}`)
	if strings.Contains(string(done.Body), robot.ConfirmTool) || strings.Contains(string(done.Body), "tool_calls") {
		t.Errorf("the tool is shown: %s", done.Body)
	}
	second := model.Requests()[1]
	if len(second.Tools) != 1 || second.Tools[0].Name != robot.ConfirmTool || !strings.HasSuffix(second.Messages[0].Text, "Speak German.\n\nBe brief.") {
		t.Errorf("%+v", second)
	}
	var body turnBody
	done.into(&body)
	s := w.state(body.ID)
	if s.Spec.Dialect != "yao" || !s.Spec.Tethered {
		t.Errorf("%+v", s.Spec)
	}
}

// The execution is there the moment that its id is told.
func TestThereAtOnce(t *testing.T) {
	w := newWorld(t, newHost(nil))
	for range 20 {
		got := w.talk(said(opening), `,"metadata":{"auto_confirm":true}`)
		w.want(200, "GET", "/v1/agent/robots/my-robot/executions/"+got.ExecutionID, "")
	}
	answer := w.want(200, "POST", "/v1/agent/robots/my-robot/execute", `{"goals":"Go"}`)
	w.want(200, "GET", answer.Header.Get("Location"), "")
}

// Goals that were confirmed in a chat are one execution; without a chat, or with
// others, each order is a new one unless an Idempotency-Key says so.
func TestExecute(t *testing.T) {
	w := newWorld(t, newHost(nil))
	order := func(body string, headers ...string) string {
		var made struct {
			ExecutionID string `json:"execution_id"`
		}
		w.want(200, "POST", "/v1/agent/robots/my-robot/execute", body, headers...).into(&made)
		return made.ExecutionID
	}
	if a, b := order(`{"goals":"Go","chat_id":"c1"}`), order(`{"goals":"Go","chat_id":"c1"}`); a == b {
		t.Error("nobody has confirmed these goals: each order is one")
	}
	if a, b := order(`{"goals":"Go"}`, "Idempotency-Key", "k"), order(`{"goals":"Go"}`, "Idempotency-Key", "k"); a != b {
		t.Error("an Idempotency-Key is not honoured")
	}
	if a, b := order(`{"goals":"Retried"}`), order(`{"goals":"Retried"}`, "X-Stainless-Retry-Count", "1"); a != b {
		t.Error("a marked retry starts another one")
	}
	w.talk(said(opening), `,"chat_id":"c1"`)
	confirmed := w.talk(said("yes"), `,"chat_id":"c1"`).ExecutionID
	if again := order(`{"goals":" `+opening+`\n","chat_id":"c1"}`, "Idempotency-Key", "k2"); again != confirmed {
		t.Errorf("%s is not %s", again, confirmed)
	}
	if other := order(`{"goals":"` + opening + `","chat_id":"c2"}`); other == confirmed {
		t.Error("another chat's goals are taken for these")
	}
	s := w.state(order(`{"goals":"Go","context":{"format":"markdown"},"chat_id":"c9"}`))
	if string(s.Spec.Context) != `{"format":"markdown"}` || s.Spec.Input.Text != "Go" {
		t.Errorf("%s %+v", s.Spec.Context, s.Spec.Input)
	}
	w.save("held", robot.Profile{DisplayName: "Held", RobotStatus: robot.Paused})
	for _, path := range []string{"/execute", "/completions"} {
		got := w.want(400, "POST", "/v1/agent/robots/held"+path, `{"goals":"Go","messages":`+said("Hi")+`}`)
		if !strings.Contains(string(got.Body), "robot_status") {
			t.Errorf("%s: %s", path, got.Body)
		}
	}
}

// An image may make a body of megabytes; above 20 MiB it is too large.
func TestLargeBody(t *testing.T) {
	model := newHost(nil)
	w := newWorld(t, model)
	picture := "data:image/png;base64," + base64.StdEncoding.EncodeToString(make([]byte, 6<<20))
	messages := `[{"role":"user","content":[{"type":"text","text":"What is this?"},{"type":"image_url","image_url":{"url":"` + picture + `"}}]}]`
	w.talk(messages, "")
	asked := model.Requests()[0].Messages
	if last := asked[len(asked)-1]; len(last.Images) != 1 || last.Images[0].URL != picture {
		t.Errorf("%d images", len(last.Images))
	}
	for body, want := range map[string]string{
		`{"messages":` + said(strings.Repeat("x", 100_001)) + `}`:                             "invalid_request messages[0].content",
		`{"messages":` + said("Hi") + `,"metadata":{"a":"` + strings.Repeat("x", 600) + `"}}`: "invalid_request metadata.a",
		`{"messages":` + said("Hi") + `,"user":"` + strings.Repeat("x", 300) + `"}`:           "invalid_request user",
		`{"messages":` + said("Hi") + `,"model":"` + strings.Repeat("x", 300) + `"}`:          "invalid_request model",
	} {
		if fault := w.want(400, "POST", talkPath, body).fault(); fault != want {
			t.Errorf("%.80s: %s", body, fault)
		}
	}
	if fault := w.want(413, "POST", talkPath, `{"messages":"`+strings.Repeat("x", 20<<20)+`"}`).fault(); fault != "too_large" {
		t.Error(fault)
	}
}

// brittle begins a reply and fails when the gate says so.
type brittle struct{ gate chan struct{} }

func (b brittle) Reply(ctx context.Context, _ *run.Request, emit func(run.Delta)) (run.Reply, error) {
	emit(run.Delta{Kind: run.TextDelta, Text: "Once "})
	select {
	case <-b.gate:
	case <-ctx.Done():
	}
	return run.Reply{Text: "Once "}, problem.New(problem.ModelGarbled, "The reply broke off.")
}

// A failure of a stream that has begun is a frame, because its status has left; no
// end follows, which would say that all is well.
func TestBrokenStream(t *testing.T) {
	gate := make(chan struct{})
	w := newWorld(t, brittle{gate})
	answer, err := w.send(t.Context(), "POST", talkPath, `{"messages":`+said("Hi")+`,"stream":true}`)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	close(gate)
	frames := w.frames(answer.Body)
	last := frames[len(frames)-1]
	if answer.StatusCode != 200 || len(frames) != 3 || !strings.HasPrefix(last, `{"error":{"message":"The reply broke off.`) || !strings.Contains(last, `"code":"model_garbled"`) {
		t.Errorf("%s %q", answer.Status, frames)
	}
}

// TestRoutesAndContract holds the table and the contract together.
func TestRoutesAndContract(t *testing.T) {
	w := newWorld(t, newHost(nil))
	terms, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	described := map[string]contract.Operation{}
	for _, operation := range terms.Operations() {
		if operation.Tags[0] == "Robots" {
			described[operation.Method+" "+operation.Path] = operation
		}
	}
	for _, route := range w.api.Routes() {
		name := strings.ReplaceAll(route.Method+" "+route.Path, "...}", "}")
		operation, ok := described[name]
		if !ok {
			t.Errorf("%s is not in api/openapi.yaml", name)
			continue
		}
		delete(described, name)
		if operation.Scope != route.Scope || operation.Open != route.Open || len(operation.Query) != len(route.Query) {
			t.Errorf("%s: the contract says %+v, the table scope %q (open: %t), query %v", name, operation, route.Scope, route.Open, route.Query)
		}
	}
	for name := range described {
		t.Errorf("%s is in api/openapi.yaml and not in the table", name)
	}
}
