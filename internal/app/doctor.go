package app

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"errand/internal/auth"
	"errand/internal/config"
	"errand/internal/model/router"
	"errand/internal/problem"
	"errand/internal/store/sqlite"
	"errand/internal/tool/mcp"
)

type doctorCommand struct{ settingFlags }

// Help is the command's longer help.
func (doctorCommand) Help() string {
	return `Looks at what errand serve would use: the settings, the tools that they define, the data
directory, and whether each model server answers. Exit code 1 when something is wrong.`
}

// check is one thing that was looked at.
type check struct {
	what string
	how  string // what was found
	err  error
}

// Run looks and tells.
func (c *doctorCommand) Run(ctx context.Context, p *process) error {
	cfg, err := config.Load(config.Source{Flags: c.flags(), Env: p.env})
	file := cfg.File
	if file == "" {
		file = "no file; environment and defaults"
	}
	checks := []check{{"settings", file, err}}
	if err == nil {
		checks = append(checks, checkTools(ctx, p, cfg)...)
		checks = append(checks, checkStorage(ctx, p, cfg))
		checks = append(checks, checkModels(ctx, p, cfg)...)
	}
	sick := false
	for _, each := range checks {
		mark, text := p.green("ok  "), each.how
		if each.err != nil {
			mark, text, sick = p.red("FAIL"), publicText(each.err), true
		}
		p.print("%s  %-10s %s\n", mark, each.what, text)
	}
	if sick {
		return quiet(exitFailed)
	}
	return nil
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

// checkStorage opens the data directory if it is there and nobody has it.
func checkStorage(ctx context.Context, p *process, cfg config.Config) check {
	found := check{what: "storage", how: cfg.Data}
	if _, err := os.Stat(filepath.Join(cfg.Data, sqlite.FileName)); errors.Is(err, os.ErrNotExist) {
		found.how += ": empty; the first start makes it"
		return found
	}
	store, err := sqlite.Open(ctx, sqlite.Config{Dir: cfg.Data, Now: p.now})
	if problem.Is(err, problem.Conflict) {
		found.how = publicText(err) + " (that is fine if it is your server)"
		return found
	}
	if err != nil {
		found.err = err
		return found
	}
	found.err = errors.Join(store.Ping(ctx), store.Close())
	return found
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
