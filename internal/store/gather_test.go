package store_test

import (
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"errand/internal/store"
)

func one(int) int { return 1 }

// What is pushed is taken in its order, nothing twice, nothing left.
func TestGatherKeepsTheOrder(t *testing.T) {
	const writers, each = 8, 500
	g := store.NewGather(one, time.Millisecond)
	var pushing sync.WaitGroup
	for w := range writers {
		pushing.Go(func() {
			for i := range each {
				if !g.Push(w*each + i) {
					t.Error("an open one has refused an item")
				}
			}
		})
	}
	go func() {
		pushing.Wait()
		g.Close()
	}()
	last := make([]int, writers)
	taken := 0
	for group := g.Take(); len(group) > 0; group = g.Take() {
		for _, it := range group {
			w, i := it/each, it%each+1
			if i != last[w]+1 {
				t.Fatalf("of writer %d, item %d came after %d", w, i, last[w])
			}
			last[w] = i
			taken++
		}
	}
	if taken != writers*each {
		t.Errorf("%d items were taken of %d", taken, writers*each)
	}
	if g.Push(1) || !g.Closing() || g.Queued() != 0 {
		t.Error("a closed one has taken an item")
	}
}

func TestGatherBoundsAGroup(t *testing.T) {
	heavy := store.NewGather(func(it int) int { return it << 20 }, 0)
	for range 10 {
		heavy.Push(3)
	}
	heavy.Close()
	if sizes := groups(heavy); !slices.Equal(sizes, []int{2, 2, 2, 2, 2}) {
		t.Errorf("groups of 3 MB items have %v", sizes)
	}
	many := store.NewGather(one, 0)
	for range 2500 {
		many.Push(0)
	}
	many.Close()
	if sizes := groups(many); !slices.Equal(sizes, []int{1024, 1024, 452}) {
		t.Errorf("groups of small items have %v", sizes)
	}
}

func groups(g *store.Gather[int]) (sizes []int) {
	for group := g.Take(); len(group) > 0; group = g.Take() {
		sizes = append(sizes, len(group))
	}
	return sizes
}

// After a group of several, the next one has time to grow; a lone client's has not,
// and nobody lingers once it is closed.
func TestGatherLingers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const linger = time.Second
		g := store.NewGather(one, linger)
		take := func() (int, time.Duration) {
			began := time.Now()
			group := g.Take()
			return len(group), time.Since(began)
		}
		push := func(items int) {
			for range items {
				g.Push(0)
			}
		}
		for i, want := range []struct {
			items int
			took  time.Duration
		}{{1, 0}, {6, 0}, {2, linger}, {1, 0}} {
			push(want.items)
			if items, took := take(); items != want.items || took != want.took {
				t.Errorf("group %d: %d items after %s, want %d after %s", i, items, took, want.items, want.took)
			}
		}
		push(6)
		take()
		push(1)
		time.AfterFunc(linger/4, g.Close)
		if items, took := take(); items != 1 || took != linger/4 {
			t.Errorf("closed meanwhile: %d items after %s", items, took)
		}
		if items, took := take(); items != 0 || took != 0 {
			t.Errorf("closed: %d items after %s", items, took)
		}
	})
}
