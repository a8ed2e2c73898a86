package yao_test

import (
	"encoding/json"
	"strings"
	"testing"

	"errand/internal/auth"
	"errand/internal/robot"
)

// interaction is the answer of interact and its kin.
type interaction struct {
	ExecutionID string `json:"execution_id"`
	Status      string
	Message     string
	ChatID      string `json:"chat_id"`
	Reply       string
	More        bool `json:"wait_for_more"`
}

func (w *world) interact(body string) interaction {
	w.t.Helper()
	var got interaction
	w.want(200, "POST", robotsPath+"/my-robot/interact", body).into(&got)
	return got
}

func text(value any) string {
	out, _ := json.Marshal(value)
	return string(out)
}

// stranger is the API as the holder of a key of another project sees it.
func (w *world) stranger() *world {
	w.t.Helper()
	admin := auth.Caller{Project: auth.DefaultProject, KeyID: "key_test", Scopes: []string{"admin"}}
	made, err := w.keys.Create(w.t.Context(), admin, auth.Draft{Name: "s", Project: "elsewhere"}, nil)
	if err != nil {
		w.t.Fatal(err)
	}
	other := *w
	other.secret = made.Secret
	return &other
}

// A conversation has an execution from its first message on; confirmed, it is the
// run with just that id.
func TestInteractConfirms(t *testing.T) {
	for _, how := range []string{"interact", "action", "confirm"} {
		t.Run(how, func(t *testing.T) {
			_, model := newWorker()
			w := newWorld(t, model)
			first := w.interact(`{"message":"Look at prices","source":"ui"}`)
			if first.Status != "waiting_for_more" || !first.More || !strings.Contains(first.Reply, "Shall I start?") {
				t.Fatalf("the first answer: %+v", first)
			}
			e := w.look("my-robot", first.ExecutionID)
			if e.Status != robot.ExecConfirming || e.Phase != robot.GoalsPhase || e.ChatID != first.ChatID || e.Name != "Look at prices" {
				t.Errorf("reserved: %+v", e)
			}
			var list robotList
			w.want(200, "GET", robotsPath+"/my-robot/executions?status=confirming", "").into(&list)
			if list.Total != 1 || len(list.Data) != 1 {
				t.Errorf("listed: %+v", list)
			}
			changed := w.interact(text(map[string]any{"execution_id": first.ExecutionID, "message": "yes, but only three"}))
			if changed.Status != "waiting_for_more" || changed.ExecutionID != first.ExecutionID || !strings.Contains(changed.Reply, "only three") {
				t.Errorf("a change: %+v", changed)
			}
			confirm := func() interaction {
				switch how {
				case "confirm":
					var got interaction
					w.want(200, "POST", robotsPath+"/my-robot/executions/"+first.ExecutionID+"/confirm", "").into(&got)
					return got
				case "action":
					return w.interact(text(map[string]any{"execution_id": first.ExecutionID, "message": "go", "action": "confirm"}))
				}
				return w.interact(text(map[string]any{"execution_id": first.ExecutionID, "message": "yes"}))
			}
			if got := confirm(); got.Status != "confirmed" || got.ExecutionID != first.ExecutionID || got.More {
				t.Fatalf("confirmed: %+v", got)
			}
			w.until("my-robot", first.ExecutionID, robot.ExecCompleted)
			if how != "interact" {
				if got := confirm(); got.Status != "confirmed" || got.ExecutionID != first.ExecutionID {
					t.Errorf("confirmed once more: %+v", got)
				}
			}
			if n := len(w.executions("my-robot")); n != 1 {
				t.Errorf("there are %d executions", n)
			}
			w.want(200, "GET", robotsPath+"/my-robot/executions", "").into(&list)
			if list.Total != 1 {
				t.Errorf("listed afterwards: %+v", list)
			}
		})
	}
}

// A conversation that is given up starts nothing any more.
func TestInteractCancelled(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	first := w.interact(`{"message":"Look at prices"}`)
	w.want(200, "POST", robotsPath+"/my-robot/executions/"+first.ExecutionID+"/cancel", "")
	w.want(409, "POST", robotsPath+"/my-robot/interact", text(map[string]any{"execution_id": first.ExecutionID, "message": "yes"}))
	w.want(409, "POST", robotsPath+"/my-robot/executions/"+first.ExecutionID+"/confirm", "")
	if e := w.look("my-robot", first.ExecutionID); e.Status != robot.ExecCancelled || len(w.executions("my-robot")) != 0 {
		t.Errorf("%+v", e)
	}
	var list robotList
	w.want(200, "GET", robotsPath+"/my-robot/executions?status=cancelled", "").into(&list)
	if list.Total != 1 {
		t.Errorf("%+v", list)
	}
}

// Whoever goes on with a conversation answers for what it starts: chat and id stay
// where they were, and the execution is on the word of the key that has confirmed.
func TestInteractByAnotherKey(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	first := w.interact(`{"message":"Look at prices"}`)
	other := w.key("runs:read", "runs:write", "agents:read", "agents:execute")
	got := other.interact(text(map[string]any{"execution_id": first.ExecutionID, "message": "yes"}))
	if got.Status != "confirmed" || got.ExecutionID != first.ExecutionID || got.ChatID != first.ChatID {
		t.Fatalf("%+v", got)
	}
	opener := w.state(w.execute("my-robot", "Look at prices")).Spec.Key
	if key := w.state(first.ExecutionID).Spec.Key; key == opener {
		t.Errorf("the execution is on the word of %s, who has only asked for it", key)
	}
}

// A message to an execution at work answers what it asks, or steers it.
func TestInteractSteers(t *testing.T) {
	hands, model := newWorker()
	w := newWorld(t, model)
	defer hands.open()
	asking := w.execute("my-robot", "ask")
	w.until("my-robot", asking, robot.ExecWaiting)
	if got := w.interact(text(map[string]any{"execution_id": asking, "message": "the second"})); got.Status != "resumed" {
		t.Errorf("an answer: %+v", got)
	}
	w.until("my-robot", asking, robot.ExecCompleted)
	w.want(409, "POST", robotsPath+"/my-robot/interact", text(map[string]any{"execution_id": asking, "message": "late"}))
	busy := w.execute("my-robot", "hold")
	w.until("my-robot", busy, robot.ExecRunning)
	for _, test := range []struct {
		action, task, status string
	}{{"", "", "acknowledged"}, {"adjust", "", "adjusted"}, {"add_task", "", "task_added"}} {
		got := w.interact(text(map[string]any{"execution_id": busy, "message": "m", "action": test.action, "source": "email"}))
		if got.Status != test.status {
			t.Errorf("%s: %+v", test.action, got)
		}
	}
	state := w.state(busy)
	if len(state.Messages) != 3 || !strings.Contains(state.Messages[0].Text, "by email") || !strings.Contains(state.Messages[2].Text, robot.PlanTool) {
		t.Errorf("it was told %+v", state.Messages)
	}
	w.want(200, "POST", robotsPath+"/my-robot/executions/"+busy+"/pause", "")
	if got := w.interact(text(map[string]any{"execution_id": busy, "message": "m"})); got.Status != "waiting" {
		t.Errorf("paused: %+v", got)
	}
	if got := w.interact(text(map[string]any{"execution_id": busy, "message": "no", "action": "reject"})); got.Status != "rejected" {
		t.Errorf("rejected: %+v", got)
	}
	w.until("my-robot", busy, robot.ExecCancelled)
	hands.open()
}

func TestInteractStream(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	for _, how := range []struct{ body, accept string }{{`{"message":"Look","stream":true}`, "*/*"}, {`{"message":"Look"}`, "text/event-stream"}} {
		answer, err := w.send(t.Context(), "POST", robotsPath+"/my-robot/interact", how.body, "Accept", how.accept)
		if err != nil {
			t.Fatal(err)
		}
		all := events(t, answer.Body, nil)
		answer.Body.Close()
		last := all[len(all)-1]
		var done interaction
		if err := json.Unmarshal([]byte(last.Data), &done); err != nil || last.Name != "interact_done" || done.Status != "waiting_for_more" {
			t.Errorf("%s: %v %+v", how.body, err, all)
		}
		spoken := ""
		for _, one := range all[:len(all)-1] {
			var piece struct{ Content string }
			if err := json.Unmarshal([]byte(one.Data), &piece); err != nil || one.Name != "message" {
				t.Errorf("%v %+v", err, one)
			}
			spoken += piece.Content
		}
		if spoken != done.Reply {
			t.Errorf("the pieces are %q, the reply is %q", spoken, done.Reply)
		}
	}
}

func TestInteractFaults(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	for body, fault := range map[string]string{
		`{}`:                                 "invalid_request message",
		`{"message":" "}`:                    "invalid_request message",
		`{"message":"x","source":"pigeon"}`:  "invalid_request source",
		`{"message":"x","action":"confirm"}`: "invalid_request execution_id",
		`{"message":"x","task_id":"task-1"}`: "invalid_request execution_id",
		`{"message":"x","execution_id":"e","action":"dance"}`: "invalid_request action",
	} {
		if got := w.want(400, "POST", robotsPath+"/my-robot/interact", body); got.fault() != fault {
			t.Errorf("%s: %s, want %s", body, got.fault(), fault)
		}
	}
}

// Every action of the list is done or refused by its name.
func TestIntervene(t *testing.T) {
	for _, test := range []struct {
		action, more string
		idle, busy   int // without an execution at work, and with one
	}{
		{"task.add", `,"messages":[{"role":"user","content":"And that"}]`, 200, 200},
		{"task.update", `,"task_id":"task-1","messages":[{"role":"user","content":"So"}]`, 409, 200},
		{"task.cancel", `,"task_id":"task-1"`, 409, 200},
		{"task.cancel", `,"task_id":"task-9"`, 409, 404},
		{"goal.add", `,"messages":[{"role":"user","content":"And that"}]`, 200, 200},
		{"goal.adjust", `,"messages":[{"role":"user","content":"Less"}]`, 409, 200},
		{"goal.complete", ``, 409, 200},
		{"goal.cancel", ``, 409, 200},
		{"instruct", `,"messages":[{"role":"user","content":"Faster"}]`, 200, 200},
		{"instruct", ``, 400, 400},
		{"task.cancel", ``, 400, 400},
		{"goal.adjust", `,"task_id":"task-1","messages":[{"role":"user","content":"x"}]`, 400, 400},
		{"instruct", `,"plan_at":"2030-01-01T00:00:00Z","messages":[{"role":"user","content":"x"}]`, 400, 400},
		{"plan.add", `,"messages":[{"role":"user","content":"x"}]`, 400, 400},
		{"plan.remove", ``, 400, 400},
		{"plan.update", ``, 400, 400},
		{"dance", ``, 400, 400},
		{"", ``, 400, 400},
	} {
		for _, busy := range []bool{false, true} {
			hands, model := newWorker()
			w := newWorld(t, model)
			want, id := test.idle, ""
			if busy {
				want, id = test.busy, w.execute("my-robot", "ask")
				w.until("my-robot", id, robot.ExecWaiting)
			}
			got := w.want(want, "POST", robotsPath+"/my-robot/intervene", `{"action":"`+test.action+`"`+test.more+`}`)
			hands.open()
			if want != 200 {
				continue
			}
			var body struct {
				Accepted bool
				ID       string `json:"execution_id"`
			}
			got.into(&body)
			if !body.Accepted || busy && body.ID != id {
				t.Errorf("%s: %s", test.action, got.Body)
			}
			after := robot.ExecCompleted
			if test.action == "goal.cancel" {
				after = robot.ExecCancelled
			}
			w.until("my-robot", body.ID, after)
		}
	}
	_, model := newWorker()
	w := newWorld(t, model)
	for range 2 {
		w.until("my-robot", w.execute("my-robot", "ask"), robot.ExecWaiting)
	}
	if got := w.want(400, "POST", robotsPath+"/my-robot/intervene", `{"action":"goal.complete"}`); got.fault() != "invalid_request execution_id" {
		t.Errorf("two at work: %s", got.Body)
	}
}

func TestTrigger(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	for _, test := range []struct {
		body  string
		fault string
	}{
		{`{"messages":[{"role":"user","content":"Look"}]}`, ""},
		{`{"trigger_type":"event","source":"database","event_type":"row.added","data":{"id":7}}`, ""},
		{`{"trigger_type":"clock"}`, ""},
		{`{"messages":[{"role":"user","content":"Look"}],"executor_mode":"dryrun","locale":"de"}`, ""},
		{`{}`, "invalid_request messages"},
		{`{"messages":[{"role":"assistant","content":"Look"}]}`, "invalid_request messages"},
		{`{"messages":[{"role":"boss","content":"Look"}]}`, "invalid_request messages"},
		{`{"messages":[{"role":"user","content":""}]}`, "invalid_request messages"},
		{`{"messages":[{"role":"user","content":"x","file_id":"f"}]}`, "invalid_request messages[0].file_id"},
		{`{"trigger_type":"event"}`, "invalid_request event_type"},
		{`{"trigger_type":"moon"}`, "invalid_request trigger_type"},
		{`{"trigger_type":"clock","messages":[{"role":"user","content":"x"}]}`, "invalid_request messages"},
		{`{"messages":[{"role":"user","content":"x"}],"data":{}}`, "invalid_request data"},
		{`{"messages":[{"role":"user","content":"x"}],"executor_mode":"sandbox"}`, "invalid_request executor_mode"},
		{`{"action":"instruct","messages":[{"role":"user","content":"Look"}]}`, ""},
		{`{"action":"plan.add","messages":[{"role":"user","content":"Look tomorrow"}]}`, "invalid_request action"},
		{`{"action":"task.cancel","messages":[{"role":"user","content":"Not that one"}]}`, "invalid_request action"},
	} {
		got := w.do("POST", robotsPath+"/my-robot/trigger", test.body)
		if test.fault != "" {
			if got.Status != 400 || got.fault() != test.fault {
				t.Errorf("%s: %d %s, want %s", test.body, got.Status, got.fault(), test.fault)
			}
			continue
		}
		var body struct {
			Accepted bool
			ID       string `json:"execution_id"`
		}
		got.into(&body)
		if got.Status != 200 || !body.Accepted || !strings.HasSuffix(got.Header.Get("Location"), body.ID) {
			t.Errorf("%s: %d %s", test.body, got.Status, got.Body)
		}
	}
	w.save("shy", robot.Profile{DisplayName: "Shy", LanguageModel: "m", Config: robot.Config{Triggers: &robot.Triggers{Intervene: &robot.Switch{}}}})
	w.want(400, "POST", robotsPath+"/shy/trigger", `{"messages":[{"role":"user","content":"x"}]}`)
	w.want(400, "POST", robotsPath+"/shy/intervene", `{"action":"instruct","messages":[{"role":"user","content":"x"}]}`)
}

// What is sent again under one key is done once: an execution, a robot, a message.
func TestRepeated(t *testing.T) {
	hands, model := newWorker()
	w := newWorld(t, model)
	defer hands.open()
	busy := w.execute("my-robot", "hold")
	w.until("my-robot", busy, robot.ExecRunning)
	for path, body := range map[string]string{
		"":                    `{"display_name":"Once"}`,
		"/my-robot/trigger":   `{"messages":[{"role":"user","content":"Look"}]}`,
		"/my-robot/interact":  text(map[string]any{"execution_id": busy, "message": "Faster"}),
		"/my-robot/intervene": text(map[string]any{"execution_id": busy, "action": "instruct", "messages": []map[string]string{{"role": "user", "content": "Faster"}}}),
	} {
		first := w.do("POST", robotsPath+path, body, "Idempotency-Key", "key"+path)
		again := w.do("POST", robotsPath+path, body, "Idempotency-Key", "key"+path)
		if first.Status >= 300 || again.Status != first.Status || again.Header.Get("Idempotent-Replayed") != "true" || string(again.Body) != string(first.Body) {
			t.Errorf("%s: %d %s, and again %d %s", path, first.Status, first.Body, again.Status, again.Body)
		}
	}
	if told := w.state(busy).Messages; len(told) != 2 {
		t.Errorf("it was told %+v", told)
	}
	if n := len(w.executions("my-robot")); n != 2 {
		t.Errorf("there are %d executions", n)
	}
}
