package app

import (
	"context"

	"errand/internal/api/swarms"
	"errand/internal/problem"
	"errand/internal/tool/mcp"
)

// newSwarms makes the Swarms API.
func (a *assembly) newSwarms() (*swarms.API, error) {
	return swarms.New(swarms.Config{
		Engine: a.engine, Rows: a.store, Models: modelNames{a}, Servers: connector{a.servers}, Now: a.now,
		Catalog: a.catalog(),
	})
}

// modelNames lists the router's models by name alone.
type modelNames struct{ a *assembly }

// Names lists what a request can name as its model, the default first.
func (m modelNames) Names(ctx context.Context) []string {
	var names []string
	for _, info := range m.a.models.Models(ctx) {
		names = append(names, info.ID)
	}
	return names
}

// connector finds the tools of MCP servers that a request names.
type connector struct{ servers *mcp.Servers }

// Connect asks all of the servers at once.
func (c connector) Connect(ctx context.Context, project string, wanted []swarms.Connection) (swarms.Connected, error) {
	asked := make([]mcp.Connection, len(wanted))
	for i, w := range wanted {
		asked[i] = mcp.Connection{Name: w.Name, URL: w.URL, Transport: w.Transport, Token: w.Token, Headers: w.Headers, Timeout: w.Timeout}
	}
	found, err := c.servers.Connect(ctx, project, asked)
	made := swarms.Connected{Tools: found.Tools, Servers: found.Servers, Notes: found.Notes}
	for _, down := range found.Faults {
		made.Down = append(made.Down, problem.From(down.Err).Detail)
	}
	return made, err
}
