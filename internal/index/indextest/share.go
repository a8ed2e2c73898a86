package indextest

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"errand/internal/index"
	"errand/internal/problem"
)

// several opens a place by three nodes.
func several(t *testing.T, place Place, most int64) []world {
	return []world{place.open(t, most), place.open(t, most), place.open(t, most)}
}

// sameSource: nodes that add the same at once add it once, and each finds it.
func sameSource(t *testing.T, place Place) {
	nodes := several(t, place, 0)
	var working sync.WaitGroup
	var mu sync.Mutex
	var sum index.Change
	for n, x := range nodes {
		working.Go(func() {
			for round := range 5 {
				var files []index.File
				for i := range 20 {
					files = append(files, Files(fmt.Sprintf("%d.txt", (i+n*7)%20), fmt.Sprintf("round %d of number%d", round, (i+n*7)%20))...)
				}
				_, change, err := x.Put(t.Context(), project, index.Batch{Name: "a", Files: files})
				if err != nil {
					t.Error(err)
				}
				mu.Lock()
				sum.Added, sum.Changed, sum.Unchanged = sum.Added+change.Added, sum.Changed+change.Changed, sum.Unchanged+change.Unchanged
				mu.Unlock()
			}
		})
	}
	working.Wait()
	if sum.Added != 20 || sum.Added+sum.Changed+sum.Unchanged != 3*5*20 {
		t.Errorf("%+v", sum)
	}
	for i, x := range nodes {
		if got := x.titles("number7"); len(got) != 1 || got[0] != "7.txt" {
			t.Errorf("node %d finds %q", i, got)
		}
		if s, err := x.Source(t.Context(), project, "a"); err != nil || s.Documents != 20 {
			t.Errorf("node %d has %+v (%v)", i, s, err)
		}
	}
}

// removedWhileAdded: what one node removes while others add is there whole or not at
// all, and nothing is left of what is not.
func removedWhileAdded(t *testing.T, place Place) {
	nodes := several(t, place, 0)
	var working sync.WaitGroup
	for n, x := range nodes {
		working.Go(func() {
			for round := range 10 {
				var err error
				switch n {
				case 0:
					_, err = x.Remove(t.Context(), project, "a")
				default:
					_, _, err = x.Put(t.Context(), project, index.Batch{Name: "a", Files: Files(
						fmt.Sprintf("%d/%d/one.txt", n, round), "pair", fmt.Sprintf("%d/%d/two.txt", n, round), "pair")})
				}
				if err != nil && !problem.Is(err, problem.NotFound) {
					t.Error(err)
				}
				source, err := x.Source(t.Context(), project, "a")
				if err != nil && !problem.Is(err, problem.NotFound) || source.Documents%2 != 0 {
					t.Errorf("%+v %v", source, err)
				}
			}
		})
	}
	working.Wait()
	x := nodes[1]
	x.put(index.Batch{Name: "a"})
	if _, err := nodes[2].Remove(t.Context(), project, "a"); err != nil {
		t.Error(err)
	}
	if got := x.titles("pair"); len(got) != 0 {
		t.Errorf("%q are of no source", got)
	}
	if left, err := x.Projects(t.Context()); err != nil || len(left) != 0 {
		t.Errorf("something is left of %q (%v)", left, err)
	}
}

// oneQuota: however many nodes add at once, the project has what it may and no more.
func oneQuota(t *testing.T, place Place) {
	nodes := several(t, place, 1000)
	var working sync.WaitGroup
	var mu sync.Mutex
	taken, refused := 0, 0
	for n, x := range nodes {
		working.Go(func() {
			for round := range 8 {
				_, _, err := x.Put(t.Context(), project, index.Batch{Name: fmt.Sprint("n", n), Files: Files(fmt.Sprint(round, ".txt"), strings.Repeat("x", 100))})
				mu.Lock()
				switch {
				case err == nil:
					taken++
				case problem.Is(err, problem.QuotaExceeded):
					refused++
				default:
					t.Error(err)
				}
				mu.Unlock()
			}
		})
	}
	working.Wait()
	if taken != 10 || refused != 14 {
		t.Errorf("%d taken, %d refused", taken, refused)
	}
}
