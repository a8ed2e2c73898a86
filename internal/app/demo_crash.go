package app

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"errand/client"
	"errand/internal/tool/email/sink"
)

// demoPatience bounds each wait of the demo: everything in it takes milliseconds.
const demoPatience = 15 * time.Second

// crash does the same again with a server that is killed twice in the middle: once
// before the first e-mail has left, once after the mail server has taken the
// second one and before its answer has arrived.
func (d *demo) crash(ctx context.Context) (err error) {
	mails, err := sink.Start("")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, mails.Close()) }()
	line, err := newMailLine(strings.TrimPrefix(mails.URL(), "smtp://"))
	if err != nil {
		return err
	}
	defer line.close()
	s := &server{demo: d, key: rand.Text(), env: d.settings("smtp://"+line.addr(), "crash")}
	if err := s.start(ctx); err != nil {
		return s.complaints(err)
	}
	defer func() { err = s.complaints(errors.Join(err, s.kill())) }()
	d.say("The same again, and the server is killed twice on the way")
	run, err := d.untilApproval(ctx, s.api)
	if err != nil {
		return err
	}

	line.set(holdAll)
	if err := d.approveAll(ctx, s.api, run); err != nil {
		return err
	}
	if err := d.killWhen(ctx, s, line.holding, "kill -9 after the approval, before the first e-mail has left"); err != nil {
		return err
	}
	line.set(holdAnswer)
	if err := s.start(ctx); err != nil {
		return err
	}
	taken := func() bool { return line.holding() && len(mails.Messages()) > 0 }
	if err := d.killWhen(ctx, s, taken, "kill -9 after the mail server took an e-mail, before its answer came back"); err != nil {
		return err
	}
	line.set(pass)
	if err := s.start(ctx); err != nil {
		return err
	}
	run, err = d.settle(ctx, s.api, run.ID, mails)
	if err != nil {
		return err
	}
	if err := d.verify(run, mails.Messages()); err != nil {
		return err
	}
	d.say("Two crashes, %s, %s: none lost, none sent twice %s", plural(len(overdue()), "customer"), plural(len(mails.Messages()), "e-mail"), d.p.green("✓"))
	d.printEnvelopes(mails.Messages())
	return nil
}

func (d *demo) printEnvelopes(mails []sink.Message) {
	for _, mail := range mails {
		d.tell("To: %-28s %s", oneLine(strings.Join(mail.To, ", "), 60), d.p.dim(oneLine(mail.MessageID, 80)))
	}
}

// untilApproval starts the run and waits until it halts.
func (d *demo) untilApproval(ctx context.Context, api *client.Client) (client.Run, error) {
	agent, err := d.agent(ctx, api)
	if err != nil {
		return client.Run{}, err
	}
	run, err := api.Agents.Run(ctx, agent.ID, client.Task{Prompt: demoPrompt})
	if err != nil {
		return run, err
	}
	if run.Status != "awaiting_approval" {
		return run, fmt.Errorf("the run is %s; it should wait for approval", run.Status)
	}
	d.tell("The run halts: %s for approval. Approved.", waits(len(run.PendingActions)))
	return run, nil
}

// killWhen kills the server as soon as the moment has come.
func (d *demo) killWhen(ctx context.Context, s *server, moment func() bool, what string) error {
	if err := until(ctx, moment); err != nil {
		return fmt.Errorf("waiting for the moment to kill the server: %w", err)
	}
	if err := s.kill(); err != nil {
		return err
	}
	d.tell("%s %s", d.p.red("✗"), what)
	return nil
}

// settle decides about the calls whose outcome the server can't know, by what the
// mail server has: what a careful person would do.
func (d *demo) settle(ctx context.Context, api *client.Client, id string, mails *sink.Sink) (run client.Run, err error) {
	unknown := func() bool {
		run, err = api.Runs.Get(ctx, id)
		return err != nil || len(run.PendingActions) == 2 && len(mails.Messages()) == 2
	}
	if waited := until(ctx, unknown); waited != nil || err != nil {
		return run, errors.Join(err, waited, fmt.Errorf("the run is %s with %s and %s", run.Status,
			plural(len(run.PendingActions), "open question"), plural(len(mails.Messages()), "e-mail")))
	}
	d.tell("The run has gone on by itself: the third e-mail is out. About the other two it asks,")
	d.tell("because it can't know whether they left, and it never guesses:")
	for _, action := range run.PendingActions {
		var mail struct {
			To json.RawMessage `json:"to"`
		}
		if err := json.Unmarshal(action.Arguments, &mail); err != nil {
			return run, err
		}
		sent := slices.ContainsFunc(mails.Messages(), func(m sink.Message) bool {
			return slices.ContainsFunc(m.To, func(to string) bool { return strings.Contains(string(mail.To), to) })
		})
		answer := "the mail server has not seen it: send it"
		if sent {
			answer = "the mail server has it: treat it as done"
		}
		d.tell("%s %s (%s) → %s", d.p.yellow("?"), oneLine(action.Preview, 60), action.Reason, answer)
		if _, err := api.Approvals.Decide(ctx, id, client.Decision{Actions: []string{action.ID}, Reject: sent}); err != nil {
			return run, err
		}
	}
	after := ""
	return followRun(ctx, api, nothing{}, id, &after)
}

// until waits for a moment, looking every few milliseconds.
func until(ctx context.Context, moment func() bool) error {
	ctx, cancel := context.WithTimeout(ctx, demoPatience)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !moment() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// server is errand serve as a process of its own, that can be killed.
type server struct {
	demo *demo
	key  string
	env  []string

	command *exec.Cmd
	log     bytes.Buffer // what the servers complained about
	api     *client.Client
	starts  int
}

// start starts the server and waits until it is ready.
func (s *server) start(ctx context.Context) error {
	program, err := os.Executable()
	if err != nil {
		return fmt.Errorf("finding this program: %w", err)
	}
	begun := s.demo.p.now()
	s.command = exec.Command(program, "serve", "--addr", "127.0.0.1:0")
	s.command.Env = append(slices.Clone(s.env), "ERRAND_ADMIN_KEY="+s.key)
	s.command.Stderr = &s.log
	out, err := s.command.StdoutPipe()
	if err != nil {
		return err
	}
	if err := s.command.Start(); err != nil {
		return fmt.Errorf("starting a server: %w", err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if fields := strings.Fields(lines.Text()); len(fields) > 1 && fields[0] == "API" {
			s.api = client.New(fields[1], s.key)
			if s.starts++; s.starts > 1 {
				s.demo.tell("%s restarted in %s", s.demo.p.green("✓"), duration(s.demo.p.now().Sub(begun).Milliseconds()))
			}
			return ctx.Err()
		}
	}
	return errors.Join(errors.New("the server did not start"), lines.Err(), s.kill())
}

// complaints adds to an error what the servers have logged.
func (s *server) complaints(err error) error {
	if err == nil || s.log.Len() == 0 {
		return err
	}
	return fmt.Errorf("%w\nthe server's log:\n%s", err, s.log.String())
}

// kill kills the server as a power cut would. A second time it does nothing.
func (s *server) kill() error {
	if s.command == nil {
		return nil
	}
	err := s.command.Process.Kill()
	var ended *exec.ExitError
	if waited := s.command.Wait(); waited != nil && !errors.As(waited, &ended) {
		err = errors.Join(err, waited)
	}
	s.command = nil
	return err
}
