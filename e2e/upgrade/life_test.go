package upgrade

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// speaker talks to a program of any age: unlike the rig's client it holds no answer
// to today's contract.
type speaker struct {
	t        *testing.T
	url, key string
}

// ask makes a request. absent reports that this program has no such route, or
// refuses what it does not know yet.
func (s speaker) ask(method, path string, body any) (answer json.RawMessage, absent bool) {
	s.t.Helper()
	var reader io.Reader
	kind := "application/json"
	switch body := body.(type) {
	case nil:
	case *form:
		reader, kind = &body.Buffer, body.kind
	default:
		text, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		reader = bytes.NewReader(text)
	}
	ctx, cancel := context.WithTimeout(s.t.Context(), rig.Patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, s.url+path, reader)
	if err != nil {
		s.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+s.key)
	request.Header.Set("Content-Type", kind)
	request.Close = true
	got, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer got.Body.Close()
	answer, err = io.ReadAll(got.Body)
	switch {
	case err != nil:
		s.t.Fatalf("%s %s: %v", method, path, err)
	case got.StatusCode == http.StatusNotFound, got.StatusCode == http.StatusMethodNotAllowed, got.StatusCode == http.StatusNotImplemented:
		s.t.Logf("this program has no %s %s", method, path)
		return nil, true
	case got.StatusCode >= http.StatusBadRequest:
		s.t.Fatalf("%s %s: %d %s", method, path, got.StatusCode, answer)
	}
	return answer, false
}

// must is ask for what every program has.
func (s speaker) must(method, path string, body any) json.RawMessage {
	s.t.Helper()
	answer, absent := s.ask(method, path, body)
	if absent {
		s.t.Fatalf("there is no %s %s", method, path)
	}
	return answer
}

// form is a file on its way.
type form struct {
	bytes.Buffer
	kind string
}

// object is a JSON object.
type object = map[string]any

// field reads a text of an object.
func field(t *testing.T, body json.RawMessage, name string) string {
	t.Helper()
	var o object
	if err := json.Unmarshal(body, &o); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	text, _ := o[name].(string)
	return text
}

// letter is a call that writes a mail.
func letter(to string) string {
	return fmt.Sprintf(`email.send {"to":%q,"subject":"Your unpaid invoice","body":"Please pay within a week."}`, to)
}

// The prompts of runs that were not at their end.
const (
	cutMail  = "cut in its mail"
	cutModel = "cut in its model call"
)

// Two that were at their end, or wait, for a reason of their own.
const (
	tooSlow   = "took too long"
	needsRoom = "waits for room"
)

// live lets a program work, writes down what it shows, and kills it.
func live(t *testing.T, w *rig.World) manifest {
	t.Helper()
	server := w.Start()
	s := speaker{t: t, url: server.URL, key: rig.AdminKey}
	m := manifest{Runs: map[string]past{}, Shown: map[string]json.RawMessage{}}
	m.Program = strings.TrimSpace(w.Command(t, "version").Out)

	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		if strings.HasPrefix(c.Prompt(), tooSlow) {
			rig.Pause(3 * time.Second)
		}
		return rig.FromPrompt(c)
	})
	objects(s, w, &m)
	ids := work(s)
	s.turns(ids)
	if _, absent := s.ask("POST", "/v1/agent/robots", object{"member_id": "analyst", "display_name": "Analyst", "language_model": "offline"}); !absent {
		robot(s, ids)
	}
	webTask(s, ids, &m)
	m.Second = second(s)
	for name, id := range ids {
		m.Runs[name] = s.past(id)
	}
	for path := range m.Shown {
		answer, absent := s.ask("GET", path, nil)
		if absent {
			delete(m.Shown, path)
			continue
		}
		m.Shown[path] = asJSON(answer)
	}
	// A stop folds the write-ahead log into the database: what is in it afterwards is
	// what the kill finds there, and the archive stays small.
	server.Terminate()
	server = w.Start()
	s.url = server.URL
	cut(s, w, &m)
	server.Kill()
	return m
}

// asJSON is an answer as JSON: the text of a file becomes a string.
func asJSON(answer []byte) json.RawMessage {
	if json.Valid(answer) {
		return answer
	}
	text, _ := json.Marshal(string(answer)) // a string always can
	return text
}

// past is what is shown of a run.
func (s speaker) past(id string) past {
	s.t.Helper()
	shown := s.must("GET", "/v1/runs/"+id, nil)
	return past{
		ID: field(s.t, shown, "id"), Status: field(s.t, shown, "status"), Run: shown,
		Log: s.must("GET", "/v1/runs/"+id+"/events?limit=1000", nil),
	}
}

// objects makes one of everything that is stored and is no run.
func objects(s speaker, w *rig.World, m *manifest) {
	s.t.Helper()
	agent := object{"name": "clerk", "model": "auto", "instructions": "Look after the invoices.", "tools": []string{"time.now", "finance.read"}}
	s.must("POST", "/v1/agents", agent)
	s.must("PATCH", "/v1/agents/clerk", object{"instructions": "Look after the invoices, politely.", "max_steps": 3})
	s.must("POST", "/v1/agents", object{
		"name": "chaser", "model": "auto", "instructions": "Chase unpaid invoices.", "tools": []string{"email.send", "finance.read"},
		"approval": object{"required_for": []string{"email.send"}},
	})
	s.must("POST", "/v1/tools", object{
		"name": "crm.note", "description": "Adds a note.", "effect": "keyed", "url": w.Tools.URL + "/crm.note",
		"parameters": object{"type": "object", "properties": object{"text": object{"type": "string"}}},
		"headers":    object{"Authorization": "Bearer made-for-the-fixture"},
	})
	m.Secret = field(s.t, s.must("POST", "/v1/keys", object{"name": "ci", "scopes": []string{"runs:read", "runs:write", "agents:read", "agents:execute"}}), "secret")
	gone := field(s.t, s.must("POST", "/v1/keys", object{"name": "gone", "scopes": []string{"runs:read"}}), "id")
	s.must("DELETE", "/v1/keys/"+gone, nil)
	s.ask("POST", "/v1/webhooks", object{"url": w.Tools.URL + "/hook", "events": []string{"run.completed", "run.failed"}})
	s.ask("GET", "/v1/webhooks/default", nil) // which makes it
	s.ask("POST", "/v1/schedules", object{"agent": "clerk", "cron": "0 9 1 1 *", "tz": "Europe/Berlin", "input": "What is new?"})
	s.ask("POST", "/v1/budgets", object{"name": "trial", "period": "month", "max_tokens": 1000000, "max_runs": 10000})
	s.ask("POST", "/v1/index", object{"name": "handbook", "documents": []object{{"path": "fees.md", "content": "# Late fees\nAn overdue invoice costs 40 euro."}}})
	s.ask("POST", "/v1/mcp/servers", object{"name": "docs", "url": w.Tools.URL + "/mcp", "token": "made-for-the-fixture", "timeout_s": 1})

	upload := &form{}
	writer := multipart.NewWriter(&upload.Buffer)
	part, err := writer.CreateFormFile("file", "note.txt")
	if err == nil {
		_, err = io.WriteString(part, "The delivery to Oslo is late.")
	}
	if err == nil {
		err = writer.WriteField("purpose", "context")
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	upload.kind = writer.FormDataContentType()
	if answer, absent := s.ask("POST", "/v1/files", upload); !absent {
		m.Shown["/v1/files/"+field(s.t, answer, "id")+"/content"] = nil
	}
	for _, path := range []string{
		"/v1/agents", "/v1/agents/clerk", "/v1/agents/clerk/versions", "/v1/agents/clerk/versions/1", "/v1/tools/crm.note", "/v1/keys",
		"/v1/webhooks", "/v1/schedules", "/v1/budgets", "/v1/index", "/v1/index/handbook/documents", "/v1/mcp/servers", "/v1/files",
		"/v1/webhooks/default", "/v1/agent/robots", "/v1/agent/robots/analyst",
	} {
		m.Shown[path] = nil
	}
}

// work makes runs that end, and runs that wait.
func work(s speaker) map[string]string {
	s.t.Helper()
	ids := map[string]string{}
	start := func(name, path string, body object, steps ...string) {
		s.t.Helper()
		body["prompt"] = rig.Steps(name, steps...)
		ids[name] = field(s.t, s.must("POST", path, body), "id")
	}
	const runs, clerk, chaser = "/v1/runs", "/v1/agents/clerk/run", "/v1/agents/chaser/run"
	look := `finance.read {"status":"unpaid","older_than_days":30}`
	start("answered", clerk, object{}, `time.now {} | `+look, "= There are unpaid invoices.")
	start("continued", runs, object{"model": "auto", "previous_run_id": ids["answered"]}, "= As I said.")
	start("failed", clerk, object{"max_steps": 1}, `time.now {}`, "= Never said.")
	start("rejected", chaser, object{}, letter("no@example.com"), "= Never said.")
	s.must("POST", "/v1/runs/"+ids["rejected"]+"/approve", object{"action_ids": []string{"act_01"}, "reject": true})
	start("cancelled", chaser, object{}, letter("never@example.com"), "= Never said.")
	s.must("POST", "/v1/runs/"+ids["cancelled"]+"/cancel", nil)
	start("approved", chaser, object{}, letter("yes@example.com"), "= Wrote one mail.")
	s.must("POST", "/v1/runs/"+ids["approved"]+"/approve", object{"action_ids": []string{"act_01"}})
	s.until(ids["approved"], "completed")

	start("waits", chaser, object{"metadata": object{"customer": "acme"}}, look, letter("waits@example.com"), "= Wrote at last.")
	start("partly", chaser, object{}, letter("first@example.com")+" | "+letter("second@example.com"), "= Wrote to both.")
	s.must("POST", "/v1/runs/"+ids["partly"]+"/approve", object{"action_ids": []string{"act_01"}})
	start("asks its caller", runs, object{"model": "auto", "functions": []object{{"type": "function", "function": object{
		"name": "weather", "description": "Looks up the weather.", "parameters": object{"type": "object", "properties": object{"city": object{"type": "string"}}},
	}}}}, `weather {"city":"Lisbon"}`, "= It is sunny.")
	start("paused", chaser, object{}, letter("paused@example.com"), "= Wrote after a pause.")
	s.must("POST", "/v1/runs/"+ids["paused"]+"/pause", nil)
	s.others(ids)
	return ids
}

// turns makes runs that something happens to on their way: somebody writes to one, its
// caller answers, nobody decides in time, its time is up, a budget has no room.
func (s speaker) turns(ids map[string]string) {
	s.t.Helper()
	start := func(name, path string, body object, steps ...string) (run string) {
		s.t.Helper()
		body["prompt"] = rig.Steps(name, steps...)
		ids[name] = field(s.t, s.must("POST", path, body), "id")
		return "/v1/runs/" + ids[name]
	}
	steered := start("steered", "/v1/agents/chaser/run", object{}, letter("steered@example.com"), "= Never said.")
	s.must("POST", steered+"/messages", object{"content": "Leave them alone."})
	s.must("POST", steered+"/pause", nil)
	s.must("POST", steered+"/resume", nil)
	s.must("POST", steered+"/approve", object{"action_ids": []string{"act_01"}, "reject": true})

	told := start("told by its caller", "/v1/runs", object{"model": "auto", "functions": []object{{"type": "function", "function": object{
		"name": "weather", "description": "Looks up the weather.", "parameters": object{"type": "object"},
	}}}}, `weather {}`, "= It rains.")
	s.must("POST", told+"/tool_outputs", object{"outputs": []object{{"action_id": "act_01", "output": "Rain."}}})
	s.until(ids["told by its caller"], "completed")

	s.must("POST", "/v1/agents", object{
		"name": "patient", "model": "auto", "instructions": "Write, if you may.", "tools": []string{"email.send"},
		"approval": object{"required_for": []string{"email.send"}, "timeout": 1, "on_timeout": "reject"},
	})
	start("nobody decided", "/v1/agents/patient/run", object{}, letter("silence@example.com"), "= Never said.")
	s.until(ids["nobody decided"], "completed")

	s.must("POST", "/v1/agents", object{"name": "hasty", "model": "auto", "instructions": "Be quick.", "tools": []string{}, "limits": object{"timeout_s": 1}})
	start(tooSlow, "/v1/agents/hasty/run", object{}, "= Never said.")
	s.until(ids[tooSlow], "failed")

	if _, absent := s.ask("GET", "/v1/budgets", nil); !absent {
		s.must("POST", "/v1/agents", object{"name": "poor", "model": "auto", "instructions": "Spend little.", "tools": []string{}, "on_budget": "wait"})
		s.must("POST", "/v1/budgets", object{"name": "tight", "agent": "poor", "period": "month", "max_tokens": 1})
		start(needsRoom, "/v1/agents/poor/run", object{"background": true}, "= There was room.")
	}
}

// others makes runs by the APIs of others.
func (s speaker) others(ids map[string]string) {
	s.t.Helper()
	keep := func(name, path, idName string, body object) {
		s.t.Helper()
		if answer, absent := s.ask("POST", path, body); !absent {
			ids[name] = field(s.t, answer, idName)
		}
	}
	keep("swarms", "/v1/agent/completions", "job_id", object{
		"agent_config": object{
			"agent_name": "Head", "model_name": "mock", "max_loops": 1,
			"handoffs": []object{{"agent_name": "Hand", "model_name": "mock", "max_loops": 1}},
		},
		"task": rig.Steps("swarms", `handoff.Hand {"task":"Count."}`, "= Handed over and done."),
	})
	keep("you", "/v1/agents/runs", "id", object{"agent": "clerk", "input": rig.Steps("you", `time.now {}`, "= It is late."), "stream": false})
	keep("openai", "/v1/chat/completions", "run_id", object{
		"model": "agent:clerk", "messages": []object{{"role": "user", "content": rig.Steps("openai", `time.now {}`, "= It is late.")}},
	})
}

// robot settles a goal with a robot, and waits for what comes of it.
func robot(s speaker, ids map[string]string) {
	s.t.Helper()
	var answer struct {
		ID string `json:"execution_id"`
	}
	body := s.must("POST", "/v1/agent/robots/analyst/execute", object{"goals": "Say what time it is."})
	if err := json.Unmarshal(body, &answer); err != nil || answer.ID == "" {
		s.t.Fatalf("%v in %s", err, body)
	}
	s.until(answer.ID, "completed")
	ids["robot"] = answer.ID
	s.must("POST", "/v1/agent/robots/analyst/completions", object{
		"chat_id": "settling", "messages": []object{{"role": "user", "content": "Compare three competitors"}},
	})
}

// webTask makes a task of the WebAgent API, which has a workflow that somebody wrote.
func webTask(s speaker, ids map[string]string, m *manifest) {
	s.t.Helper()
	_, absent := s.ask("POST", "/api/runs", object{
		"prompt": "What is the sum of 2 and 3?", "use_cached_workflow": true, "cached_workflow": object{
			"prompt":     "What is the sum of {{ a }} and {{ b }}?",
			"parameters": []object{{"name": "a", "type": "number"}, {"name": "b", "type": "number"}},
			"steps": []object{
				{"description": "Add them.", "actions": []object{{"name": "compute", "params": object{"expression": "{{ a }} + {{ b }}"}}}},
				{"actions": []object{{"name": "done", "params": object{"text": "{{ a }} + {{ b }} = {{ result }}"}}}},
			},
		},
	})
	if absent {
		return
	}
	ids["webagent"] = field(s.t, s.must("GET", "/api/runs/1", nil), "run_id")
	m.Shown["/api/tasks/1"], m.Shown["/api/runs/1"], m.Shown["/api/tasks/1/runs"] = nil, nil, nil
}

// second makes another project with a key, an agent and a run that waits; nil where
// this program has no second project.
func second(s speaker) *project {
	s.t.Helper()
	if _, absent := s.ask("GET", "/v1/projects", nil); absent {
		return nil
	}
	p := project{Secret: field(s.t, s.must("POST", "/v1/keys", object{"name": "theirs", "project": "second", "scopes": []string{"admin"}}), "secret")}
	theirs := speaker{t: s.t, url: s.url, key: p.Secret}
	theirs.must("POST", "/v1/agents", object{
		"name": "clerk", "model": "auto", "instructions": "Work for the second project.", "tools": []string{"email.send"},
		"approval": object{"required_for": []string{"email.send"}},
	})
	started := theirs.must("POST", "/v1/agents/clerk/run", object{"prompt": rig.Steps("theirs", letter("theirs@example.com"), "= Wrote for the second.")})
	p.Run = theirs.past(field(s.t, started, "id"))
	return &p
}

// until waits for a run's status.
func (s speaker) until(id, status string) {
	s.t.Helper()
	for deadline := time.Now().Add(rig.Patience); ; rig.Pause(20 * time.Millisecond) {
		shown := s.must("GET", "/v1/runs/"+id, nil)
		if field(s.t, shown, "status") == status {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("%s is not %s: %s", id, status, shown)
		}
	}
}

// events counts the events of a run that are on disk.
func (s speaker) events(id string) int {
	s.t.Helper()
	var page struct{ Data []json.RawMessage }
	if err := json.Unmarshal(s.must("GET", "/v1/runs/"+id+"/events?limit=1000", nil), &page); err != nil {
		s.t.Fatal(err)
	}
	return len(page.Data)
}

// cut brings two runs into the middle of something that a kill will leave open.
func cut(s speaker, w *rig.World, m *manifest) {
	s.t.Helper()
	start := func(name string, tools []string, steps ...string) {
		s.t.Helper()
		shown := s.must("POST", "/v1/runs", object{"model": "auto", "background": true, "tools": tools, "prompt": rig.Steps(name, steps...)})
		m.Runs[name] = past{ID: field(s.t, shown, "id"), Status: "running"}
	}
	w.Mail.Stall()
	start(cutMail, []string{"email.send"}, letter("cut@example.com"), "= Wrote, or not.")
	for rig.Await(s.t, "the mail", w.Mail.Came()) != "cut@example.com" {
		continue // one that went out before
	}

	held := make(chan struct{})
	w.Model.Plays(func(c rig.Conversation) rig.Turn {
		if strings.HasPrefix(c.Prompt(), cutModel) && c.Step() == 1 {
			close(held)
			<-s.t.Context().Done()
		}
		return rig.FromPrompt(c)
	})
	start(cutModel, []string{"time.now"}, `time.now {}`, "= Went on.")
	rig.Await(s.t, "the model call", held)
	for name, least := range map[string]int{cutMail: 3, cutModel: 4} { // what lingers in memory comes to the disk
		w.Eventually("the log of what is cut", func() bool { return s.events(m.Runs[name].ID) >= least })
	}
}
