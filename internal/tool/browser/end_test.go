package browser

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"errand/internal/problem"
	"errand/internal/run"
)

// TestFailureIsRecorded: who looks for the reason of a failure later finds what the
// action has met.
func TestFailureIsRecorded(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": `<button disabled>Buy</button><input aria-label="Fixed" readonly>`})
	kept := &shelf{}
	u := newUser(t, s, func(c *Config) { c.Keeper, c.EachStep = kept, true })
	failed := func(name string, arguments args) Record {
		t.Helper()
		_, err := u.try(t.Context(), name, arguments)
		_, record, ok := Read(problem.From(err).Detail)
		if err == nil || !ok {
			t.Fatalf("%s: no record in %v", name, err)
		}
		return record
	}
	if got := failed("click", args{"index": 1}); got.Screenshot != "" || got.URL != "" {
		t.Errorf("of no page: %+v", got)
	}
	text, _ := u.do("navigate", args{"url": s.URL + "/"})
	kept.kept = nil
	got := failed("input", args{"index": number(t, text, "Fixed"), "text": "x"})
	if got.Screenshot != "file_9" || len(kept.kept) == 0 || got.URL != s.URL+"/" || got.Element == nil || got.Element.Name != "Fixed" {
		t.Errorf("record %+v with a picture of %d bytes", got, len(kept.kept))
	}
}

// TestLongNames: the browser starts wherever the operator keeps the data, and leaves
// nothing behind in the folder that it has used instead.
func TestLongNames(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": "<h1>Home</h1>"})
	dir := filepath.Join(t.TempDir(), strings.Repeat("a-folder-with-a-long-name/", 4), "browser")
	u := newUser(t, s, func(c *Config) { c.Dir = dir })
	has(t, first(u.do("navigate", args{"url": s.URL})), "# Home")
	p := u.session().process
	if _, err := os.Stat(p.tmp); err != nil || strings.HasPrefix(p.tmp, dir) {
		t.Errorf("temporary files go to %s: %v", p.tmp, err)
	}
	if err := u.browser.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(p.tmp); !os.IsNotExist(err) {
		t.Errorf("%s is left: %v", p.tmp, err)
	}
	_, killed, err := profile(dir) // of a server that is killed
	if err != nil {
		t.Fatal(err)
	}
	next, _, err := profile(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer forget(next)
	if _, err := os.Stat(killed); !os.IsNotExist(err) {
		t.Errorf("%s is left by a server that was killed: %v", killed, err)
	}
}

// contexts counts the open browser contexts of runs.
func contexts(b *Browser) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.sessions)
}

// TestRelease: a run's end closes its tabs at once, or when its last call is back,
// and no other's.
func TestRelease(t *testing.T) {
	t.Parallel()
	s := newSite(t, map[string]string{"/": "<h1>Home</h1>"})
	u := newUser(t, s, nil)
	u.do("navigate", args{"url": s.URL})
	mine := u.session()
	first := u.id
	u.id = run.NewID(time.Unix(1_760_000_000, 0), 2, 42)
	u.browser.Release(u.id) // which has nothing
	u.do("navigate", args{"url": s.URL})
	tab := mine.current
	u.browser.Release(first)
	soon(t, "the tab of the run that ended is gone", tab.gone)
	if contexts(u.browser) != 1 || u.session().current.gone() {
		t.Error("another run has lost its tab")
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	waited := make(chan error, 1)
	go func() {
		_, err := u.try(ctx, "wait", args{"seconds": 30})
		waited <- err
	}()
	soon(t, "the call is under way", func() bool {
		u.browser.mu.Lock()
		defer u.browser.mu.Unlock()
		return u.browser.sessions[owner{"default", u.id}].busy == 1
	})
	tab = u.session().current
	u.browser.Release(u.id)
	if contexts(u.browser) != 1 {
		t.Error("the tab is taken from a call that uses it")
	}
	cancel()
	if err := <-waited; err == nil {
		t.Error("the call that was cut off succeeded")
	}
	soon(t, "the tab has gone with the last call", func() bool { return contexts(u.browser) == 0 && tab.gone() })
}
