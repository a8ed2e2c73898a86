package app

import (
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"errand/client"
	"errand/internal/model/modeltest"
	"errand/internal/model/script"
)

// TestModelsCommands lists and tests the models of a server with two endpoints:
// Anthropic's format under its own name, and one that is down.
func TestModelsCommands(t *testing.T) {
	claude := httptest.NewServer(modeltest.NewMessages(script.Call("note.read", `{"name":"hello"}`), script.Say("Hello.")))
	defer claude.Close()
	w := newWorld(t).with("ERRAND_MODEL=", "ANTHROPIC_API_KEY=sk-ant-x", "ANTHROPIC_BASE_URL="+claude.URL)
	w = w.with("ERRAND_PRICES=" + w.file("ours.json", `{"as_of": "2026-11-20", "prices": {"anthropic/*": {"input": 9, "output": 9}, "shed/tiny": {"input": 0.5, "output": 1, "above": {"tokens": 32000, "input": 1, "output": 2}}}}`))
	settings := w.file("errand.yaml", `
endpoints:
  anthropic: {model: claude-sonnet-4-6, max_concurrent: 2}
  shed: {url: "http://127.0.0.1:1/v1", model: tiny}
fallbacks: {shed/tiny: anthropic/claude-sonnet-4-6}
prices: {anthropic/*: {input: 3, output: 15, written: 3.75}}
`)
	s := w.serve("--config", settings)
	at := w.with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	code, out, _ := at.run("models", "test", "--json")
	if code != exitFailed || !strings.Contains(out, `"model": "anthropic/claude-sonnet-4-6"`) || !strings.Contains(out, `"calls_tools": true`) || !strings.Contains(out, "can't be reached") {
		t.Errorf("models test: exit %d\n%s", code, out)
	}
	if code, out, errs := at.run("models", "test", "anthropic/claude-sonnet-4-6"); code != exitOK || !strings.Contains(out, `"ok": true`) {
		t.Errorf("models test of one: exit %d\n%s%s", code, out, errs)
	}
	if code, _, errs := at.run("models", "test", "groq/x"); code != exitFailed || !strings.Contains(errs, "GROQ_API_KEY") {
		t.Errorf("models test of one that is not there: exit %d, %s", code, errs)
	}
	page, err := client.New(s.url, adminKey).Models.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, m := range page.Data {
		if m.Resolves == "anthropic/claude-sonnet-4-6" && m.ID == "default" {
			found = m.Health != nil && m.Health.State == "closed" && m.Health.LastOK != nil && m.Price != nil && m.Price.Written == 3.75
		}
	}
	if !found {
		t.Errorf("the list does not show how the model is:\n%s", page.Raw)
	}
	at.terminal = true
	if _, out, _ := at.run("models"); !strings.Contains(out, "3 / 15") || !strings.Contains(out, "errand.yaml") {
		t.Errorf("models does not say where prices are from:\n%s", out)
	}
	if _, out, _ := w.run("doctor", "--config", settings); !strings.Contains(out, "each of them is a model here") {
		t.Errorf("doctor does not check the fallbacks:\n%s", out)
	}
	lost := w.with("ERRAND_FALLBACK=groq/x")
	if code, _, errs := lost.run("serve", "--addr", "127.0.0.1:0", "--data", t.TempDir()); code != exitUsage || !strings.Contains(errs, "GROQ_API_KEY") {
		t.Errorf("a fallback that is no model here: exit %d, %s", code, errs)
	}
	if code, _, errs := lost.run("demo"); code != exitOK {
		t.Errorf("the demo needs no fallback: exit %d, %s", code, errs)
	}
	run, err := client.New(s.url, adminKey).Runs.Create(t.Context(), client.Task{Model: "shed/tiny", Prompt: "hello"})
	if err != nil || run.Status != "completed" || run.Result.Summary != "Hello." {
		t.Errorf("the fallback did not answer: %v\n%s", err, run.Raw)
	}
}

// TestStoppingDoesNotWaitForAProvidersRate: a call that stands in the line of a
// provider that has said 429 is not waited for, and its run goes on at the next
// start.
func TestStoppingDoesNotWaitForAProvidersRate(t *testing.T) {
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "50")
		http.Error(w, `{"error":{"message":"slow down"}}`, http.StatusTooManyRequests)
	}))
	defer busy.Close()
	w := newWorld(t).with("ERRAND_MODEL=openai/m", "OPENAI_API_KEY=k", "OPENAI_BASE_URL="+busy.URL+"/v1")
	s := w.serve()
	api := client.New(s.url, adminKey)
	first, err := api.Runs.Create(t.Context(), client.Task{Model: "default", Prompt: "one", Background: true})
	if err != nil {
		t.Fatal(err)
	}
	health := func() *client.ModelHealth {
		page, err := api.Models.List(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		at := slices.IndexFunc(page.Data, func(m client.Model) bool { return m.ID == "default" })
		return page.Data[at].Health
	}
	eventually(t, "the first call is refused", func() bool { return health().Error == "model_rate_limited" })
	second, err := api.Runs.Create(t.Context(), client.Task{Model: "default", Prompt: "two", Background: true})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "a call stands in the line", func() bool { return health().Waiting > 0 })
	began := time.Now()
	if code := s.stop(); code != exitOK || time.Since(began) > 9*time.Second { // a call that is waited for gets 10 s
		t.Errorf("it stopped with %d after %v", code, time.Since(began))
	}

	ready := httptest.NewServer(modeltest.NewProvider(script.Say("done")))
	defer ready.Close()
	again := w.with("OPENAI_BASE_URL=" + ready.URL + "/v1").serve()
	api = client.New(again.url, adminKey)
	eventually(t, "the run that stood in the line goes on and ends", func() bool {
		run, err := api.Runs.Get(t.Context(), second.ID)
		if err != nil || run.Status == "failed" {
			t.Fatalf("%v, %s", err, run.Raw)
		}
		return run.Status == "completed"
	})
	if run, err := api.Runs.Get(t.Context(), first.ID); err != nil || run.Status == "failed" {
		t.Errorf("the run that was refused: %v, %s", err, run.Raw)
	}
}
