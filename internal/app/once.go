package app

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/client"
)

type onceCommand struct {
	settingFlags
	Agent   string   `help:"Agent to run: a YAML or JSON file, or the name of a saved one." placeholder:"FILE|NAME"`
	Model   string   `help:"Model, when no agent is run (default: as ERRAND_MODEL says, else what is found)." placeholder:"PROVIDER/NAME"`
	Tool    []string `help:"Tool that may be called, when no agent is run; repeat for more. One that is not safe asks first." placeholder:"NAME"`
	Quiet   bool     `short:"q" help:"Print the result alone."`
	JSON    bool     `help:"Print the run as JSON, as the API shows it."`
	Stream  bool     `help:"Print the run's events as lines of JSON, as they happen."`
	Resume  string   `help:"Go on with a run that waits." placeholder:"RUN"`
	Approve []string `help:"With --resume: approve this action, or all." placeholder:"ACTION"`
	Reject  []string `help:"With --resume: reject this action, or all." placeholder:"ACTION"`
	Task    string   `arg:"" optional:"" help:"What is to be done."`
}

// Help is the command's longer help.
func (onceCommand) Help() string {
	return `Examples:

  errand run "What time is it in Lisbon?" --tool time.now
  errand run --agent invoice-chaser.yaml "Chase the invoices unpaid for over 30 days."
  errand run --resume run_… --approve act_01

Before an action that needs approval it asks, on a terminal. Without one it stops with exit
code 3 and prints how to approve. Exit codes: 0 completed, 1 failed, 2 usage, 3 waits for a
person, 130 cancelled (Ctrl-C cancels the run). Runs are kept in the data directory.`
}

// once is one errand run under way.
type once struct {
	*onceCommand
	p     *process
	api   *client.Client
	show  frameShower
	input *bufio.Reader
	data  string
}

// Run runs one task, or goes on with one.
func (c *onceCommand) Run(ctx context.Context, p *process) error {
	if err := c.check(); err != nil {
		return usage(err)
	}
	flags := c.flags()
	flags["model"] = c.Model
	if c.LogLevel == "" && p.variable("ERRAND_LOG_LEVEL") == "" {
		flags["log-level"] = "error" // the trace tells the rest
	}
	cfg, err := p.settings(flags)
	if err != nil {
		return err
	}
	l, err := openInside(ctx, p, cfg, options{})
	if err != nil {
		return err
	}
	o := &once{onceCommand: c, p: p, api: l.api, show: c.shower(p), input: bufio.NewReader(p.In), data: cfg.Data}
	err = o.run(ctx)
	return errors.Join(err, l.close())
}

func (c *onceCommand) check() error {
	decisions := len(c.Approve) + len(c.Reject)
	switch {
	case c.Resume == "" && c.Task == "":
		return errors.New(`say what is to be done: errand run "…", or --resume RUN`)
	case c.Resume != "" && (c.Task != "" || c.Agent != "" || len(c.Tool) > 0):
		return errors.New("--resume goes on with a run as it is: leave the task, --agent and --tool out")
	case c.Resume == "" && decisions > 0:
		return errors.New("--approve and --reject need --resume RUN")
	case c.Agent != "" && len(c.Tool) > 0:
		return errors.New("an agent has its own tools: leave --tool out, or write it into the agent")
	case c.JSON && c.Stream:
		return errors.New("choose --json or --stream")
	}
	return nil
}

// shower shows events on the output as lines, or a trace where a person reads.
func (c *onceCommand) shower(p *process) frameShower {
	switch {
	case c.Stream:
		return p.frames(true)
	case c.Quiet || c.JSON && !p.answers():
		return nothing{}
	case c.JSON || !p.reads():
		beside := *p
		beside.Out = p.Err // the output is the result alone
		return newTracer(&beside)
	}
	return newTracer(p)
}

// nothing shows nothing.
type nothing struct{}

func (nothing) frame(client.Frame) error { return nil }
func (nothing) end(client.Run)           {}

func (o *once) run(ctx context.Context) error {
	// Not interrupted: a run that was made and whose id got lost could not be
	// cancelled. It only makes the run, which takes milliseconds.
	id, after, err := o.begin(context.WithoutCancel(ctx))
	if err != nil {
		return err
	}
	for {
		run, err := followRun(ctx, o.api, o.show, id, &after)
		if ctx.Err() != nil {
			return o.cancel(id)
		}
		if err != nil {
			return err
		}
		if run.Status == "awaiting_approval" && o.p.answers() && !o.Stream {
			decided, err := o.ask(ctx, run)
			if ctx.Err() != nil {
				return o.cancel(id)
			}
			if err != nil {
				return err
			}
			if decided {
				continue
			}
		}
		return o.finish(run)
	}
}

// begin starts the run, or decides what the one to resume waits for. After is
// the place in its stream from which it is shown.
func (o *once) begin(ctx context.Context) (id, after string, err error) {
	if o.Resume != "" {
		return o.resume(ctx)
	}
	var run client.Run
	if o.Agent != "" {
		name, err := o.agent(ctx)
		if err != nil {
			return "", "", err
		}
		run, err = o.api.Agents.Run(ctx, name, client.Task{Prompt: o.Task, Background: true})
		if notFound(err) {
			return "", "", fmt.Errorf("there is no agent %q in %s: name a file, or save one with errand agents create -f FILE", name, o.data)
		}
		return run.ID, "", err
	}
	gates, err := o.gates(ctx)
	if err != nil {
		return "", "", err
	}
	task := client.Task{Prompt: o.Task, Model: "auto", Tools: o.Tool, Approval: gates, Background: true}
	if o.Model != "" {
		task.Model = o.Model
	}
	run, err = o.api.Runs.Create(ctx, task)
	return run.ID, "", err
}

// agent returns the name of the agent to run; a file is saved first.
func (o *once) agent(ctx context.Context) (string, error) {
	_, err := os.Stat(o.Agent)
	looks := slices.Contains([]string{".yaml", ".yml", ".json"}, filepath.Ext(o.Agent)) || strings.ContainsRune(o.Agent, filepath.Separator)
	if err != nil && !looks && o.Agent != "-" {
		return o.Agent, nil
	}
	text, err := readDefinition(o.p, o.Agent)
	if err != nil {
		return "", err
	}
	agent, err := saveAgent(ctx, o.api, text)
	return agent.ID, err
}

// gates asks before every tool that acts: nobody has said, as the author of an
// agent does, which of them may act unasked.
func (o *once) gates(ctx context.Context) (*client.Approval, error) {
	var acting []string
	for _, name := range o.Tool {
		tool, err := o.api.Tools.Get(ctx, name)
		if notFound(err) {
			return nil, fmt.Errorf("there is no tool %q here; errand.yaml can define it, and email.send needs ERRAND_SMTP_URL and ERRAND_SMTP_FROM", name)
		}
		if err != nil {
			return nil, err
		}
		if tool.Effect != "safe" {
			acting = append(acting, name)
		}
	}
	if acting == nil {
		return nil, nil
	}
	return &client.Approval{RequiredFor: client.Gates(acting...)}, nil
}

func (o *once) resume(ctx context.Context) (id, after string, err error) {
	run, err := o.api.Runs.Get(ctx, o.Resume)
	if err != nil {
		return "", "", err
	}
	var seq int64
	for event, err := range o.api.Runs.Events(ctx, run.ID, 0) {
		if err != nil {
			return "", "", err
		}
		seq = event.Seq
	}
	approve, reject := chosen(o.Approve, run), chosen(o.Reject, run)
	for _, action := range reject {
		if slices.Contains(approve, action) {
			return "", "", usage(fmt.Errorf("%s is in both --approve and --reject: decide for one", action))
		}
	}
	if run.Status == "paused" {
		if _, err := o.api.Runs.Resume(ctx, run.ID); err != nil {
			return "", "", err
		}
	}
	for _, d := range []client.Decision{{Actions: approve}, {Actions: reject, Reject: true}} {
		if len(d.Actions) == 0 {
			continue
		}
		if _, err := o.api.Approvals.Decide(ctx, run.ID, d); err != nil {
			return "", "", err
		}
	}
	return run.ID, strconv.FormatInt(seq, 10), nil
}

// chosen are the actions that a flag names; all means all that wait.
func chosen(named []string, run client.Run) []string {
	if len(named) != 1 || named[0] != "all" {
		return named
	}
	var all []string
	for _, action := range run.PendingActions {
		all = append(all, action.ID)
	}
	return all
}

// cancelWait is more than the server takes to end a run: half a second for the
// calls that are cut, and a commit.
const cancelWait = 5 * time.Second

// cancel ends the run after Ctrl-C.
func (o *once) cancel(id string) error {
	ctx, stop := context.WithTimeout(context.Background(), cancelWait)
	defer stop()
	run, err := o.api.Runs.Cancel(ctx, id)
	if err != nil {
		return fmt.Errorf("cancelling %s: %w", id, err)
	}
	o.show.end(run)
	if o.JSON {
		if err := o.p.printJSON(run.Raw); err != nil {
			return err
		}
	}
	return quiet(exitCancelled)
}

// finish prints how the run stands and says what it waits for.
func (o *once) finish(run client.Run) error {
	o.show.end(run)
	switch {
	case o.JSON:
		if err := o.p.printJSON(run.Raw); err != nil {
			return err
		}
	case !o.Stream && (o.Quiet || !o.p.reads()) && run.Result != nil:
		o.p.print("%s\n", printable(run.Result.Summary))
	}
	code := codeOf(run)
	if code == exitFailed && run.Error != nil {
		return &exit{code: code, cause: fmt.Errorf("the run failed: %s: %s", run.Error.Code, printable(run.Error.Message))}
	}
	if code == exitWaits {
		o.howTo(run)
	}
	return quiet(code)
}

// howTo says what a waiting run waits for and how it goes on.
func (o *once) howTo(run client.Run) {
	again := "errand run --data " + quoted(o.data)
	if o.Config != "" { // it may define the tools
		again += " --config " + quoted(o.Config)
	}
	again += " --resume " + run.ID
	switch run.Status {
	case "awaiting_approval":
		o.p.note("\n%s waits for approval:\n", run.ID)
		for _, a := range run.PendingActions {
			o.p.note("  %s  %s  %s\n", a.ID, a.Tool, oneLine(a.Preview, 100))
		}
		o.p.note("Approve: %s --approve %s\nReject:  %s --reject %s\n", again, run.PendingActions[0].ID, again, run.PendingActions[0].ID)
	case "awaiting_input":
		o.p.note("\n%s waits for the outputs of function tools. Start errand serve --data %s and send them to\n"+
			"POST /v1/runs/%s/tool_outputs\n", run.ID, quoted(o.data), run.ID)
	default:
		o.p.note("\n%s is %s. Go on: %s\n", run.ID, run.Status, again)
	}
}

// quoted makes a path one word for a shell.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t'\"$&;|<>()*?\\`") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
