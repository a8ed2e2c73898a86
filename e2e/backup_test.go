package e2e

import (
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"errand/e2e/rig"
)

// TestBackupUnderLoad copies the data of a server that works, kills it, restores the
// copy elsewhere and lets it go on: keyed calls have one effect per key, and a once
// call that was made after the copy is not made again.
func TestBackupUnderLoad(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	c.Tool(w, "book.keyed", "keyed")
	c.Tool(w, "book.once", "once")
	c.Post("/v1/index", `{"name":"handbook","documents":[{"path":"fees.md","content":"# Late fees\nFive percent."}]}`, nil)
	waiting := gated(t, c, "waits")
	releaseOnce, releaseKeyed := w.Tools.Hold("book.once"), w.Tools.Hold("book.keyed")
	cut := background(c, "cut", []string{"book.once"}, `book.once {"n":7}`, rig.Say("Once."))
	var held []string
	for n := range 20 {
		held = append(held, background(c, fmt.Sprintf("held %d", n), []string{"book.keyed"}, fmt.Sprintf(`book.keyed {"n":%d}`, n), rig.Say("Kept.")).ID)
	}
	w.Eventually("the calls", func() bool { return len(w.Tools.Ledger("book.keyed")) == 20 && len(w.Tools.Ledger("book.once")) == 1 })

	copied := filepath.Join(w.Dir, "backup.tar")
	copyUnderLoad(t, w, c, copied)
	// Behind the copy: a person approves, and the call is made.
	releaseOnce()
	c.Post("/v1/runs/"+waiting.ID+"/approve", approving(waiting.Actions()), nil)
	c.Until(waiting.ID, "completed")
	s.Kill()
	releaseKeyed()
	once := len(w.Tools.Ledger("book.once"))

	restored(t, w, copied)
	c = w.Start().Client()
	for _, id := range held {
		c.Until(id, "completed")
	}
	oneEffectPerKey(t, w, len(held))
	for _, id := range []string{waiting.ID, cut.ID} {
		if r := c.Run(id); r.Status != "paused" {
			t.Errorf("%s is %s: it could do again what the copy does not know", id, r.Status)
		}
	}
	if n := len(w.Tools.Ledger("book.once")); n != once {
		t.Errorf("%d once calls, %d before the restore", n, once)
	}
	c.Post("/v1/runs/"+cut.ID+"/resume", nil, nil)
	if r := c.Until(cut.ID, "awaiting_approval"); r.Pending[0].Reason != "outcome_unknown" {
		t.Errorf("%+v", r.Pending)
	}
	var index struct{ Data []struct{ Name string } }
	if c.Get("/v1/index", &index); len(index.Data) != 1 {
		t.Errorf("the index has %+v", index)
	}
}

// copyUnderLoad makes a backup while runs come in.
func copyUnderLoad(t *testing.T, w *rig.World, c *rig.Client, to string) {
	t.Helper()
	enough := make(chan struct{})
	var load sync.WaitGroup
	for range 2 {
		load.Go(func() {
			for {
				select {
				case <-enough:
					return
				default:
					_, _ = c.Try(http.MethodPost, "/v1/runs", map[string]any{"model": "auto", "prompt": "load"})
				}
			}
		})
	}
	got := w.Command(t, "backup", to)
	close(enough)
	load.Wait()
	if got.Code != 0 || !strings.Contains(got.Err, "HOLDS SECRETS") {
		t.Fatalf("%+v", got)
	}
}

// oneEffectPerKey holds that calls which were made again had the same key and body.
func oneEffectPerKey(t *testing.T, w *rig.World, runs int) {
	t.Helper()
	keys := map[string]string{}
	for _, call := range w.Tools.Ledger("book.keyed") {
		if body, known := keys[call.Key]; known && body != call.Body {
			t.Errorf("%s was sent with %s and %s", call.Key, body, call.Body)
		}
		keys[call.Key] = call.Body
	}
	if len(keys) != runs {
		t.Errorf("%d keys for %d runs", len(keys), runs)
	}
}

// restored makes the world's data directory a new one, from a backup.
func restored(t *testing.T, w *rig.World, from string) {
	t.Helper()
	target := filepath.Join(w.Dir, "restored")
	if got := w.Command(t, "restore", "--data", w.Data(), from); got.Code != 2 || !strings.Contains(got.Err, "not empty") {
		t.Errorf("over a full directory: %+v", got)
	}
	if got := w.Command(t, "restore", "--check", "--data", target, from); got.Code != 0 || !strings.Contains(got.Out, "sound") {
		t.Errorf("%+v", got)
	}
	got := w.Command(t, "restore", "--data", target, from)
	if got.Code != 0 || !strings.Contains(got.Out, "none changed or missing") || !strings.Contains(got.Out, "each folds to its line") {
		t.Fatalf("%+v", got)
	}
	w.Env["ERRAND_DATA"] = target
	err := filepath.WalkDir(target, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestDamagedBackups restores none of them, and leaves nothing behind.
func TestDamagedBackups(t *testing.T) {
	t.Parallel()
	w := rig.New(t)
	s := w.Start()
	c := s.Client()
	c.Post("/v1/runs", map[string]any{"model": "auto", "prompt": "hello"}, nil)
	s.Kill()
	whole := filepath.Join(w.Dir, "whole")
	if got := w.Command(t, "backup", whole); got.Code != 0 {
		t.Fatalf("%+v", got)
	}
	if got := w.Command(t, "backup", whole); got.Code != 2 {
		t.Errorf("over another backup: %+v", got)
	}
	for name, damage := range map[string]func(dir string) error{
		"changed": func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, "errand.db"))
			if err == nil {
				text[len(text)/2] ^= 1
				err = os.WriteFile(filepath.Join(dir, "errand.db"), text, 0o600)
			}
			return err
		},
		"missing":    func(dir string) error { return os.Remove(filepath.Join(dir, "seal.key")) },
		"more":       func(dir string) error { return os.WriteFile(filepath.Join(dir, "errand.db-wal"), []byte("x"), 0o600) },
		"unfinished": func(dir string) error { return os.Remove(filepath.Join(dir, "backup.json")) },
	} {
		dir, target := filepath.Join(w.Dir, name), filepath.Join(w.Dir, "from-"+name)
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		if err := damage(dir); err != nil {
			t.Fatal(err)
		}
		if got := w.Command(t, "restore", "--data", target, dir); got.Code != 1 || !strings.Contains(got.Err, "can't be used") {
			t.Errorf("%s: %+v", name, got)
		}
		if _, err := os.Stat(target); err == nil {
			t.Errorf("%s: something is at the target", name)
		}
	}
	if left, err := filepath.Glob(filepath.Join(w.Dir, ".errand-*")); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
