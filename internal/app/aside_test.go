package app

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	zombiezen "zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/internal/run"
	"errand/internal/store/sqlite"
)

// TestOneUnreadableRun: a run that can't be read is named by the backup and by the
// restore, which restores nothing; told so, it restores all the others, keeps what is
// stored of that one to the byte, and the audit log says so.
func TestOneUnreadableRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	data, backup, target := filepath.Join(w.dir, "data"), filepath.Join(w.dir, "backup"), filepath.Join(w.dir, "restored")
	good, bad := twoRuns(t, data)

	code, _, errs := w.run("backup", "--data", data, backup)
	if code != 1 || !strings.Contains(errs, shownRun(bad)) || !strings.Contains(errs, asideFlag) || strings.Contains(errs, shownRun(good)) {
		t.Errorf("the backup: %d %s", code, errs)
	}
	code, _, errs = w.run("restore", "--data", target, backup)
	if code != 1 || !strings.Contains(errs, shownRun(bad)) || !strings.Contains(errs, asideFlag) || strings.Contains(errs, shownRun(good)) {
		t.Errorf("the restore: %d %s", code, errs)
	}
	if _, err := os.Stat(target); err == nil {
		t.Error("something was restored")
	}
	if code, _, errs = w.run("restore", asideFlag, "--data", target, backup); code != 0 || !strings.Contains(errs, shownRun(bad)) {
		t.Fatalf("the restore without it: %d %s", code, errs)
	}
	kept, err := os.ReadFile(filepath.Join(target, asideName))
	if err != nil || strings.Count(string(kept), "\n") != 2 || !strings.Contains(string(kept), `"Data":"e1VOUkVBREFCTEU="`) {
		t.Errorf("set aside is %s, %v", kept, err)
	}
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: target})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if looked, found, err := brokenLogs(t.Context(), s, 0); looked != 1 || len(found) > 0 || err != nil {
		t.Errorf("of %d runs %v can't be read: %v", looked, found, err)
	}
	if _, err := s.Summary(t.Context(), bad); err == nil {
		t.Error("the run that can't be read is still there")
	}
	lines, err := s.Audits(t.Context(), "p", 0, 0)
	if err != nil || len(lines) != 1 || lines[0].Action != "run.set_aside" || lines[0].Target != shownRun(bad) {
		t.Errorf("the audit log has %+v, %v", lines, err)
	}
	if _, err := checkAudit(t.Context(), s); err != nil {
		t.Error(err)
	}
}

// twoRuns makes a data directory with one run that can be read and one that can't.
func twoRuns(t *testing.T, dir string) (good, bad run.ID) {
	t.Helper()
	now := time.Date(2026, 6, 11, 12, 0, 0, 0, time.UTC)
	s, err := sqlite.Open(t.Context(), sqlite.Config{Dir: dir, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	good, bad = run.NewID(now, 1, 1), run.NewID(now, 2, 2)
	for _, id := range []run.ID{good, bad} {
		logged(t, s, id, now, run.Event{Type: run.RunCreated, Created: &run.Created{Spec: run.Spec{Project: "p", Model: "m", Limits: run.Limits{MaxSteps: 8}}}})
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	conn, err := zombiezen.OpenConn(filepath.Join(dir, sqlite.FileName), zombiezen.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.Execute(conn, "UPDATE events SET data = ? WHERE run = ?", &sqlitex.ExecOptions{Args: []any{[]byte("{UNREADABLE"), bad[:]}}); err != nil {
		t.Fatal(err)
	}
	return good, bad
}
