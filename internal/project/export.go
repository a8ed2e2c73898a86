package project

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"errand/internal/auth"
	"errand/internal/run"
)

// exportFormat is the version of what an export looks like: objects and fields are
// only ever added to it.
const exportFormat = 1

// eventsAtOnce bounds the memory for a run's log while it is written.
const eventsAtOnce = 200

// Records are what a project leaves for ever. A store has these methods.
type Records interface {
	// Audits returns lines behind the given seq, oldest first.
	Audits(ctx context.Context, project string, after int64, limit int) ([]run.Audit, error)
	// Spent returns what a project has spent on the days from the first to the last.
	Spent(ctx context.Context, project string, from, to run.Day) ([]run.Spend, error)
}

// Keys lists the keys of a project. An auth.Book has this method.
type Keys interface {
	List(ctx context.Context, project string) ([]auth.Key, error)
}

// Exporter writes all that a project has, one JSON object a line. All but Mask must be
// set.
type Exporter struct {
	Log     Log
	Rows    Rows
	Keys    Keys
	Records Records
	// More puts what is kept elsewhere: files with their bytes, the search index.
	More    func(ctx context.Context, project string, put func(any) error) error
	Mask    func(text string) string // takes known secrets out of a line; nil = there are none
	Now     func() time.Time
	Version string // of the product
}

// manifest is an export's first line.
type manifest struct {
	Object      string    `json:"object"`
	Format      int       `json:"format"`
	Project     string    `json:"project"`
	Created     time.Time `json:"created_at"`
	ExportedAt  time.Time `json:"exported_at"`
	Version     string    `json:"errand_version"`
	Secrets     string    `json:"secrets"`
	Left        []string  `json:"left_out"`
	Consistency string    `json:"consistency"`
}

// What the manifest says.
const (
	noSecrets = "There are none in here: of keys, webhooks, robots, tools and MCP servers all but their secrets is told, " +
		"sealed or not, and what this server knows as a secret is replaced by [redacted] wherever it stands. What is imported elsewhere needs new ones."
	consistent = "Each object is as it was when its line was written, and of a run's log there is all up to some event. " +
		"What was made or changed while the export went on may be in it as it was before or after; nothing that was there before and stayed is missing."
)

// ending is an export's last line. One without it is not whole.
type ending struct {
	Object string         `json:"object"`
	Counts map[string]int `json:"counts"`
}

// sink writes objects, and counts them.
type sink struct {
	to     *bufio.Writer
	mask   func(string) string
	counts map[string]int
}

// put writes one object as a line; its field object says what it is.
func (s *sink) put(object any) error {
	line, err := json.Marshal(object)
	if err != nil {
		return err
	}
	var named struct {
		Object string `json:"object"`
	}
	if err := json.Unmarshal(line, &named); err != nil || named.Object == "" {
		return errors.Join(err, fmt.Errorf("a line of %T does not say what it is", object))
	}
	if s.mask != nil {
		if masked := s.mask(string(line)); json.Valid([]byte(masked)) {
			line = []byte(masked)
		} else {
			return fmt.Errorf("a %s has a secret that can't be cut out of it", named.Object)
		}
	}
	s.counts[named.Object]++
	if _, err = s.to.Write(line); err == nil {
		err = s.to.WriteByte('\n')
	}
	return err
}

// Write writes the export of a project. It holds no more than a page of anything.
func (x *Exporter) Write(ctx context.Context, to io.Writer, p *auth.Project) error {
	s := &sink{to: bufio.NewWriterSize(to, 64<<10), mask: x.Mask, counts: map[string]int{}}
	head := manifest{
		Object: "export.manifest", Format: exportFormat, Project: p.Name, Created: p.Created.UTC(), ExportedAt: x.Now().UTC(),
		Version: x.Version, Secrets: noSecrets, Left: leftOut(), Consistency: consistent,
	}
	if err := s.put(head); err != nil {
		return err
	}
	for _, part := range []func(context.Context, string, func(any) error) error{x.keys, x.rows, x.runs, x.spend, x.audit, x.More} {
		if err := part(ctx, p.Name, s.put); err != nil {
			return fmt.Errorf("exporting the project %s: %w", p.Name, err)
		}
	}
	if err := s.put(ending{"export.end", s.counts}); err != nil {
		return err
	}
	return s.to.Flush()
}

func (x *Exporter) rows(ctx context.Context, project string, put func(any) error) error {
	kinds, err := x.Rows.Kinds(ctx, project)
	if err != nil {
		return err
	}
	for _, kind := range kinds {
		for after := ""; !transient(kind); {
			page, err := x.Rows.Rows(ctx, run.RowQuery{Kind: kind, Project: project, After: after, Limit: pageSize})
			if err != nil {
				return err
			}
			for i := range page {
				shown, err := showRow(&page[i])
				if err != nil {
					return err
				}
				if err := put(shown); err != nil {
					return err
				}
			}
			if len(page) < pageSize {
				break
			}
			after = page[len(page)-1].ID
		}
	}
	return nil
}

func (x *Exporter) keys(ctx context.Context, project string, put func(any) error) error {
	all, err := x.Keys.List(ctx, project)
	for i := range all {
		if err := put(showKey(&all[i])); err != nil {
			return err
		}
	}
	return err
}

func (x *Exporter) runs(ctx context.Context, project string, put func(any) error) error {
	var after run.ID
	for {
		lines, err := x.Log.Past(ctx, project, time.Time{}, after, pageSize)
		if err != nil || len(lines) == 0 {
			return err
		}
		for i := range lines {
			after = lines[i].ID
			if lines[i].Deleted {
				continue
			}
			if err := put(showRun(&lines[i])); err != nil {
				return err
			}
			if err := x.events(ctx, lines[i].ID, put); err != nil {
				return err
			}
		}
	}
}

func (x *Exporter) events(ctx context.Context, id run.ID, put func(any) error) error {
	for after := int64(0); ; {
		events, err := x.Log.Load(ctx, id, after, eventsAtOnce)
		if err != nil {
			return err
		}
		for i := range events {
			shown, err := showEvent(id, events[i])
			if err != nil {
				return err
			}
			if err := put(shown); err != nil {
				return err
			}
			after = events[i].Seq
		}
		if len(events) < eventsAtOnce {
			return nil
		}
	}
}

func (x *Exporter) audit(ctx context.Context, project string, put func(any) error) error {
	for after := int64(0); ; {
		lines, err := x.Records.Audits(ctx, project, after, pageSize)
		if err != nil {
			return err
		}
		for i := range lines {
			if err := put(showAudit(&lines[i])); err != nil {
				return err
			}
			after = lines[i].Seq
		}
		if len(lines) < pageSize {
			return nil
		}
	}
}

// before is when nothing had been spent yet: this product was not there.
func before() time.Time { return time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC) }

// spend is read month by month.
func (x *Exporter) spend(ctx context.Context, project string, put func(any) error) error {
	for from := before(); from.Before(x.Now()); from = from.AddDate(0, 1, 0) {
		sums, err := x.Records.Spent(ctx, project, run.DayOf(from), run.DayOf(from.AddDate(0, 1, -1)))
		if err != nil {
			return err
		}
		for i := range sums {
			if err := put(showSpend(&sums[i])); err != nil {
				return err
			}
		}
	}
	return nil
}
