package native_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/explain"
	"errand/internal/model/script"
	"errand/internal/run"
)

// requestOf is what the model was sent in an attempt.
func requestOf(t *testing.T, model *script.Model, step, attempt int) run.Request {
	t.Helper()
	all := model.Requests()
	i := slices.IndexFunc(all, func(r run.Request) bool { return r.Step == step && r.Attempt == attempt })
	if i < 0 {
		t.Fatalf("no request of step %d, attempt %d", step, attempt)
	}
	all[i].Trace = "" // of the connection, not of the prompt
	return all[i]
}

// TestPrompts holds that what is said to have been sent is what was sent, to the
// byte: with a message that came in the middle of a call, gated and open calls,
// outputs, a model's garbage and a rejection.
func TestPrompts(t *testing.T) {
	asked, reply := make(chan struct{}), make(chan struct{})
	model := script.Steps(
		script.Line{Reply: run.Reply{Text: "I look.", Calls: []run.Call{{Name: "finance.read", Arguments: `{"q": 1.50}`}}}, Before: func(ctx context.Context) error {
			close(asked)
			select {
			case <-reply:
			case <-ctx.Done():
			}
			return ctx.Err()
		}},
		script.Call("email.send", `{"to":"a"}`).And("nope", `{`).And("time.now", `{}`),
		script.Say("Done."),
	)
	w := newWorld(t, model)
	id := w.want(201, "POST", "/v1/runs", `{"model":"default","prompt":"Chase <them>","tools":["finance.read","email.send","time.now"],
		"instructions":"Be brief.","approval":{"required_for":["email.send"]},"background":true}`).text("id")
	<-asked
	w.want(200, "POST", "/v1/runs/"+id+"/messages", `{"content":"And hurry."}`)
	close(reply)
	untilStatus(t, w, id, "awaiting_approval")
	w.want(200, "GET", "/v1/runs/"+id+"/explain", "").has("waits.0.for", "approval").has("waits.0.action_id", "act_02").
		has("stuck", "false").count("steps", 2).has("steps.0.calls.0.outcome", "ok")
	w.want(200, "POST", "/v1/runs/"+id+"/approve", `{"action_ids":["act_02"],"reject":true,"on_reject":"continue","reason":"no"}`)
	untilStatus(t, w, id, "completed")
	w.want(200, "GET", "/v1/runs/"+id+"/explain", "").count("waits", 0).count("steps", 3).has("steps.2.attempts", 1)

	parsed, err := run.ParseID(id)
	if err != nil {
		t.Fatal(err)
	}
	events, _, err := w.engine.Events(t.Context(), "default", parsed, 0, 0)
	if err != nil {
		t.Fatal(err)
	}
	for step := 1; step <= 3; step++ {
		got, _, err := explain.Prompt(parsed, events, step)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(requestOf(t, model, step, 1), *got); diff != "" {
			t.Errorf("step %d (-sent +shown):\n%s", step, diff)
		}
	}
	shown := w.want(200, "GET", "/v1/runs/"+id+"/steps/2/prompt", "")
	sent := requestOf(t, model, 2, 1)
	for i := range sent.Messages {
		shown.has(fmt.Sprintf("messages.%d.text", i), sent.Messages[i].Text).has(fmt.Sprintf("messages.%d.role", i), sent.Messages[i].Role)
	}
	shown.count("messages", len(sent.Messages)).has("messages.2.calls.0.arguments", `{"q": 1.50}`).count("tools", 3)
	w.want(404, "GET", "/v1/runs/"+id+"/steps/4/prompt", "")
	w.want(404, "GET", "/v1/runs/"+id+"/steps/x/prompt", "")
}

func untilStatus(t *testing.T, w *world, id, status string) {
	t.Helper()
	deadline := time.After(time.Minute)
	for w.want(200, "GET", "/v1/runs/"+id, "").text("status") != status {
		select {
		case <-time.After(5 * time.Millisecond):
		case <-deadline:
			t.Fatalf("%s is not %s", id, status)
		}
	}
}

func TestStats(t *testing.T) {
	w := newWorld(t, script.Func(sayHello))
	for range 3 {
		w.want(201, "POST", "/v1/runs", `{"model":"default","prompt":"hi"}`)
	}
	for bucket, buckets := range map[string]int{"minute": 60, "hour": 24, "day": 30} {
		got := w.want(200, "GET", "/v1/stats?bucket="+bucket, "").has("complete", "true").count("data", buckets)
		last := fmt.Sprintf("data.%d.", buckets-1)
		if n := fmt.Sprint(got.get(last + "runs")); n != "3" && bucket != "minute" { // a minute may just have ended
			t.Errorf("%s: %s runs in %s", bucket, n, got.Body)
		}
	}
	w.want(400, "GET", "/v1/stats?bucket=minute&from=2020-01-01T00:00:00Z", "")
	w.want(400, "GET", "/v1/stats?from=2030-01-01T00:00:00Z&to=2029-01-01T00:00:00Z", "")
	w.want(400, "GET", "/v1/stats?bucket=week", "")
}

// sse reads frames of a stream.
type sse struct{ id, event, data string }

func feedFrames(t *testing.T, w *world, path, last string, want int) []sse {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, "GET", w.URL+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+w.Secret)
	request.Header.Set("Last-Event-ID", last)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer answer.Body.Close()
	var got []sse
	var one sse
	for lines := bufio.NewScanner(answer.Body); len(got) < want && lines.Scan(); {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			one.id = value
		case "event":
			one.event = value
		case "data":
			one.data = value
		case "":
			if one.event != "" {
				got = append(got, one)
			}
			one = sse{}
		}
	}
	return got
}

// TestProjectStream reads a feed from its beginning, comes back to it, and comes back
// with a cursor that nobody knows.
func TestProjectStream(t *testing.T) {
	w := newWorld(t, script.Steps(script.Call("email.send", `{"to":"a"}`), script.Say("Sent.")))
	first := feedFrames(t, w, "/v1/stream", "", 1)
	if len(first) != 1 || first[0].event != "resync" || !strings.Contains(first[0].data, "begin") || first[0].id == "" {
		t.Fatalf("%+v", first)
	}
	id := w.want(201, "POST", "/v1/runs", `{"model":"default","prompt":"x","tools":["email.send"],"approval":{"required_for":["email.send"]}}`).text("id")
	missed := feedFrames(t, w, "/v1/stream", first[0].id, 3)
	if len(missed) != 3 || missed[0].event != "run.changed" || missed[2].event != "approval.changed" {
		t.Fatalf("%+v", missed)
	}
	var asked struct {
		Run     string
		Pending int
	}
	if err := json.Unmarshal([]byte(missed[2].data), &asked); err != nil || asked.Run != id || asked.Pending != 1 {
		t.Errorf("%+v, %v", asked, err)
	}
	if again := feedFrames(t, w, "/v1/stream?after=zz.1", "", 1); len(again) != 1 || !strings.Contains(again[0].data, "restart") {
		t.Errorf("%+v", again)
	}
}
