package robot_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"errand/internal/agent"
	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

func names(tools []run.Tool) (all []string) {
	for _, t := range tools {
		all = append(all, t.Name)
	}
	return all
}

func TestAnExecutionIsMadeOfWhatTheRobotSays(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{
		SystemPrompt: "Be exact.", Agents: []string{"Mailer"}, MCPServers: []string{"web"},
		Config: robot.Config{
			Identity: &robot.Identity{Role: "An analyst.", Duties: []string{"Watch prices"}, Rules: []string{"Never guess"}},
			Quota:    &robot.Quota{Max: 1, Priority: 9}, Executor: &robot.Executor{MaxDuration: "2m"},
			Approval:  &robot.Approval{RequiredFor: []string{"agent.*", "*"}, Timeout: "1h"},
			Resources: &robot.Resources{MCP: []robot.MCP{{ID: "github", Tools: []string{"issues"}}}, Phases: map[string]string{robot.Delivering: "Mailer", "host": "Mailer"}},
		},
	})
	spec, err := w.desk.Execution(t.Context(), &r, robot.Start{
		Project: project, Key: "key_1", Scopes: []string{"admin"}, Goals: "Go", Context: json.RawMessage(`{"format":"markdown"}`),
		Order: robot.Order{Trigger: robot.ByHuman, Source: "api", Locale: "de"},
	})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{
		"robot.plan", "robot.report", "robot.skip", "robot.ask", "robot.deliver", "agent.Mailer", "web.search", "github__issues", "email.send",
	}, names(spec.Tools)); diff != "" {
		t.Errorf("its tools: %s", diff)
	}
	if diff := cmp.Diff([]string{"agent.Mailer", "email.send", "github__issues", "web.search"}, spec.Gates); diff != "" {
		t.Errorf("its gates, of which none may hold up the pipeline: %s", diff)
	}
	if diff := cmp.Diff(&run.Lane{Name: "robot/my-robot", Max: 1, Queue: 10, Priority: 9}, spec.Lane); diff != "" {
		t.Error(diff)
	}
	if spec.Limits.WallTime != 120 || spec.GateTimeout != 3600 || spec.Final != robot.DeliverTool || spec.OnUnknown != run.AskUnknown || spec.Dialect != robot.Dialect {
		t.Errorf("the spec is %+v", spec)
	}
	if h := spec.Handoffs[0].Spec; h.Agent.Name != "Mailer" || len(h.Gates) != 1 || h.Limits.MaxSteps != 4 || h.Instructions != "Write." {
		t.Errorf("the agent works with %+v", h)
	}
	for _, part := range []string{"Analyst", "Be exact.", "An analyst.", "Duties:\n- Watch prices", "Rules:\n- Never guess", "# In the phase delivery\nWrite.", "call agent.Mailer", "# The language to write in\nde"} {
		if !strings.Contains(spec.Instructions, part) {
			t.Errorf("the instructions lack %q:\n%s", part, spec.Instructions)
		}
	}
	if strings.Contains(spec.Instructions, "robot.goals") {
		t.Error("an execution with goals is told to find some")
	}
	if order, ok := robot.ReadOrder(&spec); !ok || order.Source != "api" || robot.MemberOf(&spec) != "my-robot" || robot.HostOf(&spec) != "" {
		t.Errorf("its order reads %+v", order)
	}
}

func TestAHost(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{Config: robot.Config{DefaultLocale: "fr", Resources: &robot.Resources{Phases: map[string]string{"host": "Mailer"}}}})
	turn := robot.Turn{Project: project, Key: "key_1", Scopes: []string{"admin"}, ChatID: "chat_1", Input: run.Message{Role: run.User, Text: "Hello"}}
	host := func() run.Spec {
		t.Helper()
		spec, err := w.desk.Host(t.Context(), &r, turn)
		if err != nil {
			t.Fatal(err)
		}
		return spec
	}
	spec := host()
	if len(spec.Tools) != 0 || spec.Require != "" || !spec.RawResults || !spec.Tethered || robot.HostOf(&spec) != "my-robot" || robot.MemberOf(&spec) != "" {
		t.Errorf("a first turn is %+v", spec)
	}
	for _, part := range []string{"In this turn nothing can be handed over yet", "code fr", "# How you talk with people\nWrite."} {
		if !strings.Contains(spec.Instructions, part) {
			t.Errorf("the host's instructions lack %q", part)
		}
	}
	turn.Confirm = true
	spec = host()
	if len(spec.Tools) != 1 || spec.Tools[0].Name != robot.ConfirmTool || spec.Require != "" || strings.Contains(spec.Instructions, "In this turn nothing") {
		t.Errorf("a later turn may call %v", names(spec.Tools))
	}
	turn.Confirm, turn.Required = false, true
	if spec = host(); spec.Require != robot.ConfirmTool || len(spec.Tools) != 1 {
		t.Errorf("a turn that has to confirm may call %v", names(spec.Tools))
	}
	h := spec.Handoffs[0]
	if !h.Detached || h.Claim != "chat/chat_1" {
		t.Errorf("it hands over %+v", h)
	}
	l := w.begin(spec)
	l.begins()
	ids := l.asks(call{robot.ConfirmTool, `{"goals":"Go","context":{"n":3}}`})
	child, err := l.state.Child(l.state.Action(ids[0]))
	if err != nil || child.Input.Text != "Go" || string(child.Context) != `{"n":3}` || child.Dialect != robot.Dialect || robot.MemberOf(&child) != "my-robot" {
		t.Errorf("the execution is %+v, %v", child, err)
	}
	if order, ok := robot.ReadOrder(&child); !ok || order.Trigger != robot.ByHuman || order.ChatID != "chat_1" {
		t.Errorf("its order is %+v", order)
	}
}

func TestWhenARobotIsNotStarted(t *testing.T) {
	for name, c := range map[string]struct {
		change  func(p *robot.Profile)
		trigger string
		action  string
		want    problem.Code
	}{
		"paused":          {func(p *robot.Profile) { p.RobotStatus = robot.Paused }, robot.ByHuman, "", problem.InvalidRequest},
		"maintained":      {func(p *robot.Profile) { p.RobotStatus = robot.Maintenance }, robot.ByClock, "", problem.InvalidRequest},
		"inactive":        {func(p *robot.Profile) { p.Status = robot.Inactive }, robot.ByHuman, "", problem.InvalidRequest},
		"trigger off":     {func(p *robot.Profile) { p.Config.Triggers = &robot.Triggers{Event: &robot.Switch{}} }, robot.ByEvent, "", problem.InvalidRequest},
		"another one off": {func(p *robot.Profile) { p.Config.Triggers = &robot.Triggers{Event: &robot.Switch{}} }, robot.ByHuman, "", ""},
		"action that is not taken": {func(p *robot.Profile) {
			p.Config.Triggers = &robot.Triggers{Intervene: &robot.Switch{Enabled: true, Actions: []string{"instruct"}}}
		}, robot.ByHuman, "task.add", problem.InvalidRequest},
		"action that is": {func(p *robot.Profile) {
			p.Config.Triggers = &robot.Triggers{Intervene: &robot.Switch{Enabled: true, Actions: []string{"instruct"}}}
		}, robot.ByHuman, "instruct", ""},
		"an agent that has gone": {func(p *robot.Profile) { p.Agents = []string{"Nobody"} }, robot.ByHuman, "", problem.Conflict},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			r := w.robot(robot.Profile{})
			c.change(&r.Profile)
			_, err := w.desk.Execution(t.Context(), &r, robot.Start{Project: project, Goals: "Go", Order: robot.Order{Trigger: c.trigger, Action: c.action}})
			if c.want == "" && err != nil || c.want != "" && !problem.Is(err, c.want) {
				t.Errorf("%v, want %q", err, c.want)
			}
		})
	}
}

func TestAModeThatIsNotOffered(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{})
	_, err := w.desk.Execution(t.Context(), &r, robot.Start{Project: project, Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman, Mode: robot.Sandbox}})
	if problem.From(err).Fields["executor_mode"] == "" {
		t.Errorf("a sandbox was promised: %v", err)
	}
}

func TestMoneyOfAMonth(t *testing.T) {
	w := newWorld(t)
	r := w.robot(robot.Profile{CostLimit: 0.00005})
	order := robot.Start{Project: project, Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}}
	limit := func() run.Micros {
		t.Helper()
		spec, err := w.desk.Execution(t.Context(), &r, order)
		if err != nil {
			t.Fatal(err)
		}
		return spec.Limits.MaxCost
	}
	if got := limit(); got != 50 {
		t.Errorf("at first it may spend %d", got)
	}
	l := w.execute(&r, order)
	l.begins()
	for range 3 {
		l.does(call{robot.PlanTool, threeTasks}) // a reply costs 10
	}
	if got := limit(); got != 20 {
		t.Errorf("when 30 are spent it may spend %d", got)
	}
	l.does(call{robot.PlanTool, threeTasks})
	l.does(call{robot.PlanTool, threeTasks})
	if _, err := w.desk.Execution(t.Context(), &r, order); !problem.Is(err, problem.Conflict) || !strings.Contains(err.Error(), "wait until 1 July") {
		t.Errorf("when all is spent: %v", err)
	}
	if _, err := w.desk.Host(t.Context(), &r, robot.Turn{Project: project, ChatID: "c"}); !problem.Is(err, problem.Conflict) {
		t.Errorf("a host talks on: %v", err)
	}
	w.at = time.Date(2026, 7, 1, 0, 0, 0, 0, time.UTC)
	if got := limit(); got != 50 {
		t.Errorf("in the next month it may spend %d", got)
	}
}

func TestAgentsKeepTheirNames(t *testing.T) {
	w := newWorld(t)
	_, rows, err := agent.Create(project, "agt_000000000002bb", "", agent.Definition{Name: "Mailer!", Model: "default", Instructions: "x", MaxSteps: 1, OnUnknown: run.AskUnknown}, epoch)
	if err != nil {
		t.Fatal(err)
	}
	w.commit(run.Commit{Rows: rows})
	r := w.robot(robot.Profile{Agents: []string{"Mailer", "Mailer!", "agt_000000000001aa"}})
	spec, err := w.desk.Execution(t.Context(), &r, robot.Start{Project: project, Goals: "Go", Order: robot.Order{Trigger: robot.ByHuman}})
	if err != nil {
		t.Fatal(err)
	}
	if got := names(spec.Tools)[5:]; cmp.Diff([]string{"agent.Mailer", "agent.agt_000000000002bb"}, got) != "" || len(spec.Handoffs) != 2 {
		t.Errorf("its agents are called by %v", got)
	}
}
