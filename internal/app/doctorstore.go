package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"errand/internal/config"
	"errand/internal/explain"
	"errand/internal/file"
	indextables "errand/internal/index/postgres"
	indexfile "errand/internal/index/sqlite"
	"errand/internal/problem"
	"errand/internal/queue/river"
	"errand/internal/run"
	"errand/internal/seal"
	"errand/internal/store/postgres"
	"errand/internal/store/sqlite"
)

// What a look takes at most where it is not told to be deep.
const (
	sampledLogs = 200
	sampledRuns = 1000 // of those that have not ended
)

// What is late, and what is much.
const (
	late      = time.Minute   // a job or a deadline that is due is done within seconds
	silent    = 2 * time.Hour // longer than any call under way may take
	largeWAL  = 256 << 20     // it is truncated above 64 MiB
	scarce    = 1 << 30       // free bytes
	clockSlip = time.Minute
)

// checkStorage looks at the data directory, whoever has it, or at the database.
func checkStorage(ctx context.Context, p *process, cfg config.Config, deep bool) []check {
	if cfg.Postgres() {
		return checkPostgres(ctx, p, cfg, deep)
	}
	where := check{what: "storage", how: cfg.Data}
	s, err := sqlite.Look(sqlite.Config{Dir: cfg.Data, Now: p.now})
	if problem.Is(err, problem.NotFound) {
		where.how += ": empty; the first start makes it"
		return []check{where}
	}
	if problem.Is(err, problem.Conflict) {
		where.how, where.warn = publicText(err), true
		return []check{where}
	}
	if err != nil {
		where.err = err
		return []check{where}
	}
	defer s.Close()
	holder := sqlite.Holder(cfg.Data)
	if holder != "" {
		where.how += ": in use by " + holder
	}
	where.err = s.Ping(ctx)
	d := doctor{keeper: s, now: p.now(), served: holder != "", deep: deep}
	checks := []check{where, checkDisk(cfg.Data, s), checkModes(&cfg)}
	if index, err := indexfile.Open(ctx, cfg.Data); err != nil {
		checks = append(checks, check{what: "index", err: err})
	} else {
		defer index.Close() // it was only read
		d.index = index
	}
	checks = append(append(checks, d.checkKept(ctx)...), d.checkProjects(ctx, &cfg), d.checkRetention(ctx, cfg.RetentionDays))
	if deep {
		checks = append(checks, d.checkPages(ctx, cfg.Data), d.checkFiles(ctx, cfg.Data))
	}
	return checks
}

// checkPostgres looks at a database, beside the nodes that work on it.
func checkPostgres(ctx context.Context, p *process, cfg config.Config, deep bool) []check {
	where := check{what: "storage"}
	jobs, err := river.NewWriter(jobRoutes(), p.now, nil)
	if err != nil {
		where.err = err
		return []check{where}
	}
	s, err := postgres.Look(ctx, postgres.Config{DSN: cfg.Store.Reveal(), Now: p.now, Queue: jobs})
	if problem.Is(err, problem.NotFound) || problem.Is(err, problem.Conflict) {
		where.how, where.warn = publicText(err), true
		return []check{where}
	}
	if err != nil {
		where.err = err
		return []check{where}
	}
	defer s.Close()
	where.how, where.err = s.Where(ctx)
	served, err := s.Served(ctx)
	where.err = errors.Join(where.err, err)
	index := indextables.New(s.Pool())
	d := doctor{keeper: s, now: p.now(), served: served, deep: deep, index: index, blobs: s.Blobs(file.ContentKind)}
	checks := append([]check{where, checkModes(&cfg)}, d.checkKept(ctx)...)
	if deep {
		checks = append(checks, d.checkFiles(ctx, cfg.Data), checkIndex(ctx, index))
	}
	return append(checks, d.checkProjects(ctx, &cfg), d.checkRetention(ctx, cfg.RetentionDays))
}

// checkKept looks at what is stored, wherever it is.
func (d *doctor) checkKept(ctx context.Context) []check {
	projects := map[string]bool{}
	checks := d.checkRuns(ctx, projects)
	return append(checks, d.checkLogs(ctx), d.checkJobs(ctx), d.checkHolds(ctx, projects), d.checkAudit(ctx))
}

// doctor looks at a store.
type doctor struct {
	keeper
	now    time.Time
	served bool // a server works on it
	deep   bool
	index  indexed    // nil = it can't be read
	blobs  blobKeeper // nil = the bytes of files are in the data directory
}

func checkDisk(dir string, s *sqlite.Store) check {
	c := check{what: "disk"}
	var stat syscall.Statfs_t
	if c.err = syscall.Statfs(dir, &stat); c.err != nil {
		return c
	}
	free, stats := int64(stat.Bavail)*int64(stat.Bsize), s.Stats()
	c.how = fmt.Sprintf("%s free; the database has %s, its write-ahead log %s", byteCount(free), byteCount(stats.FileBytes), byteCount(stats.WALBytes))
	switch {
	case free < 1<<20:
		c.err = errors.New("the disk is full: what is stored can be read, and nothing new can be taken")
	case free < scarce:
		c.warn = true
	case stats.WALBytes > largeWAL:
		c.warn, c.how = true, c.how+", which should be small: a reader holds it, such as a backup, or the server has no time to copy it"
	}
	return c
}

// checkModes finds what others on this machine can read and should not.
func checkModes(cfg *config.Config) check {
	c := check{what: "secrets", how: "no other user can read the data"}
	var open faults
	for _, name := range []string{".", sqlite.FileName, sqlite.FileName + "-wal", indexfile.FileName, seal.KeyFile} {
		info, err := os.Stat(filepath.Join(cfg.Data, name))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return check{what: c.what, err: err}
		}
		if mode := info.Mode(); mode.Perm()&0o077 != 0 && mode&fs.ModeSticky == 0 {
			open.add("%s has mode %#o", filepath.Join(cfg.Data, name), mode.Perm())
		}
	}
	if info, err := os.Stat(cfg.File); cfg.File != "" && err == nil && info.Mode().Perm()&0o007 != 0 {
		text, err := os.ReadFile(cfg.File)
		for _, secret := range cfg.Secrets() {
			if err == nil && len(secret) > 3 && contains(text, secret) {
				open.add("%s has secrets and can be read by everyone", cfg.File)
				break
			}
		}
	}
	if err := open.err(); err != nil {
		c.err = fmt.Errorf("others on this machine can read secrets: %w. Use chmod go= on them", err)
		return c
	}
	// Every start makes the key where there is none, so a database without one has lost it.
	_, data := os.Stat(filepath.Join(cfg.Data, sqlite.FileName))
	if _, key := os.Stat(filepath.Join(cfg.Data, seal.KeyFile)); data == nil && errors.Is(key, fs.ErrNotExist) {
		c.err = fmt.Errorf("%s is gone: put it back before the next start, which makes a new one. Without it, "+
			"credentials of tools and MCP servers and secrets of webhooks have to be given again", filepath.Join(cfg.Data, seal.KeyFile))
	}
	return c
}

// checkRuns looks at the runs that have not ended: each has a reason to wait, or a
// driver. It notes the projects that there are.
func (d *doctor) checkRuns(ctx context.Context, projects map[string]bool) []check {
	counts := map[run.Status]int{}
	var open []run.Summary
	var newest time.Time
	err := d.Recent(ctx, time.Time{}, func(line *run.Summary) {
		counts[line.Status]++
		projects[line.Project] = true
		if line.UpdatedAt.After(newest) {
			newest = line.UpdatedAt
		}
		if !line.Status.Terminal() && (d.deep || len(open) < sampledRuns) {
			open = append(open, *line)
		}
	})
	if err != nil {
		return []check{{what: "runs", err: err}}
	}
	clock := check{what: "clock", how: "goes on from what is stored"}
	if ahead := newest.Sub(d.now); ahead > clockSlip {
		clock.err = fmt.Errorf("what is stored is %v ahead of this machine's clock: set the clock, or ids and deadlines will be out of order", ahead.Round(time.Second))
	}
	var wrong, odd faults
	for i := range open {
		if err := d.checkOpen(ctx, &open[i], &wrong, &odd); err != nil {
			return []check{{what: "runs", err: err}}
		}
	}
	runs := check{what: "runs", how: counted(counts), err: wrong.err()}
	if err := odd.err(); err != nil && runs.err == nil {
		runs.warn, runs.how = true, runs.how+"; "+err.Error()
	}
	return []check{runs, clock}
}

// checkOpen looks at one run that has not ended.
func (d *doctor) checkOpen(ctx context.Context, line *run.Summary, wrong, odd *faults) error {
	events, err := d.Load(ctx, line.ID, 0, 0)
	if err != nil || len(events) == 0 {
		return err // it was deleted meanwhile
	}
	name := shownRun(line.ID)
	x := explain.Of(line.ID, events, d.now)
	s := &x.State
	switch {
	case s.Ended != nil:
		return nil // meanwhile
	case x.Stuck:
		wrong.add("%s is %s, and nothing would move it", name, line.Status)
	case s.Live() && d.served && d.now.Sub(s.UpdatedAt) > silent && !s.Queued:
		odd.add("nothing has happened in %s for %v: %s", name, d.now.Sub(s.UpdatedAt).Round(time.Minute), x.Why())
	case d.served && !s.Paused && len(s.Lapsed(d.now.Add(-late))) > 0:
		wrong.add("an approval of %s has lapsed and was not booked", name)
	}
	if parent := s.Spec.Parent; parent != nil && s.Cancel == nil {
		above, err := d.Summary(ctx, parent.Run)
		if problem.Is(err, problem.NotFound) || err == nil && (above.Deleted || above.Status.Terminal()) {
			odd.add("%s works for %s, which has ended: it is cancelled when it is taken up", name, shownRun(parent.Run))
		} else if err != nil {
			return err
		}
	}
	return d.checkChildren(ctx, x.Waits, name, wrong)
}

// checkChildren looks whether a run waits for one that has ended.
func (d *doctor) checkChildren(ctx context.Context, waits []explain.Wait, name string, wrong *faults) error {
	for _, w := range waits {
		if w.For != explain.Child || w.Run == nil {
			continue
		}
		child, err := d.Summary(ctx, *w.Run)
		if err != nil && !problem.Is(err, problem.NotFound) {
			return err
		}
		if err != nil || child.Deleted || child.Status.Terminal() && d.now.Sub(child.UpdatedAt) > late {
			wrong.add("%s waits for %s, which has ended", name, shownRun(*w.Run))
		}
	}
	return nil
}

func (d *doctor) checkLogs(ctx context.Context) check {
	most := sampledLogs
	if d.deep {
		most = 0
	}
	looked, err := checkLogs(ctx, d.keeper, most)
	how := fmt.Sprintf("the newest %d fold to what lists say; --deep reads all", looked)
	if d.deep {
		how = fmt.Sprintf("all %d fold to what lists say", looked)
	}
	return check{what: "logs", how: how, err: err}
}

func (d *doctor) checkJobs(ctx context.Context) check {
	jobs, err := d.Jobs(ctx, sampledRuns)
	c := check{what: "jobs", err: err}
	overdue, failed := 0, 0
	for i := range jobs {
		if d.now.Sub(jobs[i].Due) > late {
			overdue++
		}
		if jobs[i].Tries > 0 {
			failed++
		}
	}
	c.how = fmt.Sprintf("%d waiting, %d overdue, %d tried before", len(jobs), overdue, failed)
	if c.warn = d.served && overdue > 0; !d.served && overdue > 0 {
		c.how += "; they are done at the next start"
	}
	return c
}

// checkHolds looks at the room that model calls under way have in budgets: where a
// server works, each belongs to a run at work.
func (d *doctor) checkHolds(ctx context.Context, projects map[string]bool) check {
	c := check{what: "budgets"}
	held := 0
	var left faults
	for project := range projects {
		holds, err := d.Rows(ctx, run.RowQuery{Kind: run.HoldKind, Project: project})
		if err != nil {
			return check{what: c.what, err: err}
		}
		held += len(holds)
		for i := range holds {
			name, _, _ := strings.Cut(holds[i].ID, "/")
			id, err := run.ParseID(name)
			if err != nil {
				continue
			}
			line, err := d.Summary(ctx, id)
			if err == nil && d.served && !line.Live && d.now.Sub(line.UpdatedAt) > late {
				left.add("that of %s belongs to no call", shownRun(id))
			}
		}
	}
	c.how = fmt.Sprintf("%d reservations", held)
	if err := left.err(); err != nil {
		c.warn, c.how = true, c.how+"; "+err.Error()
	}
	if !d.served && held > 0 {
		c.how += ", which are charged in full at the next start"
	}
	return c
}

func (d *doctor) checkAudit(ctx context.Context) check {
	how, err := checkAudit(ctx, d.keeper)
	return check{what: "audit", how: how, err: err}
}

func (d *doctor) checkPages(ctx context.Context, dir string) check {
	damage, err := sqlite.Faults(ctx, filepath.Join(dir, sqlite.FileName))
	c := check{what: "database", how: "every page is sound", err: err}
	if len(damage) > 0 {
		c.err = fmt.Errorf("it is damaged: %v. Restore a backup", damage)
	} else if has, err := d.Stock(ctx); err != nil || has.Orphans > 0 {
		c.err = errors.Join(err, fmt.Errorf("%d events belong to no run", has.Orphans))
	}
	return c
}
