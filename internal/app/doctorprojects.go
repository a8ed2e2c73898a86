package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"errand/internal/auth"
	"errand/internal/config"
	"errand/internal/project"
	"errand/internal/run"
)

// behind is how much longer ago than it should have gone a run may be there: sweeps
// come every hour, and one of a large backlog takes a while.
const behind = 3 * time.Hour

// shownOverdue bounds the runs that are looked for.
const shownOverdue = 10

// ownerKeeper tells whose things are in a store.
type ownerKeeper interface {
	// Owners names all projects that have runs or rows.
	Owners(ctx context.Context) ([]string, error)
	// Strays counts jobs of runs that are not there.
	Strays(ctx context.Context) (int, error)
}

// checkProjects looks whether everything belongs to a project that is there: of one
// that was erased nothing may be left.
func (d *doctor) checkProjects(ctx context.Context, cfg *config.Config) check {
	c := check{what: "projects"}
	var left faults
	there, erasing, err := d.projects(ctx)
	if err == nil {
		err = d.checkOwners(ctx, there, &left)
	}
	if err == nil {
		err = d.checkLoose(ctx, there, &left)
	}
	if err == nil {
		err = checkIndexOwners(ctx, d.index, there, &left)
	}
	if err == nil && d.deep {
		err = d.checkBlobs(ctx, cfg.Data, there, &left)
	}
	erased, lines := 0, error(nil)
	if err == nil {
		erased, lines = d.erased(ctx)
	}
	c.err = errors.Join(err, lines, left.err())
	c.how = fmt.Sprintf("%d there, %d being erased, %d erased, of which nothing is left", len(there)-len(erasing), len(erasing), erased)
	if !d.served && len(erasing) > 0 {
		c.how += "; " + strings.Join(erasing, ", ") + " goes on at the next start"
	}
	return c
}

// projects are those that there are, and those of them that are being erased.
func (d *doctor) projects(ctx context.Context) (there map[string]bool, erasing []string, err error) {
	there = map[string]bool{}
	book := auth.NewBook(d.keeper, func() time.Time { return d.now })
	for after := ""; ; {
		page, err := book.Projects(ctx, after, sampledLogs)
		if err != nil {
			return nil, nil, err
		}
		for i := range page {
			after = page[i].Name
			if there[after] = true; page[i].Erasure != nil {
				erasing = append(erasing, after)
			}
		}
		if len(page) < sampledLogs {
			return there, erasing, nil
		}
	}
}

func (d *doctor) checkOwners(ctx context.Context, there map[string]bool, left *faults) error {
	whose, tells := d.keeper.(ownerKeeper)
	if !tells {
		return nil
	}
	owners, err := whose.Owners(ctx)
	if err != nil {
		return err
	}
	for _, owner := range owners {
		if !there[owner] {
			left.add("there are runs or objects of a project %s, which is not there", owner)
		}
	}
	strays, err := whose.Strays(ctx)
	if strays > 0 {
		left.add("%d jobs belong to runs that are not there", strays)
	}
	return err
}

// checkLoose looks at the jobs that belong to no run, and at what is looked up before
// its project is known.
func (d *doctor) checkLoose(ctx context.Context, there map[string]bool, left *faults) error {
	for after := int64(0); ; {
		jobs, err := d.LooseJobs(ctx, after, sampledLogs)
		if err != nil {
			return err
		}
		for i := range jobs {
			after = jobs[i].ID
			if owner := project.Owner(jobs[i].Data); owner != "" && !there[owner] && jobs[i].Kind != project.EraseJob {
				left.add("a job %s is for a project %s, which is not there", jobs[i].Kind, owner)
			}
		}
		if len(jobs) < sampledLogs {
			break
		}
	}
	for _, kind := range []string{"key", "decide_link"} {
		rows, err := d.Rows(ctx, run.RowQuery{Kind: kind})
		if err != nil {
			return err
		}
		for i := range rows {
			if owner := project.Owner(rows[i].Data); owner != "" && !there[owner] {
				left.add("the %s %s is of a project %s, which is not there", strings.ReplaceAll(kind, "_", " "), rows[i].ID, owner)
			}
		}
	}
	return nil
}

// indexed tells whose things are in a search index.
type indexed interface {
	Projects(ctx context.Context) ([]string, error)
}

func checkIndexOwners(ctx context.Context, index indexed, there map[string]bool, left *faults) error {
	if index == nil {
		return nil // another check has said so
	}
	owners, err := index.Projects(ctx)
	for _, owner := range owners {
		if !there[owner] {
			left.add("the search index has something of a project %s, which is not there", owner)
		}
	}
	return err
}

// checkBlobs holds the number of files that have some bytes against the files that
// there are, and the bytes on disk against both.
func (d *doctor) checkBlobs(ctx context.Context, dir string, there map[string]bool, left *faults) error {
	counted, _, err := d.digests(ctx, there)
	if err != nil {
		return err
	}
	known, err := d.Rows(ctx, run.RowQuery{Kind: "file_content"})
	if err != nil {
		return err
	}
	for i := range known {
		var said struct{ Files int }
		if err := json.Unmarshal(known[i].Data, &said); err != nil {
			return err
		}
		if n := counted[known[i].ID]; n != said.Files && !d.served {
			left.add("%d files should have the bytes %.8s…, and %d have", said.Files, known[i].ID, n)
		}
		delete(counted, known[i].ID)
	}
	if d.served || d.blobs != nil {
		return nil // files come and go, or their bytes are not in the directory
	}
	root := filepath.Join(dir, "files")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) || err == nil && (entry.IsDir() || filepath.Base(filepath.Dir(path)) == "new") {
			return nil
		}
		digest := filepath.Base(filepath.Dir(path)) + filepath.Base(path)
		if !slices.ContainsFunc(known, func(row run.Row) bool { return row.ID == digest }) {
			left.add("the bytes %.8s… belong to no file", digest)
		}
		return err
	})
}

// digests counts the files of all projects by their bytes, and says how many bytes
// they say that is.
func (d *doctor) digests(ctx context.Context, there map[string]bool) (counted map[string]int, sizes map[string]int64, err error) {
	counted, sizes = map[string]int{}, map[string]int64{}
	for name := range there {
		rows, err := d.Rows(ctx, run.RowQuery{Kind: "file", Project: name})
		if err != nil {
			return nil, nil, err
		}
		for i := range rows {
			var f struct {
				Digest string
				Size   int64
			}
			if err := json.Unmarshal(rows[i].Data, &f); err != nil {
				return nil, nil, err
			}
			counted[f.Digest]++
			sizes[f.Digest] = f.Size
		}
	}
	return counted, sizes, nil
}

// erased counts the projects that the audit log says were erased.
func (d *doctor) erased(ctx context.Context) (int, error) {
	lines, err := d.AuditsBy(ctx, run.AuditQuery{Action: "project.erased", Limit: 1 << 20})
	return len(lines), err
}

// checkRetention looks for runs that should have gone.
func (d *doctor) checkRetention(ctx context.Context, days int) check {
	c := check{what: "retention"}
	now := func() time.Time { return d.now }
	k, err := project.New(project.Config{Log: d.keeper, Rows: d.keeper, Book: auth.NewBook(d.keeper, now), Days: days, Now: now})
	var late []run.ID
	if err == nil {
		late, err = k.Overdue(ctx, behind, shownOverdue)
	}
	c.err = err
	switch {
	case len(late) == 0 && days == 0:
		c.how = "runs are kept for ever, unless their project says otherwise; none is too old"
	case len(late) == 0:
		c.how = fmt.Sprintf("runs are kept for %s, unless their project says otherwise; none is too old", plural(days, "day"))
	default:
		c.how = fmt.Sprintf("%d or more runs are older than they are to be kept, such as %s", len(late), shownRun(late[0]))
		if c.warn = d.served; !d.served {
			c.how += "; they go at the next start"
		}
	}
	return c
}
