package browser

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// origin is where the API's own page is served from while it is developed.
const origin = "http://localhost:5173"

// visitor sends what the API's own page sends: no key, and the header of its origin.
type visitor struct {
	w *world
}

// ask sends a request as the page's fetch does, with the preflight that a browser
// sends before it, and reads the answer with the keys that the page reads.
func (v visitor) ask(method, path string, body any, into any) (status int) {
	t := v.w.T
	t.Helper()
	send := func(method string, body io.Reader, header map[string]string) (*http.Response, []byte) {
		request, err := http.NewRequestWithContext(t.Context(), method, v.w.URL+path, body)
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range header {
			request.Header.Set(name, value)
		}
		got, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer got.Body.Close()
		text, err := io.ReadAll(got.Body)
		if err != nil {
			t.Fatal(err)
		}
		if allowed := got.Header.Get("Access-Control-Allow-Origin"); allowed != origin && allowed != "*" {
			t.Errorf("%s %s: a browser would not show the answer to the page: %v", method, path, got.Header)
		}
		return got, text
	}
	header := map[string]string{"Origin": origin, "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "cors"}
	var text []byte
	if method != http.MethodGet {
		asked := map[string]string{"Origin": origin, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": "content-type"}
		got, _ := send(http.MethodOptions, nil, asked)
		if got.StatusCode > 299 || !strings.Contains(strings.ToLower(got.Header.Get("Access-Control-Allow-Headers")), "content-type") || !strings.Contains(got.Header.Get("Access-Control-Allow-Methods"), method) {
			t.Errorf("the preflight of %s %s: %d %v", method, path, got.StatusCode, got.Header)
		}
		header["Content-Type"] = "application/json"
		if body != nil {
			text, _ = json.Marshal(body) // of maps and texts
		}
	}
	got, answer := send(method, bytes.NewReader(text), header)
	if into != nil {
		if err := json.Unmarshal(answer, into); err != nil {
			t.Errorf("%s %s: the page can't read %s: %v", method, path, answer, err)
		}
	}
	return got.StatusCode
}

// pageRun is a run as the page shows it: it puts result between tags as it is, and
// breaks on an object.
type pageRun struct {
	ID       int     `json:"id"`
	Prompt   string  `json:"prompt"`
	Model    string  `json:"model"`
	Provider string  `json:"provider"`
	Result   *string `json:"result"`
	Done     bool    `json:"is_done"`
	Good     *bool   `json:"is_successful"`
	Steps    []struct {
		Run         int    `json:"task_run_id"`
		Number      int    `json:"step_number"`
		Description string `json:"description"`
		Actions     []struct {
			ID        int            `json:"id"`
			Name      string         `json:"name"`
			Params    map[string]any `json:"params"`
			Extracted *string        `json:"extracted_content"`
			Error     *string        `json:"error"`
		} `json:"actions"`
	} `json:"steps"`
}

// pageTask is a task as the page shows and edits it.
type pageTask struct {
	ID       int            `json:"id"`
	Prompt   string         `json:"prompt"`
	Model    string         `json:"model"`
	Provider string         `json:"provider"`
	Webhook  *string        `json:"webhook_url"`
	Format   string         `json:"response_format"`
	Schema   *string        `json:"json_schema"`
	Workflow map[string]any `json:"cached_workflow"`
	Use      bool           `json:"use_cached_workflow"`
	Created  time.Time      `json:"created_at"`
}

// saved is what the page sends to save a task: all of it, with empty texts for what
// is not set.
func (p pageTask) saved() map[string]any {
	return map[string]any{
		"prompt": p.Prompt, "model": p.Model, "provider": p.Provider, "webhook_url": deref(p.Webhook), "response_format": p.Format,
		"json_schema": deref(p.Schema), "cached_workflow": p.Workflow, "use_cached_workflow": p.Use,
	}
}

func newVisitor(t *testing.T, change map[string]string) visitor {
	t.Helper()
	w := stopped(t)
	w.Env["ERRAND_WEBAGENT_OPEN"] = "1"
	for name, value := range change {
		w.Env[name] = value
	}
	w.start()
	return visitor{w}
}

// TestPage makes the requests of the API's own page, in the order in which a person
// who uses it causes them.
func TestPage(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, nil)
	w := v.w
	var listed struct{ Tasks []pageTask }
	if status := v.ask("GET", "/api/tasks", nil, &listed); status != 200 || len(listed.Tasks) != 0 {
		t.Errorf("at first: %d %+v", status, listed)
	}
	w.plays(w.open("/"), act("input", map[string]any{"index": `"Search"`, "text": "lamp"}), act("send_keys", map[string]any{"keys": "Enter"}), quote("20 €", `{"name":"lamp","price":20}`))
	var made answer
	form := map[string]any{"prompt": "Find the price of a lamp.", "response_format": "json", "json_schema": price, "webhook_url": "", "wait_for_completion": true}
	if status := v.ask("POST", "/api/runs", form, &made); status != 200 || made.Status != "success" || made.Task != 1 || string(made.Result) != `{"name":"lamp","price":20}` {
		t.Fatalf("a task: %d %+v", status, made)
	}
	v.ask("GET", "/api/tasks", nil, &listed)
	if len(listed.Tasks) != 1 || listed.Tasks[0].Prompt != "Find the price of a lamp." || time.Since(listed.Tasks[0].Created) > time.Hour {
		t.Errorf("the tasks: %+v", listed)
	}

	var runs []struct {
		ID          int
		Description string
		Done        bool  `json:"is_done"`
		Good        *bool `json:"is_successful"`
	}
	v.ask("GET", "/api/tasks/1/runs", nil, &runs)
	if len(runs) != 1 || runs[0].ID != made.Run || runs[0].Description != "Find the price of a lamp." || !runs[0].Done || !*runs[0].Good {
		t.Errorf("the task's runs: %+v", runs)
	}
	var shown pageRun
	if v.ask("GET", "/api/runs/1", nil, &shown); shown.Result == nil || *shown.Result != `{"name":"lamp","price":20}` || len(shown.Steps) != 4 || shown.Steps[1].Actions[0].Name != "input" || shown.Steps[3].Actions[0].ID != 4 {
		t.Errorf("the run: %+v", shown)
	}

	task := v.edits()

	// Switched off, and with a mistake, of which the page shows the detail.
	task.Use = false
	if v.ask("PUT", "/api/tasks/1", task.saved(), &task); task.Use || task.Workflow == nil {
		t.Errorf("switched off: %+v", task)
	}
	var wrong struct{ Detail any }
	if status := v.ask("POST", "/api/runs", map[string]any{"prompt": "x", "wait_for_completion": true}, &wrong); status != 422 || wrong.Detail == nil {
		t.Errorf("a mistake: %d %+v", status, wrong)
	}
	if status := v.ask("GET", "/api/runs/99", nil, &wrong); status != 404 || wrong.Detail != "Task run with ID 99 not found" {
		t.Errorf("nothing: %d %+v", status, wrong)
	}
}

// edits does what the page's editor of workflows does: one is made of a run, shown
// with its task, changed, saved and run.
func (v visitor) edits() pageTask {
	t, w := v.w.T, v.w
	t.Helper()
	w.Model.Plays(func(rig.Conversation) rig.Turn { return rig.Turn{Text: found} })
	if status := v.ask("POST", "/api/runs/1/set-as-cached-workflow", nil, nil); status != 200 {
		t.Errorf("a workflow: %d", status)
	}
	var task pageTask
	v.ask("GET", "/api/tasks/1", nil, &task)
	steps, _ := task.Workflow["steps"].([]any)
	if parameters, _ := task.Workflow["parameters"].([]any); !task.Use || len(parameters) != 1 || len(steps) != 4 {
		t.Fatalf("the task's workflow: %+v", task)
	}
	added := map[string]any{
		"step_number": 4, "action_number": 1, "name": "find_text", "params": map[string]any{"text": "20 €"},
		"is_done": false, "success": nil, "extracted_content": "", "error": nil, "include_in_memory": false,
	}
	task.Workflow["steps"] = append(steps[:3:3], map[string]any{"step_number": 4, "description": "Read it.", "actions": []any{added}}, steps[3])
	task.Schema = nil
	task.Format = "text"
	if status := v.ask("PUT", "/api/tasks/1", task.saved(), &task); status != 200 || task.Schema != nil || task.Format != "text" {
		t.Errorf("saved: %d %+v", status, task)
	}
	asked := len(w.Model.Calls())
	var begun answer
	var shown pageRun
	v.ask("POST", "/api/tasks/1/runs", map[string]any{"wait_for_completion": false}, &begun)
	w.Eventually("the end of the run", func() bool { return v.ask("GET", "/api/runs/2", nil, &shown) == 200 && shown.Done })
	if begun.Run != 2 || !*shown.Good || shown.Result == nil || !strings.Contains(*shown.Result, "20 €") || len(w.Model.Calls()) != asked {
		t.Errorf("the replay: %+v", shown)
	}
	return task
}

// TestPageSavesWhatItShows: the page sends back every word of a task, also those
// that nobody has said. Where the API's own default model is not to be had, another
// answers, and goes on doing so.
func TestPageSavesWhatItShows(t *testing.T) {
	t.Parallel()
	v := newVisitor(t, map[string]string{"OPENAI_BASE_URL": "", "OPENAI_API_KEY": "", "ERRAND_MODEL": "offline", "ANTHROPIC_API_KEY": "sk-of-nobody"})
	var made answer
	v.ask("POST", "/api/runs", map[string]any{"prompt": "What is 6 times 7?", "wait_for_completion": true}, &made)
	if made.Status != "success" {
		t.Fatalf("%+v", made)
	}
	var task pageTask
	v.ask("GET", "/api/tasks/1", nil, &task)
	task.Prompt = "What is 6 times 8?"
	if status := v.ask("PUT", "/api/tasks/1", task.saved(), &task); status != 200 || task.Model != "o3" || task.Provider != "openai" {
		t.Fatalf("saved: %d %+v", status, task)
	}
	var again answer
	if v.ask("POST", "/api/tasks/1/runs", map[string]any{"wait_for_completion": true}, &again); again.Status != "success" {
		t.Errorf("%+v", again)
	}
	v.w.c.Do("PUT", "/api/tasks/1", map[string]any{"provider": "groq"}).Is(http.StatusUnprocessableEntity)
}
