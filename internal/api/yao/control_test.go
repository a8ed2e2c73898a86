package yao_test

import (
	"fmt"
	"testing"

	"errand/internal/robot"
)

// Every control in every state: 200, the same again 200, in any other state 409 with
// a word that the client must not try again.
func TestControls(t *testing.T) {
	for state, allowed := range map[string]map[string]int{
		robot.ExecConfirming: {"pause": 409, "resume": 409, "cancel": 200, "retry": 409, "confirm": 200},
		robot.ExecPending:    {"pause": 409, "resume": 409, "cancel": 200, "retry": 409, "confirm": 409},
		robot.ExecRunning:    {"pause": 200, "resume": 409, "cancel": 200, "retry": 409, "confirm": 409},
		robot.ExecWaiting:    {"pause": 409, "resume": 409, "cancel": 200, "retry": 409, "confirm": 409},
		robot.ExecPaused:     {"pause": 200, "resume": 200, "cancel": 200, "retry": 409, "confirm": 409},
		robot.ExecCompleted:  {"pause": 409, "resume": 409, "cancel": 409, "retry": 200, "confirm": 409},
		robot.ExecFailed:     {"pause": 409, "resume": 409, "cancel": 409, "retry": 200, "confirm": 409},
		robot.ExecCancelled:  {"pause": 409, "resume": 409, "cancel": 200, "retry": 200, "confirm": 409},
	} {
		for control, want := range allowed {
			t.Run(state+" "+control, func(t *testing.T) {
				hands, model := newWorker()
				w := newWorld(t, model)
				defer hands.open()
				id := w.bring(hands, state)
				path := robotsPath + "/my-robot/executions/" + id + "/" + control
				for range 2 {
					got := w.want(want, "POST", path, "")
					if want == 409 && (got.fault() != "conflict" || got.Header.Get("X-Should-Retry") != "false") {
						t.Errorf("%s, X-Should-Retry %q", got.Body, got.Header.Get("X-Should-Retry"))
					}
				}
				after := map[string]string{"pause": robot.ExecPaused, "cancel": robot.ExecCancelled}[control]
				if want == 409 {
					after = state
				}
				if now := w.look("my-robot", id).Status; after != "" && now != after {
					t.Errorf("it is %s after %s, want %s", now, control, after)
				}
			})
		}
	}
}

// bring starts an execution and brings it into a state.
func (w *world) bring(hands *worker, state string) string {
	w.t.Helper()
	control := func(id, name string) string {
		w.want(200, "POST", robotsPath+"/my-robot/executions/"+id+"/"+name, "")
		return id
	}
	switch state {
	case robot.ExecConfirming:
		return w.interact(`{"message":"Look at prices"}`).ExecutionID
	case robot.ExecPending:
		for range 2 { // the robot's quota
			w.until("my-robot", w.execute("my-robot", "hold"), robot.ExecRunning)
		}
		return w.execute("my-robot", "hold")
	case robot.ExecWaiting:
		id := w.execute("my-robot", "ask")
		w.until("my-robot", id, state)
		return id
	case robot.ExecRunning, robot.ExecPaused, robot.ExecCancelled:
		id := w.execute("my-robot", "hold")
		w.until("my-robot", id, robot.ExecRunning)
		switch state {
		case robot.ExecPaused:
			control(id, "pause")
		case robot.ExecCancelled:
			control(id, "cancel")
		}
		return id
	}
	id := w.execute("my-robot", map[string]string{robot.ExecCompleted: "work", robot.ExecFailed: "fail"}[state])
	w.until("my-robot", id, state)
	hands.open()
	return id
}

// The words of the answers are the API's, spelt correctly; resumed once more is
// resumed.
func TestControlAnswers(t *testing.T) {
	hands, model := newWorker()
	w := newWorld(t, model)
	defer hands.open()
	id := w.execute("my-robot", "hold")
	w.until("my-robot", id, robot.ExecRunning)
	for _, step := range []struct{ control, action string }{{"pause", "paused"}, {"resume", "resumed"}, {"resume", "resumed"}, {"cancel", "cancelled"}} {
		var body struct {
			ID, Action string
			Execution  string `json:"execution_id"`
			Success    bool
		}
		w.want(200, "POST", robotsPath+"/my-robot/executions/"+id+"/"+step.control, "").into(&body)
		if body.Action != step.action || !body.Success || body.Execution != id {
			t.Errorf("%s: %+v", step.control, body)
		}
	}
	hands.open()
	var again struct {
		ID     string `json:"execution_id"`
		Status string
	}
	w.want(200, "POST", robotsPath+"/my-robot/executions/"+id+"/retry", "").into(&again)
	if again.ID == id || again.Status != "pending" {
		t.Errorf("retry: %+v", again)
	}
	e := w.until("my-robot", again.ID, robot.ExecCompleted)
	if e.Goals.Content != "hold" || e.Input.RetryOf != id {
		t.Errorf("the retry: %+v", e)
	}
}

// An execution of another robot, of another project, or none at all is 404, whatever
// is asked of it.
func TestOwnership(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	w.save("other", robot.Profile{DisplayName: "Other", LanguageModel: "m"})
	id := w.execute("my-robot", "ask")
	w.until("my-robot", id, robot.ExecWaiting)
	turn := w.talk(said("Hello"), "")
	stranger := w.stranger()
	for _, test := range []struct {
		who    *world
		member string
		exec   string
	}{
		{w, "other", id}, {w, "my-robot", "nonsense"}, {w, "my-robot", "exec_00000000000000000000000000000001"},
		{w, "my-robot", turn.ID}, {w, "nobody", id}, {stranger, "my-robot", id},
	} {
		base := robotsPath + "/" + test.member + "/executions/" + test.exec
		for _, route := range []struct{ method, path, body string }{
			{"GET", base, ""}, {"GET", base + "/stream", ""}, {"POST", base + "/pause", ""}, {"POST", base + "/resume", ""},
			{"POST", base + "/cancel", ""}, {"POST", base + "/retry", ""}, {"POST", base + "/confirm", ""},
			{"POST", base + "/tasks/task-1/reply", `{"message":"x"}`},
			{"GET", robotsPath + "/" + test.member + "/results/" + test.exec, ""},
			{"POST", robotsPath + "/" + test.member + "/interact", fmt.Sprintf(`{"message":"x","execution_id":%q}`, test.exec)},
			{"POST", robotsPath + "/" + test.member + "/intervene", fmt.Sprintf(`{"action":"goal.cancel","execution_id":%q}`, test.exec)},
		} {
			test.who.want(404, route.method, route.path, route.body)
		}
	}
	if now := w.look("my-robot", id).Status; now != robot.ExecWaiting {
		t.Errorf("somebody has made it %s", now)
	}
}
