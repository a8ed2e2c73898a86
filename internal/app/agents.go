package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"errand/client"
)

type agentsList struct {
	remote
	paging
}

// Run lists agents.
func (c *agentsList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Agents.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "name", "version", "model", "steps", "tools"}}
		for _, a := range page.Data {
			rows = append(rows, []string{a.ID, oneLine(a.Name, 32), strconv.Itoa(a.Version), oneLine(a.Model, 32),
				strconv.Itoa(a.MaxSteps), oneLine(strings.Join(a.Tools, ", "), 60)})
		}
		p.table(rows)
		more(p, page)
	})
}

type agentsGet struct {
	remote
	Agent string `arg:"" help:"Id or name."`
}

// Run shows an agent. A definition is read as it was written: as JSON.
func (c *agentsGet) Run(ctx context.Context, p *process) error {
	agent, err := c.client(p).Agents.Get(ctx, c.Agent)
	if err != nil {
		return err
	}
	return p.printJSON(agent.Raw)
}

type agentsCreate struct {
	remote
	File string `short:"f" required:"" help:"Definition, YAML or JSON; - reads the input." placeholder:"FILE"`
}

// Help is the command's longer help.
func (agentsCreate) Help() string {
	return `Example of a definition:

  name: invoice-chaser
  model: auto
  instructions: Chase unpaid invoices politely but firmly.
  tools: [email.send, finance.read]
  approval: {required_for: [email.send]}
  max_steps: 8

A tool may stand there whole instead of by name; it is registered first.`
}

// Run creates the agent, or makes a new version of the one with its name.
func (c *agentsCreate) Run(ctx context.Context, p *process) error {
	text, err := readDefinition(p, c.File)
	if err != nil {
		return err
	}
	agent, err := saveAgent(ctx, c.client(p), text)
	if err != nil {
		return err
	}
	return c.show(p, agent.Raw, func() {
		p.print("Agent %s is %s, version %d.\nRun it: errand run --agent %s \"…\", or POST /v1/agents/%s/run\n",
			agent.Name, agent.ID, agent.Version, agent.Name, agent.Name)
	})
}

type agentsDelete struct {
	remote
	Agent string `arg:"" help:"Id or name."`
}

// Run deletes an agent.
func (c *agentsDelete) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Agents.Delete(ctx, c.Agent); err != nil {
		return err
	}
	return c.show(p, map[string]any{"deleted": true}, func() { p.print("Deleted %s; its runs stay.\n", c.Agent) })
}

type agentsRestore struct {
	remote
	Agent   string `arg:"" help:"Id or name."`
	Version int    `arg:"" help:"Number of the version, from 1."`
}

// Run makes an earlier version the current one.
func (c *agentsRestore) Run(ctx context.Context, p *process) error {
	agent, err := c.client(p).Agents.Restore(ctx, c.Agent, c.Version)
	if err != nil {
		return err
	}
	return c.show(p, agent.Raw, func() {
		p.print("%s is as it was in version %d: this is version %d.\n", agent.Name, c.Version, agent.Version)
	})
}

// saveAgent creates the agent that a file describes, or changes the one that has
// its name; tools that stand in the file whole are registered first. The server
// makes no new version of an agent that stays as it is.
func saveAgent(ctx context.Context, c *client.Client, text json.RawMessage) (client.Agent, error) {
	fields, name, err := fieldsOf(text)
	if err != nil {
		return client.Agent{}, err
	}
	if err := registerInline(ctx, c, fields); err != nil {
		return client.Agent{}, err
	}
	_, err = c.Agents.Get(ctx, name)
	if notFound(err) || name == "" {
		return c.Agents.Create(ctx, fields)
	}
	if err != nil {
		return client.Agent{}, err
	}
	return c.Agents.Update(ctx, name, fields)
}

func fieldsOf(text json.RawMessage) (fields map[string]json.RawMessage, name string, err error) {
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, "", errors.New("a definition is a mapping of fields, such as name and tools")
	}
	// What is wrong with a name is the server's to say.
	_ = json.Unmarshal(fields["name"], &name)
	return fields, name, nil
}

// registerInline registers the tools that stand whole in an agent's list and
// leaves their names there.
func registerInline(ctx context.Context, c *client.Client, fields map[string]json.RawMessage) error {
	var tools []json.RawMessage
	if json.Unmarshal(fields["tools"], &tools) != nil {
		return nil // absent, or wrong: the server says so
	}
	for i, text := range tools {
		if !strings.HasPrefix(string(text), "{") {
			continue
		}
		saved, err := saveTool(ctx, c, text)
		if err != nil {
			return fmt.Errorf("tools[%d]: %w", i, err)
		}
		named, err := json.Marshal(saved.Name)
		if err != nil {
			return err
		}
		tools[i] = named
	}
	changed, err := json.Marshal(slices.Clip(tools))
	fields["tools"] = changed
	return err
}

// notFound reports whether the server said that there is no such thing.
func notFound(err error) bool {
	var told *client.Error
	return errors.As(err, &told) && told.Status == http.StatusNotFound
}
