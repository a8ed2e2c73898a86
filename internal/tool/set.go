package tool

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// RowKind is the kind of the rows that hold registered tools: Name is the tool's
// name and Data the JSON of its Definition.
const RowKind = "tool"

// Rows is where registered tools are kept. internal/store has implementations.
type Rows interface {
	// Row returns a row by id, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// RowByName returns a row by name, or a not_found problem.
	RowByName(ctx context.Context, kind, project, name string) (run.Row, error)
	// Rows lists rows in order of id.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
}

// Tool is one that is built in.
type Tool interface {
	// Describe is what a run knows of the tool. It never changes.
	Describe() run.Tool
	// Call makes one call; call.Arguments satisfy the tool's schema. Errors are
	// problems whose detail the model may read, tool_unknown only if the call may
	// have had its effect.
	Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error)
}

// Caller makes the calls of tools that a Definition describes. internal/tool/http
// has the implementation.
type Caller interface {
	Call(ctx context.Context, d Definition, call run.ToolCall) (run.ToolResult, error)
}

// Config is what a Set needs.
type Config struct {
	Builtin []Tool       // those that are configured
	Defined []Definition // the operator's HTTP tools, of every project
	HTTP    Caller       // required
	Rows    Rows         // nil = this server registers no tools
	Remote  Remote       // nil = there are no other servers
	Sealer  Sealer       // of header values on disk; nil = they are kept as they are
}

// Set resolves names and makes calls. It is safe for concurrent use.
type Set struct {
	builtin map[string]Tool
	defined map[string]*compiled
	present []Entry // both, by name
	http    Caller
	rows    Rows
	remote  Remote
	sealer  Sealer
	cache   cache
}

// Origin says where a tool comes from.
type Origin string

const (
	Builtin    Origin = "builtin"    // part of this server, present when configured
	Operator   Origin = "operator"   // from the operator's files, of every project
	Registered Origin = "registered" // by API, of one project
	Served     Origin = "mcp"        // on another server
)

// Entry is a tool in a list.
type Entry struct {
	Tool       run.Tool
	Origin     Origin
	ID         string      // of the row; empty unless registered
	Created    time.Time   // zero unless registered
	RowVersion int64       // 0 unless registered
	Definition *Definition // in its public form; nil for a built-in tool
}

// NewSet returns a set. It refuses two tools of one name and definitions that are
// not valid.
func NewSet(cfg Config) (*Set, error) {
	s := &Set{builtin: map[string]Tool{}, defined: map[string]*compiled{}, http: cfg.HTTP, rows: cfg.Rows, remote: cfg.Remote, sealer: cfg.Sealer}
	for _, t := range cfg.Builtin {
		described := t.Describe()
		if s.builtin[described.Name] != nil {
			return nil, fmt.Errorf("two built-in tools are named %s: rename one of them", described.Name)
		}
		s.builtin[described.Name] = t
		s.present = append(s.present, Entry{Tool: described, Origin: Builtin})
	}
	for _, d := range cfg.Defined {
		d = d.WithDefaults()
		if err := d.Validate(); err != nil {
			return nil, fmt.Errorf("tool %q: %w", d.Name, err)
		}
		if s.builtin[d.Name] != nil || s.defined[d.Name] != nil {
			return nil, fmt.Errorf("two tools are named %s: rename one of them", d.Name)
		}
		c := compile(d)
		s.defined[d.Name] = c
		s.present = append(s.present, Entry{Tool: c.tool, Origin: Operator, Definition: c.public()})
	}
	slices.SortFunc(s.present, func(a, b Entry) int { return strings.Compare(a.Tool.Name, b.Tool.Name) })
	return s, nil
}

// Free returns a conflict problem if a tool of this name is present on the
// server, so that no project can register it. Names within a project are kept
// apart by the store.
func (s *Set) Free(name string) error {
	for _, e := range s.present {
		if e.Tool.Name == name {
			return problem.Conflicting("name", "%s is a tool of this server; choose another name.", name)
		}
	}
	if s.remote != nil && s.remote.Has(name) {
		return problem.Conflicting("name", "what begins like %s is a tool of an MCP server of this server's operator; choose another name.", name)
	}
	return nil
}

// Current returns the tool as it is defined now, and for a registered tool the
// check that holds a commit to exactly this definition. An unknown name is a
// not_found problem.
func (s *Set) Current(ctx context.Context, project, name string) (run.Tool, *run.RowWrite, error) {
	if t := s.builtin[name]; t != nil {
		return t.Describe(), nil, nil
	}
	if c := s.defined[name]; c != nil {
		return c.tool, nil, nil
	}
	if s.served(name) && s.remote.Has(name) {
		return s.remote.Find(ctx, project, name)
	}
	c, err := s.registered(ctx, project, name)
	if problem.Is(err, problem.NotFound) && s.served(name) {
		return s.remote.Find(ctx, project, name)
	}
	if err != nil {
		return run.Tool{}, nil, err
	}
	check := &run.RowWrite{
		Row:    run.Row{Kind: RowKind, Project: project, ID: c.row.ID, Name: name},
		Expect: c.row.Version, Check: true,
	}
	return c.tool, check, nil
}

// Call makes one call by the definition that call.Tool.Version names, and refuses
// if the tool is another one by now: nothing has been sent then.
func (s *Set) Call(ctx context.Context, call run.ToolCall) (run.ToolResult, error) {
	if err := ctx.Err(); err != nil {
		return run.ToolResult{}, problem.New(problem.ToolFailed, "The call was cancelled before it was made.").Because(err)
	}
	name := call.Tool.Name
	if s.remote != nil && (call.Server != nil || call.Tool.Remote != "") {
		return s.remote.Call(ctx, call)
	}
	if t := s.builtin[name]; t != nil {
		if call.Tool.Version != t.Describe().Version {
			return run.ToolResult{}, changed(name)
		}
		return t.Call(ctx, call)
	}
	c := s.defined[name]
	if c == nil {
		if c = s.cache.version(call.Project, name, call.Tool.Version); c == nil {
			var err error
			if c, err = s.registered(ctx, call.Project, name); err != nil {
				return run.ToolResult{}, unavailable(name, err)
			}
		}
	}
	if c.locked != nil {
		return run.ToolResult{}, c.locked
	}
	if c.tool.Version != call.Tool.Version {
		return run.ToolResult{}, changed(name)
	}
	return s.http.Call(ctx, c.definition, call)
}

func changed(name string) error {
	return problem.New(problem.ToolChanged, "%s was changed before this call could be made; nothing was sent.", name)
}

// unavailable is a definite failure: the call was never made.
func unavailable(name string, err error) error {
	if problem.Is(err, problem.NotFound) {
		return problem.New(problem.ToolFailed, "%s is no longer there; nothing was sent.", name).Because(err)
	}
	return problem.New(problem.ToolFailed, "%s could not be looked up on this server; nothing was sent.", name).Because(err)
}

// Lookup returns the tools of these names, in order, for making a Spec. Names
// that no tool has are an invalid_request problem with a field tools[i] each.
func (s *Set) Lookup(ctx context.Context, project string, names []string) ([]run.Tool, error) {
	tools := make([]run.Tool, 0, len(names))
	fields := map[string]string{}
	for i, name := range names {
		t, _, err := s.Current(ctx, project, name)
		switch {
		case problem.Is(err, problem.NotFound):
			fields[fmt.Sprintf("tools[%d]", i)] = problem.From(err).Detail
		case err != nil:
			return nil, fmt.Errorf("looking up tool %s: %w", name, err)
		default:
			tools = append(tools, t)
		}
	}
	if invalid := problem.InvalidFields(fields); invalid != nil {
		return nil, invalid
	}
	return tools, nil
}

// Matching returns the present and registered tools whose name begins with the
// prefix, by name: the operator's tools of one context are named <context>.*.
func (s *Set) Matching(ctx context.Context, project, prefix string) ([]run.Tool, error) {
	entries, err := s.List(ctx, project)
	if err != nil {
		return nil, err
	}
	var tools []run.Tool
	for _, e := range entries {
		if strings.HasPrefix(e.Tool.Name, prefix) {
			tools = append(tools, e.Tool)
		}
	}
	return tools, nil
}

// listPage is how many rows are read at once.
const listPage = 500

// List returns all tools that the project can use, by name.
func (s *Set) List(ctx context.Context, project string) ([]Entry, error) {
	served, err := s.elsewhere(ctx, project)
	if err != nil {
		return nil, err
	}
	entries := slices.Clone(s.present)
	if s.rows == nil {
		return byName(append(entries, served...)), nil
	}
	query := run.RowQuery{Kind: RowKind, Project: project, Limit: listPage}
	for {
		rows, err := s.rows.Rows(ctx, query)
		if err != nil {
			return nil, fmt.Errorf("listing registered tools: %w", err)
		}
		for _, row := range rows {
			if s.Free(row.Name) != nil {
				continue // hidden by one that is present
			}
			entry, err := s.entry(row)
			if err != nil {
				return nil, err
			}
			entries = append(entries, entry)
		}
		if len(rows) < listPage {
			break
		}
		query.After = rows[len(rows)-1].ID
	}
	return byName(append(entries, served...)), nil
}

// Get returns one tool of a project by name, or by the id of a registered one.
func (s *Set) Get(ctx context.Context, project, nameOrID string) (Entry, error) {
	for _, e := range s.present {
		if e.Tool.Name == nameOrID {
			return e, nil
		}
	}
	c, err := s.registered(ctx, project, nameOrID)
	if problem.Is(err, problem.NotFound) && s.served(nameOrID) {
		t, _, err := s.remote.Find(ctx, project, nameOrID)
		return Entry{Tool: t, Origin: Served}, err
	}
	if problem.Is(err, problem.NotFound) && s.rows != nil {
		row, byID := s.rows.Row(ctx, RowKind, project, nameOrID)
		if byID == nil {
			return s.entry(row)
		}
		if !problem.Is(byID, problem.NotFound) {
			err = byID
		}
	}
	if err != nil {
		return Entry{}, err
	}
	return c.entry(), nil
}

// Secrets lists the passwords of built-in tools and the header values of all
// definitions that this process has read, for the log's redaction: what was never
// read can't be logged.
func (s *Set) Secrets() []string {
	var secrets []string
	for _, t := range s.builtin {
		if keeper, ok := t.(interface{ Secrets() []string }); ok {
			secrets = append(secrets, keeper.Secrets()...)
		}
	}
	for _, c := range s.defined {
		secrets = append(secrets, c.definition.Secrets()...)
	}
	return append(secrets, s.cache.secrets()...)
}

// Close closes the tools that hold something open: database pools, idle
// connections. The Remote has an owner of its own.
func (s *Set) Close() error {
	var errs []error
	for _, t := range s.builtin {
		if closer, ok := t.(interface{ Close() error }); ok {
			errs = append(errs, closer.Close())
		}
	}
	if closer, ok := s.http.(interface{ Close() error }); ok {
		errs = append(errs, closer.Close())
	}
	return errors.Join(errs...)
}
