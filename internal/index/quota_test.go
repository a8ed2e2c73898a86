package index

import (
	"strings"
	"testing"
	"time"

	"errand/internal/problem"
)

// TestAProjectHasNoMoreTextThanItMay: what is too much changes nothing, and what
// makes it less is taken also when it is more than it may be.
func TestAProjectHasNoMoreTextThanItMay(t *testing.T) {
	dir := t.TempDir()
	narrow := func(most int64) *Index {
		x, err := Open(t.Context(), Config{Dir: dir, Now: time.Now, Most: most})
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	x := narrow(100)
	put(t, x, Batch{Name: "a", Files: files("one.txt", strings.Repeat("o", 60))})
	more := Batch{Name: "b", Files: files("two.txt", strings.Repeat("t", 50))}
	if _, _, err := x.Put(t.Context(), project, more); !problem.Is(err, problem.QuotaExceeded) || !strings.Contains(problem.From(err).Detail, "ERRAND_INDEX_MB") {
		t.Errorf("%v", err)
	}
	if found, err := x.Sources(t.Context(), project, "", 10); err != nil || len(found) != 1 {
		t.Errorf("a refused batch leaves %v %v", found, err)
	}
	if _, _, err := x.Put(t.Context(), "other", more); err != nil {
		t.Errorf("another project: %v", err)
	}
	if _, change := put(t, x, Batch{Name: "a", Files: files("one.txt", strings.Repeat("n", 100))}); change.Changed != 1 {
		t.Errorf("what replaces counts beside what it replaces: %+v", change)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}

	x = narrow(10) // less than is there
	if _, _, err := x.Put(t.Context(), project, Batch{Name: "a", Files: files("one.txt", strings.Repeat("m", 101))}); !problem.Is(err, problem.QuotaExceeded) {
		t.Errorf("%v", err)
	}
	if _, change := put(t, x, Batch{Name: "a", Files: files("one.txt", strings.Repeat("m", 40))}); change.Changed != 1 {
		t.Errorf("%+v", change)
	}
	if _, change := put(t, x, Batch{Name: "a", Gone: []string{"one.txt"}}); change.Removed != 1 {
		t.Errorf("%+v", change)
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
}
