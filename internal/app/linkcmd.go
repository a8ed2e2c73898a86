package app

import "context"

type linkCommand struct{ remote }

// Help is the command's longer help.
func (linkCommand) Help() string {
	return `The browser is signed in as the key that asks, which needs the scope admin; the link
works once, for a quarter of an hour, and until the server starts again.`
}

// Run prints a link that signs a browser in, once.
func (c *linkCommand) Run(ctx context.Context, p *process) error {
	link, err := c.client(p).Sessions.Link(ctx)
	if err != nil {
		return err
	}
	return c.show(p, map[string]any{"url": link.URL, "expires_at": link.ExpiresAt}, func() {
		p.print("%s\n\nIt signs a browser in once, until %s.\n", link.URL, link.ExpiresAt.Local().Format("15:04"))
	})
}
