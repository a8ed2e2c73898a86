package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"errand/internal/api/native"
	"errand/internal/config"
	"errand/internal/egress"
	"errand/internal/run"
	"errand/internal/seal"
	"errand/internal/tool/mcp"
)

// openServers makes the guard of what goes out, the box for credentials, and the
// MCP servers. None of those is called before somebody needs it.
func (a *assembly) openServers(p *process) error {
	if err := a.newGuard(); err != nil {
		return usage(err)
	}
	box, err := seal.Load(a.cfg.Data)
	if err != nil {
		return err
	}
	a.servers, err = mcp.New(mcp.Config{
		Operator: a.operatorServers(), Guard: a.guard, Agent: userAgent(), Rows: a.store, Sealer: box, Schemas: a.schemas,
		Logger: a.logger, Now: a.now, Hide: a.redactor.Add, Environ: p.inherited,
	})
	if err != nil {
		return usage(err) // all that it refuses is in the settings
	}
	return nil
}

// newGuard makes the guard of what goes out.
func (a *assembly) newGuard() error {
	holes, err := egress.ParseAllow(strings.Join(a.cfg.EgressAllow, ","))
	if err != nil {
		return fmt.Errorf("egress_allow: %w", err)
	}
	a.guard = egress.New(egress.Config{Allow: holes})
	return nil
}

// inherited is what programs get of this one's environment, by name.
func (p *process) inherited(name string) string { return config.Environment(p.env)[name] }

func (a *assembly) operatorServers() []mcp.Operator {
	var all []mcp.Operator
	for _, name := range slices.Sorted(maps.Keys(a.cfg.MCP)) {
		s := a.cfg.MCP[name]
		effects := map[string]run.Class{}
		for tool, effect := range s.Effects {
			effects[tool] = run.Class(effect)
		}
		all = append(all, mcp.Operator{
			Name: name, URL: s.URL.Reveal(), Transport: s.Transport, Token: s.Token.Reveal(), Headers: revealed(s.Headers),
			Command: s.Command, Args: s.Args, Env: revealed(s.Env), Timeout: time.Duration(s.Timeout) * time.Second,
			Effects: effects, Scope: s.Scope,
		})
	}
	return all
}

func revealed(secrets map[string]config.Secret) map[string]string {
	values := make(map[string]string, len(secrets))
	for name, secret := range secrets {
		values[name] = secret.Reveal()
	}
	return values
}

// serverShelf shows the MCP servers to the API.
type serverShelf struct{ servers *mcp.Servers }

// List returns a project's servers, by name.
func (s serverShelf) List(ctx context.Context, project string) ([]native.Server, error) {
	found, err := s.servers.Servers(ctx, project)
	shown := make([]native.Server, len(found))
	for i := range found {
		shown[i] = showServer(&found[i])
	}
	return shown, err
}

// Get returns one, after it was asked what it has.
func (s serverShelf) Get(ctx context.Context, project, idOrName string) (native.Server, error) {
	found, err := s.servers.Server(ctx, project, idOrName)
	return showServer(&found), err
}

// Register checks a new one and returns it with what adds it.
func (s serverShelf) Register(project string, n native.NewServer) (native.Server, []run.RowWrite, error) {
	made, write, err := s.servers.Register(project, mcp.Registration{
		Name: n.Name, URL: n.URL, Transport: n.Transport, Token: n.Token, Headers: n.Headers, TimeoutS: n.TimeoutS,
	})
	return showServer(&made), []run.RowWrite{write}, err
}

// Change returns what accepts changes of a server's tools, or removes it.
func (s serverShelf) Change(ctx context.Context, project, idOrName string, c native.ServerChange) (native.Server, []run.RowWrite, error) {
	if c.Remove {
		id, writes, err := s.servers.Remove(ctx, project, idOrName)
		return native.Server{ID: id}, writes, err
	}
	accepted, write, err := s.servers.Accept(ctx, project, idOrName, mcp.Acceptance{Tools: c.Accept, Version: c.Version})
	return showServer(&accepted), []run.RowWrite{write}, err
}

func showServer(s *mcp.Server) native.Server {
	shown := native.Server{
		ID: s.ID, Name: s.Name, URL: s.URL, Origin: string(s.Origin), Transport: s.Transport, Timeout: s.Timeout,
		Token: s.Token, Headers: s.Headers, Created: s.Created, Version: s.Version, LeftOut: s.Left, Fault: s.Fault,
	}
	for i := range s.Tools {
		t := &s.Tools[i]
		item := native.ServerTool{
			Name: t.Tool.Name, Remote: t.Remote, State: t.State, Effect: t.Tool.Class, Accepted: t.At, Definition: showText(&t.Tool, &t.Hints),
		}
		if t.Now != nil {
			now := showText(t.Now, t.Claims)
			item.Now = &now
		}
		shown.Tools = append(shown.Tools, item)
	}
	return shown
}

func showText(t *run.Tool, hints *mcp.Hints) native.ServerToolText {
	said, err := json.Marshal(hints)
	if err != nil { // never: it holds texts and truths alone
		said = json.RawMessage("{}")
	}
	return native.ServerToolText{Description: t.Description, Parameters: t.Parameters, Hints: said}
}
