package sqlite

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/problem"
	"errand/internal/run"
)

func TestPermissions(t *testing.T) {
	defer syscall.Umask(syscall.Umask(0))
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	// What an earlier, careless copy has left open is closed.
	if err := os.WriteFile(filepath.Join(dir, FileName), nil, 0o666); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: dir})
	before(t, s)
	wantMode(t, dir, 0o700)
	for _, name := range []string{FileName, FileName + "-wal", FileName + "-shm", lockName} {
		wantMode(t, filepath.Join(dir, name), 0o600)
	}
}

func wantMode(t *testing.T, path string, want fs.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s is %v, want %v", path, info.Mode().Perm(), want)
	}
}

// TestOpeningAgainWritesNothing: on a full disk a server can start, and read.
func TestOpeningAgainWritesNothing(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, FileName)
	s := open(t, Config{Dir: dir})
	before(t, s)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := open(t, Config{Dir: dir}).Close(); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != string(want) {
		t.Errorf("opening a store and closing it has changed its file (%v)", err)
	}
}

func TestStickyDirectoryStaysShared(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o777|fs.ModeSticky); err != nil {
		t.Fatal(err)
	}
	open(t, Config{Dir: dir})
	wantMode(t, dir, 0o777)
}

// holder is the environment variable that makes this test binary a process which
// holds a store, writes one run to it, and waits to be killed.
const holder = "ERRAND_TEST_HOLD"

func TestHold(t *testing.T) {
	dir := os.Getenv(holder)
	if dir == "" {
		t.Skip("only as the other process of TestSecondProcess")
	}
	s, err := Open(t.Context(), Config{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{begun(1)}}); err != nil {
		t.Fatal(err)
	}
	fmt.Println("\nholding")
	select {}
}

func TestSecondProcess(t *testing.T) {
	dir := t.TempDir()
	child := exec.Command(os.Args[0], "-test.run=^TestHold$")
	child.Env = append(os.Environ(), holder+"="+dir)
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	defer child.Wait()
	defer child.Process.Kill()
	lines := bufio.NewScanner(out)
	for lines.Scan() && lines.Text() != "holding" {
	}

	_, err = Open(t.Context(), Config{Dir: dir})
	if want := fmt.Sprintf("pid %d.", child.Process.Pid); !problem.Is(err, problem.Conflict) || !strings.Contains(err.Error(), want) {
		t.Fatalf("opening a held directory: %v, want a conflict that names %s", err, want)
	}
	if err := child.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	child.Wait()
	s := open(t, Config{Dir: dir})
	if _, err := s.Summary(t.Context(), begun(1).ID); err != nil {
		t.Errorf("what was acknowledged before kill -9: %v", err)
	}
}

// TestDurability holds the writer to the settings that promises rest on.
func TestDurability(t *testing.T) {
	s := open(t, Config{})
	for pragma, want := range map[string]string{
		"journal_mode": "wal", "synchronous": "2", "wal_autocheckpoint": "0",
	} {
		stmt, err := s.writer.conn.Prepare("PRAGMA " + pragma) // the writer is idle
		if err != nil {
			t.Fatal(err)
		}
		if got, err := sqlitex.ResultText(stmt); err != nil || got != want {
			t.Errorf("%s is %q, want %q; error %v", pragma, got, want, err)
		}
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	dir := t.TempDir()
	s := open(t, Config{Dir: dir})
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := openConn(filepath.Join(dir, FileName), 0)
	if err != nil {
		t.Fatal(err)
	}
	err = errors.Join(sqlitex.ExecuteTransient(conn, "PRAGMA user_version = 99", nil), conn.Close())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(t.Context(), Config{Dir: dir}); !problem.Is(err, problem.Conflict) {
		t.Errorf("got %v, want a conflict", err)
	}
}

// TestFull fills the file up to a limit of pages: writers are told, readers are
// not troubled, and all goes on when there is room.
func TestFull(t *testing.T) {
	s := open(t, Config{})
	before(t, s)
	limit := func(pages int) { // the writer is idle between commits
		if err := sqlitex.ExecuteTransient(s.writer.conn, fmt.Sprintf("PRAGMA max_page_count = %d", pages), nil); err != nil {
			t.Fatal(err)
		}
	}
	limit(1)
	fillUp(t, s)
	limit(1 << 30)
	if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{begun(1000)}}); err != nil {
		t.Errorf("with room again: %v", err)
	}
}

// fillUp writes until the store is full, and checks that what was acknowledged
// can be read while it is. It returns how many runs were.
func fillUp(t *testing.T, s *Store) (written uint64) {
	t.Helper()
	for written = 100; ; written++ {
		a := begun(written)
		a.Events[0].Created.Spec.Instructions = strings.Repeat("x", 20_000)
		err := s.Append(t.Context(), run.Commit{Runs: []run.Append{a}})
		if problem.Is(err, problem.StorageFull) {
			break
		}
		if err != nil || written > 900 {
			t.Fatalf("run %d: %v, want storage_full at some time", written, err)
		}
	}
	for n := uint64(100); n < written; n++ {
		if events, err := s.Load(t.Context(), begun(n).ID, 0, 0); err != nil || len(events) != 1 {
			t.Fatalf("run %d of a full store: %d events, error %v", n, len(events), err)
		}
	}
	if _, err := s.Runs(t.Context(), run.RunQuery{Project: "p", Limit: 10}); err != nil {
		t.Error(err)
	}
	return written
}

// TestFullDisk does it with a real disk of two megabytes, which takes root.
func TestFullDisk(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("errand", dir, "tmpfs", 0, "size=2m"); err != nil {
		t.Skipf("mounting a small disk: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 512<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, Config{Dir: filepath.Join(dir, "data")})
	before(t, s)
	count := fillUp(t, s)
	for range 5 { // it stays so, without harm
		if err := s.Append(t.Context(), run.Commit{Rows: []run.RowWrite{{Row: run.Row{Kind: "tool", ID: "big", Data: make([]byte, 40_000)}}}}); !problem.Is(err, problem.StorageFull) {
			t.Errorf("a full disk answers %v", err)
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := s.Append(t.Context(), run.Commit{Runs: []run.Append{begun(count)}}); err != nil {
		t.Errorf("with room again: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	s = open(t, Config{Dir: filepath.Join(dir, "data")})
	for n := uint64(100); n <= count; n++ {
		if _, err := s.Summary(t.Context(), begun(n).ID); err != nil {
			t.Fatalf("after a restart: %v", err)
		}
	}
}

// TestCheckpoints copies the log when a thousand pages wait, and cuts its file
// when that has grown too long.
func TestCheckpoints(t *testing.T) {
	s := open(t, Config{})
	mine := newCheckpointer(s.path, s.cfg.Logger)
	defer func() {
		if err := mine.close(); err != nil {
			t.Error(err)
		}
	}()
	write := func(id string, bytes int) {
		row := put(id, "", run.AnyVersion)
		row.Data = make([]byte, bytes)
		if err := s.Append(t.Context(), run.Commit{Rows: []run.RowWrite{row}}); err != nil {
			t.Fatal(err)
		}
	}
	write("small", 100<<10)
	size := fileSize(s.path)
	if err := mine.work(); err != nil || mine.count.Load() != 0 || fileSize(s.path) != size {
		t.Errorf("a short log was copied: %v", err)
	}
	write("large", 5<<20)
	if err := mine.work(); err != nil || mine.count.Load() != 1 || fileSize(s.path) < 5<<20 {
		t.Errorf("a long log was not copied: %v", err)
	}
	if fileSize(s.path+"-wal") < 5<<20 {
		t.Error("the log's file was cut though it may be used again")
	}
	mine.limit = 1 << 20
	write("large", 5<<20)
	if err := mine.work(); err != nil || fileSize(s.path+"-wal") != 0 {
		t.Errorf("the log's file has %d bytes: %v", fileSize(s.path+"-wal"), err)
	}
	if stats := s.Stats(); stats.FileBytes < 5<<20 || stats.FreeBytes%4096 != 0 {
		t.Errorf("stats: %+v", stats)
	}
}

// TestPlans holds every list to an index that has it in order.
func TestPlans(t *testing.T) {
	s := open(t, Config{})
	queries := []run.RunQuery{
		{}, {Pending: true}, {Agent: "a"}, {Agent: "a", Statuses: run.Statuses()[:2]}, {Dialect: "d"},
		{Statuses: run.Statuses()}, {Statuses: run.Statuses()[:1], Dialect: "d", Before: begun(1).ID, After: moment, Until: moment},
	}
	scans := []scan{{where: "live = 1"}, {where: "deleted = 0"}}
	for _, q := range queries {
		q.Project = "p"
		scans = append(scans, plan(&q)...)
	}
	for _, one := range scans {
		plan := explain(t, s, one.sql())
		if !strings.Contains(plan, "SEARCH") || strings.Contains(plan, "TEMP") || strings.Contains(plan, "SCAN") {
			t.Errorf("%s\n is answered by %s", one.where, plan)
		}
		if strings.Contains(one.where, "project") && !strings.Contains(plan, "project=?") {
			t.Errorf("%s\n walks all projects: %s", one.where, plan)
		}
	}
}

// TestRowPlans: rows are found by their keys and names, and what has expired by
// its own index.
func TestRowPlans(t *testing.T) {
	s := open(t, Config{})
	for sql, want := range map[string]string{
		"SELECT 1 FROM rows WHERE kind = ? AND project = ? AND id = ?" + unexpired:                  "PRIMARY KEY (kind=? AND project=? AND id=?)",
		"SELECT 1 FROM rows WHERE kind = ? AND project = ? AND name = ? AND name <> ''" + unexpired: "rows_name (kind=? AND project=? AND name=?)",
		"SELECT 1 FROM rows WHERE expires > 0 AND expires <= ? ORDER BY expires LIMIT 5":            "rows_expires (expires>? AND expires<?)",
	} {
		if plan := explain(t, s, sql); !strings.Contains(plan, want) || strings.Contains(plan, "TEMP") {
			t.Errorf("%s\n is answered by %s", sql, plan)
		}
	}
}

func explain(t *testing.T, s *Store, sql string) (plan string) {
	t.Helper()
	err := s.readers.use(t.Context(), func(conn *sqlite.Conn) error {
		stmt, err := conn.Prepare("EXPLAIN QUERY PLAN " + sql)
		if err != nil {
			return err
		}
		defer stmt.Reset()
		for {
			if found, err := stmt.Step(); err != nil || !found {
				return err
			}
			plan += stmt.ColumnText(3) + "; "
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// TestSweep: what has expired does not only hide, it leaves the file.
func TestSweep(t *testing.T) {
	now := moment
	s := open(t, Config{Now: func() time.Time { return now }}) // read between commits only
	for n := range 10 {
		row := put(fmt.Sprint(n), "", 0)
		row.Expires = moment.Add(time.Hour)
		if err := s.Append(t.Context(), run.Commit{Rows: []run.RowWrite{row}}); err != nil {
			t.Fatal(err)
		}
	}
	now = moment.Add(time.Hour)
	if err := s.Append(t.Context(), run.Commit{Rows: []run.RowWrite{put("kept", "", 0)}}); err != nil {
		t.Fatal(err)
	}
	if got := census(t, s); got != "0 0 0 0 1 0 0 0 " {
		t.Errorf("left are %s, want one row", got)
	}
}

// TestLongScan filters what no index answers, over several read transactions.
func TestLongScan(t *testing.T) {
	s := open(t, Config{})
	const count = 2*scanRows + 10
	var c run.Commit
	for n := range uint64(count) {
		a := begun(n + 1)
		if n%scanRows == 0 {
			a.Summary.Dialect = "rare"
		}
		c.Runs = append(c.Runs, a)
	}
	if err := s.Append(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	lines, err := s.Runs(t.Context(), run.RunQuery{Project: "p", Dialect: "rare", Statuses: []run.Status{run.Running}})
	if err != nil || len(lines) != 3 {
		t.Errorf("%d runs found, want 3; error %v", len(lines), err)
	}
	if all, err := s.Runs(t.Context(), run.RunQuery{Project: "p"}); err != nil || len(all) != count {
		t.Errorf("%d runs in all, want %d; error %v", len(all), count, err)
	}
	if ids, err := s.Live(t.Context()); err != nil || len(ids) != count || ids[0] != begun(1).ID {
		t.Errorf("%d live runs, want %d, oldest first; error %v", len(ids), count, err)
	}
}
