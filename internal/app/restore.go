package app

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	indexfile "errand/internal/index/sqlite"
	"errand/internal/run"
	"errand/internal/store/sqlite"
)

type restoreCommand struct {
	settingFlags
	Source string `arg:"" name:"backup" type:"path" help:"Directory or .tar file that errand backup has made."`
	Check  bool   `help:"Only look whether the backup is whole and sound; restore nothing."`
	Aside  bool   `name:"without-unreadable" help:"Set runs aside that can't be read, in a file beside the database, instead of restoring nothing."`
	GoOn   bool   `help:"Let runs go on that could repeat what was done after the backup was made, instead of pausing them."`
}

// Help is the command's longer help.
func (restoreCommand) Help() string {
	return `Makes a data directory of a backup. The directory must be empty or not there: nothing is
overwritten, and nothing is left in it if the backup turns out to be damaged.

A backup is a moment in the past. What runs did after it, they do not know: a run that could
do something again which must not be done twice (its tools have the class once) is restored
paused. Look what has happened, then let it go on with errand runs resume, or cancel it. Runs
with other tools go on by themselves at the next start.

Where a run can't be read, nothing is restored, and the run is named. --without-unreadable restores
all others, keeps what is stored of these as it is in ` + asideName + ` in the data directory, and
leaves a line in the audit log for each.`
}

// Run restores a backup, or looks at it.
func (c *restoreCommand) Run(ctx context.Context, p *process) error {
	cfg, err := p.settings(c.flags())
	if err != nil {
		return err
	}
	target := filepath.Clean(cfg.Data)
	if entries, err := os.ReadDir(target); !c.Check && len(entries) > 0 {
		return usage(fmt.Errorf("%s is not empty, and a restore overwrites nothing; name another directory with --data", target))
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	beside := filepath.Dir(target)
	if c.Check {
		beside = "" // wherever temporary files go
	} else if err := os.MkdirAll(beside, 0o700); err != nil {
		return err
	}
	stage, err := os.MkdirTemp(beside, ".errand-restore-")
	if err != nil {
		return fmt.Errorf("restoring: %w", err)
	}
	defer os.RemoveAll(stage)
	m, err := unpack(ctx, c.Source, stage)
	if err != nil {
		return fmt.Errorf("the backup %s can't be used: %w", c.Source, err)
	}
	p.print("Backup of %s by errand %s: %d files, each as the list says.\n", m.Made.Format(time.RFC3339), m.Version, len(m.Files))
	held, err := c.examine(ctx, p, stage)
	if err != nil {
		return fmt.Errorf("the backup %s can't be used: %w", c.Source, err)
	}
	if c.Check {
		p.print("The backup is sound. Nothing was restored.\n")
		return nil
	}
	if err := os.Remove(target); err != nil && !errors.Is(err, fs.ErrNotExist) { // an empty directory
		return err
	}
	if err := errors.Join(os.Rename(stage, target), syncDir(filepath.Dir(target))); err != nil {
		return fmt.Errorf("putting the data into its place: %w", err)
	}
	if held > 0 {
		p.print("%d runs are paused, because they could do again what was done after the backup was made. "+
			"Look at each, then errand runs resume it or errand runs cancel it.\n", held)
	}
	p.print("Restored to %s. Start the server with errand serve --data %s\n", target, target)
	return nil
}

// examine checks everything in a restored directory, tells what is in it, and pauses
// what could do harm. It returns how many runs that were.
func (c *restoreCommand) examine(ctx context.Context, p *process, dir string) (held int, err error) {
	for _, name := range []string{sqlite.FileName, indexfile.FileName} {
		if _, err := os.Stat(filepath.Join(dir, name)); name == indexfile.FileName && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		damage, err := sqlite.Faults(ctx, filepath.Join(dir, name))
		if err != nil || damage != nil {
			return 0, errors.Join(err, fmt.Errorf("%s is damaged: %s", name, strings.Join(damage, "; ")))
		}
	}
	opened := sqlite.Config{Dir: dir, Now: p.now}
	folded, err := c.sift(ctx, p, opened)
	if err != nil {
		return 0, err
	}
	s, err := sqlite.Open(ctx, opened)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	has, err := s.Stock(ctx)
	if err != nil {
		return 0, err
	}
	lines, err := checkAudit(ctx, s)
	if err != nil {
		return 0, fmt.Errorf("audit log: %w", err)
	}
	files, err := checkFiles(ctx, s, storedFiles(dir), nil)
	if err != nil {
		return 0, fmt.Errorf("stored files: %w", err)
	}
	p.print("  runs    %s; %d logs read, each folds to its line\n", counted(has.Runs), folded)
	p.print("  events  %d; jobs %d\n", has.Events, has.Jobs)
	p.print("  objects %s\n", countedRows(has.Rows))
	p.print("  files   %d contents, each with the bytes of its digest\n", files)
	p.print("  audit   %s\n", lines)
	if c.Check || c.GoOn {
		return 0, nil
	}
	return holdRisky(ctx, s, p.now)
}

// sift looks for runs that can't be read, and refuses or sets them aside. It returns
// how many can be.
func (c *restoreCommand) sift(ctx context.Context, p *process, cfg sqlite.Config) (folded int, err error) {
	s, err := sqlite.Open(ctx, cfg)
	if err != nil {
		return 0, err
	}
	looked, found, err := brokenLogs(ctx, s, 0)
	if err = errors.Join(err, s.Close()); err != nil || len(found) == 0 {
		return looked, err
	}
	p.name(found)
	if !c.Aside {
		return 0, fmt.Errorf("%d of %d runs can't be read (above), and nothing is restored: %s restores the others, and keeps these as they are in %s",
			len(found), looked, asideFlag, asideName)
	}
	if c.Check {
		p.note("%d runs can't be read, and would be set aside.\n", len(found))
	} else {
		if err := setAside(ctx, cfg.Dir, cfg, found); err != nil {
			return 0, err
		}
		p.note("%d runs that can't be read are set aside in %s, and named in the audit log. What waits for one of them: cancel it.\n", len(found), asideName)
	}
	return looked - len(found), nil
}

// holdRisky pauses every run that has not ended and may call a tool that must not be
// called twice for the same thing.
func holdRisky(ctx context.Context, s *sqlite.Store, now func() time.Time) (held int, err error) {
	var ids []run.ID
	if err := s.Recent(ctx, time.Time{}, func(line *run.Summary) {
		if !line.Status.Terminal() {
			ids = append(ids, line.ID)
		}
	}); err != nil {
		return 0, err
	}
	for _, id := range ids {
		events, err := s.Load(ctx, id, 0, 0)
		if err != nil {
			return held, err
		}
		state := run.Fold(id, events)
		if state.Paused || state.Ended != nil || state.Cancel != nil || !risky(&state.Spec) {
			continue
		}
		pause := run.Event{
			Seq: state.Seq + 1, ID: rand.Uint64(), At: now().UTC().Truncate(time.Millisecond),
			Type: run.RunPaused, Actor: &run.Actor{By: "errand restore"},
		}
		expected := state.Seq
		state.Take(&pause)
		if err := s.Append(ctx, run.Commit{Runs: []run.Append{{ID: id, Expected: expected, Events: []run.Event{pause}, Summary: state.Summarize()}}}); err != nil {
			return held, fmt.Errorf("pausing %s: %w", shownRun(id), err)
		}
		held++
	}
	return held, nil
}

// risky reports whether a run may do what must not be done twice. A handoff's own
// call is safe: the run that it starts is asked for itself.
func risky(spec *run.Spec) bool {
	for i := range spec.Tools {
		if t := &spec.Tools[i]; t.Class == run.Once && !t.Function {
			return true
		}
	}
	return false
}

// unpack copies a backup into an empty directory, and holds each file against the
// backup's own list: no more, no less, to the byte.
func unpack(ctx context.Context, source, dir string) (*manifest, error) {
	info, err := os.Stat(source)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		err = os.CopyFS(dir, os.DirFS(source))
	} else {
		err = extract(source, dir)
	}
	if err = errors.Join(err, ctx.Err()); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err != nil {
		return nil, fmt.Errorf("it has no %s: errand backup has not made it, or was interrupted: %w", manifestName, err)
	}
	m := &manifest{}
	if err := json.Unmarshal(text, m); err != nil {
		return nil, fmt.Errorf("its %s can't be read: %w", manifestName, err)
	}
	if m.Format != 1 {
		return nil, fmt.Errorf("its format %d is newer than this program: use errand %s", m.Format, m.Version)
	}
	if err := os.Remove(filepath.Join(dir, manifestName)); err != nil {
		return nil, err
	}
	found, err := digestAll(dir)
	if err != nil {
		return nil, err
	}
	if err := compare(m.Files, found); err != nil {
		return nil, err
	}
	return m, filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Chmod(path, map[bool]fs.FileMode{true: 0o700, false: 0o600}[entry.IsDir()])
	})
}

func compare(listed, found []backupped) error {
	var wrong faults
	byPath := map[string]backupped{}
	for _, f := range found {
		byPath[f.Path] = f
	}
	for _, want := range listed {
		got, here := byPath[want.Path]
		delete(byPath, want.Path)
		switch {
		case !here:
			wrong.add("%s is missing", want.Path)
		case got != want:
			wrong.add("%s is not what was backed up: its digest differs", want.Path)
		}
	}
	for path := range byPath {
		wrong.add("%s is not in its list", path)
	}
	return wrong.err()
}

// pack writes the files of a backup into one tar file, the list first.
func pack(dir, target string, m *manifest) (err error) {
	file, err := os.OpenFile(target, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, file.Sync(), file.Close()); err != nil {
			err = errors.Join(err, os.Remove(target))
		}
	}()
	archive := tar.NewWriter(file)
	text, err := os.Stat(filepath.Join(dir, manifestName))
	if err != nil {
		return err
	}
	for _, f := range append([]backupped{{Path: manifestName, Size: text.Size()}}, m.Files...) {
		header := &tar.Header{Name: f.Path, Size: f.Size, Mode: 0o600, ModTime: m.Made, Format: tar.FormatPAX}
		if err := archive.WriteHeader(header); err != nil {
			return err
		}
		if err := copyInto(archive, filepath.Join(dir, f.Path)); err != nil {
			return err
		}
	}
	return archive.Close()
}

func copyInto(to io.Writer, path string) error {
	source, err := os.Open(path)
	if err != nil {
		return err
	}
	defer source.Close()
	_, err = io.Copy(to, source)
	return err
}

// extract unpacks a tar file: plain files with names of their own below dir, nothing
// else, so that a forged one writes nowhere but there.
func extract(source, dir string) error {
	file, err := os.Open(source)
	if err != nil {
		return err
	}
	defer file.Close()
	archive := tar.NewReader(file)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("it is no whole tar file: %w", err)
		}
		if header.Typeflag != tar.TypeReg || !filepath.IsLocal(header.Name) {
			return fmt.Errorf("it has %q, which is no file of a backup", header.Name)
		}
		if err := writeFrom(filepath.Join(dir, filepath.FromSlash(header.Name)), archive); err != nil {
			return err
		}
	}
}
