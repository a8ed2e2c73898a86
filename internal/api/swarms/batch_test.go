package swarms_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"

	"errand/internal/auth"
	"errand/internal/model/script"
	"errand/internal/problem"
	"errand/internal/run"
)

type batch struct {
	ID      string       `json:"batch_id"`
	Total   int          `json:"total_requests"`
	Results []completion `json:"results"`
	Seconds float64      `json:"execution_time"`
}

func (w *world) batch(status int, body string, headers ...string) batch {
	w.t.Helper()
	got := w.do("POST", "/v1/agent/batch/completions", body, headers...)
	if got.Status != status {
		w.t.Fatalf("got %d, want %d: %s", got.Status, status, got.Body)
	}
	var b batch
	if status == 200 {
		got.Into(&b)
	}
	return b
}

func each(tasks ...string) string {
	var items []string
	for _, task := range tasks {
		items = append(items, fmt.Sprintf(`{"agent_config":{"agent_name":%q,"streaming_on":true},"task":%q}`, task, task))
	}
	return "[" + strings.Join(items, ",") + "]"
}

// echoing answers with the task, or fails when it says so.
func echoing() *script.Model {
	return script.Func(func(_ context.Context, req run.Request) (script.Line, error) {
		task := req.Messages[len(req.Messages)-1].Text
		if task == "fail" {
			return script.Fail(problem.ModelRefused), nil
		}
		return script.Say("did " + task), nil
	})
}

// TestBatch: results are in the order of the request, and what fails fails alone.
func TestBatch(t *testing.T) {
	w := newWorld(t, echoing())
	body := strings.TrimSuffix(each("a", "fail", "c"), "]") + `,{},{"agent_config":{"max_loops":99},"task":"x"}]`
	b := w.batch(200, body)
	if b.Total != 5 || len(b.Results) != 5 || !strings.HasPrefix(b.ID, "batch-") {
		t.Fatalf("%+v", b)
	}
	for i, want := range []string{"a: did a", "", "c: did c"} {
		r := b.Results[i]
		if want != "" && (!r.Success || r.texts()[0] != want) {
			t.Errorf("%d: %+v", i, r)
		}
	}
	for i, want := range map[int]string{1: "the script says so", 3: "agent_config: Field required", 4: "agent_config.max_loops"} {
		if r := b.Results[i]; r.Success || !strings.Contains(r.Error, want) {
			t.Errorf("%d: %+v", i, r)
		}
	}
}

// TestBatchTogether: the items run at the same time.
func TestBatchTogether(t *testing.T) {
	var together sync.WaitGroup
	together.Add(10)
	w := newWorld(t, script.Func(func(context.Context, run.Request) (script.Line, error) {
		together.Done()
		together.Wait() // for ever, unless all ten are here
		return script.Say("ok"), nil
	}))
	if b := w.batch(200, each("1", "2", "3", "4", "5", "6", "7", "8", "9", "10")); len(b.Results) != 10 || !b.Results[9].Success {
		t.Errorf("%+v", b)
	}
}

// TestBatchShapes: what is no batch at all.
func TestBatchShapes(t *testing.T) {
	w := newWorld(t, echoing())
	w.batch(400, "["+strings.Repeat("{},", 10)+"{}]")
	w.batch(400, `[]`)
	w.batch(400, `[{"task":1,"task":2}]`)
	w.batch(400, `[`)
	w.batch(422, `{}`)
	w.batch(422, ``)
	w.batch(400, strings.Repeat(" ", 100)+"[]")
	b := w.batch(200, `[{},1]`)
	if len(b.Results) != 2 || b.Results[0].Success || b.Results[0].Error != "[0].agent_config: Field required" || b.Results[1].Error != "[1]: must be an object" {
		t.Errorf("%+v", b)
	}
	if lines, err := w.store.Runs(t.Context(), run.RunQuery{Project: auth.DefaultProject, Limit: 5}); err != nil || len(lines) != 0 {
		t.Errorf("%d runs, %v", len(lines), err)
	}
}

// TestBatchOnce: a repeated request makes no second run, and a run that is missing
// is said and not made.
func TestBatchOnce(t *testing.T) {
	w := newWorld(t, echoing())
	body := each("a", "b", "c")
	first := w.batch(200, body, "Idempotency-Key", "k1")
	again := w.batch(200, body, "Idempotency-Key", "k1")
	retried := w.do("POST", "/v1/agent/batch/completions", body)
	var third, fourth batch
	retried.Into(&third)
	repeated := w.do("POST", "/v1/agent/batch/completions", body, "X-Stainless-Retry-Count", "1")
	repeated.Into(&fourth)
	for i := range first.Results {
		if again.Results[i].JobID != first.Results[i].JobID || fourth.Results[i].JobID != third.Results[i].JobID || third.Results[i].JobID == first.Results[i].JobID {
			t.Errorf("%d: %s %s %s %s", i, first.Results[i].JobID, again.Results[i].JobID, third.Results[i].JobID, fourth.Results[i].JobID)
		}
	}
	if n := len(w.model.Requests()); n != 6 {
		t.Errorf("%d calls of the model, want 6", n)
	}
	gone, err := run.ParseID(third.Results[1].JobID)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.engine.Delete(t.Context(), auth.DefaultProject, gone, ""); err != nil {
		t.Fatal(err)
	}
	var fifth batch
	w.do("POST", "/v1/agent/batch/completions", body, "X-Stainless-Retry-Count", "2").Into(&fifth)
	if r := fifth.Results[1]; r.Success || !strings.Contains(r.Error, third.Results[1].JobID) || !fifth.Results[2].Success {
		t.Errorf("%+v", fifth)
	}
	if n := len(w.model.Requests()); n != 6 {
		t.Errorf("%d calls of the model after the deletion, want 6", n)
	}
}

// TestRetry: a retry of a stream gets the run's stream, from its start.
func TestRetry(t *testing.T) {
	w := newWorld(t, echoing())
	body := `{"agent_config":{"agent_name":"A"},"task":"x","stream":true}`
	first := w.complete(200, body)
	again := w.complete(200, body, "X-Stainless-Retry-Count", "1")
	if told(string(first.Body)) != "did x" || told(string(again.Body)) != "did x" || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("%s\n%s", first.Body, again.Body)
	}
	if n := len(w.model.Requests()); n != 1 {
		t.Errorf("%d calls of the model, want 1", n)
	}
	var frame struct {
		JobID string `json:"job_id"`
	}
	line, _, _ := strings.Cut(strings.TrimPrefix(string(first.Body), "data: "), "\n")
	if json.Unmarshal([]byte(line), &frame) != nil || !w.state(frame.JobID).Spec.Tethered {
		t.Errorf("%s", line)
	}
}
