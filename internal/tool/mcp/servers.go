package mcp

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"errand/internal/egress"
	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/schema"
	"errand/internal/tool"
)

// Rows keeps what is registered and what is pinned. A store has these methods.
type Rows interface {
	tool.Rows
	// Append writes the commit and returns when it is on disk.
	Append(ctx context.Context, commit run.Commit) error
}

// Sealer encrypts credentials for the store. internal/seal has the
// implementation.
type Sealer interface {
	Seal(plain []byte, context string) []byte
	Open(sealed []byte, context string) ([]byte, error)
}

// Config is what Servers need. All that has no default must be set.
type Config struct {
	Operator []Operator // the operator's servers, of every project
	Guard    *egress.Guard
	Agent    string // this program's name and version, errand/1.0
	Rows     Rows
	Sealer   Sealer
	Schemas  *schema.Cache
	Logger   *slog.Logger
	Now      func() time.Time
	Hide     func(secrets []string)   // keeps values out of the log; nil = nobody logs
	Environ  func(name string) string // what programs inherit: PATH and HOME; nil = nothing
}

// Servers are all MCP servers that this process knows. They are safe for
// concurrent use; Close ends them.
type Servers struct {
	cfg      Config
	operator map[string]*endpoint // by name, without a project
	pool     *pool
	records  records
}

// New returns the servers, and connects to none: one that is down holds up
// nobody.
func New(cfg Config) (*Servers, error) {
	if cfg.Hide == nil {
		cfg.Hide = func([]string) {}
	}
	if cfg.Environ == nil {
		cfg.Environ = func(string) string { return "" }
	}
	s := &Servers{cfg: cfg, operator: map[string]*endpoint{}}
	places := map[string]string{}
	for _, o := range cfg.Operator {
		e, err := o.endpoint()
		if err != nil {
			return nil, fmt.Errorf("mcp.%s: %w", o.Name, err)
		}
		if other := places[e.id]; other != "" {
			return nil, fmt.Errorf("mcp.%s: has the url of mcp.%s: a server's URL is what it is known by; remove one of them", o.Name, other)
		}
		places[e.id] = o.Name
		s.operator[e.name] = e
		cfg.Hide(e.credentials.secrets())
	}
	s.pool = newPool(s)
	return s, nil
}

// Close ends all connections and programs, and waits for them.
func (s *Servers) Close() error { return s.pool.close() }

// Has reports whether a name belongs to the operator's servers, so that no
// project can register it.
func (s *Servers) Has(name string) bool {
	server, _, ok := strings.Cut(name, separator)
	return ok && s.operator[server] != nil
}

// Find returns the tool of this name as it was accepted, with the check that
// holds a commit to it. An unknown name, a tool that waits to be accepted, and a
// server that has never answered are a not_found problem that says which.
func (s *Servers) Find(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error) {
	e, err := s.owner(ctx, project, name)
	if err != nil {
		return run.Tool{}, nil, err
	}
	rec, err := s.record(ctx, e)
	if err != nil {
		return run.Tool{}, nil, err
	}
	if rec != nil && rec.named(e, name) != nil {
		s.pool.link(e).freshen(e)
	} else if rec, err = s.look(ctx, e); err != nil {
		if ctx.Err() != nil {
			return run.Tool{}, nil, fmt.Errorf("looking for tool %s: %w", name, ctx.Err())
		}
		return run.Tool{}, nil, problem.New(problem.NotFound, "%s: %s", name, problem.From(err).Detail).Because(err)
	}
	p := rec.named(e, name)
	switch {
	case p == nil || p.Gone:
		return run.Tool{}, nil, problem.New(problem.NotFound, "the MCP server %s (%s) has no tool that is called %s here: GET /v1/mcp/servers/%s lists those that it has", e.name, e.shown, tool.Cut(name, 64), e.id)
	case p.Now != nil:
		return run.Tool{}, nil, problem.New(problem.NotFound, "%s", waits(e, name))
	}
	return e.describe(name, &p.Accepted), rec.check(), nil
}

// waits says that a change was not accepted yet.
func waits(e *endpoint, name string) string {
	return fmt.Sprintf("%s was changed by its server %s (%s) after it was accepted, so it can't be used: look at the change with GET /v1/mcp/servers/%s, and accept it with POST /v1/mcp/servers/%s/accept or errand mcp accept %s", name, e.name, e.shown, e.id, e.id, e.id)
}

// owner returns the server that a tool's name begins with.
func (s *Servers) owner(ctx context.Context, project, name string) (*endpoint, error) {
	unknown := problem.New(problem.NotFound, "no tool is named %q in this project: GET /v1/tools lists those that are there", tool.Cut(name, 64))
	server, rest, ok := strings.Cut(name, separator)
	if !ok || server == "" || rest == "" || !tool.ValidName(name) {
		return nil, unknown
	}
	e, err := s.byName(ctx, project, server)
	if problem.Is(err, problem.NotFound) {
		return nil, unknown
	}
	return e, err
}

// byName returns a server that is configured or registered.
func (s *Servers) byName(ctx context.Context, project, name string) (*endpoint, error) {
	if e := s.operator[name]; e != nil {
		return e.of(project), nil
	}
	row, err := s.cfg.Rows.RowByName(ctx, ServerKind, project, name)
	if err != nil {
		return nil, fmt.Errorf("reading MCP server %s: %w", name, err)
	}
	return s.opened(row)
}

// Tools returns the tools that can be used by name, of all servers that are
// configured or registered. A server that was seen before is not asked again
// first; one that doesn't answer is left out.
func (s *Servers) Tools(ctx context.Context, project string) ([]run.Tool, error) {
	all, err := s.endpoints(ctx, project)
	if err != nil {
		return nil, err
	}
	found := make([][]run.Tool, len(all))
	faults := make([]error, len(all))
	var asking sync.WaitGroup
	for i, e := range all {
		asking.Go(func() { found[i], faults[i] = s.offered(ctx, e) })
	}
	asking.Wait()
	return slices.Concat(found...), errors.Join(faults...)
}

// listWait is how long a list waits for a server that was never seen: a page
// must not hang because one of them does.
const listWait = 3 * time.Second

func (s *Servers) offered(ctx context.Context, e *endpoint) ([]run.Tool, error) {
	rec, err := s.record(ctx, e)
	if err != nil {
		return nil, err
	}
	if rec != nil {
		s.pool.link(e).freshen(e)
		return rec.offers(e), nil
	}
	ctx, cancel := context.WithTimeout(ctx, listWait)
	defer cancel()
	if rec, err = s.look(ctx, e); err != nil {
		return nil, nil // what is wrong with it, GET /v1/mcp/servers/{id} says
	}
	return rec.offers(e), nil
}

// endpoints are the servers of a project that are configured or registered, by
// name.
func (s *Servers) endpoints(ctx context.Context, project string) ([]*endpoint, error) {
	var all []*endpoint
	for _, e := range s.operator {
		all = append(all, e.of(project))
	}
	rows, err := s.rows(ctx, ServerKind, project)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if s.operator[row.Name] != nil {
			continue // hidden by one that the operator has configured since
		}
		e, err := s.opened(row)
		if err != nil {
			s.cfg.Logger.Warn("an MCP server can't be used", "server", row.Name, "project", project, "error", err)
			continue
		}
		all = append(all, e)
	}
	slices.SortFunc(all, func(a, b *endpoint) int { return strings.Compare(a.name, b.name) })
	return all, nil
}

// rowPage is how many rows are read at once.
const rowPage = 200

func (s *Servers) rows(ctx context.Context, kind, project string) ([]run.Row, error) {
	query := run.RowQuery{Kind: kind, Project: project, Limit: rowPage}
	var all []run.Row
	for {
		rows, err := s.cfg.Rows.Rows(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("listing MCP servers: %w", err)
		}
		all = append(all, rows...)
		if len(rows) < rowPage {
			return all, nil
		}
		query.After = rows[len(rows)-1].ID
	}
}

// look returns what is accepted of a server, after it was asked what it has, or
// was a moment ago. Errors are problems with words for whoever asked.
func (s *Servers) look(ctx context.Context, e *endpoint) (*record, error) {
	list, err := s.pool.link(e).list(ctx, e)
	if err != nil {
		return nil, err
	}
	return s.observe(ctx, e, list)
}
