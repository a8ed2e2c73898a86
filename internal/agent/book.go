package agent

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// The kinds of row that hold agents. The current version is one row, named as
// the agent is, so that the store keeps names unique; each version, the current
// one included, is another that never changes.
const (
	Kind        = "agent"
	VersionKind = "agent_version"
)

// Rows reads stored objects; a store has these methods.
type Rows interface {
	// Row returns the row, or a not_found problem.
	Row(ctx context.Context, kind, project, id string) (run.Row, error)
	// RowByName returns the row with this name, or a not_found problem.
	RowByName(ctx context.Context, kind, project, name string) (run.Row, error)
	// Rows lists rows in the query's order.
	Rows(ctx context.Context, q run.RowQuery) ([]run.Row, error)
}

// Book finds saved agents. It is safe for concurrent use.
type Book struct {
	Rows Rows
	read current
}

// Find returns the current version of the agent with this id or name. Its slices
// and maps are shared: read them only.
func (b *Book) Find(ctx context.Context, project, id string) (Agent, error) {
	get := b.Rows.RowByName
	if isID(id) {
		get = b.Rows.Row
	}
	row, err := get(ctx, Kind, project, id)
	if problem.Is(err, problem.NotFound) {
		return Agent{}, problem.New(problem.NotFound, "There is no agent %q in this project: GET /v1/agents lists them.", id)
	}
	if err != nil {
		return Agent{}, fmt.Errorf("finding agent %q: %w", id, err)
	}
	return b.read.decode(row)
}

// List returns up to limit agents, newest first, that were made before the one
// with id after; empty = from the newest.
func (b *Book) List(ctx context.Context, project, after string, limit int) ([]Agent, error) {
	return b.list(ctx, run.RowQuery{Kind: Kind, Project: project, After: after, Newest: true, Limit: limit})
}

// Versions returns up to limit versions of an agent, newest first, below
// version before; 0 = from the newest. They outlive the agent.
func (b *Book) Versions(ctx context.Context, project, id string, before, limit int) ([]Agent, error) {
	after := id + "/~" // above every number
	if before > 0 {
		after = versionID(id, before)
	}
	found, err := b.list(ctx, run.RowQuery{Kind: VersionKind, Project: project, After: after, Newest: true, Limit: limit})
	if err != nil {
		return nil, err
	}
	for i := range found {
		if found[i].ID != id { // the next agent's versions begin here
			return found[:i], nil
		}
	}
	return found, nil
}

// Version returns one version of an agent, deleted or not.
func (b *Book) Version(ctx context.Context, project, id string, n int) (Agent, error) {
	row, err := b.Rows.Row(ctx, VersionKind, project, versionID(id, n))
	if problem.Is(err, problem.NotFound) {
		return Agent{}, problem.New(problem.NotFound, "Agent %s has no version %d.", id, n)
	}
	if err != nil {
		return Agent{}, fmt.Errorf("reading version %d of agent %q: %w", n, id, err)
	}
	return decode(row)
}

// Existed reports whether there is, or was, an agent with this id: its runs can
// still be listed after it is gone.
func (b *Book) Existed(ctx context.Context, project, id string) (bool, error) {
	_, err := b.Version(ctx, project, id, 1)
	if problem.Is(err, problem.NotFound) {
		return false, nil
	}
	return err == nil, err
}

func (b *Book) list(ctx context.Context, q run.RowQuery) ([]Agent, error) {
	rows, err := b.Rows.Rows(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("listing agents: %w", err)
	}
	agents := make([]Agent, len(rows))
	for i := range rows {
		if agents[i], err = decode(rows[i]); err != nil {
			return nil, err
		}
	}
	return agents, nil
}

// NewID makes an agent's id: 12 hex digits of time, so that lists are in order
// of creation, and 10 of randomness.
func NewID(at time.Time, random [5]byte) string {
	return fmt.Sprintf("agt_%012x%s", at.UnixMilli(), hex.EncodeToString(random[:]))
}

func isID(text string) bool { return strings.HasPrefix(text, "agt_") }

// Create returns the first version and the rows that hold it. The commit fails
// with a *run.RowConflict whose Name is true when the name is taken.
func Create(project, id, by string, d Definition, at time.Time) (Agent, []run.RowWrite, error) {
	at = at.UTC().Truncate(time.Millisecond)
	a := Agent{ID: id, Version: 1, CreatedAt: at, UpdatedAt: at, UpdatedBy: by, Definition: d}
	rows, err := a.rows(project)
	return a, rows, err
}

// Change returns the next version and the rows that hold it. The commit fails
// with a *run.RowConflict when someone else has changed the agent meanwhile.
func Change(project, by string, a Agent, d Definition, at time.Time) (Agent, []run.RowWrite, error) {
	a.Definition, a.UpdatedBy = d, by
	a.UpdatedAt = at.UTC().Truncate(time.Millisecond)
	a.Version++
	rows, err := a.rows(project)
	return a, rows, err
}

// Delete returns the row that frees the agent's name. Its versions stay, and so
// do its runs.
func Delete(project string, a Agent) []run.RowWrite {
	row := run.Row{Kind: Kind, Project: project, ID: a.ID}
	return []run.RowWrite{{Row: row, Expect: int64(a.Version), Delete: true}}
}

func (a *Agent) rows(project string) ([]run.RowWrite, error) {
	data, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("encoding agent %s: %w", a.ID, err)
	}
	current := run.Row{Kind: Kind, Project: project, ID: a.ID, Name: a.Name, Created: a.CreatedAt, Data: data}
	version := run.Row{Kind: VersionKind, Project: project, ID: versionID(a.ID, a.Version), Created: a.UpdatedAt, Data: data}
	return []run.RowWrite{
		{Row: current, Expect: int64(a.Version - 1)}, // 0, MustNotExist, for the first
		{Row: version, Expect: run.MustNotExist},
	}, nil
}

// versionID sorts by number as text does: a million versions are enough.
func versionID(id string, n int) string { return fmt.Sprintf("%s/%06d", id, n) }

func decode(row run.Row) (Agent, error) {
	var a Agent
	if err := json.Unmarshal(row.Data, &a); err != nil {
		return Agent{}, fmt.Errorf("decoding %s %s: %w", row.Kind, row.ID, err)
	}
	return a, nil
}

// currentBytes bounds what is kept decoded, counted as stored: thousands of
// agents as they usually are.
const currentBytes = 4 << 20

// current keeps agents decoded as they were last found, because every run of one
// asks for it. What a row of a version says never changes.
type current struct {
	mu    sync.RWMutex
	kept  map[currentKey]version
	bytes int
}

type currentKey struct{ project, id string }

type version struct {
	row   int64 // the row's version
	agent Agent
}

// decode decodes a row unless it is known.
func (c *current) decode(row run.Row) (Agent, error) {
	key := currentKey{row.Project, row.ID}
	c.mu.RLock()
	known, ok := c.kept[key]
	c.mu.RUnlock()
	if ok && known.row == row.Version {
		return known.agent, nil
	}
	found, err := decode(row)
	if err != nil || len(row.Data) > currentBytes {
		return found, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.bytes += len(row.Data)
	if c.kept == nil || c.bytes > currentBytes {
		c.kept, c.bytes = map[currentKey]version{}, len(row.Data) // all at once: simpler than ages, and rare
	}
	c.kept[key] = version{row.Version, found}
	return found, nil
}
