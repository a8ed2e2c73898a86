package upgrade

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/e2e/rig"
)

// manifestName is the first entry of an archive; the others are the data directory.
const manifestName = "manifest.json"

// manifest says what the program that wrote a data directory showed of it.
type manifest struct {
	Format  int    `json:"format"` // the number of the last file in internal/store/sqlite/schema
	Index   int    `json:"index"`  // likewise in internal/index/schema; 0 = there was no index
	Program string `json:"program"`
	Secret  string `json:"secret"` // of the key ci
	// Runs are by what they are for.
	Runs map[string]past `json:"runs"`
	// Shown is what objects were, by the path that shows them.
	Shown map[string]json.RawMessage `json:"shown"`
	// Second is another project; nil where the program had one alone.
	Second *project `json:"second,omitempty"`
}

// project is a project beside the first, with a run that waits for a person.
type project struct {
	Secret string `json:"secret"` // of a key that may do all in it
	Run    past   `json:"run"`
}

// past is a run as it was.
type past struct {
	ID     string `json:"id"`
	Status string `json:"status"`
	Events int    `json:"events"` // in the database, after the kill
	Digest string `json:"digest"` // of them, see logDigest
	// Run and Log are what the API said of it; of a run that the kill has cut, nothing.
	Run json.RawMessage `json:"run,omitempty"`
	Log json.RawMessage `json:"log,omitempty"`
}

// TestFixture makes a fixture, by the program that ERRAND_BINARY names, and writes
// it to the file that ERRAND_FIXTURE names. It is not a test: scripts/fixture.sh
// calls it.
func TestFixture(t *testing.T) {
	to := os.Getenv("ERRAND_FIXTURE")
	if to == "" {
		t.Skip("scripts/fixture.sh makes fixtures")
	}
	w := rig.New(t)
	m := live(t, w)
	copied := t.TempDir()
	if err := os.CopyFS(copied, os.DirFS(w.Data())); err != nil {
		t.Fatal(err)
	}
	m.Format, m.Index = version(t, filepath.Join(copied, "errand.db")), version(t, filepath.Join(copied, "index.db"))
	for name, run := range m.Runs {
		run.Events, run.Digest = logDigest(t, copied, run.ID, 0)
		m.Runs[name] = run
	}
	if m.Second != nil {
		run := &m.Second.Run
		run.Events, run.Digest = logDigest(t, copied, run.ID, 0)
	}
	if err := pack(to, m, w.Data()); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(to)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("format %d with %d runs in %d bytes", m.Format, len(m.Runs), info.Size())
	if info.Size() > 200<<10 {
		t.Errorf("%s has %d bytes: too many to keep beside the source", to, info.Size())
	}
}

// version reads the number of a database's schema; 0 where there is none.
func version(t *testing.T, path string) int {
	t.Helper()
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return 0
	}
	n := 0
	query(t, path, "PRAGMA user_version", func(stmt *sqlite.Stmt) { n = stmt.ColumnInt(0) })
	return n
}

// query reads from a database that nobody else has open.
func query(t *testing.T, path, text string, row func(*sqlite.Stmt), args ...any) {
	t.Helper()
	db, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	err = sqlitex.ExecuteTransient(db, text, &sqlitex.ExecOptions{Args: args, ResultFunc: func(stmt *sqlite.Stmt) error {
		row(stmt)
		return nil
	}})
	if err := errors.Join(err, db.Close()); err != nil {
		t.Fatal(err)
	}
}

// logDigest counts the stored events of a run and digests their bytes; the first
// few alone where only is not 0.
func logDigest(t *testing.T, dir, id string, only int) (events int, digest string) {
	t.Helper()
	key, err := hex.DecodeString(id[strings.LastIndexAny(id, "_-")+1:])
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.New()
	query(t, filepath.Join(dir, "errand.db"), "SELECT seq, id, at, type, data FROM events WHERE run = ? ORDER BY seq", func(stmt *sqlite.Stmt) {
		if only > 0 && events == only {
			return
		}
		events++
		data := make([]byte, stmt.ColumnLen(4))
		stmt.ColumnBytes(4, data)
		fmt.Fprintf(sum, "%d %d %d %s %d %s\n", stmt.ColumnInt64(0), stmt.ColumnInt64(1), stmt.ColumnInt64(2), stmt.ColumnText(3), len(data), data)
	}, key)
	return events, hex.EncodeToString(sum.Sum(nil))
}

// pack writes an archive.
func pack(to string, m manifest, dir string) (err error) {
	file, err := os.Create(to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	squeezed, err := gzip.NewWriterLevel(file, gzip.BestCompression)
	if err != nil {
		return err
	}
	archive := tar.NewWriter(squeezed)
	text, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		return err
	}
	if err := entry(archive, manifestName, text); err != nil {
		return err
	}
	err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		name, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		return entry(archive, "data/"+filepath.ToSlash(name), text)
	})
	return errors.Join(err, archive.Close(), squeezed.Close())
}

func entry(archive *tar.Writer, name string, text []byte) error {
	if err := archive.WriteHeader(&tar.Header{Name: name, Mode: 0o600, Size: int64(len(text))}); err != nil {
		return err
	}
	_, err := archive.Write(text)
	return err
}

// unpack makes a data directory of an archive.
func unpack(t *testing.T, from, dir string) manifest {
	t.Helper()
	packed, err := os.ReadFile(from)
	if err != nil {
		t.Fatal(err)
	}
	squeezed, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	var m manifest
	for archive := tar.NewReader(squeezed); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return m
		}
		var text []byte
		if err == nil {
			text, err = io.ReadAll(archive)
		}
		switch name, ofData := strings.CutPrefix(header.Name, "data/"); {
		case err != nil:
		case !ofData:
			err = json.Unmarshal(text, &m)
		default:
			path := filepath.Join(dir, filepath.FromSlash(name))
			if err = os.MkdirAll(filepath.Dir(path), 0o700); err == nil {
				err = os.WriteFile(path, text, 0o600)
			}
		}
		if err != nil {
			t.Fatalf("%s: %s: %v", from, header.Name, err)
		}
	}
}

// formats are the fixtures that there are, by their number.
func formats(t *testing.T) map[int]string {
	t.Helper()
	found, err := filepath.Glob("testdata/format-*.tar.gz")
	if err != nil {
		t.Fatal(err)
	}
	all := map[int]string{}
	for _, path := range found {
		n, err := strconv.Atoi(strings.TrimSuffix(strings.TrimPrefix(filepath.Base(path), "format-"), ".tar.gz"))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		all[n] = path
	}
	return all
}
