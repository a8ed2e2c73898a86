package e2e

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"errand/e2e/rig"
)

// tamper puts other arguments into the log of a run that waits, as whoever can
// write the database file could, and nothing else.
func tamper(t *testing.T, w *rig.World, id, from, to string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(w.Data(), "*.db"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no database in %s: %v", w.Data(), err)
	}
	key, err := hex.DecodeString(strings.TrimPrefix(id, "run_"))
	if err != nil {
		t.Fatal(err)
	}
	changed := 0
	for _, path := range paths {
		db, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
		if err != nil {
			t.Fatal(err)
		}
		err = sqlitex.ExecuteTransient(db, `UPDATE events SET data = CAST(replace(CAST(data AS TEXT), ?, ?) AS BLOB)
			WHERE run = ? AND type = 'model.responded' AND instr(CAST(data AS TEXT), ?)`, &sqlitex.ExecOptions{Args: []any{from, to, key, from}})
		if err == nil {
			changed += db.Changes()
		}
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if changed != 1 {
		t.Fatalf("%d events were changed", changed)
	}
}

// TestChangedBehindAnApproval changes the arguments of a shown action in the
// database. What is there then is not called on the word that was for what was
// shown; a person sees it as it is now, and may say yes to that.
func TestChangedBehindAnApproval(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	if w.Env["ERRAND_STORE"] != "" {
		t.Skip("the database that is tampered with here is SQLite's")
	}
	s := w.Start()
	s.Client().Tool(w, "book.once", "once")
	r := gated(t, s.Client(), "tampered")
	s.Terminate() // the change is there before the server reads the log again
	tamper(t, w, r.ID, `{\"n\":1}`, `{\"n\":9}`)
	c := w.Start().Client()
	c.Post("/v1/runs/"+r.ID+"/approve", map[string]any{"action_ids": r.Actions(), "digest": r.Pending[0].Digest}, nil)
	w.Eventually("the question anew", func() bool {
		r = c.Run(r.ID)
		return len(r.Pending) == 1 && r.Pending[0].Reason == "changed"
	})
	if calls := w.Tools.Ledger("book.once"); len(calls) != 0 || r.Pending[0].Arguments["n"] != 9.0 {
		t.Fatalf("%d calls; what waits is %+v", len(calls), r.Pending[0])
	}
	c.Do(http.MethodPost, "/v1/runs/"+r.ID+"/approve", map[string]any{"action_ids": r.Actions(), "digest": "sha256:" + strings.Repeat("0", 64)}).Refused(http.StatusConflict, "conflict")
	c.Post("/v1/runs/"+r.ID+"/approve", map[string]any{"action_ids": r.Actions(), "digest": r.Pending[0].Digest}, nil)
	c.Until(r.ID, "completed")
	if calls := w.Tools.Ledger("book.once"); len(calls) != 1 || calls[0].Body != `{"n":9}` {
		t.Errorf("%+v", calls)
	}
}

// TestGatesByArguments: a condition over the arguments asks for some calls and not
// for others, and what a run has read from outside closes further gates.
func TestGatesByArguments(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	c := w.Start().Client()
	c.Tool(w, "pay.out", "once")
	c.Tool(w, "page.read", "safe")
	start := func(approval string, calls ...string) (r rig.Run) {
		c.Post("/v1/runs", map[string]any{
			"model": "auto", "tools": []string{"pay.out", "page.read"}, "approval": json.RawMessage(approval),
			"prompt": rig.Steps(approval+fmt.Sprint(calls), append(calls, rig.Say("Done."))...),
		}, &r)
		return r
	}
	const large = `{"required_for":[{"tool":"pay.*","when":"amount > 100"}]}`
	for call, want := range map[string]string{
		`pay.out {"amount":100}`:  "completed",
		`pay.out {"amount":101}`:  "awaiting_approval",
		`pay.out {"amount":"no"}`: "awaiting_approval", // nobody can tell
		`pay.out {}`:              "awaiting_approval",
	} {
		if r := start(large, call); r.Status != want {
			t.Errorf("%s: %s", call, r.Status)
		}
	}
	const outside = `{"after_untrusted":["pay.*"]}`
	if r := start(outside, `pay.out {"amount":1}`); r.Status != "completed" {
		t.Errorf("nothing was read: %s", r.Status)
	}
	if r := start(outside, `page.read {}`, `pay.out {"amount":1}`); r.Status != "awaiting_approval" || r.Pending[0].Tool != "pay.out" {
		t.Errorf("after reading: %s %+v", r.Status, r.Pending)
	}
	c.Do(http.MethodPost, "/v1/runs", map[string]any{
		"model": "auto", "prompt": "x", "tools": []string{"pay.out"}, "approval": json.RawMessage(`{"required_for":[{"tool":"pay.out","when":"amount >"}]}`),
	}).Refused(http.StatusBadRequest, "invalid_request")
}

// tourLinks decides by a link, as a person without a key does.
func tourLinks(t *testing.T, w *rig.World, c *rig.Client) {
	c.Tool(w, "letter.once", "once")
	var r rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"letter.once"}, "approval": json.RawMessage(`{"required_for":["letter.once"]}`),
		"prompt": rig.Steps("linked", `letter.once {"to":"Ada","password":"hunter22"}`, rig.Say("Written.")),
	}, &r)
	var link struct{ URL string }
	c.Post("/v1/runs/"+r.ID+"/actions/act_01/links", `{"expires_in_s":600}`, &link)
	anyone := *c
	anyone.Key = ""
	page := string(anyone.Do(http.MethodGet, link.URL, nil).Is(http.StatusOK).Body)
	if !strings.Contains(page, "Ada") || strings.Contains(page, "hunter22") || strings.Contains(r.Pending[0].Preview, "hunter22") {
		t.Errorf("the preview %q, the page %s", r.Pending[0].Preview, page)
	}
	form := []string{"Content-Type", "application/x-www-form-urlencoded"}
	anyone.Do(http.MethodPost, link.URL, "decision=approve", form...).Is(http.StatusOK)
	anyone.Do(http.MethodPost, link.URL, "decision=approve", form...).Is(http.StatusGone)
	c.Until(r.ID, "completed")
	if calls := w.Tools.Ledger("letter.once"); len(calls) != 1 || !strings.Contains(calls[0].Body, "hunter22") {
		t.Errorf("%+v", calls)
	}
}

// TestApprovalsCommand decides from a shell, with other arguments and for the run.
func TestApprovalsCommand(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	var r rig.Run
	c.Post("/v1/runs", map[string]any{
		"model": "auto", "tools": []string{"book.once"}, "approval": json.RawMessage(`{"required_for":["book.once"]}`),
		"prompt": rig.Steps("by hand", `book.once {"n":1}`, `book.once {"n":2}`, rig.Say("Booked.")),
	}, &r)
	command := func(args ...string) rig.Result {
		return w.Command(t, append([]string{"approvals"}, append(args, "--url", s.URL, "--key", c.Key)...)...)
	}
	if got := command("approve", r.ID, "act_01", "--arguments", "{n: 3}"); got.Code != 2 || !strings.Contains(got.Err, "no JSON") {
		t.Errorf("%+v", got)
	}
	if got := command("approve", r.ID, "act_01", "--digest", "sha256:00"); got.Code != 1 || !strings.Contains(got.Err, "is not what you saw") {
		t.Errorf("%+v", got)
	}
	if got := command("link", r.ID, "act_01", "--decision", "reject", "--expires", "5m"); got.Code != 0 || !strings.HasPrefix(got.Out, "/decide/") && !strings.Contains(got.Out, `"url": "/decide/`) {
		t.Errorf("%+v", got)
	}
	if got := command("approve", r.ID, "act_01", "--arguments", `{"n":3}`, "--reason", "Three.", "--for", "run"); got.Code != 0 {
		t.Errorf("%+v", got)
	}
	c.Until(r.ID, "completed")
	var bodies []string
	for _, call := range w.Tools.Ledger("book.once") {
		bodies = append(bodies, call.Body)
	}
	if got := strings.Join(bodies, " "); got != `{"n":3} {"n":2}` {
		t.Errorf("called with %s", got)
	}
}
