package mcp

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/tool"
)

// PinKind is the kind of the rows that hold what was accepted of a server. The id
// is the server's.
const PinKind = "mcp_pin"

// unseen is how long the pins of a server that only requests have named are kept
// after the last of them: so long that nobody waits it out to slip a change in,
// and not for ever, since each request may name another server.
const unseen = 90 * 24 * time.Hour

// pins are the data of a row.
type pins struct {
	URL   string          `json:"url"` // as it may be shown
	Name  string          `json:"name"`
	Tools map[string]*pin `json:"tools"` // by the server's own name
}

// pin is one tool as it was accepted.
type pin struct {
	Accepted definition  `json:"accepted"`
	At       time.Time   `json:"at"`
	Now      *definition `json:"now,omitempty"`  // as it is, if that is different
	Gone     bool        `json:"gone,omitempty"` // the server has it no more
}

// record is a row of pins.
type record struct {
	row  run.Row // without Data
	pins pins
}

// check holds a commit to exactly these pins.
func (r *record) check() *run.RowWrite {
	return &run.RowWrite{Row: run.Row{Kind: PinKind, Project: r.row.Project, ID: r.row.ID}, Expect: r.row.Version, Check: true}
}

// order is the tools' own names, sorted: a server's order may change with every
// answer, and a model's cache would go with it.
func (r *record) order() []string { return slices.Sorted(maps.Keys(r.pins.Tools)) }

// names are what the tools are called here. One that waits to be accepted keeps
// its name.
func (r *record) names(e *endpoint) map[string]string { return toolNames(e.name, r.order()) }

// named returns the pin of a tool by its name here, or nil.
func (r *record) named(e *endpoint, name string) *pin {
	for remote, called := range r.names(e) {
		if called == name {
			return r.pins.Tools[remote]
		}
	}
	return nil
}

// offers are the tools that can be used.
func (r *record) offers(e *endpoint) []run.Tool {
	names := r.names(e)
	var tools []run.Tool
	for _, remote := range r.order() {
		if p := r.pins.Tools[remote]; p.Now == nil && !p.Gone {
			tools = append(tools, e.describe(names[remote], &p.Accepted))
		}
	}
	return tools
}

// describe is what a run knows of a tool. Its version is a digest of all that a
// call depends on, and so the same on every node.
func (e *endpoint) describe(name string, d *definition) run.Tool {
	t := run.Tool{Name: name, Description: d.Description, Parameters: d.Schema, Class: e.class(d), Remote: d.Name, Outside: true}
	if t.Description == "" {
		t.Description = fmt.Sprintf("The tool %s of the MCP server %s, which does not describe it.", clean(d.Name), e.name)
	}
	if e.trust != nil {
		t.Scope = e.trust.scope
	}
	text, err := json.Marshal([]any{e.id, d, t.Class, t.Scope})
	if err != nil { // never: its parts were made of JSON
		text = fmt.Appendf(nil, "%#v", d)
	}
	t.Version = tool.Digest(text)
	return t
}

// records keeps the newest decoded form of each row of pins.
type records struct {
	mu   sync.Mutex
	kept map[string]*record
}

// maxRecords bounds what is kept: more servers than the projects of a busy
// server use at a time.
const maxRecords = 1024

// record returns what is accepted of a server, or nil if it was never seen.
func (s *Servers) record(ctx context.Context, e *endpoint) (*record, error) {
	row, err := s.cfg.Rows.Row(ctx, PinKind, e.project, e.id)
	if problem.Is(err, problem.NotFound) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading what is accepted of MCP server %s: %w", e.name, err)
	}
	return s.decode(row)
}

func (s *Servers) decode(row run.Row) (*record, error) {
	key := row.Project + "\x00" + row.ID
	s.records.mu.Lock()
	known := s.records.kept[key]
	s.records.mu.Unlock()
	if known != nil && known.row.Version == row.Version && known.row.Created.Equal(row.Created) {
		return known, nil
	}
	made := &record{row: row}
	made.row.Data = nil
	if err := json.Unmarshal(row.Data, &made.pins); err != nil {
		return nil, fmt.Errorf("reading what is accepted of MCP server %s: %w", row.ID, err)
	}
	s.records.mu.Lock()
	defer s.records.mu.Unlock()
	if s.records.kept == nil || len(s.records.kept) >= maxRecords {
		s.records.kept = map[string]*record{} // all at once: simpler than ages, and rare
	}
	s.records.kept[key] = made
	return made, nil
}

// maxPins bounds a row: twice what a server may show at a time, since tools that
// are gone are remembered.
const maxPins = 2*maxListed + 1<<20

// tries is how often a row is read again when another writer was quicker.
const tries = 8

// observe writes down what is new in a server's list and returns the pins.
func (s *Servers) observe(ctx context.Context, e *endpoint, list *listing) (*record, error) {
	for range tries {
		rec, err := s.record(ctx, e)
		if err != nil {
			return nil, err
		}
		seen, news := e.observed(rec, list, s.cfg.Now())
		expires := rec != nil && !rec.row.Expires.IsZero()
		switch {
		case e.origin != Request && expires:
			news = true // it is configured or registered now, and is kept
		case e.origin == Request && (rec == nil || expires):
			news = news || rec.row.Expires.Sub(s.cfg.Now()) < unseen/2
			expires = true
		}
		if !news {
			return rec, nil
		}
		made, err := s.write(ctx, rec, e, seen, e.origin == Request && expires)
		var conflict *run.RowConflict
		if !errors.As(err, &conflict) {
			return made, err
		}
	}
	return nil, problem.New(problem.Conflict, "What is accepted of MCP server %s is being changed by others at the same time: try again.", e.name)
}

// write saves pins in place of those of rec, which is nil for the first.
func (s *Servers) write(ctx context.Context, rec *record, e *endpoint, now pins, expires bool) (*record, error) {
	text, err := json.Marshal(now)
	if err != nil {
		return nil, fmt.Errorf("writing down what MCP server %s has: %w", e.name, err)
	}
	if len(text) > maxPins {
		return nil, problem.New(problem.ToolFailed, "The MCP server %s (%s) has shown so many different tools that no more are kept. Remove it and add it again to begin anew.", e.name, e.shown)
	}
	row := run.Row{Kind: PinKind, Project: e.project, ID: e.id, Created: s.cfg.Now().UTC().Truncate(time.Millisecond), Data: text}
	write := run.RowWrite{Row: row, Expect: run.MustNotExist}
	if rec != nil {
		write.Created, write.Expect = rec.row.Created, rec.row.Version
	}
	if expires {
		write.Expires = s.cfg.Now().Add(unseen)
	}
	if err := s.cfg.Rows.Append(ctx, run.Commit{Rows: []run.RowWrite{write}}); err != nil {
		return nil, fmt.Errorf("writing down what MCP server %s has: %w", e.name, err)
	}
	made := &record{row: write.Row, pins: now}
	made.row.Data, made.row.Version = nil, write.Expect+1
	return made, nil
}

// observed returns the pins as they are after a server has shown its list, and
// whether anything is new. A tool that is seen for the first time is accepted;
// one that is not as it was waits.
func (e *endpoint) observed(rec *record, list *listing, now time.Time) (pins, bool) {
	before := map[string]*pin{}
	if rec != nil {
		before = rec.pins.Tools
	}
	seen, news := pins{URL: e.shown, Name: e.name, Tools: map[string]*pin{}}, rec == nil
	for i := range list.tools {
		d := &list.tools[i]
		p := before[d.Name]
		switch {
		case p == nil:
			p, news = &pin{Accepted: *d, At: now.UTC().Truncate(time.Millisecond)}, true
		case p.Accepted.same(d):
			if p.Gone || p.Now != nil {
				p, news = &pin{Accepted: p.Accepted, At: p.At}, true
			}
		case p.Gone || p.Now == nil || !p.Now.same(d):
			p, news = &pin{Accepted: p.Accepted, At: p.At, Now: d}, true
		}
		seen.Tools[d.Name] = p
	}
	for name, p := range before {
		if seen.Tools[name] != nil {
			continue
		}
		if !p.Gone {
			p, news = &pin{Accepted: p.Accepted, At: p.At, Gone: true}, true
		}
		seen.Tools[name] = p
	}
	return seen, news
}
