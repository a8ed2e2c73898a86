package app

import (
	"context"
	"encoding/json"
	"errors"

	"errand/client"
)

type toolsList struct {
	remote
	paging
}

// Run lists tools.
func (c *toolsList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Tools.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"name", "effect", "origin", "description"}}
		for _, t := range page.Data {
			rows = append(rows, []string{t.Name, t.Effect, t.Origin, oneLine(t.Description, 70)})
		}
		p.table(rows)
		more(p, page)
	})
}

type toolsAdd struct {
	remote
	File string `short:"f" required:"" help:"Definition, YAML or JSON; - reads the input." placeholder:"FILE"`
}

// Help is the command's longer help.
func (toolsAdd) Help() string {
	return `Example of a definition:

  name: crm.note
  description: Adds a note to a customer.
  url: https://crm.example.com/notes
  parameters: {type: object, properties: {customer: {type: string}, text: {type: string}}, required: [customer, text]}
  effect: once          # safe: may be repeated; keyed: may with the same Idempotency-Key
  preview: "Note for {{customer}}"`
}

// Run registers the tool, or changes the one with its name.
func (c *toolsAdd) Run(ctx context.Context, p *process) error {
	text, err := readDefinition(p, c.File)
	if err != nil {
		return err
	}
	tool, err := saveTool(ctx, c.client(p), text)
	if err != nil {
		return err
	}
	return c.show(p, tool.Raw, func() {
		p.print("Tool %s is registered. Try it: errand tools try %s '{…}'\n", tool.Name, tool.Name)
	})
}

// saveTool registers the tool that a file describes, or changes the one that has
// its name.
func saveTool(ctx context.Context, c *client.Client, text json.RawMessage) (client.Tool, error) {
	fields, name, err := fieldsOf(text)
	if err != nil {
		return client.Tool{}, err
	}
	if name == "" {
		return c.Tools.Create(ctx, fields)
	}
	_, err = c.Tools.Get(ctx, name)
	switch {
	case notFound(err):
		return c.Tools.Create(ctx, fields)
	case err != nil:
		return client.Tool{}, err
	}
	delete(fields, "name")
	return c.Tools.Update(ctx, name, fields)
}

type toolsRemove struct {
	remote
	Name string `arg:"" help:"Name of the tool."`
}

// Run removes a tool.
func (c *toolsRemove) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Tools.Delete(ctx, c.Name); err != nil {
		return err
	}
	return c.show(p, map[string]any{"name": c.Name, "deleted": true}, func() { p.print("Removed %s.\n", c.Name) })
}

type toolsTry struct {
	remote
	Name      string `arg:"" help:"Name of the tool."`
	Arguments string `arg:"" optional:"" default:"{}" help:"Arguments, a JSON object."`
}

// Run makes one call. It is a real one: the tool's effect happens.
func (c *toolsTry) Run(ctx context.Context, p *process) error {
	if !json.Valid([]byte(c.Arguments)) {
		return usage(errors.New(`the arguments are not JSON; write for example '{"to": "a@example.com"}'`))
	}
	answer, err := c.client(p).Tools.Try(ctx, c.Name, json.RawMessage(c.Arguments))
	if err != nil {
		return err
	}
	return p.printJSON(answer)
}
