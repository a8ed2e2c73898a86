package mcp

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// ServerKind is the kind of the rows that hold registered servers: Name is the
// server's name and ID the one that its pins have, too.
const ServerKind = "mcp_server"

// Server is a server as it may be shown.
type Server struct {
	ID        string
	Name      string
	URL       string // without its query; stdio:<name> for a program
	Origin    Origin
	Transport string // empty for one that only requests have named
	Timeout   time.Duration
	Token     bool     // one is stored
	Headers   []string // names of those that are sent
	Created   time.Time
	Tools     []ServerTool
	Version   int64    // of what is accepted; 0 = it was never seen
	Left      []string // tools that were left out when it was asked last, and why
	Fault     string   // why it could not be asked; empty if it could, or wasn't
}

// States of a tool.
const (
	Accepted = "accepted" // it can be used
	Changed  = "changed"  // it is not as it was accepted, and can't be used
	Gone     = "gone"     // its server has it no more
)

// ServerTool is one tool of a server.
type ServerTool struct {
	Tool   run.Tool // as it was accepted
	Remote string   // the server's own name for it
	State  string
	At     time.Time // when it was accepted
	Now    *run.Tool // of a changed one: as it is
	Hints  Hints     // what the server says of its effects, as it was accepted
	Claims *Hints    // of a changed one: as it says now
}

// Servers lists the servers of a project, by name: those of the operator, those
// that it has registered, and those that its requests have named. None is asked.
func (s *Servers) Servers(ctx context.Context, project string) ([]Server, error) {
	ends, err := s.endpoints(ctx, project)
	if err != nil {
		return nil, err
	}
	var all []Server
	listed := map[string]bool{}
	for _, e := range ends {
		rec, err := s.record(ctx, e)
		if err != nil {
			return nil, err
		}
		listed[e.id] = true
		all = append(all, e.show(rec))
	}
	rows, err := s.rows(ctx, PinKind, project)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if listed[row.ID] {
			continue
		}
		rec, err := s.decode(row)
		if err != nil {
			return nil, err
		}
		all = append(all, rec.requested().show(rec))
	}
	slices.SortFunc(all, func(a, b Server) int { return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.ID, b.ID)) })
	return all, nil
}

// requested is the server of pins that no configuration and no registration
// has: a request has named it, and has taken its credentials along.
func (r *record) requested() *endpoint {
	return &endpoint{id: r.row.ID, name: r.pins.Name, shown: r.pins.URL, origin: Request, project: r.row.Project, row: r.row}
}

func (e *endpoint) show(rec *record) Server {
	shown := Server{
		ID: e.id, Name: e.name, URL: e.shown, Origin: e.origin, Transport: e.transport, Timeout: e.timeout, Created: e.row.Created,
		Token: e.credentials.Token != "", Headers: slices.Sorted(maps.Keys(e.credentials.Headers)),
	}
	if rec == nil {
		return shown
	}
	shown.Version = rec.row.Version
	names := rec.names(e)
	for _, remote := range rec.order() {
		p := rec.pins.Tools[remote]
		t := ServerTool{Tool: e.describe(names[remote], &p.Accepted), Remote: clean(remote), State: Accepted, At: p.At, Hints: p.Accepted.Hints}
		switch {
		case p.Gone:
			t.State = Gone
		case p.Now != nil:
			now := e.describe(names[remote], p.Now)
			t.State, t.Now, t.Claims = Changed, &now, &p.Now.Hints
		}
		shown.Tools = append(shown.Tools, t)
	}
	return shown
}

// Server returns one server by id or name, after it was asked what it has. One
// that does not answer is shown as it was seen last, with the fault.
func (s *Servers) Server(ctx context.Context, project, idOrName string) (Server, error) {
	e, err := s.find(ctx, project, idOrName)
	if err != nil {
		return Server{}, err
	}
	rec, err := s.record(ctx, e)
	if err != nil {
		return Server{}, err
	}
	if e.origin == Request {
		return e.show(rec), nil // nobody here has its credentials
	}
	list, fault := s.pool.link(e).list(ctx, e)
	if fault == nil {
		if rec, err = s.observe(ctx, e, list); err != nil {
			return Server{}, err
		}
	}
	shown := e.show(rec)
	if fault != nil {
		shown.Fault = problem.From(fault).Detail
	} else {
		shown.Left = list.left
	}
	return shown, nil
}

// find returns a server by id or name.
func (s *Servers) find(ctx context.Context, project, idOrName string) (*endpoint, error) {
	for _, e := range s.operator {
		if e.id == idOrName || e.name == idOrName {
			return e.of(project), nil
		}
	}
	e, err := s.byName(ctx, project, idOrName)
	if !problem.Is(err, problem.NotFound) {
		return e, err
	}
	row, err := s.cfg.Rows.Row(ctx, ServerKind, project, idOrName)
	if err == nil {
		return s.opened(row)
	}
	if problem.Is(err, problem.NotFound) {
		if row, err = s.cfg.Rows.Row(ctx, PinKind, project, idOrName); err == nil {
			rec, err := s.decode(row)
			if err != nil {
				return nil, err
			}
			return rec.requested(), nil
		}
	}
	if problem.Is(err, problem.NotFound) {
		return nil, problem.New(problem.NotFound, "there is no MCP server %q in this project: GET /v1/mcp/servers lists those that there are", tool.Cut(idOrName, 64))
	}
	return nil, fmt.Errorf("reading MCP server %s: %w", idOrName, err)
}

// Registration is a server that a project adds.
type Registration struct {
	Name      string
	URL       string
	Transport string // empty = auto
	Token     string
	Headers   map[string]string
	TimeoutS  int // 0 = 30
}

// Register checks a server and returns it with the write that adds it. A name or
// a URL that the project has already is a conflict: of an operator's server here,
// of a registered one when it is written.
func (s *Servers) Register(project string, r Registration) (Server, run.RowWrite, error) {
	e := &endpoint{
		name: r.Name, origin: Registered, project: project, transport: r.Transport, timeout: time.Duration(r.TimeoutS) * time.Second,
		credentials: credentials{URL: r.URL, Token: r.Token, Headers: r.Headers},
	}
	faults := e.complete()
	if fault := CheckName(r.Name); fault != "" {
		faults["name"] = fault
	}
	if fault := faults["timeout"]; fault != "" {
		delete(faults, "timeout")
		faults["timeout_s"] = fault
	}
	if invalid := problem.InvalidFields(faults); invalid != nil {
		return Server{}, run.RowWrite{}, invalid
	}
	for _, other := range s.operator {
		if other.name == e.name || other.id == e.id {
			return Server{}, run.RowWrite{}, problem.New(problem.Conflict, "The operator of this server has configured the MCP server %s (%s): use that one, or choose another name and URL.", other.name, other.shown)
		}
	}
	s.cfg.Hide(e.credentials.secrets())
	e.row = run.Row{Kind: ServerKind, Project: project, ID: e.id, Name: e.name, Created: s.cfg.Now().UTC().Truncate(time.Millisecond), Data: s.sealed(e)}
	return e.show(nil), run.RowWrite{Row: e.row, Expect: run.MustNotExist}, nil
}

// Remove returns the writes that remove a server with all that was accepted of
// it.
func (s *Servers) Remove(ctx context.Context, project, idOrName string) (string, []run.RowWrite, error) {
	row, err := s.cfg.Rows.RowByName(ctx, ServerKind, project, idOrName)
	id := row.ID
	if problem.Is(err, problem.NotFound) { // one whose credentials can't be read must go, too
		var e *endpoint
		if row, err = s.cfg.Rows.Row(ctx, ServerKind, project, idOrName); err == nil {
			id = row.ID
		} else if problem.Is(err, problem.NotFound) {
			if e, err = s.find(ctx, project, idOrName); err == nil {
				id = e.id
			}
		}
		if err == nil && e != nil && e.origin == Configured {
			err = problem.New(problem.Conflict, "%s is a server of this server's operator, who removes it in the configuration.", e.name)
		}
	}
	if err != nil {
		return "", nil, err
	}
	gone := func(kind string) run.RowWrite {
		return run.RowWrite{Row: run.Row{Kind: kind, Project: project, ID: id}, Expect: run.AnyVersion, Delete: true}
	}
	return id, []run.RowWrite{gone(ServerKind), gone(PinKind)}, nil
}

// Acceptance says what of a server's changes is accepted.
type Acceptance struct {
	Tools   []string // by either of their names; empty = all that have changed
	Version int64    // of the server as it was looked at; 0 = as it is
}

// Accept makes changed tools usable as they were seen last. The server is not
// asked: what was looked at is what is accepted.
func (s *Servers) Accept(ctx context.Context, project, idOrName string, a Acceptance) (Server, run.RowWrite, error) {
	e, err := s.find(ctx, project, idOrName)
	if err != nil {
		return Server{}, run.RowWrite{}, err
	}
	rec, err := s.record(ctx, e)
	if err != nil {
		return Server{}, run.RowWrite{}, err
	}
	switch {
	case rec == nil:
		return Server{}, run.RowWrite{}, problem.New(problem.Conflict, "Nothing is known of what %s offers: look at it first with GET /v1/mcp/servers/%s.", e.name, e.id)
	case a.Version != 0 && a.Version != rec.row.Version:
		return Server{}, run.RowWrite{}, problem.Conflicting("version", "what %s offers has changed since it was looked at (version %d, not %d): look at it again.", e.name, rec.row.Version, a.Version)
	}
	now, err := rec.accept(e, a.Tools, s.cfg.Now())
	if err != nil {
		return Server{}, run.RowWrite{}, err
	}
	text, err := json.Marshal(now.pins)
	if err != nil {
		return Server{}, run.RowWrite{}, fmt.Errorf("accepting the tools of %s: %w", e.name, err)
	}
	write := run.RowWrite{Row: rec.row, Expect: rec.row.Version}
	write.Data = text
	return e.show(now), write, nil
}

// accept returns the record after changes were accepted.
func (r *record) accept(e *endpoint, wanted []string, at time.Time) (*record, error) {
	names := r.names(e)
	made := &record{row: r.row, pins: pins{URL: r.pins.URL, Name: r.pins.Name, Tools: maps.Clone(r.pins.Tools)}}
	made.row.Version++
	fields := map[string]string{}
	for i, name := range wanted {
		known := slices.ContainsFunc(r.order(), func(remote string) bool { return name == remote || name == names[remote] })
		if !known {
			fields[fmt.Sprintf("tools[%d]", i)] = fmt.Sprintf("%s has no tool %q", e.name, tool.Cut(clean(name), 64))
		}
	}
	for remote, p := range r.pins.Tools {
		if p.Now != nil && (len(wanted) == 0 || slices.Contains(wanted, remote) || slices.Contains(wanted, names[remote])) {
			made.pins.Tools[remote] = &pin{Accepted: *p.Now, At: at.UTC().Truncate(time.Millisecond)}
		}
	}
	if invalid := problem.InvalidFields(fields); invalid != nil {
		return nil, invalid
	}
	return made, nil
}
