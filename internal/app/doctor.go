package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"errand/internal/auth"
	"errand/internal/config"
	"errand/internal/model/router"
	"errand/internal/problem"
	"errand/internal/tool/mcp"
)

type doctorCommand struct {
	settingFlags
	Deep bool `help:"Read everything: every log, every stored file, every page of the database. It takes minutes on a large one."`
	JSON bool `help:"Print JSON."`
}

// Help is the command's longer help.
func (doctorCommand) Help() string {
	return `Looks at what errand serve uses, while it runs or not: the settings and the tools that they
define, whether each model server answers, the data directory, and whether what is stored keeps
what the server promises: every run that has not ended has a reason to wait, lists say what the
logs say, nothing is overdue, the audit log is whole.

Each line is ok, warn or FAIL. Exit code 1 when something fails; a warning does not.`
}

// check is one thing that was looked at.
type check struct {
	what string
	how  string // what was found
	warn bool   // how is not as it should be, and the server works all the same
	err  error
}

func (c *check) level() string {
	switch {
	case c.err != nil:
		return "fail"
	case c.warn:
		return "warn"
	}
	return "ok"
}

// Run looks and tells.
func (c *doctorCommand) Run(ctx context.Context, p *process) error {
	cfg, err := config.Load(config.Source{Flags: c.flags(), Env: p.env})
	file := cfg.File
	if file == "" {
		file = "no file; environment and defaults"
	}
	checks := []check{{what: "settings", how: file, err: err}}
	if err == nil {
		checks = append(checks, checkSurroundings(p, &cfg)...)
		checks = append(checks, checkTools(ctx, p, cfg)...)
		checks = append(checks, checkStorage(ctx, p, cfg, c.Deep)...)
		checks = append(checks, checkModels(ctx, p, cfg)...)
	}
	if sick := c.tell(p, checks); sick {
		return quiet(exitFailed)
	}
	return nil
}

// tell prints what was found, and reports whether something fails.
func (c *doctorCommand) tell(p *process, checks []check) (sick bool) {
	type line struct {
		Check string `json:"check"`
		Level string `json:"level"`
		Found string `json:"found"`
	}
	lines := []line{}
	for i := range checks {
		each := &checks[i]
		text := each.how
		if each.err != nil {
			text, sick = publicText(each.err), true
		}
		lines = append(lines, line{each.what, each.level(), text})
	}
	if c.JSON {
		_ = p.printJSON(struct {
			OK     bool   `json:"ok"`
			Checks []line `json:"checks"`
		}{!sick, lines}) // nobody could be told of an output that is closed
		return sick
	}
	for _, l := range lines {
		p.print("%s  %-10s %s\n", p.mark(l.Level), l.Check, l.Found)
	}
	return sick
}

func publicText(err error) string {
	var public *problem.Error
	if errors.As(err, &public) {
		return public.Detail
	}
	return err.Error()
}

// checkTools makes the tools that the settings define. It calls none.
func checkTools(ctx context.Context, p *process, cfg config.Config) []check {
	a := &assembly{cfg: cfg, path: config.Environment(p.env)["PATH"], now: p.now}
	if err := a.newGuard(); err != nil {
		return []check{{what: "tools", err: err}}
	}
	if servers, err := mcp.New(mcp.Config{Operator: a.operatorServers()}); err != nil {
		return []check{{what: "mcp", err: err}}
	} else if err := servers.Close(); err != nil {
		return []check{{what: "mcp", err: err}}
	}
	made, err := a.newTools(nil)
	if err != nil {
		return []check{{what: "tools", err: err}}
	}
	var names []string
	listed, err := made.List(ctx, auth.DefaultProject)
	for i := range listed {
		names = append(names, listed[i].Tool.Name)
	}
	return []check{{what: "tools", how: strings.Join(names, ", "), err: errors.Join(err, made.Close())}, {what: "search", how: a.searches()}}
}

// checkWait is how long a model server gets to list its models.
const checkWait = 5 * time.Second

// checkModels asks every configured model server for its list.
func checkModels(ctx context.Context, p *process, cfg config.Config) []check {
	a := &assembly{cfg: cfg, now: p.now}
	endpoints := a.endpoints(p, options{})
	models, err := a.newRouter(nil, 0)
	if err != nil {
		return []check{{what: "models", err: err}}
	}
	defer models.Close()
	var checks []check
	if len(cfg.Fallbacks) > 0 {
		whole, err := a.newRouter(endpoints, 0)
		if err == nil {
			whole.Close()
		}
		checks = append(checks, check{what: "fallbacks", how: "each of them is a model here", err: err})
	}
	local := len(endpoints) == 0
	if local {
		endpoints = []router.Endpoint{router.Ollama()}
	}
	for _, e := range endpoints {
		ctx, cancel := context.WithTimeout(ctx, checkWait)
		err := models.Probe(ctx, e)
		cancel()
		switch {
		case err == nil:
			checks = append(checks, check{what: "model", how: fmt.Sprintf("%s answers at %s", e.Name, e.BaseURL)})
		case local:
			checks = append(checks, check{what: "model", how: "none configured and no Ollama here: the offline model answers, which is no language model"})
		default:
			checks = append(checks, check{what: "model", err: err})
		}
	}
	if cfg.Model != "" {
		checks = append(checks, check{what: "default", how: cfg.Model, err: models.Check(cfg.Model)})
	}
	return checks
}
