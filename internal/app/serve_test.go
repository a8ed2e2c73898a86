package app

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"errand/client"
	"errand/internal/auth"
	"errand/internal/problem"
	"errand/internal/tool/email/sink"
)

func TestServeIsReadyAndSaysSo(t *testing.T) {
	s := newWorld(t).serve()
	for path, want := range map[string]string{"/healthz": "ok", "/readyz": "ready", "/metrics": "errand_streams 0"} {
		if status, body := s.get(path); status != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d %q, want %q", path, status, body, want)
		}
	}
	if strings.Contains(s.banner, adminKey) || strings.Contains(s.banner, "Key ") {
		t.Errorf("the banner shows a key that the operator has set:\n%s", s.banner)
	}
	if !strings.Contains(s.banner, "no language model") {
		t.Errorf("the banner does not say that the model is offline:\n%s", s.banner)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("a drained server exits with %d", code)
	}
}

func TestFirstStartPrintsAKeyOnce(t *testing.T) {
	w := newWorld(t).with("ERRAND_ADMIN_KEY=")
	s := w.serve()
	found := regexp.MustCompile(`Key +(\S{16,})`).FindStringSubmatch(s.banner)
	if found == nil {
		t.Fatalf("no key in\n%s", s.banner)
	}
	if code, _, errs := w.with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+found[1]).run("runs", "list"); code != 0 {
		t.Errorf("the key does not work: %s", errs)
	}
	s.stop()
	if strings.Contains(s.errs.String(), found[1]) {
		t.Error("the key is in the log")
	}
	if again := w.serve(); strings.Contains(again.banner, "Key ") {
		t.Errorf("the second start prints a key:\n%s", again.banner)
	}
}

func TestBeyondLoopbackNeedsAKey(t *testing.T) {
	w := newWorld(t).with("ERRAND_ADMIN_KEY=")
	code, out, errs := w.run("serve", "--addr", "0.0.0.0:0")
	if code != exitUsage || out != "" || !strings.Contains(errs, "ERRAND_ADMIN_KEY") {
		t.Errorf("exit %d, %q, %q", code, out, errs)
	}
	w.serve().stop() // makes a key
	if open := w.serve("--addr", "0.0.0.0:0"); open.stop() != 0 {
		t.Errorf("with a key in the store: %s", open.errs)
	}
}

func TestSecondServerIsRefused(t *testing.T) {
	w := newWorld(t)
	w.serve()
	code, _, errs := w.run("serve", "--addr", "127.0.0.1:0")
	if code != exitFailed || !strings.Contains(errs, fmt.Sprint("pid ", os.Getpid())) || !strings.Contains(errs, "--data") {
		t.Errorf("exit %d, %s", code, errs)
	}
}

func TestDataIsClosedToOthers(t *testing.T) {
	w := newWorld(t)
	w.serve()
	dir := filepath.Join(w.dir, "data")
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%s: %v, %v", dir, info.Mode(), err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatal(err)
	}
	for _, entry := range entries {
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		if info, err := entry.Info(); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, %v", entry.Name(), info.Mode(), err)
		}
	}
}

func TestLogsHideSecrets(t *testing.T) {
	const secret = "hunter2hunter2"
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "no such key: "+r.Header.Get("Authorization"), http.StatusUnauthorized)
	}))
	defer broken.Close()
	w := newWorld(t).with("ERRAND_MODEL=", "ERRAND_LOG_LEVEL=debug", "OPENAI_API_KEY="+secret, "OPENAI_BASE_URL="+broken.URL+"/v1")
	s := w.serve()
	run, err := client.New(s.url, adminKey).Runs.Create(t.Context(), client.Task{Model: "openai/m", Prompt: "hello"})
	if err != nil || run.Status != "failed" {
		t.Fatalf("%v %s", err, run.Raw)
	}
	s.stop()
	for where, text := range map[string]string{"log": s.errs.String(), "run": string(run.Raw)} {
		if strings.Contains(text, secret) || strings.Contains(text, adminKey) {
			t.Errorf("the %s shows a secret:\n%s", where, text)
		}
	}
}

// invoices makes the files of a server that chases invoices, with mails to the
// returned sink.
func invoices(t *testing.T) (*world, *sink.Sink) {
	t.Helper()
	mails, err := sink.Start("")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mails.Close() })
	w := newWorld(t)
	d := &demo{p: &process{}, dir: w.dir}
	if err := d.unpack(); err != nil {
		t.Fatal(err)
	}
	return w.with("ERRAND_CONFIG="+filepath.Join(w.dir, "errand.yaml"), "ERRAND_SMTP_URL="+mails.URL(), "ERRAND_SMTP_FROM="+demoFrom), mails
}

func TestARunOutlivesItsServer(t *testing.T) {
	w, mails := invoices(t)
	s := w.serve()
	api := client.New(s.url, adminKey)
	d := &demo{p: &process{}, dir: w.dir}
	agent, err := d.agent(t.Context(), api)
	if err != nil {
		t.Fatal(err)
	}
	run, err := api.Agents.Run(t.Context(), agent.ID, client.Task{Prompt: demoPrompt})
	if err != nil || run.Status != "awaiting_approval" || len(run.PendingActions) != 3 {
		t.Fatalf("%v %s", err, run.Raw)
	}
	if code := s.stop(); code != 0 {
		t.Fatalf("exit %d: %s", code, s.errs)
	}

	api = client.New(w.serve().url, adminKey)
	if err := d.approveAll(t.Context(), api, run); err != nil {
		t.Fatal(err)
	}
	after := ""
	if run, err = followRun(t.Context(), api, nothing{}, run.ID, &after); err != nil {
		t.Fatal(err)
	}
	if err := d.verify(run, mails.Messages()); err != nil {
		t.Error(err)
	}
}

// slowTool is an HTTP tool whose calls can be held.
type slowTool struct {
	*httptest.Server
	came, release chan struct{}
}

func newSlowTool(t *testing.T) *slowTool {
	s := &slowTool{came: make(chan struct{}, 10), release: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // until it is read, a caller who goes away is not noticed
		s.came <- struct{}{}
		select {
		case <-s.release:
		case <-r.Context().Done():
		}
		_, _ = w.Write([]byte(`{"status":"the boiler is off"}`))
	}))
	t.Cleanup(s.Close)
	return s
}

func TestStoppingLetsCallsFinish(t *testing.T) {
	tool := newSlowTool(t)
	w := newWorld(t).with("ERRAND_EGRESS_ALLOW=127.0.0.0/8")
	s := w.serve()
	api := client.New(s.url, adminKey, client.WithRetries(0))
	if _, err := api.Tools.Create(t.Context(), map[string]any{
		"name": "boiler.switch_off", "description": "Switches the boiler off.", "url": tool.URL,
	}); err != nil {
		t.Fatal(err)
	}
	run, err := api.Runs.Create(t.Context(), client.Task{
		Model: "offline", Prompt: "Switch off the boiler", Tools: []string{"boiler.switch_off"}, Background: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	select {
	case <-tool.came:
	case <-time.After(time.Minute):
		t.Fatal("the tool was not called")
	}
	stream, last := openStream(t, s.url, run.ID)
	stopped := make(chan int, 1)
	go func() { stopped <- s.stop() }()
	// The stream ends at once, without run.finished, while the call goes on.
	if text := <-stream; strings.Contains(text, "run.finished") {
		t.Errorf("the stream ended with run.finished:\n%s", text)
	}
	eventually(t, "the listener to close", func() bool {
		answer, err := http.Get(s.url + "/readyz")
		if err == nil {
			answer.Body.Close()
		}
		return err != nil || answer.StatusCode == http.StatusServiceUnavailable
	})
	close(tool.release)
	if code := <-stopped; code != 0 {
		t.Errorf("exit %d: %s", code, s.errs)
	}

	api = client.New(w.serve().url, adminKey)
	var seen []string
	for frame, err := range api.Runs.Stream(t.Context(), run.ID, client.Watch{After: *last}) {
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, frame.Type)
	}
	if text := strings.Join(seen, " "); !strings.HasSuffix(text, "run.finished") || strings.Count(text, "tool.finished") > 1 {
		t.Errorf("after the restart: %s", text)
	}
	if run, err = api.Runs.Get(t.Context(), run.ID); err != nil || run.Status != "completed" {
		t.Errorf("%v %s", err, run.Raw)
	}
	if len(tool.came) != 0 {
		t.Error("the tool was called twice")
	}
}

// openStream reads a stream in the background; its text comes when it has ended.
func openStream(t *testing.T, url, id string) (<-chan string, *string) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/runs/"+id+"/stream", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+adminKey)
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	var last string
	ended := make(chan string, 1)
	go func() {
		defer answer.Body.Close()
		var text strings.Builder
		piece := make([]byte, 4<<10)
		for {
			n, err := answer.Body.Read(piece)
			text.Write(piece[:n])
			if err != nil {
				break
			}
		}
		for _, found := range regexp.MustCompile(`(?m)^id: (\S+)`).FindAllStringSubmatch(text.String(), -1) {
			last = found[1]
		}
		ended <- text.String()
	}()
	return ended, &last
}

func TestAgentsAndToolsOfTheSettings(t *testing.T) {
	w := newWorld(t)
	w.file("agent.yaml", "name: helper\nmodel: auto\ninstructions: Help.\ntools: [boiler.read]\n")
	w = w.with("ERRAND_CONFIG=" + w.file("errand.yaml", `
agents: [agent.yaml]
tools: [{name: boiler.read, url: "https://boiler.example.com/", effect: safe}]
`))
	for range 2 { // the second start changes nothing
		s := w.serve()
		api := client.New(s.url, adminKey)
		agent, err := api.Agents.Get(t.Context(), "helper")
		if err != nil || agent.Version != 1 {
			t.Errorf("%v %s", err, agent.Raw)
		}
		tool, err := api.Tools.Get(t.Context(), "boiler.read")
		if err != nil || tool.Origin != "operator" || tool.Effect != "safe" {
			t.Errorf("%v %s", err, tool.Raw)
		}
		s.stop()
	}
	bad := w.with("ERRAND_CONFIG=" + w.file("bad.yaml", "tools: [{name: x, uri: 'https://x.example'}]"))
	if code, _, errs := bad.run("serve", "--addr", "127.0.0.1:0"); code == 0 || !strings.Contains(errs, "uri") {
		t.Errorf("exit %d: %s", code, errs)
	}
}

func TestPublicURLIsInTheLinks(t *testing.T) {
	s := newWorld(t).with("ERRAND_PUBLIC_URL=https://errand.example/", "ERRAND_LOG_LEVEL=debug").serve()
	if !strings.Contains(s.banner, "https://errand.example (") {
		t.Errorf("the banner names another address:\n%s", s.banner)
	}
	s.url = regexp.MustCompile(`addr=(\S+)`).FindStringSubmatch(s.errs.String() + " addr=none")[1]
	if s.url == "none" {
		t.Fatal("the log does not say where the server listens")
	}
	s.url = "http://" + s.url
	if status, body := s.get("/v1/nothing"); status != http.StatusNotFound || !strings.Contains(body, `"https://errand.example/docs#not_found"`) {
		t.Errorf("%d %s", status, body)
	}
}

func TestTheKeyOfTheProcessItselfLeavesWithIt(t *testing.T) {
	g := &guest{Keys: nobody{}, secret: "s3cret", name: "ada"}
	if caller, err := g.Authenticate(t.Context(), "s3cret"); err != nil || caller.KeyName != "ada" {
		t.Errorf("%v %v", caller, err)
	}
	g.left.Store(true)
	for _, g := range []*guest{g, {Keys: nobody{}}} {
		for _, secret := range []string{"s3cret", "", "other"} {
			if caller, err := g.Authenticate(t.Context(), secret); err == nil {
				t.Errorf("%q opens the door for %v", secret, caller)
			}
		}
	}
}

// nobody has a key.
type nobody struct{}

func (nobody) Changes() int { return 0 }

func (nobody) Authenticate(context.Context, string) (auth.Caller, error) {
	return auth.Caller{}, problem.New(problem.Unauthenticated, "no")
}

func (nobody) Session(context.Context, string, bool) (auth.Caller, error) {
	return auth.Caller{}, problem.New(problem.Unauthenticated, "no")
}

func TestServeOverTLS(t *testing.T) {
	w := newWorld(t)
	certificate, key := w.certificate()
	s := w.serve("--tls-cert", certificate, "--tls-key", key)
	if !strings.HasPrefix(s.url, "https://") {
		t.Fatalf("the banner says %s", s.url)
	}
	answer, err := trusting(t, certificate).Get(s.url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("status %d", answer.StatusCode)
	}
}

func TestMetricsCountARun(t *testing.T) {
	s := newWorld(t).serve()
	api := client.New(s.url, adminKey)
	if _, err := api.Runs.Create(t.Context(), client.Task{Model: "offline", Prompt: "What time is it?", Tools: []string{"time.now"}}); err != nil {
		t.Fatal(err)
	}
	_, body := s.get("/metrics")
	for _, line := range []string{
		`errand_runs_finished_total{api="native",reason="answered",status="completed"} 1`,
		`errand_model_calls_total{outcome="ok",provider="offline"} 2`,
		`errand_tool_calls_total{outcome="ok"} 1`,
		`errand_http_requests_total{method="POST",route="/v1/runs",status="201"} 1`,
		`errand_model_tokens_total{kind="input",model="offline"}`,
		"errand_commits_total ",
	} {
		if !strings.Contains(body, line) {
			t.Errorf("no %s", line)
		}
	}
	if strings.Contains(body, "time.now") {
		t.Error("a label is a name that users choose")
	}
}
