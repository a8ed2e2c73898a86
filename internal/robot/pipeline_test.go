package robot_test

import (
	"strings"
	"testing"

	"errand/internal/robot"
	"errand/internal/run"
)

const threeTasks = `{"tasks":[{"description":"Find them"},{"description":"Compare them","validation_rules":["contains:price"]},{"description":"Write it"}]}`

func report(task, output string) call {
	return call{robot.ReportTool, `{"task":"` + task + `","output":"` + output + `"}`}
}

func TestAnExecutionFromItsQueueToItsDelivery(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Goals: "# Compare our competitors\nAll five.", Order: robot.Order{Trigger: robot.ByHuman, ChatID: "chat_1"}})
	l.want("pending goals")
	l.begins()
	l.want("running tasks")
	l.does(call{robot.PlanTool, threeTasks})
	l.want("running run 0/3 tasks 1=running 2=pending 3=pending")
	if e := l.shown; e.Name != "Compare our competitors" || e.CurrentTask != "Find them" || e.ChatID != "chat_1" || e.Goals == nil {
		t.Errorf("named %q, at %q, in %q", e.Name, e.CurrentTask, e.ChatID)
	}
	l.does(report("task-1", "a, b and c"))
	l.want("running run 1/3 tasks 1=completed 2=running 3=pending")

	said := l.does(report("task-2", "a is better"))
	if !strings.Contains(said[0], `it does not contain \"price\"`) || !strings.Contains(said[0], "2 times more") {
		t.Errorf("a report that breaks a rule is answered %s", said[0])
	}
	l.want("running run 1/3 tasks 1=completed 2=running 3=pending")
	if got := l.shown.Results[1]; got.Success || got.Validation.Passed || len(got.Validation.Issues) != 1 {
		t.Errorf("the result under repair is %+v", got)
	}
	l.does(report("task-2", "a has the lower price"))
	l.want("running run 2/3 tasks 1=completed 2=completed 3=running")

	said = l.does(call{robot.DeliverTool, `{"summary":"Done.","body":"It."}`})
	if !strings.Contains(said[0], "open are task-3") {
		t.Errorf("delivering early is answered %q", said[0])
	}
	l.does(report("task-3", "the text"))
	l.want("running delivery 3/3 tasks 1=completed 2=completed 3=completed")
	l.does(call{robot.DeliverTool, `{"summary":"A is best.","body":"# A\n\nIt is.","attachments":[{"title":"numbers.csv","task":"task-2","content":"a,1"},{"title":"shot","file":"file_1"}]}`})
	l.ends()
	l.want("completed delivery 3/3 tasks 1=completed 2=completed 3=completed")
	d := l.shown.Delivery
	if d == nil || d.Content.Summary != "A is best." || len(d.Content.Attachments) != 2 {
		t.Fatalf("delivered is %+v", d)
	}
	if a := d.Content.Attachments; a[0].ContentType != "text/csv; charset=utf-8" || a[0].Size != 3 || a[0].TaskID != "task-2" || a[1].File != "file_1" {
		t.Errorf("attached is %+v", a)
	}
	if got := l.state.Ended.Result.Summary; !strings.HasPrefix(got, "# A\n\nIt is.") || !strings.Contains(got, "numbers.csv") {
		t.Errorf("the run answers %q", got)
	}
	if got := l.shown.Results[0].DurationMs; got != 3000 {
		t.Errorf("the first task took %d ms, and it took three events of a second", got)
	}
}

func TestTooManyRepairsFailATask(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	l.does(call{robot.PlanTool, `{"tasks":[{"description":"One","validation_rules":["not_empty","json"]},{"description":"Two"}]}`})
	for range 2 {
		l.does(report("task-1", "no json"))
		l.want("running run 0/2 tasks 1=running 2=pending")
	}
	l.does(report("task-1", "still none"))
	l.want("running run 1/2 tasks 1=failed 2=running")
	if got := l.does(report("task-1", "{}")); !strings.Contains(got[0], "failed already") {
		t.Errorf("a report on a failed task is answered %q", got[0])
	}
	l.does(call{robot.ReportTool, `{"task":"task-2","output":"nothing to be had","success":false,"validation":{"issues":["The page is gone."]}}`})
	l.want("running delivery 2/2 tasks 1=failed 2=failed")
	if got := l.shown.Results[1].Error; got != "The page is gone." {
		t.Errorf("the error is %q", got)
	}
}

func TestStepsOfOneReplyFollowEachOther(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	ids := l.asks(call{robot.PlanTool, `{"tasks":[{"description":"One"},{"description":"Two"}]}`}, report("task-1", "x"), report("task-1", "again"), report("task-2", "y"))
	// They are made at the same time: the last one may be answered first.
	if got := l.answers(ids[3]); !strings.Contains(got, `"status":"completed"`) || !strings.Contains(got, "no task is open") {
		t.Errorf("the fourth call is answered %q", got)
	}
	l.want("running tasks")
	if got := l.answers(ids[2]); !strings.Contains(got, "completed already") {
		t.Errorf("the third call is answered %q", got)
	}
	l.answers(ids[0])
	l.answers(ids[1])
	l.want("running delivery 2/2 tasks 1=completed 2=completed")
}

func TestATaskWaitsForAnAnswer(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	l.does(call{robot.PlanTool, threeTasks})
	ids := l.asks(call{robot.AskTool, `{"task":"task-1","question":"Which five?"}`})
	l.want("waiting run 0/3 tasks 1=waiting_input 2=pending 3=pending")
	if got := l.shown.Results; len(got) != 1 || !got[0].NeedInput || got[0].Question != "Which five?" {
		t.Errorf("the results are %+v", got)
	}
	if a, found := robot.Question(&l.state, "task-1"); !found || a.ID != ids[0] {
		t.Errorf("the open question is %v, %t", a.ID, found)
	}
	if _, found := robot.Question(&l.state, "task-2"); found {
		t.Error("task-2 asks nothing")
	}
	l.log(run.Event{Type: run.InputReceived, Input: &run.Input{Outputs: []run.Output{{Action: ids[0], Text: "A to E"}}}})
	l.want("running run 0/3 tasks 1=running 2=pending 3=pending")
	l.log(run.Event{Type: run.RunPaused, Actor: &run.Actor{}})
	l.want("paused run 0/3 tasks 1=running 2=pending 3=pending")
}

func TestAGateHoldsInAnExecution(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{Config: robot.Config{
		Resources: &robot.Resources{Tools: []string{"email.send", "web.search"}}, Approval: &robot.Approval{RequiredFor: []string{"*.send"}},
	}})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	l.does(call{robot.PlanTool, `{"tasks":[{"description":"Mail","executor_type":"mcp","executor_id":"email.send"}]}`})
	if got := l.shown.Tasks[0]; got.MCPServer != "email" || got.MCPTool != "send" {
		t.Errorf("the task is done by %s of %s", got.MCPTool, got.MCPServer)
	}
	ids := l.asks(call{"email.send", `{}`})
	l.want("waiting run 0/1 tasks 1=running")
	l.log(run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: ids, Approve: true}})
	l.want("running run 0/1 tasks 1=running")
}

func TestAnotherPlanTakesThePlaceOfWhatIsOpen(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	l.does(call{robot.PlanTool, threeTasks})
	l.does(report("task-1", "x"))
	l.log(run.Event{Type: run.MessageAdded, Message: &run.Added{Text: "Add a chart."}})
	l.does(call{robot.PlanTool, `{"tasks":[{"description":"Draw"}],"add":true}`})
	l.want("running run 1/4 tasks 1=completed 2=running 3=pending 4=pending")
	if got := l.shown.Tasks[3].Source; got != robot.ByHuman {
		t.Errorf("a task that a person asked for has the source %s", got)
	}
	l.does(call{robot.PlanTool, `{"tasks":[{"description":"All in one"}]}`})
	l.want("running run 1/2 tasks 1=completed 2=cancelled 3=cancelled 4=cancelled 5=running")
	l.does(call{robot.SkipTool, `{"task":"task-5","reason":"Not needed."}`})
	l.want("running delivery 2/2 tasks 1=completed 2=cancelled 3=cancelled 4=cancelled 5=skipped")
}

func TestWhatAPlanMayNotSay(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{Agents: []string{"Mailer"}})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	for plan, want := range map[string]string{
		`{"tasks":[]}`: "a plan has 1 to 50 tasks",
		`{"tasks":[{"description":"x","executor_id":"Nobody"}]}`:                          `there is no agent "Nobody" to give a task to: leave executor_id out to do it yourself, or name one of Mailer`,
		`{"tasks":[{"description":"x","executor_type":"process"}]}`:                       `executor_type "process" is not offered`,
		`{"tasks":[{"description":"x","executor_type":"mcp","executor_id":"robot.ask"}]}`: `there is no tool "robot.ask"`,
		`{"tasks":[{"description":" "}]}`:                                                 "description must say",
		`{"tasks":[{"description":"x","validation_rules":["must be good"]}]}`:             `"must be good" is no validation rule: there are not_empty`,
		`{"tasks":[{"description":"x","validation_rules":["matches:("]}]}`:                "no regular expression",
		`{"tasks":[{"description":"x","validation_rules":["min_length:-1"]}]}`:            "needs a number",
	} {
		if got := l.does(call{robot.PlanTool, plan})[0]; !strings.Contains(got, want) {
			t.Errorf("%s is answered\n  %s\nand not\n  %s", plan, got, want)
		}
	}
	l.want("running tasks")
	l.does(call{robot.PlanTool, `{"tasks":[{"description":"x","executor_type":"assistant","executor_id":"Mailer"}]}`})
	l.want("running run 0/1 tasks 1=running")
}

func TestWhatADeliveryMayNotSay(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	for delivery, want := range map[string]string{
		`{"summary":" ","body":"x"}`:                                                             "must not be empty",
		`{"summary":"x","body":"x","attachments":[{"title":"a"}]}`:                               "attachments[0]: give either content",
		`{"summary":"x","body":"x","attachments":[{"title":"a","content":"x","file":"f"}]}`:      "attachments[0]: give either content",
		`{"summary":"x","body":"x","attachments":[{"title":"a","file":"file_9"}]}`:               `there is no file "file_9"`,
		`{"summary":"x","body":"x","attachments":[{"title":"a","content":"x","task":"task-9"}]}`: `there is no task "task-9"`,
	} {
		if got := l.does(call{robot.DeliverTool, delivery})[0]; !strings.Contains(got, want) {
			t.Errorf("%s is answered\n  %s\nand not\n  %s", delivery, got, want)
		}
	}
	if l.state.Spec.Final != robot.DeliverTool || run.Decide(&l.state).Finish != nil {
		t.Error("a delivery that was refused ends the run")
	}
}

func TestRules(t *testing.T) {
	for _, c := range []struct {
		rule, output string
		holds        bool
	}{
		{"not_empty", " \n", false}, {"not_empty", "x", true},
		{"json", "{", false}, {"json", `{"a":1}`, true},
		{"contains: Price", "the PRICE", true}, {"contains:price", "cost", false},
		{`matches:^\\d+$`, "12", true}, {`matches:^\\d+$`, "1a", false},
		{"min_length:3", "äöü", true}, {"min_length:4", "äöü", false},
		{"max_length:3", "äöü", true}, {"max_length:2", "äöü", false},
	} {
		w := newWorld(t)
		r := w.robot(robot.Profile{})
		l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
		l.begins()
		l.does(call{robot.PlanTool, `{"tasks":[{"description":"x","validation_rules":["` + c.rule + `"]}]}`})
		l.does(report("task-1", strings.NewReplacer(`"`, `\"`, "\n", `\n`).Replace(c.output)))
		if got := l.shown.Results[0].Validation.Passed; got != c.holds {
			t.Errorf("%s of %q: %t, want %t (%v)", c.rule, c.output, got, c.holds, l.shown.Results[0].Validation.Issues)
		}
	}
}

func TestOnlyAnExecutionCallsThePipeline(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	id := l.asks(call{robot.PlanTool, threeTasks})[0]
	pipeline := &robot.Pipeline{Log: w.store, Files: files{}}
	if _, err := pipeline.Call(t.Context(), run.ToolCall{Run: l.id, Project: "other", Action: id}); err == nil {
		t.Error("another project's call was answered")
	}
	if _, err := pipeline.Call(t.Context(), run.ToolCall{Run: run.ID{1}, Project: project, Action: id}); err == nil {
		t.Error("a call of no run was answered")
	}
}

func TestWhatAReportWasAnsweredIsWhatHappened(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	l.does(call{robot.PlanTool, `{"tasks":[{"description":"x","validation_rules":["json"]}]}`})
	ids := l.asks(report("task-1", "no json"))
	// A server whose rules were others has let it pass.
	l.log(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: ids[0], Outcome: run.OK,
		Output: `{"task":"task-1","status":"completed","attempt":1,"validation":{"passed":true,"score":0.5,"issues":[],"suggestions":[]},"next":"Go on."}`}})
	l.want("running delivery 1/1 tasks 1=completed")
	if got := l.shown.Results[0]; !got.Success || got.Validation.Score != 0.5 {
		t.Errorf("the result is %+v", got)
	}
}
