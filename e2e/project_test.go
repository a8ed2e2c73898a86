package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/e2e/rig"
)

// sql works on the database of a server that is not running, and returns the first
// column of what comes.
func sql(t *testing.T, w *rig.World, statements string, args ...any) (found []string) {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(w.Data(), "errand.db"), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	err = sqlitex.Execute(conn, statements, &sqlitex.ExecOptions{Args: args, ResultFunc: func(stmt *sqlite.Stmt) error {
		found = append(found, stmt.ColumnText(0))
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// tenant makes a project with something of everything, and returns the key of its
// admin. One of its runs waits for a person, another for a call.
func tenant(t *testing.T, w *rig.World, s *rig.Server, name string) (c *rig.Client, waiting, working string) {
	t.Helper()
	var key struct{ Secret string }
	s.Client().Post("/v1/keys", map[string]any{"name": name + "'s admin", "project": name, "scopes": []string{"admin"}}, &key)
	c = s.Client(key.Secret)
	tool := name + ".once"
	c.Post("/v1/tools", map[string]any{"name": tool, "url": w.Tools.URL + "/" + tool, "effect": "once", "headers": map[string]string{"X-Token": "hidden-header-value"}}, nil)
	c.Post("/v1/agents", map[string]any{"name": "clerk", "model": "auto", "instructions": "x", "tools": []string{}}, nil)
	c.Post("/v1/schedules", `{"agent":"clerk","every":"24h","input":"x"}`, nil)
	c.Post("/v1/webhooks", map[string]any{"url": w.Tools.URL + "/hook", "events": []string{"*"}}, nil)
	c.Post("/v1/budgets", `{"max_runs":100000,"period":"month"}`, nil)
	c.Post("/v1/index", `{"name":"handbook","documents":[{"path":"fees.md","content":"# Late fees\nFive percent."}]}`, nil)
	upload := "--b\r\nContent-Disposition: form-data; name=\"purpose\"\r\n\r\ncontext\r\n--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nhello " + name + "\r\n--b--\r\n"
	c.Do("POST", "/v1/files", upload, "Content-Type", "multipart/form-data; boundary=b").Good()
	var gatedRun rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{tool}, "approval": map[string]any{"required_for": []string{tool}},
		"prompt": rig.Steps("waits", tool+` {"n":1}`, rig.Say("Done.")),
	}, &gatedRun)
	for n := range 6 {
		c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": fmt.Sprintf("hello %d of %s", n, name)}, nil)
	}
	w.Tools.Hold(tool)
	working = background(c, "works", []string{tool}, tool+` {"n":2}`, rig.Say("Done.")).ID
	w.Eventually("the call", func() bool { return len(w.Tools.Ledger(tool)) == 1 })
	return c, gatedRun.ID, working
}

// export is what a client gets of a project, by object.
func export(t *testing.T, c *rig.Client, name string) map[string][]string {
	t.Helper()
	lines := map[string][]string{}
	scanner := bufio.NewScanner(bytes.NewReader(c.Get("/v1/projects/"+name+"/export", nil).Body))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line struct{ Object string }
		if err := json.Unmarshal(scanner.Bytes(), &line); err != nil {
			t.Fatalf("%v: %s", err, scanner.Text())
		}
		lines[line.Object] = append(lines[line.Object], scanner.Text())
	}
	return lines
}

// TestAProjectFromItsFirstDayToItsLast exports one while it works, erases it under a
// kill -9 after the other, and looks whether anything is left of it.
func TestAProjectFromItsFirstDayToItsLast(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	own, waiting, working := tenant(t, w, s, "leaves")
	other, _, _ := tenant(t, w, s, "stays")
	exported(t, w, s, own)
	whatMayNotBe(t, s, own, other)
	stream := own.Stream(waiting, "").Reading()
	if got := w.Command(t, "projects", "erase", "leaves"); got.Code != 2 || !strings.Contains(got.Err, "--yes") {
		t.Errorf("without a person and without --yes: %+v", got)
	}
	s.Client().Do("DELETE", "/v1/projects/leaves", `{"confirm":"leaves"}`).Is(http.StatusAccepted)
	own.Do("GET", "/v1/runs", nil).Refused(http.StatusUnauthorized, "unauthenticated")
	rig.Await(t, "the stream's end", stream)
	s.Kill()
	age(t, w, "leaves", 0, many) // so that there is something to interrupt
	interrupt(t, w, "leaves")
	s = w.Start()
	admin := s.Client()
	w.Within(2*time.Minute, "the end of the project", func() bool {
		answer := admin.Do("GET", "/v1/projects/leaves", nil)
		return answer.Status == http.StatusNotFound
	})
	var log struct {
		Data []struct {
			Action string
			Actor  struct{ Name string }
		}
	}
	admin.Get("/v1/audit?project=leaves&action=project.erased", &log)
	if len(log.Data) != 1 || log.Data[0].Actor.Name != "admin" {
		t.Errorf("the audit log says %+v", log)
	}
	other = s.Client(other.Key)
	var list struct{ Data []rig.Run }
	if other.Get("/v1/runs?limit=100", &list); len(list.Data) != 8 {
		t.Errorf("another project has %d runs, want 8", len(list.Data))
	}
	admin.Do("GET", "/v1/runs/"+working, nil).Refused(http.StatusNotFound, "not_found")
	if checks := found(t, w, 0, "--deep"); !strings.HasPrefix(checks["projects"], "ok: ") || !strings.Contains(checks["projects"], "1 erased") {
		t.Errorf("projects: %q", checks["projects"])
	}
	s.Kill()
	nothingOf(t, w, "leaves", waiting, working)
	sql(t, w, `INSERT INTO jobs (id, due, kind, run, tries, data) VALUES (1000000, 0, 'schedule.fire', x'', 0, '{"project":"leaves"}')`)
	sql(t, w, "INSERT INTO rows (kind, project, id, name, version, created, expires, data) VALUES ('agent', 'leaves', 'a', '', 1, 0, 0, '{}')")
	if checks := found(t, w, 1); !strings.Contains(checks["projects"], "objects of a project leaves") || !strings.Contains(checks["projects"], "a job schedule.fire is for a project leaves") {
		t.Errorf("of something left behind the doctor says %q", checks["projects"])
	}
}

// TestProjectCommands manages one at the command line.
func TestProjectCommands(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	w.Env["ERRAND_URL"] = s.URL
	tenant(t, w, s, "shop")
	for _, step := range []struct {
		args []string
		code int
		says string
	}{
		{[]string{"keep", "shop", "30"}, 0, `"retention_days": 30`},
		{[]string{"list"}, 0, `"kept_days": 30`},
		{[]string{"keep", "shop", "ever"}, 0, `"retention_days": 0`},
		{[]string{"keep", "shop", "server"}, 0, `"retention_days": null`},
		{[]string{"keep", "shop", "soon"}, 2, "is not a number of days"},
		{[]string{"show", "shop"}, 0, `"status": "active"`},
		{[]string{"export", "shop", "--to", "-"}, 0, `{"object":"export.end"`},
		{[]string{"erase", "default", "--yes"}, 1, "can't be erased"},
		{[]string{"erase", "shop", "--yes", "--wait"}, 0, `"erased": true`},
		{[]string{"show", "shop"}, 1, "There is no project"},
	} {
		got := w.Command(t, append([]string{"projects"}, step.args...)...)
		if got.Code != step.code || !strings.Contains(got.Out+got.Err, step.says) {
			t.Errorf("%v: exit %d, want %d with %q: %s%s", step.args, got.Code, step.code, step.says, got.Out, got.Err)
		}
	}
}

// exported takes the project with us, by API and by command.
func exported(t *testing.T, w *rig.World, s *rig.Server, own *rig.Client) {
	t.Helper()
	whole := export(t, own, "leaves")
	for object, n := range map[string]int{"export.manifest": 1, "key": 1, "run": 8, "file": 1, "file.bytes": 1, "index.source": 1, "index.document": 1, "export.end": 1} {
		if len(whole[object]) != n {
			t.Errorf("%d %ss in the export, want %d", len(whole[object]), object, n)
		}
	}
	everything := fmt.Sprint(whole)
	for _, secret := range []string{own.Key, "hidden-header-value", "whsec_", "of stays"} {
		if strings.Contains(everything, secret) {
			t.Errorf("the export has %q", secret)
		}
	}
	if len(whole["event"]) < 16 || len(whole["audit.line"]) < 5 || len(whole["spend"]) == 0 || !strings.Contains(everything, "hello 3 of leaves") {
		t.Errorf("the export has %d events, %d audit lines, %d accounts", len(whole["event"]), len(whole["audit.line"]), len(whole["spend"]))
	}
	w.Env["ERRAND_URL"] = s.URL
	saved := filepath.Join(w.Dir, "leaves.ndjson")
	if got := w.Command(t, "projects", "export", "leaves", "--to", saved); got.Code != 0 {
		t.Errorf("%+v", got)
	}
	if text, err := os.ReadFile(saved); err != nil || !bytes.Contains(text, []byte(`"object":"export.end"`)) {
		t.Errorf("the file has %d bytes (%v)", len(text), err)
	}
	if got := w.Command(t, "projects", "export", "leaves", "--to", saved); got.Code == 0 || !strings.Contains(got.Err, "is there already") {
		t.Errorf("%+v", got)
	}
}

// whatMayNotBe tries what a caller could do by mistake, or with too little.
func whatMayNotBe(t *testing.T, s *rig.Server, own, other *rig.Client) {
	t.Helper()
	admin := s.Client()
	admin.Do("DELETE", "/v1/projects/leaves", nil).Refused(http.StatusBadRequest, "invalid_request")
	admin.Do("DELETE", "/v1/projects/leaves", `{"confirm":"stays"}`).Refused(http.StatusBadRequest, "invalid_request")
	admin.Do("DELETE", "/v1/projects/default", `{"confirm":"default"}`).Refused(http.StatusConflict, "conflict")
	admin.Do("DELETE", "/v1/projects/nobody", `{"confirm":"nobody"}`).Refused(http.StatusNotFound, "not_found")
	own.Do("DELETE", "/v1/projects/leaves", `{"confirm":"leaves"}`).Refused(http.StatusForbidden, "scope_denied")
	own.Do("PATCH", "/v1/projects/leaves", `{"retention_days":1}`).Refused(http.StatusForbidden, "scope_denied")
	other.Do("GET", "/v1/projects/leaves", nil).Refused(http.StatusForbidden, "scope_denied")
	other.Do("GET", "/v1/projects/leaves/export", nil).Refused(http.StatusForbidden, "scope_denied")
	own.Get("/v1/projects/leaves", nil)
	for _, body := range []string{`{}`, `{"retention_days":-1}`, `{"retention_days":1.5}`, `{"retention_days":"7"}`} {
		admin.Do("PATCH", "/v1/projects/leaves", body).Refused(http.StatusBadRequest, "invalid_request")
	}
}

// nothingOf looks through everything on disk for a project that was erased.
func nothingOf(t *testing.T, w *rig.World, name string, runs ...string) {
	t.Helper()
	for what, query := range map[string]string{
		"runs":       "SELECT count(*) FROM runs WHERE project = ?",
		"rows":       "SELECT count(*) FROM rows WHERE project = ?1 OR id = ?1 OR json_extract(CASE WHEN json_valid(data) THEN data ELSE '{}' END, '$.project') = ?1",
		"events":     "SELECT count(*) FROM events WHERE run NOT IN (SELECT id FROM runs) OR ? = ''",
		"jobs":       "SELECT count(*) FROM jobs WHERE json_extract(CASE WHEN json_valid(data) THEN data ELSE '{}' END, '$.project') = ?",
		"run's jobs": "SELECT count(*) FROM jobs WHERE run <> x'' AND run NOT IN (SELECT id FROM runs) OR ? = ''",
	} {
		if n := sql(t, w, query, name); n[0] != "0" {
			t.Errorf("%s %s are left", n[0], what)
		}
	}
	if n := sql(t, w, "SELECT count(*) FROM audit WHERE project = ?", name); n[0] == "0" {
		t.Error("no line of the audit log is left")
	}
	if n := sql(t, w, "SELECT sum(runs) FROM spend WHERE project = ?", name); n[0] != "8" {
		t.Errorf("it has spent on %s runs, want 8", n[0])
	}
	blobs := 0
	_ = filepath.WalkDir(filepath.Join(w.Data(), "files"), func(path string, entry os.DirEntry, err error) error {
		if err == nil && !entry.IsDir() {
			if text, err := os.ReadFile(path); err != nil || strings.Contains(string(text), "hello "+name) {
				t.Errorf("a file of it is left: %s (%v)", path, err)
			}
			blobs++
		}
		return nil
	})
	if blobs != 1 {
		t.Errorf("%d stored files are left, want that of the other project", blobs)
	}
}

// TestOldRunsGo makes runs old behind the server's back, and kills it while it removes
// them.
func TestOldRunsGo(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	w.Env["ERRAND_RETENTION_DAYS"] = "30"
	s := w.Start()
	own, _, _ := tenant(t, w, s, "ages")
	var before, list struct{ Data []rig.Run }
	own.Get("/v1/runs?limit=100", &before)
	s.Kill()
	age(t, w, "ages", 0, many)
	if said := found(t, w, 0)["retention"]; !strings.Contains(said, "older than they are to be kept") {
		t.Errorf("of runs that are too old the doctor says %q", said)
	}
	interrupt(t, w, "ages")
	s = w.Start()
	own = s.Client(own.Key)
	w.Within(2*time.Minute, "the old runs to go", func() bool {
		own.Get("/v1/runs?limit=100", &list)
		return len(list.Data) == len(before.Data)
	})
	if diff := cmp.Diff(before.Data[1:], list.Data[1:]); diff != "" { // the first is at work
		t.Errorf("runs that are not too old (-before +after):\n%s", diff)
	}
	own.Do("GET", "/v1/runs/"+oldRun(1), nil).Refused(http.StatusNotFound, "not_found")
	own.Do("DELETE", "/v1/runs/"+oldRun(1), nil).Refused(http.StatusNotFound, "not_found")
	admin := s.Client()
	var usage struct{ Data []struct{ Runs int } }
	if admin.Get("/v1/usage?project=ages", &usage); len(usage.Data) == 0 {
		t.Error("what was spent is gone")
	}
	if metrics := admin.Do("GET", "/metrics", nil); !strings.Contains(string(metrics.Body), "errand_retention_runs_removed_total") {
		t.Errorf("%s", metrics.Body)
	}
	w.Within(time.Minute, "the sweep's end", func() bool { return strings.HasPrefix(found(t, w, 0, "--deep")["retention"], "ok: ") })
	s.Kill()
	if n := sql(t, w, "SELECT count(*) FROM events WHERE run NOT IN (SELECT id FROM runs)")[0]; n != "0" {
		t.Errorf("%s events are left of runs that are gone", n)
	}
}

// many is how many old runs a project gets at once.
const many = 1000

// interrupt starts the server again and again, and kills it while it removes runs of a
// project. A kill that came when hardly any were left has shown nothing: the project gets
// others, and there is one kill more.
func interrupt(t *testing.T, w *rig.World, project string) {
	t.Helper()
	count := func() (n int) {
		fmt.Sscan(sql(t, w, "SELECT count(*) FROM runs WHERE project = ?", project)[0], &n)
		return n
	}
	for kills, made := 0, many; kills < 3; {
		if count() < many/2 {
			if made > 10*many {
				t.Fatal("all kills came too late")
			}
			age(t, w, project, made, many)
			made += many
		}
		before := count()
		s := w.Start()
		w.Eventually("the first runs to go", func() bool { return count() < before })
		s.Kill()
		switch left := count(); {
		case left == 0:
			t.Fatalf("all is over: the kill came too late for %d runs", before)
		case left >= 100:
			kills++
		}
		if torn := sql(t, w, "SELECT count(*) FROM runs r WHERE deleted = 0 AND seq <> (SELECT count(*) FROM events WHERE run = r.id)")[0]; torn != "0" {
			t.Fatalf("%s runs are there with a part of their log", torn)
		}
	}
}

// oldRun is the id of the n-th run that age makes.
func oldRun(n int) string { return fmt.Sprintf("run_%012x%020x", oldest+n, n) }

// oldest is when those runs were made, in Unix milliseconds: longer ago than anything
// here is kept.
const oldest = 1_700_000_000_000

// age makes so many runs of a project that ended long ago, behind those that it has
// made already, each like one that has just ended.
func age(t *testing.T, w *rig.World, project string, made, many int) {
	t.Helper()
	const each = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i < ?1),
		one AS (SELECT * FROM runs WHERE status = 'completed' LIMIT 1) `
	const id = `unhex(printf('%012x%020x', ?2 + i, i))`
	sql(t, w, each+`INSERT INTO events SELECT `+id+`, e.seq, e.id, e.at - one.created_at + ?2, e.type, e.data FROM n, one, events e WHERE e.run = one.id`, many, oldest+made)
	columns := "dialect, agent, model, max_steps, title, fingerprint, status, pending, live, stop_reason, seq, epoch, steps, input, output, cached, reasoning, cost, unpriced, deleted"
	sql(t, w, each+`INSERT INTO runs (id, project, created_at, updated_at, ended_at, `+columns+`) SELECT `+id+`, ?3, ?2, updated_at - created_at + ?2, ended_at - created_at + ?2, `+columns+` FROM n, one`, many, oldest+made, project)
}
