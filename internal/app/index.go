package app

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"errand/client"
	"errand/internal/index"
)

type indexGroup struct {
	Add    indexAdd    `cmd:"" help:"Add a directory of files, or a page."`
	List   indexList   `cmd:"" help:"List what is in the index."`
	Remove indexRemove `cmd:"" help:"Remove a directory or a page."`
}

// indexFlags say whose index it is: a server's, or that of a data directory
// whose server is stopped.
type indexFlags struct {
	remote
	Data string `help:"Work on this data directory of a stopped server, not on a server." placeholder:"DIR"`
}

// open returns a client, and what to call when it is no longer needed. Runs that
// the directory has are left as they are.
func (f *indexFlags) open(ctx context.Context, p *process) (*client.Client, func() error, error) {
	if f.Data == "" {
		return f.client(p), func() error { return nil }, nil
	}
	flags := map[string]string{"data": f.Data}
	if p.variable("ERRAND_LOG_LEVEL") == "" {
		flags["log-level"] = "error"
	}
	cfg, err := p.settings(flags)
	if err != nil {
		return nil, nil, err
	}
	o := options{guest: rand.Text(), name: "errand index"}
	a, err := assemble(ctx, p, cfg, o)
	if err != nil {
		return nil, nil, err
	}
	inner := a.serveInside(o.guest)
	return inner.api, func() error { return errors.Join(inner.detach(), a.close()) }, nil
}

type indexAdd struct {
	indexFlags
	Name string `help:"What to call the directory; it is part of its documents' addresses. Default: its own name." placeholder:"NAME"`
	What string `arg:"" name:"dir-or-url" help:"Directory or file here, or address of a page."`
}

// Help is the command's longer help.
func (indexAdd) Help() string {
	return `Examples:

  errand index add ./handbook
  errand index add https://example.com/terms
  errand index add ./handbook --data /var/lib/errand    (the server is stopped)

The text, Markdown and HTML files of the directory are sent to the server (ERRAND_URL,
ERRAND_API_KEY); hidden files and links are not. The next time only what has changed is sent,
and what is gone is removed. A page is fetched by the server. Agents find all of it with the
tool web.search. Exit code 1 when a file could not be taken: it is named.`
}

// Run adds it.
func (c *indexAdd) Run(ctx context.Context, p *process) (err error) {
	if c.Name != "" && c.Name != slug(c.Name) {
		return usage(fmt.Errorf("--name: use lower case letters, digits, dots, dashes and underscores, for example %s", slug(c.Name)))
	}
	api, done, err := c.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if strings.HasPrefix(c.What, "http://") || strings.HasPrefix(c.What, "https://") {
		return c.page(ctx, p, api)
	}
	u, err := newUpload(p, api, c.What, c.Name)
	if err != nil {
		return err
	}
	source, err := u.run(ctx)
	if err != nil {
		return err
	}
	report := map[string]any{}
	if err := json.Unmarshal(source.Raw, &report); err != nil {
		return err
	}
	report["change"], report["left_out"] = u.total, u.leftOut // of all requests, not of the last
	if err := c.show(p, report, func() { u.tell(source) }); err != nil {
		return err
	}
	if len(u.total.Refused) > 0 {
		for _, refused := range u.total.Refused {
			p.note("errand: %s was not taken: %s\n", printable(refused.Path), refused.Why)
		}
		return quiet(exitFailed)
	}
	return nil
}

func (c *indexAdd) page(ctx context.Context, p *process, api *client.Client) error {
	if c.Name != "" {
		return usage(errors.New("--name: a page is called by its address; leave it out"))
	}
	source, err := api.Index.Add(ctx, c.What)
	if err != nil {
		return err
	}
	return c.show(p, source.Raw, func() {
		what := "is in the index"
		switch {
		case source.Change == nil:
		case source.Change.Changed > 0:
			what = "has changed and is up to date in the index"
		case source.Change.Unchanged > 0:
			what = "has not changed"
		}
		p.print("%s %s (%s of text).\n", source.Name, what, size(source.Bytes))
	})
}

// tell reports an upload to a person.
func (u *upload) tell(source client.IndexSource) {
	t := u.total
	u.p.print("%s: %d added, %d changed, %d unchanged, %d removed. It has %d documents (%s of text), as %s…\n",
		source.Name, t.Added, t.Changed, t.Unchanged, t.Removed, source.Documents, size(source.Bytes), source.URL)
	if len(u.leftOut) == 0 {
		return
	}
	var kinds []string
	for _, kind := range slices.Sorted(maps.Keys(u.leftOut)) {
		kinds = append(kinds, fmt.Sprintf("%d %s", u.leftOut[kind], kind))
	}
	u.p.print("Left out: %s. These are read: %s.\n", strings.Join(kinds, ", "), strings.Join(index.Extensions(), ", "))
}

// size is a number of bytes for people.
func size(bytes int64) string {
	switch {
	case bytes < 1000:
		return fmt.Sprintf("%d bytes", bytes)
	case bytes < 1_000_000:
		return fmt.Sprintf("%.1f kB", float64(bytes)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(bytes)/1e6)
}

type indexList struct {
	indexFlags
	paging
}

// Run lists sources.
func (c *indexList) Run(ctx context.Context, p *process) (err error) {
	api, done, err := c.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	page, err := api.Index.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"id", "documents", "text", "updated", "name", "from"}}
		for _, s := range page.Data {
			rows = append(rows, []string{s.ID, fmt.Sprint(s.Documents), size(s.Bytes), p.ago(s.UpdatedAt), oneLine(s.Name, 60), orDash(oneLine(s.Origin, 60))})
		}
		p.table(rows)
		more(p, page)
	})
}

type indexRemove struct {
	indexFlags
	Source string `arg:"" help:"Id or name of a directory, or address of a page."`
}

// Run removes a source.
func (c *indexRemove) Run(ctx context.Context, p *process) (err error) {
	api, done, err := c.open(ctx, p)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, done()) }()
	if err := api.Index.Remove(ctx, c.Source); err != nil {
		return err
	}
	return c.show(p, map[string]any{"source": c.Source, "removed": true}, func() { p.print("Removed %s.\n", c.Source) })
}
