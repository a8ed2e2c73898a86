package yao_test

import (
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"errand/internal/robot"
)

func TestExecutionList(t *testing.T) {
	hands, model := newWorker()
	w := newWorld(t, model)
	defer hands.open()
	var ids []string
	for n := range 5 {
		id := w.execute("my-robot", fmt.Sprintf("Look at %s, %d", []string{"prices", "news"}[n%2], n))
		w.until("my-robot", id, robot.ExecCompleted)
		ids = append(ids, id)
	}
	failed := w.execute("my-robot", "fail")
	w.until("my-robot", failed, robot.ExecFailed)
	asking := w.execute("my-robot", "ask")
	w.until("my-robot", asking, robot.ExecWaiting)
	var clock struct {
		ID string `json:"execution_id"`
	}
	w.want(200, "POST", robotsPath+"/my-robot/trigger", `{"trigger_type":"event","event_type":"prices.changed"}`).into(&clock)
	w.until("my-robot", clock.ID, robot.ExecCompleted)
	held := w.interact(`{"message":"Prices again"}`).ExecutionID
	for query, want := range map[string][]string{
		"":                                    {held, clock.ID, asking, failed, ids[4], ids[3], ids[2], ids[1], ids[0]},
		"status=completed":                    {clock.ID, ids[4], ids[3], ids[2], ids[1], ids[0]},
		"status=failed,waiting":               {asking, failed},
		"exclude_status=completed,confirming": {asking, failed},
		"status=failed&exclude_status=failed": {},
		"trigger_type=event":                  {clock.ID},
		"trigger_type=clock":                  {},
		"keyword=PRICES":                      {held, clock.ID, ids[4], ids[2], ids[0]},
		"keyword=prices&trigger_type=human":   {held, ids[4], ids[2], ids[0]},
		"keyword=prices&status=completed":     {clock.ID, ids[4], ids[2], ids[0]},
		"status=confirming":                   {held},
	} {
		for _, size := range []int{1, 4, 100} {
			var got []string
			for page := 1; ; page++ {
				var list struct {
					Data []struct {
						ID, Status string
						Trigger    string `json:"trigger_type"`
					}
					Total, Page int
				}
				w.want(200, "GET", fmt.Sprintf("%s/my-robot/executions?page=%d&pagesize=%d&%s", robotsPath, page, size, query), "").into(&list)
				if list.Total != len(want) || list.Page != page {
					t.Fatalf("%q: %+v, want %d in all", query, list, len(want))
				}
				if len(list.Data) == 0 {
					break
				}
				for _, one := range list.Data {
					got = append(got, one.ID)
				}
			}
			if fmt.Sprint(got) != fmt.Sprint(want) {
				t.Errorf("%q in pages of %d: %v, want %v", query, size, got, want)
			}
		}
	}
	for _, query := range []string{"status=done", "exclude_status=x", "trigger_type=moon", "page=x"} {
		w.want(400, "GET", robotsPath+"/my-robot/executions?"+query, "")
	}
}

func TestExecutionAndResult(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	id := w.execute("my-robot", "Look\nand write")
	e := w.until("my-robot", id, robot.ExecCompleted)
	if e.Name != "Look" || e.Current.Progress != "2/2 tasks" || len(e.Tasks) != 2 || e.Tasks[1].Status != robot.TaskCompleted || len(e.Results) != 2 || e.Delivery.Content.Summary != "All done." {
		t.Errorf("%+v", e)
	}
	var result struct {
		ID, Summary, Status string
		Delivery            robot.Delivery
	}
	w.want(200, "GET", robotsPath+"/my-robot/results/"+id, "").into(&result)
	if result.ID != id || result.Summary != "All done." || !strings.HasPrefix(result.Delivery.Content.Body, "# Report") {
		t.Errorf("%+v", result)
	}
	failed := w.execute("my-robot", "fail")
	w.until("my-robot", failed, robot.ExecFailed)
	w.want(404, "GET", robotsPath+"/my-robot/results/"+failed, "")
	var list robotList
	w.want(200, "GET", robotsPath+"/my-robot/results?keyword=LOOK", "").into(&list)
	if list.Total != 1 || list.Data[0]["id"] != id || list.Data[0]["has_attachments"] != false {
		t.Errorf("%+v", list)
	}
}

func TestReply(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	id := w.execute("my-robot", "ask")
	e := w.until("my-robot", id, robot.ExecWaiting)
	if e.Tasks[0].Status != robot.TaskWaiting || e.Results[0].Question != "Which one?" {
		t.Errorf("%+v", e)
	}
	path := robotsPath + "/my-robot/executions/" + id + "/tasks/"
	w.want(400, "POST", path+"task-1/reply", `{}`)
	w.want(404, "POST", path+"task-9/reply", `{"message":"x"}`)
	w.want(409, "POST", path+"task-2/reply", `{"message":"x"}`)
	for range 2 {
		var got interaction
		w.want(200, "POST", path+"task-1/reply", `{"message":"The second"}`).into(&got)
		if got.Status != "resumed" || got.ExecutionID != id {
			t.Errorf("%+v", got)
		}
	}
	w.want(409, "POST", path+"task-1/reply", `{"message":"Another"}`)
	w.until("my-robot", id, robot.ExecCompleted)
	if last := w.state(id); len(last.Turns[1].Actions) != 1 || last.Turns[1].Actions[0].Output != "The second" {
		t.Errorf("it was told %+v", last.Turns[1].Actions)
	}
}

// A gate of the robot holds inside an execution, and shows as waiting.
func TestGate(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	w.want(201, "POST", robotsPath, `{"member_id":"gated","display_name":"Gated","robot_config":{"resources":{"tools":["note.write"]},"approval":{"required_for":["note.write"]}}}`)
	id := w.execute("gated", "note")
	w.until("gated", id, robot.ExecWaiting)
	pending := w.state(id)
	if n := len(pending.Pending()); n != 1 {
		t.Fatalf("%d actions are pending", n)
	}
	w.want(409, "POST", robotsPath+"/gated/executions/"+id+"/pause", "")
	w.want(200, "POST", robotsPath+"/gated/executions/"+id+"/cancel", "")
	w.until("gated", id, robot.ExecCancelled)
}

func TestActivities(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	before := time.Now().Add(-time.Second).UTC().Format(time.RFC3339)
	done, failed := w.execute("my-robot", "Look"), w.execute("my-robot", "fail")
	w.until("my-robot", done, robot.ExecCompleted)
	w.until("my-robot", failed, robot.ExecFailed)
	w.talk(said("Hello"), "") // no execution, and so no activity
	list := func(query string) []string {
		var body struct {
			Data []struct {
				Type string
				ID   string `json:"execution_id"`
				Name string `json:"robot_name"`
			}
		}
		w.want(200, "GET", robotsPath+"/activities?"+query, "").into(&body)
		found := []string{}
		for _, one := range body.Data {
			if one.Name != "Analyst" {
				t.Errorf("%+v", one)
			}
			found = append(found, one.Type+" "+one.ID)
		}
		return found
	}
	if got := list("since=" + url.QueryEscape(before)); len(got) != 4 {
		t.Errorf("all: %v", got)
	}
	if got := list("type=execution.failed"); fmt.Sprint(got) != "[execution.failed "+failed+"]" {
		t.Errorf("failed ones: %v", got)
	}
	if got := list("limit=3"); len(got) != 3 {
		t.Errorf("three: %v", got)
	}
	if got := list("since=2099-01-01T00:00:00Z"); len(got) != 0 {
		t.Errorf("of the future: %v", got)
	}
	for _, query := range []string{"since=yesterday", "since=1700000000", "type=x"} {
		w.want(400, "GET", robotsPath+"/activities?"+query, "")
	}
	var elsewhere struct{ Data []any }
	w.stranger().want(200, "GET", robotsPath+"/activities", "").into(&elsewhere)
	if len(elsewhere.Data) != 0 {
		t.Errorf("another project sees %v", elsewhere.Data)
	}
}

func TestVerifyIntegration(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	var got struct {
		Valid bool
		Error string
	}
	w.want(200, "POST", robotsPath+"/integrations/verify", `{"provider":"telegram","config":{"bot_token":"1"}}`).into(&got)
	if got.Valid || !strings.Contains(got.Error, "telegram") {
		t.Errorf("%+v", got)
	}
	w.want(400, "POST", robotsPath+"/integrations/verify", `{"provider":"pigeon"}`)
	w.want(400, "POST", robotsPath+"/integrations/verify", `{"provider":"telegram","config":[]}`)
}
