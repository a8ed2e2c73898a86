//go:build unix

package app

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"errand/internal/run"
	"errand/internal/store"
	"errand/internal/store/postgres/pgtest"
)

// TestPostgres moves a server's data to PostgreSQL and goes on with it there: the keys
// work, the runs are there, new ones are made, and no other store is left to go on with.
func TestPostgres(t *testing.T) {
	server := pgtest.Start(t, pgtest.Options{NoSync: true})
	dsn := server.Database(t)
	w := newWorld(t)
	s := w.serve()
	var agent struct{ ID string }
	s.asks("POST", "/v1/agents", `{"name":"clerk","model":"default","instructions":"Be brief.","tools":[]}`, &agent)
	made := func(s *served) string {
		t.Helper()
		var created struct{ ID string }
		s.asks("POST", "/v1/runs", `{"model":"default","prompt":"hello"}`, &created)
		if created.ID == "" {
			t.Fatal("no run was made")
		}
		return created.ID
	}
	before := made(s)
	page := w.file("page.txt", "what the file says")
	remote := w.with("ERRAND_URL="+s.url, "ERRAND_API_KEY="+adminKey)
	code, out, errs := remote.run("files", "put", page)
	if code != 0 {
		t.Fatal(out, errs)
	}
	id := regexp.MustCompile(`file_[0-9a-f]+`).FindString(out)
	if code, _, errs := w.run("migrate", "--to", dsn); code != exitFailed || !strings.Contains(errs, "pid ") {
		t.Errorf("copying what a server has open: exit %d, %s", code, errs)
	}
	s.stop()
	if code, out, errs := w.run("migrate", "--to", dsn); code != 0 || !strings.Contains(out, "runs") || !strings.Contains(out, movedName) {
		t.Fatalf("exit %d, %s%s", code, out, errs)
	}
	if _, err := os.Stat(filepath.Join(w.dir, "data", "errand.db")); err == nil {
		t.Error("the old database is still where a server would take it up")
	}
	moved := w.with("ERRAND_STORE=" + dsn)
	for range 2 { // and once more, from what the first one has written
		s := moved.serve()
		s.hasMoved(before, id)
		made(s)
		if code := s.stop(); code != 0 || strings.Contains(s.errs.String(), "level=ERROR") {
			t.Errorf("exit %d: %s", code, s.errs)
		}
	}
	if code, out, errs := moved.run("doctor"); code != 0 || !strings.Contains(out, "PostgreSQL 1") {
		t.Errorf("doctor: exit %d\n%s%s", code, out, errs)
	}
	if code, _, errs := moved.run("backup", filepath.Join(w.dir, "backup")); code != exitUsage || !strings.Contains(errs, "pg_dump") {
		t.Errorf("backup: exit %d, %s", code, errs)
	}
	stranger := newWorld(t).with("ERRAND_STORE=" + dsn)
	if code, _, errs := stranger.run("serve", "--addr", "127.0.0.1:0"); code != exitFailed || !strings.Contains(errs, "seal.key") {
		t.Errorf("a node with another key: exit %d, %s", code, errs)
	}
	fresh := newWorld(t)
	fresh.serve().stop()
	if code, _, errs := fresh.run("migrate", "--to", dsn); code != exitFailed || !strings.Contains(errs, "not empty") {
		t.Errorf("copying into a database that is in use: exit %d, %s", code, errs)
	}
}

// hasMoved checks that a run, an agent and a file of before are there.
func (s *served) hasMoved(runID, fileID string) {
	s.t.Helper()
	for path, want := range map[string]string{
		"/readyz": "ready", "/v1/runs/" + runID: runID, "/v1/agents": "clerk", "/v1/files/" + fileID + "/content": "what the file says",
	} {
		if status, body := s.send("GET", path, ""); status != 200 || !strings.Contains(body, want) {
			s.t.Errorf("GET %s: %d %s, want %q", path, status, body, want)
		}
	}
}

// TestCensus finds what is missing and what was changed on the way.
func TestCensus(t *testing.T) {
	records := func(titles ...string) *census {
		all := newCensus()
		for i, title := range titles {
			if err := all.add(&store.Record{Line: &run.Summary{ID: run.ID{byte(i + 1)}, Title: title}}); err != nil {
				t.Fatal(err)
			}
		}
		return all
	}
	sent := records("one", "a\x00zero", "three")
	for name, c := range map[string]struct {
		arrived *census
		says    string
	}{
		"all":     {records("one", "a\uFFFDzero", "three"), ""},
		"less":    {records("one", "a\uFFFDzero"), "2 of 3 runs"},
		"changed": {records("one", "a zero", "three"), "not what was sent"},
	} {
		err := sent.compare(c.arrived)
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
