package mcp

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// Connection is a server that a request names.
type Connection struct {
	Name      string // its tools' prefix; empty = made of the URL's host
	URL       string
	Transport string // streamable_http, sse or auto; empty = auto
	Token     string // sent as Authorization: Bearer
	Headers   map[string]string
	Timeout   time.Duration // of connecting, and of a call's silence; 0 = 30 s
	Only      []string      // names of the tools that may be used, as the server calls them; empty = all
}

// Connected is what came of connecting.
type Connected struct {
	Tools   []run.Tool   // of all servers that answered, in the order of the connections
	Servers []run.Server // for Spec.Servers: those of the tools
	Faults  []Fault      // of servers that did not answer
	Notes   []string     // tools that were left out, and why
}

// Fault is a server that can't be used now.
type Fault struct {
	Index int    // of its connection
	URL   string // as it may be shown
	Err   error  // a problem whose detail names the URL and what happened
}

// maxConnections is how many servers a request may name: each is a connection of
// its own, and the tools of more would not fit a model anyway.
const maxConnections = 32

// Connect asks each server for its tools, all at the same time, and makes them
// ready to go into a Spec. A server that is down is a Fault, within its timeout,
// and the tools of the others come all the same. An error is an invalid_request
// problem with a field connections[i].… each, or one of this server's own.
func (s *Servers) Connect(ctx context.Context, project string, wanted []Connection) (Connected, error) {
	ends, err := s.requested(ctx, project, wanted)
	if err != nil {
		return Connected{}, err
	}
	records, lists, faults := make([]*record, len(ends)), make([]*listing, len(ends)), make([]error, len(ends))
	var asking sync.WaitGroup
	for i, e := range ends {
		asking.Go(func() {
			if lists[i], faults[i] = s.pool.link(e).list(ctx, e); faults[i] == nil {
				records[i], faults[i] = s.observe(ctx, e, lists[i])
			}
		})
	}
	asking.Wait()
	if err := ctx.Err(); err != nil {
		return Connected{}, fmt.Errorf("connecting to MCP servers: %w", err)
	}
	var made Connected
	for i, e := range ends {
		if faults[i] != nil {
			made.Faults = append(made.Faults, Fault{Index: i, URL: e.shown, Err: faults[i]})
			continue
		}
		s.take(&made, e, wanted[i].Only, records[i], lists[i])
	}
	return made, nil
}

// take adds the tools of one server.
func (s *Servers) take(made *Connected, e *endpoint, only []string, rec *record, list *listing) {
	note := func(format string, args ...any) { made.Notes = append(made.Notes, fmt.Sprintf(format, args...)) }
	for _, left := range list.left {
		note("MCP server %s (%s): %s", e.name, e.shown, left)
	}
	names := rec.names(e)
	for _, remote := range rec.order() {
		p := rec.pins.Tools[remote]
		switch {
		case p.Gone || len(only) > 0 && !slices.Contains(only, remote):
		case p.Now != nil:
			note("%s", waits(e, names[remote]))
		default:
			t := e.describe(names[remote], &p.Accepted)
			t.Server = e.name
			made.Tools = append(made.Tools, t)
		}
	}
	for _, remote := range only {
		if p := rec.pins.Tools[remote]; p == nil || p.Gone {
			note("MCP server %s (%s) has no tool %q", e.name, e.shown, clean(remote))
		}
	}
	made.Servers = append(made.Servers, run.Server{Name: e.name, URL: e.shown, Config: s.sealed(e)})
}

// requested checks what a request says and gives each server a name of its own.
func (s *Servers) requested(ctx context.Context, project string, wanted []Connection) ([]*endpoint, error) {
	fields := map[string]string{}
	if len(wanted) > maxConnections {
		fields["connections"] = fmt.Sprintf("must be at most %d servers", maxConnections)
	}
	ends := make([]*endpoint, 0, len(wanted))
	taken := map[string]bool{}
	for i, c := range wanted {
		e := &endpoint{
			origin: Request, project: project, transport: c.Transport, timeout: c.Timeout,
			credentials: credentials{URL: c.URL, Token: c.Token, Headers: c.Headers},
		}
		if faults := e.complete(); len(faults) > 0 {
			for field, fault := range faults {
				fields[fmt.Sprintf("connections[%d].%s", i, field)] = fault
			}
			continue
		}
		var err error
		if e.name, err = s.free(ctx, project, c, e.id, taken); err != nil {
			return nil, err
		}
		taken[e.name] = true
		s.cfg.Hide(e.credentials.secrets())
		ends = append(ends, e)
	}
	if invalid := problem.InvalidFields(fields); invalid != nil {
		return nil, invalid
	}
	return ends, nil
}

// free makes a name for a server of a run. The names of servers that the project
// can use anyway are theirs, so that a tool's name never means two tools.
func (s *Servers) free(ctx context.Context, project string, c Connection, id string, taken map[string]bool) (string, error) {
	base := label(c.Name)
	if base == "" {
		if u, err := url.Parse(c.URL); err == nil {
			base = label(strings.TrimPrefix(u.Hostname(), "www."))
		}
	}
	if base == "" {
		base = "mcp"
	}
	name := base
	for n := 2; ; n++ {
		used, err := s.means(ctx, project, name, id)
		if err != nil {
			return "", err
		}
		used = used || taken[name]
		if !used {
			return name, nil
		}
		suffix := fmt.Sprintf("-%d", n)
		name = base[:min(len(base), maxLabel-len(suffix))] + suffix
	}
}

// means reports whether a name is that of another server which the project can use.
func (s *Servers) means(ctx context.Context, project, name, id string) (bool, error) {
	if e := s.operator[name]; e != nil {
		return e.id != id, nil
	}
	row, err := s.cfg.Rows.RowByName(ctx, ServerKind, project, name)
	if problem.Is(err, problem.NotFound) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading MCP server %s: %w", name, err)
	}
	return row.ID != id, nil
}
