package webagent_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/api/webagent"
	"errand/internal/auth"
	"errand/internal/engine"
	"errand/internal/model/script"
	"errand/internal/run"
)

// done is what a model says that has nothing to do.
func done(context.Context, run.Request) (script.Line, error) { return script.Say("Done."), nil }

// TestLive: a run is seen step by step while it goes on, can be stopped, and is
// then an answer that says so.
func TestLive(t *testing.T) {
	w := newWorld(t, script.Steps(
		script.Line{Reply: run.Reply{Text: "Open it.", Calls: []run.Call{{Name: "browser.navigate", Arguments: `{"url":"https://a.example"}`}}}},
		script.Call("browser.click", `{"index":1}`), script.Say("Never.")))
	w.page.started, w.page.hold = make(chan struct{}, 9), make(chan struct{})
	ids := w.want(200, "POST", "/api/runs", `{"prompt":"Click it.","wait_for_completion":false}`).told()
	<-w.page.started
	got := w.want(200, "GET", "/api/runs/1", "").told()
	for wait := 0; len(got.History) == 0 && wait < 1000; wait++ { // a safe call does not wait for the disk
		got = w.want(200, "GET", "/api/runs/1", "").told()
	}
	if got.Status != "in_progress" || got.IsDone || got.actions() != "navigate" || got.History[0].Description != "Open it." || got.History[0].Actions[0].Extracted != nil {
		t.Errorf("while the first action is under way: %+v", got)
	}
	if conflict := w.do("DELETE", "/api/runs/1", ""); conflict.Status != 409 {
		t.Errorf("deleting a run under way: %d %s", conflict.Status, conflict.Body)
	}
	if early := w.do("POST", "/api/runs/1/set-as-cached-workflow", ""); early.Status != 400 {
		t.Errorf("caching a run under way: %d %s", early.Status, early.Body)
	}
	stopped := w.want(200, "POST", "/api/runs/1/stop", "").told()
	last := stopped.History[len(stopped.History)-1].Actions[0]
	if stopped.Status != "failure" || !stopped.IsDone || stopped.Good || last.Name != "done" || last.Error == nil || *last.Error != "The run was stopped." {
		t.Errorf("stopped: %+v", stopped)
	}
	if again := w.want(200, "POST", "/runs/1/stop", "").told(); again.Status != "failure" {
		t.Errorf("stopped again: %+v", again)
	}
	for _, spelling := range []string{"1", stopped.RunID, strings.TrimPrefix(stopped.RunID, "run_")} {
		for _, prefix := range []string{"/api/runs/", "/runs/"} {
			if same := w.want(200, "GET", prefix+spelling, "").told(); same.Run != ids.Run {
				t.Errorf("%s%s: run %d", prefix, spelling, same.Run)
			}
		}
	}
	w.want(200, "DELETE", "/api/runs/1", "")
	w.want(404, "GET", "/api/runs/1", "")
	w.want(404, "GET", "/api/runs/"+stopped.RunID, "")
	if left := w.want(200, "GET", "/api/tasks/1/runs", ""); string(left.Body) != "[]" {
		t.Errorf("runs of the task: %s", left.Body)
	}
}

// TestNumbers: requests at the same time get numbers without gaps or doubles; a
// repeated request gets the first one's.
func TestNumbers(t *testing.T) {
	w := newWorld(t, script.Func(done))
	const many = 24
	var making sync.WaitGroup
	seen := make([]int, many)
	for i := range many {
		making.Go(func() {
			seen[i] = w.do("POST", "/api/runs", `{"prompt":"Go there.","wait_for_completion":false}`).told().Run
		})
	}
	making.Wait()
	slices.Sort(seen)
	for i, number := range seen {
		if number != i+1 {
			t.Fatalf("numbers: %v", seen)
		}
	}
	first := w.want(200, "POST", "/api/runs", `{"prompt":"Once.","wait_for_completion":false}`, "Idempotency-Key", "k").told()
	again := w.want(200, "POST", "/api/runs", `{"prompt":"Once.","wait_for_completion":false}`, "Idempotency-Key", "k")
	if again.told().Run != first.Run || again.Header.Get("Idempotent-Replayed") != "true" {
		t.Errorf("repeated: %s", again.Body)
	}
	if listed := w.want(200, "GET", "/api/runs?limit=2&before=9", ""); strings.Count(string(listed.Body), `"run_id"`) != 2 {
		t.Errorf("a page: %s", listed.Body)
	}
}

// TestReplay: a recorded workflow is repeated without a model; where the page has
// changed the model mends that one call, which is marked; what was mended can be
// kept, and holds from then on.
func TestReplay(t *testing.T) {
	model := script.Queue(
		script.Call("browser.navigate", `{"url":"https://a.example"}`),
		script.Call("browser.input", `{"index":4,"text":"tent"}`),
		script.Call("browser.click", `{"index":5}`),
		script.Say("Bought the tent."),
		script.Say(`{"parameters":[{"name":"what","description":"d","type":"string","exampleValue":"tent"}]}`),
		script.Call("browser.click", `{"index":7}`), // mends
	)
	w := newWorld(t, model)
	w.want(200, "POST", "/api/runs", `{"prompt":"Buy a tent."}`)
	w.want(200, "POST", "/api/runs/1/set-as-cached-workflow", "")
	asked := len(model.Requests())
	got := w.want(200, "POST", "/api/tasks/1/runs", `{"prompt":"Buy a lamp."}`).told()
	if got.Status != "success" || got.actions() != "navigate input click done" || len(model.Requests()) != asked {
		t.Fatalf("%d model calls: %+v", len(model.Requests())-asked, got)
	}
	want := []string{`navigate {"url":"https://a.example"}`, `input {"element":{"role":"button","xpath":"//b[4]"},"text":"lamp"}`, `click {"element":{"role":"button","xpath":"//b[5]"}}`}
	if diff := cmp.Diff(want, w.page.made()[3:]); diff != "" {
		t.Errorf("calls (-want +got):\n%s", diff)
	}
	w.page.broken = "//b[5]"
	got = w.want(200, "POST", "/api/tasks/1/runs", `{"parameters":{"what":"pan"}}`).told()
	if got.Status != "success" || got.actions() != "navigate input click! click* done" || len(model.Requests()) != asked+1 {
		t.Fatalf("mended, with %d model calls: %s %+v", len(model.Requests())-asked, got.actions(), got)
	}
	mended := got.History[2].Actions[1]
	if *mended.Attempt != 1 || *mended.Reason != "Cached action 'click' failed: nothing is at //b[5] any more" {
		t.Errorf("the mark: %d %q", *mended.Attempt, *mended.Reason)
	}
	request := model.Requests()[asked]
	if last := request.Messages[len(request.Messages)-1]; !strings.Contains(last.Text, "Step 3 of 3") || request.Replay != nil || len(request.Messages[2].Carry) > 0 {
		t.Errorf("the model was asked: %+v", last)
	}
	if saved := w.want(200, "POST", fmt.Sprintf("/api/runs/%d/set-as-cached-workflow", got.Run), ""); !strings.Contains(string(saved.Body), `"xpath":"//b[7]"`) || strings.Contains(string(saved.Body), `//b[5]`) {
		t.Errorf("saved: %s", saved.Body)
	}
	got = w.want(200, "POST", "/api/tasks/1/runs", `{"parameters":{"what":"cup"}}`).told()
	if got.actions() != "navigate input click done" || len(model.Requests()) != asked+1 {
		t.Errorf("after it was saved: %s", got.actions())
	}
}

// TestReplayFails: three attempts that mend nothing end the run, and so does a model
// that only looks; the run says so. What a model has done otherwise it is asked about.
func TestReplayFails(t *testing.T) {
	record := script.Call("browser.click", `{"index":5}`)
	look, again := script.Call("browser.extract", `{}`), script.Call("browser.click", `{"element":{"xpath":"//b[5]"}}`)
	for name, c := range map[string]struct {
		mends   []script.Line
		actions string
		why     string
	}{
		"in vain":    {[]script.Line{look, again, look, again, again}, "click! extract* click!* extract* click!* click!* done!", "3 attempts of the model in 5 turns"},
		"for ever":   {[]script.Line{look, look, look, look, look, look, look, look, look}, "click!" + strings.Repeat(" extract*", 8) + " done!", "in 8 turns"},
		"by another": {[]script.Line{script.Call("browser.navigate", `{"url":"https://a.example"}`), script.Say("DONE")}, "click! navigate* done", ""},
		"impossible": {[]script.Line{script.Say("CANNOT: the shop is closed")}, "click! done!", "the shop is closed"},
		"was done":   {[]script.Line{script.Say("Done.")}, "click! done", ""},
	} {
		t.Run(name, func(t *testing.T) {
			lines := append([]script.Line{record, script.Say("Clicked."), script.Say(`{"parameters":[]}`)}, c.mends...)
			w := newWorld(t, script.Queue(lines...))
			w.want(200, "POST", "/api/runs", `{"prompt":"Click it."}`)
			w.want(200, "POST", "/api/runs/1/set-as-cached-workflow", "")
			w.page.broken = "//b[5]"
			got := w.want(200, "POST", "/api/tasks/1/runs", "").told()
			last := got.History[len(got.History)-1].Actions
			if got.actions() != c.actions || got.Good != (c.why == "") || c.why != "" && !strings.Contains(*last[len(last)-1].Error, c.why) {
				t.Errorf("%s: %+v", got.actions(), got)
			}
		})
	}
}

// TestReplayWithSchema: a result that has a form is the model's to write, from what
// the replay has brought.
func TestReplayWithSchema(t *testing.T) {
	model := script.Queue(script.Call("browser.extract", `{"query":"price"}`), script.Say(`{"price":1}`), script.Say(`{"parameters":[]}`), script.Say(`{"price":2}`))
	w := newWorld(t, model)
	w.want(200, "POST", "/api/runs", `{"prompt":"Read the price.","json_schema":{"type":"object","required":["price"]}}`)
	w.want(200, "POST", "/api/runs/1/set-as-cached-workflow", "")
	if got := w.want(200, "POST", "/api/tasks/1/runs", "").told(); got.Status != "success" || string(got.Result) != `{"price":2}` || len(model.Requests()) != 4 {
		t.Errorf("%+v", got)
	}
}

// TestForeignRun: a run of another API is shown, and can become a workflow, which
// is a task of its own then.
func TestForeignRun(t *testing.T) {
	w := newWorld(t, script.Queue(script.Call("web.fetch", `{"url":"https://a.example/tent"}`), script.Say("Read."), script.Say(`{"parameters":[]}`)))
	fetch, _, err := w.page.Current(t.Context(), "", "web.fetch")
	if err != nil {
		t.Fatal(err)
	}
	id := w.engine.NewID()
	_, err = w.engine.Create(t.Context(), engine.NewRun{ID: id, Spec: run.Spec{
		Project: auth.DefaultProject, Dialect: "native", Model: "default", Scopes: []string{"admin"}, Tools: []run.Tool{fetch},
		Input: run.Message{Role: run.User, Text: "Read https://a.example/tent"}, Limits: run.Limits{MaxSteps: 5},
	}})
	if err == nil {
		_, err = w.engine.Wait(t.Context(), auth.DefaultProject, id)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got := w.want(200, "GET", "/api/runs/chatcmpl-"+id.String(), ""); !strings.Contains(string(got.Body), `"id":null`) || got.told().actions() != "web.fetch done" {
		t.Errorf("%s", got.Body)
	}
	if made := w.want(200, "POST", "/api/runs/"+id.String()+"/set-as-cached-workflow", "").told(); made.Task != 1 {
		t.Errorf("task %d", made.Task)
	}
	if got := w.want(200, "POST", "/api/tasks/1/runs", "").told(); got.actions() != "web.fetch done" || got.Status != "success" {
		t.Errorf("%+v", got)
	}
}

// TestWithoutBrowser: searching and reading is what is left.
func TestWithoutBrowser(t *testing.T) {
	model := script.Queue(script.Say("Searched."))
	w := newWorld(t, model)
	w.page.bare = true
	w.want(200, "POST", "/api/runs", `{"prompt":"Find it."}`)
	var got []string
	for _, tool := range model.Requests()[0].Tools {
		got = append(got, tool.Name)
	}
	if diff := cmp.Diff([]string{"web.search", "web.fetch"}, got); diff != "" {
		t.Error(diff)
	}
	refused := w.do("POST", "/api/runs", `{"prompt":"Go on.","use_cached_workflow":true,"cached_workflow":{"steps":[{"actions":[{"name":"click","params":{}}]}]}}`)
	if refused.Status != 422 || !strings.Contains(string(refused.Body), `no tool for the action \"click\"`) {
		t.Errorf("%d %s", refused.Status, refused.Body)
	}
}

// TestOpen: without a key come in only requests of this machine to itself, and only
// in the open mode; the API's page may read the answers, no other page can ask.
func TestOpen(t *testing.T) {
	closed := newWorld(t, script.Queue())
	closed.secret = ""
	closed.want(401, "GET", "/api/tasks", "")
	w := newWorld(t, script.Func(done), func(cfg *webagent.Config) { cfg.Open = true })
	w.secret = ""
	if got := w.want(200, "POST", "/api/runs", `{"prompt":"Go there."}`).told(); got.Status != "success" {
		t.Errorf("%+v", got)
	}
	page := w.want(200, "GET", "/api/tasks", "", "Origin", "http://localhost:5173")
	if page.Header.Get("Access-Control-Allow-Origin") != "http://localhost:5173" {
		t.Errorf("the page can't read: %v", page.Header)
	}
	before := w.want(204, http.MethodOptions, "/api/tasks/1", "", "Origin", "http://localhost:3000", "Access-Control-Request-Method", "PUT")
	if !strings.Contains(before.Header.Get("Access-Control-Allow-Methods"), "PUT") || !strings.Contains(before.Header.Get("Access-Control-Allow-Headers"), "Content-Type") {
		t.Errorf("the page can't ask: %v", before.Header)
	}
	for name, headers := range map[string][]string{
		"a foreign page":       {"Origin", "https://evil.example"},
		"a sandboxed page":     {"Origin", "null"},
		"an image of a page":   {"Sec-Fetch-Site", "cross-site"},
		"a name that rebinds":  {"Host", "evil.example:80"},
		"passed on by a proxy": {"X-Forwarded-For", "203.0.113.7"},
		"a key that is wrong":  {"Authorization", "Bearer sk_wrong"},
	} {
		got := w.do("POST", "/api/runs", `{"prompt":"Go there."}`, headers...)
		if got.Status != 401 || got.Header.Get("Access-Control-Allow-Origin") != "" {
			t.Errorf("%s: %d %v", name, got.Status, got.Header)
		}
	}
}

// TestTask: what a task says is changed by name and held by its runs; what a run's
// request says holds for that run alone.
func TestTask(t *testing.T) {
	model := script.Func(done)
	w := newWorld(t, model)
	w.want(200, "POST", "/api/runs", `{"prompt":"Go there."}`)
	w.want(200, "PUT", "/api/tasks/1", `{"prompt":"Go elsewhere.","provider":"groq","model":"llama","webhook_url":"https://h.example/","json_schema":null}`)
	w.want(422, "PUT", "/api/tasks/1", `{"prompt":"Go","provider":null}`)
	w.want(422, "PUT", "/api/tasks/1", `{"provider":"mistral"}`)
	w.want(422, "PUT", "/api/tasks/1", ``)
	w.want(200, "POST", "/api/tasks/1/runs", `{"prompt":"Just once."}`)
	w.want(200, "POST", "/api/tasks/1/runs", "")
	var asked []string
	for _, request := range model.Requests() {
		asked = append(asked, request.Model+": "+request.Messages[1].Text)
	}
	if diff := cmp.Diff([]string{"openai/o3: Go there.", "groq/llama: Just once.", "groq/llama: Go elsewhere."}, asked); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var light []struct {
		ID          int
		Description string
	}
	w.want(200, "GET", "/api/tasks/1/runs", "").into(&light)
	if len(light) != 3 || light[0].ID != 3 || light[1].Description != "Just once." {
		t.Errorf("%+v", light)
	}
	var run struct {
		Webhook string `json:"webhook_url"`
	}
	w.want(200, "GET", "/api/runs/3", "").into(&run)
	if run.Webhook != "https://h.example/" {
		t.Errorf("the webhook: %q", run.Webhook)
	}
}

// TestWebhookBody is the answer of the run, to the byte.
func TestWebhookBody(t *testing.T) {
	w := newWorld(t, script.Queue(script.Say("Done.")))
	answer := w.want(200, "POST", "/api/runs", `{"prompt":"Go there.","webhook_url":"https://h.example/"}`)
	id, err := run.ParseID(w.want(200, "GET", "/api/runs/1", "").told().RunID)
	if err != nil {
		t.Fatal(err)
	}
	s, err := w.engine.Get(t.Context(), auth.DefaultProject, id)
	if err != nil {
		t.Fatal(err)
	}
	body, err := webagent.Webhook(&s)
	if err != nil || !json.Valid(body) {
		t.Fatalf("%s: %v", body, err)
	}
	if diff := cmp.Diff(strings.TrimSpace(string(answer.Body)), string(body)); diff != "" || s.Spec.Webhook != "https://h.example/" {
		t.Errorf("%q: %s", s.Spec.Webhook, diff)
	}
}
