package yao_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"errand/internal/api/yao"
	"errand/internal/auth"
	"errand/internal/robot"
	"errand/internal/run"
)

type robotList struct {
	Data  []map[string]any
	Total int
	Page  int
	Size  int `json:"pagesize"`
}

func (l *robotList) ids() string {
	var ids []string
	for _, one := range l.Data {
		id, _ := one["member_id"].(string)
		if id == "" {
			id, _ = one["name"].(string)
		}
		ids = append(ids, id)
	}
	return strings.Join(ids, " ")
}

// A robot is made, read, changed in part and deleted, and its clock hears of each.
func TestRobotLife(t *testing.T) {
	bell := &clocks{}
	_, model := newWorker()
	w := newWorld(t, model, func(cfg *yao.Config) { cfg.Clocks = bell })
	made := w.want(201, "POST", robotsPath, `{"member_id":"r1","display_name":"One","bio":"First","robot_config":{"quota":{"max":3}},"unknown":1}`)
	var one map[string]any
	made.into(&one)
	for field, want := range map[string]any{
		"member_id": "r1", "name": "r1", "display_name": "One", "description": "First", "bio": "First", "team_id": auth.DefaultProject,
		"status": "active", "robot_status": "idle", "running": 0.0, "max_running": 3.0, "last_run": nil, "autonomous_mode": false,
	} {
		if one[field] != want {
			t.Errorf("%s is %v, want %v", field, one[field], want)
		}
	}
	if one["next_run"] != "2030-01-01T09:00:00Z" {
		t.Errorf("next_run is %v", one["next_run"])
	}
	w.want(200, "PUT", robotsPath+"/r1", `{"bio":null,"avatar":"a.png"}`).into(&one)
	if one["bio"] != "First" || one["avatar"] != "a.png" {
		t.Errorf("a partial change: %v", one)
	}
	w.want(200, "PUT", robotsPath+"/r1", `{"status":"inactive"}`)
	if got := w.do("POST", robotsPath+"/r1/trigger", `{"messages":[{"role":"user","content":"x"}]}`); got.Status != 400 {
		t.Errorf("an inactive robot starts: %d %s", got.Status, got.Body)
	}
	w.want(200, "GET", robotsPath+"/r1", "")
	w.want(200, "DELETE", robotsPath+"/r1", "")
	w.want(404, "GET", robotsPath+"/r1", "")
	w.want(404, "DELETE", robotsPath+"/r1", "")
	if bell.changed != 4 {
		t.Errorf("the clock heard of %d changes, want 4", bell.changed)
	}
	id := map[string]any{}
	w.want(201, "POST", robotsPath, `{"display_name":"Nameless"}`).into(&id)
	if text := fmt.Sprint(id["member_id"]); len(text) != 12 {
		t.Errorf("a made id is %q", text)
	}
}

func TestRobotFaults(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	for _, test := range []struct {
		body   string
		status int
		fault  string
	}{
		{`{}`, 400, "invalid_request display_name"},
		{`[]`, 400, "invalid_request body"},
		{`{"display_name":"x","member_id":"a b"}`, 400, "invalid_request member_id"},
		{`{"display_name":"x","member_id":"stream"}`, 400, "invalid_request member_id"},
		{`{"member_id":"a b"}`, 400, "invalid_request display_name"},
		{`{"display_name":"x","member_id":"my-robot"}`, 409, "conflict member_id"},
		{`{"display_name":"Analyst"}`, 409, "conflict display_name"},
		{`{"display_name":"x","workspace":"w"}`, 400, "invalid_request workspace"},
		{`{"display_name":"x","robot_config":{"integrations":{"telegram":{"bot_token":"1"}}}}`, 400, "invalid_request robot_config.integrations"},
		{`{"display_name":"x","robot_config":{"executor":{"mode":"sandbox"}}}`, 400, "invalid_request robot_config.executor.mode"},
		{`{"display_name":7}`, 400, "invalid_request display_name"},
	} {
		if got := w.do("POST", robotsPath, test.body); got.Status != test.status || got.fault() != test.fault {
			t.Errorf("%s: %d %s, want %d %s", test.body, got.Status, got.fault(), test.status, test.fault)
		}
	}
	if got := w.want(400, "PUT", robotsPath+"/my-robot", `{"member_id":"other"}`); got.fault() != "invalid_request member_id" {
		t.Errorf("another id: %s", got.Body)
	}
	w.save("second", robot.Profile{DisplayName: "Second", LanguageModel: "m"})
	w.want(409, "PUT", robotsPath+"/second", `{"display_name":"Analyst"}`)
}

func TestRobotList(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	for n := range 5 {
		w.saveAt(time.Now().Add(time.Duration(n)*time.Second), fmt.Sprintf("r%d", n), robot.Profile{
			DisplayName: fmt.Sprintf("Robot %d", n), Bio: []string{"Prices", "news"}[n%2], LanguageModel: "m",
			Status: []string{"active", "inactive"}[n/4], Autonomous: n == 2,
		})
	}
	for query, want := range map[string]struct {
		ids   string
		total int
	}{
		"?keywords=PRICE":                      {"r4 r2 r0", 3},
		"?keywords=robot+3":                    {"r3", 1},
		"?status=inactive":                     {"r4", 1},
		"?autonomous_mode=yes":                 {"r2", 1},
		"?autonomous_mode=0&keywords=price":    {"r4 r0", 2},
		"?keywords=robot&page=2&pagesize=2":    {"r2 r1", 5},
		"?keywords=robot&page=9":               {"", 5},
		"?team_id=default&keywords=robot+0":    {"r0", 1},
		"?team_id=other":                       {"", 0},
		"?keywords=robot&pagesize=0&page=0":    {"r4", 5},
		"?keywords=robot&pagesize=5000&page=1": {"r4 r3 r2 r1 r0", 5},
	} {
		var list robotList
		w.want(200, "GET", robotsPath+query, "").into(&list)
		if list.ids() != want.ids || list.Total != want.total || list.Size < 1 || list.Size > 100 {
			t.Errorf("%s: %q of %d in pages of %d, want %q of %d", query, list.ids(), list.Total, list.Size, want.ids, want.total)
		}
	}
	for _, query := range []string{"?status=x", "?autonomous_mode=maybe", "?page=one"} {
		w.want(400, "GET", robotsPath+query, "")
	}
}

// A robot with executions that have not ended stays; how it stands is found.
func TestRobotAtWork(t *testing.T) {
	hands, model := newWorker()
	w := newWorld(t, model)
	defer hands.open()
	id := w.execute("my-robot", "hold on")
	w.until("my-robot", id, robot.ExecRunning)
	var stand map[string]any
	w.want(200, "GET", robotsPath+"/my-robot/status", "").into(&stand)
	if stand["status"] != "working" || stand["running"] != 1.0 || fmt.Sprint(stand["running_ids"]) != "["+id+"]" {
		t.Errorf("at work it stands as %v", stand)
	}
	if got := w.want(409, "DELETE", robotsPath+"/my-robot", ""); !strings.Contains(string(got.Body), "running executions") {
		t.Errorf("%s", got.Body)
	}
	hands.open()
	w.until("my-robot", id, robot.ExecCompleted)
	w.want(200, "GET", robotsPath+"/my-robot/status", "").into(&stand)
	if stand["status"] != "idle" || stand["running"] != 0.0 {
		t.Errorf("at rest it stands as %v", stand)
	}
	w.until("my-robot", w.execute("my-robot", "fail"), robot.ExecFailed)
	w.want(200, "GET", robotsPath+"/my-robot/status", "").into(&stand)
	if stand["status"] != "error" {
		t.Errorf("after a failure it stands as %v", stand)
	}
	w.want(200, "DELETE", robotsPath+"/my-robot", "")
}

// clocks counts what they are told.
type clocks struct{ changed int }

func (c *clocks) Changed(string, string) run.Job {
	c.changed++
	return run.Job{Kind: "clock"}
}

func (c *clocks) Next(_ context.Context, _, _ string) (time.Time, error) {
	return time.Date(2030, 1, 1, 9, 0, 0, 0, time.UTC), nil
}

// saveAt saves a robot that was made at this time.
func (w *world) saveAt(at time.Time, id string, p robot.Profile) {
	w.t.Helper()
	draft := robot.Draft{}
	_, rows, err := w.robots.Create(auth.DefaultProject, id, "key", draft.Apply(p), at)
	if err == nil {
		err = w.store.Append(w.t.Context(), run.Commit{Rows: rows})
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// A field that is not there is refused by its name, wherever it stands: a misspelt gate
// would hold nothing up. What an answer shows can be sent back as it is.
func TestRobotFieldsThatAreNotThere(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	for body, want := range map[string]string{
		`{"display_name":"X","approval":{"required_for":["email.*"]}}`:                          "invalid_request approval",
		`{"display_name":"X","robot_config":{"aproval":{"required_for":["email.*"]}}}`:          "invalid_request robot_config.aproval",
		`{"display_name":"X","robot_config":{"quota":{"maximum":1}}}`:                           "invalid_request robot_config.quota.maximum",
		`{"display_name":"X","robot_config":{"events":[{"type":"webhook","source":"rotate"}]}}`: "invalid_request robot_config.events[0].source",
	} {
		if fault := w.want(400, "POST", robotsPath, body).fault(); fault != want {
			t.Errorf("%s: %s, want %s", body, fault, want)
		}
		if fault := w.want(400, "PUT", robotsPath+"/my-robot", body).fault(); fault != want {
			t.Errorf("changed with %s: %s, want %s", body, fault, want)
		}
	}
	shown := w.want(200, "GET", robotsPath+"/my-robot", "")
	w.want(200, "PUT", robotsPath+"/my-robot", string(shown.Body))
}
