package e2e

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"errand/e2e/rig"
)

// timetable is a schedule as the API shows it.
type timetable struct {
	ID        string
	NextRun   *time.Time  `json:"next_run"`
	NextRuns  []time.Time `json:"next_runs"`
	LastRun   string      `json:"last_run"`
	Failures  int
	CreatedAt time.Time `json:"created_at"`
}

// fired are the runs of an agent, newest first.
func fired(c *rig.Client, agent string) []rig.Run {
	var page struct{ Data []rig.Run }
	c.Get("/v1/agents/"+agent+"/runs?limit=100", &page)
	return page.Data
}

// TestKillBetweenFirings: a schedule of each second, and a server that is killed in
// the middle, twice. Every second has one run at the most, every run ends, and the
// chain goes on by itself.
func TestKillBetweenFirings(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	c.Post("/v1/agents", `{"name":"ticker","model":"auto","instructions":"Tick.","tools":["time.now"]}`, nil)
	var made timetable
	c.Post("/v1/schedules", map[string]any{
		"agent": "ticker", "every": "1s", "overlap": "allow", "input": rig.Steps("tick", `time.now {}`, rig.Say("Tick.")),
	}, &made)
	for count := 2; count <= 4; count += 2 {
		w.Eventually("runs", func() bool { return len(fired(s.Client(), "ticker")) >= count })
		s.Kill()
		s = w.Start()
	}
	c = s.Client()
	w.Eventually("runs", func() bool { return len(fired(c, "ticker")) >= 6 })
	c.Do("PATCH", "/v1/schedules/"+made.ID, `{"paused":true}`).Is(http.StatusOK)
	seen := map[int64]string{}
	for _, one := range fired(c, "ticker") {
		var run struct {
			rig.Run
			ScheduleID string `json:"schedule_id"`
		}
		c.Until(one.ID, "completed")
		c.Get("/v1/runs/"+one.ID, &run)
		second := int64(run.CreatedAt.Sub(made.CreatedAt) / time.Second)
		for late := 0; seen[second] != "" && late < 2; late++ {
			second-- // a busy machine makes a run of one second in the next, or the one after
		}
		if run.ScheduleID != made.ID || seen[second] != "" {
			t.Errorf("run %s of schedule %s, second %d: there is %s", run.ID, run.ScheduleID, second, seen[second])
		}
		seen[second] = run.ID
	}
	var now timetable
	c.Get("/v1/schedules/"+made.ID, &now)
	if now.NextRun != nil || len(now.NextRuns) != 0 || now.Failures != 0 || now.LastRun == "" {
		t.Errorf("paused: %+v", now)
	}
	count := len(seen)
	rig.Pause(1500 * time.Millisecond)
	if after := len(fired(c, "ticker")); after != count {
		t.Errorf("%d runs were started while it was paused", after-count)
	}
}

// tourSchedules goes through the life of a schedule.
func tourSchedules(t *testing.T, _ *rig.World, c *rig.Client) {
	fault := c.Do("POST", "/v1/schedules", `{"agent":"nobody","cron":"61 * * * *","tz":"Mars","missed":"maybe"}`).Refused(http.StatusBadRequest, "invalid_request")
	for _, field := range []string{"agent", "cron", "input", "missed", "tz"} {
		if !strings.Contains(fault.Message, field+": ") {
			t.Errorf("%s is not named: %+v", field, fault)
		}
	}
	c.Do("POST", "/v1/schedules", `{"robot":"x","cron":"0 0 30 2 *"}`).Refused(http.StatusBadRequest, "invalid_request")
	for _, wrong := range []string{`{}`, `{"cron":"0 0 30 2 *"}`, `{"cron":"61 * * * *"}`, `{"every":"1ms"}`, `{"cron":"* * * * *","every":"5m"}`, `{"cron":"* * * * *","tz":"Mars"}`, `{"every":"5m","count":0}`, `{"every":"5m","input":"x"}`} {
		c.Do("POST", "/v1/schedules/preview", wrong).Refused(http.StatusBadRequest, "invalid_request")
	}
	var preview timetable
	c.Post("/v1/schedules/preview", `{"cron":"0 9 * * Mon-Fri","tz":"Europe/Berlin"}`, &preview)
	if len(preview.NextRuns) != 5 {
		t.Errorf("%+v", preview)
	}
	for _, at := range preview.NextRuns {
		if at.Hour() != 9 || at.Minute() != 0 || at.Weekday() == time.Saturday || at.Weekday() == time.Sunday {
			t.Errorf("comes at %s", at)
		}
	}
	if c.Post("/v1/schedules/preview", `{"every":"90s","count":7}`, &preview); len(preview.NextRuns) != 7 || preview.NextRuns[6].Sub(preview.NextRuns[0]) != 9*time.Minute {
		t.Errorf("%+v", preview)
	}
	c.Post("/v1/schedules/preview", `{"daemon":true}`, nil)
	c.Post("/v1/agents", `{"name":"early","model":"auto","instructions":"Rise.","tools":[]}`, nil)
	var s timetable
	c.Post("/v1/schedules", map[string]any{
		"agent": "early", "cron": "30 2 * * *", "tz": "Europe/Berlin", "missed": "once", "input": rig.Steps("early", rig.Say("Up.")),
	}, &s)
	path := "/v1/schedules/" + s.ID
	if len(s.NextRuns) != 5 || s.NextRun == nil || !s.NextRun.Equal(s.NextRuns[0]) {
		t.Errorf("%+v", s)
	}
	for _, at := range s.NextRuns {
		if at.Minute() != 30 && at.Minute() != 0 { // on the day on which the clocks leap over 02:30
			t.Errorf("comes at %s", at)
		}
	}
	c.Get("/v1/schedules", nil)
	c.Get(path, nil)
	var run struct {
		rig.Run
		ScheduleID string `json:"schedule_id"`
	}
	c.Post(path+"/run", nil, &run)
	if run.Status != "completed" || run.Summary() != "Up." || run.ScheduleID != s.ID {
		t.Errorf("%+v", run)
	}
	c.Do("PATCH", path, `{"every":"2h"}`).Is(http.StatusOK).Into(&s)
	if len(s.NextRuns) != 5 || s.NextRuns[1].Sub(s.NextRuns[0]) != 2*time.Hour || s.LastRun != run.ID {
		t.Errorf("%+v", s)
	}
	c.Do("PATCH", path, `{"next_run":null}`).Refused(http.StatusBadRequest, "invalid_request")
	c.Do("PATCH", path, `{"days":["Mon"]}`).Refused(http.StatusBadRequest, "invalid_request")
	c.Do("DELETE", path, nil).Is(http.StatusOK)
	c.Do("GET", path, nil).Refused(http.StatusNotFound, "not_found")
	c.Do("POST", path+"/run", nil).Refused(http.StatusNotFound, "not_found")
}

// TestRobotsClock: a robot that works by itself is started by its clock, until it
// does not any more.
func TestRobotsClock(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	const path = "/v1/agent/robots/watch"
	c.Post("/v1/agent/robots", `{"member_id":"watch","display_name":"Watch","autonomous_mode":true,"robot_config":{"clock":{"mode":"interval","every":"1s"}}}`, nil)
	var executions struct {
		Data []struct {
			Trigger string `json:"trigger_type"`
		}
	}
	w.Eventually("an execution", func() bool {
		c.Get(path+"/executions", &executions)
		return len(executions.Data) > 0
	})
	if executions.Data[0].Trigger != "clock" {
		t.Errorf("%+v", executions)
	}
	next := func() *time.Time {
		var status struct {
			Next *time.Time `json:"next_run"`
		}
		c.Get(path+"/status", &status)
		return status.Next
	}
	if next() == nil {
		t.Error("its status does not say when it starts next")
	}
	c.Do("PUT", path, `{"autonomous_mode":false}`).Is(http.StatusOK)
	w.Eventually("the clock to stand still", func() bool { return next() == nil })
	c.Get(path+"/executions", &executions)
	count := len(executions.Data)
	rig.Pause(1500 * time.Millisecond)
	if c.Get(path+"/executions", &executions); len(executions.Data) != count {
		t.Errorf("%d executions since", len(executions.Data)-count)
	}
}

// TestScheduleCommands goes through the commands.
func TestScheduleCommands(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	s.Client().Post("/v1/agents", `{"name":"ticker","model":"auto","instructions":"Tick.","tools":[]}`, nil)
	w.Env["ERRAND_URL"] = s.URL
	say := func(args ...string) string {
		t.Helper()
		got := w.Command(t, append([]string{"schedules"}, args...)...)
		if got.Code != 0 {
			t.Fatalf("errand schedules %v: exit %d: %s", args, got.Code, got.Err)
		}
		return got.Out
	}
	out := say("add", "--agent", "ticker", "--at", "09:00,18:30", "--days", "Mon", "--tz", "Asia/Tokyo", rig.Steps("tick", rig.Say("Tick.")))
	at := strings.Index(out, "sch_")
	if at < 0 || !strings.Contains(out, "09:00:00+09:00") {
		t.Fatalf("%s", out)
	}
	id, _, _ := strings.Cut(out[at:], `"`)
	for _, step := range []struct{ command, want string }{
		{"pause", `"paused": true`}, {"resume", `"paused": false`}, {"run", `"schedule_id": "` + id + `"`}, {"rm", `"deleted": true`},
	} {
		if step.command == "rm" {
			if list := say("list"); !strings.Contains(list, id) {
				t.Errorf("%s", list)
			}
		}
		if out := say(step.command, id); !strings.Contains(out, step.want) {
			t.Errorf("%s: %s", step.command, out)
		}
	}
	if list := say("list"); strings.Contains(list, id) {
		t.Errorf("%s", list)
	}
}
