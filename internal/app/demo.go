package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"errand/client"
	"errand/examples"
	"errand/internal/config"
	"errand/internal/tool/email/sink"
)

type demoCommand struct {
	Keep bool `help:"Keep the demo's files and say where they are."`
}

// Help is the command's longer help.
func (demoCommand) Help() string {
	return `Runs examples/invoice-chaser on the offline model, whatever the environment has: it finds the
invoices unpaid for over 30 days, halts before the e-mails, is approved, and sends them to a mail
server inside this process. Then it does so again and kills the server twice in the middle. It
checks what it claims, and exits with 1 if an e-mail was sent twice or lost. No network is used.`
}

// The demo's prompt is the one of the API reference.
const demoPrompt = "Chase the three unpaid invoices over 30 days."

// demoFrom is who the demo's e-mails are from.
const demoFrom = "Billing <billing@example.com>"

// demo is one errand demo under way.
type demo struct {
	p    *process
	dir  string
	step int
	pace time.Duration // between the words of the model, where a person reads
}

// demoPace is slow enough to see that a model writes word by word, and fast enough
// to be over in seconds.
const demoPace = 4 * time.Millisecond

// Run shows the whole life of a run.
func (c *demoCommand) Run(ctx context.Context, p *process) (err error) {
	dir, err := os.MkdirTemp("", "errand-demo-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	d := &demo{p: p, dir: dir}
	if p.reads() {
		d.pace = demoPace
	}
	defer func() {
		if c.Keep {
			p.print("The demo's files are in %s\n", dir)
			return
		}
		err = errors.Join(err, os.RemoveAll(dir))
	}()
	p.print("%s\n%s\n", p.bold("Errand: the whole life of a run"), p.dim("Offline rules stand in for a language model. Nothing leaves this machine."))
	if err := d.unpack(); err != nil {
		return err
	}
	if err := d.life(ctx); err != nil {
		return err
	}
	if err := d.crash(ctx); err != nil {
		return err
	}
	p.print("\nNext: %s, or %s\n", p.bold("errand serve"), p.bold(`errand run --tool time.now "What time is it in Lisbon?"`))
	return nil
}

// say begins the next numbered part.
func (d *demo) say(format string, args ...any) {
	d.step++
	d.p.print("\n%s\n", d.p.bold(fmt.Sprintf("%d. %s", d.step, fmt.Sprintf(format, args...))))
}

// tell adds a line to the part.
func (d *demo) tell(format string, args ...any) { d.p.print("   %s\n", fmt.Sprintf(format, args...)) }

// unpack writes the example's files, which are in the binary.
func (d *demo) unpack() error {
	return fs.WalkDir(examples.InvoiceChaser, "invoice-chaser", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := examples.InvoiceChaser.ReadFile(path)
		if err != nil {
			return err
		}
		return os.WriteFile(filepath.Join(d.dir, entry.Name()), text, 0o600)
	})
}

// settings are the environment of a demo's server: the example's file, the mail
// server at smtp, and the offline model. What the user's own environment
// configures is left out.
func (d *demo) settings(smtp, data string) []string {
	env := []string{
		"ERRAND_CONFIG=" + filepath.Join(d.dir, "errand.yaml"), "ERRAND_DATA=" + filepath.Join(d.dir, data),
		"ERRAND_SMTP_URL=" + smtp, "ERRAND_SMTP_FROM=" + demoFrom, "ERRAND_MODEL=offline", "ERRAND_LOG_LEVEL=warn",
	}
	for _, line := range d.p.env {
		name, _, _ := strings.Cut(line, "=")
		if !strings.HasPrefix(name, "ERRAND_") && !strings.HasSuffix(name, "_API_KEY") && !strings.HasSuffix(name, "_BASE_URL") && name != "OLLAMA_HOST" {
			env = append(env, line)
		}
	}
	return env
}

// agent reads the example's agent.
func (d *demo) agent(ctx context.Context, api *client.Client) (client.Agent, error) {
	document, err := config.ReadDocumentFile(filepath.Join(d.dir, "agent.yaml"))
	if err != nil {
		return client.Agent{}, err
	}
	return saveAgent(ctx, api, document.JSON)
}

// life shows a run from its prompt to its e-mails, on a server in this process.
func (d *demo) life(ctx context.Context) (err error) {
	mails, err := sink.Start("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mails.Close()) }()
	inner := *d.p
	inner.env = d.settings(mails.URL(), "life")
	cfg, err := inner.settings(nil)
	if err != nil {
		return err
	}
	l, err := openInside(ctx, &inner, cfg, options{offline: true, pace: d.pace})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.close()) }()

	agent, err := d.agent(ctx, l.api)
	if err != nil {
		return err
	}
	d.say("An agent")
	d.tell("%s may call %s; %s needs a person's approval.", agent.Name, strings.Join(agent.Tools, " and "), joined(agent.Approval.RequiredFor))
	d.say("A run: %q", demoPrompt)
	run, err := l.api.Agents.Run(ctx, agent.ID, client.Task{Prompt: demoPrompt, Background: true})
	if err != nil {
		return err
	}
	show, after := newTracer(d.indented()), ""
	run, err = followRun(ctx, l.api, show, run.ID, &after)
	if err != nil {
		return err
	}
	if run.Status != "awaiting_approval" {
		return fmt.Errorf("the run is %s; it should wait for approval", run.Status)
	}
	if n := len(mails.Messages()); n != 0 {
		return fmt.Errorf("%d e-mails were sent before anyone approved them", n)
	}
	d.say("It halts: %s for approval, and none has been sent", waits(len(run.PendingActions)))
	d.say("A person approves; the run goes on")
	if err := d.approveAll(ctx, l.api, run); err != nil {
		return err
	}
	if run, err = followRun(ctx, l.api, show, run.ID, &after); err != nil {
		return err
	}
	show.end(run)
	d.say("What the customers get")
	d.printMails(mails.Messages())
	return d.verify(run, mails.Messages())
}

// indented is the process with its output moved to the right.
func (d *demo) indented() *process {
	moved := *d.p
	moved.Out = newMargin(d.p.Out, "   ")
	moved.Terminal = d.p.reads()
	return &moved
}

func waits(n int) string {
	if n == 1 {
		return "one e-mail waits"
	}
	return fmt.Sprintf("%d e-mails wait", n)
}

func (d *demo) approveAll(ctx context.Context, api *client.Client, run client.Run) error {
	_, err := api.Approvals.Decide(ctx, run.ID, client.Decision{Actions: chosen([]string{"all"}, run)})
	return err
}

// printMails shows one e-mail in full and the others' envelopes.
func (d *demo) printMails(mails []sink.Message) {
	for i, mail := range mails {
		d.tell("To: %-28s Subject: %s", oneLine(strings.Join(mail.To, ", "), 60), oneLine(mail.Subject, 80))
		if i > 0 {
			continue
		}
		for line := range strings.Lines(strings.TrimSpace(mail.Body)) {
			d.tell("%s", d.p.dim("│ "+printable(strings.TrimRight(line, "\r\n"))))
		}
	}
}

// overdue are the customers whose invoices the example's books show as unpaid for
// over 30 days.
func overdue() []string {
	return []string{"meridian@clients.example", "northwind@clients.example", "tallow@clients.example"}
}

// verify holds the end of a run against what must be: completed, and exactly one
// e-mail to each of the three.
func (d *demo) verify(run client.Run, mails []sink.Message) error {
	if run.Status != "completed" {
		return fmt.Errorf("the run is %s (%s); it should be completed", run.Status, cmp.Or(run.StopReason, "not ended"))
	}
	var got []string
	for _, mail := range mails {
		got = append(got, mail.To...)
	}
	slices.Sort(got)
	if !slices.Equal(got, overdue()) {
		return fmt.Errorf("e-mails went to %s; there should be exactly one to each of %s", strings.Join(got, ", "), strings.Join(overdue(), ", "))
	}
	return nil
}
