package robot_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"errand/internal/problem"
	"errand/internal/robot"
	"errand/internal/run"
)

func TestCheckNamesEveryFault(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct {
		draft string
		want  []string // fields
	}{
		"nothing": {`{}`, []string{"display_name"}},
		"names": {`{"display_name":"x\ny","bio":"fine","status":"asleep","robot_status":"lost","language_model":"gone"}`,
			[]string{"display_name", "status", "robot_status", "language_model"}},
		"what nobody can honour": {`{"display_name":"x","workspace":"w","robot_email":"a@b.c","authorized_senders":["a@b.c"],"email_filter_rules":[{}],
			"robot_config":{"integrations":{"telegram":{"enabled":true}},"kb":{"collections":["c"]},"db":{"models":["m"]},"executor":{"mode":"sandbox"},
			"delivery":{"process":{"enabled":true}},"events":[{"type":"database","source":"orders"}]}}`,
			[]string{"workspace", "robot_email", "authorized_senders", "email_filter_rules", "robot_config.integrations", "robot_config.kb", "robot_config.db",
				"robot_config.executor.mode", "robot_config.delivery.process", "robot_config.events[0].type"}},
		"values that say nothing": {`{"display_name":"x","workspace":"","authorized_senders":[],"email_filter_rules":null,
			"robot_config":{"integrations":{"telegram":{"enabled":false,"bot_token":""},"discord":null},"kb":{},"db":null,"delivery":{"process":{"enabled":false}}}}`, nil},
		"clock": {`{"display_name":"x","robot_config":{"clock":{"mode":"times","times":["9:00"],"days":["Monday"],"tz":"Mars","timeout":"soon"}}}`,
			[]string{"robot_config.clock.times[0]", "robot_config.clock.days[0]", "robot_config.clock.tz", "robot_config.clock.timeout"}},
		"clock without times":    {`{"display_name":"x","robot_config":{"clock":{"mode":"times"}}}`, []string{"robot_config.clock.times"}},
		"clock without a period": {`{"display_name":"x","robot_config":{"clock":{"mode":"interval","every":"0s"}}}`, []string{"robot_config.clock.every"}},
		"clock of another kind":  {`{"display_name":"x","robot_config":{"clock":{"mode":"cron"}}}`, []string{"robot_config.clock.mode"}},
		"numbers": {`{"display_name":"x","cost_limit":-1,"robot_config":{"quota":{"max":-1,"queue":100000,"priority":11},"learn":{"keep":-1,"types":["gossip"]},"executor":{"max_duration":"1ms"}}}`,
			[]string{"cost_limit", "robot_config.quota.max", "robot_config.quota.queue", "robot_config.quota.priority", "robot_config.learn.keep", "robot_config.learn.types[0]", "robot_config.executor.max_duration"}},
		"a limit that cannot be kept": {`{"display_name":"x","cost_limit":5,"language_model":"free"}`, []string{"cost_limit"}},
		"targets": {`{"display_name":"x","robot_config":{"delivery":{
			"email":{"enabled":true,"targets":[{"to":["nobody"],"template":"t","subject":"a\nb"},{"to":[]}]},
			"webhook":{"enabled":true,"targets":[{"url":"http://x","method":"GET","headers":{"Authorization":"Bearer x"}},{"url":"https://x","headers":{"Content-Type":"x"}},{"url":"https://y","headers":{"X-Api-Key":"x"}}]},
			"file":{"enabled":true,"targets":[{"name":"../x"}]}}}}`,
			[]string{"robot_config.delivery.email.targets[0].to[0]", "robot_config.delivery.email.targets[0].template", "robot_config.delivery.email.targets[0].subject", "robot_config.delivery.email.targets[1].to",
				"robot_config.delivery.webhook.targets[0].url", "robot_config.delivery.webhook.targets[0].method", "robot_config.delivery.webhook.targets[0].headers.Authorization",
				"robot_config.delivery.webhook.targets[1].headers.Content-Type", "robot_config.delivery.webhook.targets[2].headers.X-Api-Key", "robot_config.delivery.file.targets[0].name"}},
		"resources": {`{"display_name":"x","agents":["Nobody"],"mcp_servers":["gitlab"],"robot_config":{"approval":{"required_for":["sql.*"]},
			"resources":{"agents":["Mailer"],"mcp":[{"id":"github","tools":["stars"]}],"tools":["web.serch"],"phases":{"lunch":"Mailer","run":"Nobody"}}}}`,
			[]string{"agents[0]", "mcp_servers[0]", "robot_config.approval.required_for[0]", "robot_config.resources.mcp[0].tools", "robot_config.resources.tools[0]",
				"robot_config.resources.phases.lunch", "robot_config.resources.phases.run"}},
		"a tool that has the name of one of the pipeline": {`{"display_name":"x","robot_config":{"resources":{"tools":["robot.arm","robot.plan"]}}}`, []string{"robot_config.resources"}},
		"too many": {`{"display_name":"x","agents":["Mailer"` + strings.Repeat(`,"Mailer"`, 50) + `]}`, []string{"agents"}},
		"identity and events": {`{"display_name":"x","robot_config":{"identity":{"role":" "},"events":[{"type":"webhook","source":"a"},{"type":"webhook","source":"a"},{"type":"webhook","source":"/"}]}}`,
			[]string{"robot_config.identity.role", "robot_config.events[1].source", "robot_config.events[2].source"}},
	} {
		t.Run(name, func(t *testing.T) {
			var draft robot.Draft
			if err := json.Unmarshal([]byte(c.draft), &draft); err != nil {
				t.Fatal(err)
			}
			p := draft.Apply(robot.Profile{})
			err := w.desk.Check(t.Context(), project, &p)
			var fields map[string]string
			if told := problem.From(err); told != nil {
				fields = told.Fields
			}
			for _, field := range c.want {
				if fields[field] == "" {
					t.Errorf("%s is not told of", field)
				}
				delete(fields, field)
			}
			for field, message := range fields {
				t.Errorf("%s: %s", field, message)
			}
		})
	}
}

func TestMailThatNobodySendsIsRefused(t *testing.T) {
	w := newWorld(t)
	w.desk.Mail = false
	p := (&robot.Draft{}).Apply(robot.Profile{DisplayName: "x", Config: robot.Config{Delivery: &robot.Targets{Email: &robot.EmailTargets{Enabled: true}}}})
	if err := w.desk.Check(t.Context(), project, &p); !strings.Contains(problem.From(err).Fields["robot_config.delivery.email.enabled"], "ERRAND_SMTP_URL") {
		t.Errorf("a robot that would send mail: %v", err)
	}
}

func TestADraftChangesWhatItNames(t *testing.T) {
	var draft robot.Draft
	if err := json.Unmarshal([]byte(`{"bio":"new","agents":[],"robot_status":"working","robot_config":{"quota":{"max":3}}}`), &draft); err != nil {
		t.Fatal(err)
	}
	before := robot.Profile{
		DisplayName: "x", Bio: "old", Agents: []string{"a"}, Autonomous: true, RobotStatus: robot.Paused, Status: robot.Active, LanguageModel: "m",
		Config: robot.Config{DefaultLocale: "de", Quota: &robot.Quota{Priority: 9}},
	}
	want := before
	want.Bio, want.Agents, want.MCPServers, want.RobotStatus = "new", []string{}, []string{}, robot.Idle
	want.Config = robot.Config{Quota: &robot.Quota{Max: 3}}
	if diff := cmp.Diff(want, draft.Apply(before)); diff != "" {
		t.Error(diff)
	}
	if got := want.Limits(); got != (robot.Quota{Max: 3, Queue: 10, Priority: 5}) {
		t.Errorf("its quota is %+v", got)
	}
}

func TestIDs(t *testing.T) {
	for id, good := range map[string]bool{"my-robot": true, "A.b_1": true, "": false, "-x": false, "a/b": false, "activities": false, "Stream": false, strings.Repeat("x", 65): false} {
		if got := robot.CheckID(id) == ""; got != good {
			t.Errorf("%q is good: %t", id, got)
		}
	}
	made, err := robot.NewID()
	if err != nil || len(made) != 12 || robot.CheckID(made) != "" {
		t.Errorf("made %q, %v", made, err)
	}
}

func TestSecretsAreSealedAndKept(t *testing.T) {
	w := newWorld(t)
	hooks := func(targets ...robot.WebhookTarget) *robot.Targets {
		return &robot.Targets{Webhook: &robot.WebhookTargets{Enabled: true, Targets: targets}}
	}
	given := hooks(robot.WebhookTarget{URL: "https://a", Secret: "open sesame"}, robot.WebhookTarget{URL: "https://b"})
	r := w.robot(robot.Profile{Config: robot.Config{Delivery: given,
		Integrations: json.RawMessage(`{"telegram":{"enabled":false,"bot_token":"open rye"}}`)}})
	if given.Webhook.Targets[0].Secret == "" {
		t.Error("the profile that was given was changed")
	}
	row, err := w.store.Row(t.Context(), robot.Kind, project, r.ID)
	if err != nil || strings.Contains(string(row.Data), "open ") {
		t.Errorf("stored is %s, %v", row.Data, err)
	}
	found, err := w.book.Find(t.Context(), project, "Analyst")
	if err != nil || found.ID != r.ID {
		t.Fatalf("found %v, %v", found.ID, err)
	}
	shown, err := json.Marshal(found.Public())
	if err != nil || strings.Contains(string(shown), "keyring") {
		t.Errorf("shown is %s, %v", shown, err)
	}
	own, err := w.book.Secret(project, &found)
	if err != nil || !strings.HasPrefix(own, "whsec_") {
		t.Errorf("its own secret is %q, %v", own, err)
	}
	p := found.Profile
	p.Config.Delivery = hooks(robot.WebhookTarget{URL: "https://a"})
	changed, rows, err := w.book.Change(project, "key_2", found, p, w.at)
	if err != nil {
		t.Fatal(err)
	}
	w.commit(run.Commit{Rows: rows})
	if len(changed.Keyring) != 2 || len(changed.Keyring["https://a"]) == 0 {
		t.Errorf("after a change that names no secret the keyring is %v", changed.Keyring)
	}
	var conflict *run.RowConflict
	_, rows, _ = w.book.Change(project, "key_2", found, p, w.at)
	if err := w.store.Append(t.Context(), run.Commit{Rows: rows}); !errors.As(err, &conflict) {
		t.Errorf("a change of what someone else has changed: %v", err)
	}
	if err := w.store.Append(t.Context(), run.Commit{Rows: w.book.Delete(project, changed)}); err != nil {
		t.Error(err)
	}
	if _, err := w.book.Find(t.Context(), project, r.ID); !problem.Is(err, problem.NotFound) {
		t.Errorf("after it was deleted: %v", err)
	}
}
