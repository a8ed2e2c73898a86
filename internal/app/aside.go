package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"errand/internal/problem"
	"errand/internal/run"
	"errand/internal/store"
	"errand/internal/store/sqlite"
)

// asideName is the file of runs that a restore has set aside: their records as they
// are stored, one a line, for whoever can make something of them.
const asideName = "set-aside.jsonl"

// asideFlag is the flag that sets them aside.
const asideFlag = "--without-unreadable"

// name tells which runs can't be read, and why.
func (p *process) name(found []broken) {
	for _, b := range found {
		p.note("  %s: %s\n", shownRun(b.id), printable(b.why.Error()))
	}
}

// setAside moves runs that can't be read out of a restored directory into a file
// beside its database, and says so in the audit log. The file is on disk before
// anything is taken out.
func setAside(ctx context.Context, dir string, cfg sqlite.Config, found []broken) error {
	if err := copyAside(ctx, dir, cfg, found); err != nil {
		return err
	}
	ids := make([]run.ID, len(found))
	for i := range found {
		ids[i] = found[i].id
	}
	return sqlite.Strike(ctx, dir, ids)
}

// copyAside writes the file and the lines of the audit log.
func copyAside(ctx context.Context, dir string, cfg sqlite.Config, found []broken) (err error) {
	s, err := sqlite.Open(ctx, cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	file, err := os.OpenFile(filepath.Join(dir, asideName), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("setting runs aside: %w", err)
	}
	defer func() { err = errors.Join(err, file.Sync(), file.Close()) }()
	lines := json.NewEncoder(file)
	projects := make(map[run.ID]string, len(found)) // of those that are set aside: a damaged disk has many
	for _, b := range found {
		projects[b.id] = ""
	}
	for record, err := range s.Records(ctx) {
		if err != nil {
			return err
		}
		id := runOf(&record)
		if _, aside := projects[id]; !aside {
			continue
		}
		if record.Line != nil {
			projects[id] = record.Line.Project
		}
		if err := lines.Encode(record); err != nil {
			return fmt.Errorf("setting %s aside: %w", shownRun(id), err)
		}
	}
	commit := run.Commit{}
	for _, b := range found {
		data, _ := json.Marshal(map[string]string{"why": b.why.Error(), "file": asideName}) // of strings: it is always encoded
		commit.Audit = append(commit.Audit, run.Audit{
			At: cfg.Now(), Project: projects[b.id], ActorName: "errand restore", Action: "run.set_aside", Target: shownRun(b.id), Data: data,
		})
	}
	return s.Append(ctx, commit)
}

// runOf is the run that a record belongs to, or none.
func runOf(record *store.Record) run.ID {
	switch {
	case record.Line != nil:
		return record.Line.ID
	case record.Event != nil:
		return record.Event.Run
	case record.Job != nil:
		return record.Job.Run
	}
	return run.ID{}
}

// restorable looks whether a copy would be restored as it is, and says what would not.
func (p *process) restorable(ctx context.Context, dir string) (err error) {
	s, err := sqlite.Look(sqlite.Config{Dir: dir, Now: p.now})
	if problem.Is(err, problem.Conflict) { // of an earlier version, which a restore brings up to date
		p.note("Whether it can be restored was not looked at. %s\n", publicText(err))
		return nil
	}
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	_, found, err := brokenLogs(ctx, s, 0)
	if err != nil {
		return err
	}
	if _, err = checkAudit(ctx, s); err != nil {
		err = fmt.Errorf("audit log: %w", err)
	}
	if _, files := checkFiles(ctx, s, storedFiles(dir), nil); files != nil {
		err = errors.Join(err, fmt.Errorf("stored files: %w", files))
	}
	if len(found) > 0 {
		p.name(found)
		err = errors.Join(fmt.Errorf("%d runs can't be read (above): a restore needs %s", len(found), asideFlag), err)
	}
	return err
}
