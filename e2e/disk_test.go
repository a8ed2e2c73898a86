package e2e

import (
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"errand/e2e/rig"
)

// fill leaves no byte in the data directory's file system.
func fill(t *testing.T, w *rig.World) (free func()) {
	t.Helper()
	path := filepath.Join(w.Data(), "filler")
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	for size := 64 << 10; size > 0; size /= 2 { // the last page, too
		for err = nil; err == nil; {
			_, err = file.Write(make([]byte, size))
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
	if err := file.Close(); err != nil {
		t.Fatal(err)
	}
	return func() {
		if err := os.Remove(path); err != nil {
			t.Error(err)
		}
	}
}

// TestFullDisk fills the disk while a once call is under way and a run waits.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	small(t, w, "12m")
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	c.Tool(w, "book.slow", "once")
	before := gated(t, c, "before")
	release := w.Tools.Hold("book.slow")
	under := background(c, "under way", []string{"book.slow"}, `book.slow {}`, rig.Say("Slow and sure."))
	w.Eventually("the call", func() bool { return len(w.Tools.Ledger("book.slow")) == 1 })

	free := fill(t, w)
	task := map[string]any{"model": "auto", "prompt": "hello"}
	w.Eventually("the disk to be full", func() bool { // what is in the log's file already may be used up first
		answer := c.Do(http.MethodPost, "/v1/runs", task)
		return answer.Status == http.StatusInsufficientStorage
	})
	for range 3 {
		fault := c.Do(http.MethodPost, "/v1/runs", task).Refused(http.StatusInsufficientStorage, "storage_full")
		if page, err := os.ReadFile("../docs/troubleshooting.md"); err != nil || !strings.Contains(string(page), "507 storage_full\n"+fault.Message+"\n") {
			t.Errorf("docs/troubleshooting.md (%v) does not quote %q", err, fault.Message)
		}
	}
	c.Do(http.MethodPost, "/v1/runs", task, "Idempotency-Key", "full").Refused(http.StatusInsufficientStorage, "storage_full")
	c.Do(http.MethodPost, "/v1/runs/"+before.ID+"/approve", approving(before.Actions())).Refused(http.StatusInsufficientStorage, "storage_full")
	c.Do(http.MethodPost, "/v1/agents", createBody).Refused(http.StatusInsufficientStorage, "storage_full")
	release() // the call's end can't be written now, and must not be lost
	if r := c.Run(before.ID); r.Status != "awaiting_approval" {
		t.Errorf("%+v", r)
	}
	c.Get("/v1/runs", nil)
	c.Get("/v1/approvals", nil)
	c.Events(under.ID)

	free()
	if r := c.Until(under.ID, "completed"); r.Summary() != "Slow and sure." {
		t.Errorf("%+v", r)
	}
	c.Post("/v1/runs", task, nil, "Idempotency-Key", "full")
	c.Post("/v1/runs/"+before.ID+"/approve", approving(before.Actions()), nil)
	c.Until(before.ID, "completed")
	if n := len(w.Tools.Ledger()); n != 2 {
		t.Errorf("%d calls of once tools, want one of each", n)
	}
	s.Kill()
	c = w.Start().Client()
	if r := c.Run(under.ID); r.Status != "completed" {
		t.Errorf("after a restart: %+v", r)
	}
}

// TestStartOnAFullDisk kills the server on a full disk and starts it there again:
// what is stored can be read, and all goes on when there is space.
func TestStartOnAFullDisk(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	small(t, w, "12m")
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.once", "once")
	before := gated(t, c, "before")
	release := w.Model.Hold()
	under := background(c, "under way", nil, rig.Say("At last."))
	free := fill(t, w)
	task := map[string]any{"model": "auto", "prompt": "hello", "background": true}
	full := func() bool { return c.Do(http.MethodPost, "/v1/runs", task).Status == http.StatusInsufficientStorage }
	w.Eventually("the disk to be full", full)
	s.Kill()
	s = w.Start()
	c = s.Client()
	if r := c.Run(before.ID); r.Status != "awaiting_approval" {
		t.Errorf("%+v", r)
	}
	w.Eventually("the disk to be full again", full) // what the kill cut off has left some room
	release()
	free()
	if r := c.Until(under.ID, "completed"); r.Summary() != "At last." {
		t.Errorf("%+v", r)
	}
	c.Post("/v1/runs/"+before.ID+"/approve", approving(before.Actions()), nil)
	c.Until(before.ID, "completed")
	if code := s.Terminate(); code != 0 {
		t.Errorf("exit code %d\n%s", code, s.Log())
	}
}
