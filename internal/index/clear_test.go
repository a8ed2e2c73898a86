package index

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func TestClear(t *testing.T) {
	dir := t.TempDir()
	x := open(t, dir)
	if n, err := x.Clear(t.Context(), project, 10); n != 0 || err != nil {
		t.Errorf("of nothing %d went (%v)", n, err)
	}
	if _, err := os.Stat(filepath.Join(dir, FileName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("to clear nothing made a file: %v", err)
	}
	put(t, x, Batch{Name: "handbook", Files: files("a.md", "Alpha", "b.md", "Beta", "c.md", "Gamma")})
	put(t, x, Batch{Name: "empty"})
	if _, _, err := x.Put(t.Context(), "other", Batch{Name: "handbook", Files: files("a.md", "Alpha")}); err != nil {
		t.Fatal(err)
	}
	for _, want := range []int{2, 1 + 2, 0} { // documents, then the last one with the sources
		if n, err := x.Clear(t.Context(), project, 2); n != want || err != nil {
			t.Fatalf("%d went, want %d (%v)", n, want, err)
		}
	}
	if found := titles(t, x, "alpha"); len(found) != 0 {
		t.Errorf("found is still %q", found)
	}
	if left, err := x.Projects(t.Context()); err != nil || !slices.Equal(left, []string{"other"}) {
		t.Errorf("the index has something of %q (%v)", left, err)
	}
}
