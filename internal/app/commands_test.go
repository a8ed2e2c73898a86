package app

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"errand/client"
)

func TestHelp(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{}, {"--help"}, {"help", "runs"}, {"serve", "--help"}, {"run", "-h"}, {"demo", "--help"}, {"agents", "create", "--help"},
		{"files", "get", "--help"}, {"webhooks", "add", "--help"}, {"schedules", "add", "--help"}, {"approvals", "reject", "--help"}, {"tools", "add", "--help"}, {"index", "add", "--help"}, {"keys", "create", "--help"},
	} {
		code, out, errs := newWorld(t).run(args...)
		all.WriteString(said(args, code, out, errs) + "\n")
	}
	golden(t, "help", all.String())
}

func TestFaultsSayWhatToDoNext(t *testing.T) {
	notErrand := httptest.NewServer(http.NotFoundHandler())
	defer notErrand.Close()
	const nobody = "127.0.0.1:9" // a port that nobody gets by chance
	s := newWorld(t).serve()
	for name, c := range map[string]struct {
		env  []string
		args []string
		code int
		want []string
	}{
		"no such command":    {args: []string{"serv"}, code: exitUsage, want: []string{"serve", "--help"}},
		"no such flag":       {args: []string{"serve", "--prot=1"}, code: exitUsage, want: []string{"--prot"}},
		"no task":            {args: []string{"run"}, code: exitUsage, want: []string{"errand run"}},
		"resume with a task": {args: []string{"run", "--resume", "run_x", "task"}, code: exitUsage, want: []string{"--resume"}},
		"approve alone":      {args: []string{"run", "--approve", "act_01", "task"}, code: exitUsage, want: []string{"--resume"}},
		"empty page":         {args: []string{"runs", "list", "--limit", "0"}, code: exitUsage, want: []string{"--limit", "1 to 100"}},
		"agent and tool":     {args: []string{"run", "--agent", "a", "--tool", "b", "task"}, code: exitUsage, want: []string{"--tool"}},
		"unknown setting":    {env: []string{"ERRAND_RATE=3"}, args: []string{"serve"}, code: exitUsage, want: []string{"ERRAND_RATE"}},
		"an unknown store":   {env: []string{"ERRAND_STORE=mysql://h/d"}, args: []string{"serve"}, code: exitUsage, want: []string{"mysql", "postgres://user"}},
		"no database":        {env: []string{"ERRAND_STORE=postgres://u@" + nobody + "/d"}, args: []string{"serve"}, code: exitFailed, want: []string{"database d", "can't be reached"}},
		"address in use":     {args: []string{"serve", "--addr", strings.TrimPrefix(nobodyAt(t), "http://")}, code: exitFailed, want: []string{"--addr"}},
		"nobody there":       {env: []string{"ERRAND_URL=http://" + nobody}, args: []string{"runs", "list"}, code: exitFailed, want: []string{"errand serve", "ERRAND_URL"}},
		"something else":     {env: []string{"ERRAND_URL=" + notErrand.URL}, args: []string{"runs", "list"}, code: exitFailed, want: []string{"404", "ERRAND_URL"}},
		"wrong key":          {env: []string{"ERRAND_URL=" + s.url, "ERRAND_API_KEY=wrong"}, args: []string{"runs", "list"}, code: exitFailed, want: []string{"ERRAND_API_KEY"}},
		"no such run":        {env: []string{"ERRAND_URL=" + s.url}, args: []string{"runs", "get", "run_" + strings.Repeat("0", 32)}, code: exitFailed, want: []string{"no run"}},
		"no such tool":       {args: []string{"run", "--tool", "email.send", "task"}, code: exitFailed, want: []string{"email.send", "ERRAND_SMTP_URL"}},
		"no such agent":      {args: []string{"run", "--agent", "nobody", "task"}, code: exitFailed, want: []string{"nobody", "errand agents create"}},
		"no such agent file": {args: []string{"run", "--agent", "nobody.yaml", "task"}, code: exitFailed, want: []string{"nobody.yaml"}},
		"no such model":      {args: []string{"run", "--model", "openai/gpt", "task"}, code: exitFailed, want: []string{"OPENAI_API_KEY"}},
	} {
		t.Run(name, func(t *testing.T) {
			code, out, errs := newWorld(t).with(c.env...).run(c.args...)
			if code != c.code || out != "" {
				t.Errorf("exit %d, want %d; output %q", code, c.code, out)
			}
			for _, want := range c.want {
				if !strings.Contains(errs, want) {
					t.Errorf("%q does not say %q", errs, want)
				}
			}
		})
	}
}

// nobodyAt is the address of a server that has it for the test's time.
func nobodyAt(t *testing.T) string {
	t.Helper()
	taken := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(taken.Close)
	return taken.URL
}

// TestCommands plays a session at a terminal against a server.
func TestCommands(t *testing.T) {
	mailed, mails := invoices(t)
	s := mailed.serve()
	w := newWorld(t).with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	w.terminal = true
	tool := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte(`{"noted":true}`)) }))
	defer tool.Close()
	note := w.file("note.yaml", "name: crm.note\ndescription: Notes.\nurl: "+tool.URL+"\nparameters: {type: object, properties: {text: {type: string}}}\n")

	api := client.New(s.url, adminKey)
	var all strings.Builder
	play := func(args ...string) {
		t.Helper()
		code, out, errs := w.run(args...)
		text := said(args, code, out, errs)
		all.WriteString(strings.ReplaceAll(strings.ReplaceAll(text, w.dir, "DIR"), mailed.dir, "DIR") + "\n")
	}
	play("models")
	play("tools", "list")
	play("tools", "add", "-f", note)
	play("tools", "try", "crm.note", `{"text": 1}`)
	play("tools", "remove", "crm.note")
	play("agents", "list")
	play("agents", "create", "-f", mailed.dir+"/agent.yaml")
	play("agents", "create", "-f", mailed.dir+"/agent.yaml")
	play("agents", "list")
	run, err := api.Agents.Run(t.Context(), "invoice-chaser", client.Task{Prompt: demoPrompt})
	if err != nil {
		t.Fatal(err)
	}
	play("runs", "list", "--status", "awaiting_approval")
	play("approvals", "list")
	play("runs", "watch", "--until-rest", run.ID)
	play("approvals", "approve", run.ID)
	play("runs", "watch", run.ID)
	play("runs", "get", run.ID)
	play("approvals", "approve", run.ID)
	play("approvals", "list")
	play("runs", "cancel", run.ID)
	play("runs", "delete", run.ID)
	play("runs", "list")
	play("agents", "delete", "invoice-chaser")
	play("keys", "create", "ci", "--scope", "runs:read,runs:write", "--project", "elsewhere")
	play("keys", "list")
	golden(t, "commands", all.String())
	if n := len(mails.Messages()); n != 3 {
		t.Errorf("%d e-mails", n)
	}
}

func TestProgramsGetJSON(t *testing.T) {
	s := newWorld(t).serve()
	w := newWorld(t).with("ERRAND_URL=" + s.url)
	for _, args := range [][]string{{"runs", "list"}, {"agents", "list"}, {"tools", "list"}, {"keys", "list"}, {"models"}, {"approvals", "list"}} {
		if code, out, errs := w.run(args...); code != 0 || !strings.HasPrefix(out, "{\n") || !strings.Contains(out, `"object": "list"`) {
			t.Errorf("%v: exit %d, %s%s", args, code, out, errs)
		}
	}
}

const gated = `
name: chaser
model: offline
instructions: Chase.
tools: [finance.read, email.send]
approval: {required_for: [email.send]}
max_steps: 8
`

func TestRunAsksOnATerminal(t *testing.T) {
	for name, c := range map[string]struct {
		typed string
		code  int
		mails int
		want  string
	}{
		"approve all":          {"s\nl\n", exitOK, 3, `"subject":`},
		"approve one by one":   {"a\nwhat?\na\nyes\n", exitOK, 3, "completed"},
		"reject one":           {"a\nr\na\n", exitOK, 2, "rejected"},
		"reject all":           {"n\nn\nn\n", exitOK, 0, "rejected"},
		"decide later":         {"a\nq\n", exitWaits, 0, "--resume run_"},
		"the terminal is gone": {"", exitWaits, 0, "--approve act_02"},
		"only half an answer":  {"a", exitWaits, 0, "waits for approval"},
	} {
		t.Run(name, func(t *testing.T) {
			w, mails := invoices(t)
			w.typed, w.terminal = c.typed, true
			code, out, errs := w.run("run", "--agent", w.file("gated.yaml", gated), demoPrompt)
			if code != c.code || len(mails.Messages()) != c.mails || !strings.Contains(out+errs, c.want) {
				t.Errorf("exit %d, %d e-mails, want %d and %d and %q\n%s%s", code, len(mails.Messages()), c.code, c.mails, c.want, out, errs)
			}
		})
	}
}

func TestRunWithoutATerminalWaitsAndGoesOn(t *testing.T) {
	w, mails := invoices(t)
	args := []string{"run", "--agent", w.file("gated.yaml", gated), demoPrompt}
	code, out, errs := w.run(args...)
	if code != exitWaits || len(mails.Messages()) != 0 {
		t.Fatalf("exit %d, %d e-mails\n%s%s", code, len(mails.Messages()), out, errs)
	}
	_, how, _ := strings.Cut(errs, "Approve: errand ")
	how, _, _ = strings.Cut(how, "\n")
	code, out, errs = w.run(strings.Fields(how)...) // what it said to do
	if code != exitWaits || len(mails.Messages()) != 1 {
		t.Fatalf("%s: exit %d, %d e-mails\n%s%s", how, code, len(mails.Messages()), out, errs)
	}
	resume := strings.Fields(how)[:5]
	for _, both := range [][]string{{"act_03", "act_03"}, {"all", "act_03"}} {
		code, _, errs = w.run(append(resume, "--approve", both[0], "--reject", both[1])...)
		if code != exitUsage || len(mails.Messages()) != 1 || !strings.Contains(errs, "act_03") {
			t.Errorf("approved and rejected at once: exit %d, %d e-mails, %s", code, len(mails.Messages()), errs)
		}
	}
	code, out, errs = w.run(append(resume, "--approve", "all", "--json")...)
	if code != exitOK || len(mails.Messages()) != 3 || !strings.Contains(out, `"status": "completed"`) {
		t.Errorf("exit %d, %d e-mails\n%s%s", code, len(mails.Messages()), out, errs)
	}
	if code, _, errs = w.run(append(resume, "--reject", "act_02")...); code != exitFailed || errs == "" {
		t.Errorf("a second, opposite decision: exit %d, %s", code, errs)
	}
}

func TestRunPrints(t *testing.T) {
	var all strings.Builder
	for _, args := range [][]string{
		{"run", "--tool", "time.now", "What time is it?"},
		{"run", "--tool", "time.now", "--quiet", "What time is it?"},
	} {
		for _, terminal := range []bool{true, false} {
			w := newWorld(t)
			w.terminal = terminal
			code, out, errs := w.run(args...)
			all.WriteString(said(args, code, out, errs) + "\n")
		}
	}
	golden(t, "run", all.String())
	code, out, errs := newWorld(t).run("run", "--stream", "--tool", "time.now", "What time is it?")
	if code != 0 || errs != "" || !strings.HasPrefix(out, `{"id":"1","event":"run.created","data":{`) || !strings.Contains(out, `"event":"run.finished"`) {
		t.Errorf("exit %d, %s%s", code, out, errs)
	}
}

func TestActingToolsAskUnlessAnAgentSaysOtherwise(t *testing.T) {
	w, mails := invoices(t)
	code, out, errs := w.run("run", "--tool", "finance.read", "--tool", "email.send", demoPrompt)
	if code != exitWaits || len(mails.Messages()) != 0 {
		t.Errorf("exit %d, %d e-mails\n%s%s", code, len(mails.Messages()), out, errs)
	}
}

func TestCtrlCCancels(t *testing.T) {
	tool := newSlowTool(t)
	w := newWorld(t).with("ERRAND_EGRESS_ALLOW=127.0.0.0/8")
	defer close(tool.release)
	agent := w.file("boiler.yaml", `
name: boiler
model: offline
instructions: Look.
tools: [{name: boiler.switch_off, description: Switches the boiler off., url: "`+tool.URL+`"}]
`)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		select {
		case <-tool.came:
			cancel()
		case <-time.After(time.Minute):
		}
	}()
	code, out, errs := w.runIn(ctx, "run", "--agent", agent, "--json", "Switch off the boiler")
	if code != exitCancelled || !strings.Contains(out, `"status": "cancelled"`) {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
}

func TestCtrlCAtTheQuestionCancels(t *testing.T) {
	w, mails := invoices(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	person, typing := io.Pipe() // a person who says nothing
	defer typing.Close()
	asked := &locked{}
	ended := make(chan int, 1)
	agent := w.file("gated.yaml", gated)
	go func() {
		ended <- Main(ctx, []string{"run", "--agent", agent, demoPrompt}, w.env, Stdio{In: person, Out: io.Discard, Err: asked, Terminal: true})
	}()
	eventually(t, "the question", func() bool { return strings.Contains(asked.String(), "[a]pprove") })
	cancel()
	if code := <-ended; code != exitCancelled || len(mails.Messages()) != 0 {
		t.Errorf("exit %d, %d e-mails\n%s", code, len(mails.Messages()), asked)
	}
	if _, out, errs := w.run("run", "--resume", "run_x", "--json"); out != "" || errs == "" {
		t.Errorf("resuming what is not there: %s%s", out, errs)
	}
}

func TestDoctor(t *testing.T) {
	w := newWorld(t)
	if code, out, _ := w.run("doctor"); code != 0 || strings.Contains(out, "FAIL") {
		t.Errorf("exit %d\n%s", code, out)
	}
	w.serve()
	if code, out, _ := w.run("doctor"); code != 0 || !strings.Contains(out, "pid") {
		t.Errorf("beside a server: exit %d\n%s", code, out)
	}
	broken := w.with("OPENAI_API_KEY=sk-hunter2", "OPENAI_BASE_URL=http://127.0.0.1:1/v1")
	if code, out, errs := broken.run("doctor"); code != exitFailed || !strings.Contains(out, "FAIL") || strings.Contains(out+errs, "hunter2") {
		t.Errorf("without its model: exit %d\n%s", code, out)
	}
	if code, out, _ := w.with("ERRAND_ADRR=x").run("doctor"); code != exitFailed || !strings.Contains(out, "ERRAND_ADDR") {
		t.Errorf("with a misspelt setting: exit %d\n%s", code, out)
	}
	query := w.file("query.yaml", "sql: {a.b: {dsn: a.db, statement: 'SELECT :x', parameters: {x: text}}}")
	if code, out, _ := newWorld(t).run("doctor", "--config", query); code != exitFailed || !strings.Contains(out, "sql.a.b.parameters.x") {
		t.Errorf("with a tool that can't be made: exit %d\n%s", code, out)
	}
}

func TestDemo(t *testing.T) {
	if testing.Short() {
		t.Skip("starts three servers")
	}
	t.Setenv("TMPDIR", t.TempDir())
	w := newWorld(t).with("OPENAI_API_KEY=not-used", "OPENAI_BASE_URL=http://127.0.0.1:1/v1", "ERRAND_SMTP_URL=smtp://127.0.0.1:1")
	code, out, errs := w.run("demo")
	if code != 0 || strings.Count(out, "kill -9") != 2 || !strings.Contains(out, "none lost, none sent twice") {
		t.Errorf("exit %d\n%s%s", code, out, errs)
	}
	if left, err := os.ReadDir(os.Getenv("TMPDIR")); err != nil || len(left) > 0 {
		t.Errorf("the demo leaves %v behind (%v)", left, err)
	}
}
