package app

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"time"

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

type keysCreate struct {
	remote
	Name    string        `arg:"" help:"What the key is for."`
	Scope   []string      `help:"What it may do: runs:read, runs:write, runs:approve …; repeat, or separate with commas."`
	Project string        `help:"Project that it opens; made when new." placeholder:"NAME"`
	Expires time.Duration `help:"Time after which it no longer works, for example 720h." placeholder:"DURATION"`
}

// Run makes a key and shows its secret, this once.
func (c *keysCreate) Run(ctx context.Context, p *process) error {
	wanted := client.NewKey{Name: c.Name, Scopes: c.Scope, Project: c.Project}
	if c.Expires > 0 {
		at := p.now().Add(c.Expires).UTC()
		wanted.ExpiresAt = &at
	}
	key, err := c.client(p).Keys.Create(ctx, wanted)
	if err != nil {
		return err
	}
	return c.show(p, key.Raw, func() {
		p.print("%s\n\nThis is the secret of %s (%s, project %s). It is shown this once.\n", key.Secret, key.Name, key.ID, key.Project)
	})
}

type keysList struct {
	remote
	paging
}

// Run lists keys.
func (c *keysList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Keys.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "name", "begins with", "project", "state", "scopes"}}
		for _, k := range page.Data {
			rows = append(rows, []string{k.ID, oneLine(k.Name, 32), orDash(k.Prefix), k.Project, keyState(p, k), oneLine(strings.Join(k.Scopes, ", "), 60)})
		}
		p.table(rows)
		more(p, page)
	})
}

func keyState(p *process, k client.Key) string {
	switch {
	case k.RevokedAt != nil:
		return "revoked"
	case k.ExpiresAt != nil && p.now().After(*k.ExpiresAt):
		return "expired"
	}
	return "in force"
}

type keysRevoke struct {
	remote
	ID string `arg:"" name:"key-id" help:"Id of the key: key_…"`
}

// Run revokes a key.
func (c *keysRevoke) Run(ctx context.Context, p *process) error {
	if err := c.client(p).Keys.Revoke(ctx, c.ID); err != nil {
		return err
	}
	return c.show(p, map[string]any{"id": c.ID, "revoked": true}, func() { p.print("Revoked %s.\n", c.ID) })
}
