package canary

import (
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"errand/e2e/contract"
	"errand/e2e/rig"
)

// TestNoSecretComesOut gives the server a canary wherever it takes a secret, lets it
// work and fail, and looks for them in all that it has said and kept.
func TestNoSecretComesOut(t *testing.T) {
	t.Parallel()
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			t.Parallel()
			w := rig.New(t)
			c := newCage(t, w)
			c.settings(t, w, format)
			s := w.Start()
			said := c.work(t, w, s)
			said["what the API answers"] = c.readAll(t, s)
			said["errors of commands"] = c.commands(t, w, s)
			if code := s.Terminate(); code != 0 {
				t.Errorf("it ended with %d", code)
			}
			c.mu.Lock()
			said["what others were told: prompts, tools, webhooks, the collector"] = c.heard.String()
			c.mu.Unlock()
			said["the log"] = s.Log()
			c.files(t, w.Dir, said)
			c.search(t, said)
		})
	}
}

// settings are those that hold secrets.
func (c *cage) settings(t *testing.T, w *rig.World, format string) {
	t.Helper()
	searx, err := url.Parse(c.URL + "/searx")
	if err != nil {
		t.Fatal(err)
	}
	searx.User = url.UserPassword("clerk", c.birds["searxng"])
	for name, value := range map[string]string{
		"ERRAND_ADMIN_KEY": c.birds["admin"], "OPENAI_API_KEY": c.birds["provider"], "OPENAI_BASE_URL": c.URL + "/v1",
		"ERRAND_SMTP_URL": c.post(t), "ERRAND_SEARXNG_URL": searx.String(), "ERRAND_LOG_LEVEL": "debug", "ERRAND_LOG_FORMAT": format,
		"OTEL_EXPORTER_OTLP_ENDPOINT": c.URL, "OTEL_EXPORTER_OTLP_HEADERS": "api-key=" + url.PathEscape(c.birds["collector"]),
		"OTEL_BSP_SCHEDULE_DELAY": "100", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT": "true",
	} {
		w.Env[name] = value
	}
	path := filepath.Join(w.Dir, "errand.yaml")
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	tool := "\n  - name: file.quote\n    description: Quotes.\n    url: " + c.URL + "/tool/quote\n    effect: safe\n    headers: {X-File: \"" + c.birds["filetool"] + "\"}\n"
	text := string(file)
	if strings.Contains(text, "\ntools:\n") {
		text = strings.Replace(text, "\ntools:\n", "\ntools:"+tool, 1)
	} else {
		text += "\ntools:" + tool
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// work gives the server the secrets that requests bring, has it make its own, and
// uses all of them, in runs that succeed and runs that fail.
func (c *cage) work(t *testing.T, w *rig.World, s *rig.Server) map[string]string {
	admin := s.Client(c.birds["admin"])
	var said strings.Builder
	note := func(a rig.Answer) rig.Answer { said.Write(a.Body); return a }
	for _, name := range []string{"quote", "broken", "denied"} {
		note(admin.Post("/v1/tools", map[string]any{"name": "crm." + name, "url": c.URL + "/tool/" + name, "effect": "safe", "headers": map[string]string{"X-Token": c.birds["tool"]}}, nil))
	}
	note(admin.Post("/v1/mcp/servers", map[string]any{"name": "desk", "url": c.URL + "/mcp?key=" + url.QueryEscape(c.birds["query"]), "token": c.birds["token"], "headers": map[string]string{"X-Desk": c.birds["header"]}}, nil))
	note(admin.Post("/v1/agent/robots", map[string]any{"member_id": "porter", "display_name": "Porter", "robot_config": map[string]any{
		"identity": map[string]string{"role": "Porter"}, "delivery": map[string]any{"webhook": map[string]any{"enabled": true, "targets": []any{map[string]string{"url": c.URL + "/hook/robot", "secret": c.birds["target"]}}}},
	}}, nil))
	note(admin.Do("POST", "/v1/agent/robots/integrations/verify", map[string]any{"provider": "telegram", "config": map[string]string{"bot_token": c.birds["verify"]}}))
	refused := "http://clerk:" + url.QueryEscape(c.birds["refused"]) + "@127.0.0.1:1/"
	for route, body := range map[string]map[string]any{
		"/v1/tools": {"name": "x.y", "url": refused}, "/v1/mcp/servers": {"name": "other", "url": refused}, "/v1/webhooks": {"url": refused, "events": "*"},
		"/v1/index": {"url": refused}, "/v1/runs": {"model": "auto", "prompt": "x", "webhook_url": refused}, "/api/runs": {"prompt": "x", "webhook_url": refused},
	} {
		answer := note(admin.Do("POST", route, body))
		if c.proves("refused", true); answer.Status < 400 {
			t.Errorf("%s takes a URL with a password: %s", route, answer.Body)
		}
	}
	c.made(t, s, admin)
	c.runs(t, w, admin, note)
	return map[string]string{"answers to what was done": said.String()}
}

// made are the secrets that the server makes; the answers that show them are not
// searched.
func (c *cage) made(t *testing.T, s *rig.Server, admin *rig.Client) {
	var key, hook, link struct{ ID, Secret, URL string }
	again := admin.Post("/v1/keys", `{"name":"ci"}`, &key, "Idempotency-Key", "once")
	if repeated := admin.Post("/v1/keys", `{"name":"ci"}`, nil, "Idempotency-Key", "once"); string(repeated.Body) != string(again.Body) {
		t.Errorf("the sealed answer is another one: %s", repeated.Body)
	}
	c.keep("key", key.Secret)
	c.proves("key", s.Client(key.Secret).Do("GET", "/v1/runs", nil).Status == http.StatusOK)
	admin.Post("/v1/webhooks", map[string]any{"url": c.URL + "/hook/all", "events": "*"}, &hook)
	c.keep("webhook", hook.Secret)
	signed := s.Client("").Do("POST", "/v1/session", map[string]string{"key": key.Secret}, "Origin", s.URL).Is(http.StatusCreated)
	cookie, _, _ := strings.Cut(signed.Header.Get("Set-Cookie"), ";")
	_, token, _ := strings.Cut(cookie, "=")
	c.keep("session", token)
	c.proves("session", s.Client("").Do("GET", "/v1/runs", nil, "Cookie", cookie, "Sec-Fetch-Site", "same-origin").Status == http.StatusOK)
	admin.Post("/v1/session/links", nil, &link)
	_, token, _ = strings.Cut(link.URL, "#link=")
	c.keep("sign-in link", token)
	c.proves("sign-in link", s.Client("").Do("POST", "/v1/session", map[string]string{"link": token}, "Origin", s.URL).Status == http.StatusCreated)
	var robot struct {
		Secret string
		Data   struct{ Secret string }
	}
	admin.Post("/v1/agent/robots/porter/events/rotate", nil, &robot)
	if c.keep("robot", robot.Secret+robot.Data.Secret); robot.Secret+robot.Data.Secret == "" {
		t.Error("a rotated robot shows no secret")
	}
	c.proves("robot", true) // TestEvents of internal/api/yao holds that events are signed with it
}

func (c *cage) runs(t *testing.T, w *rig.World, admin *rig.Client, note func(rig.Answer) rig.Answer) {
	var gated rig.Run
	tools := []string{"crm.quote", "crm.broken", "crm.denied", "file.quote", "desk__look", "desk__fail", "web.search", "email.send"}
	ask := func(prompt string, stream bool) {
		note(admin.Do("POST", "/v1/runs", map[string]any{"model": "auto", "tools": tools, "prompt": prompt, "stream": stream}))
	}
	for _, stream := range []bool{false, true} {
		ask(rig.Steps("all", `crm.quote {} | crm.broken {} | crm.denied {} | file.quote {}`, `desk__look {} | desk__fail {}`, `web.search {"query":"words"}`,
			`email.send {"to":"ada@example.com","subject":"Hello","body":"Hello"}`, `email.send {"to":"nobody@example.com","subject":"Hello","body":"Hello"}`, rig.Say("Done.")), stream)
		ask("refused", stream)
		ask("broken", stream)
	}
	for _, name := range []string{"crm.quote", "crm.broken", "file.quote", "desk__look"} {
		note(admin.Do("POST", "/v1/tools/"+name+"/try", `{"arguments":{}}`))
	}
	for path, body := range map[string]string{
		"/v1/chat/completions": `{"model":"openai/mock","messages":[{"role":"user","content":"refused"}]}`, "/v1/agents/runs": `{"agent":"express","input":"refused"}`,
		"/v1/agent/completions": `{"agent_config":{"agent_name":"a","model_name":"openai/mock","max_loops":1},"task":"refused"}`, "/v1/agent/robots/porter/completions": `{"messages":[{"role":"user","content":"refused"}]}`,
		"/api/runs": `{"prompt":"refused","wait_for_completion":true}`, "/v1/models/test": `{"model":"openai/mock"}`, "/v1/agents": `{"name":1}`, "/v1/runs": `{"nonsense":true}`,
	} {
		note(admin.Do("POST", path, body))
	}
	w.Model.Plays(func(asked rig.Conversation) rig.Turn {
		for i := range asked.Tools {
			if asked.Tools[i].Function.Name == "robot_plan" {
				return rig.Turn{Calls: []rig.ToolCall{
					{Name: "robot.plan", Arguments: `{"tasks":[{"description":"Look","expected_output":"A look"}]}`}, {Name: "robot.report", Arguments: `{"task":"task-1","output":"Looked."}`},
					{Name: "robot.deliver", Arguments: `{"summary":"Done.","body":"Done."}`},
				}[min(asked.Step(), 2):][:1]}
			}
		}
		return rig.FromPrompt(asked)
	})
	admin.Post("/v1/agent/robots/porter/execute", `{"goals":"Look."}`, nil)
	note(admin.Post("/v1/runs", map[string]any{"model": "auto", "tools": []string{"crm.quote"}, "approval": map[string]any{"required_for": []string{"crm.quote"}},
		"prompt": rig.Steps("gated", `crm.quote {"api_key":"theirs"}`, rig.Say("Done."))}, &gated))
	var link struct{ URL string }
	admin.Post("/v1/runs/"+gated.ID+"/actions/act_01/links", `{}`, &link)
	c.keep("link", link.URL[strings.LastIndexByte(link.URL, '/')+1:])
	page := admin.Do("GET", "/decide/"+c.birds["link"], nil)
	c.proves("link", page.Status == http.StatusOK)
	w.Eventually("the deliveries", func() bool {
		hook, target := c.signs(c.birds["webhook"]), c.signs(c.birds["target"])
		c.proves("webhook", hook)
		c.proves("target", target)
		return hook && target
	})
	c.proves("admin", true)
	c.proves("verify", true) // everything here is asked with it; that nothing is verified is said
}

// readAll asks every GET of the contract that needs no id, and all that there is of
// each run.
func (c *cage) readAll(t *testing.T, s *rig.Server) string {
	admin := s.Client(c.birds["admin"])
	agreement, err := contract.Load()
	if err != nil {
		t.Fatal(err)
	}
	paths := []string{"/v1/projects/default/export", "/v1/tools/crm.quote", "/v1/agent/robots/porter", "/v1/webhooks/default", "/v1/system?doctor=true", "/v1/runs?include=strip&limit=100"}
	for _, o := range agreement.Operations() {
		if o.Method == http.MethodGet && !strings.Contains(o.Path, "{") && !strings.HasSuffix(o.Path, "/stream") {
			paths = append(paths, o.Path)
		}
	}
	var list struct{ Data []struct{ ID string } }
	admin.Get("/v1/runs?limit=100", &list)
	for _, run := range list.Data {
		for _, part := range []string{"", "?include_trace=true", "/events?limit=1000", "/explain", "/trace", "/steps/1/prompt", "/steps/2/prompt", "/steps/3/prompt", "/steps/4/prompt"} {
			paths = append(paths, "/v1/runs/"+run.ID+part)
		}
	}
	admin.Get("/v1/mcp/servers", &list)
	for _, server := range list.Data {
		paths = append(paths, "/v1/mcp/servers/"+server.ID)
	}
	var said strings.Builder
	for _, path := range paths {
		answer := admin.Do("GET", path, nil)
		said.WriteString(path + "\n")
		said.Write(answer.Body)
		fmt.Fprintln(&said, answer.Header)
	}
	return said.String()
}

// commands are what the program says at a terminal when it can't do what it is told.
func (c *cage) commands(t *testing.T, w *rig.World, s *rig.Server) string {
	c.keep("store", bird("store"))
	c.proves("store", true) // nobody is there to hear it: what is said of that is what counts
	dsn := "postgres://" + url.UserPassword("errand", c.birds["store"]).String() + "@127.0.0.1:1/errand?connect_timeout=1"
	var said strings.Builder
	was := w.Env["ERRAND_STORE"]
	for _, store := range []string{dsn, "postgres://errand:" + c.birds["store"] + "@127.0.0.1:1/errand", "mysql://errand:" + url.QueryEscape(c.birds["store"]) + "@127.0.0.1/errand"} {
		w.Env["ERRAND_STORE"] = store
		got := w.Command(t, "serve", "--addr", "127.0.0.1:0", "--data", filepath.Join(w.Dir, "elsewhere"))
		if got.Code == 0 {
			t.Errorf("it serves with the store %s", store)
		}
		said.WriteString(got.Out + got.Err)
	}
	w.Env["ERRAND_STORE"] = was
	if was == "" {
		delete(w.Env, "ERRAND_STORE")
	}
	for _, args := range [][]string{
		{"doctor"}, {"keys", "list", "--url", s.URL, "--key", c.birds["admin"]}, {"runs", "list", "--url", "http://clerk:" + url.QueryEscape(c.birds["refused"]) + "@127.0.0.1:1"},
		{"runs", "list", "--url", s.URL, "--key", c.birds["key"] + "x"}, {"backup", filepath.Join(w.Dir, "backup")},
	} {
		got := w.Command(t, args...)
		if args[0] == "backup" && got.Code != 0 {
			t.Errorf("the backup: %s%s", got.Out, got.Err)
		}
		said.WriteString(got.Out + got.Err)
	}
	return said.String()
}

// files reads the data directory and the backup, all but what the operator wrote and
// the key that opens what is sealed.
func (c *cage) files(t *testing.T, dir string, said map[string]string) {
	read := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() || entry.Name() == "seal.key" || entry.Name() == "errand.yaml" {
			return err
		}
		text, err := os.ReadFile(path)
		said["the file "+strings.TrimPrefix(path, dir)] = string(text)
		read++
		return err
	})
	if err != nil || read < 4 {
		t.Fatalf("%d files: %v", read, err)
	}
}

// search looks for every canary in every encoding in all that was said.
func (c *cage) search(t *testing.T, said map[string]string) {
	if all := said["what the API answers"] + said["what others were told: prompts, tools, webhooks, the collector"]; strings.Count(all, "[redacted]") < 100 || strings.Count(said["the log"], "\n") < 50 {
		t.Errorf("too little was quoted: %d times in answers, %d lines in the log", strings.Count(all, "[redacted]"), strings.Count(said["the log"], "\n"))
	}
	for name, value := range c.birds {
		if !c.proven(name) || value == "" {
			t.Errorf("the secret %q did not get where it belongs", name)
			continue
		}
		for where, text := range said {
			for _, form := range append(forms(value), hex.EncodeToString([]byte(value)), strings.ToUpper(hex.EncodeToString([]byte(value)))) {
				if at := strings.Index(text, form); at >= 0 {
					t.Errorf("%s: the secret %q, as %s: …%q", where, name, form, text[max(0, at-200):min(len(text), at+len(form)+20)])
					break
				}
			}
		}
	}
}
