package swarms

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"errand/internal/api/wire"
	"errand/internal/run"
)

// The agents that were seen are rows, one for each different configuration. A row
// is written in the commit of a run that was made with it, and again a day later
// at the earliest: most runs have an agent that is known.
const (
	pastKind  = "swarms_agent"
	maxPast   = 500 // configurations of one project; the oldest makes room
	pastFresh = 24 * time.Hour
	maxPastIn = 64 << 10 // bytes of one; a larger one is kept without its functions
)

// remembered is a configuration as it is kept.
type remembered struct {
	id   string // a digest of data, so that the same configuration is the same row
	data []byte
}

// rememberable returns the configuration without what is secret in it, or nil for
// one that is too large to keep.
func rememberable(in *agentIn) *remembered {
	kept := in.withoutSecrets()
	data, err := json.Marshal(kept)
	if len(data) > maxPastIn {
		kept.Functions = nil
		data, err = json.Marshal(kept)
	}
	if err != nil || len(data) > maxPastIn {
		return nil
	}
	sum := sha256.Sum256(data)
	return &remembered{id: hex.EncodeToString(sum[:12]), data: data}
}

// withoutSecrets is the agent, and those that it hands work to, without what opens
// their servers.
func (in *agentIn) withoutSecrets() agentIn {
	kept := *in
	if in.MCPURL != nil {
		shown := public(*in.MCPURL)
		kept.MCPURL = &shown
	}
	kept.MCPConfig = in.MCPConfig.withoutSecrets()
	if in.MCPConfigs != nil {
		kept.MCPConfigs = &connectionsIn{}
		for i := range in.MCPConfigs.Connections {
			kept.MCPConfigs.Connections = append(kept.MCPConfigs.Connections, *in.MCPConfigs.Connections[i].withoutSecrets())
		}
	}
	kept.Handoffs = nil
	for i := range in.Handoffs {
		kept.Handoffs = append(kept.Handoffs, in.Handoffs[i].withoutSecrets())
	}
	return kept
}

func (c *connectionIn) withoutSecrets() *connectionIn {
	if c == nil {
		return nil
	}
	shown := public(or(c.URL, ""))
	return &connectionIn{Type: c.Type, Name: c.Name, URL: &shown, Transport: c.Transport, Timeout: c.Timeout}
}

// past knows which configurations the rows hold, so that a run whose agent is
// known writes nothing.
type past struct {
	rows Rows

	mu       sync.Mutex
	projects map[string]map[string]time.Time // when each was written last, by project and id
}

// shelve returns the rows that keep a configuration: none for one that is known.
// Another server may write the same at the same time; the rows take either.
func (p *past) shelve(ctx context.Context, project string, seen *remembered, now time.Time) ([]run.RowWrite, error) {
	if seen == nil {
		return nil, nil
	}
	if err := p.load(ctx, project); err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	known := p.projects[project]
	at, there := known[seen.id]
	if there && now.Sub(at) < pastFresh {
		return nil, nil
	}
	now = now.UTC().Truncate(time.Millisecond)
	writes := []run.RowWrite{{Expect: run.AnyVersion, Row: run.Row{Kind: pastKind, Project: project, ID: seen.id, Created: now, Data: seen.data}}}
	if !there && len(known) >= maxPast {
		oldest := ""
		for id, at := range known {
			if oldest == "" || at.Before(known[oldest]) {
				oldest = id
			}
		}
		writes = append(writes, run.RowWrite{Expect: run.AnyVersion, Delete: true, Row: run.Row{Kind: pastKind, Project: project, ID: oldest}})
	}
	return writes, nil
}

// shelved says that the rows are on disk.
func (p *past) shelved(project string, writes []run.RowWrite) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range writes {
		if writes[i].Delete {
			delete(p.projects[project], writes[i].ID)
		} else {
			p.projects[project][writes[i].ID] = writes[i].Created
		}
	}
}

// load reads once what a project's rows hold.
func (p *past) load(ctx context.Context, project string) error {
	p.mu.Lock()
	_, loaded := p.projects[project]
	p.mu.Unlock()
	if loaded {
		return nil
	}
	rows, err := p.list(ctx, project)
	if err != nil {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.projects == nil {
		p.projects = map[string]map[string]time.Time{}
	}
	if p.projects[project] != nil {
		return nil // another request was quicker
	}
	known := map[string]time.Time{}
	for i := range rows {
		known[rows[i].ID] = rows[i].Created
	}
	p.projects[project] = known
	return nil
}

// list reads a project's rows, newest first. Several servers may together have
// kept a few more than one would.
func (p *past) list(ctx context.Context, project string) ([]run.Row, error) {
	rows, err := p.rows.Rows(ctx, run.RowQuery{Kind: pastKind, Project: project, Limit: 2 * maxPast})
	if err != nil {
		return nil, fmt.Errorf("reading the agents that were seen: %w", err)
	}
	slices.SortStableFunc(rows, func(a, b run.Row) int { return cmp.Or(b.Created.Compare(a.Created), cmp.Compare(a.ID, b.ID)) })
	return rows[:min(len(rows), maxPast)], nil
}

// agentsBody is the answer of GET /v1/agents/list.
type agentsBody struct {
	Success   bool              `json:"success"`
	Count     int               `json:"count"`
	Agents    []json.RawMessage `json:"agents"`
	Timestamp string            `json:"timestamp"`
}

func (a *API) listAgents(ctx context.Context, r *wire.Request) (wire.Response, error) {
	rows, err := a.past.list(ctx, r.Caller.Project)
	if err != nil {
		return wire.Response{}, err
	}
	body := agentsBody{Success: true, Count: len(rows), Agents: []json.RawMessage{}, Timestamp: stamp(a.cfg.Now())}
	for i := range rows {
		body.Agents = append(body.Agents, rows[i].Data)
	}
	return wire.OK(body), nil
}
