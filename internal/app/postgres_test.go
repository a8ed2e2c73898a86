//go:build unix

package app

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

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
	remote.plays(0, []string{"index", "add", w.shelf("handbook", handbook())}, `"documents": 3`)
	if code, _, errs := w.run("migrate", "--to", dsn); code != exitFailed || !strings.Contains(errs, "pid ") {
		t.Errorf("copying what a server has open: exit %d, %s", code, errs)
	}
	s.stop()
	if code, out, errs := w.run("migrate", "--to", dsn); code != 0 || !strings.Contains(out, "runs") || !strings.Contains(out, movedName) || !strings.Contains(out, "3 documents of the search index") {
		t.Fatalf("exit %d, %s%s", code, out, errs)
	}
	for _, name := range []string{"errand.db", "index.db"} {
		if _, err := os.Stat(filepath.Join(w.dir, "data", name)); err == nil {
			t.Errorf("the old %s is still where a server would take it up", name)
		}
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
	moved.damaged(dsn)
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

// damaged damages what is stored of files, one way after the other, and asks the doctor.
func (w *world) damaged(dsn string) {
	w.t.Helper()
	conn, err := pgx.Connect(w.t.Context(), dsn)
	if err != nil {
		w.t.Fatal(err)
	}
	defer conn.Close(context.Background())
	w.plays(0, []string{"doctor", "--deep"}, "1 contents, each with the bytes of its digest")
	for _, c := range []struct{ harm, says, mend string }{
		{"UPDATE blob_parts SET data = 'what the file sayz'", "are damaged", "UPDATE blob_parts SET data = 'what the file says'"},
		{"UPDATE blob_parts SET data = 'what'", "some are missing", "UPDATE blob_parts SET data = 'what the file says'"},
		{"UPDATE blob_parts SET part = 1", "are not there", "UPDATE blob_parts SET part = 0"},
		{"UPDATE rows SET data = convert_to(replace(convert_from(data, 'UTF8'), '\"size\":18', '\"size\":19'), 'UTF8') WHERE kind = 'file'", "are 18, and it says 19",
			"UPDATE rows SET data = convert_to(replace(convert_from(data, 'UTF8'), '\"size\":19', '\"size\":18'), 'UTF8') WHERE kind = 'file'"},
		{"INSERT INTO blobs VALUES ('abcdef0123', 0)", "belong to no file", "DELETE FROM blobs WHERE digest = 'abcdef0123'"},
		{"INSERT INTO index_sources VALUES ('gone', 'idx_1', 'page', 'x', 'x', '', 0, 0)", "something of a project gone", "DELETE FROM index_sources WHERE project = 'gone'"},
	} {
		if _, err := conn.Exec(w.t.Context(), c.harm); err != nil {
			w.t.Fatal(err)
		}
		w.plays(exitFailed, []string{"doctor", "--deep"}, c.says)
		if _, err := conn.Exec(w.t.Context(), c.mend); err != nil {
			w.t.Fatal(err)
		}
	}
	if _, err := conn.Exec(w.t.Context(), "UPDATE index_projects SET bytes = bytes + 1"); err != nil {
		w.t.Fatal(err)
	}
	w.plays(exitFailed, []string{"doctor", "--deep"}, "the search index of default")
	w.plays(0, []string{"index", "add", w.shelf("other", handbook()), "--data", filepath.Join(w.dir, "data")})
	w.plays(0, []string{"index", "remove", "other", "--data", filepath.Join(w.dir, "data")})
	w.plays(0, []string{"doctor", "--deep"})
}

// hasMoved checks that a run, an agent and a file of before are there.
func (s *served) hasMoved(runID, fileID string) {
	s.t.Helper()
	for path, want := range map[string]string{
		"/readyz": "ready", "/v1/runs/" + runID: runID, "/v1/agents": "clerk", "/v1/files/" + fileID + "/content": "what the file says",
		"/v1/index/handbook": `"documents":3`, "/v1/index/handbook/documents": "sub/holidays.txt",
		"/v1/projects/default/export": `"object":"index.document"`,
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
