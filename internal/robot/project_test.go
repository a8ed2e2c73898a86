package robot_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"errand/internal/robot"
	"errand/internal/run"
)

func TestAClockBeginsWithInspiration(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{Config: robot.Config{
		Clock:     &robot.Clock{Mode: robot.Times, Times: []string{"09:00"}, TZ: "Europe/Berlin", Timeout: "5m"},
		Resources: &robot.Resources{Tools: []string{"web.search"}},
	}})
	due := time.Date(2026, 6, 11, 7, 0, 0, 0, time.UTC)
	l := w.execute(&r, robot.Start{Order: robot.Order{Trigger: robot.ByClock, Due: &due}})
	if got := l.state.Spec.Input.Text; got != "Your clock has started you: it is Thursday, 11 June 2026, 09:00 CEST. Do what your duties ask for now." {
		t.Errorf("it is told %q", got)
	}
	if got := l.state.Spec.Limits.WallTime; got != 300 {
		t.Errorf("it may work %d s", got)
	}
	l.want("pending inspiration")
	l.begins()
	ids := l.asks(call{"web.search", `{}`})
	l.want("running inspiration")
	l.log(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: ids[0], Outcome: run.OK, Output: "news"}})
	if got := l.does(call{robot.PlanTool, threeTasks})[0]; got != "robot.plan: set the goals first, with robot.goals." {
		t.Errorf("a plan without goals is answered %q", got)
	}
	ids = l.asks(call{robot.GoalsTool, `{"content":"Read the news","inspiration":"There is some."}`})
	l.want("running goals")
	l.answers(ids[0])
	// It has used a tool already, but not for the work.
	l.want("running tasks")
	if e := l.shown; e.Goals == nil || e.Goals.Content != "Read the news" || e.Inspiration == nil || e.Name != "Read the news" || e.Input.Goals != "" {
		t.Errorf("it shows the goals %+v, inspired by %+v", e.Goals, e.Inspiration)
	}
	l.does(call{robot.PlanTool, threeTasks})
	l.want("running run 0/3 tasks 1=running 2=pending 3=pending")
}

func TestAnAnswerWithoutAPlanIsDelivered(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{Config: robot.Config{Resources: &robot.Resources{Tools: []string{"web.search"}}}})
	l := w.execute(&r, robot.Start{Goals: "What is new?", Order: robot.Order{Trigger: robot.ByEvent}})
	l.begins()
	ids := l.asks(call{"web.search", `{}`})
	l.want("running run")
	l.log(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: ids[0], Outcome: run.OK, Output: "news"}})
	l.says("# News\n\nThere is *some*.\n\nMore.")
	l.ends()
	l.want("completed delivery")
	d := l.shown.Delivery
	if d == nil || d.Content.Summary != "There is *some*." || d.Content.Body != "# News\n\nThere is *some*.\n\nMore." {
		t.Errorf("delivered is %+v", d)
	}
}

func TestAnEventMayComeWithoutGoals(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	l := w.execute(&r, robot.Start{Order: robot.Order{Trigger: robot.ByEvent, Source: "shop", EventType: "order.paid", Data: json.RawMessage(`{"n":1}`)}})
	l.want("pending goals")
	if s := &l.state.Spec; s.Input.Text != "An event has started you. Do what your duties ask for now." || string(s.Context) != `{"n":1}` || !strings.Contains(s.Instructions, "An event from shop order.paid") {
		t.Errorf("it is asked %q with %s", s.Input.Text, s.Context)
	}
	l.begins()
	l.want("running goals")
	l.does(call{robot.GoalsTool, `{"content":"Send the order"}`})
	l.want("running tasks")
	given := w.execute(&r, robot.Start{Goals: "Send it", Order: robot.Order{Trigger: robot.ByEvent}})
	given.begins()
	given.want("running tasks")
}

func TestEndsThatComeEarly(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(l *life)
		want string
	}{
		"answered": {func(l *life) { l.says("That is all.") }, "completed delivery 1/3 tasks 1=completed 2=skipped 3=skipped"},
		"cancelled": {func(l *life) { l.log(run.Event{Type: run.CancelRequested, Cancel: &run.Cancel{Reason: "No more."}}) },
			"cancelled run 1/3 tasks 1=completed 2=cancelled 3=cancelled"},
		"failed": {func(l *life) {
			l.log(run.Event{Type: run.ModelFailed, Failed: &run.Failed{Step: l.state.Step(), Code: "model_auth", Message: "The key is wrong."}})
		}, "failed run 1/3 tasks 1=completed 2=failed 3=cancelled"},
		"rejected": {func(l *life) {
			ids := l.asks(call{"email.send", `{}`})
			l.log(run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: ids, Reason: "No."}})
		}, "completed delivery 1/3 tasks 1=completed 2=cancelled 3=cancelled"},
		"while it asks": {func(l *life) {
			l.asks(call{robot.AskTool, `{"question":"Which?"}`})
			l.log(run.Event{Type: run.CancelRequested, Cancel: &run.Cancel{}})
		}, "cancelled run 1/3 tasks 1=completed 2=cancelled 3=cancelled"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.robot(robot.Profile{Config: robot.Config{Resources: &robot.Resources{Phases: map[string]string{robot.RunPhase: "Mailer"}}}})
			l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
			l.begins()
			l.does(call{robot.PlanTool, threeTasks})
			l.does(report("task-1", "x"))
			c.end(l)
			l.ends()
			l.want(c.want)
			if l.shown.EndTime == nil || l.shown.CurrentTask != "" || l.shown.Current.Task != nil {
				t.Errorf("ended at %v with the current task %q", l.shown.EndTime, l.shown.CurrentTask)
			}
			for _, r := range l.shown.Results {
				if r.NeedInput {
					t.Error("a task of an ended execution waits for an answer")
				}
			}
			if delivered := l.shown.Delivery != nil; delivered != (l.shown.Status == robot.ExecCompleted) {
				t.Errorf("delivered: %t", delivered)
			}
		})
	}
}

func TestADryRunPlansAndDoesNothing(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{Agents: []string{"Mailer"}, Config: robot.Config{Executor: &robot.Executor{Mode: robot.DryRun}}})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	if got := l.state.Spec.Tools; len(got) != 1 || got[0].Name != robot.PlanTool || len(l.state.Spec.Handoffs) != 0 {
		t.Errorf("a dry run may call %v", got)
	}
	l.begins()
	l.does(call{robot.PlanTool, `{"tasks":[{"description":"One"},{"description":"Two","expected_output":"A text"}]}`})
	l.ends()
	l.want("completed tasks 0/2 tasks 1=skipped 2=skipped")
	if got := l.shown.Delivery.Content.Body; got != "The plan:\n1. [task-1] One\n2. [task-2] Two Expected: A text" {
		t.Errorf("it delivers %q", got)
	}
}

func TestAnExecutionWaitsForWhoeverItHasHandedATaskTo(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{Agents: []string{"Mailer"}})
	l := w.execute(&r, robot.Start{Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	l.begins()
	l.does(call{robot.PlanTool, `{"tasks":[{"description":"Mail","executor_id":"Mailer"}]}`})
	ids := l.asks(call{"agent.Mailer", `{"task":"Mail them"}`})
	spec, err := l.state.Child(l.state.Action(ids[0]))
	if err != nil {
		t.Fatal(err)
	}
	child := w.begin(spec)
	l.log(run.Event{Type: run.ToolStarted, Started: &run.Started{Action: ids[0], Epoch: 1, Attempt: 1, Child: &child.id}})
	show := func(want string) {
		t.Helper()
		e, err := w.desk.Show(t.Context(), &l.state)
		if err != nil || e.Status != want {
			t.Errorf("the execution is %s, want %s: %v", e.Status, want, err)
		}
	}
	child.begins()
	show(robot.ExecRunning)
	waits := child.asks(call{"email.send", `{}`})
	if child.state.Status != run.AwaitingApproval {
		t.Fatalf("the agent's own gate does not hold: it is %s", child.state.Status)
	}
	show(robot.ExecWaiting)
	paused := robot.Execution{Status: robot.ExecPaused}
	if paused.Below(&child.state); paused.Status != robot.ExecPaused {
		t.Errorf("a paused execution is %s because of whom it waits for", paused.Status)
	}
	child.log(run.Event{Type: run.ApprovalDecided, Decided: &run.Decided{Actions: waits, Approve: true}})
	show(robot.ExecRunning)
}

// Each event is held against the moment before it: a phase that was shown is never
// taken back, whatever is refused, said again or added late.
func TestAPhaseIsNeverTakenBack(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{Config: robot.Config{
		Clock:     &robot.Clock{Mode: robot.Daemon},
		Resources: &robot.Resources{Tools: []string{"web.search"}},
	}})
	clock := robot.Start{Order: robot.Order{Trigger: robot.ByClock}}

	refused := w.execute(&r, clock)
	refused.begins()
	refused.does(call{robot.GoalsTool, `{"content":" "}`})
	refused.want("running goals")

	again := w.execute(&r, clock)
	again.begins()
	again.does(call{robot.GoalsTool, `{"content":"Read the news"}`})
	ids := again.asks(call{"web.search", `{}`})
	again.log(run.Event{Type: run.ToolFinished, Finished: &run.Finished{Action: ids[0], Outcome: run.OK, Output: "news"}})
	again.want("running run")
	again.does(call{robot.GoalsTool, `{"content":"Read all the news"}`})
	again.want("running run")

	late := w.execute(&r, robot.Start{Goals: "Do it", Order: robot.Order{Trigger: robot.ByHuman}})
	late.begins()
	late.does(call{robot.PlanTool, `{"tasks":[{"description":"Look"}]}`})
	late.does(call{robot.ReportTool, `{"task":"task-1","output":"Seen."}`})
	late.want("running delivery 1/1 tasks 1=completed")
	late.log(run.Event{Type: run.MessageAdded, Message: &run.Added{Text: "One more thing", By: "key_1"}})
	late.does(call{robot.PlanTool, `{"tasks":[{"description":"Listen"}],"add":true}`})
	late.want("running delivery 1/2 tasks 1=completed 2=running")

	held := w.execute(&r, robot.Start{Goals: "Do it", Order: robot.Order{Trigger: robot.ByHuman}})
	held.log(run.Event{Type: run.RunPaused})
	held.want("paused goals")
	held.log(run.Event{Type: run.RunResumed})
	held.want("pending goals")
}

func TestStatusesAndTheirWords(t *testing.T) {
	for _, status := range run.Statuses() {
		word := robot.StatusOf(status)
		found := false
		for _, back := range robot.Statuses(word) {
			found = found || back == status
		}
		if !found {
			t.Errorf("%s is shown as %s, which does not stand for it", status, word)
		}
	}
	if got := robot.Statuses("confirming"); got != nil {
		t.Errorf("runs that are confirming: %v", got)
	}
}
