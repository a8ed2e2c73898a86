package yao_test

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"errand/internal/api/wire"
	"errand/internal/api/yao"
	"errand/internal/engine"
	"errand/internal/robot"
)

// restarted is the world after a crash: what was under way is cut off, and another
// engine takes over what is stored.
func (w *world) restarted(model engine.Models) *world {
	w.t.Helper()
	cut, now := context.WithCancel(context.Background())
	now()
	_ = w.engine.Close(cut)
	other := *w
	other.engine = engine.New(engine.Config{Log: w.store, Rows: w.store, Models: model, Tools: newBench(w.store), Now: time.Now})
	api, err := yao.New(other.config())
	if err != nil {
		w.t.Fatal(err)
	}
	served, err := wire.New(wire.Config{
		Routes: api.Routes(), Families: []*wire.Family{api.Family()}, Keys: w.keys, Rows: w.store, Draining: other.engine.Draining(),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	server := httptest.NewServer(served)
	other.api, other.url, other.client = api, server.URL, &http.Client{Transport: server.Client().Transport}
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_ = other.engine.Close(ctx)
		server.Close()
	})
	if err := other.engine.Start(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	return &other
}

// defects are what was seen to be wrong with servers of this API, each by its name.
type defects map[string]func(*testing.T, *worker, *world)

func (d defects) test(t *testing.T) {
	for name, test := range d {
		t.Run(name, func(t *testing.T) {
			hands, model := newWorker()
			w := newWorld(t, model)
			defer hands.open()
			test(t, hands, w)
		})
	}
}

func TestTalkDefects(t *testing.T) {
	defects{
		"no chat/completions route": func(t *testing.T, _ *worker, w *world) {
			w.want(200, "POST", talkPath, `{"messages":[{"role":"user","content":"Look"}]}`)
			w.want(200, "POST", strings.Replace(talkPath, "chat/", "", 1), `{"messages":[{"role":"user","content":"Look"}]}`)
		},
		"stream false is ignored": func(t *testing.T, _ *worker, w *world) {
			got := w.want(200, "POST", talkPath, `{"messages":[{"role":"user","content":"Look"}],"stream":false}`)
			if kind := got.Header.Get("Content-Type"); kind != "application/json" {
				t.Errorf("Content-Type %s", kind)
			}
		},
		"finish_reason is null": func(t *testing.T, _ *worker, w *world) {
			if body := w.talk(said("Look"), ""); body.Choices[0].Finish != "stop" {
				t.Errorf("%+v", body)
			}
		},
		"execution_id is lost": func(t *testing.T, _ *worker, w *world) {
			first := w.talk(said("Look"), "")
			if second := w.talk(said("Look", first.text(), "yes"), ""); second.ExecutionID == "" || !strings.Contains(second.text(), second.ExecutionID) {
				t.Errorf("%+v", second)
			}
		},
		"a link into the reply": func(t *testing.T, _ *worker, w *world) {
			if body := w.talk(said("Look"), ""); strings.Contains(body.text(), "http") {
				t.Errorf("%+v", body)
			}
		},
		"a chat shared by its opening": func(t *testing.T, _ *worker, w *world) {
			first, second := w.talk(said("Look"), ""), w.talk(said("Look"), "")
			if first.ChatID == second.ChatID || first.ChatID == "" {
				t.Errorf("both are %s", first.ChatID)
			}
		},
		"an error behind the begin of a stream": func(t *testing.T, _ *worker, w *world) {
			answer, err := w.send(t.Context(), "POST", talkPath, `{"messages":[{"role":"user","content":"break"}],"stream":true}`)
			if err != nil {
				t.Fatal(err)
			}
			defer answer.Body.Close()
			var body map[string]any
			if answer.StatusCode == 200 {
				all := w.frames(answer.Body)
				if err := json.Unmarshal([]byte(all[len(all)-1]), &body); err != nil || body["error"] == nil {
					t.Errorf("%v", all)
				}
			}
		},
	}.test(t)
}

func TestExecutionDefects(t *testing.T) {
	defects{
		"status started": func(t *testing.T, _ *worker, w *world) {
			if got := w.want(200, "POST", robotsPath+"/my-robot/execute", `{"goals":"Look"}`); !strings.Contains(string(got.Body), `"status":"pending"`) {
				t.Errorf("%s", got.Body)
			}
		},
		"action canceld": func(t *testing.T, _ *worker, w *world) {
			got := w.want(200, "POST", robotsPath+"/my-robot/executions/"+w.bring(nil, robot.ExecRunning)+"/cancel", "")
			if !strings.Contains(string(got.Body), `"action":"cancelled"`) {
				t.Errorf("%s", got.Body)
			}
		},
		"500 for an unknown robot": func(t *testing.T, _ *worker, w *world) {
			for _, route := range []struct{ method, path string }{
				{"POST", "/completions"}, {"POST", "/chat/completions"}, {"GET", "/host"}, {"GET", "/status"}, {"POST", "/execute"}, {"GET", "/executions"},
			} {
				if got := w.want(404, route.method, robotsPath+"/nobody"+route.path, `{}`); got.fault() != "robot_not_found" {
					t.Errorf("%s: %s", route.path, got.Body)
				}
			}
		},
		"accepted false with 200": func(t *testing.T, _ *worker, w *world) {
			w.want(200, "PUT", robotsPath+"/my-robot", `{"robot_status":"paused"}`)
			got := w.want(400, "POST", robotsPath+"/my-robot/trigger", `{"messages":[{"role":"user","content":"Look"}]}`)
			if strings.Contains(string(got.Body), "accepted") {
				t.Errorf("%s", got.Body)
			}
		},
		"no ownership check": func(t *testing.T, _ *worker, w *world) {
			id := w.bring(nil, robot.ExecWaiting)
			stranger := w.stranger()
			for _, path := range []string{"/completions", "/execute", "/trigger", "/executions/" + id + "/cancel", "/executions/" + id + "/pause"} {
				stranger.want(404, "POST", robotsPath+"/my-robot"+path, `{"goals":"x","messages":[{"role":"user","content":"x"}]}`)
			}
		},
		"the keyword is ignored": func(t *testing.T, _ *worker, w *world) {
			w.execute("my-robot", "Look at prices")
			var list robotList
			w.want(200, "GET", robotsPath+"/my-robot/executions?keyword=weather", "").into(&list)
			if list.Total != 0 || len(list.Data) != 0 {
				t.Errorf("%+v", list)
			}
		},
	}.test(t)
}

func TestRestartDefects(t *testing.T) {
	defects{
		"a restart fails what was accepted": func(t *testing.T, hands *worker, w *world) {
			running, waiting := w.bring(nil, robot.ExecRunning), w.bring(nil, robot.ExecWaiting)
			queued := w.execute("my-robot", "hold 2")
			held := w.interact(`{"message":"Look at prices"}`).ExecutionID
			hands.open()
			w = w.restarted(restartedWorker())
			for _, id := range []string{running, queued} {
				w.until("my-robot", id, robot.ExecCompleted)
			}
			if now := w.look("my-robot", waiting).Status; now != robot.ExecWaiting {
				t.Errorf("what waited is %s", now)
			}
			w.want(200, "POST", robotsPath+"/my-robot/executions/"+held+"/confirm", "")
			w.until("my-robot", held, robot.ExecCompleted)
		},
		"an execution that is not there yet": func(t *testing.T, _ *worker, w *world) {
			for range 12 { // as many as may be at work and wait
				w.look("my-robot", w.execute("my-robot", "Look")) // 404 would fail
			}
		},
		"controls work where it was started alone": func(t *testing.T, _ *worker, w *world) {
			id := w.bring(nil, robot.ExecWaiting)
			w = w.restarted(restartedWorker())
			w.want(200, "POST", robotsPath+"/my-robot/executions/"+id+"/tasks/task-1/reply", `{"message":"The second"}`)
			w.until("my-robot", id, robot.ExecCompleted)
			w.want(200, "POST", robotsPath+"/my-robot/executions/"+id+"/retry", "")
		},
	}.test(t)
}

// restartedWorker is a worker that holds nothing.
func restartedWorker() engine.Models {
	hands, model := newWorker()
	hands.open()
	return model
}

// Whatever a body says, it is understood or refused: no answer is a failure of the
// server, and an error is one in this API's shape.
func FuzzBodies(f *testing.F) {
	for _, seed := range []string{
		`{"message":"x","execution_id":"e","action":"confirm","stream":true}`, `{"action":"task.add","messages":[{"role":"user","content":"x"}]}`,
		`{"trigger_type":"event","event_type":"x","data":[1,{"a":null}]}`, `{"member_id":"a","display_name":"b","robot_config":{"clock":{"mode":"times","times":["25:00"]}}}`,
		`{"plan_at":"x"}`, `[]`, `null`, ``, `{"messages":null}`, `{"robot_config":{"quota":{"max":-1}}}`, "{\"message\":\"\\u0000\"}",
	} {
		f.Add(seed)
	}
	_, model := newWorker()
	w := newWorld(f, model)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	f.Fuzz(func(t *testing.T, body string) {
		for _, route := range []struct{ method, path string }{
			{"POST", ""}, {"PUT", "/my-robot"}, {"POST", "/my-robot/trigger"}, {"POST", "/my-robot/intervene"}, {"POST", "/my-robot/interact"},
			{"POST", "/integrations/verify"}, {"POST", "/my-robot/executions/exec_00000000000000000000000000000001/tasks/t/reply"},
		} {
			request, err := http.NewRequestWithContext(t.Context(), route.method, w.url+robotsPath+route.path, strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			request.Header.Set("Authorization", "Bearer "+w.secret)
			answer, err := client.Do(request)
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(answer.Body)
			answer.Body.Close()
			full := answer.StatusCode == http.StatusServiceUnavailable // more was started than has room
			if err != nil || answer.StatusCode >= 500 && !full || answer.StatusCode >= 400 && !strings.Contains(string(text), "error_description") {
				t.Errorf("%s %s %q: %d %.300s %v", route.method, route.path, body, answer.StatusCode, text, err)
			}
		}
	})
}
