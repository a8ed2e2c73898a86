package e2e

import (
	"io"
	"net/http"
	"regexp"
	"strconv"
	"testing"

	"errand/e2e/rig"
)

// figures reads one page of metrics, each figure by its name and labels.
func figures(t *testing.T, s *rig.Server) map[string]float64 {
	t.Helper()
	answer, err := http.Get(s.URL + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]float64{}
	for _, line := range regexp.MustCompile(`(?m)^([a-z_]+(?:\{.*\})?) (\S+)$`).FindAllSubmatch(text, -1) {
		if all[string(line[1])], err = strconv.ParseFloat(string(line[2]), 64); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// TestFiguresThatMatter brings about each kind of waiting, and looks for it in the
// metrics: for a model, a tool, a person, a caller, the queue, the disk; what runs
// have cost; and which of them still wait, and for what.
func TestFiguresThatMatter(t *testing.T) {
	t.Parallel()
	w := priced(t)
	w.Env["ERRAND_MAX_ACTIVE"] = "1"
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	asking := map[string]any{
		"model": "auto", "functions": []any{map[string]any{"type": "function", "function": map[string]any{"name": "ask_me"}}},
		"prompt": rig.Steps("asks", `ask_me {}`, rig.Say("Thanks.")),
	}

	approved := gated(t, c, "approved")
	c.Post("/v1/runs/"+approved.ID+"/approve", map[string]any{"action_ids": approved.Actions()}, nil)
	c.Until(approved.ID, "completed")
	var answered rig.Run
	c.Post("/v1/runs", asking, &answered)
	c.Post("/v1/runs/"+answered.ID+"/tool_outputs", `{"outputs":[{"action_id":"act_01","output":"Yes."}]}`, nil)
	c.Until(answered.ID, "completed")
	release := w.Model.Hold()
	first, second := paying(c, "first", ""), paying(c, "second", "")
	c.Until(second, "queued")
	release()
	c.Until(first, "completed")
	c.Until(second, "completed")

	for range 3 {
		gated(t, c, "waits")
	}
	c.Post("/v1/runs", asking, nil)
	paused := gated(t, c, "paused")
	c.Do("POST", "/v1/runs/"+paused.ID+"/pause", nil).Good()
	stream := c.Stream(paused.ID, "")
	defer stream.Close()
	if _, err := stream.Next(); err != nil {
		t.Fatal(err)
	}

	got := figures(t, s)
	for _, above := range []string{
		"errand_model_call_seconds_count", "errand_model_call_seconds_sum", "errand_tool_call_seconds_count",
		`errand_wait_seconds_sum{for="person"}`, `errand_wait_seconds_sum{for="caller"}`, `errand_wait_seconds_sum{for="queue"}`,
		"errand_commit_group_seconds_sum", "errand_commit_group_size_sum", "errand_commits_total", "errand_commit_groups_total",
		`errand_model_cost_dollars_total{model="openai/mock"}`, `errand_model_tokens_total{kind="output",model="openai/mock"}`,
		`errand_runs_started_total{api="native"}`, `errand_runs_finished_total{api="native",reason="answered",status="completed"}`,
	} {
		if got[above] <= 0 {
			t.Errorf("%s is %v", above, got[above])
		}
	}
	for name, want := range map[string]float64{
		`errand_runs_parked{for="person"}`: 3, `errand_runs_parked{for="input"}`: 1, `errand_runs_parked{for="paused"}`: 1, `errand_runs_parked{for="child"}`: 0,
		"errand_streams": 1, "errand_runs_driven": 0, "errand_runs_queued": 0,
	} {
		if n, there := got[name]; n != want || !there {
			t.Errorf("%s is %v, want %v", name, n, want)
		}
	}
}
