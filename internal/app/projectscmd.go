package app

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"errand/client"
)

type projectsAdd struct {
	remote
	Name string `arg:"" help:"Its name: lower-case letters, digits, - and _."`
}

// Run makes a project.
func (c *projectsAdd) Run(ctx context.Context, p *process) error {
	made, err := c.client(p).Projects.Create(ctx, c.Name)
	if err != nil {
		return err
	}
	return c.show(p, made.Raw, func() {
		p.print("Project %s. Make a key for it: errand keys create NAME --project %s\n", made.Name, made.Name)
	})
}

type projectsList struct {
	remote
	paging
}

// Run lists projects.
func (c *projectsList) Run(ctx context.Context, p *process) error {
	page, err := c.client(p).Projects.List(ctx, c.After, c.Limit)
	if err != nil {
		return err
	}
	return c.show(p, page.Raw, func() {
		rows := [][]string{{"name", "made", "runs are kept", "state"}}
		for i := range page.Data {
			rows = append(rows, []string{page.Data[i].Name, p.ago(page.Data[i].CreatedAt), keptFor(&page.Data[i]), projectState(&page.Data[i])})
		}
		p.table(rows)
		more(p, page)
	})
}

func keptFor(project *client.Project) string {
	said := "for ever"
	if project.KeptDays != nil {
		said = plural(*project.KeptDays, "day")
	}
	if project.RetentionDays == nil {
		said += " (the server's)"
	}
	return said
}

func projectState(project *client.Project) string {
	if e := project.Erasure; e != nil {
		return fmt.Sprintf("being erased by %s: %s", oneLine(e.By.Name, 32), e.Step)
	}
	return project.Status
}

type projectsShow struct {
	remote
	Name string `arg:"" help:"Name of the project."`
}

// Run shows one project.
func (c *projectsShow) Run(ctx context.Context, p *process) error {
	found, err := c.client(p).Projects.Get(ctx, c.Name)
	if err != nil {
		return err
	}
	return c.show(p, found.Raw, func() {
		p.print("%s, made %s; runs are kept %s; %s\n", found.Name, p.ago(found.CreatedAt), keptFor(&found), projectState(&found))
		if e := found.Erasure; e != nil {
			for _, what := range slices.Sorted(maps.Keys(e.Removed)) {
				p.print("  %s removed: %d\n", strings.ReplaceAll(what, "_", " "), e.Removed[what])
			}
		}
	})
}

type projectsKeep struct {
	remote
	Name string `arg:"" help:"Name of the project."`
	Days string `arg:"" help:"Days after their end that its runs are kept, ever, or server for what the server says."`
}

// Help is the command's longer help.
func (projectsKeep) Help() string {
	return `Examples:

  errand projects keep billing 30
  errand projects keep billing ever
  errand projects keep billing server

Runs that are older than that go at once, with their events, deliveries and screenshots, and can't
be brought back. What they have cost and who did what stays.`
}

// Run changes for how long runs are kept.
func (c *projectsKeep) Run(ctx context.Context, p *process) error {
	var days *int
	switch c.Days {
	case "server":
	case "ever":
		days = new(int)
	default:
		n, err := strconv.Atoi(c.Days)
		if err != nil || n < 1 {
			return usage(fmt.Errorf("%q is not a number of days; say 30, ever or server", c.Days))
		}
		days = &n
	}
	changed, err := c.client(p).Projects.Retain(ctx, c.Name, days)
	if err != nil {
		return err
	}
	return c.show(p, changed.Raw, func() { p.print("%s: runs are kept %s.\n", changed.Name, keptFor(&changed)) })
}

type projectsExport struct {
	remote
	Name string `arg:"" help:"Name of the project."`
	To   string `required:"" help:"File to write, which must not be there yet; - is the output." placeholder:"FILE"`
}

// Help is the command's longer help.
func (projectsExport) Help() string {
	return `Examples:

  errand projects export billing --to billing.ndjson
  errand projects export billing --to - | jq -r 'select(.object == "run") | .title'

All that the project has, one JSON object a line: agents, tools and other objects, runs with their
events, files with their bytes, what was spent and who did what. Secrets are never in it. It can be
made while the project is at work.`
}

// Run writes the export, and stands by it only if it has come whole.
func (c *projectsExport) Run(ctx context.Context, p *process) (err error) {
	content, err := c.client(p).Projects.Export(ctx, c.Name)
	if err != nil {
		return err
	}
	defer content.Close()
	to := io.Writer(p.Out)
	if c.To != "-" {
		file, err := os.OpenFile(c.To, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, os.ErrExist) {
			return fmt.Errorf("--to: %s is there already: name another file, or remove it first", c.To)
		}
		if err != nil {
			return err
		}
		whole := false
		defer func() {
			if !whole {
				_ = os.Remove(c.To) // what came of it is said already
			}
		}()
		counts, err := copyExport(file, content)
		if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
			return err
		}
		whole = true
		return c.show(p, map[string]any{"file": c.To, "counts": counts}, func() {
			p.print("%s: %s\n", c.To, exportCounts(counts))
		})
	}
	_, err = copyExport(to, content)
	return err
}

func exportCounts(counts map[string]int) string {
	var parts []string
	for _, one := range []struct{ object, noun string }{{"run", "run"}, {"event", "event"}, {"row", "object"}, {"key", "key"}, {"file", "file"}, {"audit.line", "audit line"}} {
		parts = append(parts, plural(counts[one.object], one.noun))
	}
	return strings.Join(parts, ", ")
}

// copyExport copies an export line by line, and fails if its last line is not the end.
func copyExport(to io.Writer, from io.Reader) (counts map[string]int, err error) {
	lines, last := bufio.NewReaderSize(from, 1<<16), []byte(nil)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			last = line
			if _, err := to.Write(line); err != nil {
				return nil, err
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("the export did not come whole: %w", err)
		}
	}
	var end struct {
		Object string         `json:"object"`
		Counts map[string]int `json:"counts"`
	}
	if json.Unmarshal(last, &end) != nil || end.Object != "export.end" {
		return nil, errors.New("the export did not come whole: its end is missing; try again")
	}
	return end.Counts, nil
}

type projectsErase struct {
	remote
	Name string `arg:"" help:"Name of the project."`
	Yes  bool   `help:"Do not ask."`
	Wait bool   `help:"Wait until nothing is left of it."`
}

// Help is the command's longer help.
func (projectsErase) Help() string {
	return `Removes a project with all that it has: keys, agents, runs, files, schedules. Its keys open nothing
from that moment on; runs at work are cancelled; the rest goes in the background, also across a
restart of the server, and errand projects show tells how far it has come. It can't be brought
back: errand projects export saves it before. What was spent and who did what stays.`
}

// erasePoll is how often a command that waits looks.
const erasePoll = 500 * time.Millisecond

// Run asks, unless it is told not to, and erases.
func (c *projectsErase) Run(ctx context.Context, p *process) error {
	if !c.Yes {
		if !p.answers() {
			return usage(errors.New("nobody can be asked here: say --yes to erase the project"))
		}
		p.print("All that the project %s has will be gone for good. Its name, to go on: ", c.Name)
		answer, err := bufio.NewReader(p.In).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if strings.TrimSpace(answer) != c.Name {
			return errors.New("that is not its name: nothing was erased")
		}
	}
	api := c.client(p)
	erasing, err := api.Projects.Erase(ctx, c.Name)
	if err != nil {
		return err
	}
	for c.Wait {
		timer := time.NewTimer(erasePoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		}
		found, err := api.Projects.Get(ctx, c.Name)
		var told *client.Error
		if errors.As(err, &told) && told.Code == "not_found" {
			return c.show(p, map[string]any{"id": c.Name, "erased": true}, func() { p.print("Erased %s.\n", c.Name) })
		}
		if err != nil {
			return err
		}
		erasing = found
	}
	return c.show(p, erasing.Raw, func() {
		p.print("The project %s is being erased, and its keys open nothing any more: errand projects show %s\n", c.Name, c.Name)
	})
}
