package swarms

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"errand/e2e/rig"
)

// latest is the newest run of this API.
func latest(c *rig.Client) (found string) {
	var page struct {
		Data []struct {
			ID, Dialect string
		}
	}
	c.Get("/v1/runs?dialect=swarms&limit=1", &page)
	if len(page.Data) == 1 {
		found = page.Data[0].ID
	}
	return found
}

// post begins a request and does not wait for its end.
func post(ctx context.Context, t *testing.T, s *rig.Server, body any) (*http.Response, error) {
	t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/v1/agent/completions", strings.NewReader(string(text)))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("X-Api-Key", rig.AdminKey)
	return (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(request)
}

// TestDisconnect: a run that streams ends with its reader; one that does not goes on.
func TestDisconnect(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	for _, stream := range []bool{true, false} {
		before, release := latest(c), w.Model.Hold()
		ctx, leave := context.WithCancel(t.Context())
		left := make(chan struct{})
		go func() {
			defer close(left)
			answer, err := post(ctx, t, s, order(map[string]any{"stream": stream}, rig.Say("Late.")))
			if err == nil {
				_, _ = io.Copy(io.Discard, answer.Body) // up to its cancellation
				answer.Body.Close()
			}
		}()
		w.Eventually("the run", func() bool { return latest(c) != before })
		id := latest(c)
		rig.Pause(50e6)
		leave()
		<-left
		if stream {
			c.Until(id, "cancelled")
			release()
		} else {
			rig.Pause(400e6)
			release()
			if r := c.Until(id, "completed"); r.Summary() != "Late." {
				t.Errorf("%+v", r)
			}
		}
	}
}

// TestCancel: the native API cancels the run, and its stream says so.
func TestCancel(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	release := w.Model.Hold()
	defer release()
	said := make(chan string, 1)
	go func() {
		answer, err := post(t.Context(), t, s, order(map[string]any{"streaming_on": true}, rig.Say("Late.")))
		if err != nil {
			said <- err.Error()
			return
		}
		defer answer.Body.Close()
		text, _ := io.ReadAll(answer.Body)
		said <- string(text)
	}()
	w.Eventually("the run", func() bool { return latest(c) != "" })
	c.Do(http.MethodPost, "/v1/runs/"+latest(c)+"/cancel", nil).Good()
	contains(t, <-said, "event: start", "event: error", "The agent was cancelled")
}

// TestCrash: a server that dies in the middle of a batch makes nothing twice. The
// repeated request gets the answers of the runs that were made before.
func TestCrash(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	release := w.Model.Hold()
	items := []any{order(nil, rig.Say("One.")), order(nil, rig.Say("Two.")), order(nil, rig.Say("Three."))}
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = s.Client().Try(http.MethodPost, "/v1/agent/batch/completions", items, "Idempotency-Key", "batch-1") // it dies with the server
	}()
	runs := func(c *rig.Client) (ids []string) {
		var page struct{ Data []struct{ ID string } }
		c.Get("/v1/runs?dialect=swarms", &page)
		for _, r := range page.Data {
			ids = append(ids, r.ID)
		}
		return ids
	}
	w.Eventually("three runs", func() bool { return len(runs(s.Client())) == 3 })
	s.Kill()
	<-gone
	release()
	s = w.Start()
	c := s.Client()
	var batch struct{ Results []completion }
	c.Post("/v1/agent/batch/completions", items, &batch, "Idempotency-Key", "batch-1")
	var all []string
	for _, r := range batch.Results {
		all = append(all, r.answer())
	}
	if strings.Join(all, " ") != "One. Two. Three." || len(runs(c)) != 3 {
		t.Errorf("%v, %d runs", all, len(runs(c)))
	}
}

// TestPlanning: an agent that works by itself, with the real planning tools.
func TestPlanning(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	var done completion
	s.Client().Post("/v1/agent/completions", order(map[string]any{"max_loops": "auto"},
		`plan.create_plan {"task_description":"Ship it","steps":[{"step_id":"a","description":"Build"}]}`,
		`plan.think {"thought":"Hm."}`,
		`plan.subtask_done {"task_id":"a","summary":"Built."}`,
		`plan.respond_to_user {"message":"Nearly there."}`,
		`plan.complete_task {"summary":"Shipped."}`,
		rig.Say("It is shipped."),
	), &done)
	var roles []string
	for _, o := range done.Outputs {
		roles = append(roles, o.Role)
	}
	if want := "Tool Executor, Tool Executor, Tool Executor, Clerk, Tool Executor, Clerk"; strings.Join(roles, ", ") != want || done.answer() != "It is shipped." {
		t.Errorf("%v %s", roles, done.answer())
	}
	plan := string(done.Outputs[0].Content)
	contains(t, plan, "1. [a] Build")
}

// TestSearch: an answer after a search that found nothing says so, and cites
// nothing that was not found, streamed or whole.
func TestSearch(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	lines := []string{`web.search {"query":"the fee of Ulm"}`, rig.Say("It is five percent [[1]](https://nowhere.example/fee), they say.")}
	answer, err := post(t.Context(), t, s, order(map[string]any{"tools_enabled": []string{"auto_search"}, "stream": true}, lines...))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	var whole completion
	s.Client().Post("/v1/agent/completions", order(map[string]any{"tools_enabled": []string{"auto_search"}}, lines...), &whole)
	var told strings.Builder
	for line := range strings.Lines(string(text)) {
		var chunk struct{ Content string }
		if data, ok := strings.CutPrefix(line, "data: "); ok && json.Unmarshal([]byte(data), &chunk) == nil {
			told.WriteString(chunk.Content)
		}
	}
	if told.String() != whole.answer() {
		t.Errorf("streamed %q, whole %q", told.String(), whole.answer())
	}
	contains(t, whole.answer(), "It is five percent", "found nothing")
	contains(t, string(text), "event: done")
	if strings.Contains(whole.answer(), "nowhere.example") {
		t.Error(whole.answer())
	}
}

// TestCeiling: an agent that works by itself ends after 50 turns, or as many as the
// operator says, and the answer says so.
func TestCeiling(t *testing.T) {
	for setting, turns := range map[string]int{"": 50, "3": 3} {
		w := rig.New(t)
		w.Env["ERRAND_MAX_STEPS"] = setting
		w.Model.Plays(func(rig.Conversation) rig.Turn {
			return rig.Turn{Calls: []rig.ToolCall{{Name: "plan.think", Arguments: `{"thought":"Hm."}`}}}
		})
		c := w.Start().Client()
		got := c.Do(http.MethodPost, "/v1/agent/completions", order(map[string]any{"max_loops": "auto"})).Is(500)
		contains(t, string(got.Body), "ceiling of turns", "/v1/runs/agent-")
		if n := len(w.Model.Calls()); n != turns || got.Header.Get("X-Should-Retry") != "false" {
			t.Errorf("%d turns, want %d, %v", n, turns, got.Header)
		}
	}
}

// TestHandoff: an agent hands work to another. Both runs are in the native API, and
// each knows the other.
func TestHandoff(t *testing.T) {
	w := rig.New(t)
	s := w.Start()
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		switch {
		case strings.Contains(c.Messages[0].Text(), "Your name: Bea"):
			return rig.Turn{Text: "Seven sheep."}
		case len(c.Of("tool")) > 0:
			return rig.Turn{Text: "Bea says: seven."}
		}
		return rig.Turn{Calls: []rig.ToolCall{{Name: "handoff.Bea", Arguments: `{"task":"Count the sheep."}`}}}
	})
	var done completion
	c := s.Client()
	c.Post("/v1/agent/completions", order(map[string]any{"handoffs": []any{map[string]any{"agent_name": "Bea"}}}), &done)
	if done.answer() != "Bea says: seven." || len(done.Outputs) != 2 || !strings.Contains(string(done.Outputs[0].Content), "Seven sheep.") {
		t.Fatalf("%+v", done)
	}
	var child struct {
		Parent *string `json:"parent_run"`
		Prompt string
	}
	c.Get("/v1/runs/"+latest(c), &child) // it was made after its parent
	if child.Parent == nil || strings.TrimPrefix(*child.Parent, "run_") != strings.TrimPrefix(done.JobID, "agent-") || child.Prompt != "Count the sheep." {
		t.Errorf("%+v", child)
	}
}
