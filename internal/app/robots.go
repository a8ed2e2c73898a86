package app

import (
	"context"
	"encoding/json"
	"strings"

	"errand/internal/agent"
	"errand/internal/file"
	"errand/internal/robot"
	"errand/internal/robot/post"
	"errand/internal/run"
	"errand/internal/seal"
	"errand/internal/tool/email"
)

// openRobots makes what knows robots, makes runs of them, and sees to what those
// have delivered.
func (a *assembly) openRobots() error {
	box, err := seal.Load(a.cfg.Data)
	if err != nil {
		return err
	}
	a.robots = &robot.Book{Rows: a.store, Box: box}
	a.desk = &robot.Desk{
		Rows: a.store, Runs: a.store, Log: a.store, Agents: &agent.Book{Rows: a.store}, Catalog: a.catalog(),
		CheckURL: a.hooks.CheckURL, Mail: a.cfg.SMTPURL != "", Now: a.now,
	}
	cfg := robot.CourierConfig{
		Book: a.robots, Log: a.store, Keeper: a.store, Drawer: drawer{a.files}, Now: a.now, Logger: a.logger,
		Caller: post.New(post.Config{Guard: a.guard, Now: a.now, Agent: userAgent()}),
	}
	if a.cfg.SMTPURL != "" {
		sender, err := email.New(email.Config{URL: a.cfg.SMTPURL.Reveal(), From: a.cfg.SMTPFrom, Now: a.now})
		if err != nil {
			return usage(err)
		}
		cfg.Mailer = mailer{sender}
	}
	a.courier, err = robot.NewCourier(cfg)
	return err
}

// roster tells the API under which names robots run.
type roster struct{ book *robot.Book }

// Agents are those of its executions and of its host.
func (r roster) Agents(ctx context.Context, project, name string) ([]string, error) {
	found, err := r.book.Find(ctx, project, name)
	return []string{robot.ExecutionAgent + found.ID, robot.HostAgent + found.ID}, err
}

// Member is whose name it is.
func (roster) Member(agent string) (string, bool) {
	for _, prefix := range []string{robot.ExecutionAgent, robot.HostAgent} {
		if member, is := strings.CutPrefix(agent, prefix); is {
			return member, true
		}
	}
	return "", false
}

// pipelined makes calls of the tools with which executions of robots proceed, and
// leaves all others to the set. They stand in no list: no one but a robot has them.
type pipelined struct {
	*watched
	pipeline *robot.Pipeline
}

// Call makes one call.
func (p *pipelined) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	if p.pipeline.Owns(call.Tool.Name) {
		return p.pipeline.Call(ctx, call)
	}
	return p.watched.Call(ctx, call)
}

// tooling is what makes the calls of runs.
func (a *assembly) tooling() *pipelined {
	return &pipelined{
		watched:  &watched{Set: a.tools, redactor: a.redactor},
		pipeline: &robot.Pipeline{Log: a.store, Files: drawer{a.files}},
	}
}

// drawer keeps what robots make among the project's files.
type drawer struct{ files *file.Store }

// Has reports whether the project has the file.
func (d drawer) Has(ctx context.Context, project, id string) error {
	_, err := d.files.Get(ctx, project, id)
	return err
}

// Keep stores a file in one transaction with other rows.
func (d drawer) Keep(ctx context.Context, f robot.NewFile, more func(id string) ([]run.RowWrite, error)) error {
	staged, err := d.files.Stage(strings.NewReader(f.Content))
	if err != nil {
		return err
	}
	defer staged.Discard()
	info := file.Info{Project: f.Project, Name: f.Name, Type: f.Type, Purpose: file.Attachment}
	_, err = d.files.Keep(ctx, info, staged, func(made *file.File) ([]run.RowWrite, error) { return more(made.ID) })
	return err
}

// mailer sends what robots deliver.
type mailer struct{ sender *email.Sender }

// Send sends one mail.
func (m mailer) Send(ctx context.Context, to []string, subject, body string) error {
	arguments, err := json.Marshal(struct {
		To      []string `json:"to"`
		Subject string   `json:"subject"`
		Body    string   `json:"body"`
	}{to, subject, body})
	if err != nil {
		return err
	}
	_, err = m.sender.Call(ctx, run.ToolCall{Tool: m.sender.Describe(), Arguments: arguments})
	return err
}
