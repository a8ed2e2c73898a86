package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/e2e/rig"
)

// found is what errand doctor says of each thing.
func found(t *testing.T, w *rig.World, code int, flags ...string) map[string]string {
	t.Helper()
	got := w.Command(t, append([]string{"doctor", "--json"}, flags...)...)
	var said struct {
		OK     bool
		Checks []struct{ Check, Level, Found string }
	}
	if err := json.Unmarshal([]byte(got.Out), &said); err != nil || got.Code != code || said.OK != (code == 0) {
		t.Fatalf("exit code %d, want %d: %v: %s%s", got.Code, code, err, got.Out, got.Err)
	}
	checks := map[string]string{}
	for _, c := range said.Checks {
		checks[c.Check] = c.Level + ": " + c.Found
	}
	return checks
}

// TestDoctor looks at a server that works and waits, and then at data in which one
// thing after the other was broken on purpose.
func TestDoctor(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	gated(t, c, "waits")
	var r rig.Run
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "hello"}, &r)
	w.Env["ERRAND_URL"] = s.URL
	if got := w.Command(t, "runs", "explain", r.ID); got.Code != 0 || !strings.Contains(got.Out, `"status": "completed"`) {
		t.Errorf("%+v", got)
	}
	if got := w.Command(t, "runs", "explain", "--prompt", "1", r.ID); got.Code != 0 || !strings.Contains(got.Out, `"text": "hello"`) {
		t.Errorf("%+v", got)
	}
	for _, flags := range [][]string{nil, {"--deep"}} {
		checks := found(t, w, 0, flags...)
		for check, want := range map[string]string{
			"storage": "pid", "runs": "ok: 2 runs (1 awaiting approval, 1 completed)", "logs": "2 fold", "audit": "ok: ", "secrets": "ok: ", "clock": "ok: ", "jobs": "ok: ",
		} {
			if !strings.Contains(checks[check], want) {
				t.Errorf("%v: %s is %q, want %q", flags, check, checks[check], want)
			}
		}
	}
	s.Kill()
	for _, broken := range []struct{ check, change, mend, says string }{
		{"logs", "UPDATE runs SET steps = steps + 5 WHERE status = 'completed'", "UPDATE runs SET steps = steps - 5 WHERE status = 'completed'", "steps is 1 by the log and 6"},
		{"logs", "UPDATE events SET seq = 9 WHERE type = 'run.finished'", "UPDATE events SET seq = (SELECT seq FROM runs WHERE id = run) WHERE seq = 9", "missing"},
		{"audit", "UPDATE audit SET actor = 'nobody' WHERE seq = 2", "", "hash does not fit"},
	} {
		change(t, w, broken.change)
		if got := found(t, w, 1)[broken.check]; !strings.HasPrefix(got, "fail") || !strings.Contains(got, broken.says) {
			t.Errorf("%s: %q", broken.change, got)
		}
		if broken.mend != "" {
			change(t, w, broken.mend)
		}
	}
	if err := os.Chmod(filepath.Join(w.Data(), "errand.db"), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := found(t, w, 1)["secrets"]; !strings.Contains(got, "0644") {
		t.Errorf("%q", got)
	}
}

// change does to the database what no server would.
func change(t *testing.T, w *rig.World, statement string) {
	t.Helper()
	conn, err := sqlite.OpenConn(filepath.Join(w.Data(), "errand.db"), sqlite.OpenReadWrite)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := sqlitex.ExecuteTransient(conn, statement, nil); err != nil {
		t.Fatal(err)
	}
	if conn.Changes() == 0 {
		t.Fatalf("%s changes nothing", statement)
	}
}
