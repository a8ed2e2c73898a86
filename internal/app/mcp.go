package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"errand/client"
)

type mcpGroup struct {
	List   mcpList   `cmd:"" help:"List MCP servers."`
	Tools  mcpTools  `cmd:"" help:"Ask a server for its tools, and show which can be used."`
	Add    mcpAdd    `cmd:"" help:"Add a server by its URL, and show its tools."`
	Accept mcpAccept `cmd:"" help:"Accept what a server has changed of its tools."`
	Remove mcpRemove `cmd:"" help:"Remove a server."`
}

type mcpList struct {
	remote
	paging
}

// Run lists servers.
func (c *mcpList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Servers.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"name", "id", "origin", "tools", "url"}}
		for _, s := range page.Data {
			rows = append(rows, []string{s.Name, s.ID, s.Origin, countTools(s.Tools), oneLine(s.URL, 60)})
		}
		p.table(rows)
		more(p, page)
	})
}

// countTools says how many tools can be used, and how many wait.
func countTools(tools []client.ServerTool) string {
	count := map[string]int{}
	for _, t := range tools {
		count[t.State]++
	}
	said := fmt.Sprint(count["accepted"])
	if n := count["changed"]; n > 0 {
		said += fmt.Sprintf(", %d changed", n)
	}
	return said
}

type mcpTools struct {
	remote
	Server string `arg:"" help:"Name or id of the server."`
}

// Run shows one server's tools.
func (c *mcpTools) Run(ctx context.Context, p *process) error {
	server, err := c.client(p).Servers.Get(ctx, c.Server)
	if err != nil {
		return err
	}
	return c.show(p, server.Raw, func() { p.showServer(&server) })
}

// showServer prints a server's tools, and what has changed.
func (p *process) showServer(s *client.Server) {
	rows := [][]string{{"name", "effect", "state", "description"}}
	for _, t := range s.Tools {
		rows = append(rows, []string{t.Name, t.Effect, t.State, oneLine(t.Description, 70)})
	}
	p.table(rows)
	for _, t := range s.Tools {
		if t.Changed != nil {
			p.print("\n%s is not as it was accepted:\n", t.Name)
			p.difference("description", t.Description, t.Changed.Description)
			p.difference("parameters", string(t.Parameters), string(t.Changed.Parameters))
			p.difference("annotations", string(t.Annotations), string(t.Changed.Annotations))
		}
	}
	for _, left := range s.LeftOut {
		p.print("%s\n", printable(left))
	}
	if s.Error != "" {
		p.print("%s\n", printable(s.Error))
	}
	if slices.ContainsFunc(s.Tools, func(t client.ServerTool) bool { return t.Changed != nil }) {
		p.print("Accept: errand mcp accept %s\n", s.ID)
	}
}

// difference prints what was and what is, if they are not the same.
func (p *process) difference(what, before, after string) {
	if before != after {
		p.print("  %s\n  - %s\n  + %s\n", what, hanging(before), hanging(after))
	}
}

// hanging makes the further lines of a text stand below its first.
func hanging(text string) string {
	return strings.ReplaceAll(printable(text), "\n", "\n    ")
}

type mcpAdd struct {
	remote
	Name      string   `arg:"" help:"Name of the server; its tools are called NAME__TOOL."`
	Server    string   `arg:"" help:"URL of the server." placeholder:"URL"`
	Transport string   `help:"auto, streamable_http or sse." default:"auto" enum:"auto,streamable_http,sse"`
	Token     bool     `help:"Read a token from the input; it is sent as Authorization: Bearer."`
	Header    []string `help:"Header to send, NAME=VALUE; repeat for more. Everyone on this machine can read a command line: --token can't be seen." placeholder:"NAME=VALUE" sep:"none"`
	Timeout   int      `help:"Seconds until a call that says nothing is given up." placeholder:"SECONDS"`
}

// Help is the command's longer help.
func (mcpAdd) Help() string {
	return `Examples:

  errand mcp add docs https://docs.example.com/mcp
  errand mcp add crm https://crm.example.com/mcp --token < token.txt

Agents then name its tools, for example docs__search. What the server says of them now is
accepted; what it changes later can't be used before errand mcp accept. Programs that speak MCP
over their input and output are configured in errand.yaml, under mcp.`
}

// maxToken is more than any token has.
const maxToken = 16 << 10

// Run adds a server and shows what it has.
func (c *mcpAdd) Run(ctx context.Context, p *process) error {
	wanted := client.NewServer{Name: c.Name, URL: c.Server, Transport: c.Transport, TimeoutS: c.Timeout, Headers: map[string]string{}}
	for _, header := range c.Header {
		name, value, ok := strings.Cut(header, "=")
		if !ok {
			return usage(fmt.Errorf("--header %s: write it as NAME=VALUE", name))
		}
		wanted.Headers[name] = value
	}
	if c.Token {
		text, err := io.ReadAll(io.LimitReader(p.In, maxToken))
		if err != nil {
			return fmt.Errorf("reading the token: %w", err)
		}
		if wanted.Token = strings.TrimSpace(string(text)); wanted.Token == "" {
			return usage(errors.New("--token: the input has no token"))
		}
	}
	api := c.client(p)
	added, err := api.Servers.Add(ctx, wanted)
	if err != nil {
		return err
	}
	server, err := api.Servers.Get(ctx, added.ID)
	if err != nil {
		return err
	}
	return c.show(p, server.Raw, func() {
		p.print("Added %s (%s).\n", server.Name, server.ID)
		p.showServer(&server)
	})
}

type mcpAccept struct {
	remote
	Server string   `arg:"" help:"Name or id of the server."`
	Tools  []string `arg:"" optional:"" name:"tool" help:"Tools whose change is accepted (default: all that have changed)."`
}

// Run shows what has changed and accepts exactly that.
func (c *mcpAccept) Run(ctx context.Context, p *process) error {
	api := c.client(p)
	before, err := api.Servers.Get(ctx, c.Server)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(before.Tools, func(t client.ServerTool) bool { return t.Changed != nil }) {
		return c.show(p, before.Raw, func() { p.print("Nothing of %s waits to be accepted.\n", before.Name) })
	}
	after, err := api.Servers.Accept(ctx, before.ID, c.Tools, before.Version)
	if err != nil {
		return err
	}
	return c.show(p, after.Raw, func() {
		p.showServer(&before)
		p.print("Accepted: %s now has %s.\n", after.Name, countTools(after.Tools))
	})
}

type mcpRemove struct {
	remote
	Server string `arg:"" help:"Name or id of the server."`
}

// Run removes a server.
func (c *mcpRemove) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Servers.Remove(ctx, c.Server); err != nil {
		return err
	}
	return c.show(p, map[string]any{"name": c.Server, "deleted": true}, func() { p.print("Removed %s.\n", c.Server) })
}
