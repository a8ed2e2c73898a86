package app

import (
	"context"
	"strings"
	"time"

	"errand/client"
)

type keysCreate struct {
	remote
	Name    string        `arg:"" help:"What the key is for."`
	Scope   []string      `help:"What it may do: runs:read, runs:write, runs:approve …; repeat, or separate with commas."`
	Project string        `help:"Project that it opens; made when new." placeholder:"NAME"`
	Expires time.Duration `help:"Time after which it no longer works, for example 720h." placeholder:"DURATION"`
	Agent   []string      `help:"Only runs of this agent, id or name; repeat, or separate with commas." placeholder:"AGENT"`
	Robot   []string      `help:"Only this robot, with its executions and conversations; repeat, or separate with commas. Beside --agent it is for both." placeholder:"ROBOT"`
	Rate    int           `name:"per-minute" help:"Requests that it may make in a minute." placeholder:"N"`
	AtOnce  int           `name:"at-once" help:"Runs that it may have at work; more wait." placeholder:"N"`
}

// Run makes a key and shows its secret, this once.
func (c *keysCreate) Run(ctx context.Context, p *process) error {
	wanted := client.NewKey{Name: c.Name, Scopes: c.Scope, Project: c.Project, Agents: c.Agent, Robots: c.Robot, PerMinute: c.Rate, AtOnce: c.AtOnce}
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
		rows := [][]string{{"id", "name", "begins with", "project", "state", "used", "scopes"}}
		for _, k := range page.Data {
			rows = append(rows, []string{k.ID, oneLine(k.Name, 32), orDash(k.Prefix), k.Project, keyState(p, k), keyUsed(p, k), oneLine(strings.Join(k.Scopes, ", "), 60)})
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

func keyUsed(p *process, k client.Key) string {
	if k.LastUsed == nil {
		return "-"
	}
	return p.ago(*k.LastUsed)
}

type keysRotate struct {
	remote
	ID      string        `arg:"" name:"key-id" help:"Id of the key: key_…"`
	Overlap time.Duration `help:"How long the secret that it has now goes on working, for example 24h. Default: not at all." placeholder:"DURATION"`
}

// Run gives a key another secret and shows it, this once.
func (c *keysRotate) Run(ctx context.Context, p *process) error {
	key, err := c.client(p).Keys.Rotate(ctx, c.ID, c.Overlap)
	if err != nil {
		return err
	}
	return c.show(p, key.Raw, func() {
		p.print("%s\n\nThis is the new secret of %s (%s). It is shown this once.\n", key.Secret, key.Name, key.ID)
	})
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
