package yao_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/robot"
)

// listen reads a stream until enough says so.
func (w *world) listen(path, last string, enough func(event) bool) []event {
	w.t.Helper()
	ctx, stop := context.WithTimeout(w.t.Context(), time.Minute)
	defer stop()
	answer, err := w.send(ctx, "GET", path, "", "Last-Event-ID", last)
	if err != nil {
		w.t.Fatal(err)
	}
	defer answer.Body.Close()
	if kind := answer.Header.Get("Content-Type"); answer.StatusCode == 200 && !strings.HasPrefix(kind, "text/event-stream") {
		w.t.Fatalf("Content-Type %q", kind)
	}
	return events(w.t, answer.Body, enough)
}

func TestExecutionStream(t *testing.T) {
	hands, model := newWorker()
	w := newWorld(t, model)
	defer hands.open()
	id := w.execute("my-robot", "hold")
	path := robotsPath + "/my-robot/executions/" + id + "/stream"
	live := make(chan []event)
	go func() { live <- w.listen(path, "", nil) }()
	w.until("my-robot", id, robot.ExecRunning)
	hands.open()
	all := <-live
	told := strings.ReplaceAll(namesOf(all)+" ", "phase ", "")
	if want := "task_start task_complete task_start task_complete delivery complete "; told != want {
		t.Errorf("it tells %s, want %s", told, want)
	}
	// The whole of it later is what a reader saw live, and from any frame on the rest.
	if diff := cmp.Diff(all, w.listen(path, "", nil)); diff != "" {
		t.Errorf("later (-live +later):\n%s", diff)
	}
	for i := range all {
		if all[i].ID == "" || i == len(all)-1 {
			continue
		}
		if diff := cmp.Diff(all[i+1:], w.listen(path, all[i].ID, nil)); diff != "" {
			t.Errorf("after %s (-want +got):\n%s", all[i].ID, diff)
		}
	}
	if again := w.do("GET", path, "", "Last-Event-ID", all[len(all)-1].ID); again.Status != 204 {
		t.Errorf("behind the end: %d %s", again.Status, again.Body)
	}
	w.want(400, "GET", path+"?after=x", "")
	w.want(400, "GET", path+"?after=9999", "")
}

// What a stream tells at any moment was true then: statuses and phases only go forward.
func TestStreamGoesForward(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	id := w.execute("my-robot", "ask")
	path := robotsPath + "/my-robot/executions/" + id
	live := make(chan []event)
	go func() { live <- w.listen(path+"/stream", "", nil) }()
	w.until("my-robot", id, robot.ExecWaiting)
	w.want(200, "POST", path+"/tasks/task-1/reply", `{"message":"The second"}`)
	all := <-live
	order := map[string]int{robot.GoalsPhase: 1, robot.TasksPhase: 2, robot.RunPhase: 3, robot.Delivering: 4, robot.Learning: 5}
	at, waited, asked := 0, false, false
	for _, one := range all {
		var told struct {
			Phase, Status, Content string
			NeedInput              bool   `json:"need_input"`
			ExecutionID            string `json:"execution_id"`
		}
		if err := json.Unmarshal([]byte(one.Data), &told); err != nil || told.ExecutionID != id {
			t.Errorf("%v %+v", err, one)
		}
		if one.Name == "phase" {
			if order[told.Phase] < at {
				t.Errorf("back to %s in %v", told.Phase, all)
			}
			at, waited = order[told.Phase], waited || told.Status == robot.ExecWaiting
		}
		asked = asked || told.NeedInput && told.Content == "Which one?"
	}
	if !waited || !asked {
		t.Errorf("waited %v, asked %v: %v", waited, asked, all)
	}
}

func TestFailedStream(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	all := w.listen(robotsPath+"/my-robot/executions/"+w.execute("my-robot", "fail")+"/stream", "", nil)
	if last := all[len(all)-1]; last.Name != "error" || !strings.Contains(last.Data, `"status":"failed"`) {
		t.Errorf("%+v", all)
	}
}

// The stream of an execution whose goal is being settled goes on with the run.
func TestReservedStream(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	first := w.interact(`{"message":"Look at prices"}`)
	path := robotsPath + "/my-robot/executions/" + first.ExecutionID
	live := make(chan []event)
	go func() { live <- w.listen(path+"/stream", "", nil) }()
	w.want(200, "POST", path+"/confirm", "")
	all := <-live
	if last := all[len(all)-1]; last.Name != "complete" {
		t.Errorf("%s", namesOf(all))
	}
	second := w.interact(`{"message":"Something else"}`)
	w.want(200, "POST", robotsPath+"/my-robot/executions/"+second.ExecutionID+"/cancel", "")
	all = w.listen(robotsPath+"/my-robot/executions/"+second.ExecutionID+"/stream", "", nil)
	if namesOf(all) != "phase complete" {
		t.Errorf("given up: %v", all)
	}
}

// The stream of a robot tells of all its executions, and what was missed.
func TestRobotStream(t *testing.T) {
	hands, model := newWorker()
	w := newWorld(t, model)
	defer hands.open()
	for _, path := range []string{"/my-robot/stream", "/stream"} {
		begun, ids := make(chan bool), make(chan string, 1)
		live := make(chan []event)
		id := ""
		go func() {
			first := true
			live <- w.listen(robotsPath+path, "", func(one event) bool {
				if first {
					close(begun)
					first = false
				}
				if id == "" && len(ids) > 0 {
					id = <-ids
				}
				return one.Name == "execution_complete" && id != "" && strings.Contains(one.Data, id)
			})
		}()
		<-begun
		made := w.execute("my-robot", "Look")
		ids <- made
		all := <-live
		names := " " + namesOf(all) + " "
		for _, name := range []string{"robot_status", "execution_start", "activity", "execution_complete"} {
			if !strings.Contains(names, " "+name+" ") {
				t.Errorf("%s: no %s in %s", path, name, names)
			}
		}
		if told := strings.Contains(names, " task_complete "); told != (path != "/stream") {
			t.Errorf("%s: tasks told: %v", path, told)
		}
		missed := w.listen(robotsPath+path, fmt.Sprint(time.Now().Add(-time.Hour).UnixMilli()), func(one event) bool {
			return one.Name == "execution_complete" && strings.Contains(one.Data, made)
		})
		if len(missed) == 0 || missed[len(missed)-1].Name != "execution_complete" {
			t.Errorf("%s: what was missed: %v", path, missed)
		}
	}
	w.want(400, "GET", robotsPath+"/my-robot/stream", "", "Last-Event-ID", "x")
	w.want(404, "GET", robotsPath+"/nobody/stream", "")
}
