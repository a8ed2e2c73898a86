package yao_test

import (
	"strings"
	"testing"

	"errand/internal/auth"
	"errand/internal/robot"
)

// TestAKeyForOneRobot: it talks to its robot, starts it and sees what it does; every
// other one is to it as one that is not there, in lists and streams, too; and it changes
// no robot.
func TestAKeyForOneRobot(t *testing.T) {
	_, model := newWorker()
	w := newWorld(t, model)
	whole, err := w.robots.Find(t.Context(), auth.DefaultProject, "my-robot")
	if err != nil {
		t.Fatal(err)
	}
	other := whole.Profile
	other.DisplayName = "Another"
	w.save("a-robot", other)
	foreign := w.execute("a-robot", "Look")
	w.until("a-robot", foreign, robot.ExecCompleted)
	admin := auth.Caller{Project: auth.DefaultProject, KeyID: "key_test", Scopes: []string{"admin"}}
	made, err := w.keys.Create(t.Context(), admin, auth.Draft{Name: "narrow", Agents: []string{robot.ExecutionAgent + "my-robot", robot.HostAgent + "my-robot"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	narrow := *w
	narrow.secret = made.Secret
	own := narrow.execute("my-robot", "Look")
	narrow.until("my-robot", own, robot.ExecCompleted)

	for path, status := range map[string]int{
		"/my-robot": 200, "/my-robot/status": 200, "/my-robot/executions/" + own: 200, "/my-robot/results": 200, "/my-robot/models": 200,
		"/a-robot": 404, "/a-robot/status": 404, "/a-robot/executions": 404, "/a-robot/executions/" + foreign: 404, "/my-robot/executions/" + foreign: 404,
		"/a-robot/results": 404, "/a-robot/stream": 404, "/a-robot/models": 404,
	} {
		narrow.want(status, "GET", robotsPath+path, "")
	}
	for _, path := range []string{"/execute", "/trigger", "/interact", "/executions/" + foreign + "/cancel"} {
		narrow.want(404, "POST", robotsPath+"/a-robot"+path, `{"goals":"x","message":"x","type":"human","action":"task.add"}`)
	}
	narrow.want(403, "PUT", robotsPath+"/my-robot", `{"bio":"mine"}`)
	narrow.want(403, "POST", robotsPath+"/my-robot/events/rotate", "")
	for _, path := range []string{"", "/activities"} {
		list := string(narrow.want(200, "GET", robotsPath+path, "").Body)
		if !strings.Contains(list, "my-robot") || strings.Contains(list, "a-robot") {
			t.Errorf("%s lists %s", path, list)
		}
	}
	// A reader that was here long ago is told of all that it has missed, robots last, by name.
	told := narrow.listen(robotsPath+"/stream", "1", func(e event) bool { return e.Name == "robot_status" && strings.Contains(e.Data, "my-robot") })
	for _, one := range told {
		if strings.Contains(one.Data, "a-robot") || strings.Contains(one.Data, foreign) {
			t.Errorf("the stream tells of another robot: %+v", one)
		}
	}
	if len(told) < 2 || !strings.Contains(told[0].Data, own) {
		t.Errorf("the stream tells %+v", told)
	}
}
