package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	indexfile "errand/internal/index/sqlite"
	"errand/internal/seal"
	"errand/internal/store/sqlite"
)

type backupCommand struct {
	settingFlags
	Target string `arg:"" name:"target" type:"path" help:"Directory to make, or a file that ends in .tar."`
}

// Help is the command's longer help.
func (backupCommand) Help() string {
	return `Copies the data directory as it is at one moment, while the server runs or not: runs, agents,
keys, files, the search index, and the key that opens sealed credentials. The settings file and
the environment are not in it.

A backup holds secrets: whoever has it can use what is sealed in it. It can be read by its
owner alone (mode 0600); keep it as you keep passwords.

Errand restore makes a data directory of it. Examples:

  errand backup /backups/errand-monday
  errand backup --data /var/lib/errand /backups/errand.tar`
}

// manifestName is the list of what a backup has. It is written last: without it a
// backup is not whole.
const manifestName = "backup.json"

// manifest says what is in a backup.
type manifest struct {
	Format  int         `json:"format"` // 1
	Made    time.Time   `json:"made"`
	Version string      `json:"version"` // of Errand
	Files   []backupped `json:"files"`
}

// backupped is one file of a backup.
type backupped struct {
	Path   string `json:"path"` // with slashes, within the backup
	Size   int64  `json:"size"`
	SHA256 string `json:"sha256"`
}

// Run makes a backup.
func (c *backupCommand) Run(ctx context.Context, p *process) error {
	cfg, err := p.settings(c.flags())
	if err != nil {
		return err
	}
	if cfg.Postgres() {
		return usage(errors.New("this server keeps its runs in PostgreSQL: copy the database with pg_dump, files and the search index included, " +
			"and seal.key from the data directory of a node. ERRAND_STORE=sqlite copies what is in the data directory alone"))
	}
	if _, err := os.Stat(filepath.Join(cfg.Data, sqlite.FileName)); err != nil {
		return usage(fmt.Errorf("there is no database in %s; name the data directory with --data", cfg.Data))
	}
	if _, err := os.Lstat(c.Target); err == nil {
		return usage(fmt.Errorf("%s is there already; name another place: a backup overwrites nothing", c.Target))
	}
	if below(cfg.Data, c.Target) {
		return usage(fmt.Errorf("%s is in the data directory itself; name a place outside of it, best on another disk", c.Target))
	}
	stage, err := os.MkdirTemp(filepath.Dir(c.Target), "."+filepath.Base(c.Target)+".unfinished-") // mode 0700
	if err != nil {
		return fmt.Errorf("making the backup: %w", err)
	}
	defer os.RemoveAll(stage)
	if err := copyData(ctx, cfg.Data, stage); err != nil {
		return err
	}
	if damage, err := sqlite.Faults(ctx, filepath.Join(stage, sqlite.FileName)); err != nil || damage != nil {
		return errors.Join(err, fmt.Errorf("the database is damaged, and no backup was made: %s. Run errand doctor --deep", strings.Join(damage, "; ")))
	}
	unsound := p.restorable(ctx, stage) // a copy of what is left is better than none
	if ctx.Err() != nil {
		return ctx.Err()
	}
	made, err := list(stage, p.now())
	if err != nil {
		return err
	}
	if strings.HasSuffix(c.Target, ".tar") {
		err = pack(stage, c.Target, made)
	} else {
		err = os.Rename(stage, c.Target)
	}
	if err = errors.Join(err, syncDir(filepath.Dir(c.Target))); err != nil {
		return fmt.Errorf("putting the backup into its place: %w", err)
	}
	size := int64(0)
	for _, f := range made.Files {
		size += f.Size
	}
	p.print("Backed up %s to %s: %d files, %s.\n", cfg.Data, c.Target, len(made.Files), byteCount(size))
	p.note("%s It holds every run, and the key (%s) that opens the credentials in it. Keep it as you keep passwords.\n",
		p.bold("THE BACKUP HOLDS SECRETS."), seal.KeyFile)
	if unsound != nil {
		return fmt.Errorf("the backup is made, and would not be restored as it is: %w", unsound)
	}
	return nil
}

// below reports whether path is dir or in it.
func below(dir, path string) bool {
	here, err := filepath.Abs(dir)
	there, err2 := filepath.Abs(path)
	if err != nil || err2 != nil {
		return false
	}
	relative, err := filepath.Rel(here, there)
	return err == nil && relative != ".." && !strings.HasPrefix(relative, ".."+string(filepath.Separator))
}

// copyData copies a data directory that may be in use. Stored files are copied before
// the database and once more after it: of those that the copied database knows, one
// that is deleted meanwhile is in the first copy, and a new one in the second. What
// the database does not know is harmless.
func copyData(ctx context.Context, from, to string) error {
	if err := copyStored(ctx, from, to); err != nil {
		return err
	}
	for _, name := range []string{sqlite.FileName, indexfile.FileName} {
		err := sqlite.Copy(ctx, filepath.Join(from, name), filepath.Join(to, name))
		if errors.Is(err, fs.ErrNotExist) && name == indexfile.FileName {
			continue
		}
		if err != nil {
			return err
		}
	}
	if err := copyStored(ctx, from, to); err != nil {
		return err
	}
	if err := copyFile(filepath.Join(from, seal.KeyFile), filepath.Join(to, seal.KeyFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// list writes what a copy has into its list, which makes it whole.
func list(to string, now time.Time) (*manifest, error) {
	m := &manifest{Format: 1, Made: now.UTC().Truncate(time.Second), Version: version()}
	var err error
	if m.Files, err = digestAll(to); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return nil, err
	}
	return m, writeSynced(filepath.Join(to, manifestName), text)
}

// copyStored copies those stored files that are not copied yet; what is just being
// received is none.
func copyStored(ctx context.Context, from, to string) error {
	root := filepath.Join(from, "files")
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // there are none, or it was deleted this moment
		case err != nil:
			return err
		case entry.IsDir() && path == filepath.Join(root, "new"):
			return filepath.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		relative, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		err = copyFile(path, filepath.Join(to, relative))
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrExist) {
			err = nil
		}
		return errors.Join(err, ctx.Err())
	})
}

// copyFile copies a file, for its owner alone, and returns when it is on disk. Errors
// are fs.ErrExist where the copy is there, and fs.ErrNotExist where nothing is.
func copyFile(from, to string) (err error) {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	return writeFrom(to, source)
}

// writeFrom makes a file, and its directory, for the owner alone.
func writeFrom(path string, source io.Reader) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(file, source)
	return errors.Join(err, file.Sync(), file.Close())
}

func writeSynced(path string, text []byte) error {
	if err := writeFrom(path, strings.NewReader(string(text))); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}

// digestAll lists a directory's files, in the order of their paths.
func digestAll(dir string) (all []backupped, err error) {
	err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		relative, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		sum, size, err := digestOf(path)
		all = append(all, backupped{Path: filepath.ToSlash(relative), Size: size, SHA256: sum})
		return err
	})
	slices.SortFunc(all, func(a, b backupped) int { return strings.Compare(a.Path, b.Path) })
	return all, err
}

func digestOf(path string) (sum string, size int64, err error) {
	file, err := os.Open(path)
	if err != nil {
		return "", 0, err
	}
	defer file.Close()
	return digestFrom(file)
}

func digestFrom(content io.Reader) (sum string, size int64, err error) {
	hash := sha256.New()
	size, err = io.Copy(hash, content)
	return hex.EncodeToString(hash.Sum(nil)), size, err
}

// byteCount tells a size to people.
func byteCount(n int64) string {
	switch {
	case n >= 1e9:
		return fmt.Sprintf("%.1f GB", float64(n)/1e9)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", float64(n)/1e6)
	}
	return fmt.Sprintf("%d kB", (n+999)/1000)
}
